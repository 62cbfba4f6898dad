"""Read a folder of results as `convlens grade` left it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from autograder.grading.report.adjustments import NAME as ADJUSTMENTS
from autograder.grading.report.adjustments import adjusted, read_adjustments
from autograder.grading.report.results import ExerciseResult, StudentResult
from autograder.grading.report.tables import SCHEMA
from lessons.toolkit.errors import UserError


def read_graded(folder: Path) -> list[StudentResult]:
    """Return the rows that a run left.

    Raises:
        UserError: it is no folder of results, or its adjustments are newer than its numbers.
    """
    path = folder / "results.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["schema"] != SCHEMA:
            raise ValueError
        rows = [_row(student) for student in told["students"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{folder} is no folder of results, or one of another version.",
            "Name the one that `convlens grade --out` wrote, or grade once more.",
        ) from error
    if (folder / ADJUSTMENTS).exists():
        bare = [_without_given(row) for row in rows]
        if adjusted(bare, read_adjustments(folder / ADJUSTMENTS))[0] != rows:
            raise UserError(
                f"{folder / ADJUSTMENTS} was changed after the last run.",
                "Give the command to grade once more; then all pages and tables agree.",
            )
    return rows


def _row(told: Mapping[str, Any]) -> StudentResult:
    return StudentResult(
        told["student"],
        tuple(ExerciseResult(**exercise) for exercise in told["exercises"]),
        told["lessons"],
        tuple(told["notes"]),
        given=told["given"],
        note=told["note"],
        person={"name": told["name"], "email": told["email"], "others": told["keys"]},
    )


def _without_given(row: StudentResult) -> StudentResult:
    exercises = tuple(replace(exercise, given=None, note="") for exercise in row.exercises)
    return replace(row, exercises=exercises, given=None, note="")
