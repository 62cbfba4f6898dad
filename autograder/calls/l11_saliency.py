"""How lesson 11's exercises are called."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor


def saliency_segmentation(student: ModuleType, **inputs: Any) -> dict[str, Any]:
    """Hand in a segmenter that needs no library, and keep the markers it is given."""
    seen: list[Tensor] = []

    def nearest_colour(image: Tensor, markers: Tensor) -> Tensor:
        """Label each undecided pixel as the seeds whose mean colour is nearest."""
        seen.append(markers.detach().clone())
        means = [image[:, markers == label].mean(1) for label in (1, 2)]
        distance = torch.stack([(image - mean[:, None, None]).norm(dim=0) for mean in means])
        return torch.where(markers > 0, markers, distance.argmin(0) + 1)

    mask = student.saliency_segmentation(**inputs, segment=nearest_colour)
    return {"mask": mask, "markers": seen[0] if seen else None}
