"""`pytest lessons/l11_saliency`: one item for each exercise, with its verdict."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.course.reference import read_lesson
from autograder.student.check import Check, Checker, LessonFile, reasons
from autograder.student.pytest_item import ExerciseItem, NotPassed
from autograder.student.working_copy import WorkingCopy

RUNNING: pytest.StashKey[dict[Path, Check]] = pytest.StashKey()


class LessonItems(pytest.File):
    """Exercises of one `exercises.py`."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield one item for each exercise, in the lesson's order."""
        for name in read_lesson(self.path.parent.name).exercises:
            yield OwnExercise.from_parent(self, name=name)

    def check(self) -> Check:
        """Return the check of this file, whose child serves all of its items."""
        running = self.config.stash.setdefault(RUNNING, {})
        if self.path not in running:
            stem = self.path.parent.name
            copy = WorkingCopy(self.path.parent.parent.parent)
            source = copy.source(stem, self.path)
            file = LessonFile(stem, source, copy.shown(self.path), copy.earlier(source))
            checker = Checker()
            running[self.path] = Check(checker, file)
            self.config.add_cleanup(running[self.path].close)
            self.config.add_cleanup(checker.close)
        return running[self.path]


class OwnExercise(ExerciseItem):
    """One exercise of the working copy."""

    def runtest(self) -> None:
        """Check the exercise in a child process."""
        assert isinstance(self.parent, LessonItems)
        checked = self.parent.check().one(self.name)
        self.note(checked.verdict.as_json())
        if checked.verdict.outcome != "passed":
            raise NotPassed(reasons(checked))

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Return where pytest says the exercise is."""
        return self.path, None, f"{self.path.parent.name}.{self.name}"
