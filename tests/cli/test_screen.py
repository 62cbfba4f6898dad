"""What the screen says beside a verdict is true of its points."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from autograder.cli.screen import show_reason
from autograder.judge.verdict import Verdict
from autograder.student.check import Checked

COUNTS = {
    "no points": (0.0, 4, "They count as soon as the plainest case holds."),
    "points by cases": (2.0, 4, ""),
    "more than by cases": (3.5, 4, "In others only the result is right"),
}


@pytest.mark.parametrize("name", COUNTS)
def test_cases_that_hold_are_counted_and_what_they_earn_is_said(name: str) -> None:
    points, holding, more = COUNTS[name]
    verdict = Verdict(
        "l11_saliency.saliency_map",
        "failed",
        points,
        4.0,
        message="No.",
        case="two images",
        passed_cases=holding,
        case_count=8,
    )
    console = Console(file=io.StringIO(), width=200)
    show_reason(console, Checked(verdict))
    line = next(line for line in console.file.getvalue().splitlines() if "cases hold" in line)
    assert line.strip() == f"4 of 8 cases hold. {more}".strip() or (more and more in line)
    assert ("plainest" in line) == (points == 0)
