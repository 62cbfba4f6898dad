"""Grading submissions that nobody has to trust."""
