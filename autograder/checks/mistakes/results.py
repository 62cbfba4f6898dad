"""Simple relations between a wrong result and the right one.

They are found whatever the code looks like. A change is applied to every float tensor of a result.
Where it is one of many (any factor, any shift), `fits` says whether two results stand in that
relation at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from autograder.checks.mistakes.shared import shared
from autograder.course.exercise import Case, Exercise, Mistake

Change = Callable[[Tensor], Tensor]
TINY = 1e-12
# Any number is another one times something: fewer say nothing of a relation to the right result.
FEWEST_NUMBERS = 3
# Ids that an exercise leaves out where its result has no places, as logits have none.
TURNS = ("last_axes_swapped", "upside_down", "mirrored")
# Ids that it leaves out where its result is one number: these make 0 or 1 of any.
SCALINGS = (
    "scaled_to_maximum",
    "maximum_zero",
    "scaled_over_batch",
    "stretched",
    "stretched_over_batch",
    "unit_norm",
    "softmax_of_result",
)


def _each(change: Change) -> Callable[[Any], Any]:
    """Return a function that changes every float and float tensor of a result."""

    def changed(value: Any) -> Any:
        if isinstance(value, Tensor):
            return change(value) if value.is_floating_point() else value
        if type(value) is float:
            return float(change(torch.tensor(value, dtype=torch.float64)))
        if type(value) is dict:
            return {key: changed(item) for key, item in value.items()}
        return type(value)(map(changed, value)) if type(value) in (list, tuple) else value

    return changed


def _extreme(value: Tensor, largest: bool) -> Tensor:
    """Return the largest or smallest entry of each image.

    A tensor of at most two dimensions counts as one image.
    """
    dims = tuple(range(1, value.dim())) if value.dim() > 2 else tuple(range(value.dim()))
    return value.amax(dims, keepdim=True) if largest else value.amin(dims, keepdim=True)


def _divided_by_maximum(value: Tensor) -> Tensor:
    top = _extreme(value, True)
    return value / top.where(top.abs() > TINY, torch.ones_like(top))


def _stretched(value: Tensor) -> Tensor:
    low, high = _extreme(value, False), _extreme(value, True)
    return (value - low) / (high - low).clamp(min=TINY)


def _divided_by_norm(value: Tensor) -> Tensor:
    dims = tuple(range(1, value.dim())) if value.dim() > 2 else tuple(range(value.dim()))
    return value / value.square().sum(dims, keepdim=True).sqrt().clamp(min=TINY)


# Changes that make sense for any float result.
OF_FLOATS: dict[str, Change] = {
    "negated": lambda value: -value,
    "magnitude": lambda value: value.abs(),
    "positive_part": lambda value: value.relu(),
    "negative_part": lambda value: (-value).relu(),
    "squared": lambda value: value.square(),
    "square_root": lambda value: value.abs().sqrt(),
    "scaled_to_maximum": _divided_by_maximum,
    "maximum_zero": lambda value: value / _extreme(value, True),
    "scaled_over_batch": lambda value: value / value.amax().clamp(min=TINY),
    "stretched": _stretched,
    "stretched_over_batch": lambda value: (
        (value - value.amin()) / (value.amax() - value.amin()).clamp(min=TINY)
    ),
    "unit_norm": _divided_by_norm,
    "complement": lambda value: 1 - value,
    "softmax_of_result": lambda value: value.softmax(-1) if value.dim() else value,
    "sigmoid_of_result": lambda value: value.sigmoid(),
}
# Changes of results whose last two dimensions are height and width.
OF_MAPS: dict[str, Change] = {
    "last_axes_swapped": lambda value: value.transpose(-1, -2),
    "upside_down": lambda value: value.flip(-2),
    "mirrored": lambda value: value.flip(-1),
}


def _first_only(value: Tensor) -> Tensor:
    rest = torch.zeros_like(value)
    rest[:1] = value[:1]
    return rest


# Changes of results whose first dimension counts images.
OF_BATCHES: dict[str, Change] = {
    "first_of_batch": _first_only,
    "first_for_all": lambda value: value[:1].expand_as(value).clone(),
    "averaged_over_batch": lambda value: value.mean(0, keepdim=True).expand_as(value).clone(),
    "summed_over_batch": lambda value: value.sum(0, keepdim=True).expand_as(value).clone(),
    "batch_dimension_lost": lambda value: value.mean(0),
    "first_image_only": lambda value: value[0],
    "squeezed": lambda value: value.squeeze(),
}


def _floats(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor):
        return [value.detach().double()] if value.is_floating_point() else []
    if type(value) is float:
        return [torch.tensor([value], dtype=torch.float64)]
    if isinstance(value, dict):
        return [leaf for key in sorted(value, key=str) for leaf in _floats(value[key])]
    return (
        [leaf for item in value for leaf in _floats(item)] if type(value) in (list, tuple) else []
    )


def _pairs(expected: Any, actual: Any) -> list[tuple[Tensor, Tensor]] | None:
    """Return the float tensors of two results in pairs.

    Return None where they do not match.
    """
    ours, theirs = _floats(expected), _floats(actual)
    if not ours or [t.shape for t in ours] != [t.shape for t in theirs]:
        return None
    pairs = []
    for one, other in zip(ours, theirs, strict=True):
        if not torch.equal(one.isfinite(), other.isfinite()):
            return None
        pairs.append((one.nan_to_num(0, 0, 0), other.nan_to_num(0, 0, 0)))
    return pairs


def _alike(one: Tensor, other: Tensor) -> bool:
    scale = float(one.abs().max()) if one.numel() else 0.0
    return scale > TINY and bool((one - other).abs().max() <= 1e-4 * scale)


def _factor(expected: Any, actual: Any) -> bool:
    """Check whether a result is the right one times one number."""
    pairs = _pairs(expected, actual)
    if pairs is None:
        return False
    right = torch.cat([right.flatten() for right, _ in pairs])
    wrong = torch.cat([wrong.flatten() for _, wrong in pairs])
    if len(right) < FEWEST_NUMBERS:
        return False
    factor = torch.dot(right, wrong) / right.square().sum().clamp(min=TINY)
    # By a factor of 1 nothing is off: then what is wrong is no float.
    off = factor.abs() > 1e-9 and (factor - 1).abs() > 1e-6
    return bool(off) and _alike(wrong, factor * right)


def _factor_an_image(expected: Any, actual: Any) -> bool:
    """Check whether each image's result is the right one times a number of its own."""
    pairs = _pairs(expected, actual)
    if pairs is None or any(right.dim() < 2 or len(right) < 2 for right, _ in pairs):
        return False
    for right, wrong in pairs:
        r, w = right.flatten(1), wrong.flatten(1)
        factor = (r * w).sum(1, keepdim=True) / r.square().sum(1, keepdim=True).clamp(min=TINY)
        if r.shape[1] < FEWEST_NUMBERS or not _alike(w, factor * r) or factor.abs().amin() < 1e-9:
            return False
    return True


