"""Find each student's line in an exported table, by what stands in its cells."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from autograder.grading.exports.marks import Mark
from autograder.grading.exports.sheet import Sheet
from autograder.grading.intake.people import folded, orders

Thing = TypeVar("Thing")
_PARTICIPANT = re.compile(r"\D+?(?P<number>\d+)", re.DOTALL)


def lines_of(
    sheet: Sheet,
    lines: Sequence[int],
    marks: Sequence[Mark],
    columns: Sequence[int],
    name: Callable[[int], str],
) -> dict[int, Mark | None]:
    """Return the mark of each line, None where it is of no student of this class.

    One column decides, the one that knows most students; the others serve those whom it lacks, and
    there by words alone, since numbers of two kinds can be equal. Names decide only where no cell
    is any student's key. A key of two students, or of two lines, is nobody's.

    Args:
        sheet: the table.
        lines: of it that are students'.
        marks: of the class.
        columns: in which a key may stand.
        name: of a line.
    """
    found: dict[int, Mark | None] = dict.fromkeys(lines)
    by_key = _unique([(folded(key), mark) for mark in marks for key in mark.keys])
    ranked = key_columns(sheet, lines, marks, columns)
    for rank, at in enumerate(ranked):
        taken = {id(mark) for mark in found.values() if mark is not None}
        cells = {line: _ways(sheet.cell(line, at)) for line in lines if found[line] is None}
        often = Counter(way for ways in cells.values() for way in ways)
        for line, ways in cells.items():
            hits = [by_key[way] for way in ways if often[way] == 1 and way in by_key]
            hits = [mark for mark in hits if id(mark) not in taken]
            if len({id(mark) for mark in hits}) == 1 and (rank == 0 or not _digits(ways)):
                found[line] = hits[0]
    if not ranked:
        by_name = _unique([(order, mark) for mark in marks for order in orders(mark.name)])
        here = _unique([(order, line) for line in lines for order in orders(name(line))])
        for order, line in here.items():
            if order in by_name:
                found[line] = by_name[order]
    return found


def key_columns(
    sheet: Sheet, lines: Sequence[int], marks: Sequence[Mark], columns: Sequence[int]
) -> list[int]:
    """Return the columns that hold students' keys, the one that finds most first.

    Names of columns differ by language; what stands in them does not.
    """
    keys = {folded(key) for mark in marks for key in mark.keys}
    hits = []
    for at in columns:
        ways = Counter(way for line in lines for way in _ways(sheet.cell(line, at)))
        # A column of points can hold a student's number by chance, but hardly each once.
        if count := sum(times == 1 and way in keys for way, times in ways.items()):
            hits.append((-count, at))
    return [at for _, at in sorted(hits)]


def _ways(cell: str) -> set[str]:
    """Return a cell's ways to be found: itself, the number of a “Participant 123”."""
    found = {folded(cell)} - {""}
    if match := _PARTICIPANT.fullmatch(cell.strip()):
        found.add(match["number"])
    return found


def _digits(ways: set[str]) -> bool:
    return any(way.isdigit() for way in ways)


def _unique(pairs: Iterable[tuple[str, Thing]]) -> dict[str, Thing]:
    """Return the things that a key means alone."""
    found: dict[str, list[Thing]] = {}
    for key, thing in pairs:
        if key and thing not in found.setdefault(key, []):
            found[key].append(thing)
    return {key: things[0] for key, things in found.items() if len(things) == 1}
