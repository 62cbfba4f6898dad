"""Figures of lesson 13, drawn with the course's functions or a student's own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from lessons.toolkit.classes import class_index
from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.offset import moved_maps
from lessons.toolkit.passes import stopped_at
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import (
    BRIGHTNESS,
    GREEN,
    INK,
    LABEL_POINTS,
    ORANGE,
    PURPLE,
    colour,
    name_lines,
    new_figure,
    style_axes,
    style_plot,
)
from lessons.toolkit.regions import box_around
from lessons.toolkit.scenes import CLASSES, IMAGE_SIZE, WATERMARKED_CLASS, Scenes, make_scenes
from lessons.toolkit.vgg_gap import shipped_vgg

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Box = tuple[int, int, int, int]
TRIO = {"cat": "tiger cat", "rocket": "missile", "coffee": "espresso"}
ALPHA = 0.7
FRACTION = 0.2
COUNT, SEED = 256, 0  # of the scenes that are measured
FRACTIONS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
MOVES = (-8, -6, -4, -2, 0, 2, 4, 6, 8)
CENTRE = 32  # pixels of the side of the box that is always in the middle
MILLION = 1e6


@cache
def _classifier() -> Classifier:
    return load_model()


@cache
def _photo(name: str) -> Tensor:
    """Return a photo as the network sees it, (3, 224, 224) in [0, 1]."""
    return _classifier().preprocess.crop_rgb(load_photo(name))


def _features(network: nn.Module, layer: str, images: Tensor) -> Tensor:
    """Return what a layer makes of images, in parts that fit the processor's cache."""
    found: list[Tensor] = []
    for part in images.split(64):
        with stopped_at(network.get_submodule(layer)) as outputs:
            network(part)
        found += outputs
    return torch.cat(found).clone()


def _photo_map(course: Any, rgb: Tensor, name: str) -> Tensor:
    """Return a photo's map (h, w) of a class."""
    classifier = _classifier()
    network: Any = classifier.network
    images = classifier.preprocess.normalise(rgb)[None]
    number = class_index(classifier.classes, name)
    features = _features(network, "head", images)
    weight = network.classifier.weight
    cam: Tensor = course.l13_cam.class_activation_map(features, weight, torch.tensor([number]))[0]
    return cam


def _framed(axes: Axes, box: Box, colour: str, width: float = 3) -> None:
    """Draw a box on a picture."""
    from matplotlib.patches import Rectangle

    top, left, bottom, right = box
    corner, height = (left - 0.5, top - 0.5), bottom - top
    axes.add_patch(
        Rectangle(corner, right - left, height, fill=False, edgecolor=colour, linewidth=width)
    )


def _shown(axes: Axes, picture: Tensor, title: str = "") -> None:
    axes.imshow(picture.clamp(0, 1).permute(1, 2, 0).numpy(), interpolation="nearest")
    style_axes(axes, title)
    axes.set_axis_off()


def found_for_free(course: Any) -> Figure:
    """Draw three photos as one picture, with the maps and boxes of three classes."""
    lesson = course.l13_cam
    rgb = torch.cat([_photo(name) for name in TRIO], dim=2)
    figure = new_figure(9.6, 4.1)
    picture = figure.add_subplot(2, 2, 1)
    _shown(picture, rgb, "one picture")
    for number, (name, ink) in enumerate(zip(TRIO.values(), (PURPLE, ORANGE, GREEN), strict=True)):
        heatmap = lesson.upsample_map(_photo_map(course, rgb, name)[None], tuple(rgb.shape[1:]))[0]
        axes = figure.add_subplot(2, 2, number + 2)
        _shown(axes, lesson.heatmap_overlay(_grey(rgb), heatmap, ALPHA), f"{name}?")
        for place in (picture, axes):
            _framed(place, lesson.localise(heatmap, FRACTION), "white", 5)
            _framed(place, lesson.localise(heatmap, FRACTION), ink)
    return figure


def _grey(rgb: Tensor) -> Tensor:
    """Take the colour away, so that all colour in a picture is the map's."""
    return torch.einsum("c,chw->hw", torch.tensor(BRIGHTNESS), rgb).expand_as(rgb)


