"""Audit lessons for their authors.

Stubs must fail, references pass, and mistakes fail under their own names. Every mistake is made
alone, then beside a foreign detail (another exception text, a missing check, a tensor overwritten
in place), then together with one of another family. What is named, and truly, is counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import combinations, islice, repeat
from multiprocessing import get_context

import torch

from autograder.build.inventory import lesson_inventory
from autograder.checks import lesson
from autograder.course.catalogue import landed_stems
from autograder.course.exercise import Exercise, Lesson, Mistake
from autograder.course.mistakes import WordsError
from autograder.course.reference import LessonSource, SourceError, read_lesson
from autograder.judge.diagnosis import constant, fits, same_record
from autograder.judge.expected import (
    Expectation,
    Record,
    Variant,
    run_trusted,
    wrong_source,
)
from autograder.judge.seeds import PUBLIC_SEED
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import Answer

# Lowest share of mistakes that must be named, by how they are made.
GATES = {"alone": 1.0, "beside a foreign detail": 0.95, "in pairs": 0.85}
# How many are tried for an exercise; other seeds try others.
FOREIGN_SAMPLE, PAIR_SAMPLE = 10, 8
# On how many of the cases on which a mistake shows alone it is looked for in a pair. On all of them
# it takes a third of the audit's time, mostly for pairs of which one hides the other.
CASES_OF_A_PAIR = 4
# Families whose mistakes show in some case wherever they apply; those that need a special network
# or an error to show.
MUST_SHOW = {"own", "arguments", "question", "layers", "state"}
NEED_MORE = {"train_mode", "hooks_left_on_error", "first_run", "overwritten_in_place"}
# What torch raises at images that a network refuses is nobody's to promise.
TORCHS_OWN = {"", "RuntimeError"}
# Families whose mistakes only change the result: nothing has to be looked for beside it.
QUIET = {"question", "layers", "arguments", "results", "reductions", "sums", "enlargements"}
QUIET |= {"thresholds", "boxes", "scalings"}


@dataclass
class Rate:
    """Count of the mistakes made in one way, and of those that were named."""

    made: int = 0
    named: int = 0

    @property
    def share(self) -> float:
        """Share of the mistakes that were named, in [0, 1]."""
        return self.named / self.made if self.made else 1.0


@dataclass
class LessonAudit:
    """Report on the audit of one lesson.

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


def audit(
    stems: Sequence[str],
    seed: int = PUBLIC_SEED,
    processes: int = 1,
    ways: Collection[str] = tuple(GATES),
) -> Iterator[LessonAudit]:
    """Audit lessons and yield their reports in order.

    Args:
        stems: which lessons.
        seed: of the cases, and of which pairs are tried; the gate must hold for any.
        processes: how many lessons are audited at a time.
        ways: how mistakes are made beside "alone", which they always are: of `GATES`.
    """
    processes = min(processes, len(stems))
    if processes <= 1:
        yield from (_audit_stem(stem, seed, ways) for stem in stems)
        return
    # A fork of a process that has run torch on threads can hang: each begins anew.
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        yield from pool.map(_audit_stem, stems, repeat(seed), repeat(ways))


def _audit_stem(stem: str, seed: int, ways: Collection[str]) -> LessonAudit:
    torch.set_num_threads(1)  # tiny networks wait longer for a second thread than they work
    started = time.perf_counter()
    report = audit_lesson(lesson(stem), seed, ways)
    report.seconds = time.perf_counter() - started
    return report


def audit_lesson(
    record: Lesson, seed: int = PUBLIC_SEED, ways: Collection[str] = tuple(GATES)
) -> LessonAudit:
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
            _Exercise(report, exercise, source, seed).audit(ways)
    for way, lowest in GATES.items():
        rate = report.rates[way]
        if rate.share < lowest:
            report.problems.append(
                f"{record.stem}: {rate.named} of {rate.made} mistakes are named {way}; "
                f"{lowest:.0%} are asked"
            )
    return report


