"""Tell which cells of a gradebook are ours: a cell's name is all that says so.

Every lesson's notebook is called `lesson`, and an assignment may be called anything.
"""

from __future__ import annotations

from collections.abc import Iterable

from autograder.course.reference import read_lesson, solution_stems

CHECK = "-check"


def exercises_of(cells: Iterable[str]) -> dict[str, str]:
    """Return the exercise that each check cell asks for, by the cell's name.

    Cells of other kinds, and of somebody else, are left out.

    >>> exercises_of(["l11_saliency-saliency_map-check", "l11_saliency-given", "essay-check"])
    {'l11_saliency-saliency_map-check': 'l11_saliency.saliency_map'}
    """
    stems = solution_stems()
    found = {}
    for cell in cells:
        stem, _, name = cell.removesuffix(CHECK).partition("-")
        if cell.endswith(CHECK) and stem in stems and name in read_lesson(stem).exercises:
            found[cell] = f"{stem}.{name}"
    return found


def solution_cell(exercise: str) -> str:
    """Return the name of the cell that an exercise is written in.

    >>> solution_cell("l11_saliency.saliency_map")
    'l11_saliency-saliency_map'
    """
    return exercise.replace(".", "-", 1)
