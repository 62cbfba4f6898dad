"""Write results as data: `results.json`, `grades.csv`, `usage.csv`.

`results.json` is described by `results.schema.json` beside this file. Nothing in it varies from run
to run over the same submissions.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from autograder.grading.report.results import ExerciseResult, StudentResult
from autograder.plain_text import plain_line

SCHEMA = 3
CSV_ENCODING = "utf-8-sig"  # without its mark, Excel reads another encoding
TEXT = "'"
HEAD = ("student", "name", "email", "score", "max_score", "late", "status")
# Words that a spreadsheet, or a reader that guesses types, takes for a date, a truth or nothing.
_NO_TEXT = re.compile(
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*[\s.,/-]*\d.*"
    r"|true|false|nan|na|null|none|inf|infinity|n/a|nil",
    re.IGNORECASE,
)


def results(rows: Sequence[StudentResult], record: dict[str, Any]) -> dict[str, Any]:
    """Return the content of `results.json`."""
    return {"schema": SCHEMA, "run": record, "students": [_student(row) for row in rows]}


def _student(row: StudentResult) -> dict[str, Any]:
    return {
        "student": row.student,
        "name": row.name,
        "email": row.email,
        "keys": list(row.keys),
        "origin": row.origin,
        "status": row.status,
        "reason": row.reason,
        "notes": list(row.notes),
        "score": row.score,
        "graded_score": row.graded_score,
        "max_score": row.max_score,
        "lost": row.lost,
        "given": row.given,
        "note": row.note,
        "lessons": {stem: dict(made) for stem, made in row.made_from.items()},
        "exercises": [_exercise(exercise) for exercise in row.exercises],
    }


def _exercise(exercise: ExerciseResult) -> dict[str, Any]:
    told = asdict(exercise)
    del told["picture"]  # it is for the student's page
    return told


def grades_csv(rows: Sequence[StudentResult]) -> str:
    """Write one row a student: who, score, status, points by exercise.

    Points of exercises are before lateness; `late` is what it takes off their sum.
    What counts stands there, also where it was given by hand. Work that could not be read or graded
    is an empty cell, never a 0. Names are written by `id_cell`.
    """
    names = [exercise.id for exercise in rows[0].exercises] if rows else []
    table: list[list[object]] = [[*HEAD, *names]]
    for row in rows:
        points = [_number(exercise.counted) for exercise in row.exercises]
        who = [id_cell(row.student), id_cell(row.name), id_cell(row.email)]
        score = [_number(row.score), _number(row.max_score), _number(row.lost), row.status]
        table.append([*who, *score, *points])
    return _csv(table)


def usage_csv(rows: Sequence[StudentResult]) -> str:
    """Write processor seconds, peak MiB and wall seconds a submission."""
    table: list[list[object]] = [["student", "cpu_seconds", "peak_mib", "wall_seconds"]]
    for row in rows:
        usage = row.usage
        peak = round(usage.get("peak_rss", 0) / 2**20, 1)
        table.append(
            [id_cell(row.student), usage.get("cpu_seconds", 0), peak, usage.get("seconds", 0)]
        )
    return _csv(table)


def id_cell(text: str) -> str:
    """Return a name as a cell that stays text in a spreadsheet and for a reader.

    An apostrophe goes before all that does not begin with a letter, ends in a blank, or would be
    taken for a date, a truth or nothing. `id_of` takes it off again.

    >>> [id_cell(name) for name in ("ada", "0012345", "1e5", "=cmd()", "'t", "March 1")]
    ['ada', "'0012345", "'1e5", "'=cmd()", "''t", "'March 1"]
    """
    line = text if text.isprintable() else plain_line(text)
    plain = line[:1].isalpha() and not line[-1:].isspace() and not _NO_TEXT.fullmatch(line)
    return line if plain or not line else f"{TEXT}{line}"


def id_of(cell: str) -> str:
    """Return the name that a cell stands for.

    >>> id_of("'0012345"), id_of("ada")
    ('0012345', 'ada')
    """
    return cell.removeprefix(TEXT)


def _csv(table: list[list[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows(table)
    return text.getvalue()


def _number(value: float | None) -> float | int | str:
    """Return a clean number: no -0, no trailing .0, never NaN, nothing for None."""
    if value is None:
        return ""
    return int(value) if value == int(value) else round(value, 2)
