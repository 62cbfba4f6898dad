"""Fixtures of the student's side: a working copy of one lesson, and a checker in a hurry."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autograder import checks
from autograder.build.stubs import exercises_text
from autograder.course.catalogue import landed_stems
from autograder.course.exercise import Lesson
from autograder.course.reference import LessonSource, read_lesson
from autograder.student.check import Checker
from autograder.student.working_copy import WorkingCopy

STEM = "l11_saliency"


@pytest.fixture
def source() -> LessonSource:
    return read_lesson(STEM)


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: LessonSource) -> WorkingCopy:
    """A working copy of one lesson, fresh from the builder; the current folder is in it."""
    path = tmp_path / "lessons" / STEM / "exercises.py"
    path.parent.mkdir(parents=True)
    path.write_text(exercises_text(source), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return WorkingCopy(tmp_path)


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every exercise three seconds."""
    original: Callable[[str], Lesson] = checks.lesson

    def quick(stem: str) -> Lesson:
        lesson = original(stem)
        return replace(lesson, exercises=tuple(replace(e, deadline=3.0) for e in lesson.exercises))

    hurried = {stem: quick(stem) for stem in landed_stems()}
    monkeypatch.setattr(checks, "lesson", hurried.__getitem__)


@pytest.fixture
def checker() -> Iterator[Checker]:
    checker = Checker()
    yield checker
    checker.close()
