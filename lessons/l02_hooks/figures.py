"""Figures of lesson 2, drawn with the course's functions or a student's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit.gallery import photo_gallery
from lessons.toolkit.plots import (
    INK,
    LABEL_POINTS,
    ORANGE,
    PURPLE,
    TITLE_POINTS,
    colour,
    image_grid,
    new_figure,
    style_axes,
    style_plot,
)

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE = 56  # of one channel in the wall, pixels: every map of the network fits in evenly
MARGIN = 2
TILE = SIDE + 2 * MARGIN


def _block_maps(network: nn.Module) -> list[str]:
    """Return the stem, the filters in the middle of each block, and the head.

    All end in a ReLU.
    """
    blocks = [name for name, _ in network.named_modules() if name.endswith(".depthwise")]
    return ["stem", *blocks, "head"]


def feature_map_wall(course: Any) -> Figure:
    """Draw sixteen channels of every block, from the first to the last.

    A silent channel is a faint grey.
    """
    seen = photo_gallery()
    layers = _block_maps(seen.classifier.network)
    activations = course.l02_hooks.capture_activations(
        seen.classifier.network, layers, seen.images[:1]
    )
    rows, labels = [], []
    for layer in layers:
        maps = activations[layer][0, :16]
        rows.append(_tiles(course, maps, len(maps)))
        labels.append(f"{layer.removesuffix('.depthwise')}   {maps.shape[1]}×{maps.shape[2]}")
    wall = torch.cat(rows)
    figure = new_figure(8.8, 7.7)
    axes = figure.add_subplot()
    axes.imshow(wall.numpy(), interpolation="nearest")
    style_axes(axes)
    axes.set_yticks([TILE * (row + 0.5) for row in range(len(rows))], labels)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.set_frame_on(False)
    axes.set_anchor("E")  # the free space belongs to the names at the left
    return figure


def _tiles(course: Any, maps: Tensor, columns: int) -> Tensor:
    """Return a row of channels as RGBA, each on its own scale.

    There are gaps between them, and silent ones are faint.
    """
    even = functional.interpolate(maps[None], (SIDE, SIDE), mode="area")
    padded = functional.pad(even, (MARGIN,) * 4, mode="replicate")[0]
    grid = course.l02_hooks.feature_map_grid(padded, columns)
    speaks = maps.amax((1, 2)) > 0
    grid[:, ~speaks.repeat_interleave(TILE)] = torch.nan  # no number: drawn in grey
    opaque = torch.where(speaks, 1.0, 0.25).view(columns, 1, 1)
    alpha = functional.pad(opaque.expand(columns, SIDE, SIDE), (MARGIN,) * 4)
    return torch.cat([colour(grid), torch.cat(list(alpha), 1)[None]]).permute(1, 2, 0)


def silent_channels(course: Any) -> Figure:
    """Plot by depth the share of channels that are zero everywhere.

    It is drawn for one photo and for all photos.
    """
    seen = photo_gallery()
    network = seen.classifier.network
    layers = [name for name, module in network.named_modules() if isinstance(module, nn.ReLU6)]
    activations = course.l02_hooks.capture_activations(network, layers, seen.images)
    silent = [activations[name].amax((2, 3)) == 0 for name in layers]  # each (photos, channels)
    one = 100 * torch.stack([zero.double().mean(1) for zero in silent])
    every = 100 * torch.stack([zero.all(0).double().mean() for zero in silent])
    figure = new_figure(8, 4.2)
    axes = figure.add_subplot()
    depth = torch.arange(len(layers))
    axes.fill_between(depth, one.amin(1), one.amax(1), color=ORANGE, alpha=0.25, linewidth=0)
    axes.plot(depth, one.mean(1), color=ORANGE, linewidth=2.5, marker="o", markersize=4)
    axes.plot(depth, every, color=PURPLE, linewidth=2.5, marker="s", markersize=4)
    for height, text, shade in (
        (70, "for one photo", ORANGE),
        (63, f"for all {len(seen.names)} photos", PURPLE),
    ):
        axes.text(0, height, text, color=shade, fontsize=TITLE_POINTS, fontweight="bold")
    starts = {name.split(".")[1]: place for place, name in reversed(list(enumerate(layers)))}
    ticks = {"stem": 0, "head": len(layers) - 1}
    ticks |= {f"stage {stage}": starts[stage] for stage in ("2", "3", "4", "5")}
    axes.set_xticks(list(ticks.values()), list(ticks))
    axes.set(ylabel="silent channels, %", ylim=(0, 80), xlim=(-0.5, len(layers) - 0.5))
    style_plot(axes)
    return figure


def channel_ablated(course: Any) -> Figure:
    """Draw where two channels fire, and the classes with and without each."""
    seen = photo_gallery()
    network, images = seen.classifier.network, seen.images[:1]
    with torch.inference_mode():
        whole = network(images)
    figure = new_figure(8.4, 5.4)
    grid = figure.add_gridspec(2, 2, width_ratios=(1, 2.1))
    for row, (layer, channel) in enumerate((("stem", 8), ("head", 112))):
        activation = course.l02_hooks.capture_activations(network, [layer], images)[layer]
        logits = course.l02_hooks.ablate_channel(network, layer, channel, images)
        axes = figure.add_subplot(grid[row, 0])
        axes.imshow(colour(activation[0, channel]).permute(1, 2, 0).numpy())
        style_axes(axes, f"{layer}, channel {channel}")
        axes.set_axis_off()
        axes = figure.add_subplot(grid[row, 1])
        _bars(axes, seen.classifier.classes, whole[0].softmax(0), logits[0].softmax(0))
    for text in axes.legend(frameon=False, loc="lower right", fontsize=LABEL_POINTS).get_texts():
        text.set_color(INK)
    return figure


def _bars(axes: Axes, classes: list[str], before: Tensor, after: Tensor) -> None:
    shown = torch.maximum(before, after).topk(5).indices.tolist()
    shown.sort(key=lambda index: -float(before[index]))
    for offset, values, shade, name in (
        (-0.2, before, INK, "whole network"),
        (0.2, after, ORANGE, "without the channel"),
    ):
        places = [place + offset for place in range(5)]
        axes.barh(places, values[shown].mul(100).tolist(), 0.38, color=shade, label=name)
    axes.set_yticks(range(5), [classes[index] for index in shown])
    axes.invert_yaxis()
    axes.set(xlim=(0, 60), xlabel="probability, %")
    style_plot(axes)


def guess_and_truth(course: Any) -> Figure:
    """Plot a channel's effect as its gradient predicts it against the true one."""
    seen = photo_gallery()
    network, images = seen.classifier.network, seen.images[:1]
    lesson = course.l02_hooks
    with torch.inference_mode():
        whole = network(images)
    target = whole.argmax(1).clone()
    figure = new_figure(8, 4)
    for number, (layer, shade) in enumerate((("stages.2", ORANGE), ("head", PURPLE))):
        activation = lesson.capture_activations(network, [layer], images)[layer]
        gradient = lesson.capture_gradients(network, layer, images, target)
        guess = -(gradient * activation).sum((2, 3))[0]
        chosen = guess.abs().argsort(descending=True)[:40]
        after = [
            lesson.ablate_channel(network, layer, channel, images)[0, target[0]]
            for channel in chosen.tolist()
        ]
        change = torch.stack(after) - whole[0, target[0]]
        low, high = torch.cat([guess[chosen], change]).aminmax()
        ends = [float(low) - 0.05, float(high) + 0.05]
        axes = figure.add_subplot(1, 2, number + 1)
        axes.plot(ends, ends, color=INK, linewidth=1)
        axes.scatter(guess[chosen], change, s=36, color=shade, linewidths=0)
        axes.set(xlim=ends, ylim=ends, aspect="equal", xlabel="gradient's guess")
        axes.locator_params(nbins=5)
        axes.set_ylabel("change of the logit" if number == 0 else "")
        style_axes(axes, layer)
    return figure