def _shift(expected: Any, actual: Any) -> bool:
    """Check whether a result is the right one plus one number."""
    pairs = _pairs(expected, actual)
    if pairs is None:
        return False
    differences = torch.cat([(wrong - right).flatten() for right, wrong in pairs])
    differences = differences[torch.cat([leaf.isfinite().flatten() for leaf in _floats(actual)])]
    if differences.numel() < FEWEST_NUMBERS:
        return False
    spread = differences.amax() - differences.amin()
    scale = max(float(right.abs().max()) for right, _ in pairs)
    return bool(differences.abs().amin() > 1e-6) and bool(spread <= 1e-4 * max(scale, TINY))


def _has_images(value: Tensor) -> bool:
    """Check whether several images have a result each of more than two numbers."""
    return value.dim() >= 2 and len(value) >= 2 and value[0].numel() >= FEWEST_NUMBERS


def mistakes(
    exercise: Exercise, cases: Mapping[str, Case], records: Mapping[str, Any]
) -> Iterator[Mistake]:
    """Yield the relations that make sense for results like these.

    Args:
        exercise, cases, records: as in `mistakes_of`.
    """
    values = [record["value"] for record in records.values() if record.get("status") == "returned"]
    if not exercise.is_function or not values:
        return
    yield shared("returned_none", "results", change=lambda value: None)
    if not any(_floats(value) for value in values):
        return
    tensors = [value for value in values if isinstance(value, Tensor)]
    if len(tensors) == len(values):
        if exercise.batch and all(value.dim() >= 2 for value in tensors):
            for id, change in OF_BATCHES.items():
                yield shared(id, "results", change=_each(change))
        if all(value.dim() >= 2 for value in tensors):
            for id, change in OF_MAPS.items():
                yield shared(id, "results", change=_each(change))
    if exercise.judge is not None:  # it has many right answers, which stand in no simple relation
        return
    for id, change in OF_FLOATS.items():
        yield shared(id, "results", change=_each(change))
    if not any(sum(leaf.numel() for leaf in _floats(value)) >= FEWEST_NUMBERS for value in values):
        return
    third: Callable[[Any], Any] = _each(lambda value: value / 3)
    yield shared("off_by_a_factor", "results", change=third, fits=_factor)
    if exercise.batch and len(tensors) == len(values) and any(map(_has_images, tensors)):
        yield shared(
            "off_by_a_factor_an_image",
            "results",
            change=_each(lambda v: v * (1 + torch.arange(len(v)).view(-1, *[1] * (v.dim() - 1)))),
            fits=_factor_an_image,
        )
    yield shared("shifted", "results", change=_each(lambda value: value + 0.1), fits=_shift)
