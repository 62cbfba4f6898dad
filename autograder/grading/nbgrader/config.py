"""Set up nbgrader for lessons, as a course's `nbgrader_config.py` asks."""

from __future__ import annotations

from typing import Any

from nbgrader.converters import Autograde, GenerateAssignment
from nbgrader.preprocessors import ClearSolutions, DeduplicateIds, Execute, SaveAutoGrades

from autograder.grading.nbgrader.preprocessors import LookUp, Mend, NamedStubs, SaveVerdicts

SECONDS_A_CELL = 600  # a check starts with the import of torch
OURS = {
    ClearSolutions: NamedStubs,
    DeduplicateIds: Mend,
    Execute: LookUp,
    SaveAutoGrades: SaveVerdicts,
}


def configure(c: Any) -> None:
    """Put our preprocessors in the place of those of nbgrader that they extend.

    Notebooks that are no lesson's are treated as ever.

    Args:
        c: what `get_config()` returns.
    """
    c.GenerateAssignment.preprocessors = _ours(GenerateAssignment, "preprocessors")
    c.Autograde.sanitize_preprocessors = _ours(Autograde, "sanitize_preprocessors")
    c.Autograde.autograde_preprocessors = _ours(Autograde, "autograde_preprocessors")
    c.Execute.timeout = SECONDS_A_CELL


def _ours(converter: Any, name: str) -> list[str]:
    """Return a converter's steps with ours among them.

    They are names, because formgrader shows them as text.
    """
    steps = [OURS.get(stock, stock) for stock in getattr(converter(), name)]
    return [f"{step.__module__}.{step.__qualname__}" for step in steps]
