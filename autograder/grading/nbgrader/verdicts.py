"""Look up what grading says of a submission in a course of nbgrader.

Verdicts lie in files named for all that was handed in, as nbgrader has put it right. Where one is
missing, all of its assignment are asked for at once, in another process: see `ask`.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from autograder.course.reference import ROOT, earlier_stems, solution_stems
from autograder.grading.intake.archives import Caps
from autograder.grading.intake.guarded import Reader
from autograder.grading.intake.submission import Submission
from autograder.grading.run.journal import content_key
from autograder.grading.run.versions import course_hash

GRADED = "graded"  # beside submitted/; also where `convlens grade --out` of a course belongs
VERDICTS = "verdicts"
# Keys that one pass of nbgrader has asked for: what stays ungraded is asked for once in each.
_ASKED: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


def results_of(
    converter: Any, student: str, assignment: str, stems: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Return what grading says of each exercise of a submission.

    Args:
        converter: nbgrader's, which knows the course's folders.
        student: the name of the student's folder, as it is.
        assignment: nbgrader's, under whatever name.
        stems: lessons in it.

    Raises:
        RuntimeError: grading failed; nbgrader then says so and keeps nothing of the submission.
    """
    folders, log = converter.coursedir, converter.log
    out = Path(folders.root) / GRADED
    asked = _ASKED.setdefault(converter, set())
    with Reader(stems, Caps()) as reader, _locked(out):
        own = _submission(folders, reader, folders.autograded_directory, student, assignment)
        key = _key(own, stems)
        known = _known(out, key)
        if known is None or (key not in asked and _is_open(known)):
            orders = {key: own}
            if known is None:
                for place in sorted(Path(folders.root).glob(_pattern(folders, assignment))):
                    other = _student_of(folders, place)
                    step = folders.submitted_directory
                    found = _submission(folders, reader, step, other, assignment)
                    orders.setdefault(_key(found, stems), found)
            wanted = {k: o for k, o in orders.items() if k == key or _known(out, k) is None}
            asked.update(wanted)
            _ask(out, stems, wanted, log)
            known = _known(out, key)
    if known is None:
        raise RuntimeError(f"{out / VERDICTS} cannot be read.")
    return known


def _submission(
    folders: Any, reader: Reader, step: str, student: str, assignment: str
) -> Submission:
    """Read an assignment of a student from the folder of one of nbgrader's steps.

    Earlier lessons that it calls come from what the same student handed in.
    """
    found = reader.read(Path(folders.format_path(step, student, assignment)))
    if any(map(earlier_stems, found.sources.values())):
        handed_in = Path(folders.format_path(folders.submitted_directory, student, "."))
        with Reader(solution_stems(), Caps()) as all_lessons:
            others = all_lessons.read(handed_in.resolve()).sources
        found = replace(found, sources={**others, **found.sources})
    return replace(found, student=student, origin=student)


def _key(submission: Submission, stems: Sequence[str]) -> str:
    told = [list(stems), submission.sources, submission.problems, submission.fault]
    return content_key(course_hash(), json.dumps(told, sort_keys=True))


def _pattern(folders: Any, assignment: str) -> str:
    place = folders.format_path(folders.submitted_directory, "*", assignment)
    return os.path.relpath(place, folders.root)


def _student_of(folders: Any, place: Path) -> str:
    parts = Path(folders.directory_structure).parts
    return place.parts[parts.index("{student_id}") - len(parts)]


def _known(out: Path, key: str) -> dict[str, dict[str, Any]] | None:
    try:
        return dict(json.loads((out / VERDICTS / f"{key}.json").read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return None


def _is_open(results: dict[str, dict[str, Any]]) -> bool:
    return any(result["outcome"] == "ungraded" for result in results.values())


def _ask(
    out: Path, stems: Sequence[str], orders: dict[str, Submission], log: logging.Logger
) -> None:
    log.info("Grading %d submissions of %s.", len(orders), " and ".join(stems))
    order = {
        "out": str(out),
        "stems": list(stems),
        "submissions": {key: asdict(submission) for key, submission in orders.items()},
    }
    done = subprocess.run(
        # -P: nothing is imported from the current directory, which holds submissions.
        [sys.executable, "-P", "-m", "autograder.grading.nbgrader.ask"],
        input=json.dumps(order),
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"Grading failed. {done.stderr.strip()[-2000:]}")


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Wait for another process of nbgrader that grades into the same folder."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / ".nbgrader.lock").open("a+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
