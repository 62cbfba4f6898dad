"""Write the workflow for a student's repository of GitHub Classroom."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import resources


def workflow(course: str, stems: Sequence[str]) -> bytes:
    """Return the file for `.github/workflows/` of the template repository.

    Args:
        course: what pip installs the course from.
        stems: lessons to check.
    """
    text = resources.files(__package__).joinpath("github.yml").read_text(encoding="utf-8")
    # What JSON writes as a text, YAML reads as one.
    for name, value in (("@COURSE@", course), ("@LESSONS@", " ".join(stems))):
        text = text.replace(name, json.dumps(value, ensure_ascii=False))
    return text.encode()
