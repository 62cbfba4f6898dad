"""`convlens submit`: one archive to hand in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.screen import Passing, errors, output, short
from autograder.course.catalogue import find_lesson, landed_stems
from autograder.course.reference import earlier_sources, read_lesson
from autograder.course.student_file import source_of
from autograder.files import write_whole
from autograder.student.archive import free_name, handed_in, packed, read_files
from autograder.student.check import Check, Checked, Checker, LessonFile, in_background
from autograder.student.progress import remember
from autograder.student.working_copy import WorkingCopy
from lessons.toolkit.errors import UserError

DEFAULT = Path("submission.zip")


def submit(
    lesson: Annotated[
        list[str] | None, typer.Argument(help="Lessons; by default all you have worked on.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="A .zip, .tar.gz or .tgz; by default submission.zip.", show_default=False
        ),
    ] = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Write over an archive that is there.")
    ] = False,
    check: Annotated[bool, typer.Option(help="Check what is packed, first.")] = True,
) -> int:
    """Check your work and pack it into an archive to hand in."""
    copy, console = WorkingCopy.find(), output()
    stems = [find_lesson(given) for given in lesson] if lesson else landed_stems()
    path = out or DEFAULT
    if path.is_dir():
        raise UserError(f"{path} is a folder.", "Name the archive itself: --out submission.zip")
    files = handed_in(copy, stems, only_attempted=not lesson)
    if not files:
        raise UserError("There is nothing to hand in yet.", "Begin: convlens check LESSON --watch")
    contents = read_files(files)
    data = packed(contents, path.name)
    if out is None and not replace:
        path = free_name(path, data)
    if path.exists() and path.read_bytes() != data and not replace:
        raise UserError(
            f"{path} is there already, with other work in it.",
            "Give another name, or --replace to write over it.",
        )
    if check:
        _check(copy, files, contents)
    else:
        for stem, file in files.items():
            console.print(f"{stem:24} not checked   {copy.shown(file)}")
    for stem, file in files.items():
        if (notebook := copy.passed_over(stem)) is not None:
            console.print(
                f"{copy.shown(notebook)} holds work too, and is not packed: {file.name} counts.",
                style="bold",
            )
    held = "" if write_whole(path, data) else ", which held this work already"
    console.print(f"\nHand in {path}{held}", style="bold")
    return 0


def _check(copy: WorkingCopy, files: dict[str, Path], contents: dict[str, bytes]) -> None:
    """Check the bytes that are packed, and say how each lesson stands."""
    passing = Passing()
    texts = {
        stem: source_of(contents[f"{stem}/{p.name}"], p.name, stem) for stem, p in files.items()
    }
    checker = Checker()
    try:
        for stem, file in files.items():
            earlier = earlier_sources(
                texts[stem], lambda other: texts.get(other) or copy.earlier_text(other)
            )
            run = Check(checker, LessonFile(stem, texts[stem], copy.shown(file), earlier))
            names, results = read_lesson(stem).exercises, list[Checked]()
            try:
                passing.say(f"{stem}: checking {names[0]} ...")
                for checked in in_background(run.__iter__):
                    results.append(checked)
                    passing.say(f"{stem}: {len(results)} of {len(names)} checked ...")
            finally:
                passing.clear()
                run.cancel()
            if problem := remember(copy.state, [checked.verdict for checked in results]):
                errors().print(problem)
            _say(copy.shown(file), stem, results)
            checker.prepare()
    finally:
        passing.clear()
        checker.close()


def _say(shown: str, stem: str, results: list[Checked]) -> None:
    console = output()
    verdicts = [checked.verdict for checked in results]
    left = [short(verdict.exercise) for verdict in verdicts if verdict.outcome != "passed"]
    points, most = (
        sum(getattr(verdict, part) for verdict in verdicts) for part in ("points", "max_points")
    )
    console.print(
        f"{stem:24} {len(verdicts) - len(left)} of {len(verdicts)} pass, "
        f"{points:g} of {most:g} points   {shown}"
    )
    if left:
        console.print(f"  not yet: {', '.join(left)}", style="dim")
