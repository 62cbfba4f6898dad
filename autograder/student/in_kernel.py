"""Lend a notebook those functions of `exercises.py` that it has not written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from autograder.course.catalogue import landed_stems
from autograder.course.reference import read_lesson
from autograder.student.own import written
from autograder.student.working_copy import WorkingCopy

IsStub = Callable[[str, Any], bool]


class FileFunctions:
    """The finished functions of `exercises.py`, lent to the notebook beside it.

    A stub that is run in the notebook does not hide them: they are put back after the cell, and a
    line says so. A function that is written in the notebook stays.

    Args:
        copy: the student's working copy.
        stem: the lesson.
        names: the notebook's names.
        is_stub: says whether a function of the notebook is still a stub.
    """

    def __init__(
        self, copy: WorkingCopy, stem: str, names: dict[str, Any], is_stub: IsStub
    ) -> None:
        self._copy, self._stem, self._names, self._is_stub = copy, stem, names, is_stub
        self._path = copy.exercises(stem)
        self._seen = 0
        self._functions: dict[str, Any] = {}
        self._lent: dict[str, Any] = {}

    def lend(self, *_: Any) -> None:
        """Put in what is missing, after each cell."""
        if self._changed():
            self._read()
        hidden, new = [], []
        for name in read_lesson(self._stem).exercises:
            mine, theirs = self._names.get(name), self._functions.get(name)
            if theirs is None or mine is theirs:
                continue
            if mine is None or mine is self._lent.get(name):
                new.append(name)
            elif self._is_stub(name, mine):
                hidden.append(name)
            else:
                continue
            self._names[name] = self._lent[name] = theirs
        if new:
            print(f"From exercises.py, until they are written here: {', '.join(new)}.")
        if hidden:
            print(f"Still a stub here, so exercises.py's own is used: {', '.join(hidden)}.")

    def _changed(self) -> bool:
        try:
            now = self._path.stat().st_mtime_ns
        except OSError:
            return False
        changed, self._seen = now != self._seen, now
        return changed

    def _read(self) -> None:
        try:
            self._functions = written(self._copy, self._stem, self._path)
        except Exception as error:  # whatever stands in the file: the notebook goes on without it
            self._functions = {}
            print(f"exercises.py is not used here: {type(error).__name__}: {error}")


def lend_in_kernel(is_stub: IsStub) -> None:
    """Lend the functions of `exercises.py` to the notebook beside it.

    A grader's copy of a notebook lies elsewhere, and gets nothing.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell: Any = get_ipython()
    here = Path.cwd().resolve()
    if shell is None or here.name not in landed_stems() or here.parent.name != "lessons":
        return
    copy = WorkingCopy(here.parent.parent)
    lender = FileFunctions(copy, here.name, vars(sys.modules["__main__"]), is_stub)
    shell.events.register("post_run_cell", lender.lend)
