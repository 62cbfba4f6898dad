"""Cases of the sample lesson."""

import torch

from autograder.course.exercise import Case


def three(rng):
    return {"three": Case({"x": torch.randn(3, generator=rng)})}
