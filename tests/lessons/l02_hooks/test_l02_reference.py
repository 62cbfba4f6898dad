from __future__ import annotations

import pytest
import torch
from captum.attr import LayerActivation
from torch import Tensor, nn

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from solutions.l02_hooks import (
    ActivationRecorder,
    ablate_channel,
    capture_activation,
    capture_activations,
    capture_gradients,
    channels_to_flip,
    feature_map_grid,
)

TARGET = torch.tensor([0, 4, 2])
LAYERS = [
    ("plain", "conv1"),
    ("plain", "relu2"),
    ("inplace", "conv1"),
    ("inplace", "relu1"),
    ("inplace", "conv2"),
    ("functional", "conv2"),
    ("relu6", "relu1"),
    ("residual", "stem"),
    ("residual", "conv1"),
    ("normalised", "norm"),
    ("normalised", "dropout"),
]


def network(name: str) -> nn.Module:
    return build(ModelSpec(name, seed=1, dtype="float64"))


def photos(count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, 14, 18, generator=generator, dtype=torch.float64)


def test_activations_are_what_the_layers_give():
    model, images = network("plain"), photos()
    activations = capture_activations(model, ["relu1", "conv1"], images)
    assert list(activations) == ["relu1", "conv1"]
    torch.testing.assert_close(activations["conv1"], model.conv1(images).detach())
    torch.testing.assert_close(activations["relu1"], model.conv1(images).relu().detach())


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_activations_agree_with_captum(name, layer):
    model, images = network(name), photos()
    ours = capture_activations(model, [layer], images)[layer]
    theirs = LayerActivation(model, model.get_submodule(layer)).attribute(images)
    torch.testing.assert_close(ours, theirs.detach())


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_one_activation_agrees_with_captum(name, layer, unchanged):
    model, images = network(name), photos().requires_grad_()
    with unchanged(model, images):
        ours = capture_activation(model, layer, images)
    theirs = LayerActivation(model, model.get_submodule(layer)).attribute(images)
    torch.testing.assert_close(ours, theirs.detach())
    assert not ours.requires_grad


def test_an_inplace_relu_does_not_overwrite_the_record():
    plain = capture_activations(network("plain"), ["conv1", "conv2"], photos())
    inplace = capture_activations(network("inplace"), ["conv1", "conv2"], photos())
    assert inplace["conv1"].min() < 0
    torch.testing.assert_close(plain, inplace)


def test_activations_leave_no_trace(unchanged):
    model, images = network("inplace"), photos().requires_grad_()
    with unchanged(model, images):
        activations = capture_activations(model, ["conv1", "relu2"], images)
    assert not any(a.requires_grad or a.is_inference() for a in activations.values())


def test_no_hook_survives_an_exception(unchanged):
    model, too_many_channels = network("plain"), torch.zeros(1, 4, 14, 14, dtype=torch.float64)
    target = torch.tensor([0])
    with unchanged(model):
        with pytest.raises(RuntimeError):
            capture_activations(model, ["conv1"], too_many_channels)
        with pytest.raises(RuntimeError):
            capture_activation(model, "conv1", too_many_channels)
        with pytest.raises(RuntimeError):
            channels_to_flip(model, "conv1", too_many_channels)
        with pytest.raises(RuntimeError):
            capture_gradients(model, "conv1", too_many_channels, target)
        with pytest.raises(RuntimeError):
            ablate_channel(model, "conv1", 0, too_many_channels)
        with pytest.raises(RuntimeError), ActivationRecorder(model, ["conv1"]):
            model(too_many_channels)


def test_an_unknown_layer_is_named(unchanged):
    model, images = network("plain"), photos()
    with unchanged(model):
        with pytest.raises(AttributeError, match="conv9"):
            capture_activations(model, ["conv1", "conv9"], images)
        with pytest.raises(AttributeError, match="conv9"):
            ActivationRecorder(model, ["conv1", "conv9"])
        with pytest.raises(AttributeError, match="conv9"):
            capture_gradients(model, "conv9", images, TARGET)
        with pytest.raises(AttributeError, match="conv9"):
            ablate_channel(model, "conv9", 0, images)


def test_a_layer_that_does_not_run_is_named():
    model = network("plain")
    model.spare = nn.ReLU()
    with pytest.raises(ValueError, match="layer 'spare' did not run in this pass"):
        capture_activations(model, ["conv1", "spare"], photos())


def test_a_recorder_says_at_the_end_of_its_block_which_layer_did_not_run(unchanged):
    model = network("nested")
    recorder = ActivationRecorder(model, ["stem", "auxiliary"])
    with unchanged(model):
        with (
            pytest.raises(ValueError, match="layer 'auxiliary' did not run in this pass"),
            recorder,
        ):
            model(photos())
        with pytest.raises(RuntimeError), recorder:  # what went wrong in the block is not hidden
            model(photos()[:, :2])


