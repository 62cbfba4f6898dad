"""Figures of lesson 6, drawn with the course's functions or a student's own."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit.crops import Crops, photo_crops
from lessons.toolkit.gallery import photo_gallery
from lessons.toolkit.geometry import layers_on_the_way
from lessons.toolkit.models import load_model
from lessons.toolkit.plots import (
    INK,
    LABEL_POINTS,
    ORANGE,
    PURPLE,
    TITLE_POINTS,
    image_grid,
    magnitude,
    new_figure,
    overlay,
    style_axes,
    style_plot,
)
from lessons.toolkit.scenes import CLASSES, Scenes, make_scenes
from lessons.toolkit.seeds import seeded

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

QUANTILE = 0.995
DIM = 0.35
# Names that a person gave after looking at walls of masks: layer, channel, photo.
NAMED = {
    "eye": ("stages.4.2.depthwise", 290, "cat"),
    "face": ("stages.4.2.depthwise", 153, "astronaut"),
    "hair": ("stages.4.1.depthwise", 467, "camera"),
    "handle": ("stages.4.2.depthwise", 625, "coffee"),
    "shiny ball": ("stages.5.1.depthwise", 721, "coffee"),
    "badge": ("stages.4.2.depthwise", 47, "astronaut"),
    "tripod": ("stages.4.2.depthwise", 385, "camera"),
    "tree": ("stages.4.2.depthwise", 345, "china"),
    "rocket": ("stages.3.2.depthwise", 437, "rocket"),
    "lamp": ("stages.3.2.depthwise", 199, "rocket"),
    "whiskers": ("stages.3.1.depthwise", 381, "cat"),
    "joints": ("stages.2.1.depthwise", 19, "brick"),
}
# Of these, the crops of all photos are looked through. All lie before the end of stage 4.
TRIED = ("eye", "hair", "tripod", "handle")
SHOWN = 5
# A box of 64 pixels around the middle of a unit: what it looks at, not all that it could see.
LOOKED_AT = (64, 16, -24)
SCENE_LAYER, SCENE_QUANTILE = "block4", 0.9
SCENE_NAMED = {"butterfly": 62, "red": 56, "spotted": 45, "striped": 83}


@cache
def _captured(layer: str) -> Tensor:
    """Return a layer's output for all photos."""
    seen = photo_gallery()
    return _outputs(seen.classifier.network, [layer], seen.images)[layer]


def _outputs(network: nn.Module, layers: Sequence[str], images: Tensor) -> dict[str, Tensor]:
    """Return what layers give for these images.

    Not by the functions of lesson 2, which a student of this one need not have finished.
    """
    kept: dict[str, Tensor] = {}

    def keep(name: str, module: nn.Module, inputs: Any, output: Tensor) -> None:
        kept[name] = output.clone()

    with ExitStack() as hooks, torch.no_grad():
        for name in layers:
            hook = partial(keep, name)
            hooks.enter_context(network.get_submodule(name).register_forward_hook(hook))
        network(images)
    return kept


def _size() -> tuple[int, int]:
    rgb = photo_gallery().rgb
    return rgb.shape[-2], rgb.shape[-1]


def _masked(course: Any, layer: str, channel: int, photo: str, **how: Any) -> Tensor:
    """Darken a photo but for where one channel is among its strongest of all photos."""
    seen, lesson = photo_gallery(), course.l06_activations
    maps, number = _captured(layer)[:, channel], seen.names.index(photo)
    given = {"size": _size(), "quantile": QUANTILE, "over": maps, **how}
    mask = lesson.activation_mask(maps[number], **given)
    return lesson.overlay_mask(seen.rgb[number], mask, DIM)


def a_dozen(course: Any) -> Figure:
    """Draw twelve channels that have a name, each on the photo that excites it."""
    pictures = [_masked(course, *named) for named in NAMED.values()]
    return image_grid(pictures, list(NAMED), columns=4, inches=1.8)


def two_thresholds(course: Any) -> Figure:
    """Draw one channel on four photos, with a threshold each and with one for all."""
    layer, channel, _ = NAMED["face"]
    photos = ("astronaut", "camera", "retina", "flower")
    share = {"quantile": 0.97}
    each = [_masked(course, layer, channel, photo, over=None, **share) for photo in photos]
    shared = [_masked(course, layer, channel, photo) for photo in photos]
    titles = [*photos, *[""] * len(photos)]
    return image_grid([*each, *shared], titles, columns=4, inches=2.1)


