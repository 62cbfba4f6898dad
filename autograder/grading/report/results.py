"""Turn verdicts into what a run keeps of each lesson, and into rows."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any, Self

from autograder.checks import lesson
from autograder.course.student_file import excerpt
from autograder.grading.intake.submission import Submission
from autograder.grading.run.engine import Grader
from autograder.grading.run.lacking import lacks
from autograder.plain_text import plain_line

# Where each lesson of each student came from, and what came of it.
Lessons = dict[tuple[str, str], tuple[str, "LessonResult"]]
# Of an example; longer code is its author's own long story.
MOST_CODE = 8000
NOT_HANDED_IN = "This lesson is not in the submission."
NOTHING = "Nothing was handed in."
OF_NOTHING = ("not_attempted", "missing")
NOT_SEEN = "No run has graded this yet: nothing of it was among the submissions."


def stem_of(identity: str) -> str:
    """Return the lesson of an exercise.

    >>> stem_of("l11_saliency.saliency_map")
    'l11_saliency'
    """
    return identity.partition(".")[0]


@dataclass(frozen=True)
class Whose:
    """What is known of who handed in a submission, and when.

    Args:
        person: see `LessonResult`.
        hand: attempt, time (ISO 8601), what is said of lateness, factor of the points that is left.
        notes: what a person should know of it.
    """

    person: Mapping[str, Any] = field(default_factory=dict)
    hand: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExerciseResult:
    """One exercise of one student.

    Args:
        id: ``"l11_saliency.saliency_map"``.
        outcome: a verdict's outcome; "unread" when the work could not be read, "ungraded" when the
            grader itself failed, "missing" when nothing at all was handed in.
        points: what the grader gives; None when unread, ungraded or missing.
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
            hashes of the course and of the seed, the isolation, and the hand in; see `Whose`.
        exercises: in the lesson's order.
        notes: what was chosen among copies or left alone.
        usage: processor seconds and peak bytes; varies by run and stays out of the results.
        person: id, name, email and other keys of the student, as the platform or a roster has them.
        unnamed: of exercises by id whose mistake has no name, the answer's fingerprint and the
            student's code; for the instructor alone.
        graded_at: when, in seconds since 1970; stays out of the results.
    """

    student: str
    stem: str
    made_from: Mapping[str, Any]
    exercises: tuple[ExerciseResult, ...]
    notes: tuple[str, ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict)
    person: Mapping[str, Any] = field(default_factory=dict)
    unnamed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
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
        unnamed: see `LessonResult`.
        given: what a person gives instead of the sum, or None.
        note: what that person says to the student.
        person: see `LessonResult`.
    """

    student: str
    exercises: tuple[ExerciseResult, ...]
    made_from: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    usage: Mapping[str, float] = field(default_factory=dict, compare=False)
    unnamed: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    given: float | None = None
    note: str = ""
    person: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the student's name, "" where it is their id or not known."""
        name = plain_line(self.person.get("name", ""))
        return "" if name == self.student else name

    @property
    def email(self) -> str:
        """Return the student's address, "" where it is not known."""
        return plain_line(self.person.get("email", ""))

    @property
    def keys(self) -> tuple[str, ...]:
        """Return what else the student is known by."""
        person = self.person
        found = [plain_line(key) for key in (person.get("id", ""), *person.get("others", ()))]
        return tuple(dict.fromkeys(key for key in found if key not in ("", self.student)))

    @property
    def status(self) -> str:
        """Return "graded" where the score is final, else why not.

        "missing": nothing was handed in; "unusable": nothing could be read; "unread": a part could
        not be; "ungraded": a part was not graded, through no fault of the student.
        """
        open_ones = [exercise for exercise in self.exercises if exercise.counted is None]
        outcomes = {exercise.outcome for exercise in open_ones}
        if self.given is None and outcomes == {"missing"} and len(open_ones) == len(self.exercises):
            return "missing"
        # Of several hand ins one may be missing: it brings no points, and the rest is final.
        outcomes -= {"missing"}
        if not outcomes or self.given is not None:
            return "graded"
        if all(exercise.counted is None for exercise in self.exercises) and outcomes == {"unread"}:
            return "unusable"
        return "ungraded" if "ungraded" in outcomes else "unread"

    @property
    def score(self) -> float | None:
        """Return the points so far, None where not one exercise has any.

        What lateness costs is taken off, but not of a total that a person gives.
        """
        return self.given if self.given is not None else self._sum(lambda e: e.counted)

    @property
    def graded_score(self) -> float | None:
        """Return what the grader gives, None where it gives nothing.

        What lateness costs is taken off.
        """
        return self._sum(lambda e: e.points)

    @property
    def lost(self) -> float:
        """Return the points that lateness costs."""
        if self.given is not None:
            return 0.0
        whole = sum(e.counted for e in self.exercises if e.counted is not None)
        return round(whole - (self.score or 0.0), 2)

    @property
    def late(self) -> dict[str, list[str]]:
        """Return what is said of lateness, with the lessons of which it is."""
        said: dict[str, list[str]] = {}
        for stem, made in self.made_from.items():
            if why := made.get("late"):
                said.setdefault(why, []).append(stem)
        return said

    def _sum(self, points_of: Callable[[ExerciseResult], float | None]) -> float | None:
        points = [
            found * self.made_from.get(stem_of(e.id), {}).get("factor", 1.0)
            for e in self.exercises
            if (found := points_of(e)) is not None
        ]
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
        for stem, group in groupby(ids, stem_of):
            names = list(group)
            whole = [e.id for e in self.exercises if e.id.startswith(f"{stem}.")]
            found += [stem] if names == whole and len(names) > 1 else names
        return ", ".join(found)


def lesson_results(
    submissions: Iterable[Submission],
    stems: Sequence[str],
    grader: Grader,
    made_with: Mapping[str, str],
    whose: Mapping[str, Whose] | None = None,
) -> Iterator[LessonResult]:
    """Yield what came of each lesson of each submission.

    Args:
        submissions, stems: what was graded.
        grader: with its verdicts.
        made_with: what else goes into `made_from`, the same for all.
        whose: what is known of who handed them in, by student.
    """
    now = round(time.time(), 3)
    for submission in submissions:
        known = (whose or {}).get(submission.student, Whose())
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
                    **known.hand,
                },
                tuple(
                    exercise_result(submission, stem, exercise.name, grader)
                    for exercise in lesson(stem).exercises
                ),
                tuple(plain_line(note) for note in (*submission.notes, *known.notes)),
                _usage(submission, stem, grader),
                known.person,
                dict(_unnamed(submission, stem, grader)),
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
        elif unread := [e.message for e in new.exercises if e.outcome not in OF_NOTHING]:
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
                person=next((result.person for result in reversed(own) if result.person), {}),
                unnamed={
                    identity: told for result in own for identity, told in result.unnamed.items()
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
    if submission.missing:
        return "missing", NOTHING
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


def _unnamed(
    submission: Submission, stem: str, grader: Grader
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield exercises whose mistake has no name, each with fingerprint and code."""
    for exercise in lesson(stem).exercises:
        task = grader.task(submission, stem, exercise.name)
        entry = grader.journal.entries.get(task.key) if task else None
        if task and entry and (told := entry.get("fingerprint")) is not None:
            code = excerpt(task.source, stem, exercise.name)
            kept = {**told, "code": code if len(code) <= MOST_CODE else ""}
            yield f"{stem}.{exercise.name}", kept


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
