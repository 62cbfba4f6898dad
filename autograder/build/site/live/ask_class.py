"""Prepare the class activation maps of all 1,000 classes for one picture.

The network ends with a mean over the places and a linear layer, so the map of a class is exact:
its weights times the last activation. Whole numbers up to 64 keep it to 0.8 % of its maximum.
"""

from __future__ import annotations

from typing import Any

import torch

from autograder.build.site.live.pack import grey_picture, packed, rounded
from lessons.toolkit.models import load_model
from lessons.toolkit.photos import load_photo

PHOTOS = ("cat", "coffee")
LEVELS = 64
STEPS, LOGITS = 50_000, 1_000  # units of what is kept in 16 bits


def scene() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the picture, its class activation maps and its logits.

    Returns:
        RGB (3, 224, 448), maps (1000, 7, 14) without the biases, and logits (1000,).
    """
    classifier = load_model()
    network, preprocess = classifier.network, classifier.preprocess
    rgb = torch.cat([preprocess.crop_rgb(load_photo(name)) for name in PHOTOS], dim=2)
    kept: list[torch.Tensor] = []
    handle = network.get_submodule("head").register_forward_hook(
        lambda module, inputs, output: kept.append(output)
    )
    with torch.inference_mode(), handle:
        logits = network(preprocess.normalise(rgb)[None])[0]
        maps = torch.einsum("kc,chw->khw", network.get_parameter("classifier.weight"), kept[0][0])
    return rgb, maps, logits


def make() -> dict[str, Any]:
    """Return names, maps, logits and the picture itself."""
    rgb, maps, logits = scene()
    numbers, steps = rounded(maps.flatten(1), LEVELS)
    return {
        "names": "\n".join(load_model().classes),
        "height": maps.shape[1],
        "width": maps.shape[2],
        "maps": packed(numbers.to(torch.int8)),
        "steps": packed((steps * STEPS).round().to(torch.int16)),
        "logits": packed((logits * LOGITS).round().to(torch.int16)),
        "picture": grey_picture(rgb, 55),
    }
