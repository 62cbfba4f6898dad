from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from captum.attr import NoiseTunnel
from captum.attr import Saliency as CaptumSaliency
from scipy import ndimage
from torch import Tensor, nn

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from lessons.toolkit.regions import connected_components, graph_segment
from solutions.l11_saliency import (
    saliency_box,
    saliency_lift,
    saliency_map,
    saliency_segmentation,
    smooth_grad,
)

NETWORKS = ["plain", "inplace", "functional", "relu6", "residual", "normalised", "linear"]
TARGET = torch.tensor([0, 4, 2])


def network(name: str) -> nn.Module:
    return build(ModelSpec(name, seed=1, dtype="float64"))


def photos(count: int = 3, height: int = 14, width: int = 17) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    contrast = torch.linspace(0.5, 2.0, count, dtype=torch.float64)[:, None, None, None]
    images = torch.randn(count, 3, height, width, generator=generator, dtype=torch.float64)
    return images * contrast


def smooth(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    return smooth_grad(model, images, target, samples=5, noise=0.15, seed=3)


MAPS = [saliency_map, smooth]


# The gradient


@pytest.mark.parametrize("name", NETWORKS)
def test_saliency_agrees_with_captum(name):
    model, images = network(name), photos()
    theirs = CaptumSaliency(model).attribute(images.requires_grad_(), TARGET, abs=True).amax(1)
    ours = saliency_map(model, images, TARGET)
    torch.testing.assert_close(ours, theirs.detach(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", ["inplace", "relu6", "residual", "normalised"])
def test_saliency_agrees_with_finite_differences(name):
    model, image, step = network(name), photos(1, 12, 13), 1e-6
    nudges = step * torch.eye(image.numel(), dtype=image.dtype).view(-1, *image.shape[1:])
    with torch.no_grad():
        rise = (model(image + nudges) - model(image - nudges))[:, 4]
    slopes = (rise / (2 * step)).view(image.shape)
    ours = saliency_map(model, image, torch.tensor([4]))
    torch.testing.assert_close(ours, slopes.abs().amax(1), rtol=0, atol=1e-7)


@pytest.mark.parametrize("method", MAPS)
def test_a_linear_network_has_its_weights_for_a_map(method):
    # Logit k is a weighted sum of the channels: the largest weight, at every pixel, noise or none.
    model, images = network("linear"), photos()
    largest = model.mix.weight.detach().abs().amax((1, 2, 3))[TARGET]
    expected = largest[:, None, None].expand(3, 14, 17)
    torch.testing.assert_close(method(model, images, TARGET), expected)


# SmoothGrad


@pytest.fixture
def float64_by_default() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("samples", [1, 11])
def test_smooth_grad_agrees_with_captum(name, samples, float64_by_default):
    # Captum draws from the global generator, in the default dtype, all copies at once: for one
    # image of a multiple of 16 values torch then gives it the same numbers.
    model, image, noise, target = network(name), photos(1, 14, 16), 0.2, torch.tensor([3])
    deviation = float(noise * (image.max() - image.min()))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        theirs = NoiseTunnel(CaptumSaliency(model)).attribute(
            image.requires_grad_(),
            nt_type="smoothgrad",
            nt_samples=samples,
            stdevs=deviation,
            target=target,
            abs=False,
        )
    ours = smooth_grad(model, image, target, samples, noise, seed=7)
    torch.testing.assert_close(ours, theirs.detach().abs().amax(1), rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", [1, 2, 3, 9])
@pytest.mark.parametrize("samples", [1, 8, 13])
def test_smooth_grad_is_its_definition_however_copies_are_batched(count, samples):
    model, images = network("residual"), photos(count, 13, 15)
    target = torch.arange(count) % 5
    generator = torch.Generator().manual_seed(5)
    spread = torch.stack([image.max() - image.min() for image in images])[:, None, None, None]
    total = torch.zeros_like(images)
    for _ in range(samples):
        draw = torch.randn(images.shape, generator=generator, dtype=images.dtype)
        noisy = (images + 0.3 * spread * draw).requires_grad_()
        total += torch.autograd.grad(model(noisy)[range(count), target].sum(), noisy)[0]
    ours = smooth_grad(model, images, target, samples, 0.3, seed=5)
    torch.testing.assert_close(ours, (total / samples).abs().amax(1))


def test_without_noise_or_contrast_smooth_grad_is_saliency():
    model, images = network("plain"), photos()
    plain = saliency_map(model, images, TARGET)
    torch.testing.assert_close(smooth_grad(model, images, TARGET, 4, noise=0.0), plain)
    flat = torch.full_like(images, 0.3)
    torch.testing.assert_close(
        smooth_grad(model, flat, TARGET, 4, noise=0.5), saliency_map(model, flat, TARGET)
    )


def test_the_mean_keeps_the_sign():
    # |x| has slope -1 or 1: around 0 they cancel, while the mean of magnitudes would be 1.
    class Magnitude(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images.abs().sum((1, 2, 3))[:, None]

    images = torch.zeros(1, 3, 40, 40)
    images[0, 0, 0] = torch.tensor([-1.0, 1.0]).repeat(20)  # something to have a range
    smooth_map = smooth_grad(Magnitude(), images, torch.tensor([0]), samples=100, noise=0.1)
    assert smooth_map[0, 0].eq(1).all()
    assert smooth_map[0, 1:].mean() < 0.2


def test_the_seed_decides():
    model, images = network("plain"), photos()
    first = smooth_grad(model, images, TARGET, 3, 0.2, seed=1)
    assert torch.equal(first, smooth_grad(model, images, TARGET, 3, 0.2, seed=1))
    assert not torch.allclose(first, smooth_grad(model, images, TARGET, 3, 0.2, seed=2))


# The caller's world


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", MAPS)
def test_no_trace(name, method, unchanged):
    model, images = network(name).requires_grad_(False), photos().requires_grad_()
    with unchanged(model, images), torch.no_grad():
        result = method(model, images, TARGET)
    assert result.shape == (3, 14, 17)
    assert result.dtype == torch.float64
    assert not result.requires_grad


@pytest.mark.parametrize("name", NETWORKS)
def test_saliency_image_by_image(name):
    model, images = network(name), photos()
    alone = [saliency_map(model, images[i : i + 1], TARGET[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(saliency_map(model, images, TARGET), torch.cat(alone))


def test_float32_stays_float32_and_close():
    single, images = build(ModelSpec("inplace", seed=1)), photos()
    result = saliency_map(single, images.float(), TARGET)
    assert result.dtype == torch.float32
    expected = saliency_map(network("inplace"), images, TARGET)
    torch.testing.assert_close(result.double(), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.gpu
@pytest.mark.parametrize("method", MAPS)
def test_on_a_gpu(method):
    model, images, target = network("plain").cuda(), photos().cuda(), TARGET.cuda()
    result = method(model, images, target)
    assert result.device == images.device
    # The noise, too, is the same on every device: it is drawn on the CPU.
    torch.testing.assert_close(result.cpu(), method(network("plain"), photos(), TARGET))
    assert torch.equal(result, method(model, images, target))


# The box


def blotches(seed: int, height: int = 23, width: int = 31) -> Tensor:
    """A random map with regions of many shapes."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.rand(1, height, width, generator=generator)
    return nn.functional.avg_pool2d(noise, 3, 1, 1)[0]


@pytest.mark.parametrize("seed", range(8))
def test_components_agree_with_scipy(seed):
    mask = blotches(seed) > 0.5
    theirs, count = ndimage.label(mask.numpy())
    ours = connected_components(mask).numpy()
    pairs = set(zip(ours.ravel().tolist(), theirs.ravel().tolist(), strict=True))
    assert len(pairs) == count + 1  # one of their numbers for each of ours, background included
    assert (0, 0) in pairs


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("quantile", [0.0, 0.5, 0.8, 0.95, 1.0])
def test_box_agrees_with_scipy(seed, quantile):
    saliency = blotches(seed)
    labels, _ = ndimage.label(saliency.numpy() >= np.quantile(saliency.numpy(), quantile))
    sizes = np.bincount(labels.ravel())[1:]
    boxes = ndimage.find_objects(labels)
    largest = [boxes[i] for i in np.flatnonzero(sizes == sizes.max())]
    expected = [(b[0].start, b[1].start, b[0].stop, b[1].stop) for b in largest]
    assert saliency_box(saliency, quantile) in expected


def test_box_on_paper():
    saliency = torch.zeros(5, 9)
    saliency[0, 0] = 9.0  # brighter, and alone
    saliency[1:4, 2] = saliency[3, 2:8] = 1.0
    assert saliency_box(saliency, 0.8) == (1, 2, 4, 8)
    assert saliency_box(saliency, 1.0) == (0, 0, 1, 1)
    assert saliency_box(torch.ones(4, 6), 0.9) == (0, 0, 4, 6)
    assert all(type(number) is int for number in saliency_box(saliency, 0.5))


# The segmentation


def scene() -> tuple[Tensor, Tensor, Tensor]:
    """A bright object on a dark ground, a noisy saliency map of it, and where it really is."""
    generator = torch.Generator().manual_seed(0)
    inside = torch.zeros(30, 40, dtype=torch.bool)
    inside[8:24, 10:25] = True
    image = torch.where(inside, 0.9, 0.2).expand(3, 30, 40)
    image = (image + 0.02 * torch.randn(3, 30, 40, generator=generator)).clamp(0, 1)
    saliency = torch.rand(30, 40, generator=generator) + 0.9 * inside
    return image, saliency, inside


def test_graph_segmentation_finds_the_object():
    image, saliency, inside = scene()
    before = image.clone(), saliency.clone()
    mask = saliency_segmentation(image, saliency)
    assert mask.dtype == torch.bool
    assert torch.equal(mask, inside)
    assert torch.equal(image, before[0])
    assert torch.equal(saliency, before[1])


def test_markers_are_the_two_tails():
    image, saliency, _ = scene()
    seen: list[Tensor] = []

    def keep(picture: Tensor, markers: Tensor) -> Tensor:
        assert picture is image
        seen.append(markers)
        return torch.full_like(markers, 2)

    assert saliency_segmentation(image, saliency, 0.9, 0.25, keep).all()
    (markers,) = seen
    assert markers.dtype == torch.long
    assert (markers == 1).double().mean() == pytest.approx(0.25, abs=0.01)
    assert (markers == 2).double().mean() == pytest.approx(0.10, abs=0.01)
    assert saliency[markers == 1].max() < saliency[markers == 0].min()
    assert saliency[markers == 0].max() < saliency[markers == 2].min()


def test_a_map_in_three_steps_still_has_both_seeds():
    # Many pixels share the value of each quantile: comparing strictly would find no seed.
    image, _, inside = scene()
    saliency = inside.float()
    saliency[:, 20:] = 0.5
    assert torch.equal(saliency_segmentation(image, saliency, 0.9, 0.3), inside)


def test_graph_segment_keeps_its_seeds():
    image, _, _ = scene()
    markers = torch.zeros(30, 40, dtype=torch.long)
    markers[0, 0], markers[15, 15] = 1, 2
    labels = graph_segment(image, markers)
    assert labels.dtype == torch.long
    assert labels[markers > 0].tolist() == markers[markers > 0].tolist()
    assert set(labels.unique().tolist()) == {1, 2}


# Lift


def test_lift_agrees_with_numpy():
    saliency = saliency_map(network("plain"), photos(), TARGET)
    masks = photos().sum(1) > 0.5
    share = [
        np.average(mask, weights=one)
        for one, mask in zip(saliency.numpy(), masks.numpy(), strict=True)
    ]
    expected = np.array(share) / masks.double().mean((1, 2)).numpy()
    np.testing.assert_allclose(saliency_lift(saliency, masks), expected, rtol=1e-10)


def test_a_map_that_is_the_same_everywhere_has_the_lift_of_chance():
    # Each pixel of the linear network has the same slope, so its saliency knows no place.
    saliency = saliency_map(network("linear"), photos(), TARGET)
    masks = torch.zeros(3, 14, 17, dtype=torch.bool)
    masks[:, 2:5, 3:11] = True
    torch.testing.assert_close(saliency_lift(saliency, masks), torch.ones(3, dtype=torch.float64))


def test_lift_on_paper():
    saliency = torch.tensor([[[4.0, 4.0], [1.0, 1.0]], [[0.0, 0.0], [2.0, 0.0]], [[0.0] * 2] * 2])
    masks = torch.tensor([[[True, False], [False, False]]]).expand(3, 2, 2)
    assert saliency_lift(saliency, masks).tolist() == pytest.approx([1.6, 0.0, 0.0])
    assert saliency_lift(7 * saliency, masks)[0] == saliency_lift(saliency, masks)[0]
    with pytest.raises(ValueError, match="pixel"):
        saliency_lift(saliency, torch.zeros(3, 2, 2, dtype=torch.bool))


# At the edges


@pytest.mark.parametrize(("samples", "count"), [(0, 2), (-1, 2), (3, 0)])
def test_smooth_grad_needs_a_sample_and_an_image(samples, count):
    target = torch.zeros(count, dtype=torch.long)
    with pytest.raises(ValueError, match="one of each is the least"):
        smooth_grad(network("plain"), photos(count), target, samples, 0.1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_maps_in_half_precision_are_cut_as_in_float32(dtype):
    generator = torch.Generator().manual_seed(2)
    saliency = torch.rand(9, 12, generator=generator).to(dtype)
    image = torch.rand(3, 9, 12, generator=generator).to(dtype)
    assert saliency_box(saliency, 0.7) == saliency_box(saliency.float(), 0.7)
    ours = saliency_segmentation(image, saliency)
    assert torch.equal(ours, saliency_segmentation(image, saliency.float()))
