"""Put stubs into a student's file without losing a line of their own."""

from __future__ import annotations

import ast
import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from autograder.build.stubs import exercise_label, exercises_text, labelled
from autograder.course.reference import LessonSource
from autograder.course.student_file import BadSubmission, grade_id, read_bytes, text_of
from autograder.files import write_whole
from autograder.student.working_copy import WorkingCopy, is_stub
from lessons.toolkit.errors import UserError

BEGINS = re.compile(r"^(@|def |class |async def |import |from |if |[A-Za-z_]\w*\s*[:=])")


@dataclass
class Merged:
    """A file after a merge.

    Args:
        data: its bytes.
        notes: what is new, one sentence each.
    """

    data: bytes
    notes: list[str] = field(default_factory=list)


def backup(copy: WorkingCopy, path: Path) -> Path | None:
    """Keep a file's present version in the state folder.

    Returns:
        The copy's path, or None where there is no file.

    Raises:
        UserError: it cannot be kept. The caller then changes nothing.
    """
    if not path.exists():
        return None
    stamp = time.strftime("%Y%m%d-%H%M%S")
    kept = copy.state / "backup" / f"{path.parent.name}-{stamp}{path.suffix}"
    write_whole(kept, path.read_bytes())
    return kept


def put_stub(text: str, source: LessonSource, exercise: str) -> str:
    """Replace what a student wrote for one exercise by its stub.

    A text that does not parse is accepted too, since then a fresh start is most wanted.

    Args:
        text: the student's `exercises.py`.
        source: the lesson.
        exercise: its name.

    Returns:
        The changed text.
    """
    stub = source.stub(exercise).strip("\n").splitlines()
    lines = text.splitlines()
    span = _span(text, exercise)
    if span is None:
        return "\n".join([*_trimmed(lines), "", "", *stub]) + "\n"
    start, end = span
    return "\n".join([*lines[:start], *stub, *lines[end:]]) + "\n"


def merge_stubs(path: Path, source: LessonSource) -> Merged:
    """Bring a student's `exercises.py` up to the newest stubs.

    Written exercises keep every line of code; their docstring is renewed where the signature is
    still the same. Stubs and given code are renewed, and what the student added stays.

    Raises:
        UserError: the file does not parse, so nothing in it can be told apart.
    """
    text = text_of(read_bytes(path))
    try:
        ast.parse(text)
    except SyntaxError as error:
        raise UserError(
            f"{path} cannot be merged: line {error.lineno} has a syntax error.", "Mend it first."
        ) from error
    merge = _StubMerge(text, source)
    merge.run()
    merged = "\n".join(merge.lines) + "\n"
    if merged != text and not merge.notes:
        merge.notes.append("Comments or blank lines of the given code are new.")
    return Merged(merged.encode() if merge.notes else path.read_bytes(), merge.notes)


