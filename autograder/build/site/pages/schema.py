"""The schema of grading's results, for programs that read them."""

from __future__ import annotations

from pathlib import Path

from autograder.build.site.course import Course
from autograder.course.reference import ROOT

NAME = "results.schema.json"


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the schema's file."""
    return {f"assets/{NAME}": ROOT / "autograder" / "grading" / "report" / NAME}
