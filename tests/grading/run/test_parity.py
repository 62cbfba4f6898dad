"""The same file gets the same outcome, points and sentence from `convlens check` and from a grader.

Under the same seed, each by its whole road: a child at home, a sandbox where it is graded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import checks
from autograder.course.reference import read_lesson
from autograder.grading.class_run import LIMITS, open_sandbox
from autograder.grading.intake.submission import Submission
from autograder.grading.run.crew import LocalCrew
from autograder.grading.run.engine import Grader
from autograder.grading.run.examine import Examiner
from autograder.grading.run.journal import Journal
from autograder.grading.sandbox.children import Sandbox
from autograder.grading.sandbox.probe import choose
from autograder.judge.seeds import PUBLIC_SEED
from autograder.student.check import Check, Checker, LessonFile

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

STEM, NAME = "l11_saliency", "saliency_map"
DEADLINE = 3.0
RIGHT = read_lesson(STEM).bare()


def on(condition: str, line: str) -> str:
    """The solved lesson, but for what the first exercise does on some cases."""
    return (
        f"{RIGHT}\n_right = {NAME}\n\n\ndef {NAME}(model, images, target):\n"
        f"    import ctypes, os, time\n    if {condition}:\n        {line}\n"
        "    return _right(model, images, target)\n"
    )


# At home the clock counts and in the grader the processor: this spends both.
SPEND = """
import time
def spend(seconds):
    end = time.process_time() + seconds
    while time.process_time() < end:
        pass
"""
# Cases: two images, one image, in-place ReLU, BatchNorm, float64, on paper, constant, with grad.
FILES = {
    "right": (RIGHT, "passed", 4.0, ""),
    "stub": (read_lesson(STEM).stubs(), "not_attempted", 0.0, "is not written yet"),
    "loading without end": ("while True: pass\n", "timeout", 0.0, "did not finish loading"),
    "exit while loading": ("import os; os._exit(0)\n", "error", 0.0, "its process while loading"),
    "memory while loading": (
        "x = 1\nx = ' ' * (10 << 30)\n",
        "error",
        0.0,
        "does not load: it asked for more memory than a check may use (line 2: `x = ",
    ),
    # A case is called twice. Each is below the deadline: were there two of them, this would pass.
    "slow load, slow case": (
        on("images.shape[-1] == 24", "spend(0.8)") + SPEND + "spend(2)\n",
        "timeout",
        0.0,
        "stopped after 3 s while on “two images”.",
    ),
    "slow case": (
        on("len(images) == 1", "spend(60)") + SPEND,
        "timeout",
        0.5,
        "stopped after 3 s while on “one image”; 1 of 9 cases were answered before.",
    ),
    "memory in one case": (
        on("images.dtype == torch.float64", "torch.ones(10 << 30)"),
        "error",
        3.5,
        "on “float64” asked for more memory than a check may use (line",
    ),
    "a list too long in one case": (
        on("images.dtype == torch.float64", "[0] * (1 << 40)"),
        "error",
        3.5,
        "on “float64” asked for more memory than a check may use (line",
    ),
    "exit in the middle": (
        on("len(images) == 3", "os._exit(3)"),
        "error",
        1.0,
        "(its exit code was 3) while on “in-place ReLU”; 2 of 9 cases were answered before.",
    ),
    "exit in the middle with 0": (
        on("len(images) == 3", "os._exit(0)"),
        "error",
        1.0,
        "(its exit code was 0) while on “in-place ReLU”",
    ),
    "a result of too many parts": (
        on("len(images) == 3", "return list(range(30_000))"),
        "error",
        1.0,
        "sent more data than a check may send while on “in-place ReLU”; 2 of 9 cases",
    ),
    # Printed in both calls, "ss" stands in "process" too: a report must not see a quotation there.
    "a letter printed, then exit": (
        on("len(images) < 3", "print('s', end='') if len(images) == 2 else os._exit(3)"),
        "error",
        0.5,
        "ended its process (its exit code was 3) while on “one image”",
    ),
    "crash in the middle": (
        on("images.dtype == torch.float64", "ctypes.string_at(0)"),
        "error",
        1.75,
        "crashed in native code",
    ),
    "crash on the plainest case": (
        on("True", "ctypes.string_at(0)"),
        "error",
        0.0,
        "while on “two images”. Look for an exit",
    ),
    "one open branch": (
        on("images.dtype == torch.float64", "raise NotImplementedError"),
        "error",
        3.5,
        "on “float64” raised NotImplementedError",
    ),
    "every branch open": (
        on("True", "raise NotImplementedError"),
        "not_attempted",
        0.0,
        "is not written yet",
    ),
    "SystemExit in one case": (
        on("images.dtype == torch.float64", "raise SystemExit"),
        "error",
        3.5,
        "ended the program with SystemExit",
    ),
}


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give the lesson three seconds an exercise, on both roads."""
    lesson = checks.lesson(STEM)
    quick = tuple(replace(exercise, deadline=DEADLINE) for exercise in lesson.exercises)
    hurried = {STEM: replace(lesson, exercises=quick)}
    monkeypatch.setattr(checks, "lesson", hurried.__getitem__)
    monkeypatch.setattr("autograder.grading.run.examine.lesson", hurried.__getitem__)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with open_sandbox(choose(), LIMITS, [STEM]) as opened:
        yield opened


@pytest.fixture(scope="module")
def checker() -> Iterator[Checker]:
    checker = Checker()
    yield checker
    checker.close()


@pytest.mark.parametrize("name", FILES)
def test_check_and_grade_say_the_same(
    name: str, sandbox: Sandbox, checker: Checker, tmp_path: Path
) -> None:
    text, *wanted, words = FILES[name]
    check = Check(checker, LessonFile(STEM, text, f"{STEM}.py"), (NAME,))
    (told,) = [checked.verdict for checked in check]
    with Journal(tmp_path / "journal.sqlite") as journal:
        crew = LocalCrew(Examiner([STEM], PUBLIC_SEED), lambda: sandbox, 1)
        grader = Grader([STEM], PUBLIC_SEED, journal, crew)
        task = grader.task(Submission("ada", "ada.py", {STEM: text}), STEM, NAME)
        graded = crew.examiner.examine(sandbox, task)["verdict"]
    assert [told.outcome, told.points] == wanted and words in told.message, told
    assert [graded["outcome"], graded["points"]] == wanted
    assert graded["message"] == told.message
