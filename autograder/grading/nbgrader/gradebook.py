"""Write what grading says into nbgrader's database."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from autograder.grading.nbgrader.cells import exercises_of, solution_cell

Results = Mapping[str, Mapping[str, Any]]  # of each exercise, by its id: see `told`


def told(result: Any) -> dict[str, Any]:
    """Return an `ExerciseResult` as a table, to be read where there is no torch."""
    return {**asdict(result), "needs_person": result.needs_person}


def write_scores(notebook: Any, results: Results) -> None:
    """Write points and sentences of a submitted notebook, for the caller to commit.

    What a person has written stays. Work without a number, and work that somebody should look at,
    is marked for manual grading; a cell that was deleted has its row all the same.

    Args:
        notebook: a `SubmittedNotebook` of nbgrader.
        results: of exercises; a cell of any other is left as it is.
    """
    asked = exercises_of(grade.name for grade in notebook.grades)
    for grade in notebook.grades:
        if (result := results.get(asked.get(grade.name, ""))) is None:
            continue
        grade.auto_score = score(result, grade.max_score)
        # As nbgrader does it: who gave points by hand looks again after a new run.
        by_hand = grade.manual_score is not None
        grade.needs_manual_grade = (
            grade.auto_score is None or by_hand or bool(result["needs_person"])
        )
    sentences = {solution_cell(exercise): told["message"] for exercise, told in results.items()}
    for comment in notebook.comments:
        if comment.name in sentences:
            comment.auto_comment = sentences[comment.name] or None


def score(result: Mapping[str, Any], most: float) -> float | None:
    """Return points on the scale of the gradebook, None where there are none.

    >>> score({"points": 3.0, "given": None, "max_points": 4.0}, 8.0)
    6.0
    """
    points = result["points"] if result["given"] is None else result["given"]
    if points is None or not math.isfinite(points):
        return None
    return round(min(max(points / result["max_points"], 0.0), 1.0) * most, 6)
