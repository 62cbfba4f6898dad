"""Write what `convlens grade` has graded into a gradebook of nbgrader."""

from __future__ import annotations

import importlib.util
import sqlite3
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from autograder.grading.nbgrader.cells import exercises_of
from autograder.grading.nbgrader.gradebook import told, write_scores
from autograder.grading.report.results import OF_NOTHING, StudentResult, stem_of
from lessons.toolkit.errors import UserError


def course_of(path: Path) -> str:
    """Return the id of the course that a gradebook is of.

    Raises:
        UserError: there is no nbgrader here, or the file is no gradebook of its.
    """
    if importlib.util.find_spec("nbgrader") is None:
        raise UserError("nbgrader is not installed here.", 'pip install "convlens[nbgrader]"')
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as base:
            (course,) = base.execute("SELECT course_id FROM assignment").fetchone() or ("",)
            return str(course)
    except sqlite3.Error as error:
        raise UserError(
            f"{path} is no gradebook of nbgrader ({error}).",
            "`convlens release` makes a course with one.",
        ) from error


def record(path: Path, rows: Sequence[StudentResult]) -> list[str]:
    """Write the points and sentences of a class.

    A student is who their folder says.

    Args:
        path: the gradebook, a SQLite file.
        rows: the class.

    Returns:
        What was written, and what a gradebook has no place for.

    Raises:
        UserError: it is no gradebook, or another program holds it.
    """
    course = course_of(path)
    from nbgrader.api import Gradebook, InvalidEntry
    from sqlalchemy.exc import SAWarning, SQLAlchemyError

    written = 0
    try:
        with (
            warnings.catch_warnings(
                action="ignore", category=SAWarning
            ),  # of nbgrader's own making
            Gradebook(f"sqlite:///{path.resolve()}", course) as gradebook,
        ):
            places = list(_places(gradebook))
            for row in rows:
                written += sum(_write(gradebook, row, *place) for place in places)
    except (SQLAlchemyError, InvalidEntry) as error:
        raise UserError(
            f"{path} cannot be written: {str(error).splitlines()[0]}",
            "Close what else uses it and run the same command again.",
        ) from error
    totals = [row.student for row in rows if row.given is not None]
    notices = [f"{path}: {written} submissions written."]
    if totals:
        notices.append(
            f"A gradebook has points by exercise only; totals given by hand are not in it: "
            f"{', '.join(totals)}."
        )
    return notices


def _places(gradebook: Any) -> Iterator[tuple[str, str, set[str]]]:
    """Yield assignment, notebook and exercises where there are some of ours."""
    for assignment in gradebook.assignments:
        for notebook in assignment.notebooks:
            if found := exercises_of(cell.name for cell in notebook.grade_cells):
                yield assignment.name, notebook.name, set(found.values())


def _write(
    gradebook: Any, row: StudentResult, assignment: str, notebook: str, exercises: set[str]
) -> bool:
    """Write one notebook of one student, unless nothing of it was handed in."""
    results = {e.id: told(e) for e in row.exercises if e.id in exercises and _was_there(row, e.id)}
    if not results:
        return False
    student = row.person.get("id", row.student)  # word for word, as nbgrader's folder is called
    gradebook.update_or_create_student(student)
    gradebook.update_or_create_submission(assignment, student)
    write_scores(gradebook.find_submission_notebook(notebook, assignment, student), results)
    gradebook.db.commit()
    return True


def _was_there(row: StudentResult, exercise: str) -> bool:
    """Return whether work was handed in, though perhaps not read."""
    stem = stem_of(exercise)
    made = row.made_from.get(stem)
    outcomes = {e.outcome for e in row.exercises if e.id.startswith(f"{stem}.")}
    return made is not None and (bool(made["sha256"]) or not outcomes <= set(OF_NOTHING))
