"""Generate the student's `exercises.py` from the reference."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from autograder.course.mistakes import words
from autograder.course.reference import LessonSource, for_students

_HEADER = re.compile(r"# Stubs of (?P<stem>l\d\d_\w+), version (?P<digest>[0-9a-f]{12})\..*\n")
_GIVEN = re.compile(r"# Given code of (?P<stem>l\d\d_\w+), version (?P<digest>[0-9a-f]{12})\..*\n")


def digest(text: str) -> str:
    """Return twelve hexadecimal digits that change when the text does."""
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def exercise_label(stem: str, name: str, among: Sequence[str]) -> str:
    """Return the comment above an exercise.

    It has the place among the others, minutes, difficulty and points.

    Args:
        stem: the lesson.
        name: the exercise.
        among: names of the lesson's exercises, in order.

    >>> exercise_label("l11_saliency", "saliency_map", ["saliency_map", "smooth_grad"])
    '# Exercise 1 of 2 · 20 minutes · difficulty 2 of 3 · 4 points'
    """
    told = words(stem, name)
    points = f"{told.points:g} point" + ("s" if told.points != 1 else "")
    place = f"Exercise {among.index(name) + 1} of {len(among)}"
    return f"# {place} · {told.minutes} minutes · difficulty {told.difficulty} of 3 · {points}"


def labelled(source: LessonSource, name: str, text: str) -> str:
    """Return the text of one exercise, such as its stub, below its label."""
    return f"{exercise_label(source.stem, name, source.exercises)}\n{text}"


def exercises_text(source: LessonSource) -> str:
    """Return the text of `exercises.py`: a line with its version, then the stubs.

    The version is the digest of the stubs, so an untouched file is recognised without git: its text
    still fits the digest.
    """
    body = "".join(
        labelled(source, chunk.name, source.stub(chunk.name))
        if chunk.name
        else for_students(chunk.text)
        for chunk in source.chunks
    )
    advice = f"Complete them here; `convlens check {source.stem}` says what is right."
    return f"# Stubs of {source.stem}, version {digest(body)}. {advice}\n{body}"


def given_text(source: LessonSource) -> str:
    """Return `exercises.py` of a lesson that a landed one calls before its own turn."""
    body = source.bare()
    advice = "Its lesson comes later; nothing to write here."
    return f"# Given code of {source.stem}, version {digest(body)}. {advice}\n{body}"


def version(text: str) -> str | None:
    """Return the version in the first line of an `exercises.py`.

    If a student removed the line, return None.
    """
    header = _HEADER.match(text) or _GIVEN.match(text)
    return header["digest"] if header else None


def is_untouched(text: str) -> bool:
    """Return True if nobody has changed the file since it was generated.

    >>> is_untouched("print('mine')")
    False
    """
    text = text.replace("\r\n", "\n")  # git on Windows writes these by itself
    return version(text) == digest(text.partition("\n")[2])