@pytest.mark.slow
def test_googlenets_second_classifier_does_not_run_in_eval_mode():
    from torchvision.models import googlenet

    model = googlenet(weights=None, aux_logits=True, init_weights=False).eval()
    with pytest.raises(ValueError, match=r"layer 'aux1\.conv' did not run in this pass"):
        ablate_channel(model, "aux1.conv", 0, torch.zeros(1, 3, 64, 64))


def test_one_name_is_not_a_sequence_of_names():
    for make in (capture_activations, ActivationRecorder):
        given = (photos(),) if make is capture_activations else ()
        with pytest.raises(ValueError, match=r"`layers` is a sequence of names: \['conv1'\]"):
            make(network("plain"), "conv1", *given)


@pytest.mark.parametrize("columns", [0, -1])
def test_a_picture_has_a_column(columns):
    with pytest.raises(ValueError, match="at least 1 column"):
        feature_map_grid(torch.ones(2, 3, 4), columns)


def test_the_recorder_keeps_the_last_pass_of_its_block(unchanged):
    model, first, second = network("inplace"), photos(3), photos(1)
    recorder = ActivationRecorder(model, ["conv1", "relu1"])
    with unchanged(model):
        model(first)
        assert recorder.activations == {}
        with recorder as entered:
            assert entered is recorder
            model(first)
            assert len(recorder.activations["conv1"]) == 3
            model(second)
        model(first)
    expected = capture_activations(model, ["conv1", "relu1"], second)
    torch.testing.assert_close(recorder.activations, expected)
    assert not recorder.activations["conv1"].requires_grad


def test_the_recorder_can_be_used_again(unchanged):
    model = network("plain")
    recorder = ActivationRecorder(model, ["conv1"])
    with unchanged(model):
        with recorder:
            model(photos(3))
        kept = recorder.activations
        with recorder:
            assert recorder.activations == {}
            model(photos(1))
    assert len(kept["conv1"]) == 3
    assert len(recorder.activations["conv1"]) == 1


def test_a_recorder_entered_twice_leaves_no_hook(unchanged):
    model = network("plain")
    with unchanged(model):
        recorder = ActivationRecorder(model, ["conv1"])
        with recorder, recorder:
            model(photos())


def shifted_logits(model: nn.Module, layer: str, images: Tensor, shift: Tensor) -> Tensor:
    """Logits when `shift` is added to a layer's output: for finite differences."""
    module = model.get_submodule(layer)
    with torch.no_grad(), module.register_forward_hook(lambda m, i, output: output + shift):
        return model(images)


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_gradients_agree_with_finite_differences(name, layer):
    model, images, step = network(name), photos(), 1e-6
    gradient = capture_gradients(model, layer, images, TARGET)
    generator = torch.Generator().manual_seed(2)
    for _ in range(3):
        direction = torch.randn(gradient.shape, generator=generator, dtype=gradient.dtype)
        ahead = shifted_logits(model, layer, images, step * direction)
        behind = shifted_logits(model, layer, images, -step * direction)
        slope = ((ahead - behind) / (2 * step)).gather(1, TARGET[:, None])[:, 0]
        expected = (gradient * direction).flatten(1).sum(1)
        torch.testing.assert_close(slope, expected, rtol=1e-4, atol=1e-6)


def test_the_gradient_below_global_average_pooling_is_the_classifiers_row():
    model, images = network("inplace"), photos()
    gradient = capture_gradients(model, "relu2", images, TARGET)
    _, _, height, width = gradient.shape
    rows = model.classifier.weight.detach()[TARGET] / (height * width)
    torch.testing.assert_close(gradient, rows[:, :, None, None].expand_as(gradient))


@pytest.mark.parametrize("name", ["plain", "inplace", "functional", "normalised"])
def test_gradients_come_image_by_image_and_leave_no_trace(name, unchanged):
    model, images = network(name).requires_grad_(False), photos().requires_grad_()
    with unchanged(model, images), torch.no_grad():
        together = capture_gradients(model, "conv1", images, TARGET)
    alone = [
        capture_gradients(model, "conv1", images[i : i + 1], TARGET[i : i + 1]) for i in range(3)
    ]
    torch.testing.assert_close(together, torch.cat(alone))
    assert not together.requires_grad


def test_an_ablated_channel_takes_its_row_of_the_classifier_with_it(unchanged):
    model, images = network("inplace"), photos()
    with unchanged(model, images):
        ablated = ablate_channel(model, "relu2", 3, images)
    pooled = capture_activations(model, ["relu2"], images)["relu2"].mean((2, 3))
    lost = pooled[:, 3:4] * model.classifier.weight[:, 3]
    torch.testing.assert_close(ablated, (model(images) - lost).detach())
    assert not torch.equal(ablated, model(images))
    assert not ablated.requires_grad


