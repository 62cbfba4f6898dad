"""The calls of lesson 6's exercises, which take patches apart and watch a stream."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator, Sequence
from types import ModuleType
from typing import Any

from torch import Tensor

Batch = tuple[Tensor, Tensor]


def top_patches(student: ModuleType, **inputs: Any) -> Any:
    """Call `top_patches` and take its patches apart."""
    return _parts(student.top_patches(**inputs))


def stream_top_patches(student: ModuleType, batches: Sequence[Batch], **inputs: Any) -> Any:
    """Call `stream_top_patches` with a stream that watches its batches."""
    stream = _Stream(batches)
    patches = student.stream_top_patches(iter(stream), **inputs)
    parts = _parts(patches)
    return parts if parts is None else {**parts, "batches are let go": not stream.was_held}


class _Stream:
    """Yield copies of batches, of which nobody else holds a reference.

    Attributes:
        was_held: a batch was still in memory when the one after the next was asked for.
    """

    def __init__(self, batches: Sequence[Batch]) -> None:
        self.batches = batches
        self.given: list[weakref.ref[Tensor]] = []
        self.was_held = False

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.batches:
            # The last batch is still in the hands of the loop that asks.
            self.was_held = self.was_held or _any_alive(self.given[:-2])
            yield self._copied(*batch)

    def _copied(self, activations: Tensor, images: Tensor) -> Batch:
        batch = activations.clone(), images.clone()
        self.given += map(weakref.ref, batch)
        return batch


def _any_alive(references: Sequence[weakref.ref[Tensor]]) -> bool:
    def alive() -> bool:
        return any(reference() is not None for reference in references)

    # What is only part of a circle is nobody's. Most circles are young, and those are soon found.
    for generation in (1, 2):
        if alive():
            gc.collect(generation)
    return alive()


def _parts(patches: Any) -> dict[str, Any] | None:
    """Return patches as plain data, by what they say."""
    if patches is None:
        return None
    names = ("image", "row", "column", "score", "box", "pixels")
    if not isinstance(patches, list | tuple) or not all(
        hasattr(patch, name) for patch in patches for name in names
    ):
        raise TypeError("a list of `Patch` is asked for, and what came back is none")
    return {
        "the images": [patch.image for patch in patches],
        "the units": [(patch.row, patch.column) for patch in patches],
        "the scores": [patch.score for patch in patches],
        "the boxes": [patch.box for patch in patches],
        "the pixels": [patch.pixels for patch in patches],
        "the pixels are copies": all(_is_copy(patch.pixels) for patch in patches),
    }


def _is_copy(pixels: Any) -> bool:
    """Tell whether a tensor's memory holds its own values and no others."""
    if not isinstance(pixels, Tensor):
        return True  # the check says what is wrong with it
    return pixels.untyped_storage().nbytes() <= pixels.numel() * pixels.element_size()
