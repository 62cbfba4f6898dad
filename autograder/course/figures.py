"""Figures of the lessons, drawn with the references or a student's own functions.

A figure of a lesson is a function `name(course)`. It calls exercises as `course.l11_saliency.NAME`,
so the same figure can be drawn by the reference, for the site, and by a student, in a notebook.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Course:
    """Lessons as attributes.

    Args:
        package: pattern of the modules, with `{stem}`.
        own: functions that stand in for those of one lesson, by its stem.

    >>> Course("solutions.{stem}").l11_saliency.saliency_map.__name__
    'saliency_map'
    """

    def __init__(self, package: str, own: Mapping[str, Mapping[str, Any]] | None = None) -> None:
        self._package = package
        self._own = own or {}

    def __getattr__(self, stem: str) -> Any:
        if stem.startswith("_"):
            raise AttributeError(stem)
        if stem in self._own:
            return SimpleNamespace(**self._own[stem])
        return importlib.import_module(self._package.format(stem=stem))


def reference_course() -> Course:
    """Return every lesson as in `solutions`."""
    return Course("solutions.{stem}")


def draw(stem: str, name: str, course: Course) -> Figure:
    """Draw one figure of a lesson.

    Args:
        stem: the lesson.
        name: a function of its `figures.py`.
        course: whose functions draw it.
    """
    figures = importlib.import_module(f"lessons.{stem}.figures")
    figure: Figure = getattr(figures, name)(course)
    return figure


def show(figure: str) -> Figure | None:
    """Draw a figure with the functions written so far in a lesson's notebook.

    Args:
        figure: lesson and name, such as ``"l11_saliency.name"``.

    Returns:
        The figure. None where it needs an exercise that is not written yet; a line says which.
    """
    stem, _, name = figure.partition(".")
    mine = {key: value for key, value in vars(sys.modules["__main__"]).items() if key[:1] != "_"}
    try:
        return draw(stem, name, Course("lessons.{stem}.exercises", {stem: mine}))
    except (NotImplementedError, AttributeError) as error:
        waiting = error.name if isinstance(error, AttributeError) else str(error).partition(":")[0]
        if isinstance(error, AttributeError) and not isinstance(error.obj, SimpleNamespace):
            raise
        print(f"This picture waits for {waiting}: write that exercise, then run this cell again.")
        return None