def stairs(course: Any) -> Figure:
    """Draw a mask that was enlarged after the threshold, and one enlarged before it."""
    seen, lesson = photo_gallery(), course.l06_activations
    layer, channel, photo = NAMED["eye"]
    number, maps = seen.names.index(photo), _captured(layer)[:, channel]
    smooth = lesson.activation_mask(maps[number], _size(), QUANTILE, over=maps)
    rough = lesson.activation_mask(maps[number], maps.shape[1:], QUANTILE, over=maps)
    rough = functional.interpolate(rough[None, None].float(), _size())[0, 0] > 0
    pictures = [lesson.overlay_mask(seen.rgb[number], mask, DIM) for mask in (rough, smooth)]
    titles = ["threshold, then enlarge", "enlarge, then threshold"]
    return image_grid([p[:, 30:142, :224] for p in pictures], titles, columns=2, inches=3.6)


def growing_fields(course: Any) -> Figure:
    """Draw what one unit at the cat's eye can see, layer by layer."""
    seen, lesson = photo_gallery(), course.l06_activations
    cat = seen.rgb[seen.names.index("cat")]
    figure = new_figure(4.4, 4.4)
    axes = figure.add_subplot()
    axes.imshow(cat.permute(1, 2, 0).numpy())
    y, x = 88, 62  # the pupil
    layers = ("stages.1", "stages.2", "stages.3.1", "stages.4.0")
    for number, layer in enumerate(layers):
        field = _field(course, layer)
        row, column = y // field[1], x // field[1]
        top, left, bottom, right = lesson.unit_box(row, column, field, _size())
        shade = (ORANGE, "#ffffff")[number % 2]
        _frame(axes, (top, left, bottom, right), shade, 2.5)
        axes.text(
            right - 3, bottom - 4, f"{field[0]}", color=shade, fontsize=LABEL_POINTS,
            fontweight="bold", ha="right", va="bottom",
        )  # fmt: skip
    axes.set_axis_off()
    return figure


def _frame(axes: Axes, box: tuple[float, float, float, float], shade: str, width: float) -> None:
    """Draw a frame around a box of pixels, (top, left, bottom, right)."""
    from matplotlib.patches import Rectangle

    top, left, bottom, right = box
    # The middle of a pixel lies at a whole number, so its edge at a half.
    corner = (left - 0.5, top - 0.5)
    frame = Rectangle(corner, right - left, bottom - top, fill=False)
    frame.set(edgecolor=shade, linewidth=width)
    axes.add_patch(frame)


def _field(course: Any, layer: str) -> tuple[int, int, int]:
    field: tuple[int, int, int] = course.l06_activations.receptive_field(_way(layer))
    return field


@cache
def _way(layer: str) -> list[tuple[int, int, int, int]]:
    return layers_on_the_way(photo_gallery().classifier.network, layer, _size())


def boxes_and_gradients(course: Any) -> Figure:
    """Draw the support of a unit's gradient, and its box, in three networks."""
    lesson, size = course.l06_activations, (32, 32)
    networks = {
        "two strides": ([(3, 2, 1, 1), (3, 2, 1, 1), (3, 1, 1, 1)], 2, 3),
        "cut off": ([(5, 2, 2, 1), (3, 2, 1, 1), (3, 1, 1, 1)], 0, 6),
        "dilation 4": ([(3, 1, 1, 1), (3, 1, 4, 4)], 14, 15),
    }
    figure = new_figure(9, 3.6)
    for number, (name, (layers, row, column)) in enumerate(networks.items()):
        seen = _support(layers, row, column, size)
        box = lesson.unit_box(row, column, lesson.receptive_field(layers), size)
        axes = figure.add_subplot(1, 3, number + 1)
        axes.imshow(seen.numpy(), cmap="gray_r", vmin=0, vmax=1.6)
        _frame(axes, box, ORANGE, 3)
        style_axes(axes, name)
        axes.set(xticks=[], yticks=[])
    return figure


def _support(
    layers: Sequence[tuple[int, int, int, int]], row: int, column: int, size: tuple[int, int]
) -> Tensor:
    """Return 1 where the gradient of a unit is not zero, with all weights positive."""
    image = torch.zeros(1, 1, *size).requires_grad_()
    features = image
    for kernel, stride, padding, dilation in layers:
        weight = torch.ones(1, 1, kernel, kernel)
        features = functional.conv2d(features, weight, None, stride, padding, dilation)
    (gradient,) = torch.autograd.grad(features[0, 0, row, column], image)
    return (gradient[0, 0] > 0).float()


