"""The references against torchvision, SciPy, NumPy, and answers that are known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.signal import correlate
from torch import Tensor, nn
from torch.nn import functional
from torchvision.utils import make_grid

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from solutions.l03_filters import (
    dominant_orientation,
    filter_grid,
    filter_response,
    filter_slices,
    gratings,
    orientation_tuning,
    zero_as_grey,
)

SHAPES = ((3, 3), (4, 4), (5, 5), (6, 6), (11, 11), (3, 5), (6, 4), (2, 7))


def bank(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def apart(one: Tensor, other: Tensor) -> Tensor:
    """How far two directions are from each other: half a turn is nothing."""
    half = math.pi / 2
    return ((one - other + half) % math.pi - half).abs()


def test_the_grey_of_zero_and_the_ends_of_the_scale() -> None:
    weight = bank(7, 3, 4, 5) * torch.logspace(-150, 3, 7, dtype=torch.float64)[:, None, None, None]
    weight[2] = 0
    grey = zero_as_grey(weight.requires_grad_())
    assert not grey.requires_grad and grey[2].eq(0.5).all()
    assert torch.equal(grey > 0.5, weight > 0) and torch.equal(grey < 0.5, weight < 0)
    for picture, values in zip(grey, weight.detach().numpy(), strict=True):
        if values.any():
            expected = np.interp(values, [-abs(values).max(), abs(values).max()], [0, 1])
            np.testing.assert_allclose(picture.numpy(), expected, rtol=0, atol=1e-15)


@pytest.mark.parametrize("padding", [0, 1, 3])
@pytest.mark.parametrize(("count", "columns"), [(7, 3), (6, 2), (5, 5), (4, 1)])
def test_the_grid_agrees_with_torchvision(count: int, columns: int, padding: int) -> None:
    weight = bank(count, 3, 3, 5)
    expected = make_grid(zero_as_grey(weight), columns, padding, pad_value=0.5)
    assert torch.equal(filter_grid(weight, columns, padding), expected)
    grey = filter_grid(weight[:, :1], columns, padding)
    expected = make_grid(zero_as_grey(weight[:, :1]), columns, padding, pad_value=0.5)
    assert torch.equal(grey, expected)


def test_what_is_no_picture_is_refused() -> None:
    with pytest.raises(ValueError, match="these filters read 16"):
        filter_grid(bank(4, 16, 3, 3), 2)
    with pytest.raises(ValueError, match="at least 1 column"):
        filter_grid(bank(4, 3, 3, 3), 0)


@pytest.mark.parametrize(("stride", "padding"), [(1, 0), (2, 1), (3, 2), (4, 0)])
@pytest.mark.parametrize("size", SHAPES)
def test_responses_agree_with_scipy_and_with_the_layer(
    size: tuple[int, int], stride: int, padding: int, unchanged
) -> None:
    image, kernel = bank(3, 17, 14), bank(3, *size, seed=1)
    around = ((0, 0), (padding, padding), (padding, padding))
    padded = np.pad(image.numpy(), around)
    expected = correlate(padded, kernel.numpy(), mode="valid")[0, ::stride, ::stride]
    response = filter_response(image, kernel, stride, padding)
    np.testing.assert_allclose(response.numpy(), expected, rtol=0, atol=1e-12)
    layer = functional.conv2d(image[None], kernel[None], stride=stride, padding=padding)[0, 0]
    torch.testing.assert_close(response, layer, rtol=0, atol=1e-12)


def test_no_patch_of_its_length_answers_more_than_the_filter_itself() -> None:
    kernel = bank(3, 4, 4, seed=2)
    patches = bank(500, 3, 4, 4, seed=3)
    patches *= kernel.norm() / patches.flatten(1).norm(dim=1)[:, None, None, None]
    answers = torch.stack([filter_response(patch, kernel)[0, 0] for patch in patches])
    assert float(answers.max()) < float(filter_response(kernel, kernel))


def test_a_kernel_of_other_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="A kernel of 1 channels for an image of 3"):
        filter_response(bank(3, 8, 8), bank(1, 3, 3))


@pytest.mark.parametrize("size", SHAPES)
def test_the_direction_of_a_slope_is_exact(size: tuple[int, int]) -> None:
    angles = torch.linspace(0.01, math.pi - 0.01, 37, dtype=torch.float64)
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in size)
    # Stripes along (cos, sin) as a person sees them; rows count downwards.
    across = columns * angles.sin()[:, None, None] + rows[:, None] * angles.cos()[:, None, None]
    found = dominant_orientation(across[:, None])
    torch.testing.assert_close(found, angles, rtol=0, atol=1e-13)
    colours = across[:, None] * torch.tensor([2.0, -2.0, 0.1], dtype=torch.float64)[:, None, None]
    torch.testing.assert_close(dominant_orientation(colours), angles, rtol=0, atol=1e-13)


def grating(angles: Tensor, wavelength: float, size: tuple[int, int], phase: float) -> Tensor:
    rows, columns = (torch.arange(n, dtype=torch.float64) for n in size)
    across = columns * angles.sin()[:, None, None] + rows[:, None] * angles.cos()[:, None, None]
    return torch.cos(2 * math.pi / wavelength * across + phase)[:, None]


@pytest.mark.parametrize("phase", [0.0, 0.7, 2.0])
@pytest.mark.parametrize("wavelength", [3.0, 4.0, 6.5, 12.0])
@pytest.mark.parametrize("size", SHAPES)
def test_the_direction_of_a_grating_is_what_its_differences_make_of_it(
    size: tuple[int, int], wavelength: float, phase: float
) -> None:
    # In a square of 2x2 the tangent of half the wave number stands for the wave number itself.
    angles = torch.linspace(0.02, math.pi - 0.02, 45, dtype=torch.float64)
    half = math.pi / wavelength
    right, down = (half * angles.sin()).tan(), (half * angles.cos()).tan()
    expected = torch.atan2(right, down) % math.pi
    found = dominant_orientation(grating(angles, wavelength, size, phase))
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    # So it is off by a few degrees where the stripes are narrow, and by less where they are not.
    off = math.degrees(float(apart(found, angles).max()))
    assert off < {3.0: 7, 4.0: 4, 6.5: 1.5, 12.0: 0.4}[wavelength]


def test_the_direction_agrees_with_eigenvectors_square_by_square() -> None:
    weight = bank(40, 3, 4, 6, seed=4)
    for slices, angle in zip(weight.numpy(), dominant_orientation(weight), strict=True):
        tensor = np.zeros((2, 2))
        for image in slices:
            for i in range(3):
                for j in range(5):
                    (a, b), (c, d) = image[i : i + 2, j : j + 2]
                    g = np.array([(b + d) / 2 - (a + c) / 2, (c + d) / 2 - (a + b) / 2])
                    tensor += np.outer(g, g)
        x, y = np.linalg.eigh(tensor)[1][:, 0]  # along which it changes least
        assert abs(np.arctan2(-y, x) % np.pi - float(angle)) < 1e-12


def test_turned_and_mirrored_filters() -> None:
    weight = bank(30, 3, 5, 5, seed=5)
    angle = dominant_orientation(weight)
    turned = dominant_orientation(weight.rot90(1, (2, 3)))  # to the left, as angles turn
    torch.testing.assert_close(turned, (angle + math.pi / 2) % math.pi, rtol=0, atol=1e-12)
    mirrored = dominant_orientation(weight.flip(3))
    torch.testing.assert_close(mirrored, math.pi - angle, rtol=0, atol=1e-12)
    torch.testing.assert_close(dominant_orientation(-7 * weight), angle, rtol=0, atol=1e-12)


def test_what_has_no_direction() -> None:
    weight = torch.tensor([0.0, 0.3, -2.0])[:, None, None, None].expand(3, 3, 5, 4)
    assert dominant_orientation(weight).isnan().all()
    assert dominant_orientation(bank(4, 8, 1, 1)).isnan().all()
    assert dominant_orientation(bank(0, 3, 3, 3)).shape == (0,)


def test_level_stripes_are_zero_and_never_pi() -> None:
    level = bank(50, 3, 5, 1, seed=6).expand(50, 3, 5, 6)
    noise = 1e-17 * bank(50, 3, 5, 6, seed=7)
    for weight in (level, level + noise, level.float(), level.bfloat16()):
        angle = dominant_orientation(weight)
        assert angle.dtype == weight.dtype
        assert bool(((angle >= 0) & (angle.double() < math.pi)).all())
    assert dominant_orientation(level).eq(0).all()


def test_slices_share_the_scale_of_their_filter() -> None:
    weight = bank(5, 7, 3, 4)
    for number in range(5):
        slices = filter_slices(weight, number)
        assert slices.shape == (7, 3, 4)
        largest = weight[number].abs().max()
        torch.testing.assert_close((slices - 0.5) * 2 * largest, weight[number])
    with pytest.raises(IndexError):
        filter_slices(weight, 5)


class Bank(nn.Module):
    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.conv = nn.Conv2d(*weight.shape[1::-1], weight.shape[2:], padding=2, bias=False)
        self.conv.weight = nn.Parameter(weight)

    def forward(self, images: Tensor) -> Tensor:
        return self.conv(images)


@pytest.mark.parametrize(("right", "down"), [(4, 0), (0, 8), (5, 3), (7, -2), (1, 9)])
def test_tuning_is_the_fourier_transform_of_the_filter(right: int, down: int, unchanged) -> None:
    # The middle of 64 places is 32 wide: these stripes fit into it a whole number of times.
    weight = bank(6, 3, 5, 5, seed=8)
    model = Bank(weight)
    wave = 2 * math.pi / 32 * torch.tensor([down, right], dtype=torch.float64)
    angle = torch.atan2(wave[1], wave[0])[None]
    with unchanged(model):
        tuning = orientation_tuning(model, "conv", angle, 2 * math.pi / float(wave.norm()), 64)
    places = torch.arange(5.0, dtype=torch.float64)
    turn = wave[0] * places[:, None] + wave[1] * places
    transform = (weight.sum(1) * torch.exp(1j * turn)).sum((1, 2)).abs()
    torch.testing.assert_close(tuning[0], transform / math.sqrt(2), rtol=0, atol=1e-12)


def test_tuning_of_one_direction_is_that_of_many(unchanged) -> None:
    model = build(ModelSpec("inplace", seed=1, dtype="float64"))
    angles = torch.linspace(0, 3, 5, dtype=torch.float64)
    with unchanged(model, angles), torch.no_grad():
        together = orientation_tuning(model, "conv2", angles, 5.0, 26)
    alone = [orientation_tuning(model, "conv2", angle[None], 5.0, 26) for angle in angles]
    torch.testing.assert_close(together, torch.cat(alone))
    assert together.shape == (5, 8) and not together.requires_grad


def test_gratings_run_where_their_angle_points() -> None:
    angles = torch.linspace(0, 3.1, 9, dtype=torch.float64)
    stripes = gratings(angles, 9.0, 40)
    rows = columns = torch.arange(40, dtype=torch.float64)
    for angle, picture in zip(angles, stripes, strict=True):
        # A step along the stripes, upwards on the page, changes nothing.
        along = (columns + angle.cos()) * angle.sin() + (rows[:, None] - angle.sin()) * angle.cos()
        torch.testing.assert_close(torch.sin(2 * math.pi / 9 * along), picture)
    off = apart(dominant_orientation(stripes[:, None]), angles)
    assert math.degrees(float(off.max())) < 1
    assert torch.equal(dominant_orientation(gratings(angles[:1], 9.0, 40)[:, None]), angles[:1])
