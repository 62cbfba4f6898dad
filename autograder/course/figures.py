"""Figures of the lessons, drawn with the references or a student's own functions.

A figure of a lesson is a function `name(course)`. It calls exercises as `course.l11_saliency.NAME`,
so the same figure can be drawn by the reference, for the site, and by a student, in a notebook.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_EXERCISES = re.compile(r"lessons\.l\d\d_\w+\.exercises")


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


@cache  # one for all, or what figures keep by their course would be made again for each
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


def waits_for(error: Exception) -> str:
    """Return the exercise that a figure or a cell lacks.

    For an error of another kind, return "".

    It lacks one that is still a stub, or that the file or notebook does not have.
    """
    if isinstance(error, NotImplementedError):
        stub = re.match(r"(?:l\d\d_\w+\.)?(\w+): not written yet", str(error))
        return stub[1] if stub else ""
    if isinstance(error, AttributeError):
        owner = getattr(error.obj, "__name__", "")
        ours = isinstance(error.obj, SimpleNamespace) or _EXERCISES.fullmatch(str(owner))
        return str(error.name) if ours else ""
    return ""
