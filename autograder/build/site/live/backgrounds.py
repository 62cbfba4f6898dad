"""Cut photos to paint scenes on, from regions that training never saw."""

from __future__ import annotations

from typing import Any

import torch

from autograder.build.site.live.pack import picture
from lessons.toolkit.photos import load_photo
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.scenes import BACKGROUNDS, BADGE, IMAGE_SIZE, INK, LIME, MEAN, STD

HELD_OUT = 3 / 5  # of a photo's width: what lies to the right of it, as in toolkit/scenes.py


def make() -> dict[str, Any]:
    """Return one picture of all photos side by side, their names, and the badge."""
    cut = Preprocess(96, IMAGE_SIZE, MEAN, STD)
    crops = []
    for name in BACKGROUNDS:
        photo = load_photo(name)
        right = photo.crop((int(photo.width * HELD_OUT), 0, photo.width, photo.height))
        crops.append(cut.crop_rgb(right))
    return {
        "names": BACKGROUNDS,
        "strip": picture(torch.cat(crops, dim=2), 85),
        "badge": ["".join("#" if ink else "." for ink in row) for row in BADGE.tolist()],
        "lime": LIME,
        "ink": INK,
    }
