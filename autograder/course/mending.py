"""Make text load that does not parse, at the price of its broken definition."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection
from itertools import pairwise
from typing import Any

DEFINES = re.compile(r"(?:async\s+)?(?:def|class)\b\s*(\w*)")
# A line with which a statement could begin that is not a part of the one before.
BEGINS = re.compile(r"(?!(?:else|elif|except|finally)\b)[^\s#)\]}]")
MAGIC = re.compile(r"\s*(?:%%?[A-Za-z]|!|\?|[\w.]+\?\??\s*$|[\w, ]+=\s*(?:!|%[A-Za-z]))")
FUTURE = re.compile(r"from\s+__future__\s+import\s+\w+\s*(?:#.*)?")
# A string with a line that looks like a definition is cut there; so many pieces are tried as one.
MOST_JOINED = 3


def fault_of(text: str) -> Exception | None:
    """Return what hinders Python from compiling a text, or None."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of a student's "\d": not for the grader
            compile(text, "<lesson>", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return error
    return None


def without_magics(text: str) -> str:
    """Blank the lines that only a notebook understands."""
    return "\n".join("" if MAGIC.match(line) else line for line in text.split("\n"))


def mended(text: str, names: Collection[str]) -> tuple[str, list[str]]:
    """Replace each broken definition by a function that raises its error.

    Every other line keeps its place and its number.

    Args:
        text: of a file or a cell that does not compile.
        names: those that the course looks for.

    Returns:
        The text, and notes on lines that are left out because they are no Python; the text as it
        was where nothing of it could be saved.

    >>> mended("def f(x):\\n    return (x\\ndef g(): pass", ["f"])[0].split("\\n")[1:]
    ['', 'def g(): pass']
    """
    mender = _Mender(text, names)
    mender.mend()
    whole = "\n".join(mender.lines)
    saved = any(re.search(rf"^(?:async )?(?:def|class) {name}\b", whole, re.M) for name in names)
    if not saved or fault_of(whole) is not None:
        return text, []
    if not mender.left_out:
        return whole, []
    numbers = ", ".join(map(str, mender.left_out[:5]))
    more = " and others" if len(mender.left_out) > 5 else ""
    return whole, [f"No Python, and left out, is what begins on line {numbers}{more}."]


def is_broken(node: ast.AST) -> bool:
    """Return whether a definition stands for one that did not parse."""
    return isinstance(node, ast.FunctionDef) and [
        getattr(arg, "arg", "") for arg in (node.args.vararg, node.args.kwarg)
    ] == ["_", "__"]


class _Mender:
    def __init__(self, text: str, names: Collection[str]) -> None:
        self.lines = text.split("\n")
        self.names = names
        self.left_out: list[int] = []

    def mend(self) -> None:
        self._leave_out_futures()
        for first, last in self._whole(self._chunks()):
            self._break_up(first, last)

    def _leave_out_futures(self) -> None:
        """Blank what may stand at the beginning only, in a file pasted below another."""
        defined = False
        for number, line in enumerate(self.lines):
            defined = defined or DEFINES.match(line) is not None
            if defined and FUTURE.fullmatch(line):
                self.lines[number] = ""

    def _chunks(self) -> list[int]:
        """Return the lines before which to cut: each definition with its decorators."""
        starts, decorated = [0], False
        for number, line in enumerate(self.lines):
            if line.startswith("@") or DEFINES.match(line):
                if not decorated and number:
                    starts.append(number)
                decorated = line.startswith("@")
            elif BEGINS.match(line):
                decorated = False
        return [*starts, len(self.lines)]

    def _whole(self, cuts: list[int]) -> list[tuple[int, int]]:
        """Return the pieces that do not compile, alone or with the next ones."""
        broken, number = [], 0
        while number < len(cuts) - 1:
            for count in range(1, MOST_JOINED + 1):
                end = number + count
                if end < len(cuts) and self._fault(cuts[number], cuts[end]) is None:
                    number = end
                    break
            else:
                broken.append((cuts[number], cuts[number + 1]))
                number += 1
        return broken

    def _fault(self, first: int, last: int) -> Exception | None:
        return fault_of("\n".join(self.lines[first:last]))

    def _break_up(self, first: int, last: int) -> None:
        """Keep of a broken chunk what compiles: its definition, or what stands after it."""
        head = next((n for n in range(first, last) if DEFINES.match(self.lines[n])), first)
        defines = DEFINES.match(self.lines[head]) is not None
        start = head if defines else first
        cuts = [first, *(n for n in range(start + 1, last) if BEGINS.match(self.lines[n])), last]
        ends = (end for end in cuts[1 : 1 + MOST_JOINED] if self._fault(first, end) is None)
        begin = next(ends, None) if defines else first
        if begin is not None:
            for piece in self._whole([begin, *(cut for cut in cuts if cut > begin)]):
                self._replace(*piece, self._fault(*piece))
            return
        fault = self._fault(first, last)
        # What follows may have been meant to be its body: only what can do no harm is kept.
        for piece in pairwise(cuts[1:]):
            if not _harmless("\n".join(self.lines[slice(*piece)])):
                self.lines[slice(*piece)] = [""] * (piece[1] - piece[0])
        self._replace(first, cuts[1], fault)

    def _replace(self, first: int, last: int, fault: Exception | None) -> None:
        lines = self.lines[first:last]
        # The name in the first line that has one: `deff f(x):` was to define f.
        found = next(filter(None, map(DEFINES.match, lines)), None)
        words = [found[1]] if found else re.findall(r"\w+", lines[0])
        name = next((word for word in words if word in self.names), found[1] if found else "")
        self.lines[first:last] = [""] * (last - first)
        if name.isidentifier():
            self.lines[first] = f"def {name}(*_, **__): raise {_error(fault, first)}"
        elif any(line.strip() and not MAGIC.match(line) for line in lines):
            self.left_out.append(first + 1)


def _error(fault: Exception | None, first: int) -> str:
    """Return the source of an exception with a fault's own words and place."""
    if not isinstance(fault, SyntaxError):
        place: tuple[Any, ...] = (None, first + 1, 0, "")
        return f"SyntaxError({str(fault) or type(fault).__name__!r}, {place!r})"
    place = (None, first + (fault.lineno or 1), fault.offset, (fault.text or "")[:200])
    return f"{type(fault).__name__}({fault.msg!r}, {place!r})"


def _harmless(text: str) -> bool:
    """Return whether a statement is an import or names a plain constant."""
    try:
        (node,) = ast.parse(text).body
        if isinstance(node, ast.Assign):
            ast.literal_eval(node.value)
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return False
    return isinstance(node, ast.Import | ast.ImportFrom | ast.Assign)