class _StubMerge:
    def __init__(self, text: str, source: LessonSource) -> None:
        self.lines = text.splitlines()
        self.source = source
        self.notes: list[str] = []

    def run(self) -> None:
        previous = ""
        for name in self.source.exercises:
            self._exercise(name, previous)
            previous = name
        for node, new in _given_nodes(self.source):
            self._given(node, new)
        self._labels()
        self._header()

    def _exercise(self, name: str, previous: str) -> None:
        stub = self.source.stub(name).strip("\n").splitlines()
        span = _span("\n".join(self.lines), name)
        if span is None:
            after = _span("\n".join(self.lines), previous) if previous else None
            place = after[1] if after else len(_trimmed(self.lines))
            new = labelled(self.source, name, "\n".join(stub)).splitlines()
            self.lines[place:place] = ["", "", *new]
            self.notes.append(f"`{name}` is a new exercise.")
            return
        start, end = span
        text = "\n".join(self.lines[start:end])
        if is_stub(text, self.source.stem, name) and _is_untouched(text, "\n".join(stub)):
            if self.lines[start:end] != stub:
                self.lines[start:end] = stub
                self.notes.append(f"`{name}` has a new description.")
            return
        self._written(name, start, text, "\n".join(stub))

    def _written(self, name: str, start: int, text: str, stub: str) -> None:
        mine, new = _definition(text), _definition(stub)
        if _outline(mine) != _outline(new):
            self.notes.append(
                f"`{name}` has changed: it is now `{_heading(new)}`. Yours is kept as it is; "
                f"`convlens reset` would give you the new stub."
            )
            return
        # From the last to the first, so that the places of those before stay right.
        pairs = list(zip(_described(mine), _described(new), strict=True))
        for old_node, new_node in reversed(pairs):
            old_doc, new_doc = _docstring(old_node), _docstring(new_node)
            if new_doc is None or (
                old_doc is not None and ast.get_docstring(old_node) == ast.get_docstring(new_node)
            ):
                continue
            new_lines = stub.splitlines()[new_doc.lineno - 1 : new_doc.end_lineno]
            first = old_node.body[0].lineno - 1 if old_doc is None else old_doc.lineno - 1
            last = first if old_doc is None else (old_doc.end_lineno or old_doc.lineno)
            self.lines[start + first : start + last] = new_lines
            note = f"`{name}` has a new description; your code is kept."
            if note not in self.notes:
                self.notes.append(note)

    def _given(self, node: ast.stmt, new: list[str]) -> None:
        key = _key(node)
        tree = ast.parse("\n".join(self.lines))
        old = next((other for other in tree.body if _key(other) == key), None)
        if old is not None:
            if ast.dump(old) != ast.dump(node):
                start = _start(old)
                self.lines[start : old.end_lineno] = new
                self.notes.append(f"`{key}` (given code) has changed.")
            return
        self.lines[self._place(tree, node) : self._place(tree, node)] = new
        self.notes.append(f"`{new[0].strip()[:60]}` (given code) is new.")

    def _place(self, tree: ast.Module, node: ast.stmt) -> int:
        """Return the index of the line before which a new piece of given code goes.

        Imports go after the last import, all else before the first exercise.
        """
        imports = [
            n.end_lineno or 0 for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)
        ]
        if isinstance(node, ast.Import | ast.ImportFrom):
            return max(imports, default=0)
        firsts = [span[0] for name in self.source.exercises if (span := self._span_now(name))]
        return min(firsts, default=len(self.lines))

    def _span_now(self, name: str) -> tuple[int, int] | None:
        return _span("\n".join(self.lines), name)

    def _labels(self) -> None:
        """Renew the comment above each exercise, where it still stands."""
        for name in self.source.exercises:
            span = self._span_now(name)
            if span and span[0] and self.lines[span[0] - 1].startswith("# Exercise "):
                label = exercise_label(self.source.stem, name, self.source.exercises)
                self.lines[span[0] - 1] = label

    def _header(self) -> None:
        """Renew the first line, which names the version of the stubs."""
        newest = exercises_text(self.source).splitlines()[0]
        if self.lines and self.lines[0].startswith("# Stubs of ") and self.lines[0] != newest:
            self.lines[0] = newest
            if not self.notes:
                self.notes.append("Only the version in the first line is new.")


def merge_notebook(path: Path, source: LessonSource) -> Merged:
    """Bring a student's notebook up to the newest stubs.

    Given code and untouched stubs are renewed, and missing cells are added. Cells of the student's
    own, and exercises they have written, stay as they are.

    Raises:
        UserError: the notebook cannot be read.
    """
    from autograder.build.notebook import notebook_bytes
    from autograder.build.products import notebook as make

    data = read_bytes(path)
    try:
        mine = json.loads(data)
        cells = [cell for cell in mine["cells"] if isinstance(cell, dict)]
    except (ValueError, KeyError, TypeError) as error:
        raise BadSubmission(f"{path} is not a readable notebook") from error
    newest = make(source.stem)
    by_id = {grade_id(cell): cell for cell in cells if grade_id(cell)}
    notes = []
    for fresh in newest["cells"]:
        identity = grade_id(fresh)
        if not identity or identity.endswith("-check"):
            continue
        name = identity.partition("-")[2]
        if identity not in by_id:
            check = next((c for c in newest["cells"] if grade_id(c) == f"{identity}-check"), None)
            cells += [fresh, check] if check else [fresh]
            notes.append(f"`{name}` is a new exercise, at the end of the notebook.")
            continue
        cell = by_id[identity]
        old, new = "".join(cell["source"]), "".join(fresh["source"])
        if old == new or (name != "given" and not _is_open(old, new, source.stem, name)):
            continue
        cell["source"] = fresh["source"]
        what = "The given code has changed." if name == "given" else f"`{name}` has a new stub."
        notes.append(f"{what} Run its cell again.")
    if not notes:
        return Merged(data)
    mine["cells"] = cells
    return Merged(notebook_bytes(mine), notes)


