"""Lesson 3, filters."""

from __future__ import annotations

from autograder.checks.l03_filters.cases import (
    grey_cases,
    grid_cases,
    orientation_cases,
    response_cases,
    slice_cases,
    tuning_cases,
)
from autograder.checks.mistakes.results import TURNS
from autograder.course.exercise import Exercise, Lesson

STEM = "l03_filters"

LESSON = Lesson(
    STEM,
    (
        Exercise(STEM, "zero_as_grey", grey_cases, bounds=(0, 1)),
        Exercise(STEM, "filter_grid", grid_cases, bounds=(0, 1), needs=("zero_as_grey",)),
        Exercise(STEM, "filter_response", response_cases),
        Exercise(STEM, "dominant_orientation", orientation_cases),
        Exercise(STEM, "filter_slices", slice_cases, bounds=(0, 1), needs=("zero_as_grey",)),
        Exercise(
            STEM,
            "orientation_tuning",
            tuning_cases,
            batch=("angles",),
            needs=("l02_hooks.capture_activation",),
            without=(
                *("softmax_target", "log_softmax_target"),  # a layer is asked about, not a class
                *TURNS,  # (A, C) is no map
            ),
        ),
    ),
)
