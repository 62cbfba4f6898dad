"""The calls of lesson 1's exercises.

Functions and graphs cannot be sent. A case names operations, and what is made of them here is given
to the student's code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Operation = Callable[[Tensor], Tensor]


class _Double(torch.autograd.Function):
    """An operation whose node no library has named."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return 2 * x

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return 2 * gradients[0]


def _matrix(x: Tensor, columns: int) -> Tensor:
    """Return a matrix (D, columns) of sines, the same everywhere."""
    count = x.shape[-1] * columns
    return torch.arange(1, count + 1, dtype=x.dtype, device=x.device).sin().view(-1, columns)


def _linear(x: Tensor) -> Tensor:
    """Apply a linear layer whose weight and bias are leaves."""
    weight = _matrix(x, 3).t().clone().requires_grad_()
    return F.linear(x, weight, torch.ones_like(weight[:, 0]).requires_grad_())


OPERATIONS: dict[str, Operation] = {
    "triple": lambda x: 3 * x,
    "plus one": lambda x: x + 1,
    "square": lambda x: x * x,
    "exp": lambda x: x.exp(),
    "relu": lambda x: x.relu(),
    "relu in place": lambda x: x.relu_(),
    "sigmoid": lambda x: x.sigmoid(),
    "softmax": lambda x: x.softmax(-1),
    "running sum": lambda x: x.cumsum(-1),
    "sum": lambda x: x.sum(),
    "sum of each row": lambda x: x.sum(-1),
    "sum of each row, kept": lambda x: x.sum(-1, keepdim=True),
    "itself and its square": lambda x: torch.cat([x, x * x], -1),
    "two columns": lambda x: x @ _matrix(x, 2),
    "linear": _linear,
    "constant times it": lambda x: torch.ones_like(x) * x,
    "exp plus itself": lambda x: x.exp() + x,
    "double": lambda x: _Double.apply(x),
    "detached": lambda x: x.detach(),
}


def _composed(names: Sequence[str]) -> Operation:
    """Return a function that runs these operations one after the other."""

    def run(x: Tensor) -> Tensor:
        for name in names:
            x = OPERATIONS[name](x)
        return x

    return run


class _Counted:
    """A function that counts its calls and the backward passes through its results."""

    def __init__(self, names: Sequence[str]) -> None:
        self.run = _composed(names)
        self.calls = self.passes = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.calls += 1
        y = self.run(x)
        if y.requires_grad:
            y.register_hook(self._count)
        return y

    def _count(self, gradient: Tensor) -> None:
        self.passes += 1


def vector_jacobian_product(student: ModuleType, f: Sequence[str], **inputs: Any) -> Any:
    """Differentiate these operations."""
    return student.vector_jacobian_product(_composed(f), **inputs)


def accumulated_gradient(student: ModuleType, f: Sequence[str], **inputs: Any) -> Any:
    """Accumulate the gradient of these operations."""
    return student.accumulated_gradient(_composed(f), **inputs)


def counted_passes(student: ModuleType, f: Sequence[str], **inputs: Any) -> Any:
    """Accumulate a gradient, and count how often the graph was made and walked."""
    counted = _Counted(f)
    gradient = student.accumulated_gradient(counted, **inputs)
    if gradient is None:
        return None  # said in its own words
    return {
        "the gradient": gradient,
        "the number of calls of `f`": counted.calls,
        "the number of backward passes": counted.passes,
    }


def chain_of_operations(student: ModuleType, y: Sequence[str], x: Tensor) -> Any:
    """Give the graph that these operations make behind a leaf."""
    return student.grad_fn_chain(_composed(y)(x.detach().requires_grad_()))


def norms_with_a_frozen_layer(student: ModuleType, model: nn.Module, **inputs: Any) -> Any:
    """Measure a network whose first layer does not require grad."""
    first = next(layer for layer in model.modules() if isinstance(layer, nn.Conv2d))
    first.requires_grad_(False)
    try:
        return student.gradient_norm_by_layer(model, **inputs)
    finally:
        first.requires_grad_(True)


class _Faint(nn.Module):
    """A network whose logits, and so whose slopes, are very small."""

    def __init__(self, loud: nn.Module) -> None:
        super().__init__()
        self.loud = loud

    def forward(self, images: Tensor) -> Tensor:
        return 1e-25 * self.loud(images)


def norms_of_faint_slopes(student: ModuleType, model: nn.Module, **inputs: Any) -> Any:
    """Measure a network whose slopes have squares that float32 cannot hold."""
    return student.gradient_norm_by_layer(_Faint(model).eval(), **inputs)


def residual_block(
    student: ModuleType, x: Tensor, branch: Sequence[str], shortcut: Sequence[str] | None = None
) -> Any:
    """Run a block. What comes back stays in its graph, which cannot be sent."""
    more = {} if shortcut is None else {"shortcut": _composed(shortcut)}
    output = student.residual_block(x, _composed(branch), **more)
    return output.detach() if isinstance(output, Tensor) else output


def back_through_a_block(
    student: ModuleType, x: Tensor, branch: Sequence[str], shortcut: Sequence[str]
) -> Any:
    """Run a block, then go back through it, and count how often its parts ran."""
    x, ways = x.detach().clone().requires_grad_(), [_Counted(branch), _Counted(shortcut)]
    output = student.residual_block(x, *ways)
    if not isinstance(output, Tensor):
        return output
    gradient = None
    if output.requires_grad:
        (gradient,) = torch.autograd.grad(output.sum(), x, materialize_grads=True)
    return {
        "the sum": output.detach(),
        "the gradient at `x`": torch.zeros_like(x) if gradient is None else gradient,
        "the number of calls of the branch": ways[0].calls,
        "the number of calls of the shortcut": ways[1].calls,
    }


def gradient_by_depth(student: ModuleType, branches: Sequence[Sequence[str]], **inputs: Any) -> Any:
    """Measure a stack of these branches."""
    return student.gradient_by_depth([_composed(names) for names in branches], **inputs)
