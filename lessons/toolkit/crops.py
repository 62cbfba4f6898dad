"""Cut a thousand small pictures out of the course's photos, some of them turned."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from lessons.toolkit.errors import UserError
from lessons.toolkit.photos import load_photo, photo_names

if TYPE_CHECKING:  # PIL is absent where student code is run; only photos need it
    from PIL.Image import Image

# Sides are shares of the photo's shorter side. A square of the largest fits at any angle.
SIDES = (0.3, 0.7)
LARGEST_ANGLE = 45.0


@dataclass(frozen=True)
class Place:
    """What was cut out of a photo.

    Attributes:
        photo: name of the photo.
        x: middle of the square, pixels of the photo from its left edge.
        y: the same from its top.
        side: of the square, pixels of the photo.
        angle: degrees; what is in the crop appears turned by it, anticlockwise.
    """

    photo: str
    x: float
    y: float
    side: float
    angle: float


@dataclass(frozen=True)
class Crops:
    """Square crops of the photos, cut when they are asked for.

    Attributes:
        names: the photos.
        photo: long (N,), which of `names` each crop is from.
        places: what each crop shows.
        size: side of every crop in pixels.
    """

    names: tuple[str, ...]
    photo: Tensor
    places: tuple[Place, ...]
    size: int

    def __len__(self) -> int:
        return len(self.places)

    def rgb(self, which: Tensor | Sequence[int] | slice = slice(None)) -> Tensor:
        """Cut some of the crops, or all of them.

        Args:
            which: indices or a slice.

        Returns:
            float32 (n, 3, size, size) in [0, 1].

        >>> photo_crops(13, size=32).rgb([4, 2]).shape
        torch.Size([2, 3, 32, 32])
        """
        chosen = torch.arange(len(self))[which].tolist()
        if not chosen:
            return torch.empty(0, 3, self.size, self.size)
        return torch.stack([_cut(self.places[index], self.size) for index in chosen])

    def batches(self, batch_size: int = 64) -> Iterator[Tensor]:
        """Cut all crops in their order, a batch at a time.

        Memory holds one batch, however many crops there are.

        Args:
            batch_size: crops in a batch; the last may be smaller.

        Yields:
            float32 (n, 3, size, size) in [0, 1].

        >>> [len(batch) for batch in photo_crops(13, size=32).batches(5)]
        [5, 5, 3]
        """
        for start in range(0, len(self), batch_size):
            yield self.rgb(slice(start, start + batch_size))


def photo_crops(count: int = 1040, size: int = 112, seed: int = 0) -> Crops:
    """Choose square crops of the bundled photos, the photos in turn.

    Places and sides are random; every second crop of a photo is turned by up to 45 degrees to
    either side. The same arguments give the same crops, and fewer are the first of more.

    Args:
        count: number of crops, at least 1.
        size: to which each is scaled, pixels.
        seed: any integer; the global random state is neither read nor changed.

    Raises:
        UserError: a count or a size below 1.

    >>> crops = photo_crops()
    >>> len(crops), crops.photo.bincount().unique().tolist()
    (1040, [80])
    """
    if count < 1 or size < 1:
        raise UserError(
            f"Cannot cut {count} crops of {size} pixels.",
            "Ask for one or more, of 1 pixel or more.",
        )
    names = tuple(photo_names())
    generator = torch.Generator().manual_seed(seed)
    draws = torch.rand(count, 4, generator=generator, dtype=torch.float64).tolist()
    places = []
    for index, (across, down, share, turn) in enumerate(draws):
        name = names[index % len(names)]
        width, height = _photo(name).size
        side = (SIDES[0] + share * (SIDES[1] - SIDES[0])) * min(width, height)
        turned = index // len(names) % 2 == 1
        angle = (2 * turn - 1) * LARGEST_ANGLE if turned else 0.0
        reach = _reach(side, angle)
        x = reach + across * (width - 2 * reach)
        y = reach + down * (height - 2 * reach)
        places.append(Place(name, x, y, side, angle))
    return Crops(names, torch.arange(count) % len(names), tuple(places), size)


def _reach(side: float, angle: float) -> float:
    """Return how far a turned square reaches from its middle, to the right or down."""
    radians = math.radians(angle)
    return side / 2 * (abs(math.cos(radians)) + abs(math.sin(radians)))


def _cut(place: Place, size: int) -> Tensor:
    """Cut a square out of its photo and scale it, as float32 (3, size, size)."""
    import numpy  # like Pillow, needed only here
    from PIL.Image import Resampling

    photo = _photo(place.photo)
    reach = _reach(place.side, place.angle)
    # Rounding at an edge of the photo must not ask for a pixel beyond it.
    around = (
        max(place.x - reach, 0),
        max(place.y - reach, 0),
        min(place.x + reach, photo.width),
        min(place.y + reach, photo.height),
    )
    if place.angle:
        # Turned at twice the resolution of the crop at most: large photos are slow to turn.
        side = min(place.side, 2 * size)
        whole = round(2 * reach * side / place.side)
        turned = photo.resize((whole, whole), Resampling.BICUBIC, box=around)
        turned = turned.rotate(place.angle, Resampling.BICUBIC)
        inner = (whole - side) / 2
        box = (inner, inner, whole - inner, whole - inner)
        square = turned.resize((size, size), Resampling.BICUBIC, box=box)
    else:
        square = photo.resize((size, size), Resampling.BICUBIC, box=around)
    return torch.from_numpy(numpy.array(square)).permute(2, 0, 1).contiguous().float() / 255


@functools.cache
def _photo(name: str) -> Image:
    return load_photo(name)
