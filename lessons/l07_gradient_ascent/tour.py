"""Lesson 7 on the tour: portraits of the first two answers."""

from __future__ import annotations

from typing import Any

import torch

from lessons.toolkit.technique import Declined, Panel, Subject, Technique

STEPS = 14
SIDE = 160  # pixels: a portrait need not be as large as a photo


def _portraits(course: Any, subject: Subject) -> list[Panel | str]:
    classifier, lesson = subject.classifier, course.l07_gradient_ascent
    size = (min(SIDE, classifier.preprocess.crop),) * 2
    panels: list[Panel | str] = []
    for rank in (0, subject.other_rank()):
        try:
            picture = lesson.class_portrait(
                classifier.network,
                subject.target(rank),
                size,
                STEPS,
                rate=0.04,
                normalise=classifier.preprocess.normalise,
            )
        except (RuntimeError, AssertionError) as error:
            raise Declined(f"needs a network that takes pictures of {size[0]} pixels") from error
        with torch.no_grad():
            logits = classifier.network(classifier.preprocess.normalise(picture))
        probability = float(logits[0].softmax(0)[subject.target(rank)])
        name = subject.name(rank)
        panels.append(
            Panel(
                lesson.contrasted(picture[0]),
                f"{name}, after {STEPS} steps: the network is {probability:.0%} sure.",
                f"A picture in soft colours, made to look like {name} to the network.",
            )
        )
    return panels


TECHNIQUES = (
    Technique(
        title="Class portraits",
        question="What does the network's first answer look like to the network?",
        shows=(
            "A picture that began as faint noise and changed step by step until the network saw "
            "its answer in it. The photo plays no part. Lesson 7 takes a hundred steps."
        ),
        misleads=(
            "It shows what the network would like to see, not what it used in this photo; and a "
            "sure network is no sign of a good portrait."
        ),
        paper="[Olah, Mordvintsev and Schubert 2017](https://distill.pub/2017/feature-visualization)",
        draw=_portraits,
    ),
)
