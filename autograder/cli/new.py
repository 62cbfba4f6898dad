"""`convlens new`: the files of a new lesson."""

from __future__ import annotations

from typing import Annotated

import typer

from autograder.cli.screen import output

NEXT = """
Next:
  1. Write the reference: solutions/{stem}.py
  2. Write its cases and words: autograder/checks/{stem}/
  3. Tell its story and draw it: lessons/{stem}/
  4. convlens build {stem}
  5. convlens audit {stem}   says what is still missing
site/docs/authors.md walks through all of it."""


def new(
    lesson: Annotated[str, typer.Argument(help="Its stem in the catalogue: l10_occlusion.")],
    exercises: Annotated[
        list[str] | None, typer.Argument(help="Names of its functions; by default one example.")
    ] = None,
) -> int:
    """Make the files of a new lesson."""
    from autograder.build.scaffold import scaffold

    for path in scaffold(lesson, exercises or ()):
        output().print(f"{path} written")
    output().print(NEXT.format(stem=lesson))
    return 0
