"""The secret seed: made once and told, kept private, and one for each folder of results."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from autograder.grading.run.journal import NAME, OLDER, Journal
from autograder.grading.run.seeds import hold_to_seed, make_seed, read_seed
from autograder.grading.run.versions import seed_hash
from lessons.toolkit.errors import UserError


def test_a_seed_is_made_once_and_kept_private(tmp_path: Path):
    path = tmp_path / "course" / "seed"
    make_seed(path, tmp_path / "out")
    assert read_seed(path) == read_seed(path) > 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in path.parent.iterdir()] == ["seed"]
    make_seed(tmp_path / "other", tmp_path / "out")
    assert read_seed(tmp_path / "other") != read_seed(path)


@pytest.mark.parametrize("text", ["", "12 13", "secret", "\xff"])
def test_a_seed_file_without_a_number_is_refused(tmp_path: Path, text: str):
    path = tmp_path / "seed"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="whole number"):
        read_seed(path)


@pytest.mark.parametrize("name", [NAME, OLDER, "results.json"])
def test_a_folder_that_was_graded_gets_no_new_seed(tmp_path: Path, name: str):
    (tmp_path / name).write_text("")
    with pytest.raises(UserError, match=r"no seed file .*typo.*--seed-file"):
        make_seed(tmp_path / "typo", tmp_path)
    assert not (tmp_path / "typo").exists()


def test_another_seed_than_the_folders_is_refused(tmp_path: Path):
    with Journal(tmp_path / NAME) as journal:
        hold_to_seed(journal, 5)
        hold_to_seed(journal, 5)
        with pytest.raises(UserError, match=f"{seed_hash(5)}, and this one is {seed_hash(6)}"):
            hold_to_seed(journal, 6)
        hold_to_seed(journal, 5)


def test_results_of_an_older_run_hold_to_their_seed_too(tmp_path: Path):
    (tmp_path / "results.json").write_text(f'{{"run": {{"seed_hash": "{seed_hash(5)}"}}}}')
    with Journal(tmp_path / NAME) as journal, pytest.raises(UserError, match="two seeds"):
        hold_to_seed(journal, 6)
