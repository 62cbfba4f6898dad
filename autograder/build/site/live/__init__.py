"""Numbers for what a reader can touch, measured on the course's networks."""
