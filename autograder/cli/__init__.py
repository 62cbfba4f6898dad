"""The command line, with one module for each command.

Nothing here imports torch before a command needs it.
"""
