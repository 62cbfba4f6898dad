"""Turn the journal into results: one row a student, every number from a verdict."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from autograder.checks import lesson
from autograder.grading.intake.submission import Submission
from autograder.grading.run.engine import Grader
from autograder.plain_text import plain_line

NOT_HANDED_IN = "This lesson is not in the submission."


@dataclass(frozen=True)
class ExerciseResult:
    """One exercise of one student.

    Args:
        id: ``"l11_saliency.saliency_map"``.
        outcome: a verdict's outcome, or "ungraded" when the grader itself failed.
        points: None when ungraded.
        max_points: full marks.
        diagnosis: id of the mistake recognised, or None.
        message: the sentence, or why it is ungraded; holds no expected value. Words of the
            student's own exception in it may hold hidden inputs: feedback shows it through
            `plain.without_data`.
        case: the first case that failed.
        picture: yours and expected on a public case, as data addresses of PNG; only in feedback.
    """

    id: str
    outcome: str
    points: float | None
    max_points: float
    diagnosis: str | None = None
    message: str = ""
    case: str = ""
    picture: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class StudentResult:
    """One student's row.

    Args:
        student: id.
        origin: where the submission came from.
        status: "graded"; "unusable" when nothing of it could be read; "ungraded" when a check
            failed through the grader's own fault, so that the score is not final.
        exercises: every exercise of every lesson graded, in order.
        reason: why it is not plainly graded.
        usage: processor seconds and peak bytes; varies by run and stays out of the results.
    """

    student: str
    origin: str
    status: str
    exercises: tuple[ExerciseResult, ...]
    reason: str = ""
    usage: Mapping[str, float] = field(default_factory=dict, compare=False)

    @property
    def needs_person(self) -> bool:
        """Return whether somebody should look at it.

        That is where it is not final, or a part of it could not be read.
        """
        return self.status != "graded" or bool(self.reason)

    @property
    def score(self) -> float:
        """Return the points so far."""
        return round(sum(exercise.points or 0.0 for exercise in self.exercises), 2)

    @property
    def max_score(self) -> float:
        """Return the points there are."""
        return round(sum(exercise.max_points for exercise in self.exercises), 2)


def collect(
    submissions: Iterable[Submission], stems: Sequence[str], grader: Grader
) -> list[StudentResult]:
    """Return the rows of a class, by student id."""
    rows = [_row(submission, stems, grader) for submission in submissions]
    return sorted(rows, key=lambda row: row.student)


def _row(submission: Submission, stems: Sequence[str], grader: Grader) -> StudentResult:
    found = {
        f"{stem}.{exercise.name}": exercise_result(submission, stem, exercise.name, grader)
        for stem in stems
        for exercise in lesson(stem).exercises
    }
    exercises = list(found.values())
    status, reason = _status(submission, [e.message for e in exercises if e.points is None])
    return StudentResult(
        student=submission.student,
        origin=plain_line(submission.origin),
        status=status,
        exercises=tuple(exercises),
        reason=plain_line(reason),
        usage=_usage(submission, grader),
    )


def exercise_result(submission: Submission, stem: str, name: str, grader: Grader) -> ExerciseResult:
    """Return the result of one exercise.

    It comes from the journal, or from the lack of a file.
    """
    task = grader.task(submission, stem, name)
    entry = None if task is None else grader.journal.entries.get(task.key)
    if entry is not None:
        return _judged(entry)
    identity, points = f"{stem}.{name}", lesson(stem).exercise(name).points
    if submission.fault:
        return ExerciseResult(identity, "ungraded", None, points, message=submission.fault)
    if task is not None:
        fault = grader.faults.get(task.key, "the run was stopped before it")
        return ExerciseResult(identity, "ungraded", None, points, message=plain_line(fault))
    outcome, why = _not_read(submission, stem)
    return ExerciseResult(identity, outcome, 0.0, points, message=plain_line(why))


def _not_read(submission: Submission, stem: str) -> tuple[str, str]:
    """Return outcome and sentence of an exercise whose file is not there to grade."""
    if why := submission.problems.get(stem):
        return "error", why
    whole = submission.problems.get("", "")
    if submission.sources or not whole:  # then what is said of the whole is a note
        return "not_attempted", f"{NOT_HANDED_IN} {whole}"
    return "error", whole


def _judged(entry: Mapping[str, Any]) -> ExerciseResult:
    verdict = entry["verdict"]
    return ExerciseResult(
        id=verdict["exercise"],
        outcome=verdict["outcome"],
        points=verdict["points"],
        max_points=verdict["max_points"],
        diagnosis=verdict["diagnosis"],
        message=verdict["message"],
        case=verdict["case"],
        picture=entry.get("picture", {}),
    )


def _status(submission: Submission, faults: list[str]) -> tuple[str, str]:
    if submission.fault:
        return "ungraded", submission.fault
    if faults:
        return "ungraded", f"{len(faults)} checks could not be graded: {faults[0]}"
    if not submission.sources:
        reasons = [*submission.problems.values()] or ["There is no lesson in the submission."]
        return "unusable", reasons[0]
    return "graded", " ".join(submission.problems.values())


def _usage(submission: Submission, grader: Grader) -> dict[str, float]:
    """Sum the usage of a submission's checks, and take the peak of their memory."""
    tasks = grader.tasks([submission])
    entries = [grader.journal.entries.get(task.key, {}) for task in tasks]
    usages = [entry["usage"] for entry in entries if entry]
    return {
        "cpu_seconds": round(sum(usage["cpu_seconds"] for usage in usages), 3),
        "peak_rss": max((usage["peak_rss"] for usage in usages), default=0),
        "seconds": round(sum(usage["seconds"] for usage in usages), 3),
    }
