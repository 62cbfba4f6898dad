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
import logging
import re
import symtable
import tokenize
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from autograder.course.mending import fault_of, is_broken, mended, without_magics
from autograder.course.reference import LessonSource, for_students, read_lesson, solution_stems
from lessons.toolkit.errors import UserError

# Of a student's file, at home and where it is graded; a grader may allow others.
LARGEST_SOURCE = 1 << 18
LARGEST_NOTEBOOK = 32 << 20
# A few hundred kilobytes of one expression can take Python minutes to parse.
LARGEST_CELL = 1 << 15
MOST_CELLS = 20_000
MOST_PARTS = 1_000_000
# What Jupyter, VS Code, Jupytext and Spyder write between cells, and magics as nbconvert puts them.
OF_CELLS = re.compile(
    r"^(?:# In\[[ \d]*\]:|# ?%%|# <codecell>|#[ \t]+jupytext:)|^[ \t]*get_ipython\(\)", re.MULTILINE
)
UNTOUCHED, OPEN, BROKEN, WORKED = range(4)


class BadSubmission(UserError):
    """An error of a file that cannot be taken as a lesson's exercises.

    Args:
        reason: completes "the file ..."; fit for a graded report.
        next_step: what its author can do about it.
    """

    def __init__(self, reason: str, next_step: str = "") -> None:
        self.reason = reason
        super().__init__(f"The file {reason}.", next_step)


@dataclass(frozen=True)
class Work:
    """Text of one lesson, as one file holds it.

    Args:
        text: the lesson's Python.
        notes: what was chosen among copies, or read otherwise than it stands.
        unread: exercises that are there and cannot be read, and why.
    """

    text: str
    notes: tuple[str, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)


def read_source(path: Path, stem: str) -> str:
    """Read the Python text of one lesson from a file on disk.

    See `work_of`.

    Raises:
        BadSubmission: the file cannot be read, or holds no such text.
    """
    return source_of(read_bytes(path), path.name, stem)


def read_bytes(path: Path) -> bytes:
    """Read the bytes of a file that is not larger than any honest one.

    Raises:
        BadSubmission: it cannot be read, or is too large.
    """
    is_notebook = path.name.lower().endswith(".ipynb")
    try:
        if path.stat().st_size > (LARGEST_NOTEBOOK if is_notebook else LARGEST_SOURCE):
            raise BadSubmission(f"{path} is too large", "Clear its outputs and save it again.")
        return path.read_bytes()
    except OSError as error:
        raise BadSubmission(
            f"{path} cannot be read ({error.strerror})", "Check the path and its permissions."
        ) from error


def source_of(data: bytes, name: str, stem: str) -> str:
    """Return the Python text of one lesson, from the bytes of a `.py` or `.ipynb`.

    See `work_of`.

    >>> source_of(b"\\xef\\xbb\\xbfx = 1\\r\\n", "exercises.py", "l11_saliency")
    'x = 1\\n'
    """
    return work_of(data, name, stem).text


def work_of(data: bytes, name: str, stem: str) -> Work:
    """Read one lesson from the bytes of a `.py` or `.ipynb`.

    Of a notebook the cells of the exercises are taken, by their ids or else by what they define,
    and the lesson's own given code is put around them. Of a `.py` that was exported from one, the
    lines stay where they are, and what only made sense in the notebook is blanked. Where a
    definition does not parse, a function that raises its SyntaxError takes its place. Text in UTF-8
    (with or without a mark), UTF-16 with a mark, a declared encoding or Latin-1 is read. Line ends
    become ``\\n``.

    Args:
        data: the file's bytes.
        name: its name; the suffix decides how it is read.
        stem: the lesson, ``l11_saliency``.

    Raises:
        BadSubmission: the file is empty, not text, a broken notebook, or without an exercise.
    """
    if name.lower().endswith(".ipynb"):
        cells, work = _chosen_cells(data, stem)
        return Work(join_cells(cells, read_lesson(stem)), work.notes, work.unread)
    if not name.lower().endswith(".py"):
        raise BadSubmission("is neither a .py nor an .ipynb file")
    text = text_of(data)
    exercises = read_lesson(stem).exercises
    of_cells = OF_CELLS.search(text) is not None
    notes: list[str] = []
    if (fault := fault_of(text)) is not None:
        quiet = without_magics(text)
        if quiet != text and ((fault := fault_of(quiet)) is None or of_cells):
            text, of_cells = quiet, True
        if fault is not None:
            text, notes = mended(text, exercises)
    return Work(definitions(text, exercises) if of_cells else text, tuple(notes))


