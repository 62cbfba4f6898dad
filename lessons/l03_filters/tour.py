"""Lesson 3 on the tour: filters of the first layer, and what a few answer."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit.plots import clipped, colour
from lessons.toolkit.technique import Declined, Panel, Subject, Technique

SHOWN = 64  # filters at the most
COLUMNS = 16
TILE = 24  # pixels of a filter in the picture, at least
QUIET = 1e-4  # of the loudest filter's largest weight: below it a filter is as good as dead
ALL_COLOUR = 0.9  # of a filter's energy
WAVES = 1.5  # kernels from one stripe to the next
SMALLEST = 112  # pixels of an answer's shorter side in the picture, at least
SEEN = 0.98  # share of the places that keep their value
CLEARLY = 2  # times as much that a filter answers to stripes of its own direction


def _first_layer(network: nn.Module) -> tuple[str, nn.Conv2d]:
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and min(module.kernel_size) > 1:
            if module.in_channels == 3 and module.groups == 1 and set(module.dilation) == {1}:
                return name, module
            break
    raise Declined("needs a first layer of filters that read red, green and blue")


def _filters(course: Any, subject: Subject) -> list[Panel | str]:
    lesson, network = course.l03_filters, subject.classifier.network
    name, layer = _first_layer(network)
    weight = layer.weight.detach()[:SHOWN]
    count, _, height, width = weight.shape
    larger = math.ceil(TILE / max(height, width))
    fine = weight.repeat_interleave(larger, 2).repeat_interleave(larger, 3)
    whole = count == layer.out_channels
    caption = f"All {count} filters" if whole else f"{count} of {layer.out_channels} filters"
    wall = Panel(
        lesson.filter_grid(fine, COLUMNS, padding=3).float(),
        f"{caption} of {name}, {height}×{width}; mid-grey is zero.",
        f"{count} small coloured tiles of {height}×{width} squares, the first layer's filters.",
        wide=True,
    )

    loudest = weight.abs().amax((1, 2, 3))
    alive = loudest > QUIET * loudest.max()
    energy = weight.square().sum((1, 2, 3))
    colours = weight - weight.mean(1, keepdim=True)
    share = (colours.square().sum((1, 2, 3)) / energy).where(alive, 0)
    plain = int((share > ALL_COLOUR).sum())
    says = (
        f"Of {int(alive.sum())} filters that are not silent, {plain} see colour and hardly light."
    )

    stripes = torch.tensor([0, math.pi / 2], device=weight.device, dtype=weight.dtype)
    size, wavelength = subject.images.shape[2], WAVES * max(height, width)
    tuning = lesson.orientation_tuning(network, name, stripes, wavelength, size)[:, :SHOWN]
    panels: list[Panel | str] = [wall, says]
    for mine, own, other in ((0, "level", "upright"), (1, "upright", "level")):
        ratio = tuning[mine] / tuning[1 - mine].clamp(min=1e-6)
        number = int((tuning[mine] - tuning[1 - mine]).where(alive, 0).argmax())
        if ratio[number] >= CLEARLY:
            times = f"{float(ratio[number]):.0f} times as much"
            text = f"filter {number} answers to {own} stripes {times} as to {other} ones"
            panels.append(_answer(lesson, layer, subject.images[0], number, text))
    if plain:
        number = int(share.argmax())
        text = f"filter {number}: {float(share[number]):.0%} of its energy is colour"
        panels.append(_answer(lesson, layer, subject.images[0], number, text))
    return panels


def _answer(lesson: Any, layer: nn.Conv2d, image: Tensor, number: int, caption: str) -> Panel:
    """Return what a filter answers to the photo, with the filter in a corner."""
    kernel = layer.weight.detach()[number]
    # Half of the layer's stride: a finer picture than the network's own.
    answer = lesson.filter_response(image, kernel, max(1, min(layer.stride) // 2))
    picture = colour(clipped(answer.cpu().float(), SEEN), signed=True)
    larger = math.ceil(SMALLEST / min(picture.shape[1:]))
    picture = picture.repeat_interleave(larger, 1).repeat_interleave(larger, 2)
    side = min(picture.shape[1:]) // 4
    tile = lesson.zero_as_grey(kernel[None]).float().cpu()
    tile = functional.pad(functional.interpolate(tile, (side, side)), (0, 2, 0, 2), value=1.0)
    picture[:, : side + 2, : side + 2] = tile[0]
    alt = f"Where filter {number} answers, in orange and purple; the filter is at the top left."
    return Panel(picture, caption, alt)


TECHNIQUES = (
    Technique(
        title="Filters",
        question="What does the first layer look for?",
        shows=(
            "The weights of the first layer as pictures, then the answers of a few filters to the "
            "photo: orange where one answers with plus, purple with minus."
        ),
        misleads="Each filter is scaled by itself, so one that hardly counts looks as strong.",
        paper="[Zeiler and Fergus 2014](https://arxiv.org/abs/1311.2901)",
        draw=_filters,
    ),
)
