"""Read a class as `convlens grade` does, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from autograder.grading.intake.folder import read_submission
from autograder.grading.intake.gather import read_class
from autograder.grading.intake.platforms import recognise
from autograder.grading.intake.submission import Submission


def read_submissions(folder: Path, stems: Sequence[str]) -> Sequence[Submission]:
    return read_class(recognise(folder), lambda place: read_submission(place, stems)).submissions
