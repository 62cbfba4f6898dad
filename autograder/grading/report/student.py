"""Show a student what holds, what does not, and where to look next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from autograder.checks import lesson
from autograder.course.catalogue import course_lesson
from autograder.grading.report.page import number, render
from autograder.grading.report.results import ExerciseResult, StudentResult

WORDS = {
    "passed": "passed",
    "failed": "not right yet",
    "not_attempted": "not attempted",
    "error": "error",
    "timeout": "stopped",
    "unread": "not read",
    "missing": "not handed in",
    "ungraded": "not graded yet",
}
PANELS = ("yours", "expected", "difference")


@dataclass(frozen=True)
class Told:
    """One exercise as its page shows it."""

    name: str
    outcome: str
    word: str
    points: float | None
    max_points: float
    given: str
    message: str
    hint: str
    command: str
    case: str
    pictures: tuple[tuple[str, str, str], ...]


@dataclass(frozen=True)
class Chapter:
    """One lesson of a page.

    `message` is what all of its exercises would say.
    """

    number: int
    title: str
    score: float
    max_score: float
    message: str
    exercises: tuple[Told, ...]


def student_page(row: StudentResult, record: dict[str, Any]) -> str:
    """Return the page of one student as HTML.

    All that it says of a check comes of its run on public inputs; the hidden one gives points.
    """
    return render(
        "student.html",
        title=f"Feedback for {row.student}",
        row=row,
        notes=row.notes,
        given=by_hand(row.graded_score, row.given, row.note),
        chapters=chapters(row.exercises),
        record=record,
    )


def chapters(exercises: Sequence[ExerciseResult]) -> list[Chapter]:
    """Group a row's exercises by lesson."""
    return [
        _chapter(stem, list(results))
        for stem, results in groupby(exercises, lambda result: result.id.partition(".")[0])
    ]


def _chapter(stem: str, results: list[ExerciseResult]) -> Chapter:
    messages = {_sentence(result) for result in results}
    # A file that does not load says so once, not once for each exercise.
    alike = len(results) > 1 and len(messages) == 1 and all(r.given is None for r in results)
    shared = messages.pop() if alike else ""
    return Chapter(
        number=int(stem[1:3]),
        title=course_lesson(stem).title,
        score=sum(result.counted or 0.0 for result in results),
        max_score=sum(result.max_points for result in results),
        message=shared,
        exercises=tuple(_told(stem, result, shared) for result in results),
    )


def _sentence(result: ExerciseResult) -> str:
    """Return what a student reads of a result.

    Why a check failed to run is our affair.
    """
    return "" if result.outcome == "ungraded" else result.message


def by_hand(graded: float | None, given: float | None, note: str) -> str:
    """Return the sentence about points that a person gave, "" where nobody did.

    >>> by_hand(2.0, 3.0, "Sound idea.")
    'Given by hand: 3 points, in place of 2. Sound idea.'
    """
    if given is None:
        return ""
    place = "" if graded is None else f", in place of {number(graded)}"
    return f"Given by hand: {number(given)} points{place}. {note}".strip()


def _told(stem: str, result: ExerciseResult, shared: str) -> Told:
    name = result.id.partition(".")[2]
    partly = result.outcome == "failed" and bool(result.points)
    worked_on = result.outcome in ("failed", "error", "timeout") and not shared
    picture = result.picture
    return Told(
        name=name,
        outcome="partly" if partly else result.outcome,
        word="partly right" if partly else WORDS[result.outcome],
        points=result.counted,
        max_points=result.max_points,
        given=by_hand(result.points, result.given, result.note),
        message="" if shared else _sentence(result),
        # It is about the idea: a crash has its own sentence.
        hint=lesson(stem).exercise(name).hints[0] if result.outcome == "failed" else "",
        command=f"convlens check {stem[4:]}.{name}" if worked_on else "",
        case=picture.get("case", ""),
        pictures=tuple((panel, picture[panel], picture[f"{panel} range"]) for panel in PANELS)
        if picture
        else (),
    )
