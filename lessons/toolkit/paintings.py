"""Paintings made by formulas, as pictures whose style may be taken.

They belong to nobody, need no file, and are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from lessons.toolkit.errors import unknown

Colour = tuple[int, int, int]
NIGHT: tuple[Colour, ...] = (
    (12, 22, 68),
    (24, 52, 130),
    (45, 98, 170),
    (110, 160, 190),
    (214, 206, 140),
    (246, 200, 70),
    (236, 140, 40),
)
GLASS: tuple[Colour, ...] = (
    (178, 34, 52),
    (232, 160, 38),
    (28, 94, 160),
    (20, 130, 120),
    (245, 222, 170),
    (90, 40, 110),
    (214, 90, 50),
    (60, 150, 200),
)


def painting(name: str, size: int = 256, seed: int = 0) -> Tensor:
    """Paint a picture by its formula.

    Args:
        name: "swirls", brush strokes around bright stars, or "glass", panes in lead.
        size: its height and width.
        seed: another seed paints another picture in the same style.

    Returns:
        float32 (3, size, size) in [0, 1].

    Raises:
        UserError: there is no painting of that name.

    >>> painting("glass", size=64).shape
    torch.Size([3, 64, 64])
    """
    if name not in _PAINTINGS:
        raise unknown("painting", name, _PAINTINGS)
    return _PAINTINGS[name](size, torch.Generator().manual_seed(seed))


def _swirls(size: int, draw: torch.Generator) -> Tensor:
    """Paint strokes along a flow with whirls, and a star in each whirl."""
    y, x = torch.meshgrid(*[torch.linspace(-1, 1, size)] * 2, indexing="ij")
    right, down, light = torch.full_like(x, 0.35), 0.1 * (3 * x).sin(), torch.zeros_like(x)
    for number in range(7):
        across, up = (torch.rand(2, generator=draw) * 1.8 - 0.9).tolist()
        radius = 0.18 + 0.25 * float(torch.rand((), generator=draw))
        far = (x - across) ** 2 + (y - up) ** 2
        turn = (-far / (2 * radius**2)).exp() / radius * (1 if number % 2 else -1)
        right = right - turn * (y - up)
        down = down + turn * (x - across)
        light = light + (-far / (2 * (0.45 * radius) ** 2)).exp()
    flow = functional.normalize(torch.stack([right, down]), dim=0)[None]

    # A stroke is the mean of noise along the flow, followed both ways (Cabral and Leedom 1993).
    grain = torch.stack([_clouds(size, 3, draw), _clouds(size, 3, draw)])[None]
    strokes = grain.clone()
    for way in (1, -1):
        place = torch.stack([x, y], -1)[None]
        for _ in range(13):
            step = functional.grid_sample(
                flow, place, padding_mode="border", align_corners=True
            ).permute(0, 2, 3, 1)
            place = place + way * 2.4 / size * step
            strokes = strokes + functional.grid_sample(
                grain, place, padding_mode="reflection", align_corners=True
            )
    hue, shade = (strokes[0] - strokes.mean((2, 3)).T[..., None]) / strokes[0].std(
        (1, 2), keepdim=True
    )
    warm = 0.3 + 0.17 * hue + 0.55 * light.clamp(max=1.1) + 0.06 * _clouds(size, 48, draw)
    return (_along(NIGHT, warm) * (1 + 0.1 * shade)).clamp(0, 1)


def _glass(size: int, draw: torch.Generator) -> Tensor:
    """Paint panes of glass, each nearest to its own point, with lead between them."""
    points = torch.rand(170, 2, generator=draw) * 1.1 - 0.05
    for _ in range(6):  # each point moves to the middle of its pane (Lloyd 1982)
        places = _places(96)
        owner = torch.cdist(places, points).argmin(1)
        count = owner.bincount(minlength=len(points))[:, None]
        middle = torch.zeros_like(points).index_add(0, owner, places) / count.clamp(min=1)
        points = middle.where(count > 0, points)
    distance, owner = torch.cdist(_places(size), points).topk(2, largest=False)
    pane = ((distance[:, 1] - distance[:, 0]) * size / 3).clamp(0, 1).view(size, size)
    colours = torch.tensor(GLASS)[torch.randint(len(GLASS), (len(points),), generator=draw)] / 255
    colours = colours * (0.85 + 0.3 * torch.rand(len(points), 1, generator=draw))
    glass = colours[owner[:, 0]].view(size, size, 3).permute(2, 0, 1)
    glass = glass * (0.92 + 0.16 * _clouds(size, 12, draw).sigmoid())
    return (glass * pane + 0.08 * (1 - pane)).clamp(0, 1)


def _places(size: int) -> Tensor:
    """Return the places of a square's pixels, (size * size, 2) in [0, 1]."""
    side = torch.linspace(0, 1, size)
    return torch.cartesian_prod(side, side)


def _clouds(size: int, grain: int, draw: torch.Generator) -> Tensor:
    """Draw soft noise (size, size) whose spots are about `grain` pixels wide."""
    coarse = torch.randn(1, 1, *[max(2, size // grain)] * 2, generator=draw)
    return functional.interpolate(coarse, (size, size), mode="bicubic", align_corners=False)[0, 0]


def _along(colours: Sequence[Colour], position: Tensor) -> Tensor:
    """Return the colours (3, H, W) at positions (H, W) from 0 to 1 along a scale."""
    known = torch.tensor(colours) / 255
    place = position.clamp(0, 1) * (len(known) - 1)
    below = place.long().clamp(max=len(known) - 2)
    part = (place - below)[..., None]
    return (known[below] * (1 - part) + known[below + 1] * part).permute(2, 0, 1)


_PAINTINGS: dict[str, Callable[[int, torch.Generator], Tensor]] = {
    "swirls": _swirls,
    "glass": _glass,
}
