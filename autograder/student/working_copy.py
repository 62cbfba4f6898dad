"""Find a student's lessons, and the names that people use for them.

Nothing here imports torch.
"""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from autograder.course.catalogue import topic
from autograder.course.reference import ROOT, earlier_sources, read_lesson, solution_stems
from autograder.course.student_file import BadSubmission, read_source, solution_cells
from lessons.toolkit.errors import UserError

STATE = ".convlens"


@dataclass(frozen=True)
class WorkingCopy:
    """A folder with `lessons/lNN_topic/` in it that a student works in."""

    root: Path

    @classmethod
    def find(cls) -> WorkingCopy:
        """Find the nearest one at or above the current folder, else the course's own."""
        here = Path.cwd()
        for folder in (here, *here.parents):
            if any((folder / "lessons").glob("l[0-9][0-9]_*")):
                return cls(folder)
        return cls(ROOT)

    @property
    def state(self) -> Path:
        """Folder for progress, backups and pictures."""
        return self.root / STATE

    def exercises(self, stem: str) -> Path:
        """Return the path of the Python file that a student completes."""
        return self.root / "lessons" / stem / "exercises.py"

    def notebook(self, stem: str) -> Path:
        """Return the path of the notebook that a student may complete instead."""
        return self.root / "lessons" / stem / "lesson.ipynb"

    def shown(self, path: Path) -> str:
        """Return a path as a person at the keyboard would write it."""
        try:
            return os.path.relpath(path) if path.is_relative_to(self.root) else str(path)
        except ValueError:  # another drive on Windows
            return str(path)

    def chosen(self, stem: str) -> Path:
        """Return the file of a lesson that counts.

        It is `exercises.py`, unless only the notebook has been worked on.
        """
        exercises, notebook = self.exercises(stem), self.notebook(stem)
        if not notebook.is_file() or _attempted_file(exercises):
            return exercises
        return notebook if _attempted_cells(notebook, stem) else exercises

    def passed_over(self, stem: str) -> Path | None:
        """Return a lesson's notebook where it holds work that does not count, or None."""
        notebook = self.notebook(stem)
        if self.chosen(stem) == notebook or not notebook.is_file():
            return None
        return notebook if _attempted_cells(notebook, stem) else None

    def source(self, stem: str, path: Path | None = None) -> str:
        """Read the Python text of a lesson.

        Args:
            stem: the lesson.
            path: its file; the one that counts when None.

        Raises:
            UserError: the file is missing, or cannot be taken as the lesson's.
        """
        path = path or self.chosen(stem)
        if not path.exists():
            next_step = "Check the path."
            if path == self.exercises(stem):
                next_step = f"`convlens reset {topic(stem)}` writes it."
            raise UserError(f"There is no file {self.shown(path)}.", next_step)
        return read_source(path, stem)

    def earlier(self, source: str) -> dict[str, str]:
        """Read the student's files of the lessons that a file needs.

        These are the lessons that it imports, and those that they import. One whose file cannot be
        read is left out, so that its import fails in the student's own lines.

        Args:
            source: text of the file.

        Returns:
            Text of each lesson, by stem.
        """
        return earlier_sources(source, self.earlier_text)

    def earlier_text(self, stem: str) -> str | None:
        """Return the Python text of a lesson that another may import, or None."""
        with contextlib.suppress(UserError):
            return self.source(stem) if stem in solution_stems() else None
        return None


def is_stub(text: str, stem: str, exercise: str) -> bool:
    """Return True if the text of an exercise still raises its stub's error."""
    return f'raise NotImplementedError("{stem}.{exercise}: not written yet")' in text


def attempted(text: str, stem: str) -> list[str]:
    """Return the exercises that a file defines without their stub's line."""
    return [
        name
        for name in read_lesson(stem).exercises
        if re.search(rf"^(?:def|class) {name}\b", text, re.MULTILINE)
        and not is_stub(text, stem, name)
    ]


def _attempted_file(path: Path) -> bool:
    stem = path.parent.name
    try:
        return bool(attempted(read_source(path, stem), stem))
    except BadSubmission:
        return False


def _attempted_cells(path: Path, stem: str) -> bool:
    try:
        cells = solution_cells(path.read_bytes(), stem)
    except (BadSubmission, OSError):
        return False
    return any(text.strip() and not is_stub(text, stem, name) for name, text in cells.items())
