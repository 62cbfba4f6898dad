"""Find solutions and expected values in texts that a student may read."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import torch

from autograder import checks
from autograder.course.reference import read_lesson, solution_regions, without_markers
from autograder.judge.expected import PUBLIC_SEED, Expectation

SHORTEST_LINE = 12
IDIOMS = {"with torch.no_grad():"}  # stands in every second file that uses torch
DIGITS = 6
_NUMBER = re.compile(rf"(?<![\w.])-?\d*\.\d{{{DIGITS},}}(?:e-?\d+)?")


def leaks(text: str, stem: str) -> list[str]:
    """Find what a text reveals of one lesson's solution.

    Args:
        text: of a stub, a notebook, an archive's file, a feedback page.
        stem: the lesson.

    Returns:
        One line for each line of a solution, and for each number that a check expects, found in it.
    """
    lines = {_plain(line) for line in _lines(text)}
    numbers = {_rounded(float(match)) for match in _NUMBER.findall(text)}
    found = [f"a line of the solution: {line}" for line in secret_lines(stem) if line in lines]
    found += [f"an expected value: {n}" for n in sorted(numbers & expected_values(stem))]
    return found


@cache
def secret_lines(stem: str) -> tuple[str, ...]:
    """Return the lines that only the solution has.

    They come without indentation. Short ones are left out, and those that are an exercise's name.
    """
    source = read_lesson(stem)
    public = IDIOMS | set(source.exercises) | {_plain(line) for line in source.stubs().splitlines()}
    regions = [region for c in source.chunks if c.name for region in solution_regions(c.text)]
    lines = [_plain(line) for region in regions for line in region.splitlines()]
    return tuple(
        dict.fromkeys(line for line in lines if len(line) >= SHORTEST_LINE and line not in public)
    )


@cache
def expected_values(stem: str) -> frozenset[str]:
    """Return numbers that the reference yields on the public cases, rounded.

    Plain ones, with few digits, are left out.
    """
    values: set[str] = set()
    for exercise in checks.lesson(stem).exercises:
        records = Expectation(stem, exercise, PUBLIC_SEED).records
        for record in records.values():
            values.update(_rounded(number) for number in _numbers(record.get("value")))
    return frozenset(v for v in values if len(v.strip("-0.").replace(".", "")) >= DIGITS - 1)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, torch.Tensor):
        if value.is_floating_point():
            yield from filter(math.isfinite, value.detach().flatten()[:10_000].tolist())
    elif isinstance(value, float) and math.isfinite(value):
        yield value
    elif isinstance(value, dict):
        for part in value.values():
            yield from _numbers(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _numbers(part)


def _rounded(number: float) -> str:
    return f"{number:.{DIGITS}g}"


def _lines(text: str) -> list[str]:
    # In a notebook or a JSON report the line ends stand as \n inside a string.
    return without_markers(text.replace("\\n", "\n").replace('\\"', '"')).splitlines()


def _plain(line: str) -> str:
    # A line that begins with a quotation mark has two of them in a notebook, and spaces between.
    return line.strip('", \t\r')
