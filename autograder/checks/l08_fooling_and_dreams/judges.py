"""Judge of pictures that fool a network: many ways lead to one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from autograder.course.exercise import Complaint
from autograder.worker.networks import build

ROUNDING = 1e-6
GOALS: tuple[Callable[[Tensor, int], Tensor], ...] = (
    lambda logits, target: logits[target],
    lambda logits, target: logits.log_softmax(0)[target],
    lambda logits, target: logits[target] - logits.topk(2).values[int(logits.argmax() == target)],
)


def judge_fooling(expected: Any, actual: Any, inputs: Mapping[str, Any]) -> Complaint | None:
    """Judge a picture that is to fool a network by what must hold of any.

    Args:
        expected: the reference's picture, (1, 3, H, W); two of them where the call makes two.
        actual: the same from the student's code.
        inputs: the case's arguments.

    Returns:
        The complaint, or None where the picture is right.
    """
    if len(expected) == 2:
        return _stops(*actual)
    image, epsilon, rate = (inputs[name] for name in ("image", "epsilon", "rate"))
    change = (actual - image).detach().abs()
    farthest = float(change.max())
    if farthest > epsilon + ROUNDING:
        detail = f"Yours moved a value by {farthest:.4g}, epsilon is {epsilon:.4g}."
        return Complaint("moved a value farther than `epsilon` from the image.", detail)
    if torch.equal(expected, image):
        if farthest <= ROUNDING:
            return None
        return Complaint("changed a picture that has the target's answer already.")

    model, target = build(inputs["model"]), int(inputs["target"])
    with torch.no_grad():
        before, wanted, got = (model(x.detach())[0] for x in (image, expected, actual))
    if int(wanted.argmax()) == target:
        # A fooled picture of the reference: within the same bounds others reach it too.
        if int(got.argmax()) == target:
            return None
        return Complaint("returned a picture that the model does not take for the target.")

    steps = inputs["max_steps"]
    if farthest > steps * rate + ROUNDING:
        detail = f"Yours moved one by {farthest:.4g}; {steps} steps of {rate:.4g} were allowed."
        return Complaint("moved a value farther than `max_steps` steps of `rate` lead.", detail)
    if steps == 1 and farthest < rate - ROUNDING:
        detail = f"Yours moved no value by more than {farthest:.4g}; `rate` is {rate:.4g}."
        return Complaint("took a first step in which no value moves by `rate`.", detail)
    # Some climb with the target's logit, some with its lead, some with its probability.
    if all(goal(got, target) <= goal(before, target) for goal in GOALS):
        return Complaint("returned a picture that is further from the target than the image was.")
    return None


def _stops(enough: Tensor, more: Tensor) -> Complaint | None:
    if (enough - more).abs().max() <= ROUNDING:
        return None
    return Complaint("went on although the model answered the target already.")
