"""What every test of a solution asks: is the caller's world as it was?"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest
import torch
from torch import Tensor, nn

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def traces(model: nn.Module) -> dict[str, object]:
    """Hooks, modes and gradients of a model: what a careless function leaves behind."""
    return {
        "hooks": [len(getattr(module, kind)) for module in model.modules() for kind in HOOKS],
        "training": [module.training for module in model.modules()],
        "modules": [type(module) for module in model.modules()],
        "gradients": [p.grad is None for p in model.parameters()],
        "requires_grad": [p.requires_grad for p in model.parameters()],
        "grad mode": torch.is_grad_enabled(),
    }


@contextmanager
def _unchanged(model: nn.Module, *tensors: Tensor) -> Iterator[None]:
    before = traces(model)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    given = [(t.detach().clone(), t.requires_grad, t.grad) for t in tensors]
    random_state = torch.random.get_rng_state()
    try:
        yield
    finally:
        assert traces(model) == before
        for name, value in model.state_dict().items():
            assert torch.equal(value, weights[name]), name
        for tensor, (value, requires_grad, gradient) in zip(tensors, given, strict=True):
            assert torch.equal(tensor, value)
            assert tensor.requires_grad == requires_grad
            assert tensor.grad is gradient
        assert torch.equal(torch.random.get_rng_state(), random_state)


@pytest.fixture
def unchanged() -> Callable[..., AbstractContextManager[None]]:
    """``with unchanged(model, images):`` fails if the block leaves a trace on either."""
    return _unchanged
