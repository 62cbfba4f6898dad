"""Write the pages of a run: one for each student, one for the class.

They are files that can run nothing.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from autograder.files import write_whole
from autograder.grading.report.classroom import class_page
from autograder.grading.report.results import StudentResult
from autograder.grading.report.student import student_page


def write_pages(out: Path, rows: Sequence[StudentResult], record: dict[str, Any]) -> None:
    """Write `feedback/<student>/index.html` and `class.html`.

    Args:
        out: folder of results.
        rows: the class; each id is safe as a file name.
        record: how it was graded.
    """
    for row in rows:
        page = student_page(row, record)
        write_whole(page_of(out, row.student), page.encode(), durable=True)
    write_whole(out / "class.html", class_page(rows, record).encode(), durable=True)


def page_of(out: Path, student: str) -> Path:
    """Return the path of a student's page, the same bytes on disk under every locale."""
    return out / "feedback" / os.fsdecode(student.encode()) / "index.html"
