"""Lesson 8 on the tour: the photo that fools, and the photo of a dream."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit.classes import class_index
from lessons.toolkit.errors import UserError
from lessons.toolkit.technique import Declined, Panel, Subject, Technique

LEVEL = 1 / 255
MOST = 2  # levels that a value may change by
STEPS = 15
MAGNIFIED = 60
TARGET = "ostrich"
# Small to large, and few steps: a tour shows many techniques.
DREAM: dict[str, Any] = {"octaves": 3, "octave_scale": 1.4, "steps": 6, "rate": 0.015, "seed": 0}
DEPTHS = (0.3, 0.65)  # where in the network to listen, as a share of its blocks


def _model(course: Any, subject: Subject) -> nn.Module:
    classifier = subject.classifier
    model: nn.Module = course.l08_fooling_and_dreams.OnPixels(
        classifier.network, classifier.preprocess.normalise
    )
    return model


def _picture(subject: Subject) -> Tensor:
    parameter = next(subject.classifier.network.parameters())
    return subject.rgb[None].to(parameter.device, parameter.dtype)


def _target(subject: Subject) -> Tensor:
    """Return the ostrich, or the last class where there is none or it is the answer."""
    try:
        index = class_index(subject.classifier.classes, TARGET)
    except UserError:
        index = int(subject.ranking[-1])
    if index == int(subject.ranking[0]):
        index = int(subject.ranking[-1])
    return torch.full_like(subject.target(), index)


def _fooling(course: Any, subject: Subject) -> list[Panel | str]:
    lesson, model = course.l08_fooling_and_dreams, _model(course, subject)
    photo, target = _picture(subject), _target(subject)
    fooling = lesson.fooling_image(model, photo, target, LEVEL, STEPS, MOST * LEVEL)
    with torch.no_grad():
        probabilities = model(fooling)[0].softmax(0)
    answer = int(probabilities.argmax())
    name, wanted = subject.classifier.classes[answer], subject.classifier.classes[int(target)]
    change = fooling - photo
    most = round(255 * float(change.abs().max()))
    saved = lesson.is_fooled_after_saving(model, fooling, target)
    sentence = (
        f"Saved as a file and loaded again it is “{wanted}” still."
        if saved
        else f"In {STEPS} steps, and within {MOST} of 255 levels, it did not become “{wanted}”."
    )
    return [
        Panel(
            fooling[0],
            f"“{name}”, {float(probabilities[answer]):.0%}; before “{subject.name()}”, "
            f"{subject.probability():.0%}",
            "The photo, changed so little that it looks the same.",
        ),
        Panel(
            (0.5 + MAGNIFIED * change[0]).clamp(0, 1),
            f"what was added, {MAGNIFIED} times as strong; at most {most} of 255 levels",
            "Fine coloured grain on grey: the change of each pixel, magnified.",
        ),
        sentence,
    ]


def _blocks(subject: Subject) -> list[str]:
    """Return the layers with blocks in them whose output is a map, in forward order."""
    _ = subject.layer
    shapes: dict[str, tuple[int, ...]] = {}
    handles = []
    for name, module in subject.classifier.network.named_modules():
        if name and (len(list(module.children())) > 1 or isinstance(module, nn.Conv2d)):
            handles.append(module.register_forward_hook(_noting(shapes, name)))
    try:
        with torch.no_grad():
            subject.classifier.network(subject.images)
    finally:
        for handle in handles:
            handle.remove()
    maps = [name for name, shape in shapes.items() if len(shape) == 4 and min(shape[2:]) > 3]
    if not maps:
        raise Declined("needs layers that keep a map for each channel")
    return maps


def _noting(shapes: dict[str, tuple[int, ...]], name: str) -> Any:
    def note(module: nn.Module, inputs: object, output: object) -> None:
        if isinstance(output, Tensor):
            shapes[name] = tuple(output.shape)

    return note


def _octaves(model: nn.Module, picture: Tensor) -> int:
    """Return how many octaves there can be: 1 where the network refuses the smallest."""
    shrink = DREAM["octave_scale"] ** (DREAM["octaves"] - 1)
    size = [round(side / shrink) for side in picture.shape[2:]]
    try:
        with torch.no_grad():
            model(functional.interpolate(picture, size, mode="bilinear", antialias=True))
    except Exception:  # each network refuses a wrong size in its own way
        return 1
    return int(DREAM["octaves"])


def _dreams(course: Any, subject: Subject) -> list[Panel]:
    lesson, model = course.l08_fooling_and_dreams, _model(course, subject)
    blocks, panels, picture = _blocks(subject), [], _picture(subject)
    settings = {**DREAM, "octaves": _octaves(model, picture)}
    for depth in DEPTHS:
        layer = blocks[int(depth * (len(blocks) - 1))]
        dream = lesson.deep_dream(model, f"network.{layer}", picture, **settings)
        alt = f"The photo overgrown with patterns that make layer {layer} louder."
        panels.append(Panel(dream[0], f"Layer {layer}.", alt))
    return panels


TECHNIQUES = (
    Technique(
        title="Fooling",
        question="How little is enough for another answer?",
        shows=(
            "The photo again, with at most 2 of 255 levels added to each value in the direction of "
            "the gradient, and the difference magnified."
        ),
        misleads="That the network errs here does not say how often it errs on photos as they are.",
        paper="[Goodfellow et al. 2015](https://arxiv.org/abs/1412.6572)",
        draw=_fooling,
    ),
    Technique(
        title="DeepDream",
        question="What does a layer see in the photo, if it may exaggerate?",
        shows="Two layers, an earlier and a later one, each made louder in a few steps.",
        misleads="A dream shows what rouses the layer; not what it saw in the photo as it was.",
        paper="[Mordvintsev et al. 2015]"
        "(https://research.google/blog/inceptionism-going-deeper-into-neural-networks/)",
        draw=_dreams,
    ),
)
