"""Lesson 4 on the tour, with the crops that lie nearest to the photo."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit.crops import photo_crops
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.technique import Panel, Subject, Technique

COUNT, SHOWN = 39, 4  # three crops of each photo: the network sees each of them once
THUMBNAIL = 112


@lru_cache(maxsize=2)
def _crops(size: int) -> Tensor:
    return photo_crops(COUNT, size).rgb()


@lru_cache(maxsize=2)
def _database(course: Any, network: nn.Module, preprocess: Preprocess, layer: str) -> Tensor:
    return _embed(course, network, preprocess, layer, _crops(preprocess.crop))


def _embed(
    course: Any, network: nn.Module, preprocess: Preprocess, layer: str, rgb: Tensor
) -> Tensor:
    parameter = next(network.parameters())
    images = preprocess.normalise(rgb).to(parameter.device, parameter.dtype)
    rows: Tensor = course.l04_neighbours.embed(network, layer, images, 13)
    return rows.cpu()


def _square(rgb: Tensor) -> Tensor:
    """Return the middle of a picture that may be wider than high."""
    height, width = rgb.shape[-2:]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return rgb[:, top : top + side, left : left + side]


def _row(rgb: Tensor) -> Tensor:
    """Put small pictures side by side, with free space between them."""
    small = functional.interpolate(rgb, (THUMBNAIL, THUMBNAIL), mode="bilinear", antialias=True)
    opaque = torch.cat([small, torch.ones_like(small[:, :1])], 1)
    spaced = functional.pad(opaque, (0, 6))
    return torch.cat(list(spaced), -1)[..., :-6]


def _neighbours(course: Any, subject: Subject) -> list[Panel | str]:
    lesson, classifier = course.l04_neighbours, subject.classifier
    looking = course, classifier.network, classifier.preprocess, subject.layer
    query, crops = _square(subject.rgb)[None], _crops(classifier.preprocess.crop)
    names = [place.photo for place in photo_crops(COUNT).places]
    spaces = {
        "pixels": (query.flatten(1), crops.flatten(1), "euclidean"),
        "features": (
            _embed(*looking, query),
            _database(*looking),
            "cosine",
        ),
    }
    panels: list[Panel | str] = []
    nearest: dict[str, set[int]] = {}
    for space, (own, database, metric) in spaces.items():
        indices, _ = lesson.nearest_neighbours(own, database, SHOWN, metric)
        nearest[space] = set(indices[0].tolist())
        found = ", ".join(names[index] for index in indices[0].tolist())
        panels.append(
            Panel(
                _row(crops[indices[0]]),
                f"nearest by {space}: {found}",
                f"Four small pictures in a row, the nearest first: {found}.",
                wide=True,
            )
        )
    shared = len(nearest["pixels"] & nearest["features"])
    panels.append(
        f"{COUNT} crops of the course's photos were searched. Of the {SHOWN} found by pixels, "
        f"{shared} are also among the {SHOWN} found by features."
    )
    return panels


TECHNIQUES = (
    Technique(
        title="Neighbours",
        question="Which other pictures look like this one, to the pixels and to the network?",
        shows=(
            "Crops of the course's photos, the nearest first. "
            "Pixels compare place by place; features compare what is there, wherever it is."
        ),
        misleads="There is always a nearest one, also when nothing in the database is alike.",
        paper="[Krizhevsky et al. 2012](https://doi.org/10.1145/3065386)",
        draw=_neighbours,
    ),
)
