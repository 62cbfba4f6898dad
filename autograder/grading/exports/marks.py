"""Say what every export writes for a student: points, or nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it needs torch, and these functions do not
    from autograder.grading.report.results import StudentResult


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


def final_points(row: StudentResult) -> float | None:
    """Return a student's points, None where they are not final.

    That is where a part is ungraded, could not be read, or nothing was handed in.
    """
    return row.score if row.status == "graded" else None


def marks(rows: Sequence[StudentResult]) -> list[Mark]:
    """Return what is written for each student."""
    found = []
    for row in rows:
        keys = (row.student, row.email, *row.keys)
        kept = tuple(dict.fromkeys(key for key in keys if key.strip()))
        found.append(Mark(kept, row.name, final_points(row), row.max_score))
    return found


def number(points: float, comma: bool = False) -> str:
    """Return points as a table writes them: no trailing zeros, no -0.

    >>> number(2.50), number(-0.0), number(7.25, comma=True)
    ('2.5', '0', '7,25')
    """
    text = f"{round(points, 2) + 0.0:.2f}".rstrip("0").rstrip(".")
    return text.replace(".", ",") if comma else text