class _Exercise:
    """Audit of one exercise."""

    def __init__(
        self, report: LessonAudit, exercise: Exercise, source: LessonSource, seed: int
    ) -> None:
        self.report = report
        self.exercise = exercise
        self.source = source
        self.seed = seed
        self.where = f"{exercise.stem}.{exercise.name}"
        self.expectation = Expectation(exercise.stem, exercise, seed)

    def audit(self, ways: Collection[str]) -> None:
        if self._stale_texts():  # nothing can be diagnosed
            return
        self._right_versions()
        verdicts = self._applicable()
        self._two_names([mistake for mistake, _ in verdicts])
        mistakes = [mistake for mistake, verdict in verdicts if self._alone(mistake, verdict)]
        if "beside a foreign detail" in ways:
            self._beside(mistakes)
        if "in pairs" in ways:
            self._in_pairs(mistakes)

    def _stale_texts(self) -> bool:
        """Report texts that no longer fit the reference."""
        versions = [mistake.text for mistake in self.expectation.mistakes if mistake.text]
        stale = False
        for version in (*versions, *self.exercise.words.accepted):
            try:
                wrong_source(self.source, self.exercise.name, version)
            except SourceError as error:
                self._problem(f"{version.id}: {error}")
                stale = True
        return stale

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
        told = self.source.stub(self.exercise.name) + self.source.text.partition("\nfrom ")[0]
        for case, record in self.expectation.records.items():
            kind = record["error"]["type"] if record["status"] == "raised" else ""
            if kind not in TORCHS_OWN and kind not in told:
                self._problem(f"“{case}” must raise {kind}, and no docstring says so")
        for other in self.exercise.words.accepted:
            found = self._text(wrong_source(self.source, self.exercise.name, other))
            if found.outcome != "passed":
                self._problem(f"accepted {other.id} is {found.outcome}: {found.message}")

    def _applicable(self) -> list[tuple[Mistake, Verdict]]:
        """Return the mistakes that change the verdict, each with its own.

        The exercise's own must, and so must ignored arguments and other questions.
        """
        found = []
        for mistake in self.expectation.mistakes:
            verdict = self._verdict((mistake,))
            if verdict.outcome != "passed":
                found.append((mistake, verdict))
            elif mistake.family in MUST_SHOW and mistake.id not in NEED_MORE:
                self._problem(f"mistake {mistake.id} passes")
        return found

    def _two_names(self, mistakes: list[Mistake]) -> None:
        """Report an own mistake that does what another text does: one mistake, two names."""
        texts = [mistake for mistake in mistakes if mistake.text is not None]
        for one, other in combinations(texts, 2):
            if "own" in (one.family, other.family) and self._same((one,), (other,)):
                self._problem(f"{one.id} and {other.id} are one mistake with two names")

    def _alone(self, mistake: Mistake, verdict: Verdict) -> bool:
        named = self._names(verdict, mistake)
        self._count("alone", named, mistake.id, verdict)
        return named

    def _beside(self, mistakes: list[Mistake]) -> None:
        """Make mistakes in code that also lacks care somewhere else."""
        for mistake in self._sample(mistakes, FOREIGN_SAMPLE):
            records = self._records((mistake,))
            for detail in (_other_words, _no_errors):
                changed = [detail(r, self._expected(r)) for r in records]
                if changed != records and not self._is_own_error(mistake):
                    self._count_beside(self._judge(changed), mistake, detail.__name__)
        careless = [m for m in self.expectation.mistakes if m.id == "overwritten_in_place"]
        for mistake in self._sample(mistakes, FOREIGN_SAMPLE) if careless else ():
            variant = _ordered(mistake, careless[0])
            if careless[0] is not mistake and self._combine(mistake, careless[0]):
                self._count_beside(self._verdict(variant), mistake, "no copy")

    def _expected(self, record: Record) -> Record | None:
        return self.expectation.records.get(str(record.get("case")))

    def _is_own_error(self, mistake: Mistake) -> bool:
        """Check whether a mistake shows only where the reference raises.

        Care is then all that it lacks.
        """
        return all(
            self.expectation.records[case]["status"] == "raised"
            for case in self.expectation.cases
            if not self._same_outcome((mistake,), (), case)
        )

    def _count_beside(self, verdict: Verdict, mistake: Mistake, detail: str) -> None:
        named = self._names(verdict, mistake)
        self._count(
            "beside a foreign detail", named, f"{mistake.id} + {detail.strip('_')}", verdict
        )

    def _in_pairs(self, mistakes: list[Mistake]) -> None:
        for number, mistake in enumerate(self._sample(mistakes, PAIR_SAMPLE)):
            start = (7 * number + self.seed) % len(mistakes)
            turned = mistakes[start:] + mistakes[:start]
            other = next((other for other in turned if self._combine(mistake, other)), None)
            if other is None:
                continue
            verdict = self._verdict(_ordered(mistake, other))
            both = self._names(verdict, mistake) and self._names(verdict, other)
            both = both or self._explains_all(verdict, _ordered(mistake, other))
            self._count("in pairs", both, f"{mistake.id} + {other.id}", verdict)

    def _combine(self, one: Mistake, other: Mistake) -> bool:
        """Check whether two mistakes can be made together without hiding each other."""
        if "returned_none" in (one.id, other.id):  # nothing can be told of nothing
            return False
        if one.family == other.family or (one.text is not None and other.text is not None):
            return False
        variant = _ordered(one, other)
        cases = {case for mistake in variant for case in self._first_shown(mistake)}
        if all(constant(self._outcome(variant, case)) for case in cases):
            return False  # nor of zero everywhere
        # Nor of two that undo each other, or of which one hides the other.
        return not any(
            all(self._same_outcome(variant, less, case) for case in cases)
            for less in ((), (one,), (other,))
        )

    def _first_shown(self, mistake: Mistake) -> list[str]:
        """Return the first cases on which a mistake shows."""
        shown = (
            case for case in self.expectation.cases if not self._same_outcome((mistake,), (), case)
        )
        return list(islice(shown, CASES_OF_A_PAIR))

    def _explains_all(self, verdict: Verdict, variant: Variant) -> bool:
        """Check whether the named mistakes together do exactly what was made."""
        ids = [verdict.diagnosis, *verdict.also]
        named = [mistake for mistake in self.expectation.mistakes if mistake.id in ids]
        texts = [mistake for mistake in named if mistake.text is not None]
        if not named or len(texts) > 1:
            return False
        (*others, last) = _ordered(*named)
        return all(
            fits(last, self.expectation.outcome(tuple(others), case), self._outcome(variant, case))
            if last.fits is not None and self._outcome(variant, case)["status"] == "returned"
            else self._same_outcome((*others, last), variant, case)
            for case in self.expectation.cases
        )

    def _outcome(self, variant: Variant, case: str) -> Record:
        return self.expectation.outcome(variant, case)

    def _sample(self, mistakes: list[Mistake], count: int) -> Iterator[Mistake]:
        step = max(1, len(mistakes) // count)
        return islice(mistakes, self.seed % step, None, step)

    def _names(self, verdict: Verdict, mistake: Mistake) -> bool:
        """Check whether a verdict names a mistake.

        One that cannot be distinguished from it here counts as well.
        """
        named = {verdict.diagnosis, *verdict.also}
        if mistake.id in named:
            return True
        twins = [other for other in self.expectation.mistakes if other.id in named]
        return any(self._same((other,), (mistake,)) for other in twins)

    def _same(self, one: Variant, other: Variant) -> bool:
        return all(self._same_outcome(one, other, case) for case in self.expectation.cases)

    def _same_outcome(self, one: Variant, other: Variant, case: str) -> bool:
        ours, theirs = (self.expectation.outcome(variant, case) for variant in (one, other))
        return same_record(self.expectation, ours, theirs, case)

    def _verdict(self, variant: Variant) -> Verdict:
        return self._judge(self._records(variant))

    def _records(self, variant: Variant) -> list[Record]:
        """Return the records of a variant.

        It runs only where it may leave something behind.
        """
        if any(mistake.family not in QUIET for mistake in variant):
            ran = self.expectation.run(variant, self.expectation.cases)
            if all(mistake.change is None for mistake in variant):
                self.expectation.remember(variant, ran[1:])
            return ran
        records: list[Record] = [{"loaded": True, "has": True}]
        for case, expected in self.expectation.records.items():
            outcome = self.expectation.outcome(variant, case)
            same = {"case": case, "again": outcome.get("value"), "plain": expected.get("plain")}
            records.append({**outcome, **same})
        return records

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


def _other_words(record: Record, expected: Record | None) -> Record:
    """Replace an error's words where the reference raises too."""
    if expected is None or not expected["status"] == record["status"] == "raised":
        return record
    return {**record, "error": {**record["error"], "message": "this cannot be done"}}


def _no_errors(record: Record, expected: Record | None) -> Record:
    """Return something where the reference raises, as code without checks does."""
    if expected is None or not expected["status"] == record["status"] == "raised":
        return record
    return {**record, "status": "returned", "value": torch.zeros(1)}


def main(argv: list[str] | None = None) -> int:
    """Run the audit without the command line.

    Use `python -m autograder.build.audit [STEM ...]`.
    """
    import sys

    chosen = (sys.argv[1:] if argv is None else argv) or landed_stems()
    failed = False
    for report in audit(chosen, processes=os.cpu_count() or 1):
        print(summary(report))
        for problem in [*report.unnamed, *report.problems]:
            print(f"  {problem}")
        failed |= bool(report.problems)
    return 1 if failed else 0


def summary(report: LessonAudit) -> str:
    """Return one line on how many mistakes were named, each way."""
    rates = ", ".join(f"{rate.named}/{rate.made} {way}" for way, rate in report.rates.items())
    return f"{report.stem}: {rates}; {report.seconds:.1f} s"


if __name__ == "__main__":
    raise SystemExit(main())
