from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from autograder.student.changes import Changes


def by_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave watching to the system."""


def by_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system that has no watches left."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError("no space left on device (os error 28)")

    monkeypatch.setattr("watchfiles.watch", refuse)


def write(path: Path) -> None:
    path.write_text("changed, and longer", encoding="utf-8")


def replace(path: Path) -> None:
    other = path.with_suffix(".tmp")
    other.write_text("another file", encoding="utf-8")
    other.replace(path)


def delete(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("way", [by_system, by_looking])
@pytest.mark.parametrize("change", [write, replace, delete])
def test_every_way_of_saving_is_noticed(
    way: Callable[[pytest.MonkeyPatch], None],
    change: Callable[[Path], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    way(monkeypatch)
    path = tmp_path / "l11_saliency" / "exercises.py"
    path.parent.mkdir()
    path.write_text("x", encoding="utf-8")
    noticed = threading.Event()
    changes = Changes(tmp_path, noticed.set)
    time.sleep(1)  # a watch needs a moment before it sees anything
    noticed.clear()
    change(path)
    assert noticed.wait(20)
    changes.stop()
