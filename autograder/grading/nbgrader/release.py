"""Make a course of nbgrader from lessons, and release it through nbgrader itself."""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autograder.build.notebook import is_untouched_notebook, notebook_bytes
from autograder.build.products import notebook
from autograder.files import write_whole
from autograder.grading.nbgrader.cells import exercises_of
from autograder.grading.nbgrader.source import cells_of, grade_cells, points_of, with_points
from lessons.toolkit.errors import UserError

CONFIG = "nbgrader_config.py"
CALL = "from autograder.grading.nbgrader.config import configure"
TEXT = f'''"""A course of nbgrader, made by `convlens release`; this file is not written again."""

from pathlib import Path

{CALL}

c = get_config()  # noqa: F821
configure(c)
c.CourseDirectory.root = str(Path(__file__).resolve().parent)
c.CourseDirectory.course_id = "convlens"
# Late work: "none" takes nothing off, "zero" takes all.
c.LateSubmissionPlugin.penalty_method = "none"
'''
NOTEBOOK = "lesson"


@dataclass(frozen=True)
class Wishes:
    """What an instructor asks for besides the lessons.

    Args:
        due: date and time by stem, as nbgrader reads them.
        points: by exercise, such as ``l11_saliency.saliency_map``.
    """

    due: Mapping[str, str] = field(default_factory=dict)
    points: Mapping[str, float] = field(default_factory=dict)


def release(course: Path, stems: Sequence[str], wishes: Wishes | None = None) -> list[str]:
    """Make or renew a course, and release its lessons to students.

    What an instructor has changed stays: the configuration, a source notebook, points, due dates.
    So does all that students have handed in.

    Args:
        course: its folder.
        stems: lessons, each of which becomes an assignment.
        wishes: due dates and points, which count from now on.

    Returns:
        A line for each lesson, and for each thing that was left as it was.

    Raises:
        UserError: there is no nbgrader, the folder holds something else, nbgrader fails.
    """
    if importlib.util.find_spec("nbgrader") is None:
        raise UserError("nbgrader is not installed here.", 'pip install "convlens[nbgrader]"')
    wishes = wishes or Wishes()
    due = {stem: _moment(text) for stem, text in wishes.due.items()}
    _make_course(course)
    with _programs_found():
        house = _House(course)
        return [line for stem in stems for line in house.release(stem, wishes, due.get(stem))]


@dataclass(frozen=True)
class _Known:
    """What the gradebook knows of a lesson: none of it before its first release."""

    submissions: int
    cells: set[str]
    points: dict[str, float]


