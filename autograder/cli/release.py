"""`convlens release`: lessons as a course of nbgrader."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.screen import errors, output
from autograder.course.catalogue import find_lesson, find_target, landed_stems
from lessons.toolkit.errors import UserError


def release(
    course: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the course.")],
    lesson: Annotated[
        list[str] | None,
        typer.Option(metavar="LESSON", help="A lesson to release; again for more. All by default."),
    ] = None,
    due: Annotated[
        list[str] | None,
        typer.Option(metavar="LESSON=WHEN", help='Such as "saliency=2027-01-31 23:59 +0100".'),
    ] = None,
    points: Annotated[
        list[str] | None,
        typer.Option(metavar="EXERCISE=N", help="Such as saliency.saliency_map=6."),
    ] = None,
) -> int:
    """Make a course of nbgrader and release lessons (instructors).

    A second run loses nothing that was changed or handed in.
    """
    stems = sorted({find_lesson(name) for name in lesson or landed_stems()})
    dates = {find_lesson(name): when for name, when in _pairs(due, "--due")}
    worth = {_exercise(name): _number(text) for name, text in _pairs(points, "--points")}
    errors().print(f"Releasing to {course}.")  # before nbgrader, which takes its time
    from autograder.grading.nbgrader.release import Wishes
    from autograder.grading.nbgrader.release import release as run

    for line in run(course, stems, Wishes(dates, worth)):
        output().print(line)
    return 0


def _pairs(texts: Sequence[str] | None, option: str) -> list[tuple[str, str]]:
    found = []
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not (name and equals and value.strip()):
            raise UserError(f"{option} “{text}” names no value.", f"Write {option} NAME=VALUE.")
        found.append((name.strip(), value.strip()))
    return found


def _exercise(given: str) -> str:
    stem, exercise = find_target(given)
    if exercise is None:
        raise UserError(f"“{given}” is a whole lesson.", "Write --points LESSON.EXERCISE=N.")
    return f"{stem}.{exercise}"


def _number(text: str) -> float:
    try:
        points = float(text)
    except ValueError:
        points = -1.0
    if not 0 < points < 1000:
        raise UserError(f"“{text}” is no number of points.", "Write one such as 6 or 2.5.")
    return points
