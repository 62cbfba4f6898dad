"""Read a table as a platform exported it, and write it back, one column filled.

Everything else stays: encoding, mark at the beginning, separator, line ends, order, words. Cells
that look like formulas are the platform's own and are left as they are.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from autograder.grading.exports.marks import Mark, number
from autograder.grading.intake.people import folded
from autograder.plain_text import plain_line
from lessons.toolkit.errors import UserError, nearest_names

_MARKS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be", b"\xef\xbb\xbf": "utf-8"}
_NUMBER = re.compile(r"-?\d+(?:[.,]\d+)?")


@dataclass
class Sheet:
    """One exported table.

    Args:
        rows: all lines, those above the students too.
        separator: of cells.
        encoding: of its bytes.
        mark: bytes before the first character.
        ends: of lines.
        quoted: whether every cell stands in quotes.
    """

    rows: list[list[str]]
    separator: str
    encoding: str
    mark: bytes
    ends: str
    quoted: bool

    @property
    def head(self) -> list[str]:
        """Return the names of the columns."""
        return self.rows[0]

    def bytes(self) -> bytes:
        """Return the table as it came, with what was changed."""
        text = io.StringIO()
        writer = csv.writer(
            text,
            delimiter=self.separator,
            lineterminator=self.ends,
            quoting=csv.QUOTE_ALL if self.quoted else csv.QUOTE_MINIMAL,
        )
        writer.writerows(self.rows)
        return self.mark + text.getvalue().encode(self.encoding)

    def cell(self, line: int, at: int) -> str:
        """Return a cell, "" where the line is short."""
        row = self.rows[line]
        return row[at] if at < len(row) else ""

    def column(self, at: int) -> list[str]:
        """Return the cells of a column below its name."""
        return [self.cell(line, at) for line in range(1, len(self.rows))]


@dataclass
class Filled:
    """An export with its column filled.

    Args:
        data: the file to give back to the platform.
        column: that was filled.
        filled: how many students have points in it now.
        empty: students whose points are not final: their cell is empty.
        unknown: students who are not in the file.
        untouched: lines of the file that are no student's of this class; left as they were.
        notes: what else a person should know.
    """

    data: bytes
    column: str
    filled: int = 0
    empty: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    untouched: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return what to say once it is written, everybody by name."""
        said = [f"“{plain_line(self.column, 80)}”: {self.filled} filled."]
        for what, names in (
            ("Left empty, not final", self.empty),
            ("Not in the file", self.unknown),
            ("In the file and not graded", self.untouched),
        ):
            if names:
                shown = "; ".join(plain_line(name, 60) for name in names)
                said.append(f"{what} ({len(names)}): {shown}")
        return [*said, *(plain_line(note) for note in self.notes)]


def read_sheet(data: bytes, what: str) -> Sheet:
    """Read an exported table.

    Args:
        data: the file.
        what: the kind of file that is wanted, for the one line that refuses another.

    Raises:
        UserError: it is no text, or no table.
    """
    mark = next((mark for mark in _MARKS if data.startswith(mark)), b"")
    encoding = _MARKS.get(mark, "utf-8")
    try:
        text = data[len(mark) :].decode(encoding)
        separator, quoted = _form(text)
        # Strict, or a quote that is never closed would swallow all the lines after it.
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        rows = [row for row in lines if row]
    except (UnicodeDecodeError, csv.Error):
        rows = []
    if len(rows) < 2 or len(rows[0]) < 2 or "\0" in text:
        raise not_such(what)
    ends = "\r\n" if "\r\n" in text else "\n"
    return Sheet(rows, separator, encoding, mark, ends, quoted)


def not_such(what: str) -> UserError:
    """Return the one line for a file that is something else."""
    return UserError(f"This file is not {what}.", "Export it again and give it as it comes.")


def _form(text: str) -> tuple[str, bool]:
    """Return the separator and whether every cell of the first line stands in quotes."""
    outside = re.sub(r'"[^"]*"', '""', text[:100_000].splitlines()[0] if text.strip() else "")
    separator = max(",;\t", key=outside.count)
    cells = outside.split(separator)
    return separator, all(cell == '""' for cell in cells)


