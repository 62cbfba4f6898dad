"""Numbers for the pages that a reader can touch, measured on the course's own networks."""
