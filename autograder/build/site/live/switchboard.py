"""Prepare the head's channels of one photo, and what each says to twelve classes.

After the head come a mean and a linear layer, so switching a channel off takes its weight times its
mean from each logit, and nothing else happens.
"""

from __future__ import annotations

from typing import Any

import torch

from autograder.build.site.live.pack import grey_picture, packed, rounded
from lessons.toolkit.classes import class_index
from lessons.toolkit.models import load_model
from lessons.toolkit.photos import load_photo

CLASSES = (  # site/docs/assets/live/switchboard.js names them in this order
    "tiger cat",
    "Egyptian cat",
    "tabby",
    "lynx",
    "tiger",
    "Persian cat",
    "Siamese cat",
    "red fox",
    "hamster",
    "washer",
    "paper towel",
    "espresso",
)
LEVELS = 32_000


def measured() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the photo, the head's activation and the rows of twelve classes.

    Returns:
        RGB (3, 224, 224), activation (1280, 7, 7), weights (12, 1280), biases (12,).
    """
    classifier = load_model()
    rgb = classifier.preprocess.crop_rgb(load_photo("cat"))
    kept: list[torch.Tensor] = []
    handle = classifier.network.get_submodule("head").register_forward_hook(
        lambda module, inputs, output: kept.append(output)
    )
    with torch.inference_mode(), handle:
        classifier.network(classifier.preprocess.normalise(rgb)[None])
    rows = [class_index(classifier.classes, name) for name in CLASSES]
    weight, bias = (
        classifier.network.get_parameter(f"classifier.{part}")[rows].detach()
        for part in ("weight", "bias")
    )
    return rgb, kept[0][0], weight, bias


def make() -> dict[str, Any]:
    """Return what each channel adds to each of the twelve logits, and the photo."""
    rgb, activation, weight, bias = measured()
    numbers, steps = rounded(weight * activation.mean((1, 2)), LEVELS)
    maps, scales = rounded(activation.flatten(1), 15)
    return {
        "said": packed(numbers.to(torch.int16)),
        "steps": steps.tolist(),
        "biases": bias.tolist(),
        "maps": packed(maps.byte()),
        "scales": packed(scales),
        "picture": grey_picture(rgb, 55),
    }
