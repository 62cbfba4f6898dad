"""`convlens mistakes`: wrong answers that a class shares, and drafts of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.cli.screen import errors, output
from lessons.toolkit.errors import UserError

if TYPE_CHECKING:
    from autograder.grading.report.shared import SharedMistake

MOST_NAMED = 5
NEXT = """
1. Read its code: what the course holds is run without a sandbox.
2. Write the two sentences in place of TODO, and give it a name that says what is wrong.
3. Put it at the end of “## Mistakes” in {words}.
4. convlens audit {lesson}"""


def mistakes(
    results: Annotated[Path, typer.Argument(help="Folder that `convlens grade --out` wrote.")],
    draft: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, help="Write a draft of the mistake with this number."),
    ] = None,
    name: Annotated[
        str, typer.Option("--id", metavar="ID", help="The drafted mistake's id in the course.")
    ] = "",
    isolation: Annotated[
        str, typer.Option(metavar="LEVEL", help="Of the sandbox in which a draft is tried.")
    ] = "auto",
) -> int:
    """List wrong answers that students share and no mistake explains (authors)."""
    from autograder.cli.grade import refuse_other_systems

    refuse_other_systems()
    errors().print(f"Reading {results}.")  # before torch, which takes its time
    from autograder.grading import drafts

    found = drafts.shared_in(results)
    if draft is None:
        _show(results, found)
        return 0
    if draft > len(found):
        raise UserError(
            f"There is no mistake {draft}.", f"`convlens mistakes {results}` lists what there is."
        )
    made = drafts.draft(results, found[draft - 1], name, isolation)
    console = output()
    console.print(f"{made.path} written, from the code of {made.student}.")
    if made.full:
        console.print("The exercise has as many mistakes of its own as are read: take one out.")
    console.print(NEXT.format(words=made.words, lesson=found[draft - 1].id.partition(".")[0][4:]))
    return 0


def _show(results: Path, found: list[SharedMistake]) -> None:
    console = output()
    if not found:
        console.print("No wrong answers agree that no mistake explains.")
        return
    for one in found:
        names = ", ".join(one.students[:MOST_NAMED])
        more = len(one.students) - MOST_NAMED
        names += f" and {more} more" if more > 0 else ""
        count = len(one.students)
        console.print(f"{one.number}. {one.id}: {count} students, {one.lost:g} points lost")
        console.print(f"   {names}")
    console.print(f"\nTheir code: {results / 'class.html'}")
    console.print(f"A draft for the course: convlens mistakes {results} --draft 1")
