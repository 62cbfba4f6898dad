from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from captum.attr import GuidedGradCam, LayerGradCam
from pytorch_grad_cam import GradCAM as PackageGradCam
from pytorch_grad_cam.utils.image import scale_cam_image
from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget
from skimage.transform import resize
from torch import Tensor, nn
from torch.nn import functional as F
from torchcam.methods import GradCAM as TorchGradCam

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from solutions.l02_hooks import capture_activations, capture_gradients
from solutions.l12_guided_backprop import guided_backprop
from solutions.l14_grad_cam import (
    activation_and_gradient,
    channel_weights,
    counterfactual,
    covering_test,
    grad_cam,
    guided_grad_cam,
)

TARGET = torch.tensor([0, 4, 2])
MAPS = [grad_cam, counterfactual]
LAYERS = [
    ("plain", "conv1"),
    ("plain", "conv2"),
    ("plain", "relu2"),
    ("inplace", "conv2"),
    ("inplace", "relu1"),
    ("functional", "conv2"),
    ("relu6", "relu1"),
    ("residual", "stem"),
    ("residual", "conv2"),
    ("normalised", "norm"),
    ("normalised", "relu2"),
]


def network(name: str) -> nn.Module:
    return build(ModelSpec(name, seed=1, dtype="float64"))


def photos(count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, 14, 18, generator=generator, dtype=torch.float64)


def package_grad_cam(model: nn.Module, layer: str, images: Tensor, target: Tensor) -> np.ndarray:
    """Grad-CAM of the grad-cam package: enlarged to the image and scaled to [0, 1]."""
    targets = [ClassifierOutputTarget(k) for k in target.tolist()]
    with PackageGradCam(model, [model.get_submodule(layer)]) as method:
        return method(images.clone(), targets)


def torchcam_grad_cam(model: nn.Module, layer: str, images: Tensor, target: Tensor) -> Tensor:
    with TorchGradCam(model, layer, input_shape=tuple(images.shape[1:])) as method:
        return method(target.tolist(), model(images.clone()), normalized=False)[0]


# The weights


def test_weights_by_hand():
    gradients = torch.tensor([[[[1.0, 3.0], [0.0, 0.0]], [[-4.0, 0.0], [0.0, 0.0]]]])
    assert channel_weights(gradients).tolist() == [[1, -1]]


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_activation_and_gradient_agree_with_lesson_two(name, layer):
    # Lesson 2's functions are themselves tested by finite differences.
    model, images = network(name), photos()
    activation, gradient = activation_and_gradient(model, layer, images, TARGET)
    torch.testing.assert_close(activation, capture_activations(model, [layer], images)[layer])
    torch.testing.assert_close(gradient, capture_gradients(model, layer, images, TARGET))


# Grad-CAM against the peers and against mathematics


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_agrees_with_captum(name, layer):
    model, images = network(name), photos()
    theirs = LayerGradCam(model, model.get_submodule(layer)).attribute(images, TARGET)[:, 0]
    close = {"rtol": 0, "atol": 1e-12}
    torch.testing.assert_close(
        grad_cam(model, layer, images, TARGET), F.relu(theirs).detach(), **close
    )
    torch.testing.assert_close(
        counterfactual(model, layer, images, TARGET), F.relu(-theirs).detach(), **close
    )


# Layers without an in-place ReLU behind them.
QUIET = [row for row in LAYERS if row not in [("inplace", "conv2"), ("normalised", "norm")]]


@pytest.mark.parametrize(("name", "layer"), QUIET)
def test_agrees_with_torchcam(name, layer):
    model, images = network(name), photos()
    ours = grad_cam(model, layer, images, TARGET)
    theirs = torchcam_grad_cam(model, layer, images, TARGET)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("name", "layer"), QUIET)
def test_agrees_with_the_grad_cam_package_once_scaled_its_way(name, layer):
    images = photos()
    ours = grad_cam(network(name), layer, images, TARGET).numpy()
    scaled = scale_cam_image(scale_cam_image(ours, (18, 14)))
    np.testing.assert_allclose(
        scaled, package_grad_cam(network(name), layer, images, TARGET), atol=1e-6
    )


def test_an_inplace_relu_which_torchcam_and_the_grad_cam_package_let_overwrite_the_map():
    # The same weights with and without in-place ReLU are the same function: the maps must agree.
    images = photos()
    truth = grad_cam(network("plain"), "conv2", images, TARGET)
    assert truth.amax((1, 2)).min() > 0
    torch.testing.assert_close(grad_cam(network("inplace"), "conv2", images, TARGET), truth)

    assert torch.allclose(torchcam_grad_cam(network("plain"), "conv2", images, TARGET), truth)
    overwritten = torchcam_grad_cam(network("inplace"), "conv2", images, TARGET)
    assert (overwritten - truth).abs().max() > 0.1 * truth.max()

    right = package_grad_cam(network("plain"), "conv2", images, TARGET)
    assert np.abs(package_grad_cam(network("inplace"), "conv2", images, TARGET) - right).max() > 0.1


