"""All photos of the course as its network sees them."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.photos import load_photo, photo_names


class Gallery(NamedTuple):
    """Photos as a network sees them.

    Attributes:
        classifier: who looks.
        names: of the photos, the course's own first.
        rgb: float (N, 3, H, W) in [0, 1], the part of each photo that the network is shown.
        images: the same, normalised for the network.
    """

    classifier: Classifier
    names: list[str]
    rgb: Tensor
    images: Tensor


@cache
def photo_gallery() -> Gallery:
    """Show all bundled photos to the default network.

    >>> photo_gallery().names[0], photo_gallery().images.shape[1:]
    ('cat', torch.Size([3, 224, 224]))
    """
    classifier, names = load_model(), photo_names()
    rgb = torch.stack([classifier.preprocess.crop_rgb(load_photo(name)) for name in names])
    return Gallery(classifier, names, rgb, classifier.preprocess.normalise(rgb))
