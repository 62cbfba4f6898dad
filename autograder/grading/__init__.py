"""Grade submissions that nobody has to trust."""
