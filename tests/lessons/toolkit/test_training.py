"""What the training commands share."""

from __future__ import annotations

import pytest

from lessons.toolkit import training
from lessons.toolkit.errors import UserError


def test_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    file = tmp_path / "weights"
    file.write_bytes(b"old")

    def full_disk(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(training.Path, "replace", full_disk)
    with pytest.raises(UserError, match="No space left"):
        training._write(file, b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["weights"]
    assert file.read_bytes() == b"old"
