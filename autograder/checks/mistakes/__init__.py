"""Collect every mistake that can be made in one exercise.

They are its own and those of families that any exercise can have. A mistake has one id and one pair
of sentences in the whole course (`words.md`). It is code that runs, so that what it returns can be
compared with what a student's code returned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autograder.checks.mistakes import arguments, layers, question, results, state
from autograder.course.exercise import Case, Exercise, Mistake

FAMILIES = (question, layers, state, arguments, results)


def own_mistakes(exercise: Exercise) -> tuple[Mistake, ...]:
    """Return the mistakes that only this exercise has, as its file states them."""
    return tuple(
        Mistake(wrong.id, wrong.says, wrong.next_step, text=wrong)
        for wrong in exercise.words.mistakes
    )


def mistakes_of(
    exercise: Exercise, cases: Mapping[str, Case], records: Mapping[str, dict[str, Any]]
) -> tuple[Mistake, ...]:
    """Return every mistake that can be made in an exercise, its own first.

    Args:
        exercise: its record; `without` leaves ids out.
        cases: its cases under some seed.
        records: what the reference did on them.
    """
    found: dict[str, Mistake] = {}
    for mistake in _all(exercise, cases, records):
        if mistake.id not in exercise.without:
            found.setdefault(mistake.id, mistake)
    return tuple(found.values())


def _all(
    exercise: Exercise, cases: Mapping[str, Case], records: Mapping[str, dict[str, Any]]
) -> Iterator[Mistake]:
    yield from own_mistakes(exercise)
    yield from exercise.anchored
    for family in FAMILIES:
        yield from family.mistakes(exercise, cases, records)
