"""The calls of lesson 5's exercises."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

import torch
from torch import Tensor


def two_maps(
    student: ModuleType, x: Tensor, one: Mapping[str, Any], other: Mapping[str, Any]
) -> Tensor:
    """Return maps of the same points under two settings, (2, N, 2).

    They differ if an argument plays its part.
    """
    return torch.stack([student.tsne(x, **one), student.tsne(x, **other)])


def same_map_twice(
    student: ModuleType, x: Tensor, one: Mapping[str, Any], same: Mapping[str, Any]
) -> Tensor:
    """Return maps under two settings that mean the same, (2, N, 2)."""
    return two_maps(student, x, one, same)
