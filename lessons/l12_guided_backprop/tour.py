"""Lesson 12 on the tour: guided backpropagation for two classes."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn

from lessons.toolkit.plots import magnitude
from lessons.toolkit.relus import other_activations
from lessons.toolkit.technique import (
    Panel,
    Subject,
    Technique,
    guided_gradient,
    rank_agreement,
    signed,
)


def _guided(course: Any, subject: Subject, rank: int) -> Tensor:
    """Return how strongly each pixel excites a class, clipped for the eye."""
    return magnitude(guided_gradient(course, subject, rank)[0])


def _two_questions(course: Any, subject: Subject) -> list[Panel | str]:
    with warnings.catch_warnings(action="ignore"):  # said in a sentence below
        ranks = (0, subject.other_rank())
        maps = [_guided(course, subject, rank) for rank in ranks]
        likeness = _likeness_without_classifier(course, subject) if maps[0].any() else None
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
    if likeness is not None:
        panels.append(
            "When the weights of the last layer change places at random, the strength of the "
            f"picture keeps a correlation of {signed(likeness)} with what it was: 1 means that it "
            "has not noticed."
        )
    if others := _others(subject):
        panels.append(
            f"This network has {' and '.join(others)} too; the rule holds at its ReLUs, "
            "and the plain gradient passes the others."
        )
    return panels


def _likeness_without_classifier(course: Any, subject: Subject) -> float | None:
    """Return how alike the pictures are before and after the last layer is shuffled."""
    network, lesson = subject.classifier.network, course.l12_guided_backprop
    layers = [
        name
        for name, module in network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    ]
    if not layers:
        return None
    return float(
        lesson.likeness_after_shuffling(
            lesson.guided_backprop, network, layers[-1], subject.images, subject.target()
        )
    )


def _others(subject: Subject) -> list[str]:
    with torch.enable_grad():
        images = subject.images.detach().clone().requires_grad_()
        return other_activations(subject.classifier.network(images))


TECHNIQUES = (
    Technique(
        title="Guided backpropagation",
        question="What if only positive evidence may travel back?",
        shows="Fine lines, where the plain gradient is grain: at what the network's units found.",
        misleads="Ask about another class and the lines hardly change: they retell the picture.",
        paper=(
            "[Springenberg et al. 2014](https://arxiv.org/abs/1412.6806); "
            "[Adebayo et al. 2018](https://arxiv.org/abs/1810.03292)"
        ),
        draw=_two_questions,
        heatmap=_guided,
    ),
)
