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
from autograder.checks.mistakes.results import SCALINGS, TURNS
from autograder.course.exercise import Exercise, Lesson

STEM = "l04_neighbours"
# Of a row that lies where the query lies, single precision finds a distance of up to a thousandth.
ROUNDING = 1e-3

LESSON = Lesson(
    STEM,
    (
        Exercise(
            STEM,
            "pairwise_distances",
            distance_cases,
            without=TURNS,
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
            without=TURNS,
        ),
        Exercise(
            STEM,
            "retrieval_precision",
            precision_cases,
            bounds=(0, 1),
            without=SCALINGS,
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
            without=SCALINGS,
            needs=("embed", "nearest_neighbours"),
        ),
    ),
)
