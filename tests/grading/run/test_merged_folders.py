"""Folders of results become one, or are refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from classroom import STEM, files_of, grade_here, hand_in, softmax

from autograder.cli.main import main
from autograder.course.reference import read_lesson
from autograder.grading.merging import merge
from autograder.grading.run.journal import NAME, locked
from lessons.toolkit.errors import UserError

HEAD = "student,exercise,points,note\n"
MAP = f"{STEM}.saliency_map"


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two folders of results: of Ada and Bob, and, later, of Ada again and Cem."""
    folder = tmp_path_factory.mktemp("graded")
    hand_in(folder / "in1", "ada", softmax("saliency_map"))
    hand_in(folder / "in1", "bob", read_lesson(STEM).stubs())
    hand_in(folder / "in2", "ada", read_lesson(STEM).bare())
    hand_in(folder / "in2", "cem", "")
    for number in (1, 2):
        grade_here(folder / f"in{number}", folder / f"out{number}")
    return folder


@pytest.fixture
def mine(graded: Path, tmp_path: Path) -> Path:
    """A copy that the test may change."""
    return Path(shutil.copytree(graded, tmp_path / "graded"))


def scores(out: Path) -> dict[str, float | None]:
    students = json.loads((out / "results.json").read_text("utf-8"))["students"]
    return {student["student"]: student["score"] for student in students}


@pytest.mark.parametrize("order", [("out1", "out2"), ("out2", "out1"), ("out1", "out2", "out1")])
def test_the_later_grading_counts_whatever_the_order_and_is_said(
    mine: Path, order: tuple[str, ...]
):
    out = mine / "merged"
    merged = merge([mine / name for name in order], out)
    assert scores(out) == {"ada": 17, "bob": 0, "cem": None}
    assert merged.notices == [f"Graded more than once, the later counts: ada ({STEM})."]
    pages = {path.parent.name for path in out.glob("feedback/*/index.html")}
    assert pages == {"ada", "bob", "cem"} and (out / "class.html").exists()


def test_into_one_of_them_and_again_changes_nothing_more(mine: Path):
    merge([mine / "out1"], mine / "out2")
    assert scores(mine / "out2") == {"ada": 17, "bob": 0, "cem": None}
    before = files_of(mine / "out2")
    merge([mine / "out1", mine / "out2"], mine / "out2")
    assert files_of(mine / "out2") == before


def test_a_run_that_finds_nothing_new_makes_nothing_later(mine: Path):
    grade_here(mine / "in1", mine / "out1")
    merge([mine / "out1", mine / "out2"], mine / "merged")
    assert scores(mine / "merged")["ada"] == 17


def test_adjustments_are_brought_together(mine: Path):
    given = f"ada,{MAP},3,A sound idea.\n", '\'007,total,2,\nbob,total,1.5,"On paper, late."\n'
    for number, lines in enumerate(given, 1):
        (mine / f"out{number}" / "adjustments.csv").write_text(HEAD + lines, "utf-8")
    merged = merge([mine / "out1", mine / "out2"], mine / "merged")
    assert scores(mine / "merged")["bob"] == 1.5
    assert any("no student “007”" in notice for notice in merged.notices)
    text = (mine / "merged" / "adjustments.csv").read_text("utf-8-sig")
    assert text == HEAD + "".join(given)
    untouched = (mine / "merged" / "adjustments.csv").stat().st_mtime_ns
    merge([mine / "out1"], mine / "merged")
    assert (mine / "merged" / "adjustments.csv").stat().st_mtime_ns == untouched


def test_adjustments_that_contradict_each_other_are_refused(mine: Path):
    for number in (1, 2):
        text = f"{HEAD}ada,{MAP},{number},\n"
        (mine / f"out{number}" / "adjustments.csv").write_text(text, "utf-8")
    with pytest.raises(UserError, match=f"ada, {MAP} is given 1 .*out1.*and 2 .*out2"):
        merge([mine / "out1", mine / "out2"], mine / "merged")
    assert not (mine / "merged" / "results.json").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seed_hash": "0" * 16}, "differ in their seed"),
        ({"course": "0" * 16}, "differ in their course"),
        ({"versions": {"torch": "2.6.0"}}, "differ in their versions: .*torch .* and 2.6.0"),
        ({"limits": {"threads": 1}}, "differ in their limits"),
    ],
)
def test_what_cannot_stand_in_one_table_is_refused_by_name(
    mine: Path, change: dict[str, object], words: str
):
    path = mine / "out2" / "results.json"
    results = json.loads(path.read_text("utf-8"))
    results["run"].update(change)
    path.write_text(json.dumps(results), "utf-8")
    with pytest.raises(UserError, match=words) as refused:
        merge([mine / "out1", mine / "out2"], mine / "merged")
    assert "out1" in refused.value.message and "out2" in refused.value.message
    assert not (mine / "merged" / NAME).exists()


def test_the_weakest_isolation_is_what_the_whole_had(mine: Path):
    path = mine / "out2" / "results.json"
    results = json.loads(path.read_text("utf-8"))
    results["run"]["isolation"] = "none"
    path.write_text(json.dumps(results), "utf-8")
    assert merge([mine / "out1", mine / "out2"], mine / "merged").record["isolation"] == "none"


def test_a_folder_without_results_and_one_at_work_are_refused(mine: Path):
    with pytest.raises(UserError, match="in1 holds no results"):
        merge([mine / "out1", mine / "in1"], mine / "merged")
    with locked(mine / "out1"), pytest.raises(UserError, match="Another grader"):
        merge([mine / "out1"], mine / "merged")


def test_the_command_merges_and_says_what_it_did(mine: Path, capsys: pytest.CaptureFixture[str]):
    words = ["merge", str(mine / "out1"), str(mine / "out2"), "--out", str(mine / "merged")]
    assert main(words) == 1  # Cem's file is empty
    said = capsys.readouterr()
    assert "3 students: 2 graded, 1 unusable." in said.out
    assert "Graded more than once" in said.out and "Merging into" in said.err
    assert main(["merge", str(mine / "in1"), "--out", str(mine / "merged")]) == 2
