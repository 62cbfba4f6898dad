"""Where a unit looks: measured by forward passes, against the gradient that reaches the pixels."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from lessons.toolkit.errors import UserError
from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.offset import moved_maps, unit_offset


def squared_gradients(network: nn.Module, size: tuple[int, int]) -> dict[tuple[int, int], Tensor]:
    """Map (H, W) of each unit in the middle of the last layer, where the middle has one to four."""
    images = torch.ones(1, 3, *size, dtype=torch.float64, requires_grad=True)
    features = network.double()(images)[0]
    _, rows, columns = features.shape
    maps = {}
    for row in {(rows - 1) // 2, rows // 2}:
        for column in {(columns - 1) // 2, columns // 2}:
            total = torch.zeros(size, dtype=torch.float64)
            for unit in features[:, row, column]:
                (gradient,) = torch.autograd.grad(unit, images, retain_graph=True)
                total += gradient[0].square().sum(0)
            maps[row, column] = total
    return maps


def gradient_offset(network, size, looks):
    """Offset of the middle of the map, which is the mean over all of it."""
    rows, columns = network.double()(torch.ones(1, 3, *size).double()).shape[2:]
    offsets = [
        (looks(total.sum(1)) - (r + 0.5) * size[0] / rows,
         looks(total.sum(0)) - (c + 0.5) * size[1] / columns)
        for (r, c), total in squared_gradients(network, size).items()
    ]  # fmt: skip
    return tuple(torch.tensor(offsets).mean(0).tolist())


def middle_of_support(profile):
    seen = profile.nonzero()
    return float(seen[0] + seen[-1] + 1) / 2


def centre_of_gravity(profile):
    return float((profile * (torch.arange(len(profile)) + 0.5)).sum() / profile.sum())


def make_even(network):
    """Give all places of a kernel the same weight."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 0.5)


def conv(kernel, stride=1, padding=0, dilation=1, channels=2):
    return nn.Conv2d(channels, 2, kernel, stride, padding, dilation, bias=False)


CHAINS = {
    "odd kernel, stride 2": lambda: [conv(3, 2, 1, channels=3)],
    "three times": lambda: [conv(7, 2, 3, channels=3), conv(3, 2, 1), conv(5, 2, 2)],
    "even kernels": lambda: [conv(6, 2, 2, channels=3), conv(4, 2, 1), conv(2, 2)],
    "no padding": lambda: [conv(5, 2, channels=3), conv(3)],
    "dilated": lambda: [conv(3, 2, 2, 2, channels=3), conv(3, 1, 3, 3)],
    "padded on one side": lambda: [nn.ZeroPad2d((0, 1, 2, 0)), conv(3, 2, channels=3)],
    "kernels not square": lambda: [conv((5, 2), (2, 1), (2, 0), channels=3), conv((1, 3))],
    "stride 3": lambda: [conv(5, 3, 2, channels=3), conv(3, 1, 1)],
}


@pytest.mark.parametrize("size", [(48, 48), (60, 36)])
@pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS.keys())
def test_even_kernels_look_at_the_middle_of_their_receptive_field(chain, size):
    network = nn.Sequential(*chain())
    make_even(network)
    expected = gradient_offset(network, size, middle_of_support)
    assert unit_offset(network, network[-1], size) == pytest.approx(expected, abs=1e-2)


def test_a_kernel_with_its_weight_on_one_side_looks_there():
    network = nn.Sequential(nn.Conv2d(3, 6, 5, 2, 2))
    with torch.no_grad():
        network[0].weight.mul_(torch.tensor([3.0, 1, 1, 1, 1])[:, None])
    down, right = unit_offset(network, network[0], (48, 40))
    expected = gradient_offset(network, (48, 40), centre_of_gravity)
    assert (down, right) == pytest.approx(expected, abs=1e-2)
    assert down < -1 < right < 0


@pytest.mark.parametrize("pool", [nn.MaxPool2d, nn.AvgPool2d])
@pytest.mark.parametrize(("kernel", "padding", "expected"), [(2, 0, 0.0), (3, 1, -0.5)])
def test_pooling_of_either_kind_looks_at_the_middle_of_its_window(pool, kernel, padding, expected):
    network = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU(), pool(kernel, 2, padding))
    assert unit_offset(network, network[2], (32, 32)) == pytest.approx((expected,) * 2, abs=1e-3)


