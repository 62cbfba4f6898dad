"""`convlens audit`: the gate for authors."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from autograder.cli.screen import Passing, output
from autograder.course.catalogue import find_lesson, landed_stems
from autograder.student.check import in_background


def audit(
    lesson: Annotated[list[str] | None, typer.Argument(help="Lessons; by default all.")] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Say which mistakes were not named.")
    ] = False,
) -> int:
    """Prove that stubs fail, references pass, and every mistake is named."""
    stems = [find_lesson(given) for given in lesson] if lesson else landed_stems()
    from autograder.build.audit import LessonAudit, summary
    from autograder.build.audit import audit as run

    def reports() -> Iterator[LessonAudit]:
        import torch

        torch.set_num_threads(1)  # of this thread: tiny networks wait longer than they work
        yield from run(stems)

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
