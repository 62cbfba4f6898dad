"""Lesson 12 on the tour, with guided backpropagation for two classes."""

from __future__ import annotations

from typing import Any

from lessons.toolkit.plots import signed_to_rgb
from lessons.toolkit.technique import Panel, Subject, Technique


def _guided(course: Any, subject: Subject) -> list[Panel]:
    panels = []
    for rank in (0, subject.other_rank()):
        gradient = course.l12_guided_backprop.guided_backprop(
            subject.classifier.network, subject.images, subject.target(rank)
        )
        name = subject.name(rank)
        alt = f"Grey picture with coloured fine lines: what speaks for “{name}”."
        panels.append(Panel(signed_to_rgb(gradient[0].cpu()), f"for “{name}”", alt))
    return panels


TECHNIQUES = (
    Technique(
        title="Guided backpropagation",
        question="What if only positive evidence may travel back?",
        shows="Fine lines appear where the plain gradient is noise: whiskers, rims, edges.",
        misleads="Ask about another class and the lines hardly change: they retell the picture.",
        paper="Springenberg et al. 2014; Adebayo et al. 2018",
        draw=_guided,
    ),
)
