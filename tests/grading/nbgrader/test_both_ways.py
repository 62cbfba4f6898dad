"""The same class has the same points by `convlens grade` and by `nbgrader autograde`."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from classroom import STEM, hand_in
from nbgrader_course import NAMES, Course

from autograder.cli.main import main
from autograder.course.reference import read_lesson

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]


def grade(submissions: Path, out: Path, *words: str) -> tuple[int, str, dict[str, Any]]:
    """Grade in a process of our own; the students' results by the name of their folder."""
    command = [sys.executable, "-m", "autograder.cli.main", "grade", str(submissions)]
    done = subprocess.run(
        [*command, "--out", str(out), "--lesson", STEM, *words], capture_output=True, text=True
    )
    said = done.stdout + done.stderr
    assert (out / "results.json").exists(), said
    found = json.loads((out / "results.json").read_text())["students"]
    return done.returncode, said, {row["origin"]: row for row in found}


def test_both_ways_give_equal_points_and_sentences(graded: Course, fresh: Course, tmp_path: Path):
    seed = graded.root / "graded" / ".seed"
    base = fresh.root / "gradebook.db"
    words = ("--seed-file", str(seed), "--gradebook", str(base))
    code, said, rows = grade(fresh.root / "submitted", tmp_path / "out", *words)
    assert code == 1 and "11 submissions written." in said, said
    assert len(rows) == 11
    for student, row in rows.items():
        ours = {e["id"].partition(".")[2]: e["points"] for e in row["exercises"]}
        assert ours == pytest.approx(graded.scores(student)), student
        assert fresh.grades(student) == graded.grades(student), student
        assert fresh.comments(student) == graded.comments(student), student


def test_nbgraders_export_has_the_same_totals(graded: Course):
    with (graded.root / "grades.csv").open(newline="") as file:
        table = {row["student_id"]: row for row in csv.DictReader(file)}
    assert len(table) == 11
    for student, row in table.items():
        scores = graded.scores(student).values()
        assert float(row["raw_score"]) == pytest.approx(sum(s or 0.0 for s in scores))
        assert float(row["max_score"]) == 17


def test_grading_in_the_courses_folder_is_not_done_twice(own: Course):
    """Both ways share a journal: what one knows the other does not ask again."""
    code, said, _ = grade(own.root / "submitted", own.root / "graded")
    assert code == 1 and "different checks, " in said and " of them known already" in said
    known = said.partition(" different checks, ")
    assert known[0].rpartition(" ")[2].split("\n")[-1] == known[2].partition(" of them")[0]


def test_points_by_hand_go_along_and_a_gradebook_that_is_none_is_refused(
    fresh: Course, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    submissions, out = tmp_path / "submissions", tmp_path / "out"
    hand_in(submissions, "lea", read_lesson(STEM).stubs())
    out.mkdir()
    (out / "adjustments.csv").write_text(
        f"student,exercise,points,note\nlea,{STEM}.smooth_grad,3,Sound.\n"
    )
    base = fresh.root / "gradebook.db"
    roster = tmp_path / "roster.csv"
    roster.write_text("id,name\nlea,Lea\nnobody,Who handed in nothing\n")
    _, said, _ = grade(submissions, out, "--gradebook", str(base), "--roster", str(roster))
    assert "1 submissions written." in said, said
    zeros = dict.fromkeys(NAMES, 0.0)
    assert fresh.scores("lea") == zeros | {"smooth_grad": 3.0}
    shutil.copy(out / "results.json", tmp_path / "no.db")
    for wrong in ("no.db", "missing.db"):
        command = ["grade", str(submissions), "--out", str(out), "--gradebook"]
        assert main([*command, str(tmp_path / wrong)]) == 2
        assert "is no gradebook of nbgrader" in capsys.readouterr().err
    assert not (tmp_path / "missing.db").exists()
