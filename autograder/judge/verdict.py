"""Turn what a worker wrote into a verdict.

A verdict holds an outcome, points, one sentence, and the mistake by name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any, Literal

from autograder.course.reference import read_lesson, solution_stems
from autograder.judge.diagnosis import Explanation, diagnose
from autograder.judge.expected import Expectation
from autograder.judge.ladder import Finding, aligned, climb, load_error_text
from autograder.judge.words import MEMORY, MEMORY_STEP, SIDE_EFFECTS
from autograder.protocol.answers import Answer, Record

Outcome = Literal["passed", "failed", "not_attempted", "error", "timeout"]
TIDY_SHARE = 0.8
QUARTER = 0.25


@dataclass(frozen=True)
class Verdict:
    """Verdict on one exercise of one file.

    Args:
        exercise: ``"l11_saliency.saliency_map"``.
        outcome: one of the five outcomes.
        points, max_points: partial credit by cases.
        diagnosis: id of the mistake recognised, or None.
        also: ids of other mistakes that were recognised beside it.
        message: the sentence; holds no hidden value.
        detail: numbers, for the student's own check on public inputs only.
        case: the first case that failed.
        passed_cases, case_count: how many cases hold.
        waits_for: of an exercise that is written itself, what it calls and is not; or "".
        seconds: wall time of the check.
    """

    exercise: str
    outcome: Outcome
    points: float
    max_points: float
    diagnosis: str | None = None
    also: tuple[str, ...] = ()
    message: str = ""
    detail: str = ""
    case: str = ""
    passed_cases: int = 0
    case_count: int = 0
    waits_for: str = ""
    seconds: float = field(default=0.0, compare=False)

    def as_json(self) -> dict[str, Any]:
        """Return the fields that `check --json` and `results.json` promise."""
        return {
            "id": self.exercise,
            "outcome": self.outcome,
            "points": self.points,
            "max_points": self.max_points,
            "diagnosis": self.diagnosis,
            "also": list(self.also),
            "message": self.message,
            "seconds": round(self.seconds, 3),
        }


def judge(expectation: Expectation, answer: Answer) -> Verdict:
    """Judge one exercise.

    Args:
        expectation: the exercise under its seed.
        answer: what the worker sent; may be hostile, so nothing in it is trusted but as a value.
    """
    return _Judgement(expectation, answer).verdict()


def points_of(expectation: Expectation, answer: Answer) -> float:
    """Return the points that `judge` gives, and look for no mistake.

    Args:
        expectation, answer: as for `judge`.
    """
    return _Judgement(expectation, answer).points()


def findings_of(
    expectation: Expectation, answer: Answer
) -> tuple[dict[str, Finding | None], dict[str, Record]]:
    """Return what the ladder finds on each case, and the records as it reads them.

    Args:
        expectation, answer: as for `judge`; a case without an answer has no record.
    """
    judgement = _Judgement(expectation, answer)
    records = {c: judgement._record(c) for c in judgement.records if c in expectation.cases}
    return judgement._findings(), records


class _Judgement:
    def __init__(self, expectation: Expectation, answer: Answer) -> None:
        self.expectation = expectation
        self.exercise = expectation.exercise
        self.answer = answer
        self.loading: Record = answer.records[0] if answer.records else {}
        self.records = {
            case: record
            for record in answer.records[1:]
            if isinstance(case := record.get("case"), str)
        }

    def verdict(self) -> Verdict:
        return self._not_run() or self._not_attempted() or self._unfinished() or self._judged()

    def points(self) -> float:
        stopped = self._not_run() or self._not_attempted()
        return stopped.points if stopped else self._points(self._findings())

    def _findings(self) -> dict[str, Finding | None]:
        return {name: self._climb(name) for name in self.expectation.cases}

    def _not_run(self) -> Verdict | None:
        if not self.loading:
            return self._never_loaded()
        if "error" in self.loading:
            error = _checked_error(self.loading["error"])
            return self._none("error", load_error_text(error))
        if self.loading.get("has") is not True:
            name, stem = self.exercise.name, self.expectation.stem
            message = (
                f"There is no `{name}` in your file. "
                f"`convlens reset {stem}.{name}` puts its stub back."
            )
            return self._none("not_attempted", message)
        return None

    def _never_loaded(self) -> Verdict:
        match self.answer.status:
            case "timeout":
                ended = "did not finish loading in time"
            case "memory":
                ended = f"{MEMORY} while loading"
            case _:
                ended = "ended its process while loading"
        outcome: Outcome = "timeout" if self.answer.status == "timeout" else "error"
        return self._none(outcome, f"Your file {ended}. Look at code outside functions.")

    def _not_attempted(self) -> Verdict | None:
        own = f"{self.expectation.stem}.{self.exercise.name}:"
        calls = []
        for name, record in self.records.items():
            error = _checked_error(record.get("error"))
            if error["type"] != "NotImplementedError":
                if self._refused_as_asked(name, error):
                    continue  # by given code, before the student's begins
                return None
            match = re.match(r"(l\d\d_\w+\.)(\w+): not written yet", error["message"])
            # nbgrader's own stub says nothing more.
            if not error["message"] or error["message"].startswith(own):
                calls.append("")
            elif match and f"{match[1]}{match[2]}" in _every_exercise():
                same = match[1] == f"{self.expectation.stem}."
                calls.append(match[2] if same else match[1] + match[2])
            else:
                return None
        if not calls:
            return None
        name = f"`{self.exercise.name}`"
        if not calls[0]:
            return self._none("not_attempted", f"{name} is not written yet.")
        message = f"{name} calls `{calls[0]}`, which is not written yet. Start there."
        return replace(self._none("not_attempted", message), waits_for=calls[0])

    def _refused_as_asked(self, case: str, error: dict[str, Any]) -> bool:
        expected = self.expectation.records.get(case, {"status": "returned"})
        return expected["status"] == "raised" and expected["error"]["type"] == error["type"]

    def _unfinished(self) -> Verdict | None:
        """Return the verdict on a worker that ended before it answered every case.

        Return None where it answered them all.
        """
        left = [name for name in self.expectation.cases if name not in self.records]
        if self.answer.status == "ok" or not left:
            return None
        count = len(self.expectation.cases)
        where = f" while on “{left[0]}”"
        if len(left) < count:
            where += f"; {count - len(left)} of {count} cases were answered before"
        outcome: Outcome = "error"
        match self.answer.status:
            case "timeout":
                outcome = "timeout"
                seconds = self.answer.note or f"{self.exercise.deadline:g} s"
                ended = f"was stopped after {seconds}{where}."
                step = "Look for a loop whose end is never reached."
            case "memory":
                ended, step = f"{MEMORY}{where}.", MEMORY_STEP
            case "output":
                ended = f"sent more data than a check may send{where}."
                step = "Look at how much it returns."
            case _:
                note = f" ({self.answer.note})" if self.answer.note else ""
                ended = f"ended its process{note}{where}."
                step = "Look for an exit, a crash in native code, or runaway recursion."
        findings = self._findings()
        message = f"`{self.exercise.name}` {ended} {step}"
        return self._verdict(outcome, self._points(findings), None, message, "", "", findings)

    def _judged(self) -> Verdict:
        findings = self._findings()
        failed = {name: f for name, f in findings.items() if f is not None and not f.tidy}
        untidy = {name: f for name, f in findings.items() if f is not None and f.tidy}
        if not failed and not untidy:
            return self._verdict("passed", self.exercise.points, None, "", "", "", findings)
        name, finding = next(iter((failed or untidy).items()))
        records = {case: self._record(case) for case in self.records if case in findings}
        explained = diagnose(self.expectation, findings, records) if failed else ()
        message = " ".join([finding.message, *self._named(name, finding, explained)])
        outcome: Outcome = "error" if finding.rung == "ran" and not finding.code else "failed"
        verdict = self._verdict(
            outcome,
            self._points(findings),
            explained[0].mistakes[0].id if explained else finding.code or None,
            message,
            finding.detail,
            name,
            findings,
        )
        others = [mistake.id for explanation in explained for mistake in explanation.mistakes][1:]
        if failed and (effect := self._effect()) not in (verdict.diagnosis, None):
            others.append(effect)
        return replace(verdict, also=tuple(dict.fromkeys(others)))

    def _named(
        self, name: str, finding: Finding, explained: tuple[Explanation, ...]
    ) -> Iterator[str]:
        """Yield the sentences that name mistakes: the first in full, the others short."""
        for number, explanation in enumerate(explained):
            where = "" if explanation.case == name else f"On “{explanation.case}”: "
            for mistake in explanation.mistakes:
                if mistake.id == finding.code and explanation.case == name:
                    continue  # the ladder has said it
                if number == 0 and mistake is explanation.mistakes[0]:
                    yield f"{where}{mistake.says} {mistake.next_step}"
                else:
                    yield f"{where or 'Also: '}{mistake.says}"
        if not finding.tidy and (code := self._effect()) is not None:
            named = {mistake.id for explanation in explained for mistake in explanation.mistakes}
            if code not in named:
                yield f"It also {SIDE_EFFECTS[code][0]}."

    def _effect(self) -> str | None:
        """Return the first side effect on any case, also where the value is wrong too."""
        for name, record in self.records.items():
            expected = self.expectation.records.get(name, {})
            for code in well_formed(record)["effects"]:
                if code in SIDE_EFFECTS and code not in expected.get("effects", []):
                    raised = code == "hooks_left" and expected.get("status") == "raised"
                    return "hooks_left_on_error" if raised else str(code)
        return None

    def _climb(self, name: str) -> Finding | None:
        case, expected = self.expectation.cases[name], self.expectation.records[name]
        if name not in self.records:
            call = f"`{self.exercise.name}`"
            message = f"{call} sent no answer for “{name}”. Does it end the program itself?"
            return Finding("ran", "", message)
        return climb(self.exercise, name, case, expected, self._record(name))

    def _record(self, name: str) -> Record:
        return aligned(self.expectation.records[name], well_formed(self.records[name]))

    def _points(self, findings: dict[str, Finding | None]) -> float:
        """Return partial credit by cases.

        Nothing is given while the first case fails.
        """
        worth = [1.0 if f is None else TIDY_SHARE if f.tidy else 0.0 for f in findings.values()]
        share = sum(worth) / len(worth) if worth[0] else 0.0
        return in_quarters(self.exercise.points, share)

    def _none(self, outcome: Outcome, message: str) -> Verdict:
        return self._verdict(outcome, 0.0, None, message, "", "", {})

    def _verdict(
        self,
        outcome: Outcome,
        points: float,
        diagnosis: str | None,
        message: str,
        detail: str,
        case: str,
        findings: dict[str, Finding | None],
    ) -> Verdict:
        return Verdict(
            exercise=f"{self.expectation.stem}.{self.exercise.name}",
            outcome=outcome,
            points=points,
            max_points=self.exercise.points,
            diagnosis=diagnosis,
            message=message,
            detail=detail,
            case=case,
            passed_cases=sum(finding is None for finding in findings.values()),
            case_count=len(self.expectation.cases),
            seconds=self.answer.seconds,
        )


def in_quarters(points: float, share: float) -> float:
    """Return a share of an exercise's points, rounded to a quarter.

    Less than the whole share is never full marks, and more than nothing is never 0.

    >>> in_quarters(2, 0.97), in_quarters(2, 0.01), in_quarters(2, 0.6), in_quarters(2, 1)
    (1.75, 0.25, 1.25, 2)
    """
    if share in (0, 1):
        return points * share
    return min(max(round(4 * points * share) / 4, QUARTER), points - QUARTER)


@cache
def _every_exercise() -> set[str]:
    stems = solution_stems()
    return {f"{stem}.{name}" for stem in stems for name in read_lesson(stem).exercises}


def well_formed(record: Record) -> Record:
    """Return a record in which every part that the ladder reads has its type.

    The record that comes in may be forged.
    """
    effects = record.get("effects")
    names = effects if isinstance(effects, list) else []
    status = record.get("status")
    return {
        "value": None,
        "again": None,
        "plain": None,
        **record,
        "status": status if status in ("returned", "raised", "unsendable") else "unsendable",
        "error": _checked_error(record.get("error")),
        "effects": [name for name in names if isinstance(name, str)],
        "printed": record.get("printed") if isinstance(record.get("printed"), str) else "",
        "numpy": _words(record.get("numpy"), 20),
        "note": _words(record.get("note"), 200),
    }


def _checked_error(error: Any) -> dict[str, Any]:
    error = error if isinstance(error, dict) else {}
    lines = error.get("lines")
    pairs = lines if isinstance(lines, list) else []
    return {
        "type": _words(error.get("type"), 100),
        "message": _words(error.get("message"), 400),
        "lines": [
            [pair[0], _words(pair[1], 200)]
            for pair in pairs
            if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], int)
        ],
    }


def _words(value: Any, most: int) -> str:
    """Return a text cut to a length, or no text for any other value.

    To print ten thousand tensors would take hours.
    """
    return value[:most] if isinstance(value, str) else ""
