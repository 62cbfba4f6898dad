"""One class of hostile and honest submissions, graded in one run by the real engine.

The attackers gain no point, no honest grade moves, nothing is left behind, and the run ends.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import time
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from catalogue import ATTACKS, STEM, World
from packages import BUILDERS
from synthetic import textual_mistakes

from autograder.checks import lesson
from autograder.course.reference import ROOT, read_lesson
from autograder.grading.class_run import LIMITS, Request, grade
from autograder.judge.expected import Expectation, run_trusted, wrong_source
from autograder.judge.verdict import judge
from autograder.protocol.answers import Answer

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

SEED = 60_221_407
MARKS = ("pwned-by-a-submission", "slipped.py", "filler", "left-for-the-next")


@dataclass
class Aftermath:
    """What there was to see when the run had ended."""

    out: Path
    students: dict[str, dict[str, Any]]
    honest: dict[str, float]
    seconds: float
    before: set[str]
    after: set[str]
    tree_before: dict[str, tuple[int, int]]
    tree_after: dict[str, tuple[int, int]]


def _children() -> set[str]:
    """This process's own children, and theirs."""
    found, waiting = set(), [os.getpid()]
    while waiting:
        listed = subprocess.run(
            ["ps", "--ppid", str(waiting.pop()), "-o", "pid=,comm="], capture_output=True, text=True
        )
        for line in listed.stdout.splitlines():
            pid, command = line.split(None, 1)
            if command != "ps":
                found.add(line.strip())
                waiting.append(int(pid))
    return found


def _tree() -> dict[str, tuple[int, int]]:
    """Size and change time of every tracked file of the repository."""
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    places = [(name, ROOT / name) for name in names if name]
    return {
        name: (place.stat().st_size, place.stat().st_mtime_ns)
        for name, place in places
        if place.is_file()
    }


def _expected_score(source: str) -> float:
    """What the judge gives a file that runs in this process: for our own files only."""
    total = 0.0
    for exercise in lesson(STEM).exercises:
        expectation = Expectation(STEM, exercise, SEED)
        records = run_trusted(expectation.job(source, f"{STEM}.py"))
        total += judge(expectation, Answer("ok", tuple(records))).points
    return round(total, 2)


def _honest_files() -> dict[str, str]:
    source = read_lesson(STEM)
    first = lesson(STEM).exercises[0]
    files = {"honest-right": source.bare(), "honest-stubs": source.stubs()}
    for name, wrong in islice(textual_mistakes(STEM, first.name).items(), 4):
        files[f"honest-{name}"] = wrong_source(source, first.name, wrong)
    return files


@pytest.fixture(scope="module")
def aftermath(tmp_path_factory: pytest.TempPathFactory) -> Aftermath:
    base = tmp_path_factory.mktemp("attacks")
    inbox, out, seed_file = base / "submissions", base / "graded", base / "secret.seed"
    inbox.mkdir()
    seed_file.write_text(f"{SEED}\n")
    seed_file.chmod(0o644)
    world = World(out, ROOT, seed_file, os.getpid())
    for attack in ATTACKS:
        (inbox / f"{attack.id}.py").write_text(attack.source(world))
    for build in BUILDERS:
        build(inbox)
    honest = _honest_files()
    for name, text in honest.items():
        (inbox / f"{name}.py").write_text(text)
    children, tree = _children(), _tree()
    started = time.monotonic()
    # Less time than a class is given, for all the attacks that only spend it.
    limits = replace(LIMITS, cpu_factor=0.1, wall_factor=4.0)
    run = grade(Request(inbox, out, [STEM], SEED, workers=2, limits=limits))
    seconds = time.monotonic() - started
    rows = json.loads((out / "results.json").read_text())["students"]
    assert len(rows) == len(run.rows)
    return Aftermath(
        out,
        {row["student"]: row for row in rows},
        {name: _expected_score(text) for name, text in honest.items()},
        seconds,
        children,
        _children(),
        tree,
        _tree(),
    )


def test_there_are_enough_attacks_of_every_class() -> None:
    assert len(ATTACKS) + len(BUILDERS) >= 60
    kinds = {attack.kind for attack in ATTACKS}
    assert len(kinds) == 9 and min(sum(a.kind == k for a in ATTACKS) for k in kinds) >= 4


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.id)
def test_an_attacker_gains_nothing(aftermath: Aftermath, attack: Any) -> None:
    row = aftermath.students[attack.id]
    assert row["status"] == ("ungraded" if attack.waits else "graded"), row["reason"]
    assert row["score"] == 0, [e for e in row["exercises"] if e["points"]]
    first, *others = row["exercises"]
    assert first["points"] == (None if attack.waits else 0)
    assert all(e["points"] == 0 for e in others)
    assert all(e["message"] for e in row["exercises"])


def test_hostile_packages_gain_nothing_and_have_a_reason(aftermath: Aftermath) -> None:
    known = {attack.id for attack in ATTACKS} | set(aftermath.honest)
    packages = {name: row for name, row in aftermath.students.items() if name not in known}
    assert len(packages) == len(BUILDERS)
    for name, row in packages.items():
        assert not row["score"], (name, row)
        assert row["status"] in ("graded", "unread", "unusable"), (name, row)
        assert row["reason"] or any(e["message"] for e in row["exercises"]), name


def test_honest_grades_are_what_they_would_have_been(aftermath: Aftermath) -> None:
    scores = {name: aftermath.students[name]["score"] for name in aftermath.honest}
    assert scores == aftermath.honest
    assert scores["honest-right"] == aftermath.students["honest-right"]["max_score"] > 0


def test_nobody_is_left_and_nothing_outside_is_touched(aftermath: Aftermath) -> None:
    assert aftermath.after == aftermath.before
    assert aftermath.tree_after == aftermath.tree_before
    folders = [aftermath.out, ROOT, ROOT / "autograder", Path("/tmp"), Path.home()]
    folders += [Path("/var/tmp"), Path("/dev/shm"), Path.cwd()]
    left = [folder / mark for folder in folders for mark in MARKS if (folder / mark).exists()]
    assert left == []


def test_the_run_ends_in_time(aftermath: Aftermath) -> None:
    # A bound on hanging, not a benchmark: every deadline of every attack, one after the other.
    deadline = lesson(STEM).exercises[0].deadline
    assert aftermath.seconds < 2 * deadline * len(ATTACKS)


def test_no_two_students_met(aftermath: Aftermath) -> None:
    message = aftermath.students["previous-student"]["exercises"][0]["message"]
    assert "met another: []" in message


def test_ids_and_cells_are_safe(aftermath: Aftermath) -> None:
    with (aftermath.out / "grades.csv").open(newline="") as file:
        rows = list(csv.reader(file))
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell[:1] in "=+-@\t\r" and cell]
    for name in aftermath.students:
        assert name.isprintable() and "/" not in name and "\\" not in name and "<" not in name
        assert name not in (".", "..") and not name.startswith("=")


def test_no_page_holds_a_script_or_an_escape(aftermath: Aftermath) -> None:
    pages = list(aftermath.out.rglob("*.html"))
    assert len(pages) > len(ATTACKS)
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "<script" not in text.lower() and "\x1b" not in text and "\u202e" not in text
        assert "onerror=" not in text.replace("&lt;img src=x onerror=", "")
