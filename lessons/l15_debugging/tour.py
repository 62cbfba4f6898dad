"""Lesson 15 on the tour."""

from __future__ import annotations

from typing import Any

from lessons.toolkit.technique import Panel, Subject, Technique


def _draw(course: Any, subject: Subject) -> list[Panel]:
    # TODO: a panel for each picture that `course.l15_debugging.NAME` makes of the subject
    return [Panel(subject.rgb, "the photo", "The photo as the network sees it.")]


TECHNIQUES = (
    Technique(
        title="Debugging",
        question="TODO: what a reader would ask.",
        shows="TODO: what to look for.",
        misleads="TODO: where it misleads.",
        paper="TODO: author and year.",
        draw=_draw,
    ),
)