@pytest.mark.parametrize(("name", "layer"), [("plain", "relu2"), ("inplace", "relu2")])
def test_cam_is_area_times_grad_cam_before_its_relu(name, layer):
    model, images = network(name), photos()
    features = capture_activations(model, [layer], images)[layer]
    rows = model.classifier.weight.detach()[TARGET]
    cam = (rows[:, :, None, None] * features).sum(1)
    area = features.shape[2] * features.shape[3]
    torch.testing.assert_close(area * grad_cam(model, layer, images, TARGET), cam.clamp(min=0))
    torch.testing.assert_close(
        area * counterfactual(model, layer, images, TARGET), (-cam).clamp(min=0)
    )


class Stripes(nn.Module):
    """Two features, red and green, side by side in two places: every map is known on paper.

    Logits: red - green, and minus twice the blue, averaged over the places.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Identity()
        self.weight = nn.Parameter(torch.tensor([[1.0, -1.0, 0.0], [0.0, 0.0, -2.0]]))

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images).mean((2, 3)) @ self.weight.T


def test_maps_on_paper():
    # red, green, blue at the left and at the right
    image = torch.tensor([[[[4.0, 1.0]], [[0.0, 3.0]], [[1.0, 1.0]]]])
    red, blue = torch.tensor([0]), torch.tensor([1])
    # Class 0: weights (1, -1, 0) / 2. Left 4 - 0, right 1 - 3.
    assert grad_cam(Stripes(), "layer", image, red).tolist() == [[[2, 0]]]
    assert counterfactual(Stripes(), "layer", image, red).tolist() == [[[0, 1]]]
    # Class 1: blue speaks against it everywhere.
    assert grad_cam(Stripes(), "layer", image, blue).tolist() == [[[0, 0]]]
    assert counterfactual(Stripes(), "layer", image, blue).tolist() == [[[1, 1]]]


class Wall(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx, gradient: Tensor) -> Tensor:
        raise AssertionError("the backward pass went on below the layer")


def test_the_backward_pass_stops_at_the_layer():
    model, images = network("plain"), photos().requires_grad_()
    pool = model.pool
    model.pool = nn.Sequential(pool)
    with model.pool.register_forward_hook(lambda m, i, output: Wall.apply(output)):
        with pytest.raises(AssertionError, match="below the layer"):
            model(images).sum().backward()
        stopped = grad_cam(model, "conv2", images, TARGET)
    torch.testing.assert_close(stopped, grad_cam(network("plain"), "conv2", images, TARGET))


# Guided Grad-CAM


@pytest.mark.parametrize(("name", "layer"), [("plain", "relu2"), ("inplace", "conv2")])
def test_guided_grad_cam_agrees_with_captum(name, layer):
    model, images = network(name), photos()
    ours = guided_grad_cam(model, layer, images, TARGET)
    method = GuidedGradCam(model, model.get_submodule(layer))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces its hooks
        theirs = method.attribute(images, TARGET, interpolate_mode="bilinear")
    assert ours.abs().amax((1, 2, 3)).min() > 0
    torch.testing.assert_close(ours, theirs.detach(), rtol=0, atol=1e-12)


def test_guided_grad_cam_enlarges_by_area_not_by_corners():
    class Halves(Stripes):
        def forward(self, images: Tensor) -> Tensor:
            return super().forward(F.avg_pool2d(images, (1, 2)))

    # Two places, Grad-CAM 2 and 0, under four columns: their centres lie at 1/4 and 3/4.
    image = torch.tensor([[[[4.0, 4.0, 1.0, 1.0]], [[0.0, 0.0, 3.0, 3.0]], [[1.0] * 4]]])
    guided = torch.tensor([1.0, -1.0, 10.0]).view(1, 3, 1, 1).expand(1, 3, 1, 4)
    result = guided_grad_cam(Halves(), "layer", image, torch.tensor([0]), guided)
    row = torch.tensor([2, 1.5, 0.5, 0])
    torch.testing.assert_close(result[0, :, 0], torch.stack([row, -row, 10 * row]))


def test_guided_grad_cam_takes_the_gradients_it_is_given(unchanged):
    model, images = network("functional"), photos().requires_grad_()
    guided = guided_backprop(model, images, TARGET).requires_grad_()
    with unchanged(model, images, guided), torch.no_grad():
        given = guided_grad_cam(model, "conv2", images, TARGET, guided)
    torch.testing.assert_close(given, guided_grad_cam(model, "conv2", images, TARGET))
    assert not guided_grad_cam(model, "conv2", images, TARGET, guided).requires_grad
    # A network without ReLU has no guided gradients of its own.
    linear = network("linear")
    with pytest.raises(ValueError, match="no ReLU"):
        guided_grad_cam(linear, "mix", images, TARGET)
    assert guided_grad_cam(linear, "mix", images, TARGET, guided).shape == images.shape


# The caller's world


@pytest.mark.parametrize(("name", "layer"), LAYERS)
@pytest.mark.parametrize("method", [*MAPS, guided_grad_cam])
def test_image_by_image_and_no_trace(name, layer, method, unchanged):
    model, images = network(name).requires_grad_(False), photos().requires_grad_()
    with unchanged(model, images), torch.no_grad():
        together = method(model, layer, images, TARGET)
    alone = [method(model, layer, images[i : i + 1], TARGET[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))
    assert not together.requires_grad
    assert together.dtype == torch.float64


@pytest.mark.parametrize("method", [*MAPS, guided_grad_cam])
def test_no_hook_survives_an_exception(method, unchanged):
    model, target = network("inplace"), torch.tensor([0])
    with unchanged(model):
        with pytest.raises(RuntimeError):
            method(model, "conv1", torch.zeros(1, 4, 14, 14, dtype=torch.float64), target)
        with pytest.raises(AttributeError, match="conv9"):
            method(model, "conv9", photos(1), target)


@pytest.mark.parametrize("enabled", [True, False])
def test_the_callers_grad_mode_comes_back_after_an_exception(enabled):
    class Breaks(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            raise RuntimeError("on purpose")

    model = network("plain")
    model.classifier = Breaks()
    with torch.set_grad_enabled(enabled):
        with pytest.raises(RuntimeError, match="on purpose"):
            grad_cam(model, "conv1", photos(), TARGET)
        assert torch.is_grad_enabled() == enabled


@pytest.mark.parametrize("method", MAPS)
def test_float32_stays_float32_and_close(method):
    single = build(ModelSpec("inplace", seed=1))
    expected = method(network("inplace"), "conv2", photos(), TARGET)
    result = method(single, "conv2", photos().float(), TARGET)
    assert result.dtype == torch.float32
    torch.testing.assert_close(result.double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("method", [*MAPS, guided_grad_cam])
def test_on_a_gpu(method):
    images, target = photos().cuda(), TARGET.cuda()
    result = method(network("inplace").cuda(), "conv2", images, target)
    assert result.device == images.device
    torch.testing.assert_close(result.cpu(), method(network("inplace"), "conv2", photos(), TARGET))


# Covering


def test_covering_agrees_with_scikit_image(unchanged):
    model, images = network("plain"), photos() + 0.8
    maps = grad_cam(model, "conv2", images, TARGET)
    with unchanged(model, images):
        changes = covering_test(model, images, TARGET, maps, share=0.2)
    with torch.no_grad():
        for flip, change in zip((slice(None), slice(None, None, -1)), changes, strict=True):
            covered = images.clone()
            for image, cam in zip(covered, maps.numpy(), strict=True):
                # Order 1 is bilinear; the grids cover the same area, as with corners not aligned.
                large = resize(cam, images.shape[-2:], order=1, mode="edge", anti_aliasing=False)
                image[:, torch.from_numpy((large > np.quantile(large, 0.8))[:, flip].copy())] = 0
            expected = (model(covered) - model(images))[torch.arange(3), TARGET]
            torch.testing.assert_close(change, expected)


def test_covering_a_network_without_places_takes_away_what_lay_there():
    model, images = network("linear"), photos() + 0.8
    left = torch.zeros(3, 1, 2, dtype=torch.float64)
    left[..., 0] = torch.tensor([[1.0], [5.0], [0.1]])
    weight = model.mix.weight.detach()[TARGET]
    covered, control = covering_test(model, images, TARGET, left, share=0.5)
    torch.testing.assert_close(covered, -(weight * images)[..., :9].sum((1, 2, 3)))
    torch.testing.assert_close(control, -(weight * images)[..., 9:].sum((1, 2, 3)))


def test_a_map_that_says_nothing_covers_nothing():
    model, images = network("plain"), photos()
    maps = torch.zeros(3, 4, 5, dtype=torch.float64)
    for change in covering_test(model, images, TARGET, maps, share=0.3):
        assert change.eq(0).all()
