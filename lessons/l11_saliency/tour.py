"""Lesson 11 on the tour, with saliency, SmoothGrad and a cut-out object."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lessons.toolkit.plots import clipped, overlay
from lessons.toolkit.technique import Declined, Panel, Subject, Technique

SAMPLES, NOISE = 12, 0.15
YELLOW = (0.99, 0.9, 0.14)
FADED = 0.12  # how far what was not cut out covers the page


def _for_the_eye(saliency: Tensor) -> Tensor:
    """Return a map blurred to half its resolution, its strongest pixels clipped.

    The strongest half percent is clipped, or single pixels would be all that one sees.
    """
    coarse = clipped(functional.avg_pool2d(saliency[None].float(), 2)[0])
    fine = functional.interpolate(coarse[None, None], size=saliency.shape, mode="bilinear")
    return fine[0, 0].cpu()


def _plain(course: Any, subject: Subject, rank: int = 0) -> Tensor:
    saliency = course.l11_saliency.saliency_map(
        subject.classifier.network, subject.images, subject.target(rank)
    )
    return _for_the_eye(saliency[0])


@lru_cache(maxsize=4)  # two techniques and the comparison at the end ask for the same map
def _smooth(course: Any, subject: Subject, rank: int = 0) -> Tensor:
    smooth: Tensor = course.l11_saliency.smooth_grad(
        subject.classifier.network, subject.images, subject.target(rank), SAMPLES, NOISE
    )
    return smooth[0]


def _smooth_for_the_eye(course: Any, subject: Subject, rank: int) -> Tensor:
    return _for_the_eye(_smooth(course, subject, rank))


def _saliency(course: Any, subject: Subject) -> list[Panel]:
    name = subject.name()
    plain = _plain(course, subject)
    smooth = _for_the_eye(_smooth(course, subject, 0))
    nothing = f"The photo in plain grey: no pixel sways “{name}”."
    return [
        Panel(
            subject.drawn(plain),
            f"saliency of “{name}”" + ("" if plain.any() else ": nothing"),
            f"Grainy map, bright at pixels that sway “{name}”." if plain.any() else nothing,
        ),
        Panel(
            subject.drawn(smooth),
            f"SmoothGrad, {SAMPLES} noisy copies" + ("" if smooth.any() else ": nothing"),
            f"Calmer map, bright at pixels that sway “{name}” under noise."
            if smooth.any()
            else nothing,
        ),
        Panel(
            overlay(subject.rgb, smooth, 0.9),
            "SmoothGrad over the photo",
            "The photo in grey, coloured where the SmoothGrad map is bright."
            if smooth.any()
            else "The photo in grey: the map is zero everywhere.",
        ),
    ]


def _segmentation(course: Any, subject: Subject) -> list[Panel | str]:
    lesson = course.l11_saliency
    smooth = _smooth(course, subject, 0)
    if not smooth.any():
        raise Declined("needs a map that is not zero everywhere")
    # Seeds are regions, not single pixels: spread the evidence a little before the quantiles.
    spread = functional.avg_pool2d(smooth[None], 15, stride=1, padding=7)[0].cpu()
    top, left, bottom, right = lesson.saliency_box(spread, 0.85)
    boxed = subject.rgb.clone()
    edge = torch.zeros(spread.shape, dtype=torch.bool)
    edge[top:bottom, left:right] = True
    edge[top + 3 : bottom - 3, left + 3 : right - 3] = False
    boxed[:, edge] = torch.tensor(YELLOW)[:, None]
    cut = lesson.saliency_segmentation(subject.rgb, spread)
    cover = torch.where(cut, 1.0, FADED)
    return [
        Panel(
            boxed,
            "box around the largest salient region",
            "The photo with a yellow box around the largest salient region.",
        ),
        Panel(
            torch.cat([subject.rgb, cover[None]]),
            f"cut out from its seeds: {100 * float(cut.double().mean()):.1f} % of the picture",
            "What was cut out of the photo, and the rest faint.",
        ),
        _what_the_cut_holds(subject, cut),
    ]


def _what_the_cut_holds(subject: Subject, cut: Tensor) -> str:
    """Say what the network answers when it is shown the cut-out alone.

    No outline is known of a photo from anywhere, so this is the one honest test that is left.
    """
    alone = subject.images * cut.to(subject.images)  # 0 is the mean colour of the training photos
    with torch.inference_mode():
        probabilities = subject.classifier.network(alone)[0].softmax(0)
    answer = subject.classifier.classes[int(probabilities.argmax())]
    share = f"{100 * float(probabilities[subject.target()]):.1f} %"
    if answer == subject.name():
        return (
            f"Shown nothing but the cut-out, the network still answers “{answer}” ({share}): "
            "what it needs is in there."
        )
    return (
        f"Shown nothing but the cut-out, the network answers “{answer}”, and “{subject.name()}” "
        f"gets {share}: what was cut out is not all that it needs."
    )


TECHNIQUES = (
    Technique(
        title="Saliency",
        question="Which pixels would change the answer?",
        shows=(
            "Bright pixels move the score of the class most when they change a little. "
            "Averaging over noisy copies, which is SmoothGrad, calms the grain."
        ),
        misleads="A pixel can matter without its small change mattering: gradients saturate.",
        paper=(
            "[Simonyan et al. 2013](https://arxiv.org/abs/1312.6034); "
            "[Smilkov et al. 2017](https://arxiv.org/abs/1706.03825)"
        ),
        draw=_saliency,
        heatmap=_plain,
    ),
    Technique(
        title="SmoothGrad",
        question="Can a classifier that never saw an outline cut the object out?",
        shows=(
            "The SmoothGrad map gives a box, and seeds for a graph-based segmenter. "
            "It knows nothing of objects: the numbers below say what it cut."
        ),
        misleads="It finds what the network used, which need not be the object or all of it.",
        paper=(
            "[Simonyan et al. 2013](https://arxiv.org/abs/1312.6034); "
            "[Grady 2006](https://doi.org/10.1109/TPAMI.2006.233)"
        ),
        draw=_segmentation,
        heatmap=_smooth_for_the_eye,
    ),
)
