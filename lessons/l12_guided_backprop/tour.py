"""Lesson 12 on the tour, with guided backpropagation for two classes."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lessons.toolkit.plots import magnitude
from lessons.toolkit.technique import (
    Panel,
    Subject,
    Technique,
    guided_gradient,
    rank_agreement,
    signed,
)

OTHER_ACTIVATIONS = (nn.Hardswish, nn.SiLU, nn.GELU, nn.LeakyReLU, nn.ELU, nn.Sigmoid, nn.Tanh)


def _guided(course: Any, subject: Subject, rank: int) -> Tensor:
    """Return how strongly each pixel excites a class, clipped for the eye."""
    return magnitude(guided_gradient(course, subject, rank)[0])


def _two_questions(course: Any, subject: Subject) -> list[Panel | str]:
    ranks = (0, subject.other_rank())
    maps = [_guided(course, subject, rank) for rank in ranks]
    panels: list[Panel | str] = [
        Panel(
            subject.drawn(lines),
            f"for “{subject.name(rank)}”" + ("" if lines.any() else ": nothing"),
            f"Fine bright lines on a dark ground: what excites “{subject.name(rank)}”."
            if lines.any()
            else f"The photo in plain grey: nothing excites “{subject.name(rank)}”.",
        )
        for rank, lines in zip(ranks, maps, strict=True)
    ]
    if (correlation := rank_agreement(*maps)) is not None:
        panels.append(
            f"Asked about two classes, it draws two maps with a rank correlation of "
            f"{signed(correlation)}."
        )
    others = {
        type(module).__name__
        for module in subject.classifier.network.modules()
        if isinstance(module, OTHER_ACTIVATIONS)
    }
    if others:
        panels.append(
            f"This network has {' and '.join(sorted(others))} too; the rule holds at its ReLUs, "
            "and the plain gradient passes the others."
        )
    return panels


TECHNIQUES = (
    Technique(
        title="Guided backpropagation",
        question="What if only positive evidence may travel back?",
        shows="Fine lines where the plain gradient is noise: the rims and edges of the picture.",
        misleads="Ask about another class and the lines hardly change: they retell the picture.",
        paper=(
            "[Springenberg et al. 2014](https://arxiv.org/abs/1412.6806); "
            "[Adebayo et al. 2018](https://arxiv.org/abs/1810.03292)"
        ),
        draw=_two_questions,
        heatmap=_guided,
    ),
)
