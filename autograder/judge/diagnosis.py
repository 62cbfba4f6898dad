"""Name the mistakes behind a failing answer.

An answer is explained by a mistake that returns the same on the first failing case and contradicts
no passing one. So a foreign detail elsewhere, such as an edge case nobody thought of, hides no
name. Where no single mistake explains a case, two of different families are tried together.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import torch

from autograder.checks.compare import close
from autograder.course.exercise import Mistake
from autograder.judge.expected import Expectation, Record, Variant
from autograder.judge.ladder import Finding, climb, holds_graph, leaves, structure
from autograder.judge.words import SIDE_EFFECTS

# Families whose mistakes are tried around every other: a wrong question, and train mode.
AROUND = ("question", "state")
# How many such pairs are tried: each is a run of its own, and a person waits.
MOST_PAIRS = 250
# How many unexplained cases are looked into: each costs as much as the first.
MOST_SEARCHES = 3
# What came back is no result at all: the ladder's own sentence says everything.
SAID_BY_THE_LADDER = {"returned_none", "printed_not_returned", "numpy_not_tensor"}

# Results of another form in which two mistakes can still be recognised.
COMPARABLE = {"wrong_shape", "wrong_keys", "wrong_length", "tensor_not_number"}


@dataclass(frozen=True)
class Explanation:
    """Mistakes that explain failing cases.

    Args:
        mistakes: one, or two made together.
        case: the failing case that was asked about.
        cases: all failing cases that they explain.
    """

    mistakes: Variant
    case: str
    cases: frozenset[str]


def diagnose(
    expectation: Expectation,
    findings: Mapping[str, Finding | None],
    records: Mapping[str, Record],
) -> tuple[Explanation, ...]:
    """Find at most two explanations of the failing cases, the main one first.

    Args:
        expectation: what is expected.
        findings: what the ladder found on each case; a tidy finding is no failure of the value.
        records: what the student's code did, in the form that the ladder reads.

    Returns:
        The explanations; empty where no known mistake explains the answer.
    """
    return _Search(expectation, findings, records).explanations()


class _Search:
    def __init__(
        self,
        expectation: Expectation,
        findings: Mapping[str, Finding | None],
        records: Mapping[str, Record],
    ) -> None:
        self.expectation = expectation
        self.exercise = expectation.exercise
        self.records = records
        answered = [name for name in findings if name in records]
        self.failing = [name for name in answered if _fails(findings[name])]
        self.passing = [name for name in answered if not _fails(findings[name])]
        self.codes = {name: finding.code for name, finding in findings.items() if finding}
        self.named = {name: f.mistake for name, f in findings.items() if f and f.mistake}

    def explanations(self) -> tuple[Explanation, ...]:
        found: list[Explanation] = []
        searches, unexplained = 0, False
        for case in self.failing:
            if any(case in explanation.cases for explanation in found):
                continue
            if found and self._covers(found[0].mistakes, case):
                found[0] = replace(found[0], cases=found[0].cases | {case})
                continue
            if self.codes[case] in SAID_BY_THE_LADDER:
                continue
            if len(found) == 2 or searches == MOST_SEARCHES:
                break
            searches += 1
            explanation = self._explain(case, found[0] if found else None)
            if explanation is None:
                unexplained = True
            # What shows on a few later cases is no mistake beside one that shows on the first.
            elif not (unexplained and not found and 2 * len(explanation.cases) < len(self.failing)):
                found.append(explanation)
        named = [mistake.id for explanation in found for mistake in explanation.mistakes]
        certain = [m.id for explanation in found for m in explanation.mistakes if m.fits is None]
        if len(certain) < 2 and (ignored := self._ignored(named)) is not None:
            # It says more than a factor that makes up for it.
            found = [_certain(explanation) for explanation in found] + [ignored]
        return tuple(found)

    def _covers(self, variant: Variant, case: str) -> bool:
        """Check whether mistakes found on an earlier case say enough of this one.

        The exercise's own judge names a mistake where it sees one; on other cases the same mistake
        may look like another, or like none.
        """
        if self._explains(variant, case):
            return True
        finding = self._finding(variant, case) if case in self.named else None
        return finding is not None and finding.mistake == self.named[case]

    def _explain(self, case: str, main: Explanation | None) -> Explanation | None:
        if case in self.named:  # the exercise's own judge has named it
            named = [m for m in self.expectation.mistakes if m.id == self.named[case]]
            if named:
                same = {c for c in self.failing if self.named.get(c) == named[0].id}
                return Explanation((named[0],), case, frozenset(same))
        known = self.expectation.mistakes
        if main is None:
            return self._main(case)
        quiet = [mistake for mistake in known if not self._shows(mistake, main)]
        if (best := self._best(case, [(mistake,) for mistake in quiet])) is not None:
            return best
        # Perhaps the main mistake and one that only shows here.
        (first, *rest) = main.mistakes
        beside = [_in_order((first, other)) for other in quiet if other.family != first.family]
        if not rest and (best := self._best(case, beside)) is not None:
            return Explanation(_without(best.mistakes, first), case, best.cases)
        return None

    def _main(self, case: str) -> Explanation | None:
        """Explain the case that fails first.

        Exact mistakes are tried first, then two of different families made together, then mistakes
        that are one of many.
        """
        known = self.expectation.mistakes
        exact = [mistake for mistake in known if mistake.fits is None]
        loose = [mistake for mistake in known if mistake.fits is not None]
        single = self._best(case, [(mistake,) for mistake in exact])
        factor = self._best(case, [(mistake,) for mistake in loose])
        if single is not None and not _explains_more(factor, single):
            return single
        if factor is not None and single is not None:
            return factor
        # An exercise with a judge of its own has many right answers, and as many mixed ones.
        if self.exercise.judge is not None or not self._comparable(case):
            return factor
        pair = self._best(case, self._pairs(case))
        if pair is not None and not _explains_more(factor, pair):
            return pair
        if factor is not None:
            return factor
        runs = [mistake for mistake in exact if mistake.change is None]
        return self._best(case, [(run, other) for run in runs for other in loose])

    def _shows(self, mistake: Mistake, main: Explanation) -> bool:
        """Check whether a mistake alone shows on a case that the main one explains."""
        return any(
            not self._same(self.expectation.outcome((mistake,), c), self.expectation.records[c], c)
            for c in main.cases
        )

    def _ignored(self, named: Iterable[str]) -> Explanation | None:
        """Find an argument that plays no part.

        All calls that differ in it alone then give the same. No value has to be right for that, so
        it is found beside any other mistake.
        """
        for name, pairs in self.expectation.twins.items():
            known = [m for m in self.expectation.mistakes if m.id == f"{name}_ignored"]
            returned = [pair for pair in pairs if all(map(self._returned, pair))]
            failing = [case for pair in returned for case in pair if case in self.failing]
            if not known or known[0].id in named or not failing:
                continue
            # Alike to the last bits: some results hardly depend on an argument, and still do.
            values = [[self.records[case]["value"] for case in pair] for pair in returned]
            if all(close(one, other, 1e-6, 1e-8) for one, other in values) and any(
                _telling(self.records[one]) for one, _ in returned
            ):
                return Explanation((known[0],), failing[0], frozenset(failing))
        return None

    def _returned(self, case: str) -> bool:
        return case in self.records and self.records[case]["status"] == "returned"

    def _comparable(self, case: str) -> bool:
        """Check whether the answer is of the right kind.

        Only then can two mistakes be recognised in it.
        """
        ours, expected = self.records[case], self.expectation.records[case]
        if ours["status"] != "returned" or expected["status"] != "returned" or constant(ours):
            return False
        problem = structure(expected["value"], ours.get("value"))
        return problem is None or problem[0] in COMPARABLE

    def _pairs(self, case: str) -> Iterator[Variant]:
        """Yield pairs of mistakes of different families, the cheap ones first.

        Only those are taken that change the answer to this case, and without an error: the others
        add nothing to a pair.
        """
        runs = [m for m in self.expectation.mistakes if m.change is None and self._tells(m, case)]
        changes = [m for m in self.expectation.mistakes if m.change is not None and m.fits is None]
        for run in runs:
            for change in changes:
                if run.family != change.family:
                    yield run, change
        outer = [mistake for mistake in runs if mistake.family in AROUND]
        inner = [mistake for mistake in runs if mistake.family not in AROUND]
        made = ((mistake, other) for other in outer for mistake in inner)
        yield from islice(made, MOST_PAIRS)

    def _tells(self, mistake: Mistake, case: str) -> bool:
        record = self.expectation.outcome((mistake,), case)
        expected = self.expectation.records[case]
        return record.get("status") == "returned" and not self._same(record, expected, case)

    def _best(self, case: str, variants: Iterable[Variant]) -> Explanation | None:
        """Return the variant that explains this case and the most others.

        It contradicts no passing case.
        """
        best: Explanation | None = None
        for variant in variants:
            if not self._explains(variant, case):
                continue
            if any(self._contradicts(variant, passing) for passing in self.passing):
                continue
            cases = frozenset(name for name in self.failing if self._explains(variant, name))
            if self._is_weak(case, variant, cases):
                continue
            if best is None or len(cases) > len(best.cases):
                best = Explanation(variant, case, cases)
            if len(cases) == len(self.failing):
                break
        return best

    def _explains(self, variant: Variant, case: str) -> bool:
        ours, last = self.records[case], variant[-1]
        if not all(seen(mistake, ours) for mistake in variant):
            return False
        if last.fits is not None:
            return fits(last, self.expectation.outcome(variant[:-1], case), ours)
        return self._same(self.expectation.outcome(variant, case), ours, case)

    def _same(self, theirs: Record, ours: Record, case: str) -> bool:
        return same_record(self.expectation, theirs, ours, case)

    def _contradicts(self, variant: Variant, case: str) -> bool:
        """Check whether the mistakes would fail a case that passes."""
        return _fails(self._finding(variant, case))

    def _finding(self, variant: Variant, case: str) -> Finding | None:
        """Return what the ladder finds where the reference makes these mistakes."""
        theirs = {"again": None, "effects": [], **self.expectation.outcome(variant, case)}
        expected = self.expectation.records[case]
        return climb(self.exercise, case, self.expectation.cases[case], expected, theirs)

    def _is_weak(self, case: str, variant: Variant, cases: frozenset[str]) -> bool:
        """Check whether the explained cases are too little evidence.

        One case is too little for a result of few numbers, for two mistakes together, and for a
        mistake that is one of many.
        """
        record = self.records[case]
        if (
            (_telling(record) or record["status"] == "raised")
            and variant[-1].fits is None
            and len(variant) == 1
        ):
            return False
        return len(cases) < min(2, len(self.failing))


def seen(mistake: Mistake, record: Record) -> bool:
    """Check whether a mistake that leaves something behind has left it on a case.

    A right value proves no such mistake: only the observer can tell. Other mistakes need no
    witness.

    Args:
        mistake: any mistake.
        record: what the student's code did on the case.
    """
    if mistake.id == "keeps_graph":
        return holds_graph(record.get("value"))
    effect = "hooks_left" if mistake.id == "hooks_left_on_error" else mistake.id
    return effect not in SIDE_EFFECTS or effect in record.get("effects", [])


def fits(mistake: Mistake, theirs: Record, ours: Record) -> bool:
    """Check whether two results are related as a mistake's `fits` asks.

    Args:
        mistake: one of many, such as any factor; without `fits` nothing is related.
        theirs: what the reference gives, perhaps with other mistakes.
        ours: what the student's code gave.
    """
    if mistake.fits is None or not theirs.get("status") == ours.get("status") == "returned":
        return False
    alike = structure(theirs["value"], ours["value"]) is None
    return alike and mistake.fits(theirs["value"], ours["value"])


def same_record(expectation: Expectation, theirs: Record, ours: Record, case: str) -> bool:
    """Check whether two records of one case hold the same value or the same error.

    Where the reference raises, only the type counts: everyone has words of their own.
    """
    if theirs.get("status") != ours.get("status"):
        return False
    if theirs["status"] != "raised":
        exercise = expectation.exercise
        return close(theirs.get("value"), ours.get("value"), exercise.rtol, exercise.atol)
    if expectation.records[case]["status"] == "raised":
        return bool(theirs["error"]["type"] == ours["error"]["type"])
    return _without_numbers(theirs["error"]) == _without_numbers(ours["error"])


def _telling(record: Record) -> bool:
    """Check whether a result has more than two different finite numbers.

    Another result then hardly ever agrees with it by chance.
    """
    return len(_numbers(record).unique()) > 2


def constant(record: Record) -> bool:
    """Check whether a result is one number again and again.

    All that is cut off at zero is.
    """
    numbers = _numbers(record)
    return len(numbers) > 1 and len(numbers.unique()) == 1


def _numbers(record: Record) -> torch.Tensor:
    numbers = [leaf.flatten().double() for leaf in leaves(record.get("value"))]
    entries = torch.cat(numbers or [torch.ones(0)])
    return entries[entries.isfinite()]


def _explains_more(one: Explanation | None, other: Explanation) -> bool:
    return one is not None and len(one.cases) > len(other.cases)


def _certain(explanation: Explanation) -> Explanation:
    """Leave out what is one of many, beside a mistake that is not."""
    kept = tuple(mistake for mistake in explanation.mistakes if mistake.fits is None)
    return replace(explanation, mistakes=kept or explanation.mistakes)


def _fails(finding: Finding | None) -> bool:
    return finding is not None and not finding.tidy


def _in_order(variant: Variant) -> Variant:
    """Order mistakes as they are made, text first and changes of the result last."""
    return tuple(sorted(variant, key=lambda m: (m.change is not None, m.text is None)))


def _without(variant: Variant, mistake: Mistake) -> Variant:
    return tuple(other for other in variant if other is not mistake)


def _without_numbers(error: Mapping[str, Any]) -> tuple[str, str]:
    """Return an error's type and its message without numbers.

    Shapes differ from case to case, the mistake does not.
    """
    return error["type"], re.sub(r"\d+", "#", error["message"])[:80]
