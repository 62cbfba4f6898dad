"""Merge folders of results: shards of one class, or runs of several machines."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from autograder.files import write_whole
from autograder.grading.class_run import Run, make_folder, write_results
from autograder.grading.report.adjustments import COLUMNS, Adjustment, adjusted, read_adjustments
from autograder.grading.report.adjustments import NAME as ADJUSTMENTS
from autograder.grading.report.results import LessonResult, Lessons, rows
from autograder.grading.report.tables import CSV_ENCODING, id_cell
from autograder.grading.run.journal import NAME as JOURNAL
from autograder.grading.run.journal import Journal, locked
from autograder.grading.sandbox.probe import LADDER
from lessons.toolkit.errors import UserError

# What the rows of one table must have in common.
SAME = {
    "seed_hash": "seed",
    "versions": "versions",
    "course": "course",
    "limits": "limits",
    "schema": "form of results",
}
MOST_NAMED = 12


@dataclass(frozen=True)
class Folder:
    """One folder of results as it is.

    Args:
        path: where it is.
        record: how its last run was made.
        entries: verdicts by key.
        lessons: results of each student, with the folder of submissions as a whole path.
        adjustments: what a person gives.
    """

    path: Path
    record: dict[str, Any]
    entries: dict[str, dict[str, Any]]
    lessons: Lessons
    adjustments: list[Adjustment]


def merge(sources: Sequence[Path], out: Path) -> Run:
    """Merge folders of results into one, which may hold results already.

    Of two gradings of one lesson of a student the later wins.

    Raises:
        UserError: no results there, folders that another seed, course or version made, a grader at
            work in one, or two adjustments that contradict each other.
    """
    paths = list(dict.fromkeys(path.resolve() for path in sources))
    make_folder(out)
    with contextlib.ExitStack() as held:
        held.enter_context(locked(out))
        if out.resolve() not in paths and (out / JOURNAL).exists():
            paths.insert(0, out.resolve())
        folders = []
        for path in paths:
            if not (path / JOURNAL).exists() or not (path / "results.json").exists():
                raise UserError(
                    f"{path} holds no results of a run that ended.",
                    "Name folders that `convlens grade` has written, and let each end first.",
                )
            if path != out.resolve():
                held.enter_context(locked(path))
            folders.append(_read(path))
        record = _common_record(folders)
        lessons, notices = _latest(folders)
        own = read_adjustments(out / ADJUSTMENTS)
        given = [(folder.path, folder.adjustments) for folder in folders]
        adjustments = _together([(out, own), *given])
        with Journal(out / JOURNAL) as journal:
            journal.extend({key: e for folder in folders for key, e in folder.entries.items()})
            journal.keep_about(seed_hash=record["seed_hash"])
            journal.keep_lessons(
                {
                    key: (os.path.relpath(place, out.resolve()), asdict(result))
                    for key, (place, result) in lessons.items()
                }
            )
        if len(adjustments) > len(own):
            write_whole(out / ADJUSTMENTS, _written(adjustments))
        table, warnings = adjusted(rows(result for _, result in lessons.values()), adjustments)
        write_results(out, table, record)
    return Run(table, record, [*notices, *warnings])


def _read(path: Path) -> Folder:
    record = json.loads((path / "results.json").read_text("utf-8"))["run"]
    with Journal(path / JOURNAL) as journal:
        if journal.notices:
            raise UserError(f"{path}: {journal.notices[0]}", "Then merge again.")
        lessons: Lessons = {
            key: (os.path.normpath(path / where), LessonResult.from_json(told))
            for key, (where, told) in journal.lessons().items()
        }
        entries = journal.entries
    return Folder(path, record, entries, lessons, read_adjustments(path / ADJUSTMENTS))


def _common_record(folders: Sequence[Folder]) -> dict[str, Any]:
    """Return the record of the whole, with the weakest isolation that any part had.

    Raises:
        UserError: two parts that cannot stand in one table.
    """
    first = folders[0]
    for folder in folders[1:]:
        for name, word in SAME.items():
            one, other = first.record.get(name), folder.record.get(name)
            if one != other:
                raise UserError(
                    f"{first.path} and {folder.path} differ in their {word}: "
                    f"{_difference(one, other)}.",
                    "Grades from both cannot stand in one table: grade one of them again.",
                )
    ranks = list(LADDER.values())
    return max((folder.record for folder in folders), key=lambda r: ranks.index(r["isolation"]))


def _difference(one: Any, other: Any) -> str:
    if isinstance(one, dict) and isinstance(other, dict):
        names = [name for name in {**one, **other} if one.get(name) != other.get(name)]
        return ", ".join(f"{name} {one.get(name)} and {other.get(name)}" for name in names)
    return f"{one} and {other}"


def _latest(folders: Sequence[Folder]) -> tuple[Lessons, list[str]]:
    """Return the later of each two results, and a sentence on those there were."""
    found: Lessons = {}
    replaced: dict[str, None] = {}
    for folder in folders:
        for key, (place, result) in folder.lessons.items():
            known = found.get(key)
            if known is not None and known[1] != result:
                replaced[f"{key[0]} ({key[1]})"] = None
            if known is None or result.graded_at > known[1].graded_at:
                found[key] = place, result
    named = list(replaced)
    more = f" and {len(named) - MOST_NAMED} more" if len(named) > MOST_NAMED else ""
    said = f"Graded more than once, the later counts: {', '.join(named[:MOST_NAMED])}{more}."
    return dict(sorted(found.items())), [said] if named else []


def _together(given: Iterable[tuple[Path, list[Adjustment]]]) -> list[Adjustment]:
    """Return the lines of all folders, each once.

    Raises:
        UserError: two that contradict each other.
    """
    found: dict[tuple[str, str], tuple[Path, Adjustment]] = {}
    for path, adjustments in given:
        for one in adjustments:
            where, known = found.setdefault((one.student, one.exercise), (path, one))
            if (known.points, known.note) != (one.points, one.note):
                raise UserError(
                    f"{one.student}, {one.exercise} is given {known.points:g} “{known.note}” in "
                    f"{where / ADJUSTMENTS}, line {known.line}, and {one.points:g} “{one.note}” in "
                    f"{path / ADJUSTMENTS}, line {one.line}.",
                    "Take one of the two lines out.",
                )
    return [one for _, one in found.values()]


def _written(adjustments: Iterable[Adjustment]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in adjustments:
        writer.writerow([id_cell(one.student), one.exercise, f"{one.points:.12g}", one.note])
    return text.getvalue().encode(CSV_ENCODING)
