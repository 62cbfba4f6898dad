"""Read the text of a student's lesson from a `.py` or a notebook.

Nothing of it is run.

The student's own check and the grader both read files through this module, so that a file means the
same to both.
"""

from __future__ import annotations

import ast
import codecs
import io
import json
import re
import tokenize
import warnings
from pathlib import Path
from typing import Any

from autograder.course.reference import LessonSource, for_students, read_lesson, solution_stems
from lessons.toolkit.errors import UserError

LARGEST_SOURCE = 4 << 20
LARGEST_NOTEBOOK = 64 << 20
LARGEST_CELL = 1 << 15
MOST_CELLS = 20_000
MOST_PARTS = 1_000_000
MAGIC = re.compile(r"\s*(%%?[A-Za-z]|!|\?)")


class BadSubmission(UserError):
    """An error of a file that cannot be taken as a lesson's exercises.

    Args:
        reason: completes "the file ..."; fit for a graded report.
        next_step: what its author can do about it.
    """

    def __init__(self, reason: str, next_step: str = "") -> None:
        self.reason = reason
        super().__init__(f"The file {reason}.", next_step)


def read_source(path: Path, stem: str) -> str:
    """Read the Python text of one lesson from a file on disk.

    See `source_of`.

    Raises:
        BadSubmission: the file cannot be read, or holds no such text.
    """
    return source_of(read_bytes(path), path.name, stem)


def read_bytes(path: Path) -> bytes:
    """Read the bytes of a file that is not larger than any honest one.

    Raises:
        BadSubmission: it cannot be read, or is too large.
    """
    try:
        if path.stat().st_size > _largest(path.name):
            raise BadSubmission(f"{path} is too large", "Clear its outputs and save it again.")
        return path.read_bytes()
    except OSError as error:
        raise BadSubmission(
            f"{path} cannot be read ({error.strerror})", "Check the path and its permissions."
        ) from error


def source_of(data: bytes, name: str, stem: str) -> str:
    """Return the Python text of one lesson, from the bytes of a `.py` or `.ipynb`.

    Of a notebook only the solution cells are taken, by their ids, and the lesson's own given code
    is put around them. Text in UTF-8 (with or without a mark), UTF-16 with a mark, a declared
    encoding or Latin-1 is read. Line ends become ``\\n``.

    Args:
        data: the file's bytes.
        name: its name; the suffix decides how it is read.
        stem: the lesson, ``l11_saliency``.

    Raises:
        BadSubmission: the file is empty, not text, a broken notebook, or without a solution cell.

    >>> source_of(b"\\xef\\xbb\\xbfx = 1\\r\\n", "exercises.py", "l11_saliency")
    'x = 1\\n'
    """
    if len(data) > _largest(name):
        raise BadSubmission("is too large", "Clear its outputs and save it again.")
    if name.lower().endswith(".ipynb"):
        return join_cells(solution_cells(data, stem), read_lesson(stem))
    if not name.lower().endswith(".py"):
        raise BadSubmission("is neither a .py nor an .ipynb file")
    text = decode_text(data)
    if not text.strip():
        raise BadSubmission("is empty", "`convlens reset LESSON` writes the stubs again.")
    return text


def stems_in(data: bytes, name: str) -> list[str]:
    """Return the stems of the lessons that a file has exercises of, in order.

    Raises:
        BadSubmission: the file cannot be read at all.
    """
    if name.lower().endswith(".ipynb"):
        found = {_solution_id(cell).partition("-")[0] for cell in _cells(data)}
        return [stem for stem in solution_stems() if stem in found]
    names = set(re.findall(r"^(?:def|class) (\w+)", decode_text(data), re.MULTILINE))
    return [stem for stem in solution_stems() if names & set(read_lesson(stem).exercises)]


def solution_cells(data: bytes, stem: str) -> dict[str, str]:
    """Return the source of each solution cell of a lesson's notebook, by exercise.

    Raises:
        BadSubmission: the notebook is broken, has an exercise twice, or has none.
    """
    exercises = read_lesson(stem).exercises
    found: dict[str, str] = {}
    for cell in _cells(data):
        cell_stem, _, exercise = _solution_id(cell).partition("-")
        if cell_stem != stem or exercise not in exercises:
            continue
        if exercise in found:
            raise BadSubmission(
                f"has two solution cells for {stem}.{exercise}",
                "Delete the copy: only one can be graded.",
            )
        text = _cell_text(cell)
        if len(text) > LARGEST_CELL:
            raise BadSubmission(f"has a solution cell of {len(text)} characters")
        found[exercise] = _callable(exercise, text)
    if not found:
        raise BadSubmission(
            f"holds no solution cell of {stem}",
            f"Work in the notebook that `convlens notebook {stem}` opens.",
        )
    return found


