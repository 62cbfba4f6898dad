"""The calls of lesson 8's exercises."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import torch
from torch import Tensor


def with_more_steps(student: ModuleType, max_steps: int, **given: Any) -> Tensor:
    """Return the pictures after enough steps and after many more, (2, 3, H, W)."""
    counts = (max_steps, 3 * max_steps)
    return torch.cat([student.fooling_image(max_steps=count, **given) for count in counts])


def written_into(student: ModuleType, image: Tensor, **given: Any) -> Any:
    """Return a picture, and whether the image changes when someone writes into it."""
    # A copy: what is written here is not the student's doing.
    image, before = image.clone(), image.clone()
    fooling = student.fooling_image(image=image, **given)
    if not isinstance(fooling, Tensor):
        return fooling
    found = fooling.detach().clone()
    with torch.no_grad():
        fooling.detach().add_(1)
    return {"the picture": found, "whether the image changed too": not torch.equal(image, before)}


def watched(student: ModuleType, **given: Any) -> dict[str, Any]:
    """Return a dream, and what someone saw who watched it."""
    seen: list[Tensor] = []
    dream = student.deep_dream(watch=lambda picture: seen.append(picture.clone()), **given)
    return {
        "the dream": dream,
        "the sizes that `watch` saw": [tuple(picture.shape[2:]) for picture in seen],
        "the last picture that `watch` saw": seen[-1] if seen else None,
    }
