"""`convlens solution`: the reference, to compare with one's own."""

from __future__ import annotations

from typing import Annotated

import typer

from autograder.cli.hint import pick
from autograder.cli.screen import output, short
from autograder.course.reference import read_lesson, without_markers
from autograder.student.progress import Progress
from autograder.student.working_copy import WorkingCopy
from lessons.toolkit.errors import UserError


def solution(
    exercise: Annotated[str, typer.Argument(help="LESSON.EXERCISE")],
    give_up: Annotated[
        bool, typer.Option("--give-up", help="Show it before yours passes.")
    ] = False,
) -> int:
    """Show the reference solution of an exercise that you have passed."""
    copy = WorkingCopy.find()
    exercise_id = pick(exercise, copy)
    if not give_up and not Progress(copy.state).of(exercise_id).get("ever_passed"):
        name = short(exercise_id)
        raise UserError(
            f"{name} has not passed yet.",
            f"`convlens hint {name}` helps; `convlens solution {name} --give-up` shows it anyway.",
        )
    stem, _, name = exercise_id.partition(".")
    text = without_markers(read_lesson(stem).chunk(name)).rstrip("\n")
    console = output()
    if console.is_terminal:
        from rich.syntax import Syntax

        console.print(Syntax(text, "python", background_color="default"))
    else:
        console.print(text)
    return 0
