"""Lesson 90, a sample: twice and counting."""

from __future__ import annotations

import torch
from torch import Tensor

from solutions.l89_given import halve

WIDTH = 3


def twice(x: Tensor) -> Tensor:
    """Every value twice as large.

    Args:
        x: any shape.
    """
    ### BEGIN SOLUTION
    # Halved first, so that the sum is exact.
    doubled_by_adding = halve(x) + halve(x) + torch.clone(x)
    return doubled_by_adding
    ### END SOLUTION


class Counter:
    """Counts what it is shown."""

    def __init__(self, start: int) -> None:
        ### BEGIN SOLUTION
        self.seen_until_now = start
        ### END SOLUTION

    def show(self, x: Tensor) -> int:
        """How many values there have been."""
        ### BEGIN SOLUTION
        self.seen_until_now += x.numel()
        return self.seen_until_now
        ### END SOLUTION
