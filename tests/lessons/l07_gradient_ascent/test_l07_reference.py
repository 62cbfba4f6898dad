"""The references against PyTorch's optimisers, NumPy, SciPy, and networks known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import ndimage
from torch import Tensor, nn

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from solutions.l07_gradient_ascent import (
    COLOURS,
    ascent_step,
    blurred,
    class_image,
    class_portrait,
    contrasted,
    filter_pattern,
    fourier_image,
    normalise_gradient,
    random_view,
    total_variation,
)

DOUBLE = torch.float64
NETWORKS = ["plain", "inplace", "functional", "residual", "normalised", "nested", "frozen"]


def network(name: str, seed: int = 0, dtype: str = "float64") -> nn.Module:
    return build(ModelSpec(name, seed=seed, dtype=dtype))


def photos(count: int = 2, height: int = 14, width: int = 18) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(count, 3, height, width, generator=generator, dtype=DOUBLE)


def logit(model: nn.Module, image: Tensor, target: int) -> float:
    with torch.no_grad():
        return float(model(image)[0, target])


def test_total_variation_by_hand_and_by_numpy():
    image = torch.tensor([[[[0.0, 2.0, -1.0], [5.0, 2.0, 0.0]]]])
    assert float(total_variation(image)) == (5 + 0 + 1) + (2 + 3 + 3 + 2)
    images = photos(3)
    expected = sum(np.abs(np.diff(images.numpy(), axis=axis)).sum() for axis in (2, 3))
    assert float(total_variation(images)) == pytest.approx(expected, rel=1e-12)


def test_total_variation_has_a_gradient():
    # Every pixel counts +1 or -1 for each neighbour that it is above or below.
    image = torch.tensor([[[[0.0, 3.0, 1.0]]]], requires_grad=True)
    total_variation(image).backward()
    assert image.grad is not None
    assert image.grad.flatten().tolist() == [-1, 2, -1]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_is_one_step_of_sgd_on_the_opposite(name, unchanged):
    model, images, target = network(name), photos(), torch.tensor([3, 1])
    with unchanged(model, images):
        step = ascent_step(model, images, target, rate=7.0, l2=0.02)
    other = images.clone().requires_grad_()
    loss = 0.02 * (other**2).sum() - model(other)[[0, 1], target].sum()
    (other.grad,) = torch.autograd.grad(loss, other)
    torch.optim.SGD([other], lr=7.0).step()
    torch.testing.assert_close(step, other.detach(), rtol=1e-12, atol=1e-12)


def test_on_a_linear_network_every_step_is_known_and_the_score_never_falls():
    model = network("linear")
    weight = model.mix.weight[:, :, 0, 0].detach()
    image, target = photos(1), torch.tensor([2])
    expected, scores = image, [logit(model, image, 2)]
    for _ in range(6):
        image = ascent_step(model, image, target, rate=0.3, l2=0.05)
        expected = 0.97 * expected + 0.3 * weight[2].view(1, 3, 1, 1)
        torch.testing.assert_close(image, expected)
    seen = class_image(
        model,
        target,
        photos(1),
        12,
        0.3,
        jitter=5,
        watch=lambda step, image: scores.append(logit(model, image, 2)),
    )
    gain = 0.3 * 14 * 18 * float(weight[2].square().sum())
    differences = torch.tensor(scores).diff()
    torch.testing.assert_close(differences, torch.full_like(differences, gain), rtol=1e-4, atol=0)
    assert not seen.requires_grad


def test_unit_size_is_what_numpy_says():
    gradients = photos(4) * torch.tensor([1e-12, 1e-3, 0.0, 1e5]).view(4, 1, 1, 1)
    unit = normalise_gradient(gradients.requires_grad_()).numpy()
    size = np.sqrt((unit**2).mean((1, 2, 3)))
    np.testing.assert_allclose(size, [1, 1, 0, 1], rtol=1e-12)
    cosine = (unit[1] * gradients[1].detach().numpy()).sum()
    assert cosine == pytest.approx(
        np.linalg.norm(unit[1]) * float(gradients[1].detach().norm()), rel=1e-12
    )


@pytest.mark.parametrize("width", [0.5, 1.0, 2.3])
def test_the_blur_is_scipys(width):
    image = photos(1, 20, 23)
    reach = math.ceil(3 * width)
    expected = ndimage.gaussian_filter(
        image.numpy(), (0, 0, width, width), mode="nearest", radius=(0, 0, reach, reach)
    )
    np.testing.assert_allclose(blurred(image, width).numpy(), expected, rtol=1e-10, atol=1e-12)
    assert torch.equal(blurred(image, 0), image)


@pytest.mark.parametrize("name", ["plain", "inplace", "residual", "normalised"])
def test_a_climb_is_its_steps_and_leaves_no_trace(name, unchanged):
    model, target = network(name), torch.tensor([4])
    start = (0.3 * photos(1)).requires_grad_()
    with unchanged(model, start), torch.no_grad():
        image = class_image(model, target, start, 4, 20.0, l2=1e-3, blur_every=2, blur_width=0.8)
    by_hand = start.detach()
    for step in range(4):
        by_hand = ascent_step(model, by_hand, target, 20.0, 1e-3)
        by_hand = blurred(by_hand, 0.8) if step % 2 else by_hand
    torch.testing.assert_close(image, by_hand)
    unblurred = class_image(model, target, start, 4, 20.0)
    assert logit(model, unblurred, 4) > logit(model, start, 4)


def test_each_regulariser_does_what_it_says():
    model, target, start = network("plain"), torch.tensor([0]), 0.3 * photos(1)

    def climb(**settings):
        return class_image(model, target, start, 5, 20.0, **settings)

    plain = climb()
    assert climb(l2=0.005).norm() < plain.norm()
    assert total_variation(climb(blur_every=1)) < 0.6 * total_variation(plain)
    for name in ("small_pixels", "small_gradients"):
        silent = (climb(**{name: 0.25}) == 0).all(1).float().mean()
        assert float(silent) == pytest.approx(0.25, abs=0.01)
    kept = climb(small_pixels=0.5)
    loud = plain.norm(dim=1) > plain.norm(dim=1).quantile(0.8)
    assert (kept.norm(dim=1)[loud] > 0).float().mean() > 0.9


def test_jitter_is_undone_and_comes_from_the_seed():
    model, start = network("plain"), 0.3 * photos(1)
    tiny = class_image(model, torch.tensor([1]), start, 9, 1e-9, jitter=6, seed=3)
    torch.testing.assert_close(tiny, start, rtol=0, atol=1e-7)
    one, same, other = (
        class_image(model, torch.tensor([1]), start, 5, 20.0, jitter=4, seed=seed)
        for seed in (1, 1, 2)
    )
    assert torch.equal(one, same)
    assert not torch.allclose(one, other)


class Interrupted(nn.Module):
    """A network that somebody loses patience with at the fourth pass."""

    def __init__(self) -> None:
        super().__init__()
        self.inner, self.passes = network("plain"), 0

    def forward(self, images: Tensor) -> Tensor:
        self.passes += 1
        if self.passes == 4:
            raise KeyboardInterrupt
        return self.inner(images)


def test_an_interrupt_keeps_the_image_so_far():
    target, start = torch.tensor([1]), 0.3 * photos(1)
    stopped = class_image(Interrupted(), target, start, 99, 20.0)
    torch.testing.assert_close(stopped, class_image(network("plain"), target, start, 3, 20.0))
    portrait = class_portrait(Interrupted(), target, (12, 16), 99)
    torch.testing.assert_close(portrait, class_portrait(network("plain"), target, (12, 16), 3))
    pattern = filter_pattern(Interrupted(), "inner.conv1", 2, (12, 16), 99, 0.1)
    expected = filter_pattern(network("plain"), "conv1", 2, (12, 16), 3, 0.1)
    torch.testing.assert_close(pattern, expected)


def test_the_pattern_of_a_linear_channel_is_its_weight(unchanged):
    # The mean of a 1x1 convolution rises fastest along its weight, at every pixel alike.
    model = network("linear")
    weight = model.mix.weight[3, :, 0, 0].detach()
    with unchanged(model):
        pattern = filter_pattern(model, "mix", 3, (9, 12), 5, 0.2, seed=7)
    noise = filter_pattern(model, "mix", 3, (9, 12), 0, 0.2, seed=7)
    unit = weight / weight.square().mean().sqrt()
    torch.testing.assert_close(pattern, noise + unit.view(1, 3, 1, 1).expand_as(noise))
    assert float(noise.std()) == pytest.approx(0.1, rel=0.1)


def test_a_pattern_excites_its_own_channel_most():
    model = network("plain")
    patterns = [filter_pattern(model, "conv2", channel, (16, 16), 15, 0.1) for channel in range(8)]
    kept = []
    with torch.no_grad(), model.conv2.register_forward_hook(lambda *given: kept.append(given[2])):
        model(torch.cat([filter_pattern(model, "conv2", 0, (16, 16), 0, 0.1), *patterns]))
    rise = (kept[0][1:] - kept[0][:1]).mean((2, 3))  # (patterns, channels)
    assert torch.equal(rise.argmax(0), torch.arange(8))


def test_blurred_gradients_make_smoother_patterns():
    rough = [
        total_variation(filter_pattern(network("plain"), "conv1", 2, (18, 20), 9, 0.1, width))
        for width in (0.0, 0.6, 1.5)
    ]
    assert rough == sorted(rough, reverse=True) and rough[2] < 0.8 * rough[0]


@pytest.mark.parametrize("size", [(8, 10), (7, 9), (5, 12), (1, 6)])
def test_a_picture_from_waves_is_numpys(size):
    height, width = size
    generator = torch.Generator().manual_seed(3)
    spectrum = torch.randn(2, 3, height, width // 2 + 1, 2, generator=generator, dtype=DOUBLE)
    rows, columns = np.fft.fftfreq(height), np.fft.rfftfreq(width)
    frequency = np.maximum(np.hypot(rows[:, None], columns[None]), 1 / max(size))
    waves = torch.view_as_complex(spectrum).numpy() / frequency**0.8
    planes = np.fft.irfft2(waves, s=size, norm="ortho")
    rgb = np.einsum("ck,nkhw->nchw", np.array(COLOURS), planes)
    expected = 1 / (1 + np.exp(-rgb))
    np.testing.assert_allclose(fourier_image(spectrum, size, 0.8), expected, rtol=1e-10)


def test_one_wave_is_a_cosine():
    spectrum = torch.zeros(1, 3, 6, 5, 2, dtype=DOUBLE)
    spectrum[0, 0, 0, 2, 0] = 1.0
    picture = fourier_image(spectrum, (6, 8), decay=1.0)
    # Two waves across eight pixels: frequency 1/4, and a wave and its mirror image add up.
    wave = 2 * 4 * torch.cos(2 * math.pi * torch.arange(8, dtype=DOUBLE) / 4) / math.sqrt(48)
    for colour, (share, _, _) in zip(picture[0], COLOURS, strict=True):
        torch.testing.assert_close(colour.logit(), (share * wave).expand(6, 8))


def test_colours_are_mixtures_that_do_not_depend_on_each_other():
    mixture = torch.tensor(COLOURS)
    assert int(torch.linalg.matrix_rank(mixture)) == 3
    # The first is light and dark, alike in all colours; the others cancel out in a grey.
    assert float(mixture[:, 0].std() / mixture[:, 0].mean()) < 0.03
    assert float(mixture[:, 1].sum().abs()) < 0.01 and float(mixture[:, 2].sum().abs()) < 0.02


def test_a_view_is_another_place_of_the_same_picture():
    yes = torch.Generator().manual_seed(0)
    ramp = torch.linspace(0, 1, 64).expand(1, 3, 48, 64).contiguous()
    spans = [float(random_view(ramp, yes)[..., 24, :].diff(dim=-1)[..., 8:-8].mean()) * 63
             for _ in range(50)]  # fmt: skip
    assert min(spans) > 0.5 and max(spans) < 1.01
    assert max(spans) - min(spans) > 0.3
    flat = torch.full((2, 3, 9, 7), 0.4, requires_grad=True)
    view = random_view(flat, yes)
    torch.testing.assert_close(view, flat)
    assert view.requires_grad


def test_a_turn_keeps_the_picture_round():
    # A disc stays a disc in a picture that is no square.
    rows, columns = torch.meshgrid(torch.arange(60.0), torch.arange(90.0), indexing="ij")
    disc = (((rows - 29.5) ** 2 + (columns - 44.5) ** 2) < 12**2).float()
    generator = torch.Generator().manual_seed(2)
    for _ in range(8):
        seen = random_view(disc.expand(1, 3, 60, 90), generator)[0, 0] > 0.5
        height, width = seen.any(1).sum(), seen.any(0).sum()
        assert abs(int(height) - int(width)) <= 1


def test_a_portrait_is_seen_from_anywhere(unchanged):
    model, target = network("plain"), torch.tensor([1])
    with unchanged(model), torch.no_grad():
        portrait = class_portrait(model, target, (18, 20), 15, rate=0.05)
    assert portrait.dtype == DOUBLE and not portrait.requires_grad
    assert portrait.min() >= 0 and portrait.max() <= 1
    generator = torch.Generator().manual_seed(9)
    views = torch.cat([random_view(portrait, generator) for _ in range(6)])
    with torch.no_grad():
        assert model(views)[:, 1].min() > logit(model, torch.full_like(portrait, 0.5), 1)
    again = class_portrait(model, target, (18, 20), 15, rate=0.05)
    other = class_portrait(model, target, (18, 20), 15, rate=0.05, seed=1)
    assert torch.equal(portrait, again) and not torch.equal(portrait, other)


def test_contrast_is_for_the_eye():
    picture = contrasted(0.01 * photos(1, 40, 50)[0] + 3)
    assert float(picture.mean()) == pytest.approx(0.5, abs=0.01)
    assert float(picture.std()) == pytest.approx(0.22, abs=0.02)
    assert contrasted(torch.full((3, 4, 5), 0.3)).isfinite().all()


def test_memory_stays_flat_over_steps():
    # What hangs on a graph is alive: no image of an earlier step may be.
    seen = []
    class_image(
        network("plain"),
        torch.tensor([0]),
        photos(1),
        6,
        1.0,
        watch=lambda *given: seen.append(given[1]),
    )
    assert len(seen) == 6 and all(image.grad_fn is None for image in seen)


@pytest.mark.gpu
def test_everything_runs_on_a_gpu():
    model, target = network("plain", dtype="float32").cuda(), torch.tensor([1]).cuda()
    start = photos(1).float().cuda()
    image = class_image(
        model, target, start, 3, 1.0, l2=0.01, blur_every=1, small_pixels=0.2, jitter=2
    )
    pattern = filter_pattern(model, "conv1", 1, (12, 14), 3, 0.1)
    portrait = class_portrait(model, target, (12, 14), 3)
    assert {image.device.type, pattern.device.type, portrait.device.type} == {"cuda"}
