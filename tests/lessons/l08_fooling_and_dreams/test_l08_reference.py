"""The references against Pillow, NumPy, finite differences, and networks known on paper."""

from __future__ import annotations

import gc
import io
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from solutions.l08_fooling_and_dreams import (
    deep_dream,
    dream_gradient,
    dream_step,
    fooling_image,
    is_fooled_after_saving,
    pattern_size,
    random_shift,
    resized,
)

LAYERS = [
    ("plain", "conv1"),
    ("inplace", "conv1"),
    ("inplace", "conv2"),
    ("functional", "conv2"),
    ("residual", "relu"),
    ("nested", "blocks.0.conv"),
    ("normalised", "norm"),
]


def network(name: str) -> nn.Module:
    return build(ModelSpec(name, seed=1, dtype="float64"))


def picture(height: int = 14, width: int = 18, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, height, width, generator=generator, dtype=torch.float64)


def two_classes(size: int, seed: int = 0) -> nn.Module:
    """Two classes whose border is a plane."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return nn.Sequential(nn.Flatten(), nn.Linear(size, 2)).double()


def saved(image: Tensor) -> Tensor:
    """The picture after a real file has been written and read."""
    pixels = (255 * image[0].clamp(0, 1)).round().to(torch.uint8).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    read = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)[None]
    return read.to(image.dtype) / 255


def test_saving_is_what_a_file_does(unchanged):
    model, answers = network("linear"), set()
    for seed in range(40):
        image = 1.4 * picture(5, 7, seed) - 0.2
        with torch.no_grad():
            answer = model(saved(image)).argmax(1)
        with unchanged(model, image):
            assert is_fooled_after_saving(model, image, answer) is True
            assert is_fooled_after_saving(model, image, (answer + 1) % 5) is False
        answers.add(int(answer))
    assert len(answers) > 1


@pytest.mark.parametrize("rate", [0.001, 0.01])
def test_steps_towards_a_plane_are_known_on_paper(rate, unchanged):
    image = 0.3 + 0.4 * picture(6, 5)
    model = two_classes(90)
    with torch.no_grad():
        logits = model(image)[0]
    target = logits.argmin()
    weight = (model[1].weight[target] - model[1].weight[1 - target]).detach().view_as(image)
    lead = float(logits.max() - logits.min())
    steps = math.floor(lead / (rate * float(weight.abs().sum()))) + 1
    with unchanged(model, image):
        fooling = fooling_image(model, image, target[None], rate, 500, 1.0)
    torch.testing.assert_close(fooling, image + steps * rate * weight.sign(), rtol=0, atol=1e-12)
    # One step fewer is not enough, and the picture comes back all the same.
    near = fooling_image(model, image, target[None], rate, steps - 1, 1.0)
    torch.testing.assert_close(near, image + (steps - 1) * rate * weight.sign())


@pytest.mark.parametrize("epsilon", [0.02, 0.3])
def test_a_picture_stays_where_it_may_be(epsilon):
    image, model = picture(), network("plain")
    target = model(image).argmin(1)
    fooling = fooling_image(model, image, target, 0.011, 60, epsilon)
    assert float((fooling - image).abs().max()) <= epsilon + 1e-12
    assert float(fooling.min()) >= 0 and float(fooling.max()) <= 1
    assert torch.isclose((fooling - image).abs().max(), torch.tensor(epsilon).double(), atol=0.02)


def test_what_is_fooled_already_comes_back_as_it_was(unchanged):
    image, model = picture(), network("normalised")
    with unchanged(model, image):
        fooling = fooling_image(model, image, model(image).argmax(1), 0.1, 5, 0.5)
    assert torch.equal(fooling, image) and fooling.data_ptr() != image.data_ptr()


def loudness(model: nn.Module, layer: str, image: Tensor) -> float:
    kept: list[Tensor] = []

    def listen(module, inputs, output):
        kept.append(output.square().mean())

    with torch.no_grad(), model.get_submodule(layer).register_forward_hook(listen):
        model(image)
    return float(kept[-1])


@pytest.mark.parametrize(("name", "layer"), LAYERS)
def test_the_gradient_agrees_with_finite_differences(name, layer, unchanged):
    model, image, step = network(name), picture(), 1e-6
    with unchanged(model, image):
        gradient = dream_gradient(model, [layer], image)
    assert float(gradient.abs().mean()) == pytest.approx(1, abs=1e-12)
    generator = torch.Generator().manual_seed(2)
    slopes, promised = [], []
    for _ in range(4):
        way = torch.randn(image.shape, generator=generator, dtype=image.dtype)
        ahead, behind = (loudness(model, layer, image + s * way) for s in (step, -step))
        slopes.append((ahead - behind) / (2 * step))
        promised.append(float((gradient * way).sum()))
    unit = slopes[0] / promised[0]
    assert unit > 0
    assert slopes == pytest.approx([unit * slope for slope in promised], rel=1e-4)


def test_layers_have_the_same_say():
    model, image = network("plain"), picture()
    one, other = (dream_gradient(model, [layer], image) for layer in ("conv1", "relu2"))
    both = dream_gradient(model, ["conv1", "relu2"], image)
    torch.testing.assert_close(both, (one + other) / 2)


def test_a_silent_layer_adds_zeros():
    model, black = network("patches"), torch.zeros(1, 3, 12, 16, dtype=torch.float64)
    assert torch.equal(dream_gradient(model, ["relu"], black), black)
    both = dream_gradient(network("plain"), ["conv1"], black)
    assert both.isfinite().all() and both.any()


@pytest.mark.parametrize("seed", range(5))
def test_a_step_agrees_with_numpy(seed, unchanged):
    model, image = network("residual"), picture()
    down, right = random_shift(4, seed)
    rolled = np.roll(image.numpy(), (down, right), (2, 3))
    rolled = rolled + 0.03 * dream_gradient(model, ["conv2"], torch.from_numpy(rolled)).numpy()
    expected = np.clip(np.roll(rolled, (-down, -right), (2, 3)), 0, 1)
    with unchanged(model, image):
        step = dream_step(model, "conv2", image, 0.03, 4, seed)
    np.testing.assert_allclose(step.numpy(), expected, rtol=0, atol=1e-12)


def test_shifts_go_both_ways_and_no_farther_than_the_jitter():
    shifts = {random_shift(2, seed) for seed in range(400)}
    assert {down for down, _ in shifts} == {right for _, right in shifts} == {-2, -1, 0, 1, 2}
    assert len(shifts) == 25 and random_shift(0, 3) == (0, 0)


def test_resizing_agrees_with_pillow():
    channel = picture(24, 36)[0, 0].float()
    small = Image.fromarray(channel.numpy(), "F").resize((25, 17), Image.Resampling.BILINEAR)
    ours = resized(channel.expand(1, 3, 24, 36), (17, 25))[0, 1]
    np.testing.assert_allclose(ours.numpy(), np.array(small), atol=1e-5)
    assert torch.equal(resized(channel.expand(1, 3, 24, 36), (24, 36))[0, 0], channel)


def test_a_dream_of_two_octaves_by_hand(unchanged):
    model, image = network("plain"), picture(21, 26)
    settings = {"rate": 0.02, "jitter": 3}
    base = resized(image, (15, 19))  # 21 / 1.4 and 26 / 1.4
    small = dream_step(model, "conv2", base, seed=7, **settings)
    small = dream_step(model, "conv2", small, seed=8, **settings)
    dream = image + resized(small - base, (21, 26))
    for seed in (9, 10):
        dream = dream_step(model, "conv2", dream, seed=seed, **settings)
    with unchanged(model, image):
        ours = deep_dream(model, "conv2", image, 2, 1.4, 2, 0.02, 7, 3)
    torch.testing.assert_close(ours, dream, rtol=0, atol=1e-12)


def test_without_a_step_the_photo_comes_back_sharp():
    model, image = network("plain"), picture(30, 26)
    for steps, rate in ((0, 0.1), (2, 0.0)):
        dream = deep_dream(model, "conv1", image, 3, 1.3, steps, rate)
        torch.testing.assert_close(dream, image, rtol=0, atol=1e-12)


def test_a_dream_is_louder():
    model, image = network("inplace"), picture(24, 28)
    dream = deep_dream(model, "conv2", image, 2, 1.4, 5, 0.01)
    assert loudness(model, "conv2", dream) > loudness(model, "conv2", image)


def test_memory_stays_flat_over_steps():
    alive = []

    def watch(picture: Tensor) -> None:
        alive.append(sum(issubclass(type(thing), Tensor) for thing in gc.get_objects()))

    deep_dream(network("plain"), "conv2", picture(16, 20), 2, 1.3, 15, 0.02, watch=watch)
    assert max(alive[2:]) <= alive[2] + 1  # from the second octave on there is a detail, too


@pytest.mark.parametrize("steps_until", [1, 3])
def test_a_dream_that_is_stopped_comes_back_as_it_is(steps_until: int, unchanged):
    model, image, seen = network("plain"), picture(20, 24), []

    def watch(picture):
        seen.append(picture)
        if len(seen) == steps_until:
            raise KeyboardInterrupt

    with unchanged(model, image):
        dream = deep_dream(model, "conv2", image, 2, 1.4, 2, 0.02, watch=watch)
    assert [tuple(x.shape[2:]) for x in seen] == [(14, 17), (14, 17), (20, 24)][:steps_until]
    assert not any(x.requires_grad for x in (*seen, dream))
    assert dream.shape == image.shape and dream.min() >= 0 and dream.max() <= 1
    small = tuple(seen[-1].shape[2:])
    dreamt = resized(seen[-1] - resized(image, small), (20, 24))
    torch.testing.assert_close(dream, (image + dreamt).clamp(0, 1), rtol=0, atol=1e-12)
    assert loudness(model, "conv2", dream) > loudness(model, "conv2", image)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (15, 22), (24, 9)])
def test_the_size_of_patterns_agrees_with_numpy(height, width):
    change = torch.cat([picture(height, width, seed) for seed in range(3)]) - 0.4
    sizes = []
    for one in change.numpy():
        power = (np.abs(np.fft.rfft2(one)) ** 2).sum(0)
        twice = np.full(power.shape[1], 2.0)
        twice[0] = 1
        if width % 2 == 0:
            twice[-1] = 1
        frequency = np.sqrt(
            np.fft.fftfreq(height)[:, None] ** 2 + np.fft.rfftfreq(width)[None] ** 2
        )
        power = power * twice
        power[0, 0] = 0
        sizes.append(power.sum() / (power * frequency).sum())
    np.testing.assert_allclose(pattern_size(change).numpy(), sizes, rtol=1e-12)


def test_a_slanting_wave_is_as_long_as_it_is():
    rows, columns = torch.arange(24)[:, None], torch.arange(32)[None]
    wave = (2 * math.pi * (rows * 3 / 24 + columns * 2 / 32)).cos().double()
    size = pattern_size(wave.expand(1, 3, 24, 32) + 5)
    assert float(size) == pytest.approx(1 / math.hypot(3 / 24, 2 / 32))
    assert pattern_size(torch.zeros(2, 3, 5, 6)).isnan().all()
