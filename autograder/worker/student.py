"""Loading a student's code from its text, and telling its errors in the student's own lines."""

from __future__ import annotations

import linecache
import sys
import traceback
from types import ModuleType
from typing import Any

LONGEST_MESSAGE = 400
MOST_LINES = 4


def load(stem: str, source: str, filename: str) -> ModuleType:
    """Run a student's file as a module of its own.

    Args:
        stem: the lesson, ``l11_saliency``; the module is registered under this name.
        source: the text of the file.
        filename: shown in tracebacks.

    Raises:
        Exception: whatever the student's top-level code raises.
    """
    linecache.cache[filename] = (len(source), None, source.splitlines(keepends=True), filename)
    module = ModuleType(stem)
    module.__file__ = filename
    sys.modules[stem] = module
    exec(compile(source, filename, "exec", dont_inherit=True), module.__dict__)
    return module


def describe_error(error: BaseException, filename: str) -> dict[str, Any]:
    """An exception as plain data: its type, its message, and the student's lines on the way to it.

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
        return [[error.lineno or 0, (error.text or "").strip()[:200]]]
    frames = traceback.walk_tb(error.__traceback__)
    numbers = [number for frame, number in frames if frame.f_code.co_filename == filename]
    return [[n, linecache.getline(filename, n).strip()[:200]] for n in numbers[-MOST_LINES:]]
