"""Examine one exercise of one file: run it, judge it, say what went wrong.

The run on hidden inputs gives the points, and nothing that it says is shown: whatever a report
tells comes of a run on the public inputs of `convlens check`, so that no word, shape or count can
carry a hidden input out.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from autograder.checks import lesson
from autograder.grading.run.lacking import explained
from autograder.grading.run.pictures import picture_of
from autograder.grading.sandbox.children import ChildResult, Sandbox
from autograder.judge.expected import Expectation
from autograder.judge.fingerprint import Fingerprint, fingerprint
from autograder.judge.lending import lend, may_borrow, settle, unquoted
from autograder.judge.verdict import Verdict, judge, points_of
from autograder.plain_text import plain_line
from autograder.protocol.answers import Answer, AnswerReader, describe_exit


class GraderFault(RuntimeError):
    """Raised where something of ours broke: the check stays ungraded."""


class Overdue(RuntimeError):
    """Raised where a check got too little of the machine to be judged."""


@dataclass(frozen=True)
class Task:
    """One check: one exercise of one lesson file.

    Args:
        key: under which its verdict is remembered.
        load_key: the same for every exercise of the file.
        stem, exercise: what is checked.
        source: text of the lesson's file.
        earlier: text of the same student's earlier lessons that it imports, by stem.
    """

    key: str
    load_key: str
    stem: str
    exercise: str
    # Work of a student, and not for the logs of a machine.
    source: str = field(repr=False)
    earlier: Mapping[str, str] = field(repr=False)


@dataclass
class Usage:
    """What the jobs of one check took of the machine."""

    cpu_seconds: float = 0.0
    peak_rss: int = 0
    seconds: float = 0.0

    def add(self, result: ChildResult) -> None:
        """Count one job."""
        self.cpu_seconds = round(self.cpu_seconds + result.cpu_seconds, 3)
        self.peak_rss = max(self.peak_rss, result.peak_rss)
        self.seconds = round(self.seconds + result.seconds, 3)


class Examiner:
    """Examine tasks under one seed, from any thread.

    Args:
        stems: lessons to grade.
        seed: of the hidden cases.
    """

    def __init__(self, stems: Sequence[str], seed: int) -> None:
        exercises = [(stem, exercise) for stem in stems for exercise in lesson(stem).exercises]
        self.hidden = {(stem, e.name): Expectation(stem, e, seed) for stem, e in exercises}
        self._public: dict[tuple[str, str], Expectation] = {}
        self._never_loads: dict[tuple[str, int], Answer] = {}
        self._lock = threading.Lock()

    def prepare(self, stem: str, exercise: str) -> None:
        """Make what is expected of an exercise, before its first answer is there."""
        with self._lock:
            _ = self.hidden[stem, exercise].records

    def examine(self, sandbox: Sandbox, task: Task) -> dict[str, Any]:
        """Return what the journal keeps of one check.

        Raises:
            GraderFault: the sandbox broke.
            Overdue: the machine gave the check too little.
        """
        usage = Usage()
        points, verdict, picture, unnamed = self._judged(sandbox, task, usage)
        verdict = _with_points(verdict, points)
        entry = {**asdict(verdict), "message": plain_line(explained(verdict.message))}
        del entry["seconds"], entry["detail"]
        kept = {"verdict": entry, "usage": asdict(usage), "picture": picture}
        if unnamed is not None and verdict.outcome != "passed":
            kept["fingerprint"] = asdict(unnamed)
        return kept

    def _judged(
        self, sandbox: Sandbox, task: Task, usage: Usage
    ) -> tuple[float, Verdict, dict[str, str], Fingerprint | None]:
        """Return points of the hidden run, and all that is told of the public one.

        What fails is judged again with right helpers, if it has any.
        """
        hidden = self.hidden[task.stem, task.exercise]
        exercise = hidden.exercise
        points = self._points(sandbox, task, hidden, usage)
        if points == exercise.points:
            return points, _passed(hidden), {}, None
        public = self._public_of(hidden)
        answer = self._ask(sandbox, task, public, usage)
        with self._lock:
            verdict = judge(public, answer)
            unnamed = self._unnamed(public, answer, verdict)
        if exercise.needs and (verdict.outcome == "passed" or may_borrow(verdict, exercise)):
            source, earlier = lend(exercise, task.source, task.earlier)
            lent = replace(task, source=source, earlier=earlier)
            points = max(points, self._points(sandbox, lent, hidden, usage))
            second = self._ask(sandbox, lent, public, usage)
            with self._lock:
                # What is lent is text of the reference: nothing that this run says is quoted.
                borrowed = unquoted(judge(public, second), public)
                settled = settle(verdict, borrowed, exercise)
                if borrowed.points >= verdict.points:  # its own lines alone, as for the sentence
                    unnamed = self._unnamed(public, second, borrowed)
            if settled is not verdict:
                return points, settled, {}, unnamed
        picture: dict[str, str] = {}
        if verdict.outcome == "failed":
            with self._lock, contextlib.suppress(Exception):  # a help; no grade hangs on it
                picture = picture_of(public, verdict.case, answer.records)
        return points, verdict, picture, unnamed

    @staticmethod
    def _unnamed(public: Expectation, answer: Answer, verdict: Verdict) -> Fingerprint | None:
        with contextlib.suppress(Exception):  # as for a picture
            return fingerprint(public, answer, verdict)
        return None

    def _public_of(self, hidden: Expectation) -> Expectation:
        """Return the exercise under the public seed, made when a first file fails."""
        key = hidden.stem, hidden.exercise.name
        with self._lock:
            if key not in self._public:
                self._public[key] = Expectation(hidden.stem, hidden.exercise)
            return self._public[key]

    def _points(
        self, sandbox: Sandbox, task: Task, expectation: Expectation, usage: Usage
    ) -> float:
        answer = self._ask(sandbox, task, expectation, usage)
        with self._lock:
            return points_of(expectation, answer)

    def _ask(self, sandbox: Sandbox, task: Task, expectation: Expectation, usage: Usage) -> Answer:
        # Under either seed: what a file reads of its inputs while it loads is not for the other.
        load_key = task.load_key, expectation.seed
        if (known := self._never_loads.get(load_key)) is not None:
            return known
        payload = expectation.payload(task.source, f"{task.stem}.py", task.earlier)
        result = sandbox.run(payload, expectation.exercise.deadline)
        usage.add(result)
        if result.status == "grader_fault":
            raise GraderFault(result.reason)
        answer = read_answer(result, len(expectation.cases))
        if answer.status in ("overdue", "evicted"):
            raise Overdue(_OVERDUE[answer.status])
        if answer.status == "timeout" and not answer.records:
            # Loading is the same for every exercise of the file: once is enough.
            self._never_loads[load_key] = answer
        return answer


_OVERDUE = {
    "overdue": "it did not end, and used too little of the processor to be called too slow",
    "evicted": "the system ended it, most likely for want of memory",
}


def _passed(expectation: Expectation) -> Verdict:
    exercise, count = expectation.exercise, len(expectation.cases)
    return Verdict(
        exercise=f"{expectation.stem}.{exercise.name}",
        outcome="passed",
        points=exercise.points,
        max_points=exercise.points,
        passed_cases=count,
        case_count=count,
    )


def _with_points(verdict: Verdict, points: float) -> Verdict:
    """Return what the public run says with the points of the hidden one."""
    if verdict.outcome == "passed" and points < verdict.max_points:
        name = verdict.exercise.partition(".")[2]
        message = (
            f"`{name}` is right on the inputs of `convlens check` and not on others of the same "
            "kind. What do your lines take for granted about their inputs?"
        )
        return replace(verdict, outcome="failed", points=points, message=message)
    if verdict.outcome != "passed" and points == verdict.max_points:
        return replace(
            verdict, outcome="passed", points=points, diagnosis=None, also=(), message="", case=""
        )
    return replace(verdict, points=points)


def read_answer(result: ChildResult, cases: int) -> Answer:
    """Read what a sandboxed child wrote.

    Args:
        result: what became of the child.
        cases: how many were asked for.
    """
    reader = AnswerReader(cases)
    reader.feed(result.frames)
    if result.status == "timeout":
        return reader.answer("timeout", f"{result.cpu_limit} s", result.seconds)
    if result.status in ("overdue", "evicted", "memory", "output"):
        return reader.answer(result.status, "", result.seconds)
    # "ok" says that it ended with 0, as any code can. The reader knows whether it is whole.
    code = -result.signal if result.signal else result.exit_code or 0
    return reader.answer("died", describe_exit(code), result.seconds)
