"""Lesson 14 on the tour, with Grad-CAM, counterfactuals and Guided Grad-CAM."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from lessons.toolkit.plots import magnitude, overlay
from lessons.toolkit.technique import (
    OWN_PLACE,
    SAME_PLACE,
    Panel,
    Subject,
    Technique,
    guided_gradient,
    rank_agreement,
    signed,
)

ALPHA = 0.75


def _cam(course: Any, subject: Subject, rank: int) -> Tensor:
    cam: Tensor = course.l14_grad_cam.grad_cam(
        subject.classifier.network, subject.layer, subject.images, subject.target(rank)
    )
    return cam[0]


def _laid_over(subject: Subject, cam: Tensor, side: str, rank: int = 0) -> Panel:
    """Draw a map over the photo, or the plain photo where the map is zero."""
    name = subject.name(rank)
    if cam.any():
        alt = f"The photo in grey, coloured where the evidence {side} “{name}” lies."
        return Panel(overlay(subject.rgb, cam, ALPHA), f"{side} “{name}”", alt)
    nothing = f"nothing speaks {side} “{name}”"
    return Panel(overlay(subject.rgb, cam), nothing, f"The photo in plain grey: {nothing}.")


def _grad_cam(course: Any, subject: Subject) -> list[Panel | str]:
    other = subject.other_rank()
    first, second = _cam(course, subject, 0), _cam(course, subject, other)
    against = course.l14_grad_cam.counterfactual(
        subject.classifier.network, subject.layer, subject.images, subject.target()
    )[0]
    return [
        _laid_over(subject, first, "for"),
        _laid_over(subject, second, "for", other),
        _laid_over(subject, against, "against"),
        _places(rank_agreement(first, second)),
    ]


def _places(correlation: float | None) -> str:
    """Say in words how far apart the places of two classes lie."""
    if correlation is None:
        return "One of the two maps is the same everywhere, so their places cannot be compared."
    number = f"(rank correlation {signed(correlation)})"
    if correlation <= OWN_PLACE:
        return f"Each of the two classes gets its own place {number}."
    if correlation < SAME_PLACE:
        return f"The places of the two classes overlap {number}."
    return (
        f"Both classes lie at the same place {number}: the map says where the network looked, and "
        "hardly what for."
    )


def _lines_kept(course: Any, subject: Subject, rank: int) -> Tensor:
    """Return guided backpropagation times Grad-CAM, as strength clipped for the eye."""
    network, target = subject.classifier.network, subject.target(rank)
    layer, guided = subject.layer, guided_gradient(course, subject, rank)
    product = course.l14_grad_cam.guided_grad_cam(
        network, layer, subject.images, target, guided=guided
    )
    return magnitude(product[0])


def _guided_grad_cam(course: Any, subject: Subject) -> list[Panel]:
    panels = []
    for rank in (0, subject.other_rank()):
        lines, name = _lines_kept(course, subject, rank), subject.name(rank)
        alt = f"Fine bright lines, kept only where the evidence for “{name}” lies."
        if lines.any():
            panels.append(Panel(subject.drawn(lines), f"for “{name}”", alt))
        else:
            alt = f"The photo in plain grey: no line is left for “{name}”."
            panels.append(Panel(subject.drawn(lines), f"for “{name}”: nothing", alt))
    return panels


TECHNIQUES = (
    Technique(
        title="Grad-CAM",
        question="Where did the network look?",
        shows="Colour lies where the evidence for a class is, or the evidence against it.",
        misleads="The map is a few cells wide, blown up: its soft edge is interpolation.",
        paper="[Selvaraju et al. 2017](https://arxiv.org/abs/1610.02391)",
        draw=_grad_cam,
        heatmap=_cam,
    ),
    Technique(
        title="Guided Grad-CAM",
        question="Sharp lines, but only where it looked?",
        shows="Guided backpropagation gives the lines, Grad-CAM says which of them to keep.",
        misleads="The product looks like an explanation even where both factors are wrong.",
        paper="[Selvaraju et al. 2017](https://arxiv.org/abs/1610.02391)",
        draw=_guided_grad_cam,
        heatmap=_lines_kept,
    ),
)
