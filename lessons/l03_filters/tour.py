"""Lesson 3 on the tour: the filters of the first layer, and what a few of them answer."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit.plots import colour
from lessons.toolkit.technique import Declined, Panel, Subject, Technique

SHOWN = 64  # filters at the most
COLUMNS = 16
TILE = 24  # pixels of a filter in the picture, at least
QUIET = 1e-4  # of the loudest filter's largest weight: below it a filter is as good as dead
ALL_COLOUR = 0.9


def _first_layer(subject: Subject) -> nn.Conv2d:
    for module in subject.classifier.network.modules():
        if isinstance(module, nn.Conv2d) and min(module.kernel_size) > 1:
            if module.in_channels == 3 and module.groups == 1 and set(module.dilation) == {1}:
                return module
            break
    raise Declined("needs a first layer of filters that read red, green and blue")


def _filters(course: Any, subject: Subject) -> list[Panel | str]:
    lesson, layer = course.l03_filters, _first_layer(subject)
    weight = layer.weight.detach()[:SHOWN]
    count, _, height, width = weight.shape
    larger = math.ceil(TILE / max(height, width))
    fine = weight.repeat_interleave(larger, 2).repeat_interleave(larger, 3)
    wall = lesson.filter_grid(fine, COLUMNS, padding=3)
    of = "All" if count == layer.out_channels else f"The first {count} of {layer.out_channels}"
    caption = f"{of} {count} filters of {height}×{width}" if of == "All" else f"{of} filters"
    alt = (
        f"{count} small coloured tiles of {height}×{width} squares, the filters of the first layer."
    )
    panels: list[Panel | str] = [
        Panel(wall.float(), f"{caption}; mid-grey is zero.", alt, wide=True)
    ]

    loudest = weight.abs().amax((1, 2, 3))
    alive = loudest > QUIET * loudest.max()
    energy = weight.square().sum((1, 2, 3))
    share = (weight - weight.mean(1, keepdim=True)).square().sum((1, 2, 3)) / energy
    colours = alive & (share > ALL_COLOUR)
    panels.append(
        f"Of the {int(alive.sum())} that are not silent, {int(colours.sum())} see next to nothing "
        "but colour."
    )

    strides = max(1, min(layer.stride) // 2)
    answers = torch.stack([lesson.filter_response(subject.images[0], w, strides) for w in weight])
    strength = answers.std((1, 2)) / energy.sqrt()
    angle = lesson.dominant_orientation(weight)
    for name, turn in (("level", 0.0), ("upright", math.pi / 2)):
        off = ((angle - turn + math.pi / 2) % math.pi - math.pi / 2).abs()
        near = alive & ~colours & (off < math.pi / 8)
        panels += _answer(lesson, weight, answers, strength.where(near, 0), f"{name} stripes")
    panels += _answer(lesson, weight, answers, strength.where(colours, 0), "colour alone")
    return panels


def _answer(
    lesson: Any, weight: Tensor, answers: Tensor, strength: Tensor, what: str
) -> list[Panel]:
    """Return the strongest answer with its filter in the corner, or nothing if none is left."""
    number = int(strength.argmax())
    if not float(strength[number]) > 0:
        return []
    picture = colour(answers[number].float(), signed=True)
    side = min(picture.shape[1:]) // 4
    tile = lesson.zero_as_grey(weight[[number]]).float().cpu()
    corner = functional.pad(functional.interpolate(tile, (side, side)), (0, 3, 0, 3), value=1.0)
    picture[:, : side + 3, : side + 3] = corner[0]
    caption = f"filter {number}: {what}; orange where it answers with plus, purple with minus"
    return [Panel(picture, caption, f"Where a filter for {what} answers; the filter in a corner.")]


TECHNIQUES = (
    Technique(
        title="Filters",
        question="What does the first layer look for?",
        shows=(
            "The weights of the first layer as pictures, each on its own scale, then what the "
            "filter of its kind that answers most makes of the photo."
        ),
        misleads="Each filter is scaled by itself, so one that hardly counts looks as strong.",
        paper="[Krizhevsky, Sutskever and Hinton 2012]"
        "(https://papers.nips.cc/paper/4824-imagenet-classification-with-deep-convolutional-neural-networks)",
        draw=_filters,
    ),
)
