"""The calls of lesson 7's exercises."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
import torch._dynamo  # an optimizer imports it: a second of each child that has one
from torch import Tensor, nn


def with_gradient(student: ModuleType, function: str, **given: Any) -> Any:
    """Return a result, and the gradient of its sum of squares at the first argument.

    It is zeros where the result hangs in no graph of the argument.
    """
    name, given_first = next(iter(given.items()))
    first = given_first.detach().clone().requires_grad_()
    value = getattr(student, function)(**{**given, name: first})
    if not isinstance(value, Tensor):
        return value  # the check says what it is
    gradient: Tensor | None = None
    if value.requires_grad:
        (gradient,) = torch.autograd.grad(value.square().sum(), first, allow_unused=True)
    if gradient is None:
        gradient = torch.zeros_like(first)
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


def no_step(student: ModuleType, start: Tensor, **given: Any) -> Any:
    """Return the image after no step, and whether it lies in the start's own memory."""
    image = student.class_image(start=start, **given)
    if not isinstance(image, Tensor):
        return image
    places = [tensor.untyped_storage().data_ptr() for tensor in (image, start)]
    return {"the image": image, "whether it is the start itself": places[0] == places[1]}


def moves(
    student: ModuleType, model: nn.Module, start: Tensor, seed: int, climbs: int, **given: Any
) -> Any:
    """Return where a network saw the start of climbs, and where it came to lie.

    With steps too small to see, all that happens to the start is that it moves. Each climb has a
    seed of its own. Both tables hold how far down and right, (climbs, 2); the first is of the last
    image that lay elsewhere than the start, and -1 is no place.
    """
    seen: list[Tensor] = []

    def look(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        seen.append(inputs[0].detach().clone())

    met, ends, counts = [], [], []
    for climb in range(climbs):
        seen.clear()
        with model.register_forward_pre_hook(look):
            image = student.class_image(model=model, start=start, seed=seed + climb, **given)
        if not isinstance(image, Tensor) or image.shape != start.shape:
            return image
        places = [_place(start, shown[None]) for batch in seen for shown in batch]
        moved = [place for place in places if any(place)]
        met.append(moved[-1] if moved else (0, 0))
        ends.append(_place(start, image))
        counts.append(len(set(moved)))
    return {
        "where the network saw the start": torch.tensor(met),
        "where it lay in the end": torch.tensor(ends),
        "how many other places the network saw it at": torch.tensor(counts),
    }


def _place(start: Tensor, image: Tensor) -> tuple[int, int]:
    """Return how far down and right an image is the start, moved.

    Where it is another image, that is -1.
    """
    height, width = start.shape[2:]
    moved = [start.detach().roll((y, x), (2, 3)) for y in range(height) for x in range(width)]
    apart = (torch.cat(moved) - image.detach()).abs().amax((1, 2, 3))
    best = int(apart.argmin())
    return divmod(best, width) if apart[best] < 1e-2 else (-1, -1)


def with_its_first_step(student: ModuleType, steps: int, **given: Any) -> Any:
    """Return a pattern, the noise it began at, and what the first step made of that."""
    pattern = student.filter_pattern(steps=steps, **given)
    if not isinstance(pattern, Tensor):
        return pattern
    noise, first = (student.filter_pattern(steps=count, **given) for count in (0, 1))
    return {"the pattern": pattern, "the noise": noise, "the pattern after one step": first}


def of_the_negative(student: ModuleType, negative: bool, **given: Any) -> Tensor:
    """Return a portrait for a model that takes the negative of its colours."""
    return student.class_portrait(**given, normalise=lambda rgb: 1 - rgb if negative else rgb)
