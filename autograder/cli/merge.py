"""`convlens merge`: several folders of results as one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.screen import errors, output


def merge(
    folders: Annotated[
        list[Path], typer.Argument(metavar="OUT...", help="Folders that were graded.")
    ],
    out: Annotated[Path, typer.Option(help="Folder of the whole; may be one of them.")],
) -> int:
    """Merge folders of results, such as shards of one class (instructors).

    Ends with 0 when all is graded, 1 when somebody should look at a submission, 2 where they cannot
    stand in one table.
    """
    errors().print(f"Merging into {out}.")  # before torch, which takes its time
    from autograder.cli.grade_screen import show_run
    from autograder.grading.merging import merge as run_all

    run = run_all(folders, out)
    show_run(output(), out, run)
    return 1 if any(row.needs_person for row in run.rows) else 0
