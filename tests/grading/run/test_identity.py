"""A class as its platform packs it, graded whole: rows, names, attempts and lateness."""

from __future__ import annotations

import csv
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from classroom import STEM, grade_here, hand_in
from jsonschema import Draft202012Validator

from autograder.checks import lesson
from autograder.cli.main import main
from autograder.course.reference import ROOT, read_lesson
from autograder.grading.intake.late import due
from lessons.toolkit.errors import UserError

RIGHT, STUBS = read_lesson(STEM).bare(), read_lesson(STEM).stubs()
ROSTER = """id,name,email,canvas
1001,"Lovelace, Ada",ada@uni.de,101
1002,"Müller, Jürgen",jm@uni.de,102
1003,김민수,minsu@uni.kr,103
1004,"=cmd() ""x"", y",eve@uni.de,104
"""


@pytest.fixture
def canvas(tmp_path: Path) -> Path:
    """The archive that Canvas hands out: three students, one late, one without work."""
    place = tmp_path / "submissions.zip"
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("lovelaceada_101_50001_exercises.py", RIGHT)
        archive.writestr("müllerjürgen_LATE_102_50002_exercises-1.py", RIGHT)
        archive.writestr("cmdxy_104_50003_report.pdf", "%PDF")
    return place


@pytest.fixture
def roster(tmp_path: Path) -> Path:
    path = tmp_path / "roster.csv"
    path.write_text(ROSTER, encoding="utf-8")
    return path


def moodle(folder: Path) -> Path:
    for who, number, text in (("Ada Lovelace", 1, RIGHT), ("Bo Li", 2, STUBS)):
        hand_in(folder / f"{who}_{number}_assignsubmission_file_", "exercises", text)
    return folder


