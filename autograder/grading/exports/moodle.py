"""Fill a column of Moodle's grading worksheet or gradebook, as it exported them.

Moodle translates the names of columns, separates by comma, semicolon or tab, and writes decimals as
the language does; so nothing here goes by a column's name except the one the instructor gives.
https://docs.moodle.org/en/Grade_import
https://docs.moodle.org/en/Offline_grading_worksheet
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from autograder.grading.exports.marks import Mark
from autograder.grading.exports.matching import key_columns, lines_of
from autograder.grading.exports.sheet import (
    Filled,
    Sheet,
    decimal_comma,
    fill,
    pick,
    read_sheet,
    scale_to,
    value,
)
from lessons.toolkit.errors import UserError

_SECONDS = 1e9
WHAT = "a table of grades exported from Moodle"


def fill_moodle(
    export: bytes,
    marks: Sequence[Mark],
    column: str | None = None,
    scale: bool = False,
    comma: bool | None = None,
) -> Filled:
    """Fill one column of a worksheet or a gradebook.

    Args:
        export: the file from Moodle, as it came.
        marks: of the class, with ids or addresses.
        column: name of the column; in a worksheet, and where there is only one, not needed.
        scale: whether points are scaled to a worksheet's highest grade.
        comma: whether decimals are written with one; by the other numbers in the file when None.

    Raises:
        UserError: it is no such file, holds nobody of the class, or the column is not clear.
    """
    sheet = read_sheet(export, WHAT)
    lines = list(range(1, len(sheet.rows)))
    every = list(range(len(sheet.head)))
    texts = [at for at in every if not _could_be_points(sheet, at)]
    known = key_columns(sheet, lines, marks, every)[:1]

    def called(line: int, columns: Sequence[int]) -> str:
        return " ".join(filter(None, (sheet.cell(line, at) for at in columns)))

    # A name is one column, or two that stand together.
    names = [*([at] for at in texts), *([a, b] for a, b in pairwise(texts))]
    tried = [lines_of(sheet, lines, marks, known, partial(called, columns=n)) for n in names]
    found = max(tried, key=lambda each: sum(map(bool, each.values())), default={})

    def shown(line: int) -> str:
        return called(line, texts[:2]) or f"line {line + 1}"

    if not any(found.values()):
        raise UserError(
            f"Nobody of the class is in this file, or it is not {WHAT}.",
            "Export it with ID number or e-mail address, and give a roster that has them.",
        )
    highest = _highest(sheet, known)
    candidates = [
        at
        for at in every
        if at not in known and _could_be_points(sheet, at) and not _is_time(sheet, at)
    ]
    if column is None and highest is not None:
        at = highest - 1
    else:
        candidates = [at for at in candidates if at != highest]
        # Where nobody has an institution, its column is as empty as one that waits for points.
        written = [at for at in candidates if any(cell.strip() for cell in sheet.column(at))]
        alone = written if column is None and len(written) == 1 else candidates
        at = pick(sheet.head, alone, column, WHAT)
    possible = None
    if highest is not None and at == highest - 1:
        possible = value(sheet.cell(lines[0], highest))
    factor = scale_to(possible, marks, scale, sheet.head[at])
    if comma is None:
        cells = [cell for other in candidates for cell in sheet.column(other)]
        comma = decimal_comma(cells) or False
    filled = fill(sheet, at, found, shown, marks, factor, comma)
    if possible is None and marks:
        full = max(mark.max_points for mark in marks)
        filled.notes.append(f"The item in Moodle must have {full:g} points: the file does not say.")
    return filled


def _could_be_points(sheet: Sheet, at: int) -> bool:
    """Return whether a column holds numbers, dashes and nothing else."""
    return all(
        cell.strip() in ("", "-") or value(cell.removesuffix("%").strip()) is not None
        for cell in sheet.column(at)
    )


def _is_time(sheet: Sheet, at: int) -> bool:
    """Return whether a column says when the file was exported, in seconds since 1970."""
    return all((value(cell) or 0) > _SECONDS for cell in sheet.column(at))


def _highest(sheet: Sheet, known: Sequence[int]) -> int | None:
    """Return a worksheet's column of the highest grade.

    It holds one number and stands right of the grades.
    """
    for at in range(2, len(sheet.head)):
        cells = {cell.strip() for cell in sheet.column(at)}
        before = at - 1
        if (
            len(cells) == 1
            and (value(next(iter(cells))) or 0) > 0
            and len(sheet.rows) > 2
            and before not in known
            and _could_be_points(sheet, before)
            and at + 1 < len(sheet.head)
            and not _could_be_points(sheet, at + 1)
        ):
            return at
    return None
