"""Describe what intake hands to the grader: a student's lesson files as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Submission:
    """One student's work, read and never run.

    Args:
        student: id, safe in file names and cells.
        origin: where it came from, relative to the submissions folder.
        sources: source text by lesson stem.
        problems: why work cannot be read, by ``stem.exercise``, by stem, and under "" the whole.
        notes: what was chosen among copies or left alone; a person should know, no point hangs on
            it.
        missing: whether nothing at all was handed in.
        fault: our own failure to read it; then nothing of it is graded, and nothing is a 0.
    """

    student: str
    origin: str
    sources: Mapping[str, str] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    missing: bool = False
    fault: str = ""
