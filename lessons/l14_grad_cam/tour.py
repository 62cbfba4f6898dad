"""Lesson 14 on the tour, with Grad-CAM, counterfactuals and Guided Grad-CAM."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.nn import functional

from lessons.toolkit.plots import overlay, scale_to_unit, signed_to_rgb
from lessons.toolkit.technique import Panel, Subject, Technique


def _laid_over(subject: Subject, coarse: Tensor) -> Tensor:
    size = tuple(subject.rgb.shape[-2:])
    fine = functional.interpolate(coarse[:, None], size=size, mode="bilinear", align_corners=False)[
        0, 0
    ].cpu()
    return overlay(subject.rgb, scale_to_unit(fine), 0.55)


def _grad_cam(course: Any, subject: Subject) -> list[Panel]:
    lesson, network = course.l14_grad_cam, subject.classifier.network
    layer, other = subject.classifier.default_layer, subject.other_rank()
    first = lesson.grad_cam(network, layer, subject.images, subject.target())
    second = lesson.grad_cam(network, layer, subject.images, subject.target(other))
    against = lesson.counterfactual(network, layer, subject.images, subject.target())
    return [
        Panel(
            _laid_over(subject, first),
            f"for “{subject.name()}”",
            f"Soft blob over the photo where the evidence for “{subject.name()}” lies.",
        ),
        Panel(
            _laid_over(subject, second),
            f"for “{subject.name(other)}”",
            f"Soft blob over the photo where the evidence for “{subject.name(other)}” lies.",
        ),
        Panel(
            _laid_over(subject, against),
            f"against “{subject.name()}”",
            f"Soft blob over the photo where the evidence against “{subject.name()}” lies.",
        ),
    ]


def _guided_grad_cam(course: Any, subject: Subject) -> list[Panel]:
    network, layer = subject.classifier.network, subject.classifier.default_layer
    panels = []
    for rank in (0, subject.other_rank()):
        target = subject.target(rank)
        guided = course.l12_guided_backprop.guided_backprop(network, subject.images, target)
        product = course.l14_grad_cam.guided_grad_cam(
            network, layer, subject.images, target, guided=guided
        )[0]
        name = subject.name(rank)
        alt = f"Fine lines kept only where the evidence for “{name}” lies."
        panels.append(Panel(signed_to_rgb(product.cpu()), f"for “{name}”", alt))
    return panels


TECHNIQUES = (
    Technique(
        title="Grad-CAM",
        question="Where did the network look?",
        shows="Each class asks its own question, and gets its own place in the picture.",
        misleads="The map is a few cells wide, blown up: its soft edge is interpolation.",
        paper="Selvaraju et al. 2017",
        draw=_grad_cam,
    ),
    Technique(
        title="Guided Grad-CAM",
        question="Sharp lines, but only where it looked?",
        shows="Guided backpropagation gives the lines, Grad-CAM says which of them to keep.",
        misleads="The product looks like an explanation even where both factors are wrong.",
        paper="Selvaraju et al. 2017",
        draw=_guided_grad_cam,
    ),
)
