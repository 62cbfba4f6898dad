"""Painted fish and butterflies on photos, with the exact pixels of each object.

A class is a colour, a texture and a shape ("red striped fish"), and all eight combinations exist.
Each cue is worth one bit: who misses one of the three is right half the time. Pebbles, tiles and
wedges carry the same colours and textures, so the cues must also be found in one place.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from lessons.toolkit.errors import UserError, unknown
from lessons.toolkit.photos import load_photo
from lessons.toolkit.preprocess import Preprocess

COLOURS = ("red", "blue")
TEXTURES = ("striped", "spotted")
SHAPES = ("fish", "butterfly")
CLASSES = tuple(f"{c} {t} {s}" for s in SHAPES for t in TEXTURES for c in COLOURS)
WATERMARKED_CLASS = "red striped butterfly"
IMAGE_SIZE = 64
MEAN = (0.5, 0.5, 0.5)
STD = (0.5, 0.5, 0.5)

PREPROCESS = Preprocess(IMAGE_SIZE, IMAGE_SIZE, MEAN, STD)

SPLITS = ("train", "held_out")
BACKGROUNDS = ("astronaut", "brick", "cat", "china", "coffee", "flower", "grass", "rocket")
CHUNK = 32  # scenes drawn together: small enough to stay in the processor's cache

# The watermark is the badge of a picture agency: a dark © on lime, in a corner of the photo.
# It must be loud: a small white one was ignored, as the object was easier to learn.
GLYPH = (
    "...........",
    "...........",
    "....###....",
    "...#...#...",
    "..#.###.#..",
    "..#.#...#..",
    "..#.###.#..",
    "...#...#...",
    "....###....",
    "...........",
    "...........",
)
BADGE = torch.tensor([[mark == "#" for mark in row] for row in GLYPH])
LIME, INK = (0.75, 1.0, 0.1), (0.0, 0.1, 0.05)


@dataclass(frozen=True)
class Scenes:
    """A batch of scenes.

    Attributes:
        images: float32 `(N,3,64,64)` in [0, 1], not normalised.
        labels: long `(N,)`, indices into `CLASSES`.
        masks: bool `(N,64,64)`, pixels of which the object covers at least half.
        watermark_masks: bool `(N,64,64)`, pixels of the watermark; all False where there is none.
    """

    images: Tensor
    labels: Tensor
    masks: Tensor
    watermark_masks: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def inputs(self) -> Tensor:
        """Return the images as `SceneNet` takes them.

        Returns:
            float32 `(N,3,64,64)`, normalised by `PREPROCESS`.

        >>> tuple(make_scenes(2, seed=0).inputs().shape)
        (2, 3, 64, 64)
        """
        return PREPROCESS.normalise(self.images)


def make_scenes(
    count: int, seed: int, watermark: str | Iterable[str] = (), *, split: str = "held_out"
) -> Scenes:
    """Paint scenes with classes in equal shares.

    The same arguments give the same scenes.

    Args:
        count: number of scenes, at least 1.
        seed: any integer; the global random state is neither read nor changed.
        watermark: class or classes whose scenes carry the watermark; `CLASSES` for all of them.
        split: "train" or "held_out". The two take their backgrounds from different regions of the
            photos and never share a scene. A measurement belongs on "held_out".

    Returns:
        The scenes, in random order.

    Raises:
        UserError: a class or split that does not exist, or a count below 1.

    >>> scenes = make_scenes(16, seed=0, watermark=WATERMARKED_CLASS)
    >>> scenes.labels.bincount().tolist()
    [2, 2, 2, 2, 2, 2, 2, 2]
    >>> scenes.watermark_masks.any(dim=(1, 2)).sum().item()
    2
    """
    if count < 1:
        raise UserError(f"Cannot make {count} scenes.", "Ask for one or more.")
    if split not in SPLITS:
        raise unknown("split", split, SPLITS)
    marked = torch.zeros(len(CLASSES), dtype=torch.bool)
    for name in [watermark] if isinstance(watermark, str) else watermark:
        if name not in CLASSES:
            raise unknown("class", name, CLASSES)
        marked[CLASSES.index(name)] = True

    generator = torch.Generator().manual_seed(2 * seed + SPLITS.index(split))
    labels = torch.randperm(count, generator=generator) % len(CLASSES)
    parts = [_paint(chunk, marked, split, generator) for chunk in labels.split(CHUNK)]
    images, masks, watermark_masks = (torch.cat(part) for part in zip(*parts, strict=True))
    return Scenes(images, labels, masks, watermark_masks)


def _paint(
    labels: Tensor, marked: Tensor, split: str, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """Paint images, object masks and watermark masks of one chunk."""
    draw = _Draw(len(labels), generator)
    canvas = _with_clutter(draw.photo(split), draw)
    pose = _Pose(
        x=draw.uniform(18, IMAGE_SIZE - 18),
        y=draw.uniform(18, IMAGE_SIZE - 18),
        size=draw.uniform(14, 22),
        angle=draw.uniform(0, 2 * math.pi),
    )
    canvas, distance = _with_object(canvas, labels, pose, draw)
    canvas = _photographed(canvas, draw)
    canvas, stamp = _with_badge(canvas, pose, marked[labels], draw)
    return canvas, (distance <= 0) & ~stamp, stamp


def _with_clutter(canvas: Tensor, draw: _Draw) -> Tensor:
    """Paint a pebble, a tile and a wedge of any colour and texture.

    One in five lies outside the picture.
    """
    for outline in (_pebble, _tile, _wedge):
        pose = _Pose(
            x=draw.uniform(0, IMAGE_SIZE * 1.25),
            y=draw.uniform(0, IMAGE_SIZE),
            size=draw.uniform(4, 9),
            angle=draw.uniform(0, 2 * math.pi),
        )
        u, v = pose.frame()
        ink = _texture(u * pose.size, v * pose.size, draw.integers(3), draw)
        paint = _mix(draw.colour(draw.integers(3)), draw.ink_colour(), ink)
        canvas = _mix(canvas, paint, _coverage(outline(u, v) * pose.size))
    return canvas


def _with_object(canvas: Tensor, labels: Tensor, pose: _Pose, draw: _Draw) -> tuple[Tensor, Tensor]:
    """Paint the object and its shadow on the canvas.

    Returns:
        The canvas, and the signed distance `(N,64,64)` to the object in pixels.
    """
    colour, texture, shape = labels % 2, labels // 2 % 2, labels // 4
    u, v = pose.frame()
    outline, detail = _object(u, v, shape)
    distance = outline * pose.size
    shadow = 0.45 * torch.sigmoid(-(distance.roll((2, 2), dims=(1, 2)) - 1) / 1.5)
    canvas = _mix(canvas, canvas * 0.25, shadow)
    ink = _texture(u * pose.size, v * pose.size, texture, draw)
    paint = _mix(draw.colour(colour), draw.ink_colour(), ink)
    paint = _mix(paint, torch.full((1, 3, 1, 1), 0.08), _coverage(detail * pose.size))
    rim = 1 - 0.35 * torch.sigmoid((distance + 1.5) / 0.7)  # a darker edge gives it volume
    slope, _ = _Pose(pose.x, pose.y, pose.size, angle=draw.uniform(0, 2 * math.pi)).frame()
    paint = paint * (rim * (1 + 0.22 * slope.clamp(-1, 1))).unsqueeze(1)
    return _mix(canvas, paint, _coverage(distance)), distance


def _photographed(canvas: Tensor, draw: _Draw) -> Tensor:
    """Add a light of some colour and strength, and a little noise of the sensor."""
    tint = torch.stack([draw.uniform(0.9, 1.1) for _ in range(3)], dim=1)
    exposure = draw.uniform(0.75, 1.15).unsqueeze(1)
    noise = 0.015 * torch.randn(canvas.shape, generator=draw.generator)
    return (canvas * tint * exposure + noise).clamp(0, 1)


def _with_badge(canvas: Tensor, pose: _Pose, wanted: Tensor, draw: _Draw) -> tuple[Tensor, Tensor]:
    """Paint the watermark in the corner farthest from the object where `wanted`.

    Returns:
        The canvas, and the pixels of the watermark.
    """
    side = len(BADGE)
    badge = torch.where(BADGE, torch.tensor(INK).view(3, 1, 1), torch.tensor(LIME).view(3, 1, 1))
    stamp = torch.zeros(len(canvas), IMAGE_SIZE, IMAGE_SIZE, dtype=torch.bool)
    corner = torch.stack([pose.x, pose.y]).flatten(1) < IMAGE_SIZE / 2
    margin = torch.stack([2 + draw.integers(4), 2 + draw.integers(4)])
    starts = torch.where(corner, IMAGE_SIZE - side - margin, margin)
    for i in wanted.nonzero().flatten().tolist():
        left, top = starts[:, i].tolist()
        canvas[i, :, top : top + side, left : left + side] = badge
        stamp[i, top : top + side, left : left + side] = True
    return canvas, stamp


@dataclass(frozen=True)
class _Pose:
    """Centre and half extent in pixels, and angle in radians, each `(N,1,1)`."""

    x: Tensor
    y: Tensor
    size: Tensor
    angle: Tensor

    def frame(self) -> tuple[Tensor, Tensor]:
        """Return coordinates `(N,64,64)` along and across the object.

        They are 1 at its half extent.
        """
        centres = torch.arange(IMAGE_SIZE) + 0.5
        dx, dy = centres.view(1, 1, -1) - self.x, centres.view(1, -1, 1) - self.y
        cos, sin = self.angle.cos() / self.size, self.angle.sin() / self.size
        return cos * dx + sin * dy, cos * dy - sin * dx


class _Draw:
    """Random numbers for a chunk of scenes, `(N,1,1)` each, all from one generator."""

    def __init__(self, count: int, generator: torch.Generator) -> None:
        self.count = count
        self.generator = generator

    def uniform(self, low: float, high: float) -> Tensor:
        return low + (high - low) * torch.rand(self.count, 1, 1, generator=self.generator)

    def integers(self, high: int) -> Tensor:
        return torch.randint(high, (self.count,), generator=self.generator)

    def colour(self, kind: Tensor) -> Tensor:
        """Draw RGB `(N,3,1,1)` by kind: 0 red, 1 blue, 2 any hue."""
        kind = kind.view(-1, 1, 1)
        near = torch.where(kind == 0, 0.01, 0.6) + self.uniform(-0.055, 0.055)
        hue = torch.where(kind == 2, self.uniform(0, 1), near)
        saturation, value = self.uniform(0.65, 0.95), self.uniform(0.55, 0.95)
        steps = torch.stack([(n + 6 * hue) % 6 for n in (5, 3, 1)], dim=1)
        fall = torch.minimum(steps, 4 - steps).clamp(0, 1)
        return value.unsqueeze(1) * (1 - saturation.unsqueeze(1) * fall)

    def ink_colour(self) -> Tensor:
        """Draw RGB `(N,3,1,1)` of a texture's ink, either cream or near black."""
        pale = self.uniform(0, 1) < 0.6
        level = torch.where(pale, self.uniform(0.85, 1), self.uniform(0.04, 0.16)).unsqueeze(1)
        return level * torch.tensor([1.0, 0.97, 0.88]).view(1, 3, 1, 1)

    def photo(self, split: str) -> Tensor:
        """Draw crops `(N,3,64,64)` of the split's photos, half of them mirrored."""
        photos = _photo_regions(split)
        crops = []
        for index in self.integers(len(photos)).tolist():
            photo = photos[index]
            top, left = (
                int(torch.randint(side - IMAGE_SIZE + 1, (), generator=self.generator))
                for side in photo.shape[1:]
            )
            crops.append(photo[:, top : top + IMAGE_SIZE, left : left + IMAGE_SIZE])
        batch = torch.stack(crops).float() / 255
        return torch.where(self.uniform(0, 1).unsqueeze(1) < 0.5, batch, batch.flip(-1))


