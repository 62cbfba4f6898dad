"""The calls of lesson 13's exercises: layers in a graph, networks that learn."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from contextlib import suppress
from types import ModuleType
from typing import Any

import torch
import torch._dynamo  # an optimizer imports it: a second of each child that has one
from torch import Tensor, nn

from lessons.toolkit.seeds import seeded


def gradient_at(student: ModuleType, function: str, at: str, **given: Tensor) -> Any:
    """Return the gradient of a layer's squared output at one of its inputs."""
    leaves = {name: value.detach().clone().requires_grad_() for name, value in given.items()}
    return _gradients(getattr(student, function)(**leaves), [leaves[at]])[0]


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
    wanted = {"classifier.weight": weight, "classifier.bias": bias}
    _check_parameters(made, wanted)
    made.load_state_dict(wanted)
    return made


def _check_parameters(head: nn.Module, wanted: dict[str, Tensor]) -> None:
    """Refuse a head whose parameters are not those wanted.

    In words of our own: torch says the same of different mistakes.

    Raises:
        RuntimeError: a parameter is missing, is there beside those wanted, or has another shape.
    """
    found = head.state_dict()
    if missing := [f"`{name}`" for name in wanted if name not in found]:
        others = ", ".join(found) or "none"
        raise RuntimeError(
            f"the head has no {' and no '.join(missing)}; its parameters are called: {others}"
        )
    for name, value in wanted.items():
        if found[name].shape != value.shape:
            shapes = f"{tuple(found[name].shape)}, not {tuple(value.shape)}"
            raise RuntimeError(f"`{name}` has the shape {shapes}")
    if more := [name for name in found if name not in wanted]:
        raise RuntimeError(f"beside those of `classifier` there are parameters: {', '.join(more)}")


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
    train: bool = False,
) -> Any:
    """Return what each step on a batch gives, and what the weights then are."""
    own, optimiser = _learner(model, momentum)
    own.train(train)
    modes: list[bool] = []
    own.register_forward_pre_hook(lambda module, inputs: modes.append(module.training))
    losses = [student.train_step(own, images, target, optimiser) for _ in range(steps)]
    return {
        "the weights": _weights(own),
        "the losses": losses,
        "how many steps the optimiser took": optimiser.steps,
        "train mode in the first pass": next(iter(modes), None),
        "train mode afterwards": own.training,
    }


def refuse_to_learn(
    student: ModuleType, model: nn.Module, images: Tensor, target: Tensor
) -> dict[str, Tensor]:
    """Return the weights after a target that does not fit. That it is refused, others ask."""
    own, optimiser = _learner(model, momentum=0.0)
    with suppress(ValueError):
        student.train_step(own, images, target, optimiser)
    return {"the weights afterwards": _weights(own)}


def _learner(model: nn.Module, momentum: float) -> tuple[nn.Module, _Descent]:
    own = copy.deepcopy(model)
    # What a step before has left: who does not clear it adds to it.
    for parameter in own.parameters():
        parameter.grad = torch.full_like(parameter, 0.3)
    return own, _Descent(list(own.parameters()), 0.2, momentum)


def _weights(model: nn.Module) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])


class _Descent:
    """Steps down the gradients as `torch.optim.SGD` does.

    The first use of torch's own takes a second, for what it imports.
    """

    def __init__(self, parameters: list[nn.Parameter], rate: float, momentum: float) -> None:
        self.param_groups: list[dict[str, Any]] = [{"params": parameters, "lr": rate}]
        self.momentum = momentum
        self.moving = [torch.zeros_like(parameter) for parameter in parameters]
        self.steps = 0

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Clear the gradients."""
        for parameter in self.param_groups[0]["params"]:
            parameter.grad = None

    @torch.no_grad()
    def step(self) -> None:
        """Move each parameter that has a gradient."""
        (group,) = self.param_groups
        self.steps += 1
        for parameter, moving in zip(group["params"], self.moving, strict=True):
            if parameter.grad is not None:
                moving.mul_(self.momentum).add_(parameter.grad)
                parameter.sub_(group["lr"] * moving)
