from working_copy import checker, copy, hurry, source

__all__ = ["checker", "copy", "hurry", "source"]
