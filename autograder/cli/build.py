"""`convlens build`: make what students open from its one source."""

from __future__ import annotations

from typing import Annotated

import typer

from autograder.cli.screen import Passing, output
from autograder.course.catalogue import find_lesson


def build(
    lesson: Annotated[list[str] | None, typer.Argument(help="Lessons; by default all.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail on drift.")] = False,
    draw: Annotated[
        bool, typer.Option("--draw", help="Draw figures and run cells whose sources changed, too.")
    ] = False,
) -> int:
    """Generate stubs and notebooks from the solutions and stories."""
    stems = [find_lesson(given) for given in lesson] if lesson else None
    passing = Passing(lines=draw)
    passing.say("Reading the lessons ...")
    from autograder.build.products import run

    try:
        lines = run(stems, check, draw, passing.say)
    finally:
        passing.clear()
    for line in lines:
        output().print(line)
    if not lines:
        output().print("Everything generated is as its sources give it.")
    return 1 if check and lines else 0
