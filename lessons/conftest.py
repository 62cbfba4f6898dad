"""Let `pytest lessons/l11_saliency` check a lesson, with one item an exercise."""

from __future__ import annotations

from pathlib import Path

import pytest

from autograder.course.catalogue import landed_stems
from autograder.student.pytest import LessonItems


def pytest_collect_file(parent: pytest.Collector, file_path: Path) -> pytest.File | None:
    """Collect the exercises of an `exercises.py` whose lesson has checks."""
    if file_path.name == "exercises.py" and file_path.parent.name in landed_stems():
        return LessonItems.from_parent(parent, path=file_path)
    return None
