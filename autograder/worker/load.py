"""Load a student's code from its text and describe its errors by its own lines."""

from __future__ import annotations

import importlib.util
import linecache
import re
import sys
import traceback
from collections.abc import Mapping
from functools import lru_cache
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import CodeType, ModuleType
from typing import Any

LONGEST_MESSAGE = 400
MOST_LINES = 4
EARLIER = re.compile(r"lessons\.(l\d\d_\w+)\.exercises")


def load(
    stem: str, source: str, filename: str, earlier: Mapping[str, str] | None = None
) -> ModuleType:
    """Run a student's file as a module of its own.

    Args:
        stem: the lesson, ``l11_saliency``; the module is registered under this name.
        source: the text of the file.
        filename: shown in tracebacks.
        earlier: the student's files of other lessons by stem, which this one may import.

    Raises:
        Exception: whatever the student's top-level code raises.
    """
    offer_earlier(earlier or {})
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module = ModuleType(stem)
    module.__file__ = filename
    sys.modules[stem] = module
    exec(_compiled(source, filename), module.__dict__)
    return module


@lru_cache(maxsize=64)
def _compiled(source: str, filename: str) -> CodeType:
    # The judge runs the same wrong version on one case after the other.
    return compile(source, filename, "exec", dont_inherit=True)


class _EarlierLessons(MetaPathFinder, Loader):
    """Finder of `lessons.lNN_topic.exercises` in the texts that came with the job."""

    def __init__(self) -> None:
        self.sources: dict[str, str] = {}

    def find_spec(
        self, fullname: str, path: object = None, target: object = None
    ) -> ModuleSpec | None:
        """Return the spec of an earlier lesson's exercises.

        Return None for any other module.
        """
        match = EARLIER.fullmatch(fullname)
        if match is None or match[1] not in self.sources:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        """Run the earlier file."""
        filename = module.__name__.replace(".", "/") + ".py"
        source = self.sources[module.__name__.split(".")[1]]
        exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)


_EARLIER = _EarlierLessons()


def offer_earlier(sources: Mapping[str, str]) -> None:
    """Make these lessons, and no others, importable as the student's own.

    Those of an earlier job no longer are.
    """
    # By name: a search of sys.modules would touch, and so copy, a page for each of its strings.
    for stem in {*_EARLIER.sources, *sources}:
        sys.modules.pop(f"lessons.{stem}.exercises", None)
    _EARLIER.sources = dict(sources)
    if _EARLIER not in sys.meta_path:
        sys.meta_path.insert(0, _EARLIER)
    for stem in sources:
        package = f"lessons.{stem}"
        if package not in sys.modules and importlib.util.find_spec(package) is None:
            # A worker may see the toolkit alone: the lesson's folder then exists only here.
            sys.modules[package] = ModuleType(package)
            sys.modules[package].__path__ = []


def describe_error(error: BaseException, filename: str) -> dict[str, Any]:
    """Describe an exception as plain data.

    It has the type, the message, and the student's lines on the way to it.

    Args:
        error: the exception.
        filename: the student's file, whose lines are kept.

    Returns:
        ``{"type", "message", "lines": [[line number, text], ...]}``, innermost line last.
    """
    return {
        "type": type(error).__name__,
        "message": _message(error),
        "lines": _student_lines(error, filename),
    }


def _message(error: BaseException) -> str:
    try:
        text = str(error.msg if isinstance(error, SyntaxError) else error)
    except Exception:  # a student's exception class may fail to describe itself
        return ""
    return text[:LONGEST_MESSAGE]


def _student_lines(error: BaseException, filename: str) -> list[list[Any]]:
    if isinstance(error, SyntaxError) and error.filename == filename:
        # Not `error.text`: Python may take that from a file of this name on the disk.
        number = error.lineno or 0
        return [[number, linecache.getline(filename, number).strip()[:200]]]
    if isinstance(error, SyntaxError) and error.filename is None:  # a cell that does not parse
        return [[error.lineno or 0, (error.text or "").strip()[:200]]]
    frames = traceback.walk_tb(error.__traceback__)
    numbers = [number for frame, number in frames if frame.f_code.co_filename == filename]
    return [[n, linecache.getline(filename, n).strip()[:200]] for n in numbers[-MOST_LINES:]]
