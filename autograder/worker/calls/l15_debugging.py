"""The calls of lesson 15's exercises."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn


def cascade(student: ModuleType, images: Tensor, **given: Any) -> Any:
    """Return the names of a cascade's steps, and what each network says in the end."""
    steps = student.randomise_from_top(**given)
    if steps is None:
        return None  # said in its own words
    pairs = list(steps)
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        return [type(pair).__name__ for pair in pairs]
    names, networks = [name for name, _ in pairs], [network for _, network in pairs]
    with torch.no_grad():
        logits = [network(images) for network in networks]
    return {"the names": names, "the logits after each step": torch.stack(logits)}


def compare(student: ModuleType, methods: list[str], **given: Any) -> Any:
    """Return the comparison of methods by name."""
    return student.comparison(methods={name: METHODS[name] for name in methods}, **given)


@torch.inference_mode(False)
def _gradient(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    image = image.detach().clone().requires_grad_()
    with torch.enable_grad():
        logits = model(image).gather(1, target[:, None]).sum()
        (gradient,) = torch.autograd.grad(logits, image)
    return gradient.abs().amax(1)


def _bands_covered(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    """Cover four bands in turn, in one pass after that of the whole image."""
    band = torch.arange(image.shape[2], device=image.device) * 4 // image.shape[2]
    kept = (band != torch.arange(4, device=image.device)[:, None])[:, None, :, None]
    with torch.no_grad():
        whole = model(image)[0, target]
        drops = whole - model(image * kept)[:, target[0]]
    # A little of the brightness, so that not all places of a band are equal.
    return drops[band].relu()[None, :, None] + 1e-3 * image.detach().abs().sum(1)


def _brightness(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    return image.detach().abs().sum(1)


def _nothing(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    return torch.zeros_like(image.detach()[:, 0])


METHODS = {
    "gradient": _gradient,
    "bands": _bands_covered,
    "brightness": _brightness,
    "nothing": _nothing,
}
