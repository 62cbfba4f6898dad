"""What the course is, without torch: lessons, exercises, stories and files as text."""
