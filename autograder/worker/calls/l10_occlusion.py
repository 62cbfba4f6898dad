"""The calls of lesson 10's exercises, some with a model that counts its calls."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from torch import Tensor, nn


def covered_apart(student: ModuleType, image: Tensor, **inputs: Any) -> dict[str, Any]:
    """Cover an image, and see whether the result has memory of its own."""
    covered = student.occlude(image, **inputs)
    tensors = [value for value in (covered, image) if isinstance(value, Tensor)]
    places = {tensor.untyped_storage().data_ptr() for tensor in tensors}
    return {"the result": covered, "whether it is its own tensor": len(places) == len(tensors)}


def drops_in_full_calls(student: ModuleType, **inputs: Any) -> Any:
    """Measure the drops of a model that counts."""
    return _counted(student.occlusion_drops, 1, **inputs)


def map_in_full_calls(student: ModuleType, **inputs: Any) -> Any:
    """Make the map of a model that counts."""
    return _counted(student.occlusion_map, 1, **inputs)


def stand_ins_in_full_calls(student: ModuleType, **inputs: Any) -> Any:
    """Find what can stand in, with a model that counts."""
    return _counted(student.stand_ins, 2, **inputs)


def _counted(
    function: Callable[..., Any],
    rounds: int,
    model: nn.Module,
    images: Tensor,
    window: int,
    stride: int,
    batch_size: int,
    **inputs: Any,
) -> Any:
    """Let the model refuse a call too large, and one more than full calls need.

    Each image may have its own last call that is not full, and may be seen whole by itself.
    """
    windows = 1
    for side in images.shape[2:]:
        windows *= -(-(side - window) // stride) + 1
    enough = rounds * len(images) * (1 + -(-windows // batch_size))
    calls: list[int] = []

    def count(module: nn.Module, given: Any) -> None:
        calls.append(len(given[0]))
        if calls[-1] > batch_size:
            raise RuntimeError(
                f"too many images in one call of the model: {calls[-1]}, and `batch_size` is "
                f"{batch_size}"
            )
        if len(calls) > enough:
            how = "has one image" if max(calls) == 1 else "could have more images"
            raise RuntimeError(
                f"each call of the model {how}: this is call {len(calls)}, and {enough} are enough "
                f"with up to {batch_size} in each, which is `batch_size`"
            )

    given = {"window": window, "stride": stride, "batch_size": batch_size, **inputs}
    with model.register_forward_pre_hook(count):
        return function(model, images, **given)
