"""Lesson 5 on the tour, with a map of the picture's own patches."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lessons.toolkit.technique import Declined, Panel, Subject, Technique, feature_maps

PATCHES = 196
FEWEST = 64  # perplexity 20 asks for a few times 20 points
STEPS = 400
WALL = (640, 960)
SIDE = 44


def _patch_wall(course: Any, subject: Subject) -> list[Panel]:
    lesson = course.l05_tsne
    height, width = subject.rgb.shape[-2:]
    rows = round((PATCHES * height / width) ** 0.5)
    maps = list(feature_maps(course, subject).values())
    # The deepest layer that still tells so many places apart; or the one that tells most.
    fine = [activation for activation in maps if activation.shape[2] >= rows]
    cells = fine[-1] if fine else max(maps, key=lambda activation: activation.shape[2])
    rows = min(rows, cells.shape[2])
    columns = min(PATCHES // rows, cells.shape[3])
    if rows * columns < FEWEST:
        raise Declined(f"needs a layer that tells at least {FEWEST} places apart")
    features = functional.adaptive_avg_pool2d(cells.float().cpu(), (rows, columns))
    features = functional.normalize(features[0].flatten(1).T, dim=1)
    reduced = lesson.pca(features, min(30, *features.shape))
    points = lesson.tsne(reduced, perplexity=20, steps=STEPS)
    patches = _patches(subject.rgb, rows, columns)
    wall = lesson.embedding_canvas(patches, points, WALL, (SIDE, SIDE))
    # Painted once more in black, the wall shows where there is a patch; the rest is the page's.
    covered = 1 - lesson.embedding_canvas(torch.zeros_like(patches), points, WALL, (SIDE, SIDE))
    alt = "Small patches of the photo scattered over the page, those with like features together."
    picture = torch.cat([wall, covered[:1]])
    return [Panel(picture, f"{len(points)} patches of the picture", alt, wide=True)]


def _patches(rgb: Tensor, rows: int, columns: int) -> Tensor:
    """Cut the picture into as many pieces as there are cells.

    Each has some of its surroundings.
    """
    step = (rgb.shape[1] // rows, rgb.shape[2] // columns)
    padded = functional.pad(
        rgb[None], (step[1] // 2, step[1], step[0] // 2, step[0]), mode="replicate"
    )
    size = (2 * step[0], 2 * step[1])
    pieces = functional.unfold(padded, size, stride=step)
    across = (padded.shape[-1] - size[1]) // step[1] + 1
    grid = pieces[0].T.reshape(-1, across, 3, *size)
    return grid[:rows, :columns].flatten(0, 1)


TECHNIQUES = (
    Technique(
        title="t-SNE",
        question="Which parts of the picture look alike to the network?",
        shows="Each patch lies near patches with similar features, wherever it was in the photo.",
        misleads="The gaps and the sizes of the groups mean nothing; only who is near whom does.",
        paper=(
            "[van der Maaten and Hinton 2008](https://www.jmlr.org/papers/v9/vandermaaten08a.html)"
        ),
        draw=_patch_wall,
    ),
)
