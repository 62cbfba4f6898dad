"""Say what every export writes for a student: points, or nothing where they are not final."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from autograder.grading.intake.people import Person


class Exercise(Protocol):
    """One exercise of one student, as `report.results.ExerciseResult` has it."""

    @property
    def id(self) -> str: ...  # noqa: D102
    @property
    def outcome(self) -> str: ...  # noqa: D102
    @property
    def points(self) -> float | None: ...  # noqa: D102
    @property
    def max_points(self) -> float: ...  # noqa: D102
    @property
    def message(self) -> str: ...  # noqa: D102


class Row(Protocol):
    """One student, as `report.results.StudentResult` has it."""

    @property
    def student(self) -> str: ...  # noqa: D102
    @property
    def status(self) -> str: ...  # noqa: D102
    @property
    def reason(self) -> str: ...  # noqa: D102
    @property
    def exercises(self) -> Sequence[Exercise]: ...  # noqa: D102
    @property
    def score(self) -> float: ...  # noqa: D102
    @property
    def max_score(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Mark:
    """What is written for one student.

    Args:
        keys: what a platform may know them by, the surest first.
        name: for lists without any of these.
        points: None where they are not final: a cell stays empty, it is never 0.
        max_points: full marks.
    """

    keys: tuple[str, ...]
    name: str
    points: float | None
    max_points: float


def final_points(row: Row) -> float | None:
    """Return a student's points, None where a part is ungraded or nothing could be read."""
    if row.status != "graded" or any(exercise.points is None for exercise in row.exercises):
        return None
    return row.score


def marks(
    rows: Sequence[Row],
    roster: Mapping[str, Person] | None = None,
    factors: Mapping[str, float] | None = None,
) -> list[Mark]:
    """Return what is written for each student.

    Args:
        rows: of the class.
        roster: people by the id under which they are graded.
        factors: parts of the points that lateness leaves, by the same id.
    """
    found = []
    for row in rows:
        person = (roster or {}).get(row.student, Person(row.student))
        keys = [row.student, person.id, person.email, *person.others]
        points = final_points(row)
        if points is not None:
            points = round(points * (factors or {}).get(row.student, 1.0), 2)
        kept = tuple(dict.fromkeys(key for key in keys if key.strip()))
        found.append(Mark(kept, person.name, points, row.max_score))
    return found


def number(points: float, comma: bool = False) -> str:
    """Return points as a table writes them: no trailing zeros, no -0.

    >>> number(2.50), number(-0.0), number(7.25, comma=True)
    ('2.5', '0', '7,25')
    """
    text = f"{round(points, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if comma else text
