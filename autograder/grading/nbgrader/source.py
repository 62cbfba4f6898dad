"""Read and set points in a lesson's source notebook."""

from __future__ import annotations

import json
from collections.abc import Mapping

from autograder.build.notebook import Cell, Notebook


def points_of(notebook: Notebook) -> dict[str, float]:
    """Return the points of each check cell, by its name."""
    return {
        str(told["grade_id"]): float(told["points"])
        for told in map(_told, notebook["cells"])
        if told.get("grade") and "points" in told
    }


def cells_of(notebook: Notebook) -> set[str]:
    """Return the names of all cells that nbgrader knows."""
    return {str(told["grade_id"]) for told in map(_told, notebook["cells"]) if told}


def with_points(notebook: Notebook, points: Mapping[str, float]) -> Notebook:
    """Set the points of check cells."""
    for told in map(_told, notebook["cells"]):
        if (most := points.get(str(told.get("grade_id")))) is not None:
            told["points"] = int(most) if most == int(most) else most
    return notebook


def grade_cells(data: bytes) -> dict[str, float]:
    """Return the points of each check cell in a file, {} where it is no notebook."""
    try:
        return points_of(json.loads(data))
    except (ValueError, KeyError, TypeError):
        return {}


def _told(cell: Cell) -> Cell:
    return dict.get(cell["metadata"], "nbgrader", {})
