import pytest
import torch
from torch import nn

from lessons.toolkit.scene_net import ConvBlock, SceneNet


def test_what_the_lessons_rely_on():
    network = SceneNet()
    modules = dict(network.named_modules())
    assert 60_000 <= sum(p.numel() for p in network.parameters()) <= 400_000
    assert network.block1.conv.kernel_size == (6, 6)
    assert {"block1.conv", "block5.relu", "pool", "classifier"} <= set(modules)
    relus = [m for m in modules.values() if isinstance(m, nn.ReLU)]
    assert len(relus) == 5 and not any(m.inplace for m in relus)
    assert not any(isinstance(m, nn.MaxPool2d) for m in modules.values())


def test_every_block_is_centred():
    """The padding is the same on both sides and the output is the input's size over the stride."""
    for module in SceneNet().modules():
        if isinstance(module, nn.Conv2d):
            (kernel, _), (stride, _), (padding, _) = (
                module.kernel_size, module.stride, module.padding
            )  # fmt: skip
            assert 2 * padding == kernel - stride


def test_block_that_cannot_be_centred_is_refused():
    with pytest.raises(ValueError, match="kernel of 3 with stride 2"):
        ConvBlock(3, 8, stride=2)


def test_first_kernels_start_grey_smooth_and_without_brightness():
    weight = SceneNet().block1.conv.weight
    assert torch.equal(weight[:, 0], weight[:, 1]) and torch.equal(weight[:, 0], weight[:, 2])
    assert weight.mean((1, 2, 3)).abs().max() < 1e-6
    assert weight.std() > 0.02


@pytest.mark.parametrize("size", [(64, 64), (96, 40), (17, 33)])
def test_any_size_and_number_of_classes(size):
    assert SceneNet(3).eval()(torch.zeros(1, 3, *size)).shape == (1, 3)


def test_float64():
    assert SceneNet().double().eval()(torch.zeros(1, 3, 64, 64).double()).dtype == torch.float64


def test_logits_are_the_classifier_on_channel_means():
    network = SceneNet().eval()
    features = {}
    network.block5.register_forward_hook(lambda *args: features.update(last=args[2]))
    logits = network(torch.rand(2, 3, 64, 64))
    means = features["last"].mean((2, 3))
    assert features["last"].shape == (2, 128, 8, 8)
    expected = means @ network.classifier.weight.T + network.classifier.bias
    torch.testing.assert_close(logits, expected)
