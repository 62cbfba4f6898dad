"""Lessons, exercises, stories and files of the course, without torch."""