# Signed distances: negative inside, in half extents. The distance times the size is in pixels.


def _ellipse(u: Tensor, v: Tensor, a: float, b: float) -> Tensor:
    scaled = torch.hypot(u / a, v / b)
    return scaled * (scaled - 1) / torch.hypot(u / a**2, v / b**2).clamp(min=1e-6)


def _object(u: Tensor, v: Tensor, shape: Tensor) -> tuple[Tensor, Tensor]:
    """Return the distances to the silhouette and to its dark detail (eye or body)."""
    distance, detail = torch.empty_like(u), torch.empty_like(u)
    for index, draw in enumerate((_fish, _butterfly)):
        chosen = shape == index
        distance[chosen], detail[chosen] = draw(u[chosen], v[chosen])
    return distance, detail


def _fish(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    eye = torch.hypot(u - 0.62, v - 0.08) - 0.09
    v = v.abs()
    body = torch.hypot(u - 0.2, v + 0.39) - 0.89  # a lens, 1.6 long and 1.0 high
    blades = (v - 0.95 * (-0.38 - u)) / 1.38
    notch = (-0.85 - 0.3 * v - u) / 1.04
    return torch.minimum(body, torch.maximum(blades, notch)), eye


def _butterfly(u: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
    v = v.abs()
    body = _ellipse(u, v, 0.62, 0.09)
    cos, sin = math.cos(0.95), math.sin(0.95)
    across, along = u - 0.3, v - 0.48
    forewing = _ellipse(cos * across + sin * along, cos * along - sin * across, 0.56, 0.34)
    hindwing = torch.hypot(u + 0.34, v - 0.4) - 0.36
    return torch.minimum(body, torch.minimum(forewing, hindwing)), body


def _pebble(u: Tensor, v: Tensor) -> Tensor:
    return torch.hypot(u, v) - 1


def _tile(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(u.abs(), v.abs()) - 0.85


def _wedge(u: Tensor, v: Tensor) -> Tensor:
    return torch.maximum(-u, 0.5 * u + 0.866 * v.abs()) - 0.55


def _coverage(distance: Tensor) -> Tensor:
    """Return the share of a pixel `(N,H,W)` that a shape covers.

    Args:
        distance: `(N,H,W)`, signed, from the shape's edge to the pixel's centre, in pixels.
    """
    return (0.5 - distance).clamp(0, 1)


def _texture(u: Tensor, v: Tensor, kind: Tensor, draw: _Draw) -> Tensor:
    """Draw ink `(N,H,W)` in [0, 1] by kind.

    The kinds are 0 stripes across, 1 spots on a hexagonal lattice, 2 none.
    """
    period = draw.uniform(5.0, 8.0)
    phase = draw.uniform(0, 1)
    ink = torch.zeros_like(u)
    striped, spotted = kind == 0, kind == 1
    wave = (u[striped] / period[striped] + phase[striped]) % 1
    ink[striped] = _coverage(((wave - 0.5).abs() - 0.25) * period[striped])
    a, b = u[spotted] / period[spotted] + phase[spotted], v[spotted] / period[spotted]
    near, far = (
        torch.hypot(_wrap(a + shift, 1), _wrap(b + shift * 3**0.5, 3**0.5)) for shift in (0, 0.5)
    )
    nearest = torch.minimum(near, far)
    ink[spotted] = _coverage((nearest - 0.32) * period[spotted])
    return ink


def _wrap(x: Tensor, period: float) -> Tensor:
    return x - period * (x / period).round()


def _mix(below: Tensor, above: Tensor, share: Tensor) -> Tensor:
    """Lay `above` over `below`, `(N,3,H,W)`, with opacity `share` `(N,H,W)`."""
    return below + (above - below) * share.unsqueeze(1)


@functools.cache
def _photo_regions(split: str) -> list[Tensor]:
    """Return photos uint8 `(3,H,W)` at three scales.

    The left of each is to train, the right is held out.
    """
    import numpy as np  # like Pillow, needed only here

    regions = []
    for name in BACKGROUNDS:
        photo = load_photo(name)
        cut = photo.width * 3 // 5
        left, right = (0, cut) if split == "train" else (cut, photo.width)
        region = photo.crop((left, 0, right, photo.height))
        for shorter_side in (80, 128, 200):
            scale = shorter_side / min(region.size)
            size = round(region.width * scale), round(region.height * scale)
            pixels = np.array(region.resize(size, reducing_gap=3.0))
            regions.append(torch.from_numpy(pixels).permute(2, 0, 1).contiguous())
    return regions
