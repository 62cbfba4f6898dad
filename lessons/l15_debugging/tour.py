"""Lesson 15 on the tour, with two tests of a map."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lessons.toolkit.plots import clipped
from lessons.toolkit.technique import Declined, Panel, Subject, Technique, rank_agreement, signed

STEPS = 5  # a fifth of the pixels at a time
SEED = 0
# Above this a sentence says that the lines were not drawn by what is gone.
NOT_DRAWN_BY_IT = 0.8


def _without_the_marked(course: Any, subject: Subject) -> list[Panel | str]:
    network, images, target = subject.classifier.network, subject.images, subject.target()
    cam = course.l14_grad_cam.grad_cam(network, subject.layer, images, target)
    size = images.shape[-2:]
    large = F.interpolate(cam[:, None], size, mode="bilinear", align_corners=False)[:, 0]
    if not large.any():
        raise Declined("finds nothing that speaks for the first answer")
    maps = {"Grad-CAM": large[0], "an edge detector": course.l15_debugging.edge_map(images)[0]}
    name, panels, logits = subject.name(), [], {}
    for who, heatmap in maps.items():
        curve = course.l15_debugging.deletion_curve(network, images, heatmap, target, STEPS)
        logits[who] = float(curve[1])
        left = subject.classifier.preprocess.to_rgb(_covered(images, heatmap))[0].cpu()
        caption = f"without what {who} marks: {float(curve[1]):.1f}"
        alt = f"The photo with the fifth covered that {who} marks most."
        panels.append(Panel(left, caption, alt))
    whole = float(curve[0])
    better = logits["Grad-CAM"] < logits["an edge detector"]
    return [
        *panels,
        f"The logit of “{name}” is {whole:.1f} with all pixels. Grad-CAM's fifth costs it "
        f"{'more' if better else 'no more'} than the fifth of an edge detector, which knows "
        "neither the network nor the class.",
    ]


def _covered(images: Tensor, heatmap: Tensor) -> Tensor:
    """Return the images without the strongest fifth of the map."""
    count = heatmap.numel() // STEPS
    order = heatmap.flatten().sort(descending=True, stable=True).indices[:count]
    covered = torch.zeros(heatmap.numel(), dtype=torch.bool, device=heatmap.device)
    covered[order] = True
    return images.masked_fill(covered.view_as(heatmap), 0)


def _half_destroyed(course: Any, subject: Subject) -> list[Panel | str]:
    network, target = subject.classifier.network, subject.target()
    parts = [
        name for name, part in network.named_children() if next(part.parameters(), None) is not None
    ]
    if len(parts) < 2:
        raise Declined("needs a network of several parts")
    cascade = course.l15_debugging.randomise_from_top(network, SEED, parts)
    last, destroyed = next(cascade)

    def lines(who: nn.Module) -> Tensor:
        try:
            gradient = course.l12_guided_backprop.guided_backprop(who, subject.images, target)
        except ValueError as error:
            raise Declined("needs a network with ReLUs") from error
        return clipped(gradient[0].abs().amax(0), 0.995)

    trained, without = lines(network), lines(destroyed)
    agreement = rank_agreement(trained, without)
    alt = "Fine bright lines on a dark ground."
    panels: list[Panel | str] = [
        Panel(subject.drawn(trained), "by the trained network", alt),
        Panel(subject.drawn(without), f"`{last}` is random now", alt),
    ]
    if agreement is not None:
        drawn = " The lines were not drawn by it." if agreement > NOT_DRAWN_BY_IT else ""
        panels.append(
            f"Without all that “{last}” has learnt, guided backpropagation draws a picture with a "
            f"rank correlation of {signed(agreement)} to the first.{drawn}"
        )
    return panels


TECHNIQUES = (
    Technique(
        title="Deletion",
        question="Does the answer hang on what the map marks?",
        shows="The photo without the fifth that a map marks most, and the logit that is left.",
        misleads="A photo with holes is like nothing that the network has seen.",
        paper="[Petsiuk et al. 2018](https://arxiv.org/abs/1806.07421)",
        draw=_without_the_marked,
    ),
    Technique(
        title="Sanity check",
        question="Would the picture notice if the network had learnt less?",
        shows="The same method, before and after the network's last part got random weights.",
        misleads="A map that falls apart with the weights need not be right about them.",
        paper="[Adebayo et al. 2018](https://arxiv.org/abs/1810.03292)",
        draw=_half_destroyed,
    ),
)
