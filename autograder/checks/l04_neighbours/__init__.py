"""Lesson 4, neighbours."""

from __future__ import annotations

from autograder.checks.l04_neighbours.cases import (
    accuracy_cases,
    distance_cases,
    embed_cases,
    neighbour_cases,
    part_cases,
    precision_cases,
)
from autograder.checks.mistakes.anchored import reductions
from autograder.course.exercise import Exercise, Lesson

STEM = "l04_neighbours"
NO_PICTURE = ("last_axes_swapped", "upside_down", "mirrored")
# Of a row that lies where the query lies, single precision finds a distance of up to a thousandth.
ROUNDING = 1e-3
# Of one number these make 0 or 1: nobody who returns that has scaled anything.
NO_SCALING = (
    "scaled_to_maximum",
    "maximum_zero",
    "scaled_over_batch",
    "stretched",
    "stretched_over_batch",
    "unit_norm",
    "softmax_of_result",
)

LESSON = Lesson(
    STEM,
    (
        Exercise(
            STEM,
            "pairwise_distances",
            distance_cases,
            without=NO_PICTURE,
            rtol=ROUNDING,
            atol=ROUNDING,
        ),
        Exercise(
            STEM,
            "nearest_neighbours",
            neighbour_cases,
            needs=("pairwise_distances",),
            rtol=ROUNDING,
            atol=ROUNDING,
        ),
        Exercise(
            STEM,
            "embed",
            embed_cases,
            batch=("images",),
            needs=("l02_hooks.capture_activation",),
            anchored=reductions(
                "activation.mean(dim=(2, 3))", "activation", "(2, 3)", "the mean over the places"
            ),
            without=NO_PICTURE,
        ),
        Exercise(
            STEM,
            "retrieval_precision",
            precision_cases,
            bounds=(0, 1),
            without=NO_SCALING,
        ),
        Exercise(
            STEM,
            "nearest_in_parts",
            part_cases,
            needs=("nearest_neighbours",),
            rtol=ROUNDING,
            atol=ROUNDING,
        ),
        Exercise(
            STEM,
            "accuracy_by_layer",
            accuracy_cases,
            batch=("images", "labels"),
            without=NO_SCALING,
            needs=("embed", "nearest_neighbours"),
        ),
    ),
)
