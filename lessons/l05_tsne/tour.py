"""Lesson 5 on the tour, with a map of the picture's own patches."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from lessons.toolkit.technique import Panel, Subject, Technique

CELLS = 14
STEPS = 400


def _patch_wall(course: Any, subject: Subject) -> list[Panel]:
    lesson, network = course.l05_tsne, subject.classifier.network
    layers = subject.classifier.layers()
    seen = course.l02_hooks.capture_activations(network, layers, subject.images)
    # The deepest layer that still tells so many places apart.
    deep = [a for a in seen.values() if a.dim() == 4 and min(a.shape[-2:]) >= CELLS]
    cells = functional.adaptive_avg_pool2d(deep[-1].cpu(), CELLS)[0].flatten(1).T
    cells = functional.normalize(cells, dim=1)
    points = lesson.tsne(lesson.pca(cells, 30), perplexity=20, steps=STEPS)
    patches = _patches(subject.rgb)
    wall = lesson.embedding_canvas(patches, points, (640, 960), (44, 44))
    alt = "Small patches of the photo scattered on white; patches that look alike lie together."
    return [Panel(wall, f"{len(points)} patches of the picture", alt, wide=True)]


def _patches(rgb: torch.Tensor) -> torch.Tensor:
    """Cut the picture into as many pieces as there are cells.

    Each has some of its surroundings.
    """
    height, width = rgb.shape[-2:]
    step = (height // CELLS, width // CELLS)
    padded = functional.pad(
        rgb[None], (step[1] // 2, step[1], step[0] // 2, step[0]), mode="replicate"
    )
    size = (2 * step[0], 2 * step[1])
    pieces = functional.unfold(padded, size, stride=step)
    columns = (padded.shape[-1] - size[1]) // step[1] + 1
    grid = pieces[0].T.reshape(-1, columns, 3, *size)
    return grid[:CELLS, :CELLS].flatten(0, 1)


TECHNIQUES = (
    Technique(
        title="t-SNE",
        question="Which parts of the picture look alike to the network?",
        shows="Each patch lies near patches with similar features, wherever it was in the photo.",
        misleads="The gaps and the sizes of the groups mean nothing; only who is near whom does.",
        paper="van der Maaten and Hinton 2008",
        draw=_patch_wall,
    ),
)