def flips(course: Any) -> Figure:
    """Plot the lead of the answer while channels fall silent.

    They do so in the order of the gradient, and in random orders.
    """
    seen = photo_gallery()
    network, lesson = seen.classifier.network, course.l02_hooks
    generator = torch.Generator().manual_seed(0)
    figure = new_figure(9, 4)
    for number, name in enumerate(("camera", "coffee")):
        images = seen.images[seen.names.index(name)][None]
        activation = lesson.capture_activation(network, "head", images)
        with torch.inference_mode():
            answer = network(images).argmax(1)
        gradient = lesson.capture_gradients(network, "head", images, answer.clone())
        order = (gradient * activation).sum((2, 3))[0].argsort(descending=True)
        speaking = activation[0].amax((1, 2)).nonzero().flatten()
        axes = figure.add_subplot(1, 2, number + 1)
        for _ in range(10):
            shuffled = speaking[torch.randperm(len(speaking), generator=generator)]
            lead = _lead(network, activation, int(answer), shuffled)
            axes.plot(lead, color=INK, linewidth=0.8, alpha=0.6)
        axes.plot(_lead(network, activation, int(answer), order), color=ORANGE, linewidth=2.5)
        flip = int(lesson.channels_to_flip(network, "head", images))
        axes.axhline(0, color=INK, linewidth=1, linestyle="--")
        axes.plot(flip, 0, "o", color=ORANGE, markersize=9)
        axes.text(
            1.15 * flip, 0.35, str(flip), color=ORANGE, fontsize=TITLE_POINTS, fontweight="bold"
        )
        axes.set(xscale="log", xlim=(1, 800), ylim=(-4, 5), xlabel="silent channels")
        axes.set_xticks((1, 10, 100, 800), ("1", "10", "100", "800"))
        axes.minorticks_off()
        axes.set_ylabel("" if number else "lead of the answer")
        style_plot(axes, f"{name}: {seen.classifier.classes[int(answer)]}")
    return figure


