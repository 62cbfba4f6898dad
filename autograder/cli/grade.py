"""`convlens grade`: hands its words to the grader, which has options of its own."""

from __future__ import annotations

import typer

from lessons.toolkit.errors import UserError


def grade(context: typer.Context) -> int:
    """Grade submissions in a sandbox (instructors)."""
    try:
        from autograder.grading.cli import grade as run
    except ModuleNotFoundError as error:
        raise UserError(
            f"The grader is not installed here ({error.name} is missing).",
            'pip install "convlens[grading]"',
        ) from error
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
    app.command(name="grade")(run)
    return int(app(args=context.args, prog_name="convlens grade", standalone_mode=False) or 0)
