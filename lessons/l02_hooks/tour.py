"""Lesson 2 on the tour, with channels of four depths."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lessons.toolkit.plots import colour, overlay, scale_to_unit
from lessons.toolkit.technique import Panel, Subject, Technique

SHOWN = 16
DEPTHS = 4
SIDE = 64


def _block_outputs(course: Any, subject: Subject) -> dict[str, Tensor]:
    """Return feature maps of the network's blocks, by layer.

    Of each size of map it is the last layer's, and of the sizes the last four.
    """
    layers = subject.classifier.layers()
    network, images = subject.classifier.network, subject.images
    seen = course.l02_hooks.capture_activations(network, layers, images)
    maps = {name: seen[name] for name in layers if name in seen and seen[name].dim() == 4}
    by_size = {tuple(activation.shape[-2:]): name for name, activation in maps.items()}
    names = [name for size, name in by_size.items() if min(size) > 1]
    return {name: maps[name] for name in names[-DEPTHS:]}


def _feature_maps(course: Any, subject: Subject) -> list[Panel]:
    panels = []
    for name, activation in _block_outputs(course, subject).items():
        strongest = activation[0].mean((1, 2)).argsort(descending=True)[:SHOWN]
        maps = functional.interpolate(activation[:, strongest], size=(SIDE, SIDE), mode="nearest")
        grid = course.l02_hooks.feature_map_grid(maps[0], 4)
        dead = float((activation[0].amax((1, 2)) <= 0).double().mean())
        size = f"{activation.shape[2]}×{activation.shape[3]}"
        alt = f"Sixteen feature maps of layer {name}, {size} cells each."
        caption = f"{name}: {activation.shape[1]} channels of {size}"
        panels.append(
            Panel(colour(grid.cpu()), caption + (f", {dead:.0%} silent" if dead else ""), alt)
        )
    return panels


def _ablation(course: Any, subject: Subject) -> list[Panel]:
    """Draw the four channels of the last block that the answer depends on most.

    Each is drawn where it fires.
    """
    network, layer = subject.classifier.network, subject.classifier.default_layer
    lesson, index = course.l02_hooks, int(subject.target())
    activation = lesson.capture_activations(network, [layer], subject.images)[layer]
    gradient = lesson.capture_gradients(network, layer, subject.images, subject.target())
    promising = (activation * gradient).mean((2, 3))[0].argsort(descending=True)[:DEPTHS]
    with torch.inference_mode():
        whole = float(network(subject.images)[0, index])
    panels = []
    for channel in promising.tolist():
        logit = float(lesson.ablate_channel(network, layer, channel, subject.images)[0, index])
        size = tuple(subject.rgb.shape[-2:])
        fine = functional.interpolate(activation[:, [channel]], size=size, mode="bilinear")[0, 0]
        image = overlay(subject.rgb, scale_to_unit(fine.cpu()), 0.5)
        caption = f"channel {channel}: logit {whole:.1f} → {logit:.1f} without it"
        panels.append(Panel(image, caption, f"Where channel {channel} fires, over the photo."))
    return panels


TECHNIQUES = (
    Technique(
        title="Feature maps",
        question="What happens inside a forward pass?",
        shows="Strong channels at four depths. Edges and colours turn into sparse, coarse signs.",
        misleads="Each channel is scaled by itself, so a whisper looks as loud as a shout.",
        paper="Zeiler and Fergus 2014",
        draw=_feature_maps,
    ),
    Technique(
        title="Ablation",
        question="Which channels does the answer lean on?",
        shows="Four channels of the last block: where they fire, and the logit without each.",
        misleads="Channels work together: silencing one at a time misses what two can replace.",
        paper="Morcos et al. 2018",
        draw=_ablation,
    ),
)
