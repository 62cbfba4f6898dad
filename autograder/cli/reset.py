"""`convlens reset`: put stubs back."""

from __future__ import annotations

from typing import Annotated

import typer

from autograder.cli.screen import output, short
from autograder.course.catalogue import find_target
from autograder.course.reference import read_lesson
from autograder.course.student_file import read_bytes, text_of
from autograder.student.merge import backup, put_stub
from autograder.student.progress import Progress
from autograder.student.working_copy import WorkingCopy


def reset(
    lesson: Annotated[str, typer.Argument(help="LESSON or LESSON.EXERCISE")],
) -> int:
    """Put the stubs of a lesson, or of one exercise, back.

    Your version is kept aside.
    """
    from autograder.build.stubs import exercises_text
    from autograder.files import write_whole

    copy = WorkingCopy.find()
    stem, exercise = find_target(lesson)
    path, source = copy.exercises(stem), read_lesson(stem)
    text = exercises_text(source)
    if exercise and path.exists():
        text = put_stub(text_of(read_bytes(path)), source, exercise)
    kept = backup(copy, path)
    changed = write_whole(path, text.encode())
    progress = Progress(copy.state)
    for name in [exercise] if exercise else source.exercises:
        progress.forget_passing(f"{stem}.{name}")
    progress.save()
    console = output()
    what = short(f"{stem}.{exercise}") if exercise else f"all of {stem}"
    console.print(f"{copy.shown(path)}: {what} is {'a stub again' if changed else 'as it was'}.")
    if changed and kept:
        console.print(f"Your version is kept in {copy.shown(kept)}")
    return 0
