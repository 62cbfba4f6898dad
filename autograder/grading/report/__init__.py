"""Write the pages of a run: one for each student, one for the class.

They are files that can run nothing.
"""

from __future__ import annotations

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
        write_whole(out / "feedback" / row.student / "index.html", page.encode(), durable=True)
    write_whole(out / "class.html", class_page(rows, record).encode(), durable=True)
