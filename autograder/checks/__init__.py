"""The exercise specs, one module a lesson. Each module holds one `LESSON`."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from autograder.course.exercise import Lesson


@cache
def stems() -> tuple[str, ...]:
    """Stems of the lessons whose checks have landed, in order."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in names if name[:1] == "l" and name[1:3].isdigit()))


@cache
def lesson(stem: str) -> Lesson:
    """The record of one lesson; KeyError when its checks have not landed."""
    if stem not in stems():
        raise KeyError(stem)
    module = importlib.import_module(f"{__name__}.{stem}")
    found: Lesson = module.LESSON
    return found
