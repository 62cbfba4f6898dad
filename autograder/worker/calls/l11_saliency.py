"""The calls of lesson 11's exercises."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor


def saliency_segmentation(student: ModuleType, **inputs: Any) -> dict[str, Any] | None:
    """Pass a segmenter that needs no library, and keep the markers it gets."""
    seen: list[Any] = []

    def nearest_colour(image: Tensor, markers: Any) -> Any:
        """Label each undecided pixel as the seeds whose mean colour is nearest."""
        if not isinstance(markers, Tensor):
            seen.append(markers)
            return markers  # the check says what was wrong with them
        seen.append(markers.detach().clone())
        means = [image[:, markers == label].mean(1) for label in (1, 2)]
        distance = torch.stack([(image - mean[:, None, None]).norm(dim=0) for mean in means])
        return torch.where(markers > 0, markers, distance.argmin(0) + 1)

    # The default needs a library that a sandboxed worker has not: it fails alike everywhere.
    student.graph_segment = _not_asked_for  # type: ignore[attr-defined]
    mask = student.saliency_segmentation(**inputs, segment=nearest_colour)
    if mask is None:
        return None  # said in its own words
    return {"mask": mask, "the markers given to `segment`": seen[-1] if seen else None}


def _not_asked_for(image: Tensor, markers: Any) -> Any:
    raise RuntimeError("graph_segment was called, though another `segment` was passed")
