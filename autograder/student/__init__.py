"""The student's loop: where their files are, checking them, watching them, remembering progress."""