def text_of(data: bytes) -> str:
    """Return the text of a `.py` as its author wrote it, fit to be written back.

    Raises:
        BadSubmission: it is empty, or no text.
    """
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
        notebook = _notebook(data)
        return [stem for stem in solution_stems() if any(_candidates(notebook, stem))]
    names = set(re.findall(r"^(?:async )?(?:def|class) (\w+)", decode_text(data), re.MULTILINE))
    return [stem for stem in solution_stems() if names & set(read_lesson(stem).exercises)]


def solution_cells(data: bytes, stem: str) -> dict[str, str]:
    """Return the source of each exercise's cell in a notebook, by exercise.

    Raises:
        BadSubmission: the notebook is broken, or has none.
    """
    return _chosen_cells(data, stem)[0]


def standings(text: str, stem: str) -> dict[str, tuple[int, str]]:
    """Return how far each exercise of a text is, and its code without comments.

    Args:
        text: of a file or a cell, as `work_of` returns it.
        stem: the lesson.

    Returns:
        Of each exercise that the text defines, `UNTOUCHED`, `OPEN` (changed, but still to be
        written), `BROKEN` (it does not parse) or `WORKED`.
    """
    found: dict[str, tuple[int, str]] = {}
    tree = _parsed(text)
    for node in tree.body if tree is not None else ():
        for name in _bound(node) & set(read_lesson(stem).exercises):
            if is_broken(node):
                state = BROKEN
            elif shape(node) == _stub_shape(stem, name):
                state = UNTOUCHED
            else:
                state = OPEN if _is_open(node, f"{stem}.{name}:") else WORKED
            found[name] = state, shape(node)
    return found


def shape(node: ast.stmt) -> str:
    """Return the code of a statement without its comments and blanks."""
    try:
        return ast.dump(node)
    except RecursionError:  # too deep to be compared; no two of them are one
        return f"line {node.lineno}"


@cache
def _stub_shape(stem: str, name: str) -> str:
    return ast.dump(ast.parse(read_lesson(stem).stub(name)).body[0])


def _is_open(node: ast.stmt, label: str) -> bool:
    """Return whether a definition still raises its stub's error or does nothing."""
    body = [n for n in getattr(node, "body", [node]) if not isinstance(n, ast.Expr | ast.Pass)]
    if not body:
        return True
    raised = [n.exc for n in ast.walk(node) if isinstance(n, ast.Raise) and n.exc is not None]
    if any(label in ast.unparse(error) for error in raised):
        return True
    return isinstance(body[0], ast.Raise) and "NotImplementedError" in ast.unparse(body[0])


def _chosen_cells(data: bytes, stem: str) -> tuple[dict[str, str], Work]:
    """Return the cell of each exercise.

    Of several that is the one in which most is done, of equals the last.
    """
    places: dict[str, tuple[int, bool]] = {}
    cells: dict[str, str] = {}
    shapes: dict[str, set[str]] = {}
    unread: dict[str, str] = {}
    notes: list[str] = []
    for exercise, text, by_id, kind in _candidates(_notebook(data), stem):
        if len(text) > LARGEST_CELL:
            unread[exercise] = f"has a solution cell of {len(text)} characters"
            continue
        text, left_out = _callable(exercise, text)
        state, code = standings(text, stem).get(exercise, (UNTOUCHED, ""))
        if state != UNTOUCHED:
            shapes.setdefault(exercise, set()).add(code)
            if kind != "code":
                notes.append(f"`{exercise}` stands in a cell of the kind {kind}; it was read.")
        if (state, by_id) >= places.get(exercise, (UNTOUCHED, False)):
            places[exercise], cells[exercise] = (state, by_id), text
            notes += left_out
    for exercise in shapes:
        if len(shapes[exercise]) > 1:
            notes.append(f"`{exercise}` stands in several cells that differ; the last was taken.")
    unread = {name: why for name, why in unread.items() if places.get(name, (0,))[0] != WORKED}
    if not cells and unread:
        raise BadSubmission(next(iter(unread.values())))
    if not cells:
        raise BadSubmission(
            f"holds no solution cell of {stem}",
            f"Work in the notebook that `convlens notebook {stem}` opens.",
        )
    return cells, Work("", tuple(notes), unread)