def fill(
    sheet: Sheet,
    at: int,
    students: dict[int, Mark | None],
    shown: Callable[[int], str],
    marks: Sequence[Mark],
    scale: float = 1.0,
    comma: bool = False,
    keep: Sequence[str] = (),
) -> Filled:
    """Write the points of the students found into a column.

    Args:
        sheet: changed in place.
        at: the column.
        students: mark of each student's line, None for one of another class.
        shown: name of a line, for a list.
        marks: of the whole class.
        scale: times the points.
        comma: whether numbers are written with one.
        keep: words in the column that are a decision, such as “EX”: they stay.
    """
    result = Filled(b"", sheet.head[at])
    met: set[int] = set()
    for line, mark in students.items():
        if mark is None:
            result.untouched.append(shown(line))
            continue
        met.add(id(mark))
        row = sheet.rows[line]
        row.extend([""] * (at + 1 - len(row)))
        if folded(row[at]) in {folded(word) for word in keep}:
            result.notes.append(f"{shown(line)} keeps “{row[at]}”.")
        elif mark.points is None:
            row[at] = ""
            result.empty.append(shown(line))
        else:
            row[at] = number(mark.points * scale, comma)
            result.filled += 1
    result.unknown = [mark.name or mark.keys[0] for mark in marks if id(mark) not in met]
    result.data = sheet.bytes()
    return result


def decimal_comma(cells: Sequence[str]) -> bool | None:
    """Return whether numbers are written with a comma, None where no cell tells."""
    broken = [cell.strip() for cell in cells if _NUMBER.fullmatch(cell.strip())]
    commas = sum("," in cell for cell in broken)
    points = sum("." in cell for cell in broken)
    return None if commas == points else commas > points


def value(cell: str) -> float | None:
    """Return the number that a cell holds, with a point or a comma."""
    text = cell.strip()
    return float(text.replace(",", ".")) if _NUMBER.fullmatch(text) else None


def pick(head: Sequence[str], candidates: Sequence[int], wanted: str | None, what: str) -> int:
    """Return the column that is meant: by name, or the only one there is.

    Raises:
        UserError: none is called so, or several could be meant.
    """
    names = [head[at] for at in candidates]
    if wanted is not None:
        exact = [at for at in candidates if folded(head[at]) == folded(wanted)]
        loose = [at for at in candidates if folded(head[at]).startswith(folded(wanted))]
        found = exact or loose
        if len(found) == 1:
            return found[0]
        near = nearest_names(wanted, names) if not found else [head[at] for at in found]
        hint = f"Did you mean {_listed(near)}?" if near else f"There are {_listed(names)}."
        many = "several columns begin with" if found else "no column for points is called"
        raise UserError(f"In {what}, {many} “{plain_line(wanted, 60)}”.", hint)
    if len(candidates) != 1:
        have = f"{len(names)} columns could be filled" if names else "no column can be filled"
        hint = f"Name one: {_listed(names)}." if names else "Make the assignment there first."
        raise UserError(f"In {what}, {have}.", hint)
    return candidates[0]


def scale_to(possible: float | None, marks: Sequence[Mark], scale: bool, column: str) -> float:
    """Return what to multiply points by, to fit a column's full marks.

    Raises:
        UserError: the two differ and nobody asked for scaling.
    """
    full = max((mark.max_points for mark in marks), default=0.0)
    if possible is None or not full or abs(possible - full) < 0.005:
        return 1.0
    if scale:
        return possible / full
    raise UserError(
        f"“{plain_line(column, 60)}” has {number(possible)} points, these lessons {number(full)}.",
        f"Set it to {number(full)} there, or ask for scaling.",
    )


def _listed(names: Sequence[str]) -> str:
    shown = " or ".join(f"“{plain_line(name, 60)}”" for name in names[:5])
    return f"{shown} or {len(names) - 5} more" if len(names) > 5 else shown
