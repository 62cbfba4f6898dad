"""Take 600 handwritten digits for a map that a reader steers."""

from __future__ import annotations

from typing import Any

import torch

from autograder.build.site.live.pack import packed

COUNT = 600


def make() -> dict[str, Any]:
    """Return pixels from 0 to 16, labels, and where the points start by PCA."""
    from sklearn.datasets import load_digits

    data, labels = load_digits(return_X_y=True)
    pixels = torch.from_numpy(data[:COUNT])
    centred = pixels - pixels.mean(0)
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    start = centred @ axes[:2].T
    # An axis may point either way: its largest entry is positive, as in lesson 5.
    start = start * axes[:2].gather(1, axes[:2].abs().argmax(1, keepdim=True)).sign().T
    # Rounded, because the last digits of a decomposition depend on the number of threads.
    start = (start / start.std()).mul(1000).round().div(1000).float()
    return {
        "pixels": packed(pixels.byte()),
        "labels": packed(torch.from_numpy(labels[:COUNT]).byte()),
        "start": packed(start),
    }
