"""Compare plain data in float64, within a stated tolerance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Difference:
    """Place where two tensors differ most, and the share of entries that differ."""

    share: float
    place: tuple[int, ...]
    actual: float
    expected: float


def close(expected: Any, actual: Any, rtol: float, atol: float) -> bool:
    """Check whether plain data agrees, entry by entry.

    Args:
        expected, actual: plain data.
        rtol: relative to each expected entry.
        atol: relative to the largest finite expected magnitude of the same tensor.

    >>> close((1.0, "a"), (1.0 + 1e-9, "a"), rtol=1e-6, atol=0.0)
    True
    """
    if isinstance(expected, Tensor):
        if not isinstance(actual, Tensor) or actual.shape != expected.shape:
            return False
        if actual.dtype != expected.dtype:
            return False
        # Most are equal to the last bit, which is quick to see.
        return torch.equal(expected, actual) or not bool(far(expected, actual, rtol, atol).any())
    if type(expected) is not type(actual) and not _both_numbers(expected, actual):
        return False
    if isinstance(expected, float):
        return close(_scalar(expected), _scalar(actual), rtol, atol)
    if isinstance(expected, list | tuple):
        same = len(expected) == len(actual)
        return same and all(close(e, a, rtol, atol) for e, a in zip(expected, actual, strict=True))
    if isinstance(expected, dict):
        same = expected.keys() == actual.keys()
        return same and all(close(expected[key], actual[key], rtol, atol) for key in expected)
    return bool(expected == actual)


def far(expected: Tensor, actual: Tensor, rtol: float, atol: float) -> Tensor:
    """Return a bool tensor that marks the entries outside the tolerance.

    NaN agrees with NaN, and infinity with itself. The arguments are those of `close`.
    """
    if not expected.is_floating_point():
        return expected != actual
    wanted, got = expected.detach().double(), actual.detach().double()
    finite = wanted[torch.isfinite(wanted)].abs()
    scale = float(finite.max()) if finite.numel() else 0.0
    near = (got - wanted).abs() <= atol * scale + rtol * wanted.abs()
    alike = (got == wanted) | (got.isnan() & wanted.isnan())
    return ~(near & torch.isfinite(wanted) | alike)


def worst(expected: Tensor, actual: Tensor, rtol: float, atol: float) -> Difference | None:
    """Return the largest difference of two tensors of one shape.

    If they agree, return None. The arguments are those of `close`.
    """
    outside = far(expected, actual, rtol, atol)
    if not bool(outside.any()):
        return None
    gap = (actual.double() - expected.double()).abs().nan_to_num(math.inf)
    gap = torch.where(outside, gap, -1.0)
    index = int(gap.flatten().argmax())
    place = tuple(int(i) for i in torch.unravel_index(torch.tensor(index), expected.shape))
    share = float(outside.double().mean())
    return Difference(
        share, place, actual.flatten()[index].item(), expected.flatten()[index].item()
    )


def _both_numbers(expected: Any, actual: Any) -> bool:
    return type(expected) is float and type(actual) is int


def _scalar(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float64)