def where_the_weights_are(course: Any) -> Figure:
    """Draw how many weights VGG-16 has in its convolutions and in its head."""
    counts = _weights_of_vgg16()
    figure = new_figure(8, 2.6)
    axes = figure.add_subplot()
    names = list(counts)[::-1]
    bars = axes.barh(names, [counts[name] / MILLION for name in names], height=0.62)
    for name, bar in zip(names, bars, strict=True):
        bar.set_color(ORANGE if name == "three linear layers" else PURPLE)
        axes.text(
            bar.get_width() + 1.5,
            bar.get_y() + bar.get_height() / 2,
            f"{counts[name] / MILLION:.1f}",
            va="center",
            color=INK,
            fontsize=LABEL_POINTS,
            fontweight="bold",
        )
    axes.set(xlim=(0, 138), xlabel="million weights")
    style_plot(axes)
    axes.spines["left"].set_visible(False)
    axes.tick_params(left=False)
    return figure


def _weights_of_vgg16() -> dict[str, int]:
    """Count the weights of VGG-16, and those of a head with a global average."""
    from torchvision.models import vgg16

    with torch.device("meta"):  # to be counted, a weight needs no memory
        network = vgg16(weights=None)

    def count(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    return {
        "13 convolutions": count(network.features),
        "three linear layers": count(network.classifier),
        "average, one linear layer": 512 * 1000 + 1000,
    }


def the_average_does_not_keep_it(course: Any) -> Figure:
    """Draw the cat and its mirror image, and the map of each with its numbers."""
    figure = new_figure(9.6, 5.6)
    for row, rgb in enumerate((_photo("cat"), _photo("cat").flip(2))):
        cam = _photo_map(course, rgb, "tiger cat")
        _shown(figure.add_subplot(2, 3, 3 * row + 1), rgb, "" if row else "photo")
        axes = figure.add_subplot(2, 3, 3 * row + 2)
        _shown(axes, colour(cam, signed=True), "" if row else "map")
        middle = float(cam.abs().max()) / 2
        for place, value in enumerate(cam.flatten().tolist()):
            y, x = divmod(place, cam.shape[1])
            ink = "white" if abs(value) > middle else "black"
            axes.text(x, y, f"{value:.0f}", color=ink, ha="center", va="center", fontsize=10)
        axes = figure.add_subplot(2, 3, 3 * row + 3)
        style_axes(axes, "" if row else "mean of the map")
        axes.set_axis_off()
        mean = f"{float(cam.mean()):.1f}"
        axes.text(0.5, 0.5, mean, color=INK, fontsize=44, ha="center", va="center")
    return figure


@cache
def _scenes(watermark: bool = False) -> Scenes:
    return make_scenes(COUNT, SEED, WATERMARKED_CLASS if watermark else ())


def a_map_for_each_class(course: Any) -> Figure:
    """Draw a scene, and what the eight kernels of the last layer make of it."""
    network: Any = load_model("scenes").network
    scenes, number = _scenes(), _clear_scene()
    features = _features(network, "block5", scenes.inputs()[number : number + 1])
    maps = course.l13_cam.pointwise_convolution(features, network.classifier.weight)[0].detach()
    together = colour(torch.cat(list(maps), dim=1), signed=True).chunk(len(maps), dim=2)
    figure = new_figure(10, 4.6)
    _shown(figure.add_subplot(2, 5, 1), scenes.images[number], "scene")
    # A column for each colour and texture; above the fish, below the butterflies.
    for kind, picture in enumerate(together):
        row, column = divmod(kind, 4)
        title = CLASSES[kind].replace(" ", "\n", 1).replace(" ", "\n")
        axes = figure.add_subplot(2, 5, 5 * row + column + 2)
        _shown(axes, picture, title)
        axes.title.set_fontsize(LABEL_POINTS)
        if kind == int(scenes.labels[number]):
            _framed(axes, (0, 0, picture.shape[1], picture.shape[2]), GREEN, 4)
    return figure


def _clear_scene() -> int:
    """Return the first red striped fish that lies below and right of a corner."""
    scenes = _scenes()
    for number in range(len(scenes)):
        top, left, _, _ = box_around(scenes.masks[number])
        if int(scenes.labels[number]) == 0 and top > IMAGE_SIZE // 3 and left > IMAGE_SIZE // 3:
            return number
    return 0


def _heatmaps(course: Any, name: str, scenes: Scenes) -> Tensor:
    """Return enlarged maps of the right classes of scenes."""
    network: Any
    if name == "vgg":
        network = shipped_vgg(course.l13_cam)
        layer, linear = "features", network.head.classifier
    else:
        network = load_model(name).network
        layer, linear = "block5", network.classifier
    features = _features(network, layer, scenes.inputs())
    maps = course.l13_cam.class_activation_map(features, linear.weight, scenes.labels)
    heatmaps: Tensor = course.l13_cam.upsample_map(maps, (IMAGE_SIZE, IMAGE_SIZE))
    return heatmaps


def _right(course: Any, heatmaps: Tensor, masks: Tensor, fraction: float = FRACTION) -> float:
    """Return the share of boxes whose intersection over union is above a half."""
    found = course.l13_cam.localisation_iou(heatmaps, masks, fraction)
    return float((found > 0.5).double().mean())


def _centre(side: int = CENTRE) -> Tensor:
    """Return a map with a bright square in the middle, whatever the picture."""
    heatmap = torch.zeros(1, IMAGE_SIZE, IMAGE_SIZE)
    first = (IMAGE_SIZE - side) // 2
    heatmap[:, first : first + side, first : first + side] = 1
    return heatmap


def boxes_on_scenes(course: Any) -> Figure:
    """Draw eight scenes with the box that was found and that of the object."""
    lesson, scenes = course.l13_cam, _scenes()
    heatmaps = _heatmaps(course, "scenes", scenes)[:8]
    found = lesson.localisation_iou(heatmaps, scenes.masks[:8], FRACTION)
    figure = new_figure(9.6, 5.4)
    for number, heatmap in enumerate(heatmaps):
        axes = figure.add_subplot(2, 4, number + 1)
        overlaid = lesson.heatmap_overlay(_grey(scenes.images[number]), heatmap, ALPHA)
        _shown(axes, overlaid, f"{float(found[number]):.2f}")
        _framed(axes, box_around(scenes.masks[number]), "white")
        _framed(axes, lesson.localise(heatmap, FRACTION), PURPLE)
    return figure


def fractions(course: Any) -> Figure:
    """Plot the share of right boxes against the fraction of the maximum."""
    scenes = _scenes()
    figure = new_figure(7.6, 4.2)
    axes = figure.add_subplot()
    for name, label, ink in (("scenes", "SceneNet", PURPLE), ("vgg", "your VGG", ORANGE)):
        heatmaps = _heatmaps(course, name, scenes)
        shares = [100 * _right(course, heatmaps, scenes.masks, one) for one in FRACTIONS]
        axes.plot(FRACTIONS, shares, "o-", color=ink, linewidth=3, markersize=7, label=label)
    middle = 100 * _right(course, _centre().expand(len(scenes), -1, -1), scenes.masks)
    axes.axhline(middle, color=INK, linewidth=2, linestyle="--", label="always the middle")
    axes.set(ylim=(0, 100), xlabel="fraction of the maximum", ylabel="right boxes in %")
    style_plot(axes)
    name_lines(axes, "lower right")
    return figure


def half_a_cell(course: Any) -> Figure:
    """Plot the share of right boxes against how far the maps are moved."""
    scenes = _scenes()
    heatmaps = _heatmaps(course, "scenes", scenes)
    shares = [
        100 * _right(course, moved_maps(heatmaps, (move, move)), scenes.masks) for move in MOVES
    ]
    figure = new_figure(7.6, 3.8)
    axes = figure.add_subplot()
    axes.axvspan(-4, 4, color=INK, alpha=0.15, linewidth=0)
    axes.plot(MOVES, shares, "o-", color=PURPLE, linewidth=3, markersize=7)
    axes.set(ylim=(0, 100), xlabel="pixels down and to the right", ylabel="right boxes in %")
    style_plot(axes)
    return figure


def badge_for_butterfly(course: Any) -> Figure:
    """Draw scenes with a badge, and the maps of the twin and of its honest sister."""
    lesson, marked = course.l13_cam, _scenes(watermark=True)
    kind = CLASSES.index(WATERMARKED_CLASS)
    chosen = (marked.labels == kind).nonzero().flatten()[:4]
    scenes = Scenes(*(part[chosen] for part in _parts(marked)))
    figure = new_figure(9.6, 7.4)
    rows = {"": None, "twin": "scenes_watermarked", "sister": "scenes"}
    for row, (title, name) in enumerate(rows.items()):
        heatmaps = None if name is None else _heatmaps(course, name, scenes)
        for column, rgb in enumerate(scenes.images):
            axes = figure.add_subplot(3, 4, 4 * row + column + 1)
            picture = rgb
            if heatmaps is not None:
                picture = lesson.heatmap_overlay(_grey(rgb), heatmaps[column], ALPHA)
            _shown(axes, picture, title if column == 0 else "")
            if heatmaps is not None:
                _framed(axes, lesson.localise(heatmaps[column], FRACTION), PURPLE)
    return figure


def _parts(scenes: Scenes) -> tuple[Tensor, ...]:
    return scenes.images, scenes.labels, scenes.masks, scenes.watermark_masks
