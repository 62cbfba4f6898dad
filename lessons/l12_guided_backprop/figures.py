"""Figures of lesson 12, drawn with the course's functions or a student's own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit.classes import class_index
from lessons.toolkit.gallery import photo_gallery
from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import (
    GREEN,
    INK,
    LABEL_POINTS,
    ORANGE,
    PURPLE,
    image_grid,
    new_figure,
    signed_to_rgb,
    style_axes,
    style_plot,
)

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RULES = ("backprop", "deconvnet", "guided")
COLOURS = {"backprop": PURPLE, "deconvnet": GREEN, "guided": ORANGE}
# Where a signal is looked at on its way back, from the last layer to the pixels.
WAY_BACK = ("head", "stages.6", "stages.5", "stages.4", "stages.3", "stages.2", "stages.1", "stem")
# Layers, how much of the photo to cut out around a unit, and channels, each with the photo that
# excites it most.
UNITS = {
    ("stages.2", 72): ((11, "coffee"), (39, "china"), (7, "astronaut")),
    ("stages.4", 128): ((84, "cat"), (17, "rocket"), (106, "astronaut")),
    ("stages.5", 160): ((42, "astronaut"), (89, "china"), (155, "coffee")),
}
CLIP = 0.98
EYE = (..., slice(32, 132), slice(16, 116))  # of the cat


class _Question(NamedTuple):
    """A photo as the network's input, and the class that it is asked about."""

    rgb: Tensor
    images: Tensor
    target: Tensor


@cache
def _classifier() -> Classifier:
    return load_model()


@cache
def _question(photo: str = "cat") -> _Question:
    classifier = _classifier()
    rgb = classifier.preprocess.crop_rgb(load_photo(photo))
    images = classifier.preprocess.normalise(rgb)[None]
    with torch.no_grad():
        return _Question(rgb, images, classifier.network(images).argmax(1))


def _picture(gradient: Tensor) -> Tensor:
    return signed_to_rgb(gradient[0], CLIP)


def three_ways(course: Any) -> Figure:
    """Draw the cat and what three rules send back to its pixels from the logit."""
    asked, lesson = _question(), course.l12_guided_backprop
    found = [
        lesson.neuron_pattern(
            _classifier().network, "classifier", int(asked.target), asked.images, rule
        )
        for rule in RULES
    ]
    pictures = [asked.rgb, *[_picture(gradient) for gradient in found]]
    return image_grid(pictures, ["photo", *RULES], columns=2, inches=2.05)


def rules(course: Any) -> Figure:
    """Draw nine numbers on their way through a ReLU, and back by three rules."""
    x = torch.tensor([[3.0, -2, 1], [-4, 5, 2], [6, -1, 4]])
    arriving = torch.tensor([[2.0, 4, -3], [-1, 5, -2], [3, -6, 1]])
    back = {rule: course.l12_guided_backprop.relu_backward(rule, x, arriving) for rule in RULES}
    tables = {"x": x, "relu(x)": x.relu(), "arrives": arriving, **back}
    figure = new_figure(8.4, 5.9)
    for number, (name, table) in enumerate(tables.items()):
        _draw_table(figure.add_subplot(2, 3, number + 1), name, table)
    return figure


def _draw_table(axes: Axes, name: str, table: Tensor) -> None:
    """Draw a table of numbers, purple below 0 and orange above."""
    style_axes(axes, name)
    axes.set(xlim=(0, 3), ylim=(3, 0), aspect="equal")
    axes.set_axis_off()
    for row in range(3):
        for column in range(3):
            value = float(table[row, column])
            fill = ORANGE if value > 0 else PURPLE
            box = axes.add_patch(_square(column, row))
            box.set(facecolor=fill if value else "none", alpha=1, edgecolor=INK, linewidth=1)
            text = axes.text(column + 0.5, row + 0.5, f"{value:.0f}".replace("-", "−"))
            text.set(ha="center", va="center")
            text.set(color="white" if value else INK, fontsize=18, fontweight="bold")


def _square(column: int, row: int) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((column + 0.04, row + 0.04), 0.92, 0.92)


