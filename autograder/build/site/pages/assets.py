"""Files that pages share with the rest of the course."""

from __future__ import annotations

from pathlib import Path

from autograder.build.site.course import Course
from autograder.course.reference import ROOT


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the schema of results, and the stylesheet shared with the tour."""
    rooms = ROOT / "autograder"
    return {
        "assets/results.schema.json": rooms / "grading" / "report" / "results.schema.json",
        "assets/stylesheets/shared.css": rooms / "course" / "shared.css",
    }
