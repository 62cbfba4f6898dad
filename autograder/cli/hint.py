"""`convlens hint`: one more hint for an exercise."""

from __future__ import annotations

from typing import Annotated

import typer

from autograder.cli.check import current_lesson
from autograder.cli.screen import errors, output, short
from autograder.course.catalogue import find_target
from autograder.course.mistakes import words
from autograder.course.reference import read_lesson
from autograder.student.progress import Progress
from autograder.student.working_copy import WorkingCopy
from lessons.toolkit.errors import UserError


def hint(
    exercise: Annotated[
        str | None, typer.Argument(help="LESSON.EXERCISE; by default the one you are at.")
    ] = None,
) -> int:
    """Show the next hint of an exercise: three, from a question to nearly the code."""
    copy = WorkingCopy.find()
    exercise_id = pick(exercise, copy)
    stem, _, name = exercise_id.partition(".")
    told = words(stem, name)
    hints = told.hints
    progress = Progress(copy.state)
    number = progress.next_hint(exercise_id, len(hints))
    console = output()
    console.print(f"Hint {number + 1} of {len(hints)} for {short(exercise_id)}", style="bold")
    console.print(f"{told.minutes} minutes, difficulty {told.difficulty} of 3", style="dim")
    console.print(hints[number])
    try:
        progress.save()
    except UserError as error:
        errors().print(f"Progress is not saved: {error.message}")
    return 0


def pick(given: str | None, copy: WorkingCopy) -> str:
    """Return the id of the exercise that the student means.

    Args:
        given: a lesson or LESSON.EXERCISE; of a lesson, the first exercise that does not pass is
            picked, or else its first. None stands for the current lesson.
        copy: where the student works, with their progress.

    Returns:
        Stem and name, such as ``l11_saliency.smooth_grad``.

    Raises:
        UserError: there is none of that name.
    """
    stem, exercise = find_target(given) if given is not None else (current_lesson(copy), None)
    waiting = Progress(copy.state).waiting(stem) or read_lesson(stem).exercises
    return f"{stem}.{exercise or waiting[0]}"
