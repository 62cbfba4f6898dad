"""Turn verdicts into what a run keeps of each lesson, and into rows."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Self

from autograder.checks import lesson
from autograder.grading.intake.submission import Submission
from autograder.grading.run.engine import Grader
from autograder.grading.run.lacking import lacks
from autograder.plain_text import plain_line

# Where each lesson of each student came from, and what came of it.
Lessons = dict[tuple[str, str], tuple[str, "LessonResult"]]
NOT_HANDED_IN = "This lesson is not in the submission."
NOT_SEEN = "No run has graded this yet: nothing of it was among the submissions."


@dataclass(frozen=True)
class ExerciseResult:
    """One exercise of one student.

    Args:
        id: ``"l11_saliency.saliency_map"``.
        outcome: a verdict's outcome; "unread" when the work could not be read, "ungraded" when the
            grader itself failed.
        points: what the grader gives; None when unread or ungraded.
        max_points: full marks.
        diagnosis: id of the mistake recognised, or None.
        message: the sentence, or why it is unread or ungraded; holds no expected value.
        case: the first case that failed.
        picture: yours and expected on a public case, as data addresses of PNG; only in feedback.
        given: what a person gives instead, or None.
        note: what that person says to the student.
    """

    id: str
    outcome: str
    points: float | None
    max_points: float
    diagnosis: str | None = None
    message: str = ""
    case: str = ""
    picture: Mapping[str, str] = field(default_factory=dict)
    given: float | None = None
    note: str = ""

    @property
    def counted(self) -> float | None:
        """Return the points that count: those given by hand before the grader's."""
        return self.points if self.given is None else self.given

    @property
    def needs_person(self) -> bool:
        """Return whether somebody should look at it.

        It is not final, was stopped, or failed for what grading lacks.
        """
        asks = self.outcome in ("unread", "ungraded", "timeout") or lacks(self.message)
        return asks and self.given is None


@dataclass(frozen=True)
class LessonResult:
    """One lesson of one student, as the journal keeps it.

    Args:
        student: id.
        stem: the lesson.
        made_from: origin of the work, SHA-256 of the lesson's text ("" where there was none),
            hashes of the course and of the seed, and the isolation.
        exercises: in the lesson's order.
        notes: what was chosen among copies or left alone.
        usage: processor seconds and peak bytes; varies by run and stays out of the results.
        graded_at: when, in seconds since 1970; stays out of the results.
    """

    student: str
    stem: str
    made_from: Mapping[str, str]
    exercises: tuple[ExerciseResult, ...]
    notes: tuple[str, ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict)
    graded_at: float = 0.0

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Self:
        """Read what `asdict` and JSON made of a result."""
        exercises = tuple(ExerciseResult(**exercise) for exercise in told["exercises"])
        return cls(**{**told, "exercises": exercises, "notes": tuple(told["notes"])})

    @property
    def was_there(self) -> bool:
        """Return whether work of this lesson was found and read."""
        return bool(self.made_from["sha256"])


@dataclass(frozen=True)
class StudentResult:
    """One student's row: all that a gradebook needs.

    Args:
        student: id.
        exercises: every exercise of every lesson of the class, in order; the same for each row.
        made_from: of each lesson that was graded, by stem; see `LessonResult`.
        notes: what was chosen among copies or left alone.
        usage: processor seconds and peak bytes; varies by run and stays out of the results.
        given: what a person gives instead of the sum, or None.
        note: what that person says to the student.
    """

    student: str
    exercises: tuple[ExerciseResult, ...]
    made_from: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict, compare=False)
    given: float | None = None
    note: str = ""

    @property
    def status(self) -> str:
        """Return "graded" where the score is final, else why not.

        "unusable": nothing could be read; "unread": a part could not be; "ungraded": a part was not
        graded, through no fault of the student.
        """
        outcomes = {exercise.outcome for exercise in self.exercises if exercise.counted is None}
        if not outcomes or self.given is not None:
            return "graded"
        if all(exercise.counted is None for exercise in self.exercises) and outcomes == {"unread"}:
            return "unusable"
        return "ungraded" if "ungraded" in outcomes else "unread"

    @property
    def score(self) -> float | None:
        """Return the points so far, None where not one exercise has any."""
        if self.given is not None:
            return self.given
        points = [e.counted for e in self.exercises if e.counted is not None]
        return round(sum(points), 2) if points else None

    @property
    def graded_score(self) -> float | None:
        """Return the sum of what the grader gives, None where it gives nothing."""
        points = [e.points for e in self.exercises if e.points is not None]
        return round(sum(points), 2) if points else None

    @property
    def max_score(self) -> float:
        """Return the points there are."""
        return round(sum(exercise.max_points for exercise in self.exercises), 2)

    @property
    def origin(self) -> str:
        """Return where the work came from."""
        return " and ".join(dict.fromkeys(made["origin"] for made in self.made_from.values()))

    @property
    def reasons(self) -> tuple[str, ...]:
        """Return why a person should look at it.

        That is what is not final or was stopped, and the notes. What a person has given points to
        is settled.
        """
        if self.given is not None:
            return ()
        asked = [exercise for exercise in self.exercises if exercise.needs_person]
        found = []
        for message in dict.fromkeys(exercise.message for exercise in asked):
            same = [exercise.id for exercise in asked if exercise.message == message]
            where = "" if len(same) == len(self.exercises) else f"{self._names(same)}: "
            found.append(f"{where}{message}")
        return (*found, *self.notes)

    @property
    def reason(self) -> str:
        """Return the reasons as one line."""
        return " ".join(self.reasons)

    @property
    def needs_person(self) -> bool:
        """Return whether somebody should look at it."""
        return bool(self.reasons)

    def _names(self, ids: Sequence[str]) -> str:
        """Name exercises shortly: a lesson that is named as a whole by its stem."""
        found: list[str] = []
        for stem, group in groupby(ids, lambda identity: identity.partition(".")[0]):
            names = list(group)
            whole = [e.id for e in self.exercises if e.id.startswith(f"{stem}.")]
            found += [stem] if names == whole and len(names) > 1 else names
        return ", ".join(found)


