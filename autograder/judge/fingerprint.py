"""Sum up a wrong answer that no mistake explains, to find equal ones.

Students make the same mistake in different words, on other devices, in another order of summation.
What came back on the public cases is then the same but for its last digits. A fingerprint is the
answer's form, hashed, and a few sums of its numbers with fixed random weights: two answers that are
close have close sums, and others hardly ever do. So it stays small, holds no text, and is compared
within a tolerance: rounded numbers would part equal answers wherever one lies at an edge.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from autograder.judge.expected import Expectation
from autograder.judge.ladder import leaves
from autograder.judge.verdict import Verdict, findings_of
from autograder.protocol.answers import Answer

# What the ladder says of an answer's form or range names no mistake: many lead to it.
OF_THE_FORM = {"wrong_shape", "wrong_length", "not_finite", "out_of_range"}
# Work that is not there, and what only this machine lacks.
NO_MISTAKE = {"NotImplementedError", "ModuleNotFoundError", "MemoryError", "SystemExit"}
NO_MISTAKE |= {"KeyboardInterrupt", "BdbQuit"}
SUMS = 3  # a case
DIGITS = 7
# Of one case: no reference returns a hundredth of it.
MOST_NUMBERS = 1 << 20
# A number this much smaller than a case's largest may be noise around zero.
SMALL = 1e-3


@dataclass(frozen=True)
class Fingerprint:
    """Form and numbers of an answer to the cases of an exercise.

    Args:
        form: hash of types, shapes, dtypes and kinds of errors.
        numbers: `SUMS` of each case that returned, in units of the case's own largest numbers.
    """

    form: str
    numbers: tuple[float, ...]


class _NotPlain(ValueError):
    """Error of a value that cannot be summed up."""


def fingerprint(expectation: Expectation, answer: Answer, verdict: Verdict) -> Fingerprint | None:
    """Sum up a wrong answer whose mistake has no name.

    Cases on which the reference raises are left out: there students lack care, whatever else they
    do. A case that passes counts as if the reference had answered it.

    Args:
        expectation: under the public seed.
        answer: to all of its cases.
        verdict: on it.

    Returns:
        None where a mistake was named, or where what came back would agree with too much: not all
        cases were answered, nothing but errors came back, or no more than two different numbers.
    """
    if verdict.outcome not in ("failed", "error") or not _is_unnamed(verdict, expectation):
        return None
    findings, records = findings_of(expectation, answer)
    forms: list[Any] = []
    numbers: list[float] = []
    seen: set[str] = set()
    some_pass = some_raise = False
    for case, expected in expectation.records.items():
        if expected["status"] != "returned":
            continue
        finding = findings[case]
        fails = finding is not None and not finding.tidy
        ours = records.get(case) if fails else expected
        if ours is None or ours["status"] == "unsendable":
            return None
        some_pass |= not fails
        if ours["status"] == "raised":
            if (kind := ours["error"]["type"]) in NO_MISTAKE:
                return None
            forms.append(["raised", kind])
            some_raise = True
            continue
        try:
            forms.append(_form(ours["value"]))
            units = _units(expected["value"], ours["value"])
        except _NotPlain:
            return None
        numbers += _sums(units)
        if fails:
            seen.update(told for unit, entries in units for told in _different(unit, entries))
    if len(seen) <= 2 and not (some_raise and some_pass):
        return None
    told = json.dumps([SUMS, forms], separators=(",", ":"))
    return Fingerprint(hashlib.sha256(told.encode()).hexdigest()[:16], tuple(numbers))


def _is_unnamed(verdict: Verdict, expectation: Expectation) -> bool:
    """Check whether no mistake was recognised but a relation of values."""
    relations = {mistake.id for mistake in expectation.mistakes if mistake.fits is not None}
    return verdict.diagnosis is None or verdict.diagnosis in OF_THE_FORM | relations


def _form(value: Any) -> Any:
    """Return all of a value but its finite numbers.

    Raises:
        _NotPlain: a part of it is no plain data, or there is too much.
    """
    if isinstance(value, Tensor):
        if value.numel() > MOST_NUMBERS:
            raise _NotPlain
        counts = [int(f(value).sum()) for f in (torch.isnan, torch.isposinf, torch.isneginf)]
        return [str(value.dtype), list(value.shape), counts]
    if isinstance(value, dict):
        return ["dict", [[str(key), _form(value[key])] for key in sorted(value, key=str)]]
    if isinstance(value, list | tuple):
        return [type(value).__name__, [_form(item) for item in value]]
    if isinstance(value, int | float) and not isinstance(value, bool):
        if isinstance(value, int) and abs(value) >= 2**63:
            raise _NotPlain
        return "number" if math.isfinite(value) else str(value)
    if value is None or isinstance(value, bool | str):
        return [type(value).__name__, value]
    raise _NotPlain


def _units(expected: Any, actual: Any) -> list[tuple[float, Tensor]]:
    """Return each tensor of a value as its largest entry and shares of that.

    Raises:
        _NotPlain: there are too many entries.
    """
    found = leaves(actual)
    if sum(leaf.numel() for leaf in found) > MOST_NUMBERS:
        raise _NotPlain
    floor = max([SMALL * _largest(leaf) for leaf in leaves(expected)] + [1e-12])
    units = [max(_largest(leaf), floor) for leaf in found]
    return [(unit, _finite(leaf) / unit) for unit, leaf in zip(units, found, strict=True)]


def _sums(units: list[tuple[float, Tensor]]) -> list[float]:
    """Return sums of numbers with random weights, the same for every answer.

    The logarithm of each unit is one of the numbers. So a sum moves by as much as they do, relative
    to their size, and none overflows.
    """
    logs = torch.tensor([math.log(unit) for unit, _ in units], dtype=torch.float64)
    numbers = torch.cat([logs, *(entries for _, entries in units)])
    generator = torch.Generator().manual_seed(len(numbers))
    weights = torch.randn(SUMS, len(numbers), generator=generator, dtype=torch.float64)
    return [round(x, DIGITS) for x in (weights @ numbers / max(1, len(numbers)) ** 0.5).tolist()]


def _different(unit: float, entries: Tensor) -> Iterator[str]:
    """Yield a few of the different numbers of a tensor, noise aside.

    Where and how often a large one has its two numbers, as a mask does, tells as much as a third.
    """
    unique = entries.round(decimals=3).unique()
    for entry in unique[:: max(1, len(unique) // 8)].tolist():
        yield f"{unit * entry:.3g}"
    if len(unique) == 2 and len(entries) > 8:
        yield "a pattern"


def _finite(leaf: Tensor) -> Tensor:
    """Return the entries of a tensor in float64, 0 where they are not finite."""
    return leaf.detach().flatten().double().nan_to_num(0.0, 0.0, 0.0)


def _largest(leaf: Tensor) -> float:
    return float(_finite(leaf).abs().max()) if leaf.numel() else 0.0
