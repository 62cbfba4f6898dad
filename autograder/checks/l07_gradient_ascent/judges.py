"""Judges of climbs in lesson 7.

Many paths lead up, and no two arrive at the same image. So a climb is judged by how high it got, as
the network itself says, and by what each of its arguments must do. An image that equals the
reference's is right without further questions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
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

    start = inputs["start"].detach()
    if isinstance(actual, dict):
        if "the steps that `watch` saw" in actual:
            return _watcher(actual, inputs["steps"])
        if "climbs" in inputs:
            return _moves(actual, inputs)
        if actual["whether it is the start itself"]:
            return Complaint(
                "gave back the memory of `start` itself after no step. Who writes into the result "
                "would change the start: take a copy."
            )
        expected, actual = expected["the image"], actual["the image"]
    if close(expected, actual, 1e-4, 1e-5):
        return None
    if "other" in inputs:
        if _too_small(inputs):
            return _first_blur(actual, inputs)
        if inputs.get("jitter") and inputs.get("small_gradients"):
            return _moved_least(actual)
        return _two(actual, inputs, score)
    if inputs["steps"] == 0:
        if close(start, actual, 1e-3, 1e-3):
            return None
        return Complaint("returned another image than the start, after no step.")
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
    if isinstance(actual, dict):
        return _pattern(expected, actual, inputs, score)
    if "other" in inputs:
        return _two(actual, inputs, score)
    if inputs["steps"] == 0:
        spread = float(actual.std())
        if abs(spread - 0.1) < 0.03 and abs(float(actual.mean())) < 0.03:
            return None
        return Complaint("returned no faint noise after no step: its spread is another.")
    raise ValueError(f"nothing says how to judge {sorted(inputs)}")


def _pattern(
    expected: Mapping[str, Tensor], actual: Mapping[str, Tensor], inputs: Inputs, score: Score
) -> Complaint | None:
    """Judge a pattern by its height, and its first step where that is all there is."""
    noise, first = actual["the noise"], actual["the pattern after one step"]
    step = first - noise
    if inputs["steps"] > 1:
        start = reference.filter_pattern(
            build(inputs["model"]), inputs["layer"], inputs["channel"], inputs["size"], 0, 0.0
        )
        complaint = _height(score, start, expected["the pattern"], actual["the pattern"])
    else:
        complaint = _first_step(noise, step, inputs["rate"])
        # Everyone's noise is another, and one small step does not make up for the difference.
        ground, got = score(noise), score(first)
        gain = score(expected["the pattern"]) - score(expected["the noise"])
        if complaint is None and got - ground < ENOUGH * gain:
            complaint = Complaint("raised the channel's mean too little in one step.")
    if complaint is None:
        return None
    return replace(complaint, mistake=_cause(noise, step, inputs))


def _first_step(noise: Tensor, step: Tensor, rate: float) -> Complaint | None:
    """Judge a first step by its size, and by what it left of the noise.

    Its gradient was blurred, so it takes nothing fine away.
    """
    fine = noise - reference.blurred(noise, 1.0)
    left = noise + step - reference.blurred(noise + step, 1.0)
    if (left * fine).sum() < 0.5 * fine.square().sum():
        return Complaint("blurred the image: the fine noise that it began at is gone.")
    # Adam's first step is as long as `rate`, but for values that nothing moves.
    if step.square().mean().sqrt() < 0.65 * rate:
        return Complaint("took a first step whose root mean square is less than `rate`.")
    return None


def _cause(noise: Tensor, step: Tensor, inputs: Inputs) -> str | None:
    """Recognise what a wrong first step was made of, whatever noise it began at."""
    model, layer, channel = build(inputs["model"]), inputs["layer"], inputs["channel"]
    width, rate = inputs["blur_width"], inputs["rate"]
    image = noise.detach().clone().requires_grad_()
    kept: dict[str, Tensor] = {}

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        kept.update(input=inputs[0].clone(), output=output.clone(), overwritten=output)

    with torch.enable_grad(), model.get_submodule(layer).register_forward_hook(keep):
        model(image)
        output = kept["output"]
        asked = output[:, channel]
        middle = asked[(0, *(size // 2 for size in asked.shape[1:]))]
        objectives = [
            ("", asked.mean()),
            ("all_channels_raised", output.mean()),
            ("square_for_mean", asked.square().mean()),
            ("middle_unit", middle),
        ]
        if channel < kept["input"].shape[1]:
            objectives.append(("layer_input", kept["input"][:, channel].mean()))
        if not torch.equal(kept["overwritten"], output):
            later = kept["overwritten"][:, channel]
            objectives.append(("overwritten_in_place", later.mean()))
            objectives.append(("square_for_mean", later.square().mean()))
        gradients = [
            (id, torch.autograd.grad(objective, image, retain_graph=True)[0])
            for id, objective in objectives
        ]
    unit, blurred = reference.normalise_gradient, reference.blurred
    steps = [(id, rate * unit(blurred(gradient, width))) for id, gradient in gradients]
    (_, right), (_, straight) = gradients[0], steps[0]
    steps.append(("descent", -straight))
    steps.append(("gradient_of_its_own_size", rate * blurred(right, width)))
    if width > 0:
        steps.append(("blurred_after_normalising", rate * blurred(unit(right), width)))
        images = (
            blurred(noise + rate * unit(right), width),
            blurred(noise + straight, width),
            blurred(noise, width) + rate * unit(right),
        )
        steps += [("image_blurred", image - noise) for image in images]
    found = {id for id, known in steps if step.any() and close(known, step, 1e-2, 1e-3)}
    # What several make says nothing of any.
    return found.pop() or None if len(found) == 1 else None


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


def _too_small(inputs: Inputs) -> bool:
    """Check whether the steps are too small to see."""
    return bool("rate" in inputs and inputs["rate"] < 1e-6)


def _moves(found: Mapping[str, Tensor], inputs: Inputs) -> Complaint | None:
    """Judge where the network saw an image that jitter moves and nothing changes."""
    ends, met = found["where it lay in the end"], found["where the network saw the start"]
    if (ends < 0).any():
        return Complaint("returned another image than the start, with steps too small to see.")
    if ends.any():
        sides = torch.tensor(inputs["start"].shape[2:])
        # A move up or to the left came round the edge.
        met = met - sides * (met > sides // 2)
        wanderings = {
            "jitter_not_undone": met,
            "jitter_doubled": 2 * met,
            "rolled_back_across": met - met.flip(1),
        }
        same = [id for id, end in wanderings.items() if torch.equal(end % sides, ends)]
        one_step = inputs["steps"] == 1 and len(same) == 1
        return Complaint(
            "returned an image that is not in its place: with steps too small to see, it is the "
            "start.",
            mistake=same[0] if one_step else None,
        )
    places = found["how many other places the network saw it at"]
    if inputs["steps"] > 1 and (places == 0).any():
        return Complaint("took every step on the image in its own place, whatever `jitter` was.")
    if inputs["steps"] > 1 and (places == 1).any():
        return Complaint(
            "moved the image in the same way at each step.", mistake="same_move_each_step"
        )
    return None


def _first_blur(images: Tensor, inputs: Inputs) -> Complaint | None:
    """Judge images one step before the first blur, and right after it."""
    start = inputs["start"].detach()
    blurred = reference.blurred(start, inputs["blur_width"])
    before, after = images.split(1)
    if close(blurred, before, 1e-3, 1e-3):
        return Complaint(
            "blurred the image after fewer steps than `blur_every` says.",
            mistake="blurred_too_early",
        )
    if not close(start, before, 1e-3, 1e-3):
        return Complaint("changed the image with steps too small to see, before the first blur.")
    if close(start, after, 1e-3, 1e-3):
        return Complaint("did not blur the image after as many steps as `blur_every` says.")
    if not close(blurred, after, 1e-3, 1e-3):
        return Complaint("changed the image otherwise than `blurred` does once.")
    return None


def _moved_least(images: Tensor) -> Complaint | None:
    """Judge which pixels are zero in images that jitter moved, after one step.

    They began at the two halves. Wherever the patches lie, each of these columns is within open
    ones and moves most.
    """
    zero = images.abs().amax(1) < 1e-6
    if zero[:, :, 11:17].float().mean() > 0.05:
        return Complaint(
            "silenced pixels that the step moved far, where `jitter` moves the image. Compare "
            "images, and silence pixels, in one and the same place."
        )
    return None


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
    zeros = (image.abs() < 1e-6)[0]
    zero = zeros.all(0)
    if (zeros.any(0) & ~zero).float().mean() > 0.1:
        return Complaint(f"silenced single colours for `{name}`: a pixel is all three channels.")
    left, right = zero[:, :8].float().mean(), zero[:, 8:].float().mean()
    # Which ones says more than how many: who takes the large ones takes too many in two steps.
    if zero.any() and (left < right) != (name == "small_pixels"):
        return Complaint(f"silenced other pixels than those that `{name}` means.")
    if abs(float(zero.float().mean()) - share) > 0.1:
        return Complaint(f"silenced another share of the pixels than `{name}` says.")
    return None
