import pytest
import torch
from torch import nn

from lessons.toolkit.passes import stopped_at


def test_what_follows_the_layer_does_not_run_and_no_hook_is_left():
    network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(99, 1))
    ran = []
    with network[2].register_forward_hook(lambda *_: ran.append("last")):
        with stopped_at(network[1]) as outputs:
            network(torch.ones(4, 2))
        assert outputs[0].shape == (4, 3) and not ran
        assert not network[1]._forward_hooks


def test_a_layer_that_does_not_run_keeps_nothing_and_an_error_goes_on():
    network = nn.Sequential(nn.Linear(2, 3))
    with stopped_at(nn.ReLU()) as outputs:
        network(torch.ones(1, 2))
    assert outputs == []
    with pytest.raises(RuntimeError, match="shapes"), stopped_at(network[0]):
        network(torch.ones(1, 5))
    assert not network[0]._forward_hooks
