"""Write one submission's `results.json` as Gradescope wants it.

https://gradescope-autograders.readthedocs.io/en/latest/specs/#output-format
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from autograder.grading.exports.marks import final_points
from autograder.plain_text import plain_line
from lessons.toolkit.errors import UserError

if TYPE_CHECKING:
    from autograder.grading.report.results import ExerciseResult, StudentResult


def results_json(row: StudentResult, visibility: str = "visible") -> bytes:
    """Return the file for one student.

    Args:
        row: the student's.
        visibility: when students see it: visible, after_due_date, after_published or hidden.

    Raises:
        UserError: it is not final; Gradescope has no word for that, and a missing score is a 0
            there, so no file is written and the instructor sees the run as failed.
    """
    points = final_points(row)
    if points is None:
        why = plain_line(row.reason) or "A part of it could not be graded."
        raise UserError(
            f"No points are written, because they would not be final: {why}",
            "Look at it, then run the autograder again.",
        )
    told: dict[str, Any] = {
        "score": points,
        "visibility": visibility,
        "stdout_visibility": "hidden",
        "output_format": "text",
        "tests": [_test(number, exercise) for number, exercise in enumerate(row.exercises, 1)],
    }
    if said := [plain_line(text) for text in (*row.late, row.note) if text]:
        told["output"] = "\n".join(said)
    return (json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def _test(number: int, exercise: ExerciseResult) -> dict[str, Any]:
    said = [plain_line(text) for text in (exercise.message, exercise.note) if text]
    told: dict[str, Any] = {
        "number": str(number),
        "name": plain_line(exercise.id),
        "max_score": round(exercise.max_points, 2),
        "output": "\n".join(said),  # students read it
        "output_format": "text",
    }
    # Without points of its own where a person gave the whole a number, or it was not handed in.
    if exercise.counted is not None:
        full = exercise.counted >= exercise.max_points
        told |= {
            "score": round(exercise.counted, 2),
            "status": "passed" if full else "failed",
        }
    return told
