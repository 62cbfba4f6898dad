"""Figures of lesson 7, drawn with the course's functions or a student's own.

Portraits take seconds each. One that two figures show is painted once.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable
from functools import cache, lru_cache, partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit.classes import class_index
from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import (
    LABEL_POINTS,
    ORANGE,
    PURPLE,
    image_grid,
    new_figure,
    style_axes,
    style_plot,
)

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE = 224
# Inches of a picture of noise: a pixel then is one pixel of the page. Larger ones weigh a lot.
NOISY = 1.05
STEPS = 100  # of a portrait
LONG = 200  # of the one that is watched
# In the order of the picture, which is not that of the alphabet: its readers shall guess. Each with
# the seed that it is painted from.
TEN = {
    "zebra": 1,
    "strawberry": 0,
    "traffic light": 0,
    "flamingo": 1,
    "mushroom": 0,
    "monarch": 0,
    "balloon": 0,
    "goldfish": 0,
    "pineapple": 0,
    "ladybug": 0,
}
ONE = "zebra"  # the class of all other figures
RATE = 2.0  # of the climbs with pixels
# Layers of five depths with 64 channels or more, the side of a pattern in pixels, and how far its
# gradients are blurred: deeper units see more.
DEPTHS = {
    "stages.1.1.expand.norm": (32, 0.4),
    "stages.2.1.expand.norm": (48, 0.8),
    "stages.3.2.expand.norm": (72, 1.2),
    "stages.4.2.expand.norm": (88, 1.2),
    "stages.5.2.expand.norm": (96, 1.2),
}


@cache
def _classifier() -> Classifier:
    return load_model()


def _target(name: str) -> Tensor:
    return torch.tensor([class_index(_classifier().classes, name)])


@lru_cache(maxsize=32)  # an edited class_portrait is a new key
def _portrait(
    class_portrait: Callable[..., Tensor], name: str, seed: int = 0, steps: int = STEPS
) -> Tensor:
    """Paint a class, (1, 3, SIDE, SIDE) in [0, 1]."""
    if (name, seed, steps) == (ONE, 0, STEPS):
        return _painting(class_portrait)[STEPS]
    classifier = _classifier()
    return class_portrait(
        classifier.network,
        _target(name),
        (SIDE, SIDE),
        steps,
        seed=seed,
        normalise=classifier.preprocess.normalise,
    )


def ten_classes(course: Any) -> Figure:
    """Draw ten classes as the network sees them, without their names."""
    lesson = course.l07_gradient_ascent
    pictures = [_portrait(lesson.class_portrait, name, seed)[0] for name, seed in TEN.items()]
    numbers = [str(number) for number in range(1, len(TEN) + 1)]
    return image_grid(pictures, numbers, columns=5, inches=1.3)


def _noise(seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 0.1 * torch.randn(1, 3, SIDE, SIDE, generator=generator)


def _probability(images: Tensor, name: str = ONE) -> Tensor:
    """Return the class's probability in normalised images (N, 3, H, W)."""
    with torch.no_grad():
        return _classifier().network(images).softmax(1)[:, _target(name)[0]]


@lru_cache(maxsize=4)
def _unregularised(class_image: Callable[..., Tensor], start: Tensor) -> Tensor:
    """Climb for the class from a start, with nothing that holds the pixels back."""
    return class_image(_classifier().network, _target(ONE), start, 25, RATE)


def three_starts(course: Any) -> Figure:
    """Draw a blank, noise and a photo, each before and after a climb with pixels."""
    classifier = _classifier()
    photo = classifier.preprocess.batch([load_photo("cat")])
    before, after, titles = [], [], []
    for start in (torch.zeros(1, 3, SIDE, SIDE), _noise(), photo):
        image = _unregularised(course.l07_gradient_ascent.class_image, start)
        before.append(classifier.preprocess.to_rgb(start)[0])
        after.append(classifier.preprocess.to_rgb(image)[0])
        titles.append(f"{float(_probability(image)):.0%}")
    names = ["blank", "noise", "cat"]
    return image_grid([*before, *after], [*names, *titles], columns=3, inches=NOISY)


# What each regulariser is called, and with which settings it is alone.
REGULARISERS: dict[str, dict[str, Any]] = {
    "none": {},
    "L2": {"l2": 0.02},
    "blur": {"blur_every": 2, "blur_width": 0.7},
    "pixels": {"small_pixels": 0.3},
    "gradients": {"small_gradients": 0.3},
    "jitter": {"jitter": 16},
}
TOGETHER: dict[str, Any] = {
    "l2": 0.002,
    "blur_every": 4,
    "blur_width": 0.7,
    "small_pixels": 0.1,
    "small_gradients": 0.1,
    "jitter": 16,
}
CLIMB = 40  # steps with each of them


