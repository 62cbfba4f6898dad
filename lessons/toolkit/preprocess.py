"""The steps from a photo to a network's input, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:  # PIL is absent where student code is run; only photos need it
    from PIL.Image import Image

LONGEST_ASPECT = (
    4  # of a panorama only the middle survives the centre crop, so the ends are never resized
)


@dataclass(frozen=True)
class Preprocess:
    """Resize the shorter side, cut out the centre, normalise each colour.

    A network must get photos as it got them in training. With other constants it still answers,
    only worse, and nothing says so.

    Args:
        resize: length of the shorter side after resizing, pixels.
        crop: side of the square cut from the centre, pixels, at most `resize`.
        mean: of red, green and blue, in units of the [0, 1] range.
        std: of red, green and blue, same units.
        interpolation: Pillow's name of the filter: "bilinear", "bicubic", "lanczos", "nearest".

    Raises:
        ValueError: the crop is larger than the resized photo.

    >>> preprocess = Preprocess(resize=8, crop=6, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
    >>> preprocess.normalise(torch.ones(1, 3, 6, 6)).unique()
    tensor([2.])
    """

    resize: int
    crop: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bilinear"

    def __post_init__(self) -> None:
        if self.crop > self.resize:
            raise ValueError(
                f"a crop of {self.crop} does not fit in a photo resized to {self.resize}"
            )

    def __call__(self, photo: Image) -> Tensor:
        """Turn a photo into the network's input.

        Args:
            photo: a Pillow image of any size and mode.

        Returns:
            float32 (3, crop, crop), normalised.
        """
        return self.normalise(self.crop_rgb(photo))

    def batch(self, photos: Sequence[Image]) -> Tensor:
        """Turn several photos into one batch.

        Args:
            photos: Pillow images of any size and mode.

        Returns:
            float32 (N, 3, crop, crop), normalised.
        """
        return torch.stack([self(photo) for photo in photos])

    def crop_rgb(self, photo: Image) -> Tensor:
        """Return the part of the photo that the network sees.

        Args:
            photo: a Pillow image of any size and mode.

        Returns:
            float32 (3, crop, crop) in [0, 1].
        """
        import numpy
        from PIL.Image import Resampling

        photo = _without_far_ends(photo.convert("RGB"))
        width, height = photo.size
        shorter = min(width, height)
        size = (self.resize * width // shorter, self.resize * height // shorter)
        resized = photo.resize(size, Resampling[self.interpolation.upper()])
        left = round((resized.width - self.crop) / 2)
        top = round((resized.height - self.crop) / 2)
        centre = resized.crop((left, top, left + self.crop, top + self.crop))
        pixels = torch.from_numpy(numpy.array(centre))  # (H, W, 3), uint8
        return pixels.permute(2, 0, 1).contiguous().float() / 255

    def normalise(self, rgb: Tensor) -> Tensor:
        """Turn colours in [0, 1] into the network's units.

        Args:
            rgb: floating point (N, 3, H, W) or (3, H, W) in [0, 1].

        Returns:
            The same shape, dtype and device. Gradients pass through.
        """
        return (rgb - self._per_channel(self.mean, rgb)) / self._per_channel(self.std, rgb)

    def to_rgb(self, images: Tensor) -> Tensor:
        """Turn the network's units back into colours, the inverse of `normalise`.

        Args:
            images: floating point (N, 3, H, W) or (3, H, W), normalised.

        Returns:
            The same shape, dtype and device, in [0, 1]; what lies outside is clipped.
        """
        rgb = images * self._per_channel(self.std, images) + self._per_channel(self.mean, images)
        return rgb.clamp(0, 1)

    @staticmethod
    def _per_channel(values: tuple[float, float, float], like: Tensor) -> Tensor:
        return torch.tensor(values, dtype=like.dtype, device=like.device).view(3, 1, 1)


def _without_far_ends(photo: Image) -> Image:
    """Cut off the far ends of an extremely long photo.

    A strip of 1 x 100,000 pixels would otherwise be enlarged to 256 x 25,600,000.
    """
    width, height = photo.size
    longest = LONGEST_ASPECT * min(width, height)
    if max(width, height) <= longest:
        return photo
    left, top = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
    return photo.crop((left, top, min(width, left + longest), min(height, top + longest)))