def _is_open(cell: str, stub: str, stem: str, name: str) -> bool:
    """Return True if a cell is a stub that holds nothing of the student's."""
    try:
        return is_stub(cell, stem, name) and _is_untouched(cell, stub)
    except (SyntaxError, AssertionError):  # begun, and not yet Python
        return False


def _given_nodes(source: LessonSource) -> Iterator[tuple[ast.stmt, list[str]]]:
    """Yield the imports, constants and helpers of the newest stubs with their lines."""
    text = source.stubs()
    lines = text.splitlines()
    for node in ast.parse(text).body:
        name = getattr(node, "name", "")
        if name not in source.exercises and _key(node):
            yield node, lines[_start(node) : node.end_lineno]


def _key(node: ast.stmt) -> str:
    """Return what identifies a top-level statement in every version, or ""."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return node.name
    if isinstance(node, ast.Import | ast.ImportFrom):
        return ast.unparse(node)
    if isinstance(node, ast.Assign):
        return ast.unparse(node.targets[0])
    if isinstance(node, ast.AnnAssign):
        return ast.unparse(node.target)
    return ""


def _span(text: str, name: str) -> tuple[int, int] | None:
    """Return the first line of a definition and the one after its last, from 0.

    If the text has no such top-level definition, return None.
    """
    try:
        tree = ast.parse(text)
    except SyntaxError:
        return _guessed_span(text.splitlines(), name)
    for node in tree.body:
        if getattr(node, "name", None) == name:
            return _start(node), node.end_lineno or node.lineno
    return None


def _guessed_span(lines: list[str], name: str) -> tuple[int, int] | None:
    """Return the span of a definition in a text that does not parse.

    It reaches up to the next line that begins a statement.
    """
    heading = re.compile(rf"(?:async )?(?:def|class) {name}\b")
    start = next((n for n, line in enumerate(lines) if heading.match(line)), None)
    if start is None:
        return None
    end = next((n for n in range(start + 1, len(lines)) if BEGINS.match(lines[n])), len(lines))
    while end > start + 1 and not lines[end - 1].strip():
        end -= 1
    while start > 0 and lines[start - 1].startswith("@"):
        start -= 1
    return start, end


def _start(node: ast.stmt) -> int:
    return min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))]) - 1


def _trimmed(lines: list[str]) -> list[str]:
    while lines and not lines[-1].strip():
        lines = lines[:-1]
    return lines


Described = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def _definition(text: str) -> Described:
    node = ast.parse(text).body[0]
    assert isinstance(node, Described)
    return node


def _described(node: Described) -> list[Described]:
    """Return a definition and its methods, in order."""
    if not isinstance(node, ast.ClassDef):
        return [node]
    return [node, *(child for child in node.body if isinstance(child, ast.FunctionDef))]


def _docstring(node: Described) -> ast.Expr | None:
    first = node.body[0]
    return first if isinstance(first, ast.Expr) and ast.get_docstring(node) is not None else None


def _outline(node: Described) -> list[str]:
    return [_heading(part) for part in _described(node)]


def _heading(node: Described) -> str:
    """Return the line that begins a definition, without its body.

    >>> _heading(_definition("def f(a, b=1) -> int: return 2"))
    'def f(a, b=1) -> int'
    """
    if isinstance(node, ast.ClassDef):
        bases = ", ".join(ast.unparse(base) for base in node.bases)
        return f"class {node.name}({bases})" if bases else f"class {node.name}"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"def {node.name}({ast.unparse(node.args)}){returns}"


def _is_untouched(text: str, stub: str) -> bool:
    """Return True if a definition is a stub that holds nothing of the student's."""
    bodies = [_body(part) for part in _described(_definition(text)) if _is_function(part)]
    if all(len(body) == 1 and isinstance(body[0], ast.Raise) for body in bodies):
        return True
    known = [_body(part) for part in _described(_definition(stub)) if _is_function(part)]
    return [list(map(ast.dump, body)) for body in bodies] == [
        list(map(ast.dump, body)) for body in known
    ]


def _is_function(node: Described) -> bool:
    return not isinstance(node, ast.ClassDef)


def _body(node: Described) -> list[ast.stmt]:
    return node.body if _docstring(node) is None else node.body[1:]
