"""Judge of pictures that fool a network: many ways lead to one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from autograder.course.exercise import Complaint
from autograder.worker.networks import build

ROUNDING = 1e-6
Goal = Callable[[Tensor], Tensor]
GOALS: tuple[Callable[[Tensor, int], Tensor], ...] = (
    lambda logits, target: logits[target],
    lambda logits, target: logits.log_softmax(0)[target],
    lambda logits, target: logits[target] - logits.topk(2).values[int(logits.argmax() == target)],
)


def judge_fooling(expected: Any, actual: Any, inputs: Mapping[str, Any]) -> Complaint | None:
    """Judge a picture that is to fool a network by what must hold of any.

    Args:
        expected: the reference's picture, (1, 3, H, W); two of them where the call makes two, and
            a dict where it tells whose memory the picture lies in.
        actual: the same from the student's code.
        inputs: the case's arguments.

    Returns:
        The complaint, or None where the picture is right.
    """
    if isinstance(expected, dict):
        return _own(expected, actual, inputs)
    if len(expected) == 2:
        return _stops(*actual)
    image, epsilon, rate = (inputs[name] for name in ("image", "epsilon", "rate"))
    change = (actual - image).detach().abs()
    farthest = float(change.max())
    if farthest > epsilon + ROUNDING:
        detail = f"Yours moved a value by {farthest:.4g}, epsilon is {epsilon:.4g}."
        # No value of the image is as dark as that.
        cut = float(actual.detach().max()) <= epsilon + ROUNDING < float(image.detach().max())
        mistake = "picture_cut_to_epsilon" if cut else None
        return Complaint("moved a value farther than `epsilon` from the image.", detail, mistake)
    if torch.equal(expected, image):
        if farthest <= ROUNDING:
            return None
        once = inputs["max_steps"] > 1 and abs(farthest - rate) <= ROUNDING
        return Complaint(
            "changed a picture that has the target's answer already.",
            mistake="step_before_the_answer" if once else None,
        )

    model, target = build(inputs["model"]), int(inputs["target"])
    with torch.no_grad():
        before, wanted, got = (model(x.detach())[0] for x in (image, expected, actual))
    if int(wanted.argmax()) == target:
        # A fooled picture of the reference: within the same bounds others reach it too.
        if int(got.argmax()) == target:
            return None
        return Complaint(
            "returned a picture that the model does not take for the target.",
            mistake=_recognised(model, actual, inputs),
        )

    steps = inputs["max_steps"]
    if farthest > steps * rate + ROUNDING:
        detail = f"Yours moved one by {farthest:.4g}; {steps} steps of {rate:.4g} were allowed."
        return Complaint("moved a value farther than `max_steps` steps of `rate` lead.", detail)
    if farthest <= ROUNDING:
        return Complaint("took no step, although `max_steps` allows one.")
    if steps == 1 and farthest < rate - ROUNDING:
        detail = f"Yours moved no value by more than {farthest:.4g}; `rate` is {rate:.4g}."
        return Complaint("took a first step in which no value moves by `rate`.", detail)
    # Some climb with the target's logit, some with its lead, some with its probability.
    if all(goal(got, target) <= goal(before, target) for goal in GOALS):
        return Complaint("returned a picture that is further from the target than the image was.")
    return None


def _own(expected: Any, actual: Any, inputs: Mapping[str, Any]) -> Complaint | None:
    """Judge a picture that needs no step, and whether it is a tensor of its own."""
    name = "the picture"
    complaint = judge_fooling(expected[name], actual[name], inputs)
    if complaint is None and actual["whether the image changed too"]:
        return Complaint(
            "gave back the caller's own image where no step is needed.",
            mistake="own_image_returned",
        )
    return complaint


def _recognised(model: nn.Module, actual: Tensor, inputs: Mapping[str, Any]) -> str | None:
    """Find the wrong climb that leads to a picture, whichever goal it had."""
    target, change = int(inputs["target"]), (actual - inputs["image"]).detach().abs().max()
    if change <= 1e-5:
        return None  # slopes that are nearly zero would lead there too
    alike = min(1e-5, 0.02 * float(change))
    with torch.no_grad():
        first = int(model(inputs["image"].detach()).argmax())
    goals: tuple[Goal, ...] = (
        lambda logits: logits[target],
        lambda logits: logits.log_softmax(0)[target],
        lambda logits: logits.softmax(0)[target],
    )
    flights: tuple[Goal, ...] = (
        lambda logits: -logits.max(),
        lambda logits: -logits[first],
        lambda logits: -logits.log_softmax(0).max(),
        lambda logits: -logits.log_softmax(0)[first],
    )
    climbs: tuple[tuple[str, tuple[Goal, ...], Callable[[Tensor], Tensor]], ...] = (
        ("raw_gradient", goals, lambda gradient: gradient),
        ("unit_length", goals, lambda gradient: gradient / gradient.norm()),
        ("away_from_the_target", goals, lambda gradient: -gradient.sign()),
        ("away_from_the_answer", flights, torch.sign),
    )
    for mistake, wanted, step in climbs:
        for goal in wanted:
            if (_climbed(model, inputs, goal, step) - actual.detach()).abs().max() < alike:
                return mistake
    return None


def _climbed(
    model: nn.Module, inputs: Mapping[str, Any], goal: Goal, step: Callable[[Tensor], Tensor]
) -> Tensor:
    """Return the picture of a climb to another goal, or by other steps.

    Args:
        model, inputs: of the case.
        goal: what rises, made of the logits (K,).
        step: makes the direction of a step, of length `rate`, from a gradient.
    """
    image = inputs["image"].detach()
    low, high = image - inputs["epsilon"], image + inputs["epsilon"]
    here = image
    for _ in range(inputs["max_steps"]):
        with torch.enable_grad():
            here = here.detach().requires_grad_()
            logits = model(here)[0]
            (gradient,) = torch.autograd.grad(goal(logits), here)
        if int(logits.argmax()) == int(inputs["target"]):
            break
        here = (here.detach() + inputs["rate"] * step(gradient)).clamp(low, high).clamp(0, 1)
    return here.detach()


def _stops(enough: Tensor, more: Tensor) -> Complaint | None:
    if (enough - more).abs().max() <= ROUNDING:
        return None
    return Complaint("went on although the model answered the target already.")
