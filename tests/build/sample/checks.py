"""Checks of the sample lesson."""

import torch

from autograder.course.exercise import Case, Exercise, Lesson

HINTS = ("What is 2 x?", "Add it to itself.", "Add two tensors: `x + ...`.")


def _cases(rng):
    return {"three": Case({"x": torch.randn(3, generator=rng)})}


LESSON = Lesson(
    "l90_sample",
    "Sample",
    (
        Exercise("twice", _cases, (), HINTS, 2, 5, "one tensor"),
        Exercise("Counter", _cases, (), HINTS, 1.5, 10, "a count", is_function=False),
    ),
)
