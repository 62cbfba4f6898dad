"""The calls of lesson 7's exercises."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from torch import Tensor


def with_gradient(student: ModuleType, function: str, **given: Any) -> dict[str, Tensor]:
    """Return a result, and the gradient of its sum of squares at the first argument."""
    name, given_first = next(iter(given.items()))
    first = given_first.detach().clone().requires_grad_()
    value = getattr(student, function)(**{**given, name: first})
    (gradient,) = torch.autograd.grad(value.square().sum(), first)
    return {"the value": value.detach(), "the gradient that passes": gradient}


def two(
    student: ModuleType,
    function: str,
    one: Mapping[str, Any],
    other: Mapping[str, Any],
    **given: Any,
) -> Tensor:
    """Return the images of two climbs that differ in one argument, (2, 3, H, W)."""
    climb = getattr(student, function)
    return torch.cat([climb(**given, **one), climb(**given, **other)])


def watched(student: ModuleType, function: str, **given: Any) -> dict[str, Any]:
    """Return what `watch` was called with, and the result."""
    seen: list[tuple[int, Tensor]] = []

    def watch(step: int, image: Tensor) -> None:
        seen.append((step, image.detach().clone()))

    result = getattr(student, function)(**given, watch=watch)
    last = seen[-1][1] if seen else torch.zeros(())
    return {
        "the steps that `watch` saw": [step for step, _ in seen],
        "the last image that `watch` saw": last,
        "the image": result,
    }


def of_the_negative(student: ModuleType, negative: bool, **given: Any) -> Tensor:
    """Return a portrait for a model that takes the negative of its colours."""
    return student.class_portrait(**given, normalise=lambda rgb: 1 - rgb if negative else rgb)