def lesson_results(
    submissions: Iterable[Submission],
    stems: Sequence[str],
    grader: Grader,
    made_with: Mapping[str, str],
) -> Iterator[LessonResult]:
    """Yield what came of each lesson of each submission.

    Args:
        submissions, stems: what was graded.
        grader: with its verdicts.
        made_with: what else goes into `made_from`, the same for all.
    """
    now = round(time.time(), 3)
    for submission in submissions:
        for stem in stems:
            source = submission.sources.get(stem)
            yield LessonResult(
                submission.student,
                stem,
                {
                    "origin": plain_line(submission.origin),
                    "sha256": "" if source is None else _sha256(source),
                    "course": grader.hashes[stem],
                    **made_with,
                },
                tuple(
                    exercise_result(submission, stem, exercise.name, grader)
                    for exercise in lesson(stem).exercises
                ),
                tuple(plain_line(note) for note in submission.notes),
                _usage(submission, stem, grader),
                now,
            )


def merged(known: Lessons, folder: str, results: Iterable[LessonResult]) -> Lessons:
    """Return the results that a run over one folder of submissions changes.

    Work of a lesson that lies in another folder stays where this one has none: its lack is no zero.
    Who sent something unreadable there has a note of it.
    """
    changed: Lessons = {}
    for new in results:
        key = new.student, new.stem
        where, old = known.get(key, (folder, new))
        if replace(new, graded_at=old.graded_at) == old:
            new = old  # a run that finds nothing new makes nothing later
        if where == folder or new.was_there or not old.was_there:
            changed[key] = folder, new
        elif unread := [e.message for e in new.exercises if e.outcome != "not_attempted"]:
            note = f"Not counted: “{new.made_from['origin']}”. {unread[0]}"
            changed[key] = where, replace(old, notes=tuple(dict.fromkeys([*old.notes, note])))
    return changed


def rows(lessons: Iterable[LessonResult]) -> list[StudentResult]:
    """Return the rows of a class, by student id, each with the same exercises.

    Args:
        lessons: of all students, in order of student and lesson.
    """
    lessons = list(lessons)
    columns: dict[str, ExerciseResult] = {}
    for result in sorted(lessons, key=lambda result: result.stem):
        for exercise in result.exercises:
            missing = ExerciseResult(exercise.id, "ungraded", None, exercise.max_points)
            columns.setdefault(exercise.id, replace(missing, message=NOT_SEEN))
    found = []
    for student, group in groupby(lessons, lambda result: result.student):
        own = list(group)
        graded = {exercise.id: exercise for result in own for exercise in result.exercises}
        usages = [result.usage for result in own if result.usage]
        found.append(
            StudentResult(
                student,
                tuple(graded.get(identity, missing) for identity, missing in columns.items()),
                {result.stem: result.made_from for result in own},
                tuple(dict.fromkeys(note for result in own for note in result.notes)),
                {
                    "cpu_seconds": round(sum(usage["cpu_seconds"] for usage in usages), 3),
                    "peak_rss": max((usage["peak_rss"] for usage in usages), default=0),
                    "seconds": round(sum(usage["seconds"] for usage in usages), 3),
                },
            )
        )
    return found


def exercise_result(submission: Submission, stem: str, name: str, grader: Grader) -> ExerciseResult:
    """Return the result of one exercise.

    It comes from the journal, or from the lack of something to grade.
    """
    identity = f"{stem}.{name}"
    points = lesson(stem).exercise(name).points
    outcome, why = _not_read(submission, stem, name)
    if not outcome:
        task = grader.task(submission, stem, name)
        assert task is not None
        entry = grader.journal.entries.get(task.key)
        if entry is not None:
            return _judged(entry)
        outcome, why = "ungraded", grader.faults.get(task.key, "the run was stopped before it")
    earned = 0.0 if outcome == "not_attempted" else None
    return ExerciseResult(identity, outcome, earned, points, message=plain_line(why))


def _not_read(submission: Submission, stem: str, name: str) -> tuple[str, str]:
    """Return outcome and sentence of an exercise without code, else two blanks."""
    problems = submission.problems
    if submission.fault:
        return "ungraded", submission.fault
    if why := problems.get(f"{stem}.{name}"):
        return "unread", why
    if stem in submission.sources:
        return "", ""
    if why := problems.get(stem):
        return "unread", why
    if not submission.sources and problems:
        return "unread", problems.get("") or next(iter(problems.values()))
    return "not_attempted", NOT_HANDED_IN


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


def _usage(submission: Submission, stem: str, grader: Grader) -> dict[str, float]:
    """Sum the usage of a lesson's checks, and take the peak of their memory."""
    tasks = [grader.task(submission, stem, exercise.name) for exercise in lesson(stem).exercises]
    entries = [grader.journal.entries.get(task.key) for task in tasks if task is not None]
    usages = [entry["usage"] for entry in entries if entry]
    if not usages:
        return {}
    return {
        "cpu_seconds": sum(usage["cpu_seconds"] for usage in usages),
        "peak_rss": max(usage["peak_rss"] for usage in usages),
        "seconds": sum(usage["seconds"] for usage in usages),
    }


def _sha256(source: str) -> str:
    return hashlib.sha256(source.encode("utf-8", "surrogatepass")).hexdigest()
