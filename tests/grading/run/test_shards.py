"""Parts of a class, graded apart and merged, are the class."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import pytest
from classroom import STEM, OwnSandbox, files_of, grade_here, hand_in, small_class

from autograder.cli.main import main
from autograder.course.reference import read_lesson
from autograder.grading import class_run as run
from autograder.grading.class_run import Request
from autograder.grading.merging import merge
from autograder.grading.run.shards import Shard
from lessons.toolkit.errors import UserError


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_class(tmp_path_factory.mktemp("in"))


def grade_part(inbox: Path, out: Path, number: int, count: int) -> run.Run:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "Sandbox", lambda *_, **__: OwnSandbox())
        ask = Request(inbox, out, [STEM], 5, workers=1, shard=Shard(number, count))
        return run.grade(ask)


def test_every_student_is_in_one_part_and_parts_are_about_as_large():
    students = [f"student-{number:05}" for number in range(10_000)]
    parts = Counter(
        number for s in students for number in range(1, 21) if Shard(number, 20).holds(s)
    )
    assert sum(parts.values()) == len(students)
    assert min(parts.values()) > 400 and max(parts.values()) < 600
    # Intake takes ADA and ada for one student.
    assert all(Shard(n, 7).holds("ADA") == Shard(n, 7).holds("ada") for n in range(1, 8))


@pytest.mark.parametrize("text", ["0/4", "5/4", "4", "1/0", "a/b", "-1/2", "1/2/3"])
def test_a_part_that_is_none_is_refused(text: str):
    with pytest.raises(UserError, match="is no part of a class"):
        Shard.read(text)


def test_merged_parts_are_the_whole_class_to_the_byte(inbox: Path, tmp_path: Path):
    grade_here(inbox, tmp_path / "whole")
    parts = [tmp_path / f"part{number}" for number in range(1, 10)]
    sizes = [len(grade_part(inbox, out, n, 9).rows) for n, out in enumerate(parts, 1)]
    assert sum(sizes) == 5 and 0 in sizes  # a part may be empty
    merged = merge(parts, tmp_path / "merged")
    assert files_of(tmp_path / "merged") == files_of(tmp_path / "whole")
    assert merged.notices == []
    # And a run over the whole class finds everything known and in its place.
    sandbox = OwnSandbox()
    again = grade_here(inbox, tmp_path / "merged", sandbox)
    assert sandbox.jobs == 0 and again.notices == []
    assert files_of(tmp_path / "merged") == files_of(tmp_path / "whole")


def test_who_is_in_another_part_is_not_gone_and_who_is_gone_goes(inbox: Path, tmp_path: Path):
    mine, out = Path(shutil.copytree(inbox, tmp_path / "in")), tmp_path / "out"
    grade_here(mine, out)
    before = files_of(out)
    part = next(n for n in (1, 2) if not Shard(n, 2).holds("bob"))
    assert grade_part(mine, out, part, 2).notices == []
    assert files_of(out) == before
    (mine / "bob.py").unlink()
    hand_in(mine, "zoe", read_lesson(STEM).bare())
    ended = grade_part(mine, out, part, 2)
    assert "without a row: bob." in ended.notices[0]
    assert {row.student for row in ended.rows} >= {"ada", "cem", "eva", "hui"}


def test_parts_want_a_seed_that_is_there_already(
    inbox: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    words = ["grade", str(inbox), "--out", str(tmp_path / "out"), "--shard", "1/2"]
    for more in ([], ["--seed-file", str(tmp_path / "seed")]):
        assert main([*words, *more]) == 2
        said = " ".join(capsys.readouterr().err.split())
        assert "all parts of a class need one and the same" in said and "--seed-file" in said
    assert not (tmp_path / "seed").exists() and not (tmp_path / "out" / ".seed").exists()
