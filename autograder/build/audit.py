"""The gate for authors: stubs fail, references pass, mistakes fail under their own names.

Every mistake is made alone, then beside a foreign detail (another exception text, a missing check,
a tensor overwritten in place), then together with one of another family. What is named, and truly,
is counted.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from autograder.build.inventory import lesson_inventory
from autograder.checks import lesson
from autograder.checks.mistakes.layers import LAYERS
from autograder.course.catalogue import landed_stems
from autograder.course.exercise import Exercise, Function, Lesson, Mistake
from autograder.course.mistakes import WordsError
from autograder.course.reference import LessonSource, SourceError, read_lesson
from autograder.judge.diagnosis import same_record
from autograder.judge.expected import (
    Expectation,
    Record,
    Variant,
    run_trusted,
    wrong_source,
)
from autograder.judge.seeds import PUBLIC_SEED
from autograder.judge.verdict import Answer, Verdict, judge

# Lowest share of mistakes that must be named, by how they are made.
GATES = {"alone": 1.0, "beside a foreign detail": 0.95, "in pairs": 0.85}
# How many of each kind are tried for an exercise; other seeds try others.
SAMPLE = 16
OWN_ERRORS = (ValueError, AttributeError, KeyError, IndexError, TypeError)


@dataclass
class Rate:
    """How many mistakes were made in one way, and how many of them were named."""

    made: int = 0
    named: int = 0

    @property
    def share(self) -> float:
        """Named of made, in [0, 1]."""
        return self.named / self.made if self.made else 1.0


@dataclass
class LessonAudit:
    """What the audit of one lesson found.

    Args:
        stem: the lesson.
        rates: by how the mistakes were made.
        unnamed: one line for each mistake that was not named.
        problems: one sentence each; none means the gate is open.
        seconds: how long it took.
    """

    stem: str
    rates: dict[str, Rate] = field(default_factory=lambda: {way: Rate() for way in GATES})
    unnamed: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0


def audit(stems: Iterable[str], seed: int = PUBLIC_SEED) -> Iterator[LessonAudit]:
    """Audit lessons one by one.

    Args:
        stems: which lessons.
        seed: of the cases, and of which pairs are tried; the gate must hold for any.
    """
    for stem in stems:
        started = time.perf_counter()
        report = audit_lesson(lesson(stem), seed)
        report.seconds = time.perf_counter() - started
        yield report


def audit_lesson(record: Lesson, seed: int = PUBLIC_SEED) -> LessonAudit:
    """Audit one lesson from its record."""
    report = LessonAudit(record.stem)
    try:
        source = read_lesson(record.stem)
        report.problems += lesson_inventory(record, source)
    except (OSError, SourceError, SyntaxError, WordsError) as error:
        report.problems.append(f"{record.stem}: {error}")
        return report
    for exercise in record.exercises:
        if exercise.name in source.exercises:
            _Exercise(report, exercise, source, seed).audit()
    for way, lowest in GATES.items():
        rate = report.rates[way]
        if rate.share < lowest:
            report.problems.append(
                f"{record.stem}: {rate.named} of {rate.made} mistakes are named {way}; "
                f"{lowest:.0%} are asked"
            )
    return report


class _Exercise:
    """The audit of one exercise."""

    def __init__(
        self, report: LessonAudit, exercise: Exercise, source: LessonSource, seed: int
    ) -> None:
        self.report = report
        self.exercise = exercise
        self.source = source
        self.seed = seed
        self.where = f"{exercise.stem}.{exercise.name}"
        self.expectation = Expectation(exercise.stem, exercise, seed)

    def audit(self) -> None:
        self._right_versions()
        mistakes = [mistake for mistake in self._applicable() if self._alone(mistake)]
        self._beside(mistakes)
        self._in_pairs(mistakes)

    def _right_versions(self) -> None:
        first = next(iter(self.expectation.records.values()))
        if first["status"] != "returned":
            self._problem("its first case raises: it gives points and must be the plainest")
        for name in self.exercise.batch:
            if not any(name in case.inputs for case in self.expectation.cases.values()):
                self._problem(f"no case has the argument {name}, which is declared a batch")
        if (found := self._text(self.source.stubs())).outcome != "not_attempted":
            self._problem(f"the stub is {found.outcome}: {found.message}")
        if (found := self._text(self.source.bare())).outcome != "passed":
            self._problem(f"the reference is {found.outcome}: {found.message}")
        for other in self.exercise.words.accepted:
            try:
                found = self._text(wrong_source(self.source, self.exercise.name, other))
            except SourceError as error:
                self._problem(f"{other.id}: {error}")
                continue
            if found.outcome != "passed":
                self._problem(f"accepted {other.id} is {found.outcome}: {found.message}")

    def _applicable(self) -> list[Mistake]:
        """Mistakes that change anything; one of the exercise's own must, and each argument too."""
        found = []
        for mistake in self.expectation.mistakes:
            try:
                records = self.expectation.run((mistake,), self.expectation.cases)
            except SourceError as error:
                self._problem(f"{mistake.id}: {error}")
                continue
            if self._judge(records).outcome != "passed":
                found.append(mistake)
            elif mistake.family in ("own", "arguments", "question"):
                self._problem(f"mistake {mistake.id} passes")
        return found

    def _alone(self, mistake: Mistake) -> bool:
        verdict = self._verdict((mistake,))
        named = self._names(verdict, mistake)
        self._count("alone", named, mistake.id, verdict)
        return named

    def _beside(self, mistakes: list[Mistake]) -> None:
        for detail in FOREIGN:
            # A detail of a layer, where the exercise has layers.
            for mistake in self._sample(mistakes):
                variant = _ordered(mistake, detail)
                if self._adds_nothing(variant, detail):
                    continue
                verdict = self._verdict(variant)
                way = "beside a foreign detail"
                self._count(
                    way, self._names(verdict, mistake), f"{mistake.id} + {detail.id}", verdict
                )

    def _in_pairs(self, mistakes: list[Mistake]) -> None:
        for number, mistake in enumerate(self._sample(mistakes)):
            partners = [
                other
                for other in mistakes
                if other.family != mistake.family and (other.text is None or mistake.text is None)
            ]
            if not partners:
                continue
            other = partners[(7 * number + self.seed) % len(partners)]
            variant = _ordered(mistake, other)
            if self._adds_nothing(variant, mistake) or self._adds_nothing(variant, other):
                continue
            verdict = self._verdict(variant)
            both = self._names(verdict, mistake) and self._names(verdict, other)
            self._count("in pairs", both, f"{mistake.id} + {other.id}", verdict)

    def _sample(self, mistakes: list[Mistake]) -> Iterator[Mistake]:
        step = max(1, len(mistakes) // SAMPLE)
        return islice(mistakes, self.seed % step, None, step)

    def _names(self, verdict: Verdict, mistake: Mistake) -> bool:
        """Whether a verdict names a mistake, or one that nobody can tell from it here."""
        named = {verdict.diagnosis, *verdict.also}
        if mistake.id in named:
            return True
        twins = [other for other in self.expectation.mistakes if other.id in named]
        return any(self._same((other,), (mistake,)) for other in twins)

    def _adds_nothing(self, variant: Variant, one: Mistake) -> bool:
        """Whether two mistakes together do what one of them does alone."""
        return self._same(variant, (one,))

    def _same(self, one: Variant, other: Variant) -> bool:
        return all(
            same_record(
                self.expectation, self._outcome(one, case), self._outcome(other, case), case
            )
            for case in self.expectation.cases
        )

    def _outcome(self, variant: Variant, case: str) -> Record:
        return self.expectation.outcome(variant, case)

    def _verdict(self, variant: Variant) -> Verdict:
        return self._judge(self.expectation.run(variant, self.expectation.cases))

    def _text(self, text: str) -> Verdict:
        name = f"lessons/{self.exercise.stem}/exercises.py"
        return self._judge(run_trusted(self.expectation.job(text, name)))

    def _judge(self, records: list[Record]) -> Verdict:
        return judge(self.expectation, Answer("ok", tuple(records)))

    def _count(self, way: str, named: bool, what: str, verdict: Verdict) -> None:
        rate = self.report.rates[way]
        rate.made += 1
        rate.named += named
        if not named:
            taken = ", ".join([str(verdict.diagnosis), *verdict.also])
            self.report.unnamed.append(
                f"{self.exercise.name}: {what} ({way}) is taken for {taken}: {verdict.message}"
            )

    def _problem(self, text: str) -> None:
        self.report.problems.append(f"{self.where}: {text}")


def _ordered(*mistakes: Mistake) -> Variant:
    return tuple(sorted(mistakes, key=lambda m: (m.change is not None, m.text is None)))


def _other_words(right: Function) -> Function:
    """Raise the same errors with words of one's own."""

    @functools.wraps(right)
    def wrong(*args: Any, **kwargs: Any) -> Any:
        try:
            return right(*args, **kwargs)
        except OWN_ERRORS as error:
            raise type(error)("this cannot be done") from None

    return wrong


def _no_errors(right: Function) -> Function:
    """Check nothing: where the reference raises, return something."""

    @functools.wraps(right)
    def wrong(*args: Any, **kwargs: Any) -> Any:
        try:
            return right(*args, **kwargs)
        except OWN_ERRORS:
            return None

    return wrong


# What people leave out or write in their own words, without a mistake of its own in it.
FOREIGN = (
    Mistake("other_words", "", "", family="foreign", wrap=_other_words),
    Mistake("no_errors", "", "", family="foreign", wrap=_no_errors),
    Mistake("no_clone", "", "", family="foreign", wrap=LAYERS["overwritten_in_place"]),
)


def main(argv: list[str] | None = None) -> int:
    """Run the gate without the command line: `python -m autograder.build.audit [STEM ...]`."""
    import sys

    chosen = (sys.argv[1:] if argv is None else argv) or landed_stems()
    failed = False
    for report in audit(chosen):
        print(summary(report))
        for problem in [*report.unnamed, *report.problems]:
            print(f"  {problem}")
        failed |= bool(report.problems)
    return 1 if failed else 0


def summary(report: LessonAudit) -> str:
    """Return one line of an audit: how many mistakes were named, each way."""
    rates = ", ".join(f"{rate.named}/{rate.made} {way}" for way, rate in report.rates.items())
    return f"{report.stem}: {rates}; {report.seconds:.1f} s"


if __name__ == "__main__":
    raise SystemExit(main())
