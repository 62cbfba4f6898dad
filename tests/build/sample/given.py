"""Lesson 89 has not landed, but lesson 90 calls it."""

from torch import Tensor


def halve(x: Tensor) -> Tensor:
    """Half of every value."""
    ### BEGIN SOLUTION
    return x * 0.5
    ### END SOLUTION