def _candidates(notebook: dict[str, Any], stem: str) -> Iterator[tuple[str, str, bool, str]]:
    """Yield name, text, whether by id, and kind of what may be an exercise's cell.

    A student may have lost the ids, or turned the cell into text.
    """
    exercises = read_lesson(stem).exercises
    defines = re.compile(rf"^(?:async )?(?:def|class) ({'|'.join(exercises)})\b", re.MULTILINE)
    for cell in notebook["cells"]:
        if not isinstance(cell, dict):
            continue
        text, kind = _cell_text(cell), str(cell.get("cell_type"))[:20]
        own, _, exercise = grade_id(cell).partition("-")
        by_id = own == stem and exercise in exercises
        if by_id:
            yield exercise, text, True, kind
        for name in dict.fromkeys(defines.findall(text)):
            if not (by_id and name == exercise) and (kind == "code" or fault_of(text) is None):
                yield name, text, False, kind


def _callable(exercise: str, text: str) -> tuple[str, list[str]]:
    """Return a cell's definitions.

    What does not parse costs its own definition, as it does in Jupyter, and not the lesson.
    """
    notes: list[str] = []
    fault = fault_of(text)
    if fault is not None and (quiet := without_magics(text)) != text:
        text, fault = quiet, fault_of(quiet)
    if fault is not None:
        text, notes = mended(text, [exercise])
        fault = fault_of(text)
    if fault is not None:
        place = (None, getattr(fault, "lineno", 0), 0, getattr(fault, "text", "") or "")
        words = getattr(fault, "msg", "") or str(fault) or type(fault).__name__
        return f"def {exercise}(*_, **__): raise SyntaxError({words!r}, {place!r})\n", notes
    return definitions(text), notes


def join_cells(cells: dict[str, str], lesson: LessonSource) -> str:
    """Return a lesson as one file.

    Each exercise's cell stands in its place, with the given code around them.
    """
    parts = [
        cells.get(chunk.name, "") if chunk.name else for_students(chunk.text)
        for chunk in lesson.chunks
    ]
    return "\n\n".join(part.rstrip("\n") for part in parts if part.strip()) + "\n"


def definitions(text: str, exercises: Collection[str] = ()) -> str:
    """Return a cell without magics and bare expressions.

    They only make sense in a notebook. Lines are blanked and not removed, so that the others keep
    their numbers. A cell that does not parse even so is returned unchanged, so that the worker
    reports its syntax error.

    Args:
        text: of a cell, or of a whole notebook that was exported as one file.
        exercises: in a whole notebook, what is graded. Only these and what they use is kept: the
            story's other lines may need photos, weights and minutes.

    >>> definitions("%matplotlib inline\\nx = 1\\nx")
    '\\nx = 1\\n'
    """
    tree = _parsed(text)
    if tree is None:
        text = without_magics(text)
        tree = _parsed(text)
    if tree is None:
        return text
    lines = text.split("\n")  # as the parser counts them
    used = _used(tree, exercises) if exercises else None
    kept = {
        number
        for node in tree.body
        if not isinstance(node, ast.Expr)
        if used is None or not used.isdisjoint(_bound(node))
        for number in _lines(node)
    }
    for node in tree.body:
        if kept.isdisjoint(_lines(node)):
            for number in _lines(node):
                lines[number - 1] = ""
    return "\n".join(lines)


def excerpt(text: str, stem: str, exercise: str) -> str:
    """Return the code of one exercise with what it uses of its author's own.

    Given code and other exercises stay out, and so do docstrings, which are the stub's.

    Args:
        text: of a lesson's file.
        stem: the lesson.
        exercise: its name.

    Returns:
        Whole lines, as they stand; "" where the text is not to be parsed.
    """
    tree = _parsed(text) if len(text) <= LARGEST_CELL else None
    if tree is None:
        return ""
    lesson = read_lesson(stem)
    given = {shape(node) for node in ast.parse(lesson.given()).body}
    others = set(lesson.exercises) - {exercise}
    own = [n for n in tree.body if not others & _bound(n) and shape(n) not in given]
    used = _used(ast.Module(own, []), [exercise])
    lines = text.split("\n")
    kept = [
        "\n".join(lines[number - 1] for number in _lines(node) if number not in _docstring(node))
        for node in own
        if _bound(node) & used - {"annotations"}
    ]
    return "\n\n\n".join(kept)


