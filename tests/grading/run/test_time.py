"""A busy machine costs nobody a point: who lacks it is asked again, or left to a person."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from classroom import STEM, OwnSandbox, hand_in

from autograder.course.reference import read_lesson
from autograder.grading import class_run as run
from autograder.grading.class_run import LIMITS, Request, Run
from autograder.grading.run.engine import MOST_OVERDUE
from autograder.grading.sandbox.children import ChildResult
from autograder.grading.sandbox.probe import NONE, probe

RIGHT = read_lesson(STEM).bare()
EXERCISES = len(read_lesson(STEM).exercises)


class Starved(OwnSandbox):
    """A sandbox that gets nothing of the machine for some of its jobs.

    Args:
        times: how many jobs, from the first.
        status: what becomes of them.
    """

    def __init__(self, times: int, status: str = "overdue") -> None:
        super().__init__()
        self.times = times
        self.status = status
        self.starts = 0

    def __enter__(self) -> Starved:
        self.starts += 1
        return self

    def run(self, payload: bytes, seconds: float) -> ChildResult:
        """Answer one job, or not."""
        if self.jobs < self.times:
            self.jobs += 1
            return ChildResult(self.status)  # type: ignore[arg-type]
        return super().run(payload, seconds)


def graded(folder: Path, sandbox: OwnSandbox, *sources: str) -> Run:
    for number, source in enumerate(sources):
        hand_in(folder / "in", f"student{number}", source)
    with patch.object(run, "Sandbox", lambda *_, **__: sandbox):
        return run.grade(Request(folder / "in", folder / "out", [STEM], 5, workers=1))


@pytest.mark.parametrize("status", ["overdue", "evicted"])
@pytest.mark.parametrize("times", [1, MOST_OVERDUE])
def test_what_lacked_the_machine_is_asked_again_alone(tmp_path: Path, status: str, times: int):
    sandbox = Starved(times, status)
    (row,) = graded(tmp_path, sandbox, RIGHT).rows
    assert row.status == "graded" and row.score == row.max_score
    assert sandbox.starts == 2  # the second when the first worker had ended


@pytest.mark.parametrize("status", ["overdue", "evicted"])
def test_what_lacks_it_alone_too_is_ungraded_and_asked_again_next_time(tmp_path: Path, status: str):
    (row,) = graded(tmp_path, Starved(10**6, status), RIGHT).rows
    assert row.status == "ungraded" and row.needs_person
    assert {exercise.points for exercise in row.exercises} == {None}
    assert all(exercise.message for exercise in row.exercises)
    (row,) = graded(tmp_path, OwnSandbox()).rows
    assert row.score == row.max_score


def test_a_file_that_waits_for_ever_is_waited_for_three_times_and_delays_no_other(tmp_path: Path):
    class Asleep(Starved):
        waits = 0

        def run(self, payload: bytes, seconds: float) -> ChildResult:
            if b"# asleep" in payload:
                Asleep.waits += 1
                return ChildResult("overdue")
            return OwnSandbox.run(self, payload, seconds)

    asleep, right = graded(tmp_path, Asleep(0), RIGHT + "# asleep\n", RIGHT).rows
    assert Asleep.waits == MOST_OVERDUE + 1 < EXERCISES
    assert asleep.status == "ungraded" and right.score == right.max_score


def test_a_check_that_is_whole_counts_whatever_goes_on_after_it(tmp_path: Path):
    class Lingering(OwnSandbox):
        def run(self, payload: bytes, seconds: float) -> ChildResult:
            return ChildResult("overdue", super().run(payload, seconds).frames)

    (row,) = graded(tmp_path, Lingering(), RIGHT).rows
    assert row.score == row.max_score


needs_isolation = pytest.mark.skipif(probe().level == NONE, reason="this machine has no isolation")
LAST_CASE = "images.dtype == torch.float64"
ENDS = {
    "endless": "while True: pass",
    "crash": "import ctypes; ctypes.string_at(0)",
    "exit": "import os; os._exit(0)",
    "memory": "torch.zeros(10**12)",
    "error": "raise ValueError",
    "not written": "raise NotImplementedError",
    "thread": "import threading; threading.Thread(target=print).start(); raise ValueError",
}


@pytest.mark.sandbox
@pytest.mark.slow
@needs_isolation
def test_the_cases_that_were_answered_count_however_the_rest_ends(tmp_path: Path):
    source = read_lesson(STEM)
    chunk = source.chunk("saliency_map")
    marker = "    ### BEGIN SOLUTION\n"
    for name, end in ENDS.items():
        wrong = f"{marker}    if {LAST_CASE}:\n        {end}\n"
        from autograder.course.reference import for_students, without_markers

        text = for_students(without_markers(chunk.replace(marker, wrong)))
        body = for_students(without_markers(chunk))
        assert body in source.bare()
        hand_in(tmp_path / "in", name, source.bare().replace(body, text))
    limits = replace(LIMITS, cpu_factor=0.2)
    request = Request(tmp_path / "in", tmp_path / "out", [STEM], 5, workers=2, limits=limits)
    rows = run.grade(request).rows
    points = {row.student: row.exercises[0].points for row in rows}
    assert set(points) == set(ENDS)
    full = rows[0].exercises[0].max_points
    # Those that go on with the next case lose one; those that cannot lose what comes after, too.
    for name in ("error", "not written", "memory", "thread"):
        assert points[name] == points["error"], points
    for name in ("endless", "crash", "exit"):
        assert 0 < points[name] <= points["error"] < full, points
    outcomes = {row.student: row.exercises[0].outcome for row in rows}
    assert outcomes["endless"] == "timeout"
    (endless,) = [row for row in rows if row.student == "endless"]
    assert "was stopped after 2 s while on" in endless.exercises[0].message


@pytest.mark.sandbox
@pytest.mark.slow
@needs_isolation
def test_hogs_beside_an_honest_file_cost_it_nothing(tmp_path: Path):
    source = RIGHT.replace("import torch\n", "import matplotlib.pyplot as plt\nimport torch\n", 1)
    hand_in(tmp_path / "in", "ada", source)
    busy = [sys.executable, "-c", "while True: pass"]
    hogs = [subprocess.Popen(busy) for _ in range(4)]
    try:
        (row,) = run.grade(Request(tmp_path / "in", tmp_path / "out", [STEM], 5, workers=2)).rows
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    assert row.status == "graded" and row.score == row.max_score