@lru_cache(maxsize=16)
def _climbed(class_image: Callable[..., Tensor], name: str) -> Tensor:
    """Climb for the class with one regulariser, or with all of them together."""
    settings = TOGETHER if name == "together" else REGULARISERS[name]
    rate = 8 * RATE if "blur_every" in settings else RATE
    return class_image(
        _classifier().network, _target(ONE), _noise(), CLIMB, rate, seed=0, **settings
    )


def regularisers(course: Any) -> Figure:
    """Draw one class by pixels, with each regulariser alone and with all of them."""
    lesson = course.l07_gradient_ascent
    names = [*REGULARISERS, "together"]
    pictures = [lesson.contrasted(_climbed(lesson.class_image, name)[0], 0.1) for name in names]
    pictures.append(_portrait(lesson.class_portrait, ONE, 0)[0])
    return image_grid(pictures, [*names, "portrait"], columns=4, inches=NOISY)


@lru_cache(maxsize=2)
def _painting(class_portrait: Callable[..., Tensor]) -> dict[int, Tensor]:
    """Paint the class for long, and keep some pictures on the way, by step."""
    classifier = _classifier()
    paint = partial(
        class_portrait,
        classifier.network,
        _target(ONE),
        (SIDE, SIDE),
        normalise=classifier.preprocess.normalise,
    )
    kept = {0: paint(steps=0)}

    def watch(step: int, picture: Tensor) -> None:
        if step <= 20 or step % 10 == 0:
            kept[step] = picture

    paint(steps=LONG, watch=watch)
    return kept


def _curves(course: Any) -> tuple[list[int], list[float], list[float]]:
    """Return steps of a painting, its logits, and its total variation a value."""
    classifier, total_variation = _classifier(), course.l07_gradient_ascent.total_variation
    painting = _painting(course.l07_gradient_ascent.class_portrait)
    scores, rough = [], []
    for picture in painting.values():
        with torch.no_grad():
            logits = classifier.network(classifier.preprocess.normalise(picture))
        scores.append(float(logits[0, _target(ONE)]))
        rough.append(float(total_variation(picture)) / picture.numel())
    return list(painting), scores, rough


def strip(course: Any) -> Figure:
    """Draw a portrait at four steps, and the curves of logit and total variation."""
    painting = _painting(course.l07_gradient_ascent.class_portrait)
    steps, scores, rough = _curves(course)
    figure = new_figure(6.2, 3.9)
    grid = figure.add_gridspec(2, 4, height_ratios=(1.25, 1))
    for place, step in enumerate((0, 10, 50, LONG)):
        axes = figure.add_subplot(grid[0, place])
        axes.imshow(painting[step][0].permute(1, 2, 0).numpy())
        style_axes(axes, f"step {step}")
        axes.set_axis_off()
    curves = ((scores, "logit", ORANGE), (rough, "total variation", PURPLE))
    for place, (values, label, shade) in enumerate(curves):
        axes = figure.add_subplot(grid[1, 2 * place : 2 * place + 2])
        axes.plot(steps, values, color=shade, linewidth=2.5)
        axes.set(xlabel="step", xlim=(0, LONG))
        style_plot(axes, label)
    return figure


def four_seeds(course: Any) -> Figure:
    """Draw the same class from four different beginnings."""
    lesson = course.l07_gradient_ascent
    pictures = [_portrait(lesson.class_portrait, ONE, seed)[0] for seed in range(4)]
    return image_grid(pictures, [f"seed {seed}" for seed in range(4)], columns=4, inches=1.2)


def pixels_and_waves(course: Any) -> Figure:
    """Draw one class by pixels, by waves, and by waves that are seen from everywhere."""
    lesson = course.l07_gradient_ascent
    pictures = [
        lesson.contrasted(_climbed(lesson.class_image, "none")[0]),
        lesson.contrasted(_waves(lesson.fourier_image, 0.0)[0]),
        _waves(lesson.fourier_image, 1.5)[0],
        _portrait(lesson.class_portrait, ONE, 0)[0],
    ]
    titles = ["pixels", "equal", "long", "views"]
    return image_grid(pictures, titles, columns=4, inches=NOISY)


