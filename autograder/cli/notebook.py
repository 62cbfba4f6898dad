"""`convlens notebook`: open a lesson in Jupyter."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from typing import Annotated

import typer

from autograder.cli.screen import output
from autograder.course.catalogue import find_lesson
from autograder.student.working_copy import WorkingCopy
from lessons.toolkit.errors import UserError


def notebook(
    lesson: Annotated[str, typer.Argument(help="Number, stem or topic.")],
    browser: Annotated[bool, typer.Option(help="Open Jupyter; else only say where it is.")] = True,
) -> int:
    """Open a lesson's notebook in Jupyter."""
    copy = WorkingCopy.find()
    stem = find_lesson(lesson)
    path = copy.notebook(stem)
    if not path.exists():
        from autograder.build.notebook import notebook_bytes
        from autograder.build.products import notebook as make
        from autograder.files import write_whole

        write_whole(path, notebook_bytes(make(stem)))
    output().print(f"The notebook is {copy.shown(path)}")
    if not browser:
        return 0
    if importlib.util.find_spec("notebook") is None:
        raise UserError(
            "Jupyter is not installed here.",
            'pip install "convlens[notebook]", or open the file in another editor for notebooks.',
        )
    return subprocess.call([sys.executable, "-m", "notebook", str(path)])
