"""`convlens submit`: one archive to hand in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.screen import output
from autograder.course.catalogue import find_lesson, landed_stems
from autograder.course.reference import read_lesson
from autograder.student.archive import pack
from autograder.student.progress import Progress
from autograder.student.working_copy import WorkingCopy
from lessons.toolkit.errors import UserError


def submit(
    lesson: Annotated[
        list[str] | None, typer.Argument(help="Lessons; by default all you have worked on.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The archive to write.")] = Path("submission.zip"),
) -> int:
    """Pack your work into an archive to hand in."""
    copy = WorkingCopy.find()
    stems = [find_lesson(given) for given in lesson] if lesson else landed_stems()
    packed = pack(copy, stems, out, only_attempted=not lesson)
    if not packed:
        raise UserError("There is nothing to hand in yet.", "Begin: convlens check LESSON --watch")
    progress, console = Progress(copy.state), output()
    for stem, path in packed.items():
        names = read_lesson(stem).exercises
        passed = sum(progress.passes(f"{stem}.{name}") for name in names)
        console.print(f"{stem:24} {passed} of {len(names)} pass   {copy.shown(path)}")
    console.print(f"\nHand in {out}", style="bold")
    return 0
