"""Grade the submission in a container of Gradescope's."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path

from autograder.files import write_whole
from autograder.grading.class_run import LIMITS, Request, Run, grade
from autograder.grading.exports.gradescope import results_json
from autograder.grading.gradescope.pack import SEED, SETTINGS, WISHES
from autograder.grading.intake.archives import Caps
from autograder.grading.run.seeds import read_seed
from autograder.grading.run.settings import read_settings
from lessons.toolkit.errors import UserError


def main(place: Path) -> int:
    """Grade what was handed in.

    Gradescope has no word for work that is not graded, and takes a missing score for a 0. So where
    there is no final score no file is written: Gradescope then says that the autograder failed, and
    the instructor finds one line here. Only instructors read standard output.

    Args:
        place: Gradescope's folder, with `source`, `submission` and `results`.
    """
    if os.geteuid() == 0:
        # All of it: workers may run as a user to whom files are closed by their mode only.
        place.chmod(0o700)
    results = place / "results" / "results.json"
    results.unlink(missing_ok=True)
    try:
        wishes = json.loads((place / "source" / WISHES).read_text(encoding="utf-8"))
        run = _graded(place, wishes["lessons"])
        data = results_json(run.rows[0], visibility=wishes["visibility"])
        write_whole(results, data)
    except UserError as error:
        print(f"Not graded. {error.message} {error.next_step}")
        return 1
    except Exception as error:
        print(f"Not graded: the grader failed, {type(error).__name__}: {str(error)[:300]}")
        return 1
    row, record = run.rows[0], run.record
    print(f"{row.score:g} of {row.max_score:g} points.")
    print(f"Isolation {record['isolation']}, seed {record['seed_hash']}.")
    for reason in record["isolation_reasons"]:
        print(reason)
    for notice in (*row.reasons, *run.notices):
        print(notice)
    return 0


def _graded(place: Path, stems: list[str]) -> Run:
    source = place / "source"
    settings = source / SETTINGS
    limits, caps = read_settings(settings if settings.exists() else None, LIMITS, Caps())
    with tempfile.TemporaryDirectory(prefix="convlens-") as folder:
        return grade(
            Request(
                submissions=place / "submission",
                out=Path(folder),
                stems=stems,
                seed=read_seed(source / SEED),
                workers=1,
                limits=limits,
                caps=caps,
                one=True,
            )
        )


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
