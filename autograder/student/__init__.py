"""Find, check and watch a student's files, and remember their progress."""
