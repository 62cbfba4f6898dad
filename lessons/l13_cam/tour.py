"""Lesson 13 on the tour: the map whose mean is the answer, and a box."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from lessons.toolkit.passes import stopped_at
from lessons.toolkit.plots import BRIGHTNESS
from lessons.toolkit.technique import Declined, Panel, Subject, Technique

ALPHA = 0.7
FRACTION = 0.2
FRAME = (0.55, 0.45, 0.75)  # purple, told from the map's red and yellow


def _features_and_linear(subject: Subject) -> tuple[Tensor, nn.Linear]:
    """Return what is averaged, and the linear layer that follows.

    Raises:
        Declined: the answer is not the average of a map.
    """
    network = subject.classifier.network
    with stopped_at(network.get_submodule(subject.layer)) as outputs:
        network(subject.images)
    features = outputs[0].clone()
    linear = [layer for layer in network.modules() if isinstance(layer, nn.Linear)]
    if linear and features.dim() == 4 and linear[-1].in_features == features.shape[1]:
        with torch.no_grad():
            logits = network(subject.images)
            as_averaged = linear[-1](features.mean((2, 3)))
        if logits.shape == as_averaged.shape and torch.allclose(
            logits, as_averaged, rtol=1e-3, atol=1e-3 * float(logits.abs().max())
        ):
            return features, linear[-1]
    raise Declined("needs a network that ends in a global average and one linear layer")


def _framed(picture: Tensor, box: tuple[int, int, int, int]) -> Tensor:
    """Draw a box on a picture (3, H, W), in lines of about a hundredth of its side."""
    top, left, bottom, right = box
    framed = picture.clone()
    line = max(1, min(picture.shape[1:]) // 100)
    inside = torch.zeros(picture.shape[1:], dtype=torch.bool)
    inside[top:bottom, left:right] = True
    inside[top + line : max(top + line, bottom - line), left + line : right - line] = False
    framed[:, inside] = torch.tensor(FRAME)[:, None]
    return framed


def _cam(course: Any, subject: Subject) -> list[Panel | str]:
    lesson = course.l13_cam
    features, linear = _features_and_linear(subject)
    rgb = subject.rgb.cpu()
    grey = torch.einsum("c,chw->hw", torch.tensor(BRIGHTNESS), rgb).expand_as(rgb)
    panels: list[Panel | str] = []
    for rank in (0, subject.other_rank()):
        cam = lesson.class_activation_map(features, linear.weight, subject.target(rank))
        heatmap = lesson.upsample_map(cam, tuple(rgb.shape[1:]))[0].cpu()
        name = subject.name(rank)
        box = lesson.localise(heatmap, FRACTION)
        picture = _framed(lesson.heatmap_overlay(grey, heatmap, ALPHA), box)
        if not heatmap.any():
            nothing = f"nothing speaks for “{name}”"
            panels.append(Panel(picture, nothing, f"The photo in plain grey: {nothing}."))
            continue
        share = (box[2] - box[0]) * (box[3] - box[1]) / heatmap.numel()
        alt = f"The photo in grey, red to yellow where “{name}” is found, and a box around it."
        panels.append(Panel(picture, f"“{name}”: the box holds {share:.0%}", alt))
    return panels


TECHNIQUES = (
    Technique(
        title="Class activation map",
        question="Where is what the network names?",
        shows="The map's mean is the logit. The box holds what lies above a fifth of its maximum.",
        misleads="The box is around the evidence: a part of the thing, or what stands beside it.",
        paper="[Zhou et al. 2016](https://arxiv.org/abs/1512.04150)",
        draw=_cam,
    ),
)
