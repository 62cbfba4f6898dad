"""Fill a column of Canvas's gradebook, in the file that Canvas exported.

The first line names the columns, an assignment's with its number: `Saliency (4711)`. Lines without
an ID follow: one that says what is posted by hand, one with the points possible.
https://community.canvaslms.com/t5/Instructor-Guide/How-do-I-import-grades-in-the-Gradebook/ta-p/807
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from autograder.grading.exports.marks import Mark
from autograder.grading.exports.matching import lines_of
from autograder.grading.exports.sheet import (
    Filled,
    decimal_comma,
    fill,
    not_such,
    pick,
    read_sheet,
    scale_to,
    value,
)

WHAT = "a gradebook exported from Canvas"
# Canvas looks for these words in whatever language it is used.
_IDS = ("ID", "SIS User ID", "SIS Login ID", "Integration ID")
_NAMES = ("Student", "LastName", "FirstName")
_ASSIGNMENT = re.compile(r".+ \(\d+\)", re.DOTALL)
_POSSIBLE = "points possible"
# Excused, and not assigned to this student: neither is a number of ours to replace.
_KEPT = ("EX", "N/A")


def fill_canvas(
    export: bytes, marks: Sequence[Mark], column: str | None = None, scale: bool = False
) -> Filled:
    """Fill one assignment of a gradebook.

    Args:
        export: the file from Canvas, as it came.
        marks: of the class.
        column: the assignment, with or without its number; the only one when None.
        scale: whether points are scaled to those of the assignment.

    Raises:
        UserError: it is no such file, the column is not clear, or its points differ.
    """
    sheet = read_sheet(export, WHAT)
    head = [cell.strip() for cell in sheet.head]
    if "ID" not in head or not {"Student", "LastName"} & set(head):
        raise not_such(WHAT)
    ids = [head.index(cell) for cell in _IDS if cell in head]
    names = [head.index(cell) for cell in _NAMES if cell in head]
    candidates = [at for at, cell in enumerate(head) if _ASSIGNMENT.fullmatch(cell)]
    at = pick(head, candidates, column, WHAT)
    above = [line for line in range(1, len(sheet.rows)) if not sheet.cell(line, ids[0]).strip()]
    lines = [line for line in range(1, len(sheet.rows)) if line not in above]
    possible = next(
        (
            value(sheet.cell(line, at))
            for line in above
            if sheet.rows[line][0].strip().casefold() == _POSSIBLE
        ),
        None,
    )
    factor = scale_to(possible, marks, scale, sheet.head[at])

    def shown(line: int) -> str:
        cells = [sheet.cell(line, name) for name in names]
        return " ".join(cell for cell in cells if cell) or sheet.cell(line, ids[0])

    found = lines_of(sheet, lines, marks, ids, shown)
    points = [cell for other in candidates for cell in sheet.column(other)]
    comma = decimal_comma(points) or False
    return fill(sheet, at, found, shown, marks, factor, comma, keep=_KEPT)