class _House:
    """A course that nbgrader has opened."""

    def __init__(self, course: Path) -> None:
        from nbgrader.apps import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory
        from traitlets.config import PyFileConfigLoader

        try:
            config = PyFileConfigLoader(CONFIG, path=str(course.resolve())).load_config()
        except Exception as error:  # it is the instructor's, and may do anything
            raise UserError(
                f"{course / CONFIG} does not load: {type(error).__name__}: {error}", "Mend it."
            ) from error
        self.folders = CourseDirectory(config=config)
        self.api = NbGraderAPI(self.folders, config=config)
        self.api.log.setLevel(logging.ERROR)

    def release(self, stem: str, wishes: Wishes, due: Any) -> Iterator[str]:
        """Release one lesson."""
        path = self._path(self.folders.source_directory, stem)
        there = path.read_text(encoding="utf-8") if path.exists() else ""
        made, known = notebook(stem, solved=True), self._known(stem)
        points, kept = _points(points_of(made), grade_cells(there.encode()), known.points, wishes)
        if there and not is_untouched_notebook(there):
            yield f"{stem}: {path} was edited by hand; its cells stay as they are."
            made = json.loads(there)
        elif there and known.submissions and known.cells != cells_of(made):
            yield (
                f"{stem}: its cells stay as they are. The lesson has others now, and "
                f"{known.submissions} students have handed in."
            )
            made = json.loads(there)
        changed = write_whole(path, notebook_bytes(with_points(made, points)))
        released = self._path(self.folders.release_directory, stem)
        if changed or not known.cells or _is_older(released, path):
            self._generate(stem)
            changed = True
        if due is not None:
            with self.api.gradebook as gradebook:
                gradebook.update_or_create_assignment(stem, duedate=due)
        yield from (f"{stem}: {line}" for line in kept)
        worth = points_of(made)
        total = f"{len(worth)} exercises, {sum(worth.values()):g} points, due {self._due(stem)}"
        yield f"{stem}: {'released' if changed else 'nothing to change'}. {total}. {released}"

    def _known(self, stem: str) -> _Known:
        from nbgrader.api import MissingEntry

        with self.api.gradebook as gradebook:
            try:
                book = gradebook.find_notebook(NOTEBOOK, stem)
            except MissingEntry:
                return _Known(0, set(), {})
            points = {cell.name: float(cell.max_score) for cell in book.grade_cells}
            return _Known(len(book.submissions), {cell.name for cell in book.source_cells}, points)

    def _due(self, stem: str) -> str:
        with self.api.gradebook as gradebook:
            due = gradebook.find_assignment(stem).duedate
        return "never" if due is None else f"{due:%Y-%m-%d %H:%M} UTC"

    def _path(self, step: str, stem: str) -> Path:
        return Path(self.folders.format_path(step, ".", stem)) / f"{NOTEBOOK}.ipynb"

    def _generate(self, stem: str) -> None:
        done = self.api.generate_assignment(stem, force=True, create=True)
        if not done["success"]:
            said = (done.get("error") or done.get("log") or "").strip().splitlines()
            raise UserError(
                f"nbgrader does not release {stem}: {said[-1] if said else 'it does not say why'}",
                f"`nbgrader generate_assignment {stem} --force` in the course says more.",
            )


def _points(
    points: dict[str, float], source: dict[str, float], base: dict[str, float], wishes: Wishes
) -> tuple[dict[str, float], list[str]]:
    """Return the points of check cells, and a line for each that differs.

    Args:
        points: the lesson's.
        source, base: those of the source notebook and of the gradebook; what was changed in either
            stays.
        wishes: go before all.
    """
    found, kept = dict(points), []
    for cell, exercise in exercises_of(points).items():
        now = [told.get(cell, points[cell]) for told in (source, base)]
        changed = [most for most in now if most != points[cell]]
        if exercise in wishes.points:
            found[cell] = wishes.points[exercise]
        elif changed:
            found[cell] = changed[0]
            name = exercise.partition(".")[2]
            kept.append(f"{name} keeps its {changed[0]:g} points; the lesson has {points[cell]:g}.")
    return found, kept


def _make_course(course: Path) -> None:
    config = course / CONFIG
    if config.exists():
        if CALL not in config.read_text(encoding="utf-8", errors="replace"):
            raise UserError(
                f"{config} is of another course.",
                f"Give an empty folder, or add to it: {CALL}; configure(c)",
            )
        return
    if course.exists() and (not course.is_dir() or any(course.iterdir())):
        raise UserError(f"{course} holds something else.", "Give an empty folder, or a new one.")
    write_whole(config, TEXT.encode())


def _moment(text: str) -> Any:
    from nbgrader.utils import parse_utc

    try:
        return parse_utc(text)
    except (ValueError, OverflowError) as error:
        raise UserError(
            f"“{text}” is no date.", "Write one such as “2027-01-31 23:59 +0100”; UTC without zone."
        ) from error


def _is_older(path: Path, than: Path) -> bool:
    return not path.exists() or path.stat().st_mtime < than.stat().st_mtime


@contextmanager
def _programs_found() -> Iterator[None]:
    """Let nbgrader find alembic, which it calls by name."""
    before = os.environ.get("PATH", "")
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), before])
    try:
        yield
    finally:
        os.environ["PATH"] = before