class _Middle(NamedTuple):
    """Where the units of a layer look, in pixels from the middle of their cells."""

    cell: int
    arithmetic: float
    weights: tuple[float, float]


def _middles(course: Any) -> dict[str, _Middle]:
    from torchvision.models import resnet18

    from lessons.toolkit.offset import unit_offset

    efficient, scenes = photo_gallery().classifier, load_model("scenes")
    with seeded(0):
        untrained = resnet18(weights=None).eval()
    # On the longest way through layer4: shortcuts have convolutions of their own.
    stem, block, strided = [(7, 2, 3, 1), (3, 2, 1, 1)], [(3, 1, 1, 1)] * 4, (3, 2, 1, 1)
    resnet = [*stem, *block, *([strided, *block[:3]] * 3)]
    ways: dict[str, tuple[nn.Module, str, int, list[tuple[int, int, int, int]]]] = {
        "ResNet-18": (untrained, "layer4", 224, resnet),
        "efficientnet_lite0": (
            efficient.network,
            "head",
            224,
            layers_on_the_way(efficient.network, "head", (224, 224)),
        ),
        "scenes": (
            scenes.network,
            "block5",
            64,
            layers_on_the_way(scenes.network, "block5", (64, 64)),
        ),
    }
    found = {}
    for name, (network, layer, side, layers) in ways.items():
        size, jump, start = course.l06_activations.receptive_field(layers)
        weights = unit_offset(network, network.get_submodule(layer), (side, side))
        found[name] = _Middle(jump, start + size / 2 - jump / 2, weights)
    return found


def middle_of_a_unit(course: Any) -> Figure:
    """Draw a unit's cell, the middle of what it can see, and where its weights look."""
    figure = new_figure(9, 3.5)
    for number, (name, middle) in enumerate(_middles(course).items()):
        axes = figure.add_subplot(1, 3, number + 1)
        half = middle.cell / 2
        axes.fill([-half, half, half, -half], [-half, -half, half, half], color=INK, alpha=0.25)
        axes.plot(0, 0, "+", color=INK, markersize=16, markeredgewidth=2)
        where = middle.arithmetic
        axes.plot(where, where, "s", color=PURPLE, markersize=13)
        down, right = middle.weights
        axes.plot(right, down, "o", color=ORANGE, markersize=11)
        axes.set(xlim=(-1.35 * half, 1.35 * half), ylim=(1.35 * half, -1.35 * half))
        axes.set(aspect="equal", xticks=[], yticks=[])
        axes.set_frame_on(False)
        style_axes(axes, name)
    return figure


class _Look(NamedTuple):
    """Where a unit is, and the magnitude of its gradient at each pixel."""

    seen: Tensor
    row: int
    column: int
    jump: int