def grades(out: Path) -> dict[str, dict[str, str]]:
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def told(out: Path) -> dict[str, dict[str, Any]]:
    results = json.loads((out / "results.json").read_text("utf-8"))
    schema = json.loads((ROOT / "autograder/grading/report/results.schema.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(results)) == []
    return {row["student"]: row for row in results["students"]}


def test_the_roster_gives_the_rows(canvas: Path, roster: Path, tmp_path: Path):
    out = tmp_path / "out"
    run = grade_here(canvas, out, roster=roster)
    assert [(row.student, row.status, row.score) for row in run.rows] == [
        ("1001", "graded", 17),
        ("1002", "graded", 17),
        ("1003", "missing", None),
        ("1004", "unusable", None),
    ]
    table = grades(out)
    assert [row["name"] for row in table.values()] == [
        "Lovelace, Ada", "Müller, Jürgen", "김민수", "'=cmd() \"x\", y",
    ]  # fmt: skip
    assert table["'1003"]["score"] == table["'1004"]["score"] == ""
    assert {row["email"] for row in table.values()} >= {"ada@uni.de", "minsu@uni.kr"}
    rows = told(out)
    assert rows["1001"]["keys"] == ["101"] and rows["1003"]["keys"] == ["103"]
    assert rows["1002"]["lessons"][STEM]["late"] == "Late, the platform says."
    assert rows["1002"]["lost"] == 0 and rows["1001"]["lessons"][STEM]["late"] == ""
    page = (out / "feedback" / "1003" / "index.html").read_text("utf-8")
    assert "Nothing was handed in" in page and "김민수" in page
    assert [row.student for row in run.rows if row.needs_person] == ["1004"]


def test_who_handed_in_nothing_does_so_later_and_is_graded(
    canvas: Path, roster: Path, tmp_path: Path
):
    grade_here(canvas, tmp_path / "out", roster=roster)
    with zipfile.ZipFile(canvas, "a") as archive:
        archive.writestr("kimminsu_103_50009_exercises.py", RIGHT)
    assert grade_here(canvas, tmp_path / "out", roster=roster).rows[2].score == 17


def test_a_stranger_is_refused_by_name(canvas: Path, tmp_path: Path):
    roster = tmp_path / "roster.csv"
    roster.write_text(ROSTER.replace("102", "202").replace("Müller, Jürgen", "Miller, J"))
    with pytest.raises(UserError, match=r"“102” .müllerjürgen. is not on the roster"):
        grade_here(canvas, tmp_path / "out", roster=roster)
    assert not (tmp_path / "out" / "grades.csv").exists()


def test_the_last_attempt_counts_or_the_one_that_is_asked_for(tmp_path: Path):
    folder = tmp_path / "in"
    title = "Homework%201_ada_attempt_2026-11-0"
    for day, text in ((1, STUBS), (2, RIGHT)):
        stamp = f"{title}{day}-10-00-00"
        (folder / f"{stamp}_exercises.py").parent.mkdir(exist_ok=True)
        (folder / f"{stamp}_exercises.py").write_text(text)
        (folder / f"{stamp}.txt").write_text("Name: Ada (ada)\nAssignment: Homework 1\n")
    (folder / "Homework%201_bo_attempt_2026-11-01-09-00-00_exercises.py").write_text(RIGHT)
    (folder / "Homework%201_bo_attempt_2026-11-01-09-00-00.txt").write_text("Name: Bo (bo)\n")
    scores = {
        attempt: {
            row.student: row.score
            for row in grade_here(folder, tmp_path / f"out{attempt}", attempt=attempt).rows
        }
        for attempt in ("last", "first", 2)
    }
    assert scores["last"] == {"ada": 17, "bo": 17}
    assert scores["first"] == {"ada": 0, "bo": 17}
    assert scores[2] == {"ada": 17}
    run = grade_here(folder, tmp_path / "out2", attempt=2)
    assert "Without attempt 2, and so not graded: bo." in run.notices
    lessons = told(tmp_path / "outlast")["ada"]["lessons"][STEM]
    assert (lessons["attempt"], lessons["time"]) == (2, "2026-11-02T10:00:00")


def test_lateness_is_taken_off_where_everybody_can_see_it(tmp_path: Path):
    folder = tmp_path / "in"
    for who, day in (("ada", "29"), ("bo", "30")):
        stamp = f"HW_{who}_attempt_2026-11-{day}-10-00-00"
        folder.mkdir(exist_ok=True)
        (folder / f"{stamp}_exercises.py").write_text(RIGHT)
        (folder / f"{stamp}.txt").write_text(f"Name: {who} ({who})\n")
    rule = due("2026-11-29", "Europe/Berlin", per_day=0.1, cap=0.5)
    run = grade_here(folder, tmp_path / "out", due=rule)
    assert {row.student: row.score for row in run.rows} == {"ada": 17, "bo": 15.3}
    assert grades(tmp_path / "out")["bo"]["late"] == "1.7"
    row = told(tmp_path / "out")["bo"]
    assert (row["score"], row["graded_score"], row["lost"]) == (15.3, 15.3, 1.7)
    assert sum(e["points"] for e in row["exercises"]) == 17
    said = "1 day late, which takes 10% of the points."
    for page in ("class.html", "feedback/bo/index.html"):
        assert said in (tmp_path / "out" / page).read_text("utf-8")
    assert said not in (tmp_path / "out/feedback/ada/index.html").read_text("utf-8")
    assert "1.7 points" in (tmp_path / "out/feedback/bo/index.html").read_text("utf-8")
    # What a person gives for an exercise is late with the rest; a total that they give is final.
    (tmp_path / "out" / "adjustments.csv").write_text(
        f"student,exercise,points,note\nbo,{row['exercises'][0]['id']},2,\nada,total,9,\n"
    )
    run = grade_here(folder, tmp_path / "out", due=rule)
    first = row["exercises"][0]["points"]
    assert {row.student: row.score for row in run.rows} == {
        "ada": 9, "bo": round(0.9 * (17 - first + 2), 2),
    }  # fmt: skip


def test_what_is_not_known_of_lateness_costs_nothing_and_is_said(canvas: Path, tmp_path: Path):
    run = grade_here(canvas, tmp_path / "out", due=due("2026-11-29", "UTC", per_day=0.5))
    assert {row.student: row.score for row in run.rows} == {"101": 17, "102": 17, "104": None}
    assert run.notices == [
        "When it was handed in is not known of 3 of 3: no lateness costs them.",
    ]
    needed = {row.student: row.reason for row in run.rows if row.needs_person}
    assert "by how much is for you to judge" in needed["102"] and "101" not in needed


def test_one_students_work_is_not_taken_for_a_class_nor_a_class_for_ones(tmp_path: Path):
    hand_in(tmp_path / "ada" / STEM, "exercises", RIGHT)
    with pytest.raises(UserError, match="Say --one"):
        grade_here(tmp_path / "ada", tmp_path / "out")
    assert [row.student for row in grade_here(tmp_path / "ada", tmp_path / "out", one=True).rows]
    assert [
        r.student for r in grade_here(tmp_path / "ada" / STEM / "exercises.py", tmp_path / "b").rows
    ]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--layout", "Moddle"], "Did you mean Moodle"),
        (["--layout", "canvas"], "has no name as Canvas gives them"),
        (["--attempt", "newest"], "Say last, first, 1, 2"),
        (["--roster", "nowhere.csv"], "roster nowhere.csv cannot be read"),
        (["--due", "tomorrow"], "is no deadline"),
        (["--due", "2026-11-30T10:00"], "has no time zone"),
        (["--late-per-day", "0.1"], "Add --due"),
        (["--zone", "Asia/Seoul"], "Add --due"),
        (["--due", "2026-11-30T10:00Z", "--late-per-day", "10"], "shares from 0 to 1"),
    ],
)
def test_a_mistake_in_the_options_is_one_line(
    options: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    folder = moodle(tmp_path / "in")
    command = ["grade", str(folder), "--out", str(tmp_path / "out"), "--lesson", STEM, *options]
    assert main(command) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert said in error and "Traceback" not in error
    assert not (tmp_path / "out" / "results.json").exists()


def test_weeks_meet_in_one_row_a_student_and_each_keeps_its_lateness(roster: Path, tmp_path: Path):
    """Each week has an archive of another name, and somebody who is late."""
    out, other = tmp_path / "out", "l10_occlusion"
    first, second = tmp_path / "week1.zip", tmp_path / "week2.zip"
    for place, stem, number in ((first, STEM, 50001), (second, other, 60001)):
        with zipfile.ZipFile(place, "w") as archive:
            text = read_lesson(stem).bare()
            archive.writestr(f"lovelaceada_101_{number}_exercises.py", text)
            archive.writestr(f"müllerjürgen_LATE_102_{number + 1}_exercises.py", text)
    grade_here(first, out, roster=roster)
    (out / "adjustments.csv").write_text(
        f"student,exercise,points,note\n1001,{STEM}.saliency_map,1,Copied.\n"
    )
    grade_here(first, out, roster=roster)
    before = told(out)
    grade_here(second, out, stems=(other,), roster=roster)
    rows, full = told(out), sum(e.points for e in lesson(other).exercises)
    assert list(rows) == list(before) == ["1001", "1002", "1003", "1004"]
    assert (rows["1001"]["score"], rows["1002"]["score"]) == (14 + full, 17 + full)
    assert rows["1002"]["lessons"][STEM] == before["1002"]["lessons"][STEM]
    assert rows["1002"]["lessons"][other]["late"] == "Late, the platform says."
    assert rows["1003"]["status"] == "missing"
