"""Read what a person gives by hand and apply it to the rows of a class.

Its file, `adjustments.csv`, is made once with its header and never written again.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.course.catalogue import landed_stems
from autograder.course.reference import read_lesson
from autograder.files import write_whole
from autograder.grading.report.results import StudentResult
from autograder.grading.report.tables import CSV_ENCODING, id_of
from autograder.plain_text import plain_line
from lessons.toolkit.errors import UserError, nearest_names, unknown

NAME = "adjustments.csv"
COLUMNS = ("student", "exercise", "points", "note")
TOTAL = "total"


@dataclass(frozen=True)
class Adjustment:
    """One line of the file: an exercise's points, or the total's."""

    line: int
    student: str
    exercise: str
    points: float
    note: str


def read_adjustments(path: Path) -> list[Adjustment]:
    """Read the adjustments of a folder of results, or make an empty file of them.

    As spreadsheets write it: commas, semicolons or tabs, any encoding, a decimal comma.

    Raises:
        UserError: a line that cannot be meant, with its number and what to write.
    """
    if not path.exists():
        write_whole(path, f"{','.join(COLUMNS)}\n".encode(CSV_ENCODING))
        return []
    text = _decoded(path)
    header = text.partition("\n")[0]
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=max(",;\t", key=header.count), strict=True
    )
    try:
        table = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        why = f"{error}."
        raise _refused(reader.line_num, why, 'Write a quote inside quotes twice: "".') from error
    return list(_lines([(number, cells) for number, cells in table if any(cells)]))


def adjusted(
    rows: Sequence[StudentResult], adjustments: Sequence[Adjustment]
) -> tuple[list[StudentResult], list[str]]:
    """Return the rows with what a person gives, and warnings.

    A warning is a sentence about a line that fits no row.
    """
    found = {row.student: row for row in rows}
    warnings = []
    for one in adjustments:
        if (row := found.get(one.student)) is None:
            near = nearest_names(one.student, found, 1)
            hint = f" Did you mean {near[0]}?" if near else ""
            warnings.append(f"There is no student “{one.student}”.{hint}")
        elif one.exercise == TOTAL:
            found[one.student] = replace(row, given=one.points, note=one.note)
            continue
        elif one.exercise in (ids := [exercise.id for exercise in row.exercises]):
            place = ids.index(one.exercise)
            exercise = replace(row.exercises[place], given=one.points, note=one.note)
            exercises = (*row.exercises[:place], exercise, *row.exercises[place + 1 :])
            found[one.student] = replace(row, exercises=exercises)
            if one.points <= exercise.max_points:
                continue
            warnings.append(f"{one.points:g} of {exercise.max_points:g} points are given.")
        else:
            warnings.append(f"{one.exercise} was not graded here.")
        warnings[-1] = f"{NAME}, line {one.line}: {warnings[-1]}"
    return list(found.values()), warnings


def _lines(table: list[tuple[int, list[str]]]) -> Iterator[Adjustment]:
    if not table:
        return
    (number, header), *others = table
    names = [name.lower() for name in header]
    while names and not names[-1]:  # a spreadsheet may write more columns than are filled
        names.pop()
    if wrong := [name for name in names if name not in COLUMNS]:
        raise _refused(number, f"there is no column “{wrong[0]}”.", _HEADER)
    if sorted(names) != sorted(COLUMNS):
        raise _refused(number, "the header is not whole.", _HEADER)
    known = {f"{stem}.{name}" for stem in landed_stems() for name in read_lesson(stem).exercises}
    seen: dict[tuple[str, str], int] = {}
    for number, cells in others:
        if any(cells[len(names) :]) or len(cells) < len(names):
            raise _refused(
                number,
                f"{len(cells)} cells, not {len(names)}.",
                'A cell that holds the separator goes into quotes: "3,5".',
            )
        told = dict(zip(names, cells, strict=False))
        student, exercise = id_of(told["student"]), told["exercise"]
        if exercise not in {*known, TOTAL}:
            error = unknown("exercise", exercise, [*known, TOTAL])
            raise _refused(number, error.message, error.next_step)
        if (earlier := seen.setdefault((student, exercise), number)) != number:
            raise _refused(
                number, f"{student}, {exercise} stands in line {earlier} too.", "Keep one."
            )
        points = _points(number, told["points"])
        yield Adjustment(number, student, exercise, points, plain_line(told["note"]))


_HEADER = f"Write: {','.join(COLUMNS)}"


def _points(line: int, text: str) -> float:
    try:
        points = float(text.replace(",", "."))
    except ValueError:
        points = math.nan
    if not 0 <= points < math.inf:
        raise _refused(line, f"“{text}” is no number of points.", "Write one such as 2.5, or 0.")
    return points


def _decoded(path: Path) -> str:
    data = path.read_bytes()
    encodings = ["utf-16"] if data[:2] in (b"\xff\xfe", b"\xfe\xff") else [CSV_ENCODING, "cp1252"]
    for encoding in encodings:
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UserError(f"{path} cannot be read as text.", "Save it as CSV in UTF-8.")


def _refused(line: int, why: str, next_step: str) -> UserError:
    return UserError(f"{NAME}, line {line}: {why}", next_step)