def _lead(network: nn.Module, activation: Tensor, answer: int, order: Tensor) -> Tensor:
    """Return the answer's logit minus the best other one, with 0, 1, 2, ... channels silent."""
    # After the head come a mean and a linear layer, so no pass through the network is needed.
    pooled = activation.mean((2, 3))
    silent = torch.ones(len(order) + 1, pooled.shape[1])
    for count, channel in enumerate(order.tolist(), 1):
        silent[count:, channel] = 0
    with torch.inference_mode():
        logits = network.get_submodule("classifier")(silent * pooled)
    others = logits.clone()
    others[:, answer] = -torch.inf
    return logits[:, answer] - others.amax(1)


def own_scale_and_common_scale(course: Any) -> Figure:
    """Draw the same channels twice, each on its own scale and all on one."""
    seen = photo_gallery()
    layer = "stages.4.2.depthwise"
    maps = course.l02_hooks.capture_activations(seen.classifier.network, [layer], seen.images[:1])[
        layer
    ][0, :48]
    own = course.l02_hooks.feature_map_grid(maps, 8)
    # After a ReLU the lowest value is 0. With that and the loudest value of all channels in a frame
    # around each map, every channel gets the same scale; the frame is cut off again.
    framed = functional.pad(maps, (1, 1, 1, 1))
    framed[:, 0, 0] = maps.max()
    _, height, width = framed.shape
    common = course.l02_hooks.feature_map_grid(framed, 8)
    common = common.view(6, height, 8, width)[:, 1:-1, :, 1:-1].reshape(own.shape)
    return image_grid([own, common], ["each by itself", "one scale for all"], inches=3.7)


def one_channel_many_photos(course: Any) -> Figure:
    """Draw where one channel of the head fires on five photos, on one scale."""
    seen = photo_gallery()
    layer, channel = "head", 549
    maps = course.l02_hooks.capture_activations(seen.classifier.network, [layer], seen.images)
    maps = maps[layer][:, channel : channel + 1]
    strongest = maps.amax((1, 2, 3)).argsort(descending=True)[:5]
    size = (seen.rgb.shape[-2], seen.rgb.shape[-1])
    light = functional.interpolate(maps / maps.max(), size, mode="bilinear", align_corners=False)
    pictures = (seen.rgb * (0.35 + 0.65 * light))[strongest]
    titles = [f"{seen.names[i]}, {float(maps[i].max()):.1f}" for i in strongest.tolist()]
    return image_grid(pictures, titles, inches=1.6)
