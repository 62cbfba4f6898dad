"""ReLUs are found in autograd's graph, and what cannot be seen there is said."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from lessons.toolkit.relus import other_activations, relu_nodes


def network(name: str) -> nn.Module:
    return build(ModelSpec(name, seed=1, dtype="float64"))


def photos() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(3, 3, 14, 18, generator=generator, dtype=torch.float64)


def closed_in_a_checkpoint(model: nn.Module, images: Tensor) -> Tensor:
    return checkpoint(model, images, use_reentrant=True)


def compiled(model: nn.Module, images: Tensor) -> Tensor:
    torch.compiler.reset()
    return torch.compile(model, backend="aot_eager")(images)


@pytest.mark.parametrize("run", [closed_in_a_checkpoint, compiled])
def test_a_graph_that_hides_its_relus_is_refused(run):
    images = photos().requires_grad_()
    with pytest.raises(ValueError, match="hides the ReLUs in it: take the model as it was before"):
        relu_nodes(run(network("plain"), images).sum() + F.relu(images).sum())


def test_an_output_without_a_graph_is_told_from_one_without_relus():
    with (
        torch.no_grad(),
        pytest.raises(ValueError, match="no graph: it was computed"),
    ):
        relu_nodes(network("plain")(photos()))


def test_each_relu_is_one_node_and_a_shared_module_is_three():
    model, images = network("residual"), photos().requires_grad_()
    assert len(relu_nodes(model(images))) == 3


def test_activations_that_are_no_relu_are_named_each_once():
    x = photos().requires_grad_()
    assert other_activations(F.relu(x) + F.silu(x) + F.silu(2 * x) + F.hardswish(x)) == [
        "Hardswish",
        "Silu",
    ]
    assert other_activations(F.relu6(x)) == []


@pytest.mark.parametrize(
    "no_relu", [lambda x: x.clamp(min=-1), nn.Hardtanh(-1, 1), nn.LeakyReLU(), torch.tanh]
)
def test_what_is_no_relu_is_not_taken_for_one(no_relu):
    with pytest.raises(ValueError, match="there is no ReLU"):
        relu_nodes(no_relu(photos().requires_grad_()))
