"""A course of real nbgrader: released once, graded once, copied by whoever changes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from classroom import STEM
from nbgrader_course import Course, make_class

from autograder.grading.nbgrader.release import Wishes, release


@pytest.fixture(scope="session")
def handed_in(tmp_path_factory: pytest.TempPathFactory) -> Course:
    """A released lesson, and what a class made of it; nobody may change it."""
    course = Course(tmp_path_factory.mktemp("nbgrader") / "course")
    release(course.root, [STEM], Wishes(due={STEM: "2026-11-20 18:00 UTC"}))
    make_class(course)
    return course


@pytest.fixture(scope="session")
def graded(handed_in: Course, tmp_path_factory: pytest.TempPathFactory) -> Course:
    """The same, through nbgrader's own steps; nobody may change it."""
    course = copied(handed_in, tmp_path_factory.mktemp("graded"))
    for words in (("autograde", STEM), ("generate_feedback", STEM), ("export",)):
        done = course.nbgrader(*words)
        assert done.returncode == 0, done.stderr
        (course.root.parent / f"{words[0]}.log").write_text(done.stdout + done.stderr)
    return course


@pytest.fixture
def own(graded: Course, tmp_path: Path) -> Course:
    """A copy of the graded course that the test may change."""
    return copied(graded, tmp_path)


@pytest.fixture
def fresh(handed_in: Course, tmp_path: Path) -> Course:
    """A copy of the course before grading that the test may change."""
    return copied(handed_in, tmp_path)


def copied(course: Course, folder: Path) -> Course:
    return Course(Path(shutil.copytree(course.root, folder / "course")))
