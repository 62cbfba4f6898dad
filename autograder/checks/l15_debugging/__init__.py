"""Lesson 15, debugging."""

from __future__ import annotations

from autograder.checks.l15_debugging.cases import (
    cascade_cases,
    comparison_cases,
    correlation_cases,
    curve_cases,
    insertion_cases,
    pointing_cases,
    shortcut_cases,
    window_cases,
)
from autograder.checks.mistakes.question import QUESTIONS
from autograder.checks.mistakes.results import OF_FLOATS, SCALINGS
from autograder.course.exercise import Exercise, Lesson

STEM = "l15_debugging"
# There is one image: no target can stand for others, and no image be left out.
OF_BATCHES = (
    *("mean_over_batch", "all_targets_for_all"),
    *("first_target_for_all", "max_over_batch"),
)
# A cascade asks no network, and of logits that all rise alike the answer stays the same.
ANY_QUESTION = tuple(QUESTIONS)
# What comes back is networks or a table: nobody negates, squares or scales these as a whole.
OF_FLOATS_AT_ONCE = (*OF_FLOATS, "off_by_a_factor", "shifted")
# Nobody squares a share, or keeps what lies below zero of it.
OF_SHARES = ("squared", "square_root", "negative_part")
# The images of a cascade's cases are no argument of it: they go through its networks afterwards.
OF_IMAGES = ("input_changed", "input_requires_grad_changed", "keeps_graph")

LESSON = Lesson(
    STEM,
    (
        Exercise(
            STEM,
            "rank_correlation",
            correlation_cases,
            bounds=(-1, 1),
            without=(*SCALINGS, "negative_part"),
        ),
        Exercise(
            STEM,
            "randomise_from_top",
            cascade_cases,
            without=(*OF_IMAGES, *ANY_QUESTION, *OF_FLOATS_AT_ONCE),
        ),
        Exercise(
            STEM,
            "pointing_game",
            pointing_cases,
            batch=("maps", "masks"),
            bounds=(0, 1),
            without=(*SCALINGS, *OF_SHARES),
        ),
        Exercise(STEM, "deletion_curve", curve_cases, without=OF_BATCHES),
        Exercise(
            STEM, "insertion_curve", insertion_cases, needs=("deletion_curve",), without=OF_BATCHES
        ),
        Exercise(
            STEM,
            "comparison",
            comparison_cases,
            needs=("rank_correlation",),
            without=(*OF_FLOATS_AT_ONCE, *OF_BATCHES),
        ),
        Exercise(STEM, "strongest_window", window_cases, batch=("maps",)),
        Exercise(
            STEM,
            "find_the_shortcut",
            shortcut_cases,
            batch=("images", "target", "others", "maps"),
            bounds=(0, 1),
            needs=("strongest_window",),
            without=(*OF_FLOATS_AT_ONCE, *ANY_QUESTION),
        ),
    ),
)
