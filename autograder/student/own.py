"""Load a student's own functions, which draw figures and run a story's cells."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from autograder.student.working_copy import WorkingCopy, attempted


def load_own(copy: WorkingCopy, stem: str, path: Path) -> ModuleType:
    """Run a student's file of a lesson, as the module that others import.

    Args:
        copy: the student's working copy; earlier lessons come from it too.
        stem: the lesson.
        path: its file, Python or a notebook.

    Raises:
        UserError: the file cannot be read.
        Exception: whatever its top-level code raises.
    """
    from autograder.worker.load import offer_earlier

    source = copy.source(stem, path)
    offer_earlier(copy.earlier(source))
    name = f"lessons.{stem}.exercises"
    module = ModuleType(name)
    module.__file__ = str(path)
    exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)
    sys.modules[name] = module
    return module


def written(copy: WorkingCopy, stem: str, path: Path) -> dict[str, Any]:
    """Return the exercises of a student's file that are no stubs any more, by name.

    Raises:
        UserError: the file cannot be read.
        Exception: whatever its top-level code raises.
    """
    names = attempted(copy.source(stem, path), stem)
    return {name: getattr(load_own(copy, stem, path), name) for name in names} if names else {}
