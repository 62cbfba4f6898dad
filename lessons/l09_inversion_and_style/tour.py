"""Lesson 9 on the tour, with pictures found from layers, a texture and a style."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lessons.toolkit.paintings import painting
from lessons.toolkit.technique import Declined, Panel, Subject, Technique, feature_maps

PIXELS = 96**2  # of the pictures that are descended: as many as a few seconds allow
STEPS = 30
DEPTHS = ("early", "halfway", "late")


def _small(subject: Subject) -> Tensor:
    """Return the picture, small enough for a descent of a few seconds.

    Raises:
        Declined: the network takes pictures of its own size only.
    """
    height, width = subject.images.shape[2:]
    scale = min(1.0, (PIXELS / (height * width)) ** 0.5)
    size = (round(scale * height), round(scale * width))
    small = functional.interpolate(subject.images, size, mode="bilinear", antialias=True)
    try:
        with torch.no_grad():
            subject.classifier.network(small)
    except Exception as error:  # each network refuses a wrong size in its own way
        raise Declined("needs a network that takes pictures of other sizes than its own") from error
    return small


def _layers(course: Any, subject: Subject) -> list[str]:
    """Return the last layer of each size of map, from the second size to the fourth."""
    maps = feature_maps(course, subject)
    by_size = {tuple(activation.shape[-2:]): name for name, activation in maps.items()}
    names = [name for size, name in by_size.items() if min(size) > 1]
    return names[1:4] if len(names) > 3 else names[:3]


def _drawn(subject: Subject, images: Tensor) -> Tensor:
    return subject.classifier.preprocess.to_rgb(images)[0].clamp(0, 1)


def _inversion(course: Any, subject: Subject) -> list[Panel]:
    small, lesson = _small(subject), course.l09_inversion_and_style
    network, size = subject.classifier.network, tuple(small.shape[2:])
    layers, panels = _layers(course, subject), []
    for depth, (layer, tv) in enumerate(zip(layers, (0.1, 0.2, 0.5), strict=False)):
        features = course.l02_hooks.capture_activation(network, layer, small)
        found = lesson.invert_features(
            network, layer, features, size, STEPS, 0.05 / (depth + 1), tv, seed=0
        )
        with torch.no_grad():
            off = float(lesson.feature_loss(network, layer, found, features))
        caption = f"{DEPTHS[depth]}, layer {layer}: off by {off:.0%}"
        alt = f"A picture that began as noise and that layer {layer} takes for the photo."
        panels.append(Panel(_drawn(subject, found), caption, alt))
    return panels


def _style(course: Any, subject: Subject) -> list[Panel]:
    small, lesson = _small(subject), course.l09_inversion_and_style
    network, layers = subject.classifier.network, _layers(course, subject)
    preprocess = subject.classifier.preprocess
    height, width = small.shape[2:]
    # Of the photo's size, because some networks take no other.
    panes = painting("glass", max(height, width))[:, :height, :width]
    glass = preprocess.normalise(panes)[None].to(small)
    styled = lesson.transfer_style(
        network, small, glass, layers[-2], layers, 1.0, 5.0, STEPS, rate=0.03, tv=0.05
    )
    size = tuple(small.shape[2:])
    texture = lesson.synthesise_texture(
        network, layers, small, size, STEPS, seed=0, rate=0.03, tv=0.05
    )
    return [
        Panel(
            _drawn(subject, styled),
            "its content, with the statistics of coloured glass",
            "The photo, changed towards panes of coloured glass with dark edges.",
        ),
        Panel(
            _drawn(subject, texture),
            "its statistics, without its places",
            "A picture with the colours and strokes of the photo, strewn about.",
        ),
    ]


TECHNIQUES = (
    Technique(
        title="Inversion",
        question="What does a layer keep of this photo?",
        shows="Each picture began as noise, and its layer takes it for the photo.",
        misleads="It is one of many such pictures: a longer descent comes nearer.",
        paper="[Mahendran and Vedaldi 2015](https://arxiv.org/abs/1412.0035)",
        draw=_inversion,
    ),
    Technique(
        title="Style and texture",
        question="What is left of it without its places?",
        shows="Gram matrices say which channels fire together, and not where.",
        misleads="Equal statistics make pictures of one texture, not of one thing.",
        paper="[Gatys et al. 2015](https://arxiv.org/abs/1508.06576)",
        draw=_style,
    ),
)
