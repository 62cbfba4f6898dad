"""The calls of lesson 15's exercises."""

from __future__ import annotations

import copy
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn


def cascade(
    student: ModuleType,
    model: nn.Module,
    images: Tensor,
    train: bool = False,
    framed: bool = False,
    **given: Any,
) -> Any:
    """Return the names of a cascade's steps, and what each network then says.

    Args:
        student: the module that holds the student's code.
        model: any network.
        images: float (N, 3, H, W), for the networks of the cascade.
        train: whether a copy of the model in train mode is asked about.
        framed: whether it stands in a network that has parameters of its own.
        given: all other arguments.
    """
    if framed:
        model = _Framed(model)
    if train:
        model = copy.deepcopy(model).train()
    steps = student.randomise_from_top(model=model, **given)
    if steps is None:
        return None  # said in its own words
    pairs = list(steps)
    if not all(isinstance(pair, tuple) and len(pair) == 2 for pair in pairs):
        return [type(pair).__name__ for pair in pairs]
    names, networks = [name for name, _ in pairs], [network for _, network in pairs]
    with torch.no_grad():
        logits = [network(images) for network in networks]
    return {
        "the names": names,
        "the logits after each step": torch.stack(logits),
        "train mode of each network": [network.training for network in networks],
        "requires_grad of each parameter": [
            [parameter.requires_grad for parameter in network.parameters()] for network in networks
        ],
    }


class _Shift(nn.Module):
    """A layer with a parameter that is not called weight."""

    def __init__(self, like: Tensor) -> None:
        super().__init__()
        self.amount = nn.Parameter(torch.linspace(-1, 2, 5).to(like))

    def forward(self, logits: Tensor) -> Tensor:
        return logits + self.amount


class _Scaled(nn.Module):
    """A container with a parameter of its own."""

    def __init__(self, network: nn.Module, like: Tensor) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.linspace(0.5, 1.5, 5).to(like))
        self.network = network
        self.shift = _Shift(like)

    def forward(self, images: Tensor) -> Tensor:
        return self.shift(self.network(images) * self.gain)


class _Framed(nn.Module):
    """A network with a parameter of its own, in front of all layers."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        like = next(network.parameters())
        self.offset = nn.Parameter(torch.linspace(-1, 1, 3).to(like))
        self.scaled = _Scaled(copy.deepcopy(network), like)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        return self.scaled(images + self.offset[:, None, None])


def compare_and_look_around(
    student: ModuleType, model: nn.Module, methods: list[str], **given: Any
) -> Any:
    """Return in which order the methods are compared, and what is left on the model."""
    before = set(vars(model))
    table = compare(student, methods, model=model, **given)
    if not isinstance(table, dict):
        return table
    return {
        "the order of the methods": ", ".join(map(str, table)),
        "attributes left on the model": ", ".join(sorted(set(vars(model)) - before)),
    }


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


def _broken(model: nn.Module, image: Tensor, target: Tensor) -> Tensor:
    model(image)
    raise RuntimeError("this method has no map for this image")


METHODS = {
    "gradient": _gradient,
    "bands": _bands_covered,
    "brightness": _brightness,
    "nothing": _nothing,
    "broken": _broken,
}
