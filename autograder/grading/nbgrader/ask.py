"""Grade submissions for nbgrader, in a process of our own.

An order comes on standard input; what comes of each submission is a file named by its key.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from autograder.checks import lesson
from autograder.files import write_whole
from autograder.grading.class_run import Request, grader_for
from autograder.grading.intake.submission import Submission
from autograder.grading.nbgrader.gradebook import told
from autograder.grading.nbgrader.verdicts import VERDICTS
from autograder.grading.report.results import exercise_result
from autograder.grading.run.journal import NAME as JOURNAL
from autograder.grading.run.journal import Journal, locked
from autograder.grading.run.seeds import hold_to_seed, make_seed, read_seed
from autograder.grading.sandbox.other_user import refuse_open
from autograder.grading.sandbox.probe import choose
from lessons.toolkit.errors import UserError


def main() -> int:
    """Answer one order."""
    order = json.load(sys.stdin)
    submissions = {key: Submission(**told) for key, told in order["submissions"].items()}
    try:
        grade(Path(order["out"]), order["stems"], submissions)
    except UserError as error:
        sys.stderr.write(f"{error.message} {error.next_step}\n")
        return 2
    return 0


def grade(out: Path, stems: list[str], submissions: dict[str, Submission]) -> None:
    """Grade submissions into a folder of results.

    Its journal and seed are the class's.

    Args:
        out: the folder; the seed is `.seed` in it, as `convlens grade` makes it.
        stems: lessons to grade.
        submissions: by the key under which each is looked up.

    Raises:
        UserError: as of `class_run.grade`.
    """
    isolation = choose("auto")
    refuse_open(isolation.level, (out.parent,))  # the course: sources, and what others handed in
    if not (out / ".seed").exists():
        make_seed(out / ".seed", out)
    request = Request(
        submissions=out,
        out=out,
        stems=stems,
        seed=read_seed(out / ".seed"),
        workers=len(os.sched_getaffinity(0)),
    )
    with locked(out), Journal(out / JOURNAL) as journal:
        hold_to_seed(journal, request.seed)
        grader = grader_for(request, isolation, journal)
        grader.run(submissions.values(), lambda _: None)
        for key, submission in submissions.items():
            results = [
                exercise_result(submission, stem, exercise.name, grader)
                for stem in stems
                for exercise in lesson(stem).exercises
            ]
            text = json.dumps({result.id: told(result) for result in results})
            write_whole(out / VERDICTS / f"{key}.json", text.encode())


if __name__ == "__main__":
    sys.exit(main())
