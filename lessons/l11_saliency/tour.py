"""Lesson 11 on the tour, with saliency, SmoothGrad and a cut-out object."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lessons.toolkit.plots import colour, overlay
from lessons.toolkit.technique import Panel, Subject, Technique


def _for_the_eye(saliency: Tensor) -> Tensor:
    """Return a map blurred to half its resolution, its strongest pixels clipped.

    The strongest half percent is clipped, or single pixels would be all that one sees.
    """
    coarse = functional.avg_pool2d(saliency[None, None], 2)
    coarse = coarse.clamp(max=coarse.quantile(0.995))
    return functional.interpolate(coarse, size=saliency.shape, mode="bilinear")[0, 0].cpu()


def _saliency(course: Any, subject: Subject) -> list[Panel]:
    lesson, network = course.l11_saliency, subject.classifier.network
    plain = lesson.saliency_map(network, subject.images, subject.target())[0]
    smooth = lesson.smooth_grad(network, subject.images, subject.target(), 16, 0.15)[0]
    name = subject.name()
    return [
        Panel(colour(_for_the_eye(plain)), "saliency", f"Grainy map: pixels that sway “{name}”."),
        Panel(
            colour(_for_the_eye(smooth)),
            "SmoothGrad, 16 noisy copies",
            f"Calmer map: pixels that sway “{name}” under noise.",
        ),
        Panel(
            overlay(subject.rgb, _for_the_eye(smooth), 0.6),
            "over the photo",
            "The SmoothGrad map laid over the photo.",
        ),
    ]


def _segmentation(course: Any, subject: Subject) -> list[Panel]:
    lesson = course.l11_saliency
    smooth = lesson.smooth_grad(
        subject.classifier.network, subject.images, subject.target(), 16, 0.15
    )
    # Seeds are regions, not single pixels: spread the evidence a little before the quantiles.
    spread = functional.avg_pool2d(smooth[None], 15, stride=1, padding=7)[0, 0].cpu()
    top, left, bottom, right = lesson.saliency_box(spread, 0.85)
    boxed = subject.rgb.clone()
    edge = torch.zeros(spread.shape, dtype=torch.bool)
    edge[top:bottom, left:right] = True
    edge[top + 2 : bottom - 2, left + 2 : right - 2] = False
    boxed[:, edge] = torch.tensor([0.99, 0.9, 0.14])[:, None]
    mask = lesson.saliency_segmentation(subject.rgb, spread)
    cut = torch.where(mask, subject.rgb, 0.85 + 0.15 * subject.rgb.mean(0))
    return [
        Panel(boxed, "box of the salient region", "The photo with a yellow box around the region."),
        Panel(cut, "cut out from its seeds", "The region cut out, the rest faded to near white."),
    ]


TECHNIQUES = (
    Technique(
        title="Saliency and SmoothGrad",
        question="Which pixels would change the answer?",
        shows=(
            "Bright pixels move the score of the class most when they change a little. "
            "Averaging over noisy copies calms the grain."
        ),
        misleads="A pixel can matter without its small change mattering: gradients saturate.",
        paper="Simonyan et al. 2013; Smilkov et al. 2017",
        draw=_saliency,
    ),
    Technique(
        title="Object from saliency",
        question="Can a classifier that never saw an outline find the object?",
        shows="The most salient region gives a box, and seeds for a graph-based segmenter.",
        misleads="It finds what the network used, which need not be the object or all of it.",
        paper="Simonyan et al. 2013; Grady 2006",
        draw=_segmentation,
    ),
)
