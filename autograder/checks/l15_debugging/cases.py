"""Cases of l15_debugging."""

from __future__ import annotations

from torch import Generator

from autograder.checks.inputs import normal
from autograder.course.exercise import Case


def rank_correlation_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def randomise_from_top_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def pointing_game_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def deletion_curve_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def insertion_curve_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def comparison_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def strongest_window_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def find_the_shortcut_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}