def test_ablation_writes_on_a_copy(unchanged):
    # This layer hands on the caller's own memory.
    model, images = nn.Sequential(nn.Identity(), nn.Flatten()), photos()
    with unchanged(model, images):
        ablated = ablate_channel(model, "0", 1, images)
    assert ablated.view_as(images)[:, 1].eq(0).all()
    assert torch.equal(ablated.view_as(images)[:, ::2], images[:, ::2])


@pytest.mark.parametrize("layer", ["conv1", "conv2"])
def test_ablation_before_an_inplace_relu(layer):
    plain = ablate_channel(network("plain"), layer, 0, photos())
    torch.testing.assert_close(ablate_channel(network("inplace"), layer, 0, photos()), plain)


def test_there_is_no_such_channel():
    with pytest.raises(IndexError):
        ablate_channel(network("plain"), "conv1", 6, photos())


def test_the_grid_by_hand():
    activation = torch.tensor(
        [[[0.0, 5.0, 10.0]], [[-1.0, -1.0, -1.0]], [[3.0, 1.0, 2.0]]], dtype=torch.float64
    )
    expected = torch.tensor([[0, 0.5, 1, 0, 0, 0], [1, 0, 0.5, 0, 0, 0]], dtype=torch.float64)
    torch.testing.assert_close(feature_map_grid(activation, 2), expected, rtol=0, atol=0)
    assert feature_map_grid(activation, 5).shape == (1, 15)
    assert feature_map_grid(activation, 1).shape == (3, 3)


def test_the_grid_shows_each_channel_in_its_place():
    activation = photos(1)[0].repeat(3, 1, 1)[:7]
    before = activation.clone()
    grid = feature_map_grid(activation.requires_grad_(), 3)
    assert grid.shape == (3 * 14, 3 * 18)
    assert not grid.requires_grad
    for channel in range(7):
        row, column = divmod(channel, 3)
        tile = grid[14 * row : 14 * (row + 1), 18 * column : 18 * (column + 1)]
        low, high = before[channel].min(), before[channel].max()
        torch.testing.assert_close(tile, (before[channel] - low) / (high - low))
    assert grid[28:, 18:].eq(0).all()
    assert torch.equal(activation, before)


def test_one_layer_that_does_not_run_is_named():
    model = network("nested")
    for function in (capture_activation, channels_to_flip):
        with pytest.raises(ValueError, match="auxiliary"):
            function(model, "auxiliary", photos())
        with pytest.raises(AttributeError, match="conv9"):
            function(model, "conv9", photos())


class TwoClasses(nn.Module):
    """Class 0 adds up three channels, class 1 has the fourth: its flips are known on paper."""

    def __init__(self, bias: float = 0.0) -> None:
        super().__init__()
        self.features = nn.Identity()
        self.bias = bias

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.features(x).mean((2, 3))
        return torch.stack([pooled[:, :3].sum(1) + self.bias, pooled[:, 3]], 1)


def test_flips_known_on_paper(unchanged):
    #                  3 + 2 + 1 > 2.5, 2 + 1 > 2.5, 1 < 2.5: the second silent channel flips it.
    channels = torch.tensor([[3.0, 2.0, 1.0, 2.5], [1.0, 3.0, 2.0, 0.5], [1.0, 1.5, 0.5, 9.0]])
    images = channels[:, :, None, None].expand(3, 4, 2, 3).clone()
    model = TwoClasses()
    with unchanged(model, images):
        assert channels_to_flip(model, "features", images).tolist() == [2, 3, 1]
    # With such a head start class 0 wins on nothing at all: four silent channels are not enough.
    assert channels_to_flip(TwoClasses(bias=5.0), "features", images[:2]).tolist() == [5, 5]


@pytest.mark.parametrize(("name", "layer"), [("plain", "conv1"), ("residual", "conv2")])
def test_flips_agree_with_a_search_over_masked_images(name, layer):
    model, images = network(name), 30 * (photos(6) + photos(6).mean((2, 3), keepdim=True))
    with torch.no_grad():
        answer = model(images).argmax(1)
    share = capture_gradients(model, layer, images, answer)
    share *= capture_activations(model, [layer], images)[layer]
    for image, logits, said in zip(
        images.split(1), share.sum((2, 3)), channels_to_flip(model, layer, images), strict=True
    ):
        order = sorted(range(len(logits)), key=lambda channel: -float(logits[channel]))
        flips = []
        for count in range(1, len(order) + 1):
            shift = torch.zeros(1, len(order), 1, 1, dtype=torch.float64)
            shift[:, order[:count]] = -1
            activation = capture_activations(model, [layer], image)[layer]
            changed = shifted_logits(model, layer, image, shift * activation).argmax(1)
            flips += [count] if changed != model(image).argmax(1) else []
        assert int(said) == (flips or [len(order) + 1])[0]