def _callable(exercise: str, text: str) -> str:
    """Return a cell's definitions.

    If the cell does not parse, return a function that raises its SyntaxError. So the error costs
    that exercise, as it does in Jupyter, and not the lesson.
    """
    if (kept := _definitions(text)) is not None:
        return kept
    place: tuple[Any, ...] = (None, 0, 0, "")
    message = "invalid syntax"
    try:
        ast.parse(text)
    except SyntaxError as error:
        message, place = error.msg, (None, error.lineno, error.offset, error.text)
    except (ValueError, RecursionError, MemoryError) as error:
        message = str(error) or type(error).__name__
    return f"def {exercise}(*_, **__):\n    raise SyntaxError({message!r}, {place!r})\n"


def join_cells(cells: dict[str, str], lesson: LessonSource) -> str:
    """Return a lesson as one file.

    Each exercise's cell stands in its place, with the given code around them.
    """
    parts = [
        cells.get(chunk.name, "") if chunk.name else for_students(chunk.text)
        for chunk in lesson.chunks
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts if part.strip()) + "\n"


def definitions(text: str) -> str:
    """Return a cell without magics and bare expressions.

    They only make sense in a notebook. Lines are blanked and not removed, so that the others keep
    their numbers. A cell that does not parse even so is returned unchanged, so that the worker
    reports its syntax error.

    >>> definitions("%matplotlib inline\\nx = 1\\nx")
    '\\nx = 1\\n'
    """
    kept = _definitions(text)
    return text if kept is None else kept


def _definitions(text: str) -> str | None:
    tree = _parsed(text)
    if tree is None:
        text = "".join(
            "\n" if MAGIC.match(line) else line for line in text.splitlines(keepends=True)
        )
        tree = _parsed(text)
    if tree is None:
        return None
    lines = text.split("\n")  # as the parser counts them
    kept = {
        number
        for node in tree.body
        if not isinstance(node, ast.Expr)
        for number in range(_first_line(node), (node.end_lineno or node.lineno) + 1)
    }
    for node in tree.body:
        span = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        if isinstance(node, ast.Expr) and kept.isdisjoint(span):
            for number in span:
                lines[number - 1] = ""
    return "\n".join(lines)


def decode_text(data: bytes) -> str:
    """Decode the text of a source file, with ``\\n`` line ends.

    Any editor may have written it; see `source_of` for the encodings.

    Raises:
        BadSubmission: it is not text.
    """
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    elif b"\0" in data:
        raise BadSubmission("is not text", "Hand in the .py or .ipynb file itself.")
    else:
        encodings = ["utf-8-sig", _declared_encoding(data), "latin-1"]
    for encoding in encodings:
        try:
            return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
        except (UnicodeError, LookupError):
            continue
    raise BadSubmission("is not text", "Save it again as UTF-8.")


def _largest(name: str) -> int:
    return LARGEST_NOTEBOOK if name.lower().endswith(".ipynb") else LARGEST_SOURCE


def _declared_encoding(data: bytes) -> str:
    try:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError:  # neither declared nor UTF-8
        return "latin-1"


def _cells(data: bytes) -> list[dict[str, Any]]:
    text = decode_text(data)
    if not text.strip():
        raise BadSubmission("is empty")
    # Each part of a list or a table but its first has a comma, and each list or table a bracket:
    # what parsing costs is known before.
    if sum(map(text.count, ",[{")) > MOST_PARTS:
        raise BadSubmission("has too many parts", "Clear its outputs and save it again.")
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadSubmission(
            "is not a readable notebook: its JSON is broken",
            "Open it in Jupyter and save it again, or take an earlier checkpoint.",
        ) from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise BadSubmission("is not a notebook of format 4: it has no cells")
    if len(cells) > MOST_CELLS:
        raise BadSubmission(f"has {len(cells)} cells")
    return [cell for cell in cells if isinstance(cell, dict)]


def grade_id(cell: dict[str, Any]) -> str:
    """Return the id by which nbgrader knows a cell, or "" for other cells."""
    return str(_nbgrader(cell).get("grade_id", ""))


def _solution_id(cell: dict[str, Any]) -> str:
    """Return the id of a solution cell, or "" for other cells."""
    is_solution = cell.get("cell_type") == "code" and _nbgrader(cell).get("solution")
    return grade_id(cell) if is_solution else ""


def _nbgrader(cell: dict[str, Any]) -> dict[str, Any]:
    metadata = cell.get("metadata")
    ours = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return ours if isinstance(ours, dict) else {}


def _cell_text(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings(action="ignore"):  # of a student's "\d": not for the grader
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
