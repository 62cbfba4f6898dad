"""Checks of the sample lesson."""

from autograder.checks.l90_sample.cases import three
from autograder.course.exercise import Exercise, Lesson

STEM = "l90_sample"

LESSON = Lesson(
    STEM,
    (
        Exercise(STEM, "twice", three),
        Exercise(STEM, "Counter", three, is_function=False),
    ),
)
