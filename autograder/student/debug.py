"""Run one public case of an exercise in the foreground, in this process.

A debugger then has a keyboard, and what is printed appears at once.
"""

from __future__ import annotations

import os
import traceback
from bdb import BdbQuit
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any

from autograder.student.check import Check, Checked, Checker, LessonFile


@contextmanager
def _without_breakpoints() -> Iterator[None]:
    """Let `breakpoint()` do nothing in the children that are started meanwhile."""
    before = os.environ.get("PYTHONBREAKPOINT")
    os.environ["PYTHONBREAKPOINT"] = "0"
    try:
        yield
    finally:
        del os.environ["PYTHONBREAKPOINT"]
        if before is not None:
            os.environ["PYTHONBREAKPOINT"] = before


def first_failing(file: LessonFile, names: tuple[str, ...]) -> Checked:
    """Check exercises in a child up to the first that does not pass.

    Calls of `breakpoint()` do nothing there.

    Returns:
        What the check said of that one, or of the last.
    """
    with _without_breakpoints():
        checker = Checker()
        run = Check(checker, file, names)
    try:
        for checked in run:
            if checked.verdict.outcome != "passed":
                break
        return checked
    finally:
        run.cancel()
        checker.close()


def run_case(file: LessonFile, exercise: str, case: str) -> str:
    """Call an exercise on one of its public cases, in this process.

    What it prints appears as it is printed, and a debugger of its own gets the keyboard.

    Args:
        file: the student's file; with its whole path as name, a debugger can show its lines.
        exercise: the function.
        case: name of the case; the plainest where it is "".

    Returns:
        How it went, in a line or two; for an exception, its traceback from the student's first
        line on.
    """
    from autograder.checks import lesson
    from autograder.judge.expected import Expectation
    from autograder.judge.words import kind_text
    from autograder.worker.load import load
    from autograder.worker.observe import call_once
    from autograder.worker.serve import call_of

    expectation = Expectation(file.stem, lesson(file.stem).exercise(exercise))
    job = expectation.job(file.source, file.filename, file.earlier)
    asked = next((c for c in job["cases"] if c["name"] == case), job["cases"][0])
    try:
        student = load(file.stem, file.source, file.filename, file.earlier)
        value = call_once(student, call_of(job, asked), asked["inputs"])
    except BdbQuit:
        return "You left the debugger."
    except SystemExit as error:  # the debugger's own, in newer Pythons
        left = _inside(error.__traceback__, "pdb") or _inside(error.__traceback__, "bdb")
        return "You left the debugger." if left else f"It ended the program with {error!r}."
    except Exception as error:
        return _own_traceback(error, file.filename)
    return f"It returned {kind_text(value)}."


def _inside(trace: TracebackType | None, module: str) -> bool:
    frames = traceback.walk_tb(trace)
    return any(frame.f_globals.get("__name__") == module for frame, _ in frames)


def _own_traceback(error: Exception, filename: str) -> str:
    trace: Any = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename != filename:
        trace = trace.tb_next
    return "".join(traceback.format_exception(error.with_traceback(trace))).rstrip()
