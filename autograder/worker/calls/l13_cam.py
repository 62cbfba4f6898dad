"""The calls of lesson 13's exercises: layers in a graph, networks that learn."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from lessons.toolkit.seeds import seeded


def gradient_at_features(student: ModuleType, function: str, features: Tensor, **given: Any) -> Any:
    """Return the gradient of a layer's squared output at the features that went in."""
    leaf = features.detach().clone().requires_grad_()
    return _gradients(getattr(student, function)(leaf, **given), [leaf])[0]


def head(student: ModuleType, features: Tensor, weight: Tensor, bias: Tensor) -> Any:
    """Return the logits of a head with these weights."""
    logits = _head(student, weight, bias)(features)
    return logits.detach() if isinstance(logits, Tensor) else logits


def head_in_a_graph(student: ModuleType, features: Tensor, weight: Tensor, bias: Tensor) -> Any:
    """Return gradients of a head's squared logits, at its weights and features."""
    made, leaf = _head(student, weight, bias), features.detach().clone().requires_grad_()
    leaves = [leaf, *made.parameters()]
    names = ["the features", *(name for name, _ in made.named_parameters())]
    found = _gradients(made(leaf), leaves)
    return {f"the gradient at {name}": one for name, one in zip(names, found, strict=True)}


def _head(student: ModuleType, weight: Tensor, bias: Tensor) -> nn.Module:
    with seeded(0):  # its first weights are drawn, then overwritten
        made: nn.Module = student.GapHead(channels=weight.shape[1], classes=weight.shape[0])
    made.to(weight)  # its dtype and device
    made.load_state_dict({"classifier.weight": weight, "classifier.bias": bias})
    return made


def _gradients(value: Any, leaves: Sequence[Tensor]) -> list[Tensor]:
    """Return gradients of a sum of squares, zeros where no graph leads to a leaf."""
    if not (isinstance(value, Tensor) and value.requires_grad):
        return [torch.zeros_like(leaf) for leaf in leaves]
    found = torch.autograd.grad(value.square().sum(), leaves, allow_unused=True)
    return [
        torch.zeros_like(leaf) if gradient is None else gradient
        for leaf, gradient in zip(leaves, found, strict=True)
    ]


def learn(
    student: ModuleType,
    model: nn.Module,
    images: Tensor,
    target: Tensor,
    steps: int,
    momentum: float = 0.0,
) -> Any:
    """Return what each step on a batch gives, and what the weights then are."""
    own = copy.deepcopy(model)
    # What a step before has left: who does not clear it adds to it.
    for parameter in own.parameters():
        parameter.grad = torch.full_like(parameter, 0.3)
    optimiser = _Descent(list(own.parameters()), 0.2, momentum)
    losses = [student.train_step(own, images, target, optimiser) for _ in range(steps)]
    return {
        "the weights": torch.cat([p.detach().flatten() for p in own.parameters()]),
        "the losses": losses,
        "train mode afterwards": own.training,
    }


class _Descent:
    """Steps down the gradients as `torch.optim.SGD` does.

    The first use of torch's own takes a second, for what it imports.
    """

    def __init__(self, parameters: list[nn.Parameter], rate: float, momentum: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": parameters, "lr": rate}]
        self.momentum = momentum
        self.moving = [torch.zeros_like(parameter) for parameter in parameters]

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients."""
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move each parameter that has a gradient."""
        (group,) = self.param_groups
        for parameter, moving in zip(group["params"], self.moving, strict=True):
            if parameter.grad is not None:
                moving.mul_(self.momentum).add_(parameter.grad)
                parameter.sub_(group["lr"] * moving)
