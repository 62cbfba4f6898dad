"""Judges of pictures by the loss that a descent, whichever it was, has left them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.course.exercise import Complaint
from autograder.worker.networks import build
from solutions import l09_inversion_and_style as reference

# Fewer steps than this leave a picture where no descent can be told from another.
ENOUGH_STEPS = 20
# Of the reference's way down. Right descents differ; a wrong one goes another way.
SHARE = 0.5
# A loss that the reference brings down by less than this share of it says nothing of others.
LEAST_FALL = 0.1

Loss = Callable[[Tensor], Tensor]


def judge_inversion(expected: Any, actual: Any, inputs: Mapping[str, Any]) -> Complaint | None:
    """Judge images by what the layer makes of them.

    Args:
        expected: the reference's images, or two of them where the call makes two.
        actual: the same from the student's code.
        inputs: the case's arguments.

    Returns:
        The complaint, or None where the images are good.
    """
    if "other" in inputs:
        return _must_differ(actual, inputs, {"tv": reference.mean_variation})
    model, features = build(inputs["model"]), inputs["features"]
    start = reference.noise(len(features), inputs["size"], inputs["seed"], features)

    def loss(image: Tensor, number: int) -> Tensor:
        wanted = features[number : number + 1]
        off = reference.feature_loss(model, inputs["layer"], image, wanted)
        return off + inputs["tv"] * reference.mean_variation(image)

    return _fallen(loss, start, expected, actual, inputs["steps"], "its features are not the ones")


def judge_texture(expected: Any, actual: Any, inputs: Mapping[str, Any]) -> Complaint | None:
    """Judge an image by its Gram matrices.

    Args:
        expected, actual, inputs: as for `judge_inversion`.
    """
    if "other" in inputs:
        return _must_differ(actual, inputs, {"tv": reference.mean_variation})
    model, texture = build(inputs["model"]), inputs["texture"].detach()
    start = reference.noise(1, inputs["size"], inputs["seed"], texture)
    layers = inputs["layers"]
    wanted, even = _grams(model, layers, texture), [1 / len(layers)] * len(layers)

    def loss(image: Tensor, _number: int) -> Tensor:
        off = reference.style_loss(_grams(model, layers, image), wanted, even)
        return off + inputs["tv"] * reference.mean_variation(image)

    return _fallen(loss, start, expected, actual, inputs["steps"], "its statistics are not those")


def judge_transfer(expected: Any, actual: Any, inputs: Mapping[str, Any]) -> Complaint | None:
    """Judge an image by its content and its style.

    Args:
        expected, actual, inputs: as for `judge_inversion`.
    """
    if "other" in inputs:
        return _must_differ(actual, inputs, _terms_of_transfer(inputs))
    model = build(inputs["model"])
    content, style = inputs["content"].detach(), inputs["style"].detach()
    layers, where = inputs["style_layers"], inputs["content_layer"]
    wanted = reference.features_of(model, [where], content)[where]
    grams = _grams(model, layers, style)
    weights = (inputs["content_weight"], inputs["style_weight"], inputs["tv"])

    def loss(image: Tensor, _number: int) -> Tensor:
        return reference.fast_style_loss(model, image, wanted, grams, where, layers, *weights)

    what = "its content and style are not those"
    if inputs["steps"] == 0:
        if torch.allclose(actual, content, atol=1e-5):
            return None
        styled = F.interpolate(style, content.shape[2:], mode="bilinear")
        at_style = torch.allclose(actual, styled, atol=1e-5)
        begun_at = "style_start" if at_style else "noise_start"
        return Complaint("did not begin at the content.", mistake=begun_at)
    complaint = _fallen(loss, content, expected, actual, inputs["steps"], what)
    if complaint is None or style.shape != content.shape:
        return complaint
    # A wrong picture that is right for the exchanged pictures, whichever descent made it.
    of_style = reference.features_of(model, [where], style)[where]
    of_content = _grams(model, layers, content)

    def exchanged(image: Tensor, _number: int) -> Tensor:
        return reference.fast_style_loss(
            model, image, of_style, of_content, where, layers, *weights
        )

    steps = inputs["steps"]
    known = reference.descend(lambda image: exchanged(image, 0), content, steps, inputs["rate"])
    # Where the exchanged loss cannot fall far, the content itself would be as right.
    begun, reached = (float(exchanged(image.detach(), 0)) for image in (content, actual))
    far = reached < 0.9 * begun
    if far and _fallen(exchanged, content, known, actual, steps, what, share=0.85) is None:
        return replace(complaint, mistake="pictures_exchanged")
    return complaint


def _fallen(
    loss: Callable[[Tensor, int], Tensor],
    start: Tensor,
    expected: Tensor,
    actual: Tensor,
    steps: int,
    what: str,
    share: float = SHARE,
) -> Complaint | None:
    """Judge how far the loss of each image has fallen, beside the reference's."""
    if steps < ENOUGH_STEPS:
        return None
    for number in range(len(expected)):
        parts = [batch[number : number + 1] for batch in (start, expected, actual)]
        first, known, got = (float(loss(part.detach(), number)) for part in parts)
        if first - known < LEAST_FALL * first:
            continue
        if first - got < share * (first - known):
            how = "is no smaller than at the start" if got > 0.98 * first else "is still too large"
            detail = f"It was {first:.3f} at the start, and is {got:.3f}; {known:.3f} is possible."
            where = "" if len(expected) == 1 else f" of image {number}"
            return Complaint(f"returned a picture whose loss{where} {how}: {what} wanted.", detail)
    return None


def _terms_of_transfer(inputs: Mapping[str, Any]) -> dict[str, Loss]:
    """Return what each weight of a transfer weighs, by its name."""
    model, usual = build(inputs["model"]), {**inputs["usual"], **inputs["one"]}
    content, style = usual["content"].detach(), usual["style"].detach()
    layers, where = usual["style_layers"], usual["content_layer"]

    wanted = reference.features_of(model, [where], content)[where]
    grams, even = _grams(model, layers, style), [1 / len(layers)] * len(layers)

    def off_style(image: Tensor) -> Tensor:
        return reference.style_loss(_grams(model, layers, image), grams, even)

    return {
        "content_weight": lambda image: reference.feature_loss(model, where, image, wanted),
        "style_weight": off_style,
        "tv": reference.mean_variation,
    }


def _grams(model: nn.Module, layers: Sequence[str], image: Tensor) -> list[Tensor]:
    """Return the Gram matrices of an image, one for each layer."""
    features = reference.features_of(model, layers, image)
    return [reference.gram_matrix(features[layer]) for layer in layers]


def _must_differ(
    pictures: Any, inputs: Mapping[str, Any], terms: Mapping[str, Loss]
) -> Complaint | None:
    """Judge two pictures of calls that differ in one argument.

    Args:
        pictures: the two, of the smaller weight first.
        inputs: the case's arguments.
        terms: what a weight weighs, by the name of the weight. More weight leaves less of it.
    """
    one, other = pictures
    (name,) = inputs["one"]
    if one.shape == other.shape and (one - other).abs().max() <= 1e-3 * one.abs().max():
        known = None if isinstance(inputs["one"][name], list) else f"{name}_ignored"
        return Complaint(f"gave the same picture whatever `{name}` was.", mistake=known)
    if name in terms and terms[name](one.detach()) < terms[name](other.detach()):
        change = f"from {inputs['one'][name]:g} to {inputs['other'][name]:g}"
        return Complaint(f"left more of what `{name}` weighs when the weight rose {change}.")
    return None
