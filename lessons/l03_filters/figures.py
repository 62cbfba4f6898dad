"""Figures of lesson 3, drawn with the course's functions or a student's own."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional

from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.photos import DEFAULT_PHOTO, load_photo
from lessons.toolkit.plots import (
    INK,
    LABEL_POINTS,
    ORANGE,
    PURPLE,
    TITLE_POINTS,
    clipped,
    colour,
    new_figure,
    style_axes,
    style_plot,
)
from lessons.toolkit.scene_net import SceneNet
from lessons.toolkit.seeds import seeded

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patches import Rectangle

FIRST_LAYERS = {"scenes": "block1.conv", "efficientnet_lite0": "stem.conv"}
# Of the stripes shown to the scenes network, in pixels. No layer's stride divides the wavelength:
# stripes that lay alike at every place would measure where they lie, not their direction.
# Their middle holds eight whole waves.
WAVELENGTH, SIDE = 9.0, 144
STEPS = 72  # directions in half a turn
UNLIT = 1e-6  # no live filter of the two networks has a largest weight below this


@cache
def _network(name: str) -> Classifier:
    return load_model(name)


def _weight(name: str, layer: str = "") -> Tensor:
    """Return the weights of a layer, of the first one if none is named."""
    module = _network(name).network.get_submodule(layer or FIRST_LAYERS[name])
    return module.get_parameter("weight").detach()


@cache
def _start() -> Tensor:
    """Return the first layer of the scenes network as it was before training."""
    with seeded(0):  # the seed that its record names
        return SceneNet().block1.conv.weight.detach()


def _colour_share(weight: Tensor) -> Tensor:
    """Return the part of each filter's energy that is not in the mean of its slices."""
    colours = weight - weight.mean(1, keepdim=True)
    return colours.square().sum((1, 2, 3)) / weight.square().sum((1, 2, 3))


def _angles() -> Tensor:
    return math.pi / STEPS * torch.arange(STEPS)


def _apart(one: Tensor, other: Tensor) -> Tensor:
    """Return by how many degrees two directions differ, at most 90."""
    return torch.rad2deg(((one - other + math.pi / 2) % math.pi - math.pi / 2).abs())


def _show(axes: Axes, picture: Tensor, title: str = "") -> None:
    axes.imshow(picture.permute(1, 2, 0).numpy(), interpolation="nearest")
    style_axes(axes, title)
    axes.set_axis_off()


