"""Right work gets full marks in whatever shape it is handed in, on a busy machine, and again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from classroom import STEM
from honest import SHAPES, hand_in_honestly

from autograder.grading.class_run import Request, grade
from autograder.grading.sandbox.probe import NONE, probe

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.slow,
    pytest.mark.skipif(probe().level == NONE, reason="this machine has no isolation"),
]
# Each shape twice, each sort of import three times; `bench_grading.py honest` has all sixty pairs.
COUNT = 2 * len(SHAPES)


def test_every_shape_and_every_import_gets_full_marks_beside_four_hogs(tmp_path: Path):
    students = hand_in_honestly(tmp_path / "in", COUNT)
    busy = [sys.executable, "-c", "while True: pass"]
    hogs = [subprocess.Popen(busy) for _ in range(4)]
    try:
        run = grade(Request(tmp_path / "in", tmp_path / "out", [STEM], 5, workers=2))
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()
    lost = {
        row.student: (row.status, row.reason, row.score, [e.message for e in row.exercises])
        for row in run.rows
        if row.status != "graded" or row.score != row.max_score
    }
    assert lost == {}
    assert {row.student for row in run.rows} == set(students)
