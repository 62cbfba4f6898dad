"""From what a worker wrote to a verdict: outcome, points, one sentence, and the mistake by name."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Literal

from autograder.checks.compare import close
from autograder.course.exercise import Mutant
from autograder.course.reference import read_lesson, solution_stems
from autograder.judge.expected import Expectation
from autograder.judge.ladder import Finding, climb, holds_graph, load_error_text
from autograder.judge.words import MEMORY, MEMORY_STEP
from autograder.protocol.answers import Answer, Record

Outcome = Literal["passed", "failed", "not_attempted", "error", "timeout"]
TIDY_SHARE = 0.8


@dataclass(frozen=True)
class Verdict:
    """The engine's word on one exercise of one file.

    Args:
        exercise: ``"l11_saliency.saliency_map"``.
        outcome: one of the five outcomes.
        points, max_points: partial credit by cases.
        diagnosis: id of the mutant or generic mistake recognised, or None.
        message: the sentence; holds no hidden value.
        detail: numbers, for the student's own check on public inputs only.
        case: the first case that failed.
        passed_cases, case_count: how many cases hold.
        seconds: wall time of the check.
    """

    exercise: str
    outcome: Outcome
    points: float
    max_points: float
    diagnosis: str | None = None
    message: str = ""
    detail: str = ""
    case: str = ""
    passed_cases: int = 0
    case_count: int = 0
    seconds: float = field(default=0.0, compare=False)

    def as_json(self) -> dict[str, Any]:
        """The fields that `check --json` and `results.json` promise."""
        return {
            "id": self.exercise,
            "outcome": self.outcome,
            "points": self.points,
            "max_points": self.max_points,
            "diagnosis": self.diagnosis,
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
        for record in self.records.values():
            error = _checked_error(record.get("error"))
            if error["type"] != "NotImplementedError":
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
        return self._none("not_attempted", message)

    def _unfinished(self) -> Verdict | None:
        """Count the cases that were answered before the worker ended."""
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
                ended = f"was stopped after {self.exercise.deadline:g} s{where}."
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
        findings = {name: self._climb(name) for name in self.expectation.cases}
        message = f"`{self.exercise.name}` {ended} {step}"
        return self._verdict(outcome, self._points(findings), None, message, "", "", findings)

    def _judged(self) -> Verdict:
        findings = {name: self._climb(name) for name in self.expectation.cases}
        failed = {name: f for name, f in findings.items() if f is not None and not f.tidy}
        untidy = {name: f for name, f in findings.items() if f is not None and f.tidy}
        if not failed and not untidy:
            return self._verdict("passed", self.exercise.points, None, "", "", "", findings)
        name, finding = next(iter((failed or untidy).items()))
        mutant = self._diagnose(finding)
        message = finding.message
        if mutant is not None and mutant.id != finding.code:
            message = f"{message} {mutant.says} {mutant.next_step}"
        known = {m.id for m in self.expectation.mutants}
        code = finding.code if finding.code in known else None
        diagnosis = mutant.id if mutant else finding.mutant or code
        outcome: Outcome = "error" if finding.rung == "ran" and not finding.code else "failed"
        points = self._points(findings)
        return self._verdict(outcome, points, diagnosis, message, finding.detail, name, findings)

    def _climb(self, name: str) -> Finding | None:
        case, expected = self.expectation.cases[name], self.expectation.records[name]
        if name not in self.records:
            call = f"`{self.exercise.name}`"
            message = f"{call} sent no answer for “{name}”. Does it end the program itself?"
            return Finding("ran", "", message)
        actual = well_formed(self.records[name])
        return climb(self.exercise, name, case, expected, actual)

    def _points(self, findings: dict[str, Finding | None]) -> float:
        """Partial credit by cases, and none before the plainest one holds."""
        worth = [1.0 if f is None else TIDY_SHARE if f.tidy else 0.0 for f in findings.values()]
        share = sum(worth) / len(worth) if worth[0] else 0.0
        return round(self.exercise.points * share, 2)

    def _diagnose(self, finding: Finding) -> Mutant | None:
        """The mutant that did the same on every case; failing that, with the same values."""
        recognisable = [mutant for mutant in self.expectation.mutants if mutant.says]
        for mutant in recognisable:
            if mutant.id == finding.mutant:
                return mutant
        for same in (same_record, same_outcome):
            if finding.tidy and same is same_outcome:
                break
            for mutant in recognisable:
                if self._alike(self.expectation.mutant_beginning(mutant), same):
                    whole = self.expectation.mutant_records(mutant)
                    if len(whole) == 1 + len(self.records) and self._alike(whole, same):
                        return mutant
        return None

    def _alike(self, theirs: list[Record], same: Callable[[Record, Record, Any], bool]) -> bool:
        """Whether this file did the same on each case of a mutant's records."""
        _, *cases = theirs
        return all(
            same(case, well_formed(self.records.get(case["case"], {})), self.exercise)
            for case in cases
        )

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


@cache
def _every_exercise() -> set[str]:
    stems = solution_stems()
    return {f"{stem}.{name}" for stem in stems for name in read_lesson(stem).exercises}


def same_record(theirs: Record, ours: Record, exercise: Any) -> bool:
    """Whether two records tell the same story: outcome, graph, second call and side effects."""
    return (
        same_outcome(theirs, ours, exercise)
        and theirs.get("effects", []) == ours.get("effects", [])
        and bool(theirs.get("printed")) == bool(ours.get("printed"))
        and holds_graph(theirs.get("value")) == holds_graph(ours.get("value"))
        and _close(theirs.get("again"), ours.get("again"), exercise)
    )


def same_outcome(theirs: Record, ours: Record, exercise: Any) -> bool:
    """Whether two records hold the same value, or the same error."""
    if theirs.get("status") != ours.get("status"):
        return False
    if theirs["status"] == "raised":
        return _fingerprint(theirs["error"]) == _fingerprint(ours["error"])
    return _close(theirs.get("value"), ours.get("value"), exercise)


def _close(theirs: Any, ours: Any, exercise: Any) -> bool:
    return close(theirs, ours, exercise.rtol, exercise.atol)


def _fingerprint(error: dict[str, Any]) -> tuple[str, str]:
    """An error without its numbers: shapes differ from case to case, the mistake does not."""
    return error["type"], re.sub(r"\d+", "#", error["message"])[:80]


def well_formed(record: Record) -> Record:
    """A record of hostile origin with every part that the ladder reads of the type it expects."""
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
    """Text as it came, cut; anything else is none: to print ten thousand tensors takes hours."""
    return value[:most] if isinstance(value, str) else ""
