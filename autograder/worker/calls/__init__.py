"""What runs next to student code: how each exercise is called, on which small networks."""
