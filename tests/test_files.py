"""Files are the old ones or the new ones, whatever becomes of the process or the disk."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from autograder.files import write_whole
from lessons.toolkit.errors import UserError


def test_a_file_is_the_old_one_or_the_new_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "deep" / "page.html"
    write_whole(path, b"old", durable=True)

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UserError, match="No space left"):
        write_whole(path, b"new", durable=True)
    assert path.read_text() == "old"
    assert [file.name for file in path.parent.iterdir()] == ["page.html"]


def test_what_a_killed_run_left_unfinished_is_taken_up(tmp_path: Path):
    (tmp_path / ".page.html.part").write_text("half a pa")
    write_whole(tmp_path / "page.html", b"whole", durable=True)
    assert [(file.name, file.read_text()) for file in tmp_path.iterdir()] == [
        ("page.html", "whole")
    ]


def test_an_unchanged_file_is_left_alone_and_a_changed_one_is_replaced(tmp_path: Path):
    path = tmp_path / "page.html"
    assert write_whole(path, b"one") and not write_whole(path, b"one")
    written = path.stat().st_ino
    assert write_whole(path, b"two") and path.stat().st_ino != written
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such rights")
def test_a_private_file_is_private_from_the_first(tmp_path: Path):
    write_whole(tmp_path / "seed", b"1", mode=0o600)
    assert stat.S_IMODE((tmp_path / "seed").stat().st_mode) == 0o600
