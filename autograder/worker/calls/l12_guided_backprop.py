"""The calls of lesson 12's exercises."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

# Spellings of a ReLU. What works in place gets a copy: its input is needed once more.
FORMS: dict[str, Callable[[Tensor], Tensor]] = {
    "a module": nn.ReLU(),
    "a function": F.relu,
    "a method": lambda x: x.relu(),
    "in place": lambda x: F.relu(x.clone(), inplace=True),
    "ReLU6": F.relu6,
    "clamp": lambda x: x.clamp(min=0),
    "no ReLU": lambda x: x * 2,
}


def back_through(student: ModuleType, x: Tensor, gradient: Tensor) -> dict[str, Any]:
    """Go forward through `GuidedReLU`, and back with a gradient."""
    x = x.detach().clone().requires_grad_()
    output = student.GuidedReLU.apply(x)
    (found,) = torch.autograd.grad(output, x, gradient)
    return {
        "the output": output.detach(),
        "the gradient at `x`": found,
        "`x` afterwards": x.detach(),
    }


def back_through_two(
    student: ModuleType, x: Tensor, weights: Tensor, gradient: Tensor
) -> dict[str, Any]:
    """Go back through two of them, with other signs at each."""
    x = x.detach().clone().requires_grad_()
    middle = student.GuidedReLU.apply(x) @ weights
    (found,) = torch.autograd.grad(student.GuidedReLU.apply(middle), x, gradient)
    return {"the gradient at `x`": found}


def redirected(
    student: ModuleType, x: Tensor, first: Tensor, last: Tensor, skip: Tensor, form: str, rule: str
) -> Any:
    """Return what comes back to `x` through two ReLUs and past them.

    The output is ``last @ relu(first @ relu(x)) + skip @ x``, summed over a batch of `x`.
    """
    relu = FORMS[form]
    x = x.detach().clone().requires_grad_()
    entered = x * 1  # what enters the first ReLU and the shortcut is one tensor, and no leaf
    output = (relu(relu(entered) @ first.T) @ last + entered @ skip).sum()
    student.redirect_relus(output, rule)
    (gradient,) = torch.autograd.grad(output, x)
    return {"what comes back to `x`": gradient}


def redirected_beside_a_shortcut(student: ModuleType, x: Tensor, last: Tensor, rule: str) -> Any:
    """Return what comes back to `x` where a shortcut is added to a ReLU's output.

    Autograd hands one gradient to both.
    """
    x = x.detach().clone().requires_grad_()
    entered = x * 1
    output = ((torch.relu(entered) + entered) * last).sum()
    student.redirect_relus(output, rule)
    (gradient,) = torch.autograd.grad(output, x)
    return {"what comes back to `x`": gradient}


def only_redirected(student: ModuleType, x: Tensor, form: str, rule: str) -> Any:
    """Redirect, and never go back."""
    output = FORMS[form](x.detach().clone().requires_grad_() * 1).sum()
    return student.redirect_relus(output, rule)


def pattern_below_zero(student: ModuleType, model: nn.Module, layer: str, **given: Any) -> Any:
    """Find a pattern while every output of the layer is below 0."""
    bias = model.get_submodule(layer).get_parameter("bias").detach()
    before = bias.clone()
    bias.sub_(100)
    try:
        return student.neuron_pattern(model=model, layer=layer, **given)
    finally:
        bias.copy_(before)


def plain_afterwards(
    student: ModuleType, function: str, model: nn.Module, images: Tensor, target: Tensor
) -> Any:
    """Return what a method finds, and the network's true gradient afterwards."""
    found = getattr(student, function)(model=model, images=images, target=target)
    return {"the picture": found, "the true gradient afterwards": gradient(model, images, target)}


def gradient(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Return the true gradient of the target logits at the images, (N, 3, H, W)."""
    if len(target) != len(images):
        raise ValueError(f"{len(target)} classes for {len(images)} images")
    with torch.inference_mode(False), torch.enable_grad():
        images = images.detach().clone().requires_grad_()
        chosen = model(images).gather(1, target[:, None]).sum()
        (found,) = torch.autograd.grad(chosen, images)
    return found


def likeness_after_shuffling(student: ModuleType, method: str, **given: Any) -> Any:
    """Put a method to the test: the true gradient, or one that returns the images."""
    methods = {
        "the true gradient": gradient,
        "the images": lambda model, images, target: images,
        "one that needs autograd": _trusting,
        "one that fails the second time": _failing_later(),
    }
    return student.likeness_after_shuffling(method=methods[method], **given)


def _trusting(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Return the true gradient, where the caller has left autograd on."""
    images = images.detach().clone().requires_grad_()
    return torch.autograd.grad(model(images).gather(1, target[:, None]).sum(), images)[0]


def _failing_later() -> Callable[[nn.Module, Tensor, Tensor], Tensor]:
    calls: list[None] = []

    def method(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        calls.append(None)
        if len(calls) == 2:
            raise ValueError("this method fails the second time")
        return gradient(model, images, target)

    return method
