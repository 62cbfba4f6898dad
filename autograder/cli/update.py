"""`convlens update`: bring new stubs into a student's files."""

from __future__ import annotations

from typing import Annotated

import typer

from autograder.cli.screen import output
from autograder.course.catalogue import find_lesson, landed_stems
from autograder.course.reference import read_lesson
from autograder.student.merge import backup, merge_notebook, merge_stubs
from autograder.student.working_copy import WorkingCopy


def update(
    lesson: Annotated[list[str] | None, typer.Argument(help="Lessons; by default all.")] = None,
) -> int:
    """Merge new stubs into your files, and say which exercises changed.

    Your code is kept.
    """
    from autograder.files import write_whole

    copy = WorkingCopy.find()
    stems = [find_lesson(given) for given in lesson] if lesson else landed_stems()
    console = output()
    for stem in stems:
        for path, merge in (
            (copy.exercises(stem), merge_stubs),
            (copy.notebook(stem), merge_notebook),
        ):
            if not path.exists():
                continue
            merged = merge(path, read_lesson(stem))
            kept = backup(copy, path) if merged.data != path.read_bytes() else None
            changed = write_whole(path, merged.data)
            console.print(f"{copy.shown(path)}: {'updated' if changed else 'up to date'}")
            for note in merged.notes:
                console.print(f"  {note}")
            if changed and kept:
                console.print(f"  The version before is kept in {copy.shown(kept)}")
    return 0
