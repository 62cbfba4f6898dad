"""The calls of lesson 10's exercises, with the images of each pass counted."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from torch import nn


def drops_and_count(student: ModuleType, model: nn.Module, **inputs: Any) -> dict[str, Any]:
    """Measure the drops, and note how many images the largest pass has."""
    return _counted(student.occlusion_drops, model, inputs)


def map_and_count(student: ModuleType, model: nn.Module, **inputs: Any) -> dict[str, Any]:
    """Make the map, and note how many images the largest pass has."""
    return _counted(student.occlusion_map, model, inputs)


def stand_ins_and_count(student: ModuleType, model: nn.Module, **inputs: Any) -> dict[str, Any]:
    """Find what can stand in, and note how many images the largest pass has."""
    return _counted(student.stand_ins, model, inputs)


def _counted(function: Callable[..., Any], model: nn.Module, inputs: Any) -> dict[str, Any]:
    passes: list[int] = []
    with model.register_forward_pre_hook(lambda _, given: passes.append(len(given[0]))):
        result = function(model, **inputs)
    return {"the result": result, "the images in the largest pass": max(passes, default=0)}
