"""Judges of climbs in lesson 7.

Many paths lead up, and no two arrive at the same image. So a climb is judged by how high it got, as
the network itself says, and by what each of its arguments must do. An image that equals the
reference's is right without further questions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from autograder.checks.compare import close
from autograder.course.exercise import Complaint
from autograder.worker.networks import build
from solutions import l07_gradient_ascent as reference

Inputs = Mapping[str, Any]
Score = Callable[[Tensor], float]
# The share of the reference's climb that any good one gets to.
ENOUGH = 0.45


def judge_class_image(expected: Any, actual: Any, inputs: Inputs) -> Complaint | None:
    """Judge an image climbed for a class.

    Args:
        expected: the reference's image, two of them, or what a watcher saw.
        actual: the same of the student's code.
        inputs: the case's arguments.

    Returns:
        The complaint, or None where the climb is good.
    """

    def score(image: Tensor) -> float:
        model = build(inputs["model"])
        with torch.no_grad():
            return float(model(image.to(next(model.parameters())))[0, inputs["target"]])

    if isinstance(actual, dict):
        return _watcher(actual, inputs["steps"])
    if close(expected, actual, 1e-4, 1e-5):
        return None
    if "other" in inputs:
        return _two(actual, inputs, score)
    start = inputs["start"].detach()
    if inputs["steps"] == 0 or inputs["rate"] < 1e-6:
        if close(start, actual, 1e-3, 1e-3):
            return None
        if inputs["steps"] == 0:
            return Complaint("returned another image than the start, after no step.")
        return Complaint(
            "returned an image that is not in its place: with steps too small to see, it is the "
            "start."
        )
    return _height(score, start, expected, actual)


def judge_filter_pattern(expected: Any, actual: Any, inputs: Inputs) -> Complaint | None:
    """Judge the pattern of a channel, as `judge_class_image` does an image."""

    def score(image: Tensor) -> float:
        model, kept = build(inputs["model"]), {}

        def keep(module: nn.Module, inputs: object, output: Tensor) -> None:
            kept["output"] = output.clone()

        layer = model.get_submodule(inputs["layer"])
        with torch.no_grad(), layer.register_forward_hook(keep):
            model(image.to(next(model.parameters())))
        return float(kept["output"][:, inputs["channel"]].mean())

    if close(expected, actual, 1e-4, 1e-5):
        return None
    if "other" in inputs:
        return _two(actual, inputs, score)
    if inputs["steps"] == 0:
        spread = float(actual.std())
        if abs(spread - 0.1) < 0.03 and abs(float(actual.mean())) < 0.03:
            return None
        return Complaint("returned no faint noise after no step: its spread is another.")
    noise = reference.filter_pattern(
        build(inputs["model"]), inputs["layer"], inputs["channel"], inputs["size"], 0, 0.0
    )
    return _height(score, noise, expected, actual)


def judge_class_portrait(expected: Any, actual: Any, inputs: Inputs) -> Complaint | None:
    """Judge a portrait by what the network says of it, seen from eight places."""
    negative = "negative" in inputs

    def score(picture: Tensor) -> float:
        model = build(inputs["model"])
        generator = torch.Generator().manual_seed(0)
        views = [reference.random_view(picture, generator) for _ in range(8)]
        seen = torch.cat(views).to(next(model.parameters()))
        with torch.no_grad():
            return float(model(1 - seen if negative else seen)[:, inputs["target"]].mean())

    if isinstance(actual, dict):
        return _watcher(actual, inputs["steps"])
    if close(expected, actual, 1e-4, 1e-5):
        return None
    if actual.min() < 0 or actual.max() > 1:
        return Complaint("returned colours outside [0, 1].")
    if "other" in inputs:
        return _two(actual, inputs, score)
    return _height(score, torch.full_like(expected, 0.5), expected, actual)


def _height(score: Score, start: Tensor, expected: Tensor, actual: Tensor) -> Complaint | None:
    """Judge how far a climb got, measured by the reference's."""
    ground, known, got = score(start), score(expected), score(actual)
    if got - ground >= ENOUGH * (known - ground):
        return None
    how = "went down" if got < ground else "did not climb far enough"
    detail = f"It went from {ground:.4g} to {got:.4g}, the reference's to {known:.4g}."
    return Complaint(f"{how}: what it had to raise is too low in the end.", detail)


def _watcher(seen: Mapping[str, Any], steps: int) -> Complaint | None:
    """Judge what `watch` was called with."""
    if seen["the steps that `watch` saw"] != list(range(1, steps + 1)):
        return Complaint(
            "did not call `watch` once after each step, with 1, 2, ...", mistake="watch_miscounted"
        )
    if close(seen["the image"], seen["the last image that `watch` saw"], 1e-4, 1e-5):
        return None
    return Complaint("showed `watch` another image than it returned after the last step.")


def _two(images: Tensor, inputs: Inputs, score: Score) -> Complaint | None:
    """Judge two climbs that differ in one argument: they differ, and as they have to."""
    (name,) = inputs["one"]
    ignored = f"{name}_ignored"
    one, other = images.split(1)
    if float((one - other).abs().max()) <= 1e-4 * float(one.abs().max()):
        return Complaint(f"gave the same image whatever `{name}` was.", mistake=ignored)
    if name in ("steps", "rate"):
        if score(one) < score(other):
            return None
        more = "more steps" if name == "steps" else "a higher rate"
        return Complaint(f"got no higher with {more}.")
    if name == "l2" and other.norm() >= one.norm():
        return Complaint("returned no smaller values with a penalty on large ones.")
    if name == "fade" and other.std() >= one.std():
        return Complaint("returned a picture of no less contrast where it fades more.")
    if name in ("blur_every", "blur_width") and _roughness(other) >= _roughness(one):
        return Complaint("returned no smoother image where it was blurred more.")
    if name in ("small_pixels", "small_gradients"):
        return _silenced(other, name, inputs["other"][name])
    return None


def _roughness(image: Tensor) -> float:
    return float(reference.total_variation(image) / image.abs().sum())


def _silenced(image: Tensor, name: str, share: float) -> Complaint | None:
    """Judge which pixels are zero.

    Small ones lie at the right, those of small gradients at the left.
    """
    zero = (image.abs().amax(1) < 1e-6)[0]
    if abs(float(zero.float().mean()) - share) > 0.1:
        return Complaint(f"silenced another share of the pixels than `{name}` says.")
    left, right = zero[:, :8].float().mean(), zero[:, 8:].float().mean()
    if (left < right) == (name == "small_pixels"):
        return None
    return Complaint(f"silenced other pixels than those that `{name}` means.")