def patterns(course: Any) -> Figure:
    """Draw the guided patterns of units at three depths, beside what excited them."""
    network, lesson = _classifier().network, course.l12_guided_backprop
    pictures, titles = [], []
    for (layer, side), units in UNITS.items():
        for channel, photo in units:
            asked = _question(photo)
            found = lesson.neuron_pattern(network, layer, channel, asked.images, "guided")
            top, left = _corner(found, side)
            window = (..., slice(top, top + side), slice(left, left + side))
            pictures += [asked.rgb[window], _picture(found[window])]
            titles += [layer, str(channel)]
    return image_grid(pictures, titles, columns=6, inches=1.25)


def _corner(gradient: Tensor, side: int) -> tuple[int, int]:
    """Return the corner of a square around the place where a picture is strong."""
    strength = gradient[0].abs().sum(0)
    corner = []
    for dimension in (1, 0):
        share = strength.sum(dimension) / strength.sum()
        middle = float((share * (torch.arange(len(share)) + 0.5)).sum())
        corner.append(min(max(round(middle - side / 2), 0), len(share) - side))
    return corner[0], corner[1]


def forgetting(course: Any) -> Figure:
    """Plot how alike the signals of two classes become on their way back."""
    figure = new_figure(8.4, 4.2)
    axes = figure.add_subplot()
    for rule in RULES:
        alike = _alike_on_the_way(course, rule)
        middle, spread = alike.mean(1), alike.std(1)
        steps = torch.arange(len(middle))
        axes.plot(steps, middle, color=COLOURS[rule], linewidth=3, marker="o", label=rule)
        axes.fill_between(
            steps, middle - spread, middle + spread, color=COLOURS[rule], alpha=0.15, linewidth=0
        )
    axes.set(ylim=(-0.45, 1.05), ylabel="cosine of two classes")
    axes.set_xticks(range(len(WAY_BACK) + 1), [*WAY_BACK, "pixels"], rotation=30)
    style_plot(axes, "from the logit back to the pixels")
    bold = {"size": LABEL_POINTS, "weight": "bold"}
    axes.legend(frameon=False, loc="center right", labelcolor="linecolor", prop=bold)
    return figure


def _alike_on_the_way(course: Any, rule: str) -> Tensor:
    """Return the cosine of two classes' signals.

    One row for each place on the way, one column for each photo. The classes are the first answer
    for the photo, and the first answer for the next photo.
    """
    seen = photo_gallery()
    network = seen.classifier.network
    kept: list[Tensor] = []
    handles = [
        network.get_submodule(layer).register_forward_hook(
            lambda module, inputs, output: kept.append(output)
        )
        for layer in WAY_BACK
    ]
    images = seen.images.clone().requires_grad_()
    try:
        logits = network(images)
    finally:
        for handle in handles:
            handle.remove()
    kept = [*kept[::-1], images]  # the layers ran in the other order
    course.l12_guided_backprop.redirect_relus(logits, rule)
    first = logits.argmax(1)
    signals = [
        torch.autograd.grad(logits.gather(1, target[:, None]).sum(), kept, retain_graph=True)
        for target in (first, first.roll(1))
    ]
    return torch.stack(
        [
            functional.cosine_similarity(one.flatten(1), other.flatten(1), dim=1)
            for one, other in zip(*signals, strict=True)
        ]
    )


def blind(course: Any) -> Figure:
    """Draw two methods for a class, for another one, and with a shuffled classifier."""
    asked, lesson = _question(), course.l12_guided_backprop
    network = _classifier().network
    espresso = torch.tensor([class_index(_classifier().classes, "espresso")])

    def gradient(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        return lesson.neuron_pattern(model, "classifier", int(target), images, "backprop")

    pictures = []
    for method in (lesson.guided_backprop, gradient):
        drawn: list[Tensor] = []

        def kept(
            model: nn.Module,
            images: Tensor,
            target: Tensor,
            method: Any = method,
            drawn: list[Tensor] = drawn,
        ) -> Tensor:
            drawn.append(method(model, images, target))
            return drawn[-1]

        lesson.likeness_after_shuffling(kept, network, "classifier", asked.images, asked.target)
        whole, shuffled = drawn
        other = method(network, asked.images, espresso)
        pictures += [_picture(picture)[EYE] for picture in (whole, other, shuffled)]
    titles = ["tiger cat", "espresso", "shuffled", "", "", ""]
    return image_grid(pictures, titles, columns=3, inches=1.6)
