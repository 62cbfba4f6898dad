"""Read a reference solution as text, with its exercises, given code and stubs."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

BEGIN = "### BEGIN SOLUTION"
END = "### END SOLUTION"
ROOT = Path(__file__).resolve().parents[2]


class SourceError(ValueError):
    """An error in the markers or exercises of a solution file."""


@dataclass(frozen=True)
class Chunk:
    """A run of whole lines of a solution file.

    With a name it is an exercise, else given code.
    """

    name: str
    text: str


@dataclass(frozen=True)
class LessonSource:
    """A solution file cut into given code and exercises, in order."""

    stem: str
    chunks: tuple[Chunk, ...]

    @property
    def exercises(self) -> tuple[str, ...]:
        """Names of the exercises, in order."""
        return tuple(chunk.name for chunk in self.chunks if chunk.name)

    @property
    def text(self) -> str:
        """Text of the file, unchanged."""
        return "".join(chunk.text for chunk in self.chunks)

    def chunk(self, name: str) -> str:
        """Return the source text of one exercise.

        Raises:
            KeyError: there is none of that name.
        """
        for chunk in self.chunks:
            if chunk.name == name:
                return chunk.text
        raise KeyError(name)

    def stub(self, name: str) -> str:
        """Return the stub of one exercise, as a student gets it."""
        return for_students(make_stub(self.chunk(name), self.stem, name))

    def stubs(self) -> str:
        """Return the whole file as a student gets it."""
        return "".join(
            self.stub(chunk.name) if chunk.name else for_students(chunk.text)
            for chunk in self.chunks
        )

    def given(self) -> str:
        """Return everything outside the exercises.

        It is what a notebook's first cell holds.
        """
        return for_students("".join(c.text for c in self.chunks if not c.name)).strip() + "\n"

    def bare(self) -> str:
        """Return the solved file without markers.

        It is a perfect submission.
        """
        return for_students(without_markers(self.text))

    def replaced(self, name: str, text: str) -> str:
        """Return the solved file with one exercise's source replaced."""
        self.chunk(name)
        text = text.strip("\n") + "\n\n\n"
        parts = [text if chunk.name == name else chunk.text for chunk in self.chunks]
        return for_students(without_markers("".join(parts)))

    def edited(self, name: str, edits: tuple[tuple[str, str], ...]) -> str:
        """Return the solved file with textual replacements inside one exercise.

        Raises:
            SourceError: where an edit's old text is not there, or is there more than once.
        """
        text = self.chunk(name)
        for old, new in edits:
            if text.count(old) != 1:
                raise SourceError(
                    f"{self.stem}.{name}: an edit expects {old!r} once, found {text.count(old)}"
                )
            text = text.replace(old, new)
        return self.replaced(name, text)

    def appended(self, name: str, lines: str) -> str:
        """Return the solved file with lines put right after one exercise."""
        return self.replaced(name, self.chunk(name).rstrip("\n") + "\n\n\n" + lines.strip("\n"))


def for_students(text: str) -> str:
    """Point imports of earlier solutions at the student's own earlier exercises."""
    return re.sub(r"\bsolutions\.(l\d\d_\w+)", r"lessons.\1.exercises", text)


@lru_cache(maxsize=1024)
def earlier_stems(text: str) -> tuple[str, ...]:
    """Return the stems of the lessons that a student's file imports, in order.

    >>> earlier_stems("from lessons.l12_guided_backprop.exercises import guided_backprop")
    ('l12_guided_backprop',)
    """
    return tuple(sorted(set(re.findall(r"\blessons\.(l\d\d_\w+)\.exercises\b", text))))


def earlier_sources(source: str, text_of: Callable[[str], str | None]) -> dict[str, str]:
    """Return the texts of the lessons that a file needs, by stem.

    These are the lessons that it imports, and those that they import.

    Args:
        source: text of the file.
        text_of: returns a lesson's text by stem; None leaves it out.
    """
    found: dict[str, str] = {}
    waiting = [*earlier_stems(source)]
    while waiting:
        stem = waiting.pop()
        if stem not in found and (text := text_of(stem)) is not None:
            found[stem] = text
            waiting += earlier_stems(text)
    return found


def without_markers(text: str) -> str:
    """Return the text without the two marker lines of each solution."""
    kept = [line for line in text.splitlines(True) if line.strip() not in (BEGIN, END)]
    return "".join(kept)


def make_stub(text: str, stem: str, name: str) -> str:
    """Replace each marked region by the line that raises NotImplementedError."""
    lines, inside = [], False
    for line in text.splitlines(keepends=True):
        if line.strip() == BEGIN:
            indent = line[: len(line) - len(line.lstrip())]
            lines += [f"{indent}{stub}\n" for stub in stub_line(stem, name).split("\n")]
            inside = True
        elif line.strip() == END:
            inside = False
        elif not inside:
            lines.append(line)
    return "".join(lines)


def stub_line(stem: str, name: str) -> str:
    """Return what stands in a stub where the solution stood, without indentation."""
    return f'# YOUR CODE HERE\nraise NotImplementedError("{stem}.{name}: not written yet")'


def solution_regions(text: str) -> list[str]:
    """Return the text of every marked region, in order."""
    check_markers(text, "text")
    return [part.partition(END)[0] for part in text.split(BEGIN)[1:]]


def check_markers(text: str, where: str) -> None:
    """Raise SourceError unless every BEGIN has its END and none is nested."""
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        mark = line.strip()
        if mark in (BEGIN, END):
            if (mark == BEGIN) == inside:
                raise SourceError(f"{where}:{number}: {mark!r} is not balanced")
            inside = mark == BEGIN
    if inside:
        raise SourceError(f"{where}: the last {BEGIN!r} has no end")


def cut(text: str, stem: str) -> LessonSource:
    """Cut the text of a solution file into chunks."""
    check_markers(text, stem)
    lines = text.splitlines(keepends=True)
    chunks: list[Chunk] = []
    position = 0
    for node in ast.parse(text).body:
        if not isinstance(node, ast.FunctionDef | ast.ClassDef):
            continue
        start = min([node.lineno, *(d.lineno for d in node.decorator_list)]) - 1
        end = node.end_lineno or node.lineno
        while end < len(lines) and lines[end].strip() in ("", END):
            end += 1  # the closing marker and blank lines belong to the exercise before them
        body = "".join(lines[start:end])
        if BEGIN not in body:
            continue
        if start > position:
            chunks.append(Chunk("", "".join(lines[position:start])))
        chunks.append(Chunk(node.name, body))
        position = end
    if position < len(lines):
        chunks.append(Chunk("", "".join(lines[position:])))
    return LessonSource(stem, tuple(chunks))


@cache
def read_lesson(stem: str) -> LessonSource:
    """Read the reference solution of a lesson, cut into chunks."""
    return cut((ROOT / "solutions" / f"{stem}.py").read_text(encoding="utf-8"), stem)


def solution_stems() -> list[str]:
    """Return the stems of every reference solution, in order."""
    return sorted(path.stem for path in (ROOT / "solutions").glob("l[0-9][0-9]_*.py"))
