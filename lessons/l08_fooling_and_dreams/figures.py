"""Figures of lesson 8, drawn with the course's functions or a student's own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from lessons.toolkit.classes import class_index
from lessons.toolkit.models import load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import (
    INK,
    LABEL_POINTS,
    ORANGE,
    PURPLE,
    image_grid,
    new_figure,
    style_plot,
)

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.figure import Figure

LEVEL = 1 / 255
TARGET = "ostrich"
# Settings of all dreams: 40 steps, each moving a value by 1 % on average.
DREAM: dict[str, Any] = {"octaves": 4, "octave_scale": 1.4, "steps": 10, "rate": 0.01, "seed": 0}
VIVID = {**DREAM, "octaves": 5, "steps": 12, "rate": 0.015}
LONGEST = 384  # side of a whole photo, pixels
SHOWN = 48  # rows and columns of a difference


class _Network(NamedTuple):
    """The network on pixels in [0, 1], and its classes."""

    model: nn.Module
    classes: list[str]
    target: Tensor


@cache
def _network(course: Any) -> _Network:
    classifier = load_model()
    normalise = classifier.preprocess.normalise
    model = course.l08_fooling_and_dreams.OnPixels(classifier.network, normalise)
    target = torch.tensor([class_index(classifier.classes, TARGET)])
    return _Network(model, classifier.classes, target)


@cache
def _photo(name: str) -> Tensor:
    """Return a bundled photo as the network sees it, (1, 3, 224, 224) in [0, 1]."""
    return load_model().preprocess.crop_rgb(load_photo(name))[None]


def whole_photo(name: str, longest: int) -> Tensor:
    """Return all of a photo, (1, 3, H, W) in [0, 1].

    Args:
        name: a bundled photo, or a path.
        longest: pixels of its longer side.
    """
    import numpy

    photo = load_photo(name)
    photo.thumbnail((longest, longest))
    return torch.from_numpy(numpy.array(photo.convert("RGB"))).permute(2, 0, 1)[None] / 255


def _fooled(course: Any, photo: Tensor) -> Tensor:
    model, _, target = _network(course)
    lesson = course.l08_fooling_and_dreams
    return lesson.fooling_image(model, photo, target, LEVEL, 20, 2 * LEVEL)


@cache
def _dreamt(course: Any, layers: str) -> Tensor:
    """Return what some layers, joined by a plus, dream of the whole cat."""
    model, lesson = _network(course).model, course.l08_fooling_and_dreams
    names = [f"network.{layer}" for layer in layers.split("+")]
    return lesson.deep_dream(model, names, whole_photo("cat", LONGEST), **DREAM)


def _answer(course: Any, image: Tensor) -> str:
    model, classes, _ = _network(course)
    with torch.no_grad():
        probability, index = model(image)[0].softmax(0).max(0)
    return f"{classes[int(index)]}, {float(probability):.0%}"


def one_gradient_twice(course: Any) -> Figure:
    """Draw the cat, the cat that is taken for an ostrich, and the cat of a dream."""
    cat = whole_photo("cat", LONGEST)
    fooled, dream = _fooled(course, cat), _dreamt(course, "stages.4")
    titles = [_answer(course, cat), _answer(course, fooled), "a dream"]
    return image_grid([cat[0], fooled[0], dream[0]], titles, inches=2.4)


def fooled_and_why(course: Any) -> Figure:
    """Draw two photos, what they are taken for, and the difference magnified."""
    pictures, titles = [], []
    for name in ("camera", "flower"):
        photo = _photo(name)
        fooled = _fooled(course, photo)
        start = (photo.shape[-1] - SHOWN) // 2
        middle = (fooled - photo)[0, :, start : start + SHOWN, start : start + SHOWN]
        pictures += [photo[0], fooled[0], 0.5 + 60 * middle]
        titles += [_answer(course, photo), _answer(course, fooled), "difference"]
    return image_grid(pictures, titles, columns=3, inches=1.6)


def straight_and_random(course: Any) -> Figure:
    """Plot the ostrich's logit along the gradient's signs and along random signs."""
    model, _, target = _network(course)
    cat = _photo("cat")
    # One step of the student's own, of a level: its signs are those of the gradient.
    signs = _first_signs(course, cat)
    levels = torch.linspace(0, 2, 17)
    generator = torch.Generator().manual_seed(0)
    random = [torch.randint(0, 2, cat.shape, generator=generator) * 2 - 1 for _ in range(3)]
    figure = new_figure(7.5, 3.7)
    axes = figure.add_subplot()
    for way, shade, width in [(way, INK, 1.5) for way in random] + [(signs, ORANGE, 3)]:
        path = torch.cat([cat + LEVEL * level * way for level in levels]).clamp(0, 1)
        with torch.no_grad():
            goal = model(path).log_softmax(1)[:, int(target)]
        axes.plot(levels, goal, color=shade, linewidth=width)
    start = float(goal[0])
    slope = promise(course, cat)
    axes.plot([0, 1], [start, start + slope], color=PURPLE, linewidth=2, linestyle="--")
    for x, y, text, shade in (
        (0.5, start + 0.4 * slope, "what the slopes promise", PURPLE),
        (1.2, start + 4.5, "along the gradient's signs", ORANGE),
        (1.2, start + 0.4, "random signs, three draws", INK),
    ):
        axes.text(x, y, text, color=shade, fontsize=LABEL_POINTS, fontweight="bold")
    axes.set(xlim=(0, 2), ylim=(start - 1, 1), xlabel="change of every value, levels of 255")
    axes.set_ylabel(f"log-probability of “{TARGET}”")
    style_plot(axes)
    return figure


def _first_signs(course: Any, photo: Tensor) -> Tensor:
    model, _, target = _network(course)
    lesson = course.l08_fooling_and_dreams
    return (lesson.fooling_image(model, photo, target, LEVEL, 1, LEVEL) - photo).sign()


def promise(course: Any, photo: Tensor) -> float:
    """Return how far the target rises if the slopes hold for a whole level."""
    model, _, target = _network(course)
    photo = photo.clone().requires_grad_()
    with torch.enable_grad():
        goal = model(photo).log_softmax(1)[0, int(target)]
    (gradient,) = torch.autograd.grad(goal, photo)
    return LEVEL * float(gradient.abs().sum())


def octave_by_octave(course: Any) -> Figure:
    """Draw forty steps at one size, and forty over four sizes."""
    model, lesson = _network(course).model, course.l08_fooling_and_dreams
    photo = whole_photo("cat", LONGEST)
    flat = {**DREAM, "octaves": 1, "steps": 40}
    one = lesson.deep_dream(model, "network.stages.4", photo, **flat)
    four = _dreamt(course, "stages.4")
    return image_grid([one[0], four[0]], ["one octave", "four octaves"], inches=2.2)


def which_layer_dreams_what(course: Any) -> Figure:
    """Draw the dream of each stage, and of two together."""
    layers = ["stages.1", "stages.2", "stages.3", "stages.4", "stages.5", "stages.6"]
    layers += ["head", "stages.2+stages.4"]
    pictures = [_dreamt(course, layer)[0] for layer in layers]
    titles = [*layers[:-1], "2 and 4"]
    return image_grid(pictures, titles, columns=4, inches=1.6)


def pavilion_and_sky(course: Any) -> Figure:
    """Draw what the network dreams into two other photos, in larger steps."""
    model, lesson = _network(course).model, course.l08_fooling_and_dreams
    dreams = []
    for name in ("china", "hubble"):
        photo = whole_photo(name, LONGEST)
        dream = lesson.deep_dream(model, "network.stages.4", photo, **VIVID)
        dreams.append(dream[0])
    return image_grid(dreams, inches=2.5)
