"""Fill grades into the files that other systems read.

Pure functions, from rows to bytes.
"""
