from working_copy import source

__all__ = ["source"]
