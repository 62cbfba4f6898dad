"""Layers read off a network, against those written down."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lessons.toolkit.geometry import layers_on_the_way
from lessons.toolkit.models import load_model


def test_the_scenes_network_is_as_it_is_written():
    network = load_model("scenes").network
    expected = [(6, 2, 2, 1), (4, 2, 1, 1), (3, 1, 1, 1), (2, 2, 0, 1), (3, 1, 1, 1)]
    assert layers_on_the_way(network, "block5", (64, 64)) == expected
    assert layers_on_the_way(network, "block2.conv", (64, 48)) == expected[:2]
    assert not any(module._forward_hooks for module in network.modules())


def test_padding_of_tensorflow_is_what_lies_before_the_first_row():
    network = load_model().network
    layers = [layer for layer in layers_on_the_way(network, "head", (224, 224)) if layer[0] > 1]
    # One padded row of a stride of 2 and a kernel of 3: it lies at the bottom.
    assert layers[:3] == [(3, 2, 0, 1), (3, 1, 1, 1), (3, 2, 0, 1)]


def test_branches_and_odd_kernels_are_refused():
    from torchvision.models import resnet18

    network = resnet18(weights=None)
    with pytest.raises(ValueError, match="no chain"):
        layers_on_the_way(network, "layer4", (64, 64))
    assert len(layers_on_the_way(network, "layer1", (64, 64))) == 6
    with pytest.raises(ValueError, match="differs from axis to axis"):
        layers_on_the_way(nn.Sequential(nn.Conv2d(3, 2, (3, 1))), "0", (8, 8))
    silent = nn.Sequential(nn.Conv2d(3, 2, 3))
    silent.add_module("spare", nn.Identity())
    silent.forward = lambda images: silent[0](images)  # type: ignore[method-assign]
    with pytest.raises(ValueError, match="did not run"):
        layers_on_the_way(silent, "spare", (8, 8))
    assert torch.is_grad_enabled()
