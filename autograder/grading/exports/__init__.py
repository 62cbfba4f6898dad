"""Fill grades into the files that other systems read.

From rows to bytes: only `graded` reads a folder, and nothing here writes one.
"""