def two_walls(course: Any) -> Figure:
    """Draw all filters of two first layers."""
    figure = new_figure(9, 3.3)
    parts = figure.add_gridspec(1, 2, width_ratios=(43, 57))
    for place, (name, columns) in enumerate((("scenes", 6), ("efficientnet_lite0", 8))):
        weight = _weight(name)
        # A gap of one pixel is wide beside a kernel of three: draw each weight as a square of its
        # own before the gaps are put in.
        fine = weight.repeat_interleave(48 // weight.shape[2], 2)
        fine = fine.repeat_interleave(48 // weight.shape[3], 3)
        wall = course.l03_filters.filter_grid(fine, columns, padding=6)
        count, _, height, width = weight.shape
        axes = figure.add_subplot(parts[place])
        _show(axes, wall, f"{name}: {count} of {height}×{width}")
    return figure


def answers(course: Any) -> Figure:
    """Draw what seven filters answer to the cat, each with its filter in the corner."""
    lesson = course.l03_filters
    rgb = _network("efficientnet_lite0").preprocess.crop_rgb(load_photo(DEFAULT_PHOTO))
    rgb = functional.interpolate(rgb[None], (112, 112), mode="area")[0]
    figure = new_figure(9, 4.5)
    _show(figure.add_subplot(2, 4, 1), rgb)
    chosen = [("scenes", number) for number in (10, 12, 5, 7)]
    chosen += [("efficientnet_lite0", number) for number in (20, 23, 18)]
    for place, (name, number) in enumerate(chosen, 2):
        weight = _weight(name)[number]
        image = _network(name).preprocess.normalise(rgb)
        axes = figure.add_subplot(2, 4, place)
        response = lesson.filter_response(image, weight)
        _show(axes, colour(clipped(response, 0.99), signed=True))
        corner = axes.inset_axes((0.02, 0.70, 0.28, 0.28))
        _show(corner, lesson.zero_as_grey(weight[None])[0])
        corner.add_patch(_frame(weight.shape[-1]))
    return figure


def _frame(side: int) -> Rectangle:
    from matplotlib.patches import Rectangle

    return Rectangle((-0.5, -0.5), side, side, fill=False, edgecolor="white", linewidth=3)


def _stacks(axes: Axes, pictures: Tensor, columns: list[int], count: int) -> int:
    """Pile pictures up in their columns and return the height of the highest pile."""
    piles = [0] * count
    for picture, column in zip(pictures, columns, strict=True):
        left, low = column + 0.05, piles[column] + 0.05
        box = (left, left + 0.9, low, low + 0.9)
        axes.imshow(picture.permute(1, 2, 0).numpy(), extent=box, interpolation="nearest")
        piles[column] += 1
    axes.set_yticks([])
    style_plot(axes)
    axes.spines["left"].set_visible(False)
    return max(piles)


def colour_and_grey(course: Any) -> Figure:
    """Pile up the filters of two first layers by how much of their energy is colour."""
    figure = new_figure(9, 5.6)
    bins = 25
    for row, name in enumerate(FIRST_LAYERS):
        weight = _weight(name)
        weight = weight[weight.abs().amax((1, 2, 3)) > UNLIT]
        share = _colour_share(weight)
        order = share.argsort()
        columns = (share[order] * bins).long().clamp(max=bins - 1).tolist()
        axes = figure.add_subplot(2, 1, row + 1)
        highest = _stacks(axes, course.l03_filters.zero_as_grey(weight[order]), columns, bins)
        axes.set(xlim=(-0.1, bins + 0.1), ylim=(0, highest), aspect="equal")
        fifths = range(6)
        axes.set_xticks([bins * n / 5 for n in fifths], [str(20 * n) for n in fifths])
        axes.set_xlabel("energy that is colour, %" if row else "")
        axes.text(
            bins / 2, highest - 0.7, name, color=INK, fontsize=TITLE_POINTS, fontweight="bold"
        ).set_horizontalalignment("center")
    return figure


def directions(course: Any) -> Figure:
    """Pile up the filters of two first layers by the direction of their stripes."""
    figure = new_figure(9, 4.8)
    bins = 12
    for place, name in enumerate(FIRST_LAYERS):
        weight = _weight(name)
        weight = weight[(weight.abs().amax((1, 2, 3)) > UNLIT) & (_colour_share(weight) < 0.9)]
        angle = course.l03_filters.dominant_orientation(weight)
        columns = ((angle / math.pi * bins).round().long() % bins).tolist()
        axes = figure.add_subplot(1, 2, place + 1)
        highest = _stacks(axes, course.l03_filters.zero_as_grey(weight), columns, bins)
        axes.set(xlim=(-0.1, bins + 0.1), ylim=(-1.1, max(highest, 10)), aspect="equal")
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        for column in range(bins):
            turn = math.pi / bins * column
            across, up = 0.38 * math.cos(turn), 0.38 * math.sin(turn)
            ends = (column + 0.5 - across, column + 0.5 + across), (-0.55 - up, -0.55 + up)
            axes.plot(*ends, color=INK, linewidth=2.5)
        axes.set_title(name, color=INK, fontsize=TITLE_POINTS, fontweight="bold")
    return figure


def tuning(course: Any) -> Figure:
    """Plot what four filters answer to stripes of every direction."""
    lesson = course.l03_filters
    weight = _weight("scenes")
    predicted = torch.rad2deg(lesson.dominant_orientation(weight))
    measured = _measured(course, FIRST_LAYERS["scenes"])
    degrees = torch.rad2deg(_angles())
    figure = new_figure(9, 3.2)
    shown = [10, 12, 5, 19]
    for place, number in enumerate(shown):
        axes = figure.add_subplot(1, 4, place + 1)
        axes.plot(degrees, measured[:, number], color=ORANGE, linewidth=2.5)
        axes.axvline(float(predicted[number]), color=PURPLE, linewidth=2.5, linestyle="--")
        axes.set(xlim=(0, 180), ylim=(0, 1.1 * float(measured[:, shown].max())))
        axes.set_xticks((0, 90, 180), ("0°", "90°", "180°"))
        axes.set_yticks([])
        style_plot(axes)
        axes.set_ylabel("" if place else "answer")
        corner = axes.inset_axes((0.3, 1.04, 0.4, 0.4))
        _show(corner, lesson.zero_as_grey(weight[[number]])[0])
    return figure


def _measured(course: Any, layer: str) -> Tensor:
    network = _network("scenes").network
    tuned: Tensor = course.l03_filters.orientation_tuning(
        network, layer, _angles(), WAVELENGTH, SIDE
    )
    return tuned


def deeper_and_deeper(course: Any) -> Figure:
    """Plot for five layers the measured direction over the predicted one."""
    lesson = course.l03_filters
    figure = new_figure(9, 2.6)
    for block in range(1, 6):
        layer = f"block{block}.conv"
        predicted = lesson.dominant_orientation(_weight("scenes", layer))
        measured = _angles()[_measured(course, layer).argmax(0)]
        off = float(_apart(predicted, measured).median())
        axes = figure.add_subplot(1, 5, block)
        axes.plot((0, 180), (0, 180), color=INK, linewidth=1)
        axes.scatter(
            torch.rad2deg(predicted),
            torch.rad2deg(measured),
            s=22,
            color=ORANGE if block == 1 else PURPLE,
            linewidths=0,
        )
        axes.set(xlim=(-4, 184), ylim=(-4, 184), aspect="equal")
        axes.set_xticks((0, 90, 180), ("0°", "90°", "180°"))
        axes.set_yticks((0, 90, 180), ("0°", "90°", "180°") if block == 1 else ("", "", ""))
        style_axes(axes, f"block {block}: {off:.0f}°")
        axes.title.set_fontsize(LABEL_POINTS)
        axes.set_ylabel("measured" if block == 1 else "")
        axes.set_xlabel("predicted" if block == 3 else "")
    return figure


def walls_that_do_not_read(course: Any) -> Figure:
    """Draw one deep filter slice by slice, depthwise filters, and 1x1 filters."""
    lesson = course.l03_filters
    figure = new_figure(9, 3.3)
    deep = lesson.filter_slices(_weight("scenes", "block3.conv"), 0)
    depthwise = _weight("efficientnet_lite0", "stages.2.1.depthwise.conv")[:48]
    pointwise = lesson.zero_as_grey(_weight("efficientnet_lite0", "stages.3.1.expand.conv")[:48])
    # Tiles side by side, as in `filter_grid`, but on the one scale that the slices share.
    slices = functional.pad(deep, (1, 0, 1, 0), value=0.5).unflatten(0, (6, 8))
    wall = functional.pad(slices.transpose(1, 2).flatten(2).flatten(0, 1), (0, 1, 0, 1), value=0.5)
    tiles = (
        ("one filter, 48 slices", wall.expand(3, -1, -1)),
        ("48 depthwise filters", lesson.filter_grid(depthwise, 8)),
        ("48 filters of 1×1", pointwise[:, :, 0, 0].expand(3, -1, -1)),
    )
    for place, (title, picture) in enumerate(tiles):
        _show(figure.add_subplot(1, 3, place + 1), picture, title)
    return figure


def before_and_after(course: Any) -> Figure:
    """Draw the first layer of the scenes network before training and after."""
    figure = new_figure(9, 3.6)
    for place, (title, weight) in enumerate(
        (("before training", _start()), ("after", _weight("scenes")))
    ):
        wall = course.l03_filters.filter_grid(
            weight.repeat_interleave(8, 2).repeat_interleave(8, 3), 6, 6
        )
        _show(figure.add_subplot(1, 2, place + 1), wall, title)
    return figure
