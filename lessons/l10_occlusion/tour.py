"""Lesson 10 on the tour, with windows covered and what the classes lose by it."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from lessons.toolkit.plots import overlay
from lessons.toolkit.technique import (
    OWN_PLACE,
    SAME_PLACE,
    Panel,
    Subject,
    Technique,
    rank_agreement,
    signed,
)

BATCH = 8
ALPHA = 0.75


def _windows(subject: Subject) -> tuple[int, int]:
    """Return window and stride in pixels.

    They make about thirty windows, whatever the picture's size.
    """
    height, width = subject.images.shape[2:]
    window = min(round(math.sqrt(height * width) * 2 / 7), height, width)
    return max(window, 1), max(round(window * 3 / 4), 1)


@lru_cache(maxsize=4)  # the technique and the comparison at the end ask for the same maps
def _map(course: Any, subject: Subject, rank: int) -> Tensor:
    """Return the signed map (H, W) of a class, covered with the mean colour."""
    window, stride = _windows(subject)
    network, target = subject.classifier.network, subject.target(rank)
    maps: Tensor = course.l10_occlusion.occlusion_map(
        network, subject.images, target, window, stride, 0.0, BATCH
    )
    return maps[0].cpu()


def _drops(course: Any, subject: Subject, rank: int) -> Tensor:
    return _map(course, subject, rank).clamp(min=0)


def _panel(course: Any, subject: Subject, rank: int) -> Panel:
    name, drops = subject.name(rank), _drops(course, subject, rank)
    if not drops.any():
        nothing = f"no window costs “{name}” anything"
        return Panel(overlay(subject.rgb, drops), nothing, f"The photo in plain grey: {nothing}.")
    caption = f"“{name}” drops by up to {float(drops.max()):.2f}"
    alt = f"The photo in grey, with coloured blocks where a cover costs “{name}” most."
    return Panel(overlay(subject.rgb, drops, ALPHA), caption, alt)


def _worst(course: Any, subject: Subject) -> Panel | None:
    """Draw the photo without the place that the first class needs most."""
    heatmap = _map(course, subject, 0)
    if heatmap.max() <= 0:
        return None
    window, _ = _windows(subject)
    # The highest step of the map is a block of pixels: the window lies around its middle.
    highest = (heatmap > heatmap.max() * 0.999).nonzero().double().mean(0)
    top, left = (round(float(middle) - window / 2) for middle in highest)
    place = (top, left, window)
    covered = course.l10_occlusion.occlude(subject.images[0], *place, 0.0)
    with torch.no_grad():
        answer = subject.classifier.network(covered[None])[0].argmax()
    name = subject.classifier.classes[int(answer)]
    preprocess = subject.classifier.preprocess
    grey = torch.tensor(preprocess.mean, dtype=subject.rgb.dtype)[:, None, None]
    picture = course.l10_occlusion.occlude(subject.rgb, *place, grey)
    word = "still" if name == subject.name() else "now"
    return Panel(picture, f"{word}: “{name}”", f"The photo with a grey square, {word} “{name}”.")


def _occlusion(course: Any, subject: Subject) -> list[Panel | str]:
    other = subject.other_rank()
    first, second = (_map(course, subject, rank) for rank in (0, other))
    worst = _worst(course, subject)
    panels: list[Panel | str] = [_panel(course, subject, 0), _panel(course, subject, other)]
    if worst is not None:
        panels.append(worst)
    rises = -float(first.min())
    if rises > 0:
        panels.append(
            f"With another place covered, “{subject.name()}” rises instead, by up to {rises:.2f}."
        )
    panels.append(_places(rank_agreement(first, second)))
    return panels


def _places(correlation: float | None) -> str:
    """Say in words how far apart the places of two classes lie."""
    if correlation is None:
        return "One of the two maps is the same everywhere, so their places cannot be compared."
    number = f"(rank correlation {signed(correlation)})"
    if correlation <= OWN_PLACE:
        return f"What one class needs is not what the other needs {number}."
    if correlation < SAME_PLACE:
        return f"The two classes need partly the same places {number}."
    return f"Both classes need the same places {number}."


TECHNIQUES = (
    Technique(
        title="Occlusion",
        question="What does the answer need to see?",
        shows="Colour lies where a square of the mean colour costs the class most.",
        misleads="A grey square is a thing too, and of two things that say the same, "
        "covering one costs nothing.",
        paper="[Zeiler and Fergus 2014](https://arxiv.org/abs/1311.2901)",
        draw=_occlusion,
        heatmap=_drops,
    ),
)