def _docstring(node: ast.stmt) -> range:
    """Return the numbers of the lines that a definition's docstring has for itself."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return range(0)
    first, *rest = node.body
    if not rest or ast.get_docstring(node) is None or first.lineno == node.lineno:
        return range(0)
    return range(first.lineno, min((first.end_lineno or first.lineno) + 1, rest[0].lineno))


DEFINING = ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _used(tree: ast.Module, exercises: Collection[str]) -> set[str]:
    """Return the names of a module that some of its functions need, directly or not."""
    used = {"annotations"}  # of __future__: the one that a name does not show the use of
    waiting = set(exercises)
    while waiting:
        used |= waiting
        needed = [node for node in tree.body if not waiting.isdisjoint(_bound(node))]
        waiting = {name for node in needed for name in _global_names(node)} - used
    return used


def _bound(node: ast.stmt) -> set[str]:
    """Return the names that a statement binds, or changes a part of."""
    if isinstance(node, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in node.names}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {node.name}
    found = set()
    for part in ast.walk(node):
        if isinstance(part, DEFINING):
            found |= _bound(part)
        elif isinstance(getattr(part, "ctx", None), ast.Store):
            while isinstance(part, ast.Attribute | ast.Subscript | ast.Starred):
                part = part.value
            found |= {part.id} if isinstance(part, ast.Name) else set()
    return found


def _global_names(node: ast.stmt) -> set[str]:
    """Return the global names that a statement uses, inside functions too."""
    try:
        waiting = [symtable.symtable(ast.unparse(node), "", "exec")]
    except (SyntaxError, RecursionError):
        return set()
    names: set[str] = set()
    while waiting:
        table = waiting.pop()
        top = table.get_type() == "module"
        names |= {
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (top or symbol.is_global())
        }
        waiting += table.get_children()
    return names


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
            return _with_plain_ends(data.decode(encoding))
        except (UnicodeError, LookupError):
            continue
    raise BadSubmission("is not text", "Save it again as UTF-8.")


def _declared_encoding(data: bytes) -> str:
    try:
        return tokenize.detect_encoding(io.BytesIO(data).readline)[0]
    except SyntaxError:  # neither declared nor UTF-8
        return "latin-1"


def _notebook(data: bytes) -> dict[str, Any]:
    """Return a notebook of format 4 as a table with a list of cells."""
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
    if isinstance(notebook, dict) and "worksheets" in notebook and "cells" not in notebook:
        notebook = _converted(notebook)
    if not isinstance(notebook, dict) or not isinstance(notebook.get("cells"), list):
        raise BadSubmission("is not a notebook: it has no cells")
    if len(notebook["cells"]) > MOST_CELLS:
        raise BadSubmission(f"has {len(notebook['cells'])} cells")
    return notebook


def _converted(notebook: dict[str, Any]) -> dict[str, Any]:
    """Convert a notebook of format 2 or 3, as IPython wrote them until 2015."""
    import nbformat  # slow to import, and hardly ever needed

    logging.getLogger("traitlets").setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(action="ignore"):
            return dict(nbformat.reads(json.dumps(notebook), as_version=4))
    except Exception as error:  # of a broken one anything may come
        raise BadSubmission(
            "is a notebook of an old format that cannot be converted",
            "Open it in Jupyter and save it again.",
        ) from error


def grade_id(cell: dict[str, Any]) -> str:
    """Return the id by which nbgrader knows a cell, or "" for other cells."""
    return str(_nbgrader(cell).get("grade_id", ""))


def _nbgrader(cell: dict[str, Any]) -> dict[str, Any]:
    metadata = cell.get("metadata")
    ours = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return ours if isinstance(ours, dict) else {}


def _cell_text(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    # JSON may hold half a surrogate pair, which no report could be written with.
    return _with_plain_ends(text.encode("utf-8", "replace").decode("utf-8"))


def _with_plain_ends(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings(action="ignore"):  # of a student's "\d": not for the grader
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _lines(node: ast.stmt) -> range:
    """Return the numbers of a statement's lines, from its first decorator."""
    first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
    return range(first, (node.end_lineno or node.lineno) + 1)
