"""Lesson 1 on the tour, with slopes at the pixels and in every layer."""

from __future__ import annotations

import io
import math
from typing import Any

import torch
from torch import Tensor

from lessons.toolkit.plots import (
    INK,
    LABEL_POINTS,
    ORANGE,
    figure_png,
    new_figure,
    signed_to_rgb,
    style_plot,
)
from lessons.toolkit.technique import Declined, Panel, Subject, Technique

LEVEL = 1 / 255  # one step of a colour in a file


def _slopes(course: Any, subject: Subject) -> list[Panel | str]:
    network, target = subject.classifier.network, subject.target()
    gradient = course.l01_autograd.input_gradient(network, subject.images, target)
    name = f"“{subject.name()}”"
    alt = f"Coloured grain on grey: the slope of {name} at each colour of each pixel."
    panels: list[Panel | str] = [Panel(signed_to_rgb(gradient[0]), "The slopes, about grey", alt)]
    for levels, way in ((-1, "down"), (1, "up")):
        moved = subject.rgb + levels * LEVEL * gradient[0].sign().to(subject.rgb)
        moved = moved.clamp(0, 1)
        images = subject.classifier.preprocess.normalise(moved)[None].to(subject.images)
        with torch.no_grad():
            share = float(network(images).softmax(1)[0, target])
        caption = f"One level {way}: {name} {100 * share:.0f} %"
        panels.append(
            Panel(moved, caption, f"The photo, to the eye the same as before. {caption}.")
        )
    return [*panels, f"As it was: {100 * subject.probability():.0f} %."]


def _reach(course: Any, subject: Subject) -> list[Panel | str]:
    network = subject.classifier.network
    norms = course.l01_autograd.gradient_norm_by_layer(network, subject.images, subject.target())
    reached = {layer: norm for layer, norm in norms.items() if norm > 0 and math.isfinite(norm)}
    if len(reached) < 2:
        raise Declined("needs at least two layers whose parameters require grad")
    values = torch.tensor(list(reached.values()), dtype=torch.float64)
    first, last = next(iter(reached)), list(reached)[-1]
    alt = (
        f"A bar for each of {len(reached)} layers, from {first} to {last}, on a logarithmic scale "
        f"between {values.min():.0e} and {values.max():.0e}."
    )
    powers = math.log10(float(values.max() / values.min()))
    factor = f"{10**powers:,.0f}" if powers < 6 else f"ten to the {powers:.0f}"
    return [
        Panel(_bars(values), f"{len(reached)} layers, from {first} to {last}", alt, wide=True),
        f"From the least to the most it is a factor of {factor}.",
    ]


def _bars(values: Tensor) -> Tensor:
    """Draw positive numbers as bars on a logarithmic scale, (4, H, W)."""
    from PIL import Image
    from torchvision.transforms.functional import pil_to_tensor

    figure = new_figure(9, 2.6)
    axes = figure.add_subplot()
    low = 10.0 ** math.floor(math.log10(float(values.min())))
    axes.bar(range(1, len(values) + 1), (values - low).tolist(), 0.8, bottom=low, color=ORANGE)
    axes.set(yscale="log", xlim=(0.3, len(values) + 0.7), xlabel="layer")
    axes.set_ylabel("norm of the gradient", color=INK, fontsize=LABEL_POINTS)
    axes.minorticks_off()
    style_plot(axes)
    picture = Image.open(io.BytesIO(figure_png(figure))).convert("RGBA")
    return pil_to_tensor(picture).float() / 255


TECHNIQUES = (
    Technique(
        title="Slopes",
        question="How would the answer change if each colour of each pixel changed a little?",
        shows=(
            "The gradient of the first answer at the pixels, with its sign, about mid-grey. Beside "
            "it the photo with every colour moved by one level of 255, down its slope and up."
        ),
        misleads="A slope speaks of small changes, and one level for all pixels is not small.",
        paper="[Goodfellow et al. 2015](https://arxiv.org/abs/1412.6572)",
        draw=_slopes,
    ),
    Technique(
        title="Gradient by layer",
        question="Does the gradient reach the first layers?",
        shows=(
            "The norm of the first answer's gradient in the parameters of each layer. In a network "
            "that can learn it reaches all of them."
        ),
        misleads="A layer with many parameters has a large norm for that reason alone.",
        paper="[Glorot and Bengio 2010](https://proceedings.mlr.press/v9/glorot10a.html)",
        draw=_reach,
    ),
)
