"""Check each exercise, with one package a lesson.

Each package holds one `LESSON`.
"""

from __future__ import annotations

import importlib
from functools import cache

from autograder.course.catalogue import landed_stems
from autograder.course.exercise import Lesson


@cache
def lesson(stem: str) -> Lesson:
    """Return the record of one lesson.

    Raises:
        KeyError: it has not landed.
    """
    if stem not in landed_stems():
        raise KeyError(stem)
    module = importlib.import_module(f"{__name__}.{stem}")
    found: Lesson = module.LESSON
    return found
