"""Grade on Gradescope: pack the autograder here, run it in a container there.

https://gradescope-autograders.readthedocs.io/en/latest/specs/
"""
