"""Second runs keep: other students, other lessons, other folders, and what a person gave."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from classroom import STEM, OwnSandbox, files_of, grade_here, hand_in, small_class, softmax
from synthetic import mixture

from autograder.course.reference import read_lesson
from autograder.grading import class_run as run
from autograder.grading.class_run import Request
from autograder.grading.report.adjustments import NAME as ADJUSTMENTS
from autograder.grading.sandbox.children import ChildResult
from autograder.grading.sandbox.probe import NONE, probe
from lessons.toolkit.errors import UserError

OTHER = "l02_hooks"


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_class(tmp_path_factory.mktemp("in"))


@pytest.fixture(scope="module")
def whole(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    grade_here(inbox, folder)
    return folder


@pytest.fixture
def out(whole: Path, tmp_path: Path) -> Path:
    """A folder of results of its own."""
    return Path(shutil.copytree(whole, tmp_path / "graded"))


def told(out: Path) -> dict[str, Any]:
    found = json.loads((out / "results.json").read_text("utf-8"))
    return {student["student"]: student for student in found["students"]}


def grades(out: Path) -> dict[str, dict[str, str]]:
    with (out / "grades.csv").open(encoding="utf-8-sig", newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def without_run(out: Path) -> list[Any]:
    return json.loads((out / "results.json").read_text("utf-8"))["students"]


def test_one_student_graded_alone_keeps_all_the_others(inbox: Path, whole: Path, tmp_path: Path):
    mine = Path(shutil.copytree(inbox, tmp_path / "in"))
    grade_here(mine, tmp_path / "out")
    before = files_of(tmp_path / "out")
    grade_here(mine / "cem.py", tmp_path / "out")
    assert files_of(tmp_path / "out") == before == files_of(whole)
    hand_in(mine, "cem", read_lesson(STEM).bare())
    grade_here(mine / "cem.py", tmp_path / "out")
    assert list(grades(tmp_path / "out")) == ["ada", "bob", "cem", "eva", "hui"]
    assert grades(tmp_path / "out")["cem"]["score"] == "17"


def test_one_lesson_graded_alone_keeps_the_other_columns(tmp_path: Path):
    for student, text in (("ada", read_lesson(STEM).bare()), ("bob", softmax("saliency_map"))):
        hand_in(tmp_path / "in" / student / STEM, "exercises", text)
        hand_in(tmp_path / "in" / student / OTHER, "exercises", read_lesson(OTHER).stubs())
    grade_here(tmp_path / "in", tmp_path / "apart")
    first = grades(tmp_path / "apart")
    grade_here(tmp_path / "in", tmp_path / "apart", stems=[OTHER])
    after = grades(tmp_path / "apart")
    assert {name: {k: after[name][k] for k in first[name] if "." in k} for name in first} == {
        name: {k: v for k, v in first[name].items() if "." in k} for name in first
    }
    grade_here(tmp_path / "in", tmp_path / "at_once", stems=[OTHER, STEM])
    assert files_of(tmp_path / "apart") == files_of(tmp_path / "at_once")


def test_who_is_gone_from_the_folder_goes_with_row_and_page_and_that_is_said(
    inbox: Path, tmp_path: Path
):
    mine, out = Path(shutil.copytree(inbox, tmp_path / "in")), tmp_path / "out"
    grade_here(mine, out)
    (out / "feedback" / "eva" / "own.txt").write_text("an instructor's")
    (mine / "bob.py").unlink()
    (mine / "eva.py").unlink()
    ended = grade_here(mine, out)
    assert any("bob, eva" in notice for notice in ended.notices)
    assert list(grades(out)) == ["ada", "cem", "hui"] == list(told(out))
    assert sorted(p.parent.name for p in out.rglob("index.html")) == ["ada", "cem", "hui"]
    assert not (out / "feedback" / "bob").exists()
    assert (out / "feedback" / "eva" / "own.txt").exists()
    assert grade_here(mine, out).notices == []


def test_rows_of_another_folder_of_submissions_stay(inbox: Path, out: Path, tmp_path: Path):
    late = tmp_path / "late"
    hand_in(late, "zoe", read_lesson(STEM).bare())
    hand_in(late, "hui", read_lesson(STEM).bare())
    ended = grade_here(late, out)
    assert list(grades(out)) == ["ada", "bob", "cem", "eva", "hui", "zoe"]
    assert grades(out)["hui"]["score"] == "17" and ended.notices == []


def test_a_folder_that_lacks_a_lesson_makes_no_zero_of_it(tmp_path: Path):
    out = tmp_path / "out"
    hand_in(tmp_path / "one", "ada", read_lesson(STEM).bare())
    hand_in(tmp_path / "two", "ada", read_lesson(OTHER).stubs())
    hand_in(tmp_path / "two", "bob", read_lesson(OTHER).stubs())
    grade_here(tmp_path / "one", out, stems=[OTHER, STEM])
    grade_here(tmp_path / "two", out, stems=[OTHER, STEM])
    assert grades(out)["ada"]["score"] == "17"
    hand_in(tmp_path / "two", "ada", "")
    for _ in range(2):
        ended = grade_here(tmp_path / "two", out, stems=[OTHER, STEM])
    ada = told(out)["ada"]
    assert ada["score"] == 17 and ada["status"] == "unread"
    (note,) = ada["notes"]
    assert note.startswith("Not counted: “ada.py”.") and "nothing in it" in note
    assert ended.rows[0].needs_person


def test_a_lesson_that_no_run_saw_of_a_student_is_empty_and_not_final(tmp_path: Path):
    hand_in(tmp_path / "one", "ada", read_lesson(STEM).bare())
    hand_in(tmp_path / "two", "bob", read_lesson(OTHER).stubs())
    grade_here(tmp_path / "one", tmp_path / "out")
    grade_here(tmp_path / "two", tmp_path / "out", stems=[OTHER])
    ada, bob = grades(tmp_path / "out").values()
    assert ada.keys() == bob.keys() and ada["status"] == bob["status"] == "ungraded"
    assert ada["score"] == "17" and ada[f"{OTHER}.{read_lesson(OTHER).exercises[0]}"] == ""
    assert bob[f"{STEM}.saliency_map"] == "" and bob["score"] == "0"
    assert ada["max_score"] == bob["max_score"]


def test_results_are_the_same_wherever_the_folders_lie(inbox: Path, whole: Path, tmp_path: Path):
    deep = tmp_path / "a" / "b"
    shutil.copytree(inbox, deep / "in")
    grade_here(deep / "in", deep / "out")
    assert files_of(deep / "out") == files_of(whole)
    assert str(tmp_path) not in (deep / "out" / "results.json").read_text("utf-8")
    # A course's folder moves with all that is in it: who is gone then is gone.
    moved = deep.rename(tmp_path / "moved")
    (moved / "in" / "bob.py").unlink()
    grade_here(moved / "in", moved / "out")
    assert "bob" not in grades(moved / "out")


def test_another_seed_is_refused_before_anything_is_graded(inbox: Path, out: Path):
    before, sandbox = files_of(out), OwnSandbox()
    with pytest.raises(UserError, match="two seeds"):
        grade_here(inbox, out, sandbox, seed=6)
    assert sandbox.jobs == 0 and files_of(out) == before


@pytest.mark.parametrize(("again", "jobs"), [((), 0), (("timeout",), 0), (("unread",), 0)])
def test_what_has_a_verdict_is_not_asked_again(
    inbox: Path, out: Path, again: tuple[str, ...], jobs: int
):
    sandbox = OwnSandbox()
    grade_here(inbox, out, sandbox, again=again)
    assert sandbox.jobs == jobs


def test_a_student_is_asked_again_and_nobody_else(inbox: Path, out: Path):
    before, sandbox = files_of(out), OwnSandbox()
    grade_here(inbox, out, sandbox, again=["ada"])
    assert sandbox.jobs >= 5 and files_of(out) == before
    with pytest.raises(UserError, match=r"no student called 'adda'. Did you mean ada"):
        grade_here(inbox, out, sandbox, again=["adda"])


def test_a_timeout_is_remembered_until_it_is_asked_again(inbox: Path, tmp_path: Path):
    class Late(OwnSandbox):
        def run(self, payload: bytes, seconds: float) -> ChildResult:
            return ChildResult("timeout", cpu_seconds=seconds)

    out, sandbox = tmp_path / "out", OwnSandbox()
    grade_here(inbox, out, Late())
    ended = grade_here(inbox, out, sandbox, again=["ungraded"])
    assert {one["outcome"] for one in told(out)["ada"]["exercises"]} == {"timeout"}
    assert sandbox.jobs == 0 and ended.rows[0].needs_person and grades(out)["ada"]["score"] == "0"
    ended = grade_here(inbox, out, sandbox, again=["timeout"])
    assert grades(out)["ada"]["score"] == "17" and not ended.rows[0].needs_person


def give(out: Path, *lines: str) -> None:
    text = "\n".join(["student,exercise,points,note", *lines, ""])
    (out / ADJUSTMENTS).write_text(text, encoding="utf-8")


def test_a_file_for_adjustments_is_made_and_never_written_again(inbox: Path, out: Path):
    assert (out / ADJUSTMENTS).read_bytes() == b"\xef\xbb\xbfstudent,exercise,points,note\n"
    give(out)
    before = (out / ADJUSTMENTS).read_bytes()
    grade_here(inbox, out)
    assert (out / ADJUSTMENTS).read_bytes() == before


def test_what_a_person_gives_counts_is_shown_and_survives(inbox: Path, out: Path):
    give(
        out,
        f"cem,{STEM}.saliency_map,2.5,<b>Sound idea.</b>",
        "hui,total,9,Handed in on paper.",
        f"eva,{STEM}.saliency_box,0,",
    )
    for again in ((), ("cem",)):
        ended = grade_here(inbox, out, again=again)
        assert ended.notices == []
        cem, hui, eva = (told(out)[name] for name in ("cem", "hui", "eva"))
        assert (cem["score"], cem["graded_score"]) == (15.5, 13)
        first = cem["exercises"][0]
        assert (first["points"], first["given"], first["note"]) == (0, 2.5, "<b>Sound idea.</b>")
        assert (hui["score"], hui["graded_score"], hui["given"]) == (9, None, 9)
        assert hui["status"] == "graded" and hui["reason"] == ""
        assert eva["exercises"][-1]["given"] is None or eva["score"] < eva["max_score"]
        row = grades(out)["cem"]
        assert row["score"] == "15.5" and row[f"{STEM}.saliency_map"] == "2.5"
        assert grades(out)["hui"]["score"] == "9"
    page = (out / "feedback" / "cem" / "index.html").read_text("utf-8")
    assert "Given by hand: 2.5 points, in place of 0. &lt;b&gt;Sound idea.&lt;/b&gt;" in page
    assert "<strong>15.5</strong> of 17 points" in page
    assert "Handed in on paper." in (out / "feedback" / "hui" / "index.html").read_text("utf-8")
    together = (out / "class.html").read_text("utf-8")
    assert "Given by hand" in together and "Handed in on paper." in together
    give(out)
    grade_here(inbox, out)
    assert grades(out)["cem"]["score"] == "13" and grades(out)["hui"]["score"] == ""


def test_unread_work_with_points_for_each_exercise_is_final(inbox: Path, out: Path):
    give(out, *(f"hui,{STEM}.{name},1," for name in read_lesson(STEM).exercises))
    grade_here(inbox, out)
    hui = grades(out)["hui"]
    assert hui["score"] == "5" and hui["status"] == "graded"


def test_a_line_that_fits_nobody_is_said_and_stops_nothing(inbox: Path, out: Path):
    give(out, "adda,total,3,", f"ada,{OTHER}.{read_lesson(OTHER).exercises[0]},1,")
    give_more = f"bob,{STEM}.saliency_map,35,"
    with (out / ADJUSTMENTS).open("a") as file:
        file.write(f"{give_more}\n")
    notices = grade_here(inbox, out).notices
    assert notices == [
        f"{ADJUSTMENTS}, line 2: There is no student “adda”. Did you mean ada?",
        f"{ADJUSTMENTS}, line 3: {OTHER}.{read_lesson(OTHER).exercises[0]} was not graded here.",
        f"{ADJUSTMENTS}, line 4: 35 of 4 points are given.",
    ]
    assert grades(out)["bob"]["score"] == "35"


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (f"ada,{STEM}.salency_map,1,", "line 2: .*saliency_map"),
        ("ada,totl,1,", "line 2: .*total"),
        ("ada,total,three,", "line 2: “three” is no number"),
        ("ada,total,-1,", "line 2: “-1”"),
        ("ada,total,nan,", "line 2: “nan”"),
        ("ada,total,,", "line 2: “” is no number"),
        ("ada,total,3,5,note", "line 2: 5 cells.*quotes"),
        ("ada,total", "line 2: 2 cells"),
        ("ada,total,1,\nada,total,2,", "line 3: .*line 2"),
    ],
)
def test_a_line_that_cannot_be_meant_is_refused_before_anything_is_graded(
    inbox: Path, out: Path, line: str, says: str
):
    give(out, line)
    before, sandbox = files_of(out), OwnSandbox()
    with pytest.raises(UserError, match=says):
        grade_here(inbox, out, sandbox, again=["ada"])
    assert sandbox.jobs == 0 and files_of(out) == before


@pytest.mark.parametrize("header", ["student,points,note", "student,exercise,points,mark", "x"])
def test_a_header_of_its_own_is_refused_with_what_to_write(inbox: Path, out: Path, header: str):
    (out / ADJUSTMENTS).write_text(f"{header}\n")
    with pytest.raises(UserError, match=r"line 1: .*Write: student,exercise,points,note"):
        grade_here(inbox, out)


MAP = f"{STEM}.saliency_map"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (f"student;exercise;points;note\r\ncem;{MAP};2,5;Très bien\r\n", "utf-8-sig"),
        (f"student;exercise;points;note\r\ncem;{MAP};2,5;Très bien\r\n", "cp1252"),
        (f"student\texercise\tpoints\tnote\ncem\t{MAP}\t2.5\tTrès bien\n", "utf-16"),
        (f'"Student","Points","Note","Exercise"\n"cem","2,5","Très bien","{MAP}"\n', "utf-8"),
        (f"student,exercise,points,note,,\n,,,,,\n cem ,{MAP},2.5,Très bien,,\n", "utf-8"),
        (f"student,exercise,points,note\n'cem,{MAP},2.5,Très bien", "utf-8"),
    ],
)
def test_spreadsheets_write_it_in_many_ways(inbox: Path, out: Path, text: str, encoding: str):
    (out / ADJUSTMENTS).write_bytes(text.encode(encoding))
    grade_here(inbox, out)
    assert grades(out)["cem"]["score"] == "15.5"
    assert told(out)["cem"]["exercises"][0]["note"] == "Très bien"


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.skipif(probe().level == NONE, reason="this machine has no isolation")
def test_in_the_sandbox_a_second_run_over_one_student_keeps_the_class(tmp_path: Path):
    hand_in(tmp_path / "in", "ada", mixture(STEM, {}))
    hand_in(tmp_path / "in", "bob", softmax("saliency_map"))
    ask = Request(tmp_path / "in", tmp_path / "out", [STEM], 5, workers=1)
    assert [row.score for row in run.grade(ask).rows] == [17, 13]
    before = files_of(tmp_path / "out")
    alone = Request(
        tmp_path / "in" / "bob.py", tmp_path / "out", [STEM], 5, again=["bob"], one=True
    )
    assert [row.score for row in run.grade(alone).rows] == [17, 13]
    assert files_of(tmp_path / "out") == before
