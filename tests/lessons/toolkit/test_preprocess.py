"""Preprocessing against torchvision's, its inverse, and photos of odd shapes."""

from __future__ import annotations

import numpy
import pytest
import torch
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms._presets import ImageClassification

from lessons.toolkit.photos import load_photo
from lessons.toolkit.preprocess import Preprocess

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def noise(width: int, height: int, mode: str = "RGB") -> Image.Image:
    pixels = numpy.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=numpy.uint8)
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize(
    "size", [(451, 300), (300, 451), (97, 97), (225, 224), (640, 161), (33, 32), (1, 1)]
)
def test_agrees_with_torchvision(size: tuple[int, int], interpolation: str) -> None:
    ours = Preprocess(64, 57, MEAN, STD, interpolation)
    theirs = ImageClassification(
        crop_size=57,
        resize_size=64,
        mean=MEAN,
        std=STD,
        interpolation=InterpolationMode(interpolation),
    )
    photo = noise(*size)
    torch.testing.assert_close(ours(photo), theirs(photo), rtol=0, atol=1e-6)


def test_shape_dtype_and_range() -> None:
    preprocess = Preprocess(40, 32, MEAN, STD)
    photo = noise(90, 50)
    rgb = preprocess.crop_rgb(photo)
    assert (rgb.shape, rgb.dtype) == ((3, 32, 32), torch.float32)
    assert 0 <= rgb.min() < rgb.max() <= 1
    torch.testing.assert_close(preprocess(photo), preprocess.normalise(rgb))
    batch = preprocess.batch([photo, noise(32, 300), noise(5, 5)])
    assert (batch.shape, batch.dtype) == ((3, 3, 32, 32), torch.float32)
    torch.testing.assert_close(batch[0], preprocess(photo))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3, 5, 7), (1, 3, 5, 7), (4, 3, 8, 2)])
def test_to_rgb_undoes_normalise(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    preprocess = Preprocess(8, 8, MEAN, STD)
    rgb = torch.rand(shape, dtype=dtype, generator=torch.Generator().manual_seed(0))
    images = preprocess.normalise(rgb)
    assert images.dtype == dtype
    torch.testing.assert_close(preprocess.to_rgb(images), rgb)


def test_to_rgb_stays_in_range() -> None:
    preprocess = Preprocess(8, 8, MEAN, STD)
    images = torch.tensor([-100.0, 100.0]).view(2, 1, 1, 1).expand(2, 3, 2, 2)
    assert preprocess.to_rgb(images).unique().tolist() == [0, 1]


def test_gradients_pass_through() -> None:
    rgb = torch.full((1, 3, 2, 2), 0.5, requires_grad=True)
    preprocess = Preprocess(8, 8, MEAN, STD)
    (gradient,) = torch.autograd.grad(preprocess.normalise(rgb).sum(), rgb)
    torch.testing.assert_close(gradient[0, :, 0, 0], 1 / torch.tensor(STD))


@pytest.mark.parametrize("mode", ["L", "CMYK", "P", "1"])
def test_takes_every_mode(mode: str) -> None:
    assert Preprocess(16, 16, MEAN, STD)(noise(40, 30, mode)).shape == (3, 16, 16)


@pytest.mark.parametrize("size", [(1, 60_000), (60_000, 1), (40_000, 9)])
def test_a_strip_is_not_blown_up(size: tuple[int, int]) -> None:
    """Resized as a whole, the first would be 256 x 15,360,000 pixels, 12 GB."""
    rgb = Preprocess(256, 224, MEAN, STD).crop_rgb(Image.new("RGB", size, (255, 0, 51)))
    assert rgb.shape == (3, 224, 224)
    torch.testing.assert_close(rgb.mean((1, 2)), torch.tensor([1, 0, 0.2]))


def test_a_panorama_keeps_its_centre() -> None:
    preprocess = Preprocess(32, 32, MEAN, STD)
    panorama = Image.new("RGB", (901, 101), "black")
    panorama.paste((255, 255, 255), (400, 0, 501, 101))
    assert preprocess.crop_rgb(panorama).mean() > 0.98


def test_a_crop_larger_than_the_photo_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Preprocess(100, 101, MEAN, STD)


def test_the_photo_is_left_as_it_was() -> None:
    photo = load_photo("cat")
    before = photo.tobytes()
    Preprocess(64, 64, MEAN, STD)(photo)
    assert photo.tobytes() == before
