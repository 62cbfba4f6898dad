"""The instructor's guide is true: its commands are run in order, in one folder."""

from __future__ import annotations

import csv
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from picture_reports import CLASS, week
from test_exports import written

from autograder.course.reference import ROOT, read_lesson
from autograder.grading.sandbox.probe import NONE, probe

PAGE = ROOT / "site" / "docs" / "instructors.md"
OTHER = "l14_grad_cam"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\b[^\n]*\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.skipif(probe().level == NONE, reason="this machine has no isolation")
def test_every_command_of_the_guide_does_what_it_says(tmp_path: Path):
    week(tmp_path)
    with zipfile.ZipFile(tmp_path / "week2.zip", "w") as archive:
        archive.writestr("lovelaceada_1001_60001_exercises.py", read_lesson(OTHER).bare())
        archive.writestr("noetheremmy_1007_60002_exercises.py", read_lesson(OTHER).stubs())
    head = ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "Saliency (17)"]
    rows = [[name, identity, "", "", "A", ""] for identity, name, _ in CLASS]
    possible = ["    Points Possible", "", "", "", "", "17"]
    (tmp_path / "gradebook.csv").write_bytes(written([head, possible, *rows], ","))
    commands = [line for block in blocks("sh") for line in block.splitlines() if line]
    commands.insert(-1, "convlens mistakes graded/")  # which the text names in a line of its own
    said: dict[str, str] = {}
    for command in commands:
        program, *words = shlex.split(command)
        if program == "pip":
            continue
        assert program == "convlens"
        if words[0] == "export":  # the points of the platform's assignment, and of one week
            assert scores(tmp_path)["1005"] == "15"
        done = subprocess.run(
            [sys.executable, "-m", "autograder.cli.main", *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
        )
        said[command] = said.get(command, "") + done.stdout + done.stderr
        assert done.returncode in (0, 1), (command, done.stderr)
        if words[0] == "grade":
            (tmp_path / "graded" / "adjustments.csv").write_text(blocks("csv")[1], "utf-8")
    first = said[next(command for command in commands if "grade week1" in command)]
    for line in blocks("text")[0].splitlines():
        assert line in first, line
    with (tmp_path / "filled.csv").open(encoding="utf-8-sig", newline="") as file:
        filled = {row["ID"]: row["Saliency (17)"] for row in csv.DictReader(file)}
    assert (filled["1001"], filled["1003"], filled["1005"], filled["1008"]) == (
        "17",
        "13",
        "15",
        "",
    )
    assert scores(tmp_path)["1001"] == str(17 + sum(_points(OTHER)))
    assert (tmp_path / "graded" / "feedback" / "1003" / "index.html").exists()


def scores(folder: Path) -> dict[str, str]:
    with (folder / "graded" / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["student"].lstrip("'"): row["score"] for row in csv.DictReader(file)}


def _points(stem: str) -> list[int]:
    from autograder.checks import lesson

    return [int(exercise.points) for exercise in lesson(stem).exercises]
