"""Read a folder of results as `convlens grade` left it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autograder.grading.exports.marks import Mark, marks
from autograder.grading.intake.people import Person
from autograder.grading.report.adjustments import NAME as ADJUSTMENTS
from autograder.grading.report.adjustments import adjusted, read_adjustments
from autograder.grading.report.results import ExerciseResult, StudentResult
from autograder.grading.report.tables import SCHEMA
from lessons.toolkit.errors import UserError, unknown


@dataclass(frozen=True)
class Graded:
    """A class that was graded.

    Args:
        rows: of its students.
        people: who they are, by the id under which they were graded.
        factors: parts of the points that lateness leaves, by the same id.
        late: what to say of it.
    """

    rows: list[StudentResult]
    people: Mapping[str, Person] = field(default_factory=dict)
    factors: Mapping[str, float] = field(default_factory=dict)
    late: Mapping[str, str] = field(default_factory=dict)

    @property
    def marks(self) -> list[Mark]:
        """Return what is written for each student."""
        return marks(self.rows, self.people, self.factors)

    def row(self, student: str) -> StudentResult:
        """Return one student's row.

        Raises:
            UserError: there is none.
        """
        found = {row.student: row for row in self.rows}
        if student not in found:
            raise unknown("student", student, list(found))
        return found[student]


def read_graded(folder: Path) -> Graded:
    """Read what a run left.

    Raises:
        UserError: it is no folder of results, or its adjustments are newer than its numbers.
    """
    path = folder / "results.json"
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        if told["schema"] != SCHEMA:
            raise ValueError
        students = told["students"]
        rows = [_row(student) for student in students]
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
    late = {student["student"]: student.get("late") or {} for student in students}
    return Graded(
        rows,
        {
            student["student"]: Person(**{**person, "others": tuple(person["others"])})
            for student in students
            if (person := student.get("person"))
        },
        {name: one["factor"] for name, one in late.items() if one},
        {name: one["why"] for name, one in late.items() if one},
    )


def _row(told: Mapping[str, Any]) -> StudentResult:
    return StudentResult(
        told["student"],
        tuple(ExerciseResult(**exercise) for exercise in told["exercises"]),
        told["lessons"],
        tuple(told["notes"]),
        given=told["given"],
        note=told["note"],
    )


def _without_given(row: StudentResult) -> StudentResult:
    exercises = tuple(replace(exercise, given=None, note="") for exercise in row.exercises)
    return replace(row, exercises=exercises, given=None, note="")