@cache
def _look(layer: str, channel: int, photo: str) -> _Look:
    """Return where the strongest unit of a channel looks."""
    seen = photo_gallery()
    network, maps = seen.classifier.network, _captured(layer)[:, channel]
    number = seen.names.index(photo)
    row, column = divmod(int(maps[number].argmax()), maps.shape[-1])
    image, kept = seen.images[number : number + 1].clone().requires_grad_(), []
    norm = network.get_submodule(f"{layer}.norm")  # a ReLU6 at its end lets no gradient through
    with norm.register_forward_hook(lambda module, inputs, output: kept.append(output)):
        network(image)
    (gradient,) = torch.autograd.grad(kept[0][0, channel, row, column], image)
    return _Look(gradient[0].abs().sum(0), row, column, 224 // maps.shape[-1])


def _window(look: _Look, share: float) -> int:
    """Return the side of a square that holds this share of a unit's gradient."""
    middles = [(index + 0.5) * look.jump for index in (look.row, look.column)]
    y, x = (
        (torch.arange(len(look.seen)) + 0.5 - middle).abs().view(shape)
        for middle, shape in zip(middles, ((-1, 1), (1, -1)), strict=True)
    )
    distance = torch.maximum(y, x).flatten()
    order = distance.argsort()
    held = look.seen.flatten()[order].cumsum(0)
    place = int((held < share * held[-1]).sum())
    return round(2 * float(distance[order[place]]) + 1)


def can_see_and_does(course: Any) -> Figure:
    """Draw what three units of the same cat could see, and where their gradient is."""
    seen, lesson = photo_gallery(), course.l06_activations
    cat = seen.rgb[seen.names.index("cat")]
    figure = new_figure(9, 3.6)
    for number, name in enumerate(("whiskers", "eye")):
        layer, channel, photo = NAMED[name]
        look = _look(layer, channel, photo)
        axes = figure.add_subplot(1, 3, number + 1)
        axes.imshow(overlay(cat, magnitude(look.seen[None]), 0.85).permute(1, 2, 0).numpy())
        box = lesson.unit_box(look.row, look.column, _field(course, layer), _size())
        half = _window(look, 0.5) / 2
        y, x = ((index + 0.5) * look.jump for index in (look.row, look.column))
        _frame(axes, box, PURPLE, 5)
        _frame(axes, (y - half, x - half, y + half, x + half), ORANGE, 2.5)
        axes.set(xlim=(-3, 226), ylim=(226, -3))
        axes.set_axis_off()
        style_axes(axes, name)
    axes = figure.add_subplot(1, 3, 3)
    _shares(axes)
    return figure


def _shares(axes: Axes) -> None:
    """Plot which share of a unit's gradient lies in squares around it."""
    sides = list(range(8, 232, 8))
    for name, shade, place in (("whiskers", ORANGE, (52, 105)), ("eye", PURPLE, (118, 68))):
        look = _look(*NAMED[name])
        shares = [100 * _held(look, side) for side in sides]
        axes.plot(sides, shares, color=shade, linewidth=2.5)
        axes.text(*place, name, color=shade, fontsize=TITLE_POINTS, fontweight="bold")
    axes.set(xlabel="side of the square", ylabel="gradient in it, %", ylim=(0, 120))
    axes.set_yticks((0, 50, 100))
    axes.set_xticks((0, 100, 200))
    style_plot(axes)


def _held(look: _Look, side: int) -> float:
    """Return the share of a unit's gradient in a square around it."""
    top, left = (int((index + 0.5) * look.jump - side / 2) for index in (look.row, look.column))
    inside = look.seen[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
    return float(inside.sum() / look.seen.sum())


@cache
def _crops() -> Crops:
    return photo_crops()


@cache
def _crop_maps() -> dict[str, Tensor]:
    """Return the maps (N, h, w) of the channels that are tried, for all crops.

    They are small. The crops themselves are never all in memory.
    """
    classifier = photo_gallery().classifier
    # What follows the deepest of these layers is not run: it would take as long again.
    stem, stages = (classifier.network.get_submodule(name) for name in ("stem", "stages"))
    network = nn.Sequential(stem, *list(stages.children())[:5])
    layers = {}
    for name in TRIED:
        _, stage, rest = NAMED[name][0].split(".", 2)
        layers[name] = f"{int(stage) + 1}.{rest}"
    parts: dict[str, list[Tensor]] = {name: [] for name in TRIED}
    for images in _crops().batches(40):
        found = _outputs(network, list(layers.values()), classifier.preprocess.normalise(images))
        for name in TRIED:
            parts[name].append(found[layers[name]][:, NAMED[name][1]].clone())
    return {name: torch.cat(maps) for name, maps in parts.items()}


def _patches(course: Any, name: str, which: Tensor) -> list[Any]:
    """Return a channel's patches from some crops, strongest first."""
    maps, images = _crop_maps()[name][which], _crops().rgb(which)
    patches: list[Any] = course.l06_activations.top_patches(maps, images, LOOKED_AT, len(which))
    return patches


def _strongest_crops(name: str) -> Tensor:
    return _crop_maps()[name].amax((1, 2)).sort(descending=True, stable=True).indices


def _best_of_photos(name: str) -> Tensor:
    """Return the strongest crop of every photo, the photo with the strongest first."""
    found: dict[int, int] = {}
    for crop in _strongest_crops(name).tolist():
        found.setdefault(int(_crops().photo[crop]), crop)
    return torch.tensor(list(found.values()))


def _wall(course: Any, chosen: dict[str, Tensor]) -> Figure:
    figure = new_figure(6.2, 1.42 * len(chosen))
    for line, (name, which) in enumerate(chosen.items()):
        for place, patch in enumerate(_patches(course, name, which)):
            axes = figure.add_subplot(len(chosen), SHOWN, line * SHOWN + place + 1)
            axes.imshow(patch.pixels.permute(1, 2, 0).numpy())
            style_axes(axes)
            axes.set(xticks=[], yticks=[])
            axes.set_frame_on(False)
            axes.set_xlabel(f"{patch.score:.1f}", color=INK, fontsize=LABEL_POINTS)
            if place == 0:
                axes.set_ylabel(name, color=INK, fontsize=TITLE_POINTS, fontweight="bold")
    return figure


def strongest_patches(course: Any) -> Figure:
    """Draw what four channels saw in the crops that excite them most."""
    return _wall(course, {name: _strongest_crops(name)[:SHOWN] for name in TRIED})


def strongest_of_each_photo(course: Any) -> Figure:
    """Draw the same channels, with at most one patch from a photo."""
    return _wall(course, {name: _best_of_photos(name)[:SHOWN] for name in TRIED})


class _Half(NamedTuple):
    """Scenes, what a layer makes of them, and where each concept is."""

    scenes: Scenes
    activations: Tensor
    concepts: dict[str, Tensor]


@cache
def _half(seed: int, count: int = 64) -> _Half:
    scenes, network = make_scenes(count, seed=seed), load_model("scenes").network
    names = [CLASSES[label] for label in scenes.labels.tolist()]
    concepts = {"object": scenes.masks}
    for word in ("fish", "butterfly", "red", "blue", "striped", "spotted"):
        has_it = torch.tensor([word in name for name in names])
        concepts[word] = scenes.masks & has_it[:, None, None]
    activations = _outputs(network, [SCENE_LAYER], scenes.inputs())[SCENE_LAYER]
    return _Half(scenes, activations, concepts)


def _ious(course: Any, half: _Half, channels: Sequence[int] | None = None) -> dict[str, Tensor]:
    """Return the IoU of every channel, or of some, with every concept."""
    maps = half.activations if channels is None else half.activations[:, list(channels)]
    return {
        name: course.l06_activations.concept_iou(maps, masks, SCENE_QUANTILE)
        for name, masks in half.concepts.items()
    }


def names_put_to_the_test(course: Any) -> Figure:
    """Plot IoUs of the best channel of each concept, then on other scenes."""
    first, second = _half(1), _half(2)
    chosen = _ious(course, first)
    figure = new_figure(8, 4)
    axes = figure.add_subplot()
    for place, name in enumerate(chosen):
        channel = int(chosen[name].argmax())
        maps, masks = second.activations[:, [channel]], second.concepts[name]
        # The control is the concept of another scene: what overlaps with that overlaps by chance.
        tested, control = (
            float(course.l06_activations.concept_iou(maps, truth, SCENE_QUANTILE))
            for truth in (masks, masks.roll(1, 0))
        )
        bars = ((float(chosen[name][channel]), INK), (tested, ORANGE))
        for offset, (value, shade) in zip((-0.27, 0), bars, strict=True):
            axes.bar(place + offset, value, 0.25, color=shade)
        axes.bar(place + 0.27, control, 0.25, color=PURPLE)
    axes.set_xticks(range(len(chosen)), list(chosen))
    axes.set(ylabel="IoU", ylim=(0, 0.8))
    words = (
        ("where it was chosen", INK),
        ("on other scenes", ORANGE),
        ("masks of other scenes", PURPLE),
    )
    for line, (text, shade) in enumerate(words):
        axes.text(
            0.99, 0.97 - 0.09 * line, text, color=shade, fontsize=TITLE_POINTS, fontweight="bold",
            ha="right", va="top", transform=axes.transAxes,
        )  # fmt: skip
    style_plot(axes)
    return figure


def channels_of_the_scenes(course: Any) -> Figure:
    """Draw four named channels on the scenes that excite them most."""
    lesson, half = course.l06_activations, _half(2)
    pictures, titles = [], []
    for name, channel in SCENE_NAMED.items():
        maps = half.activations[:, channel]
        best = maps.amax((1, 2)).sort(descending=True, stable=True).indices[:SHOWN]
        for place, number in enumerate(best.tolist()):
            mask = lesson.activation_mask(maps[number], (64, 64), SCENE_QUANTILE, over=maps)
            pictures.append(lesson.overlay_mask(half.scenes.images[number], mask, DIM))
            titles.append(name if place == 0 else "")
    return image_grid(pictures, titles, columns=SHOWN, inches=1.2)