@pytest.mark.parametrize(
    ("name", "layer", "expected"),
    [
        ("resnet18", "layer4", -15.5),
        ("resnet18", "layer3", -7.5),
        ("alexnet", "features.11", -0.5),
        ("mobilenet_v3_small", "features", -15.5),  # gates, and activations that saturate
        ("shufflenet_v2_x0_5", "conv5", -15.5),
    ],
)
def test_known_networks_with_even_kernels(name, layer, expected):
    from torchvision.models import get_model

    network = get_model(name, weights=None).eval()
    make_even(network)
    down, right = unit_offset(network, network.get_submodule(layer), (128, 128))
    assert (down, right) == pytest.approx((expected, expected), abs=0.05)


@pytest.mark.slow
def test_random_kernels_are_nearly_even():
    from torchvision.models import get_model

    torch.manual_seed(0)
    network = get_model("resnet18", weights=None).eval()
    assert unit_offset(network, network.layer4, (224, 224)) == pytest.approx((-15.5,) * 2, abs=0.2)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return load_model("scenes")


@pytest.mark.parametrize("name", ["scenes", "scenes_watermarked"])
def test_the_scenes_networks_are_centred(name):
    classifier = load_model(name)
    for layer in ("block1", "block3", "block5"):
        assert classifier.offset(layer) == pytest.approx((0, 0), abs=0.4)
    make_even(classifier.network)
    assert classifier.offset("block5") == pytest.approx((0, 0), abs=0.01)


@pytest.mark.slow
def test_what_the_default_network_could_see_and_what_it_looks_at():
    """Its padding is below and right; training moved the weights up and left, nearly back."""
    classifier = load_model("efficientnet_lite0")
    assert classifier.default_layer_offset == pytest.approx((2.3, 2.0), abs=0.1)
    make_even(classifier.network)
    assert classifier.offset("head") == pytest.approx((15.5, 15.5), abs=0.2)


def test_default_layer_offset_is_measured_once_and_when_asked(monkeypatch):
    from lessons.toolkit import offset

    asked = []
    measure = offset.unit_offset
    monkeypatch.setattr(offset, "unit_offset", lambda *a: asked.append(a) or measure(*a))
    classifier = load_model("scenes")
    assert asked == []
    assert classifier.default_layer_offset is classifier.default_layer_offset
    assert len(asked) == 1


def test_network_and_random_state_are_left_as_they_were(classifier):
    network = classifier.network
    before = {name: value.clone() for name, value in network.state_dict().items()}
    random_state = torch.get_rng_state()
    classifier.offset("block3")
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert torch.equal(torch.get_rng_state(), random_state)
    assert not any(module._forward_hooks for module in network.modules())
    assert not network.training


def test_a_layer_without_a_map_of_its_own_costs_one_line(classifier):
    with pytest.raises(UserError, match="block6"):
        classifier.offset("block6")
    with pytest.raises(ValueError, match="whole picture"):
        classifier.offset("pool")
    with pytest.raises(ValueError, match="no map"):
        classifier.offset("classifier")
    with pytest.raises(ValueError, match="did not run"):
        unit_offset(classifier.network, nn.Conv2d(3, 3, 1), (64, 64))
    assert not any(module._forward_hooks for module in classifier.network.modules())


def test_maps_are_moved_and_their_edges_go_on() -> None:
    maps = torch.rand(2, 9, 11, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(moved_maps(maps, (0, 0)), maps)
    moved = moved_maps(maps, (2, -3))
    torch.testing.assert_close(moved[:, 2:, :-3], maps[:, :-2, 3:])
    torch.testing.assert_close(moved[:, :2, :-3], maps[:, :1, 3:].expand(-1, 2, -1))
    half = moved_maps(maps, (0.5, 0))
    torch.testing.assert_close(half[:, 1:], (maps[:, 1:] + maps[:, :-1]) / 2)
    assert moved.dtype == torch.float64
