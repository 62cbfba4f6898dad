"""Turn a lesson into a notebook with nbgrader's metadata (version 3).

It holds the story, given code, stubs and checks.
"""

from __future__ import annotations

import json
import textwrap
from typing import Any

from autograder.build.stubs import digest, labelled
from autograder.course.exercise import Lesson
from autograder.course.reference import LessonSource, for_students
from autograder.course.story import (
    Block,
    CellBlock,
    FigureBlock,
    Prose,
    Story,
)

Cell = dict[str, Any]
Notebook = dict[str, Any]

_FOLD = "<details><summary>Expected output</summary>"


def student_notebook(source: LessonSource, story: Story, record: Lesson) -> Notebook:
    """Return a lesson's notebook as a student gets it, with stubs and no outputs."""
    return _notebook(source, story, record, solved=False)


def source_notebook(source: LessonSource, story: Story, record: Lesson) -> Notebook:
    """Return a lesson's notebook for nbgrader's `source/`, with marked solutions."""
    return _notebook(source, story, record, solved=True)


def notebook_bytes(notebook: Notebook) -> bytes:
    """Return the bytes of a notebook's file, the same for the same notebook."""
    return (json.dumps(notebook, indent=1, ensure_ascii=False) + "\n").encode()


def is_untouched_notebook(text: str) -> bool:
    """Return True if no cell's source has changed since the notebook was generated.

    Outputs and metadata do not count: to run a cell is not yet work that could be lost.
    """
    try:
        notebook = json.loads(text)
        cells = [(c["cell_type"], "".join(c["source"])) for c in notebook["cells"]]
        return bool(notebook["metadata"]["convlens"]["version"] == _version(cells))
    except (ValueError, KeyError, TypeError):
        return False


def notebook_version(text: str) -> str | None:
    """Return the version of the generated notebook that this one began as.

    If it has none, return None.
    """
    try:
        return str(json.loads(text)["metadata"]["convlens"]["version"])
    except (ValueError, KeyError, TypeError):
        return None


def _version(cells: list[tuple[str, str]]) -> str:
    return digest(json.dumps(cells, ensure_ascii=False))


def _notebook(source: LessonSource, story: Story, record: Lesson, solved: bool) -> Notebook:
    cells: list[Cell] = []
    first_code = next((n for n, b in enumerate(story.blocks) if not isinstance(b, Prose)), 0)
    for number, block in enumerate(story.blocks):
        if number == first_code:
            cells.append(_given(source))
        cells += _cells(block, number, source, record, solved)
    parts = [(cell["cell_type"], "".join(cell["source"])) for cell in cells]
    return {
        "cells": cells,
        "metadata": {
            "convlens": {"lesson": source.stem, "version": _version(parts)},
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }


def _cells(
    block: Block, number: int, source: LessonSource, record: Lesson, solved: bool
) -> list[Cell]:
    stem = source.stem
    if isinstance(block, Prose):
        return [_cell("markdown", f"story-{number}", block.text)]
    if isinstance(block, CellBlock):
        cell = _cell("code", f"cell-{number}", block.code)
        if not block.output:
            return [cell]
        folded = f"{_FOLD}\n\n````text\n{block.output}\n````\n\n</details>"
        return [cell, _cell("markdown", f"expected-{number}", folded)]
    if isinstance(block, FigureBlock):
        lines = textwrap.wrap(block.caption, 88)
        code = [*(f"# {line}" for line in lines), f'show("{stem}.{block.name}")']
        return [_cell("code", f"figure-{number}", "\n".join(code))]
    name = block.name
    text = labelled(source, name, for_students(source.chunk(name)) if solved else source.stub(name))
    points = record.exercise(name).points
    return [
        _graded(name, text.strip(), f"{stem}-{name}", solution=True),
        _graded(
            f"{name}-check",
            f"check({name})",
            f"{stem}-{name}-check",
            grade=True,
            locked=True,
            points=int(points) if points == int(points) else points,
        ),
    ]


def _given(source: LessonSource) -> Cell:
    given = source.given().strip()
    tools = (
        "# check(f) says what is wrong with f, hint(f) helps on, solution(f) shows ours once\n"
        "# yours passes, and show(...) draws a figure with your functions where they are written.\n"
        "from autograder import check, hint, show, solution"
    )
    return _graded("given", f"{given}\n\n{tools}", f"{source.stem}-given", locked=True)


def _cell(kind: str, name: str, text: str, metadata: dict[str, Any] | None = None) -> Cell:
    cell: Cell = {"cell_type": kind, "id": name[:64], "metadata": metadata or {}}
    if kind == "code":
        cell |= {"execution_count": None, "outputs": []}
    return cell | {"source": text.splitlines(keepends=True)}


def _graded(
    name: str,
    text: str,
    grade_id: str,
    grade: bool = False,
    locked: bool = False,
    solution: bool = False,
    points: float | None = None,
) -> Cell:
    meta: dict[str, Any] = {"grade": grade, "grade_id": grade_id, "locked": locked}
    if points is not None:
        meta["points"] = points
    meta |= {"schema_version": 3, "solution": solution, "task": False}
    metadata: dict[str, Any] = {"nbgrader": meta}
    if locked:
        metadata |= {"deletable": False, "editable": False}
    return _cell("code", name, text, metadata)
