"""Lesson 2 on the tour, with channels of four depths."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lessons.toolkit.plots import colour, overlay
from lessons.toolkit.technique import Panel, Subject, Technique, feature_maps

COLUMNS = 4
SHOWN = COLUMNS**2
DEPTHS = ("Early", "A quarter in", "Halfway", "Late")
TILE = 56  # rows of one channel's picture
GUTTER = 3
GREY = 0.5  # between the channels; on light pages and on dark ones


def _at_four_depths(course: Any, subject: Subject) -> dict[str, Tensor]:
    """Return feature maps of the network's blocks, by layer.

    Of each size of map it is the last layer's, and of the sizes the last four.
    """
    maps = feature_maps(course, subject)
    by_size = {tuple(activation.shape[-2:]): name for name, activation in maps.items()}
    names = [name for size, name in by_size.items() if min(size) > 1]
    return {name: maps[name] for name in names[-len(DEPTHS) :]}


def _feature_maps(course: Any, subject: Subject) -> list[Panel]:
    panels = []
    for place, (name, activation) in enumerate(_at_four_depths(course, subject).items()):
        # A channel that is equally bright everywhere says nothing of where.
        varied = activation[0].var((1, 2)).argsort(descending=True)[:SHOWN]
        width = TILE * activation.shape[3] // activation.shape[2]
        maps = functional.interpolate(activation[:, varied], (TILE, width), mode="nearest")[0]
        grid = colour(course.l02_hooks.feature_map_grid(maps, COLUMNS))
        silent = float((activation[0].amax((1, 2)) <= 0).float().mean())
        channels, cells = activation.shape[1], f"{activation.shape[2]}×{activation.shape[3]} cells"
        quiet = f"; {silent:.0%} of them silent here" if silent >= 0.005 else ""
        panels.append(
            Panel(
                _with_gutters(grid, width),
                f"{DEPTHS[place]}: {len(varied)} of {channels} channels, {cells} each{quiet}. "
                f"Layer {name}.",
                f"{len(varied)} feature maps of layer {name} in a grid, yellow where a channel "
                f"fires most; {cells} each.",
            )
        )
    return panels


def _with_gutters(grid: Tensor, width: int) -> Tensor:
    """Put grey lines between the channels of a coloured grid."""
    rows = []
    for row in grid.split(TILE, dim=1):
        tiles = [functional.pad(tile, (0, GUTTER), value=GREY) for tile in row.split(width, dim=2)]
        rows.append(functional.pad(torch.cat(tiles, dim=2), (0, 0, 0, GUTTER), value=GREY))
    return torch.cat(rows, dim=1)[:, :-GUTTER, :-GUTTER]


def _ablation(course: Any, subject: Subject) -> list[Panel]:
    """Draw the four channels of the last block that the answer depends on most.

    Each is drawn where it fires.
    """
    network, layer = subject.classifier.network, subject.layer
    lesson, index = course.l02_hooks, int(subject.target())
    activation = lesson.capture_activations(network, [layer], subject.images)[layer]
    gradient = lesson.capture_gradients(network, layer, subject.images, subject.target())
    promising = (activation * gradient).mean((2, 3))[0].argsort(descending=True)[:4]
    with torch.inference_mode():
        whole = float(network(subject.images)[0, index])
    panels = []
    for channel in promising.tolist():
        logit = float(lesson.ablate_channel(network, layer, channel, subject.images)[0, index])
        image = overlay(subject.rgb, activation[0, channel], 0.7)
        caption = f"channel {channel}: logit of “{subject.name()}” {whole:.2f} → {logit:.2f}"
        alt = f"The photo in grey, coloured where channel {channel} fires."
        panels.append(Panel(image, caption, alt))
    return panels


TECHNIQUES = (
    Technique(
        title="Feature maps",
        question="What happens inside a forward pass?",
        shows=(
            "Sixteen channels at each of four depths, those that vary most over the picture. "
            "Early ones tell many places apart, late ones few; they have more channels instead."
        ),
        misleads="Each channel is scaled by itself, so a whisper looks as loud as a shout.",
        paper="[Zeiler and Fergus 2014](https://arxiv.org/abs/1311.2901)",
        draw=_feature_maps,
    ),
    Technique(
        title="Ablation",
        question="Which channels does the answer lean on?",
        shows="Four channels of the last block: where each fires, and the logit without it.",
        misleads="Channels work together: silencing one at a time misses what two can replace.",
        paper="[Morcos et al. 2018](https://arxiv.org/abs/1803.06959)",
        draw=_ablation,
    ),
)
