"""Make and read the jobs that a worker is asked to run.

A job is ``{"stem", "exercise", "source", "filename", "earlier", "cases": [{"name", "call",
"inputs"}, ...]}``. It crosses in one frame, or in several whose parts together are the job.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from autograder.protocol.wire import encode, read_frame

if TYPE_CHECKING:  # a worker has no use for the course
    from autograder.course.exercise import Case, Exercise

Job = dict[str, Any]


def make_job(
    stem: str,
    exercise: Exercise,
    cases: Mapping[str, Case],
    source: str,
    filename: str,
    earlier: Mapping[str, str] | None = None,
) -> Job:
    """Make the job that runs one exercise of a student's file.

    Args:
        stem: the lesson.
        exercise: what is called.
        cases: on what, by name.
        source: text of the student's file.
        filename: shown in tracebacks.
        earlier: the same student's files of other lessons by stem, which this one may import.
    """
    return {**_question(stem, exercise, cases), **_file(source, filename, earlier)}


def encode_question(stem: str, exercise: Exercise, cases: Mapping[str, Case]) -> bytes:
    """Encode the part of a job that all submissions share."""
    return encode(_question(stem, exercise, cases))


def encode_job(
    question: bytes, source: str, filename: str, earlier: Mapping[str, str] | None = None
) -> bytes:
    """Encode a whole job whose shared part is encoded already.

    Args:
        question: from `encode_question`.
        source, filename, earlier: as in `make_job`.
    """
    return question + encode(_file(source, filename, earlier))


def read_job(read: Callable[[int], bytes]) -> Job:
    """Read a job to the end of a stream.

    Args:
        read: `read(n)` returns at most the next n bytes.

    Returns:
        The job; empty where the stream holds none.

    Raises:
        WireError: the stream holds something else.
    """
    job: Job = {}
    while (frame := read_frame(read)) is not None:
        job.update(frame.value)
    return job


def _question(stem: str, exercise: Exercise, cases: Mapping[str, Case]) -> Job:
    asked = [
        {"name": name, "call": case.call or exercise.name, "inputs": dict(case.inputs)}
        for name, case in cases.items()
    ]
    return {"stem": stem, "exercise": exercise.name, "cases": asked}


def _file(source: str, filename: str, earlier: Mapping[str, str] | None) -> Job:
    return {"source": source, "filename": filename, "earlier": dict(earlier or {})}
