"""Write results as data: `results.json`, `grades.csv`, `usage.csv`.

`results.json` is described by `results.schema.json` beside this file. Nothing in it varies from run
to run over the same submissions.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from autograder.grading.report.results import ExerciseResult, StudentResult
from autograder.plain_text import plain_line

SCHEMA = 1
FORMULA = ("=", "+", "-", "@")


def results(rows: Sequence[StudentResult], record: dict[str, Any]) -> dict[str, Any]:
    """Return the content of `results.json`."""
    return {"schema": SCHEMA, "run": record, "students": [_student(row) for row in rows]}


def _student(row: StudentResult) -> dict[str, Any]:
    return {
        "student": row.student,
        "origin": row.origin,
        "status": row.status,
        "reason": row.reason,
        "score": row.score,
        "max_score": row.max_score,
        "exercises": [_exercise(exercise) for exercise in row.exercises],
    }


def _exercise(exercise: ExerciseResult) -> dict[str, Any]:
    told = asdict(exercise)
    del told["picture"]  # it is for the student's page
    return told


def grades_csv(rows: Sequence[StudentResult]) -> str:
    """Write one row a student: id, score, max_score, status, points by exercise.

    An exercise that could not be graded is an empty cell, never a 0.
    """
    names = [exercise.id for exercise in rows[0].exercises] if rows else []
    table: list[list[object]] = [["student", "score", "max_score", "status", *names]]
    for row in rows:
        points = ["" if e.points is None else _number(e.points) for e in row.exercises]
        head = [row.student, _number(row.score), _number(row.max_score), row.status]
        table.append([*head, *points])
    return _csv(table)


def usage_csv(rows: Sequence[StudentResult]) -> str:
    """Write processor seconds, peak MiB and wall seconds a submission."""
    table: list[list[object]] = [["student", "cpu_seconds", "peak_mib", "wall_seconds"]]
    for row in rows:
        usage = row.usage
        peak = round(usage.get("peak_rss", 0) / 2**20, 1)
        table.append([row.student, usage.get("cpu_seconds", 0), peak, usage.get("seconds", 0)])
    return _csv(table)


def defused(cell: object) -> object:
    """Return a cell that is one line and that no spreadsheet takes for a formula.

    >>> defused("\\t=cmd()")
    "'=cmd()"
    """
    if not isinstance(cell, str):
        return cell
    line = plain_line(cell)
    return f"'{line}" if line.startswith(FORMULA) else line


def _csv(table: list[list[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows([defused(cell) for cell in row] for row in table)
    return text.getvalue()


def _number(value: float) -> float | int:
    """Return a clean number: no -0, no trailing .0, never NaN."""
    return int(value) if value == int(value) else round(value, 2)
