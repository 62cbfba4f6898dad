"""What a student opens: the fifteen lessons and the toolkit they are given."""
