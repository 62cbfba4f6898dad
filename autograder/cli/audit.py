"""`convlens audit`: the gate for authors."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Annotated

import typer

from autograder.cli.screen import Passing, output
from autograder.course.catalogue import find_lesson, landed_stems
from autograder.student.check import in_background


def audit(
    lesson: Annotated[list[str] | None, typer.Argument(help="Lessons; by default all.")] = None,
    jobs: Annotated[
        int, typer.Option("--jobs", min=0, help="Lessons at a time; 0 for as many as processors.")
    ] = 0,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Say which mistakes were not named.")
    ] = False,
) -> int:
    """Prove that stubs fail, references pass, and every mistake is named."""
    stems = [find_lesson(given) for given in lesson] if lesson else landed_stems()
    from autograder.build.audit import LessonAudit, summary
    from autograder.build.audit import audit as run

    def reports() -> Iterator[LessonAudit]:
        yield from run(stems, processes=jobs or os.cpu_count() or 1)

    console, passing, shut = output(), Passing(), False
    passing.say(f"{stems[0]} ...")
    for number, report in enumerate(in_background(reports), 1):
        passing.clear()
        console.print(summary(report))
        for problem in report.problems:
            shut = True
            console.print(f"  {problem}", style="red")
        if report.problems or verbose:
            for line in report.unnamed:
                console.print(f"  {line}")
        if number < len(stems):
            passing.say(f"{stems[number]} ...")
    return 1 if shut else 0
