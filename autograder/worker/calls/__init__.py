"""The calls of each exercise, on small networks, made next to student code."""