@lru_cache(maxsize=4)
def _waves(fourier_image: Callable[..., Tensor], decay: float) -> Tensor:
    """Climb with the waves of a picture, always seen from the same place."""
    classifier = _classifier()
    generator = torch.Generator().manual_seed(0)
    spectrum = 0.01 * torch.randn(1, 3, SIDE, SIDE // 2 + 1, 2, generator=generator)
    spectrum.requires_grad_()
    optimiser = torch.optim.AdamW([spectrum], lr=0.015, weight_decay=3)
    for _ in range(CLIMB):
        picture = fourier_image(spectrum, (SIDE, SIDE), decay)
        logits = classifier.network(classifier.preprocess.normalise(picture))
        (spectrum.grad,) = torch.autograd.grad(-logits[0, _target(ONE)[0]], spectrum)
        optimiser.step()
    return fourier_image(spectrum.detach(), (SIDE, SIDE), decay)


def pattern_walls(course: Any) -> Figure:
    """Draw the patterns of 64 channels of five depths."""
    lesson = course.l07_gradient_ascent
    figure = new_figure(4.4, 3.4)
    grid = figure.add_gridspec(2, 6)
    places = [grid[0, :2], grid[0, 2:4], grid[0, 4:], grid[1, 1:3], grid[1, 3:5]]
    for place, (layer, (side, width)) in zip(places, DEPTHS.items(), strict=True):
        patterns = _patterns(lesson.filter_pattern, layer, side, width)
        tiles = torch.stack([lesson.contrasted(pattern, 0.18) for pattern in patterns])
        axes = figure.add_subplot(place)
        axes.imshow(_wall(tiles).permute(1, 2, 0).numpy())
        style_axes(axes, f"stage {layer.split('.')[1]}")
        axes.set_axis_off()
    return figure


@lru_cache(maxsize=8)
def _patterns(filter_pattern: Callable[..., Tensor], layer: str, side: int, width: float) -> Tensor:
    """Return the patterns of a layer's first 64 channels, (64, 3, side, side)."""
    network = _classifier().network
    # The network up to this stage answers sooner, and as the whole one does there.
    stages = list(network.get_submodule("stages").children())[: int(layer.split(".")[1]) + 1]
    beginning = nn.Sequential(
        OrderedDict([("stem", network.get_submodule("stem")), ("stages", nn.Sequential(*stages))])
    )
    return torch.cat(
        [
            filter_pattern(beginning, layer, channel, (side, side), 12, 0.2, blur_width=width)
            for channel in range(64)
        ]
    )


def _wall(tiles: Tensor, columns: int = 8, side: int = 48, gap: int = 3) -> Tensor:
    """Lay tiles (N, 3, h, w) out as a picture whose gaps are transparent, (4, H, W)."""
    even = functional.interpolate(tiles, (side, side), mode="bilinear", antialias=True)
    even = torch.cat([even, torch.ones_like(even[:, :1])], 1)
    padded = functional.pad(even, (gap, gap, gap, gap))
    rows = math.ceil(len(padded) / columns)
    full = padded.new_zeros(rows * columns, *padded.shape[1:])
    full[: len(padded)] = padded
    cells = full.view(rows, columns, 4, side + 2 * gap, side + 2 * gap)
    return cells.permute(2, 0, 3, 1, 4).reshape(4, rows * (side + 2 * gap), -1).clamp(0, 1)


def seen_from_elsewhere(course: Any) -> Figure:
    """Plot how sure the network is of three images when they are seen from elsewhere."""
    figure = new_figure(7, 3.4)
    axes = figure.add_subplot()
    for place, (name, values) in enumerate(_views(course).items()):
        _dots(axes, place, values, name)
    axes.set(xlim=(-2, 102), xlabel=f"probability of {ONE}, %", ylim=(2.6, -0.6))
    axes.set_yticks([])
    style_plot(axes)
    axes.spines["left"].set_visible(False)
    return figure


def _views(course: Any) -> dict[str, Tensor]:
    """Return the class's probability in 40 views of three images, in percent."""
    lesson, preprocess = course.l07_gradient_ascent, _classifier().preprocess
    images = {
        "noise, no regulariser": _climbed(lesson.class_image, "none"),
        "noise, all regularisers": _climbed(lesson.class_image, "together"),
        "portrait": preprocess.normalise(_portrait(lesson.class_portrait, ONE, 0)),
    }
    found = {}
    for name, image in images.items():
        generator = torch.Generator().manual_seed(1)  # views that no climb has seen
        views = torch.cat([lesson.random_view(image, generator) for _ in range(40)])
        found[name] = 100 * _probability(views)
    return found


def _dots(axes: Axes, place: int, values: Tensor, name: str) -> None:
    shade = ORANGE if name == "portrait" else PURPLE
    spread = (torch.arange(len(values)) * 7 % len(values) / len(values) - 0.5) / 3
    axes.scatter(values, place + spread, s=30, color=shade, alpha=0.6, linewidths=0)
    label = f"{name}: {float(values.mean()):.0f} % on average"
    axes.text(0, place - 0.3, label, color=shade, fontsize=LABEL_POINTS, fontweight="bold")
