"""Fill a column of Blackboard's grade centre, in the file to work offline.

It is text in UTF-16 with tabs, called `.xls`, or a CSV. A column for points carries its number
after a bar, `Saliency [Total Pts: 14 Score] |4711`, and its name and words are translated.
https://help.blackboard.com/Learn/Instructor/Original/Grade/Grading_Tasks/Work_Offline_With_Grade_Data
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

WHAT = "a grade centre downloaded from Blackboard"
_COLUMN = re.compile(r"(?P<title>.*?)\s*\[(?P<about>[^\[\]]*)\]\s*\|\d+", re.DOTALL)
_POINTS = re.compile(r":\s*(?P<points>\d+(?:[.,]\d+)?)\s")


def fill_blackboard(
    export: bytes, marks: Sequence[Mark], column: str | None = None, scale: bool = False
) -> Filled:
    """Fill one column of a grade centre.

    Args:
        export: the file from Blackboard, as it came.
        marks: of the class.
        column: name of the column, without what stands in brackets; the only one when None.
        scale: whether points are scaled to those of the column.

    Raises:
        UserError: it is no such file, the column is not clear, or its points differ.
    """
    sheet = read_sheet(export, WHAT)
    forms = {at: _COLUMN.fullmatch(cell.strip()) for at, cell in enumerate(sheet.head)}
    columns = {at: form for at, form in forms.items() if form is not None}
    if not columns:
        raise not_such(WHAT)
    # Calculated ones say “up to”; one cannot write into them.
    points = {
        at: _POINTS.search(f":{form['about'].partition(':')[2]} ") for at, form in columns.items()
    }
    candidates = [at for at, found in points.items() if found is not None]
    at = pick(sheet.head, candidates, column, WHAT)
    chosen = points[at]
    possible = value(chosen["points"]) if chosen is not None else None
    factor = scale_to(possible, marks, scale, sheet.head[at])
    lines = list(range(1, len(sheet.rows)))
    # Last Name, First Name, Username, Student ID stand before the first column for points.
    about = [at for at in range(len(sheet.head)) if at < min(columns)]

    def shown(line: int) -> str:
        return " ".join(sheet.cell(line, cell) for cell in about[:2])

    found = lines_of(sheet, lines, marks, about, shown)
    cells = [cell for other in candidates for cell in sheet.column(other)]
    return fill(sheet, at, found, shown, marks, factor, decimal_comma(cells) or False)
