"""Lesson 15, debugging."""

from __future__ import annotations

from autograder.checks.l15_debugging.cases import (
    comparison_cases,
    deletion_curve_cases,
    find_the_shortcut_cases,
    insertion_curve_cases,
    pointing_game_cases,
    randomise_from_top_cases,
    rank_correlation_cases,
    strongest_window_cases,
)
from autograder.course.exercise import Exercise, Lesson

STEM = "l15_debugging"

LESSON = Lesson(
    STEM,
    (
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "rank_correlation",
            rank_correlation_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "randomise_from_top",
            randomise_from_top_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "pointing_game",
            pointing_game_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "deletion_curve",
            deletion_curve_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "insertion_curve",
            insertion_curve_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "comparison",
            comparison_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "strongest_window",
            strongest_window_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "find_the_shortcut",
            find_the_shortcut_cases,
            batch=("images",),
        ),
    ),
)
