"""Make the inputs of cases.

They are random tensors and numbers from a generator, and networks by name.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.course.exercise import Case
from autograder.protocol.wire import ModelSpec

LARGEST_SEED = 1 << 30


def normal(rng: Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw standard normal numbers."""
    return torch.randn(shape, generator=rng, dtype=dtype)


def constant(rng: Generator, *shape: int) -> Tensor:
    """Draw one number in [0, 1) and repeat it."""
    return torch.rand(1, generator=rng).expand(shape).clone()


def whole(rng: Generator, most: int) -> int:
    """Draw a whole number from 0 to `most` - 1."""
    return int(torch.randint(most, (), generator=rng))


def between(rng: Generator, low: float, high: float) -> float:
    """Draw a number from an interval."""
    return low + (high - low) * float(torch.rand((), generator=rng))


def fresh_seed(rng: Generator) -> int:
    """Draw a seed."""
    return whole(rng, LARGEST_SEED)


def network(rng: Generator, name: str, like: Tensor | None = None) -> ModelSpec:
    """Name a small network with random weights.

    Args:
        rng: gives the seed of the weights.
        name: the network's name in `autograder.worker.networks`.
        like: images whose dtype it takes; float32 without them.
    """
    double = like is not None and like.dtype == torch.float64
    return ModelSpec(name, fresh_seed(rng), "float64" if double else "float32")


def refuse(cases: dict[str, Case]) -> dict[str, Case]:
    """Add what everyone with a target or a layer has to refuse with a ValueError.

    Args:
        cases: the cases, the plainest first, with more than one image and a network in it.

    Returns:
        The cases, then the first one with a target too short for its batch, and with a layer that
        does not run.
    """
    first = next(iter(cases.values()))
    given, found = dict(first.inputs), {}
    if "target" in given:
        found["a target shorter than the batch"] = {"target": given["target"][:-1]}
    silent = {"model": replace(given["model"], name="nested")}
    if "layer" in given:
        found["a layer that does not run"] = {**silent, "layer": "auxiliary"}
    if "layers" in given:
        found["a layer that does not run"] = {**silent, "layers": ["stem", "auxiliary"]}
    return cases | {
        name: replace(first, inputs={**given, **changed}) for name, changed in found.items()
    }


def vary(cases: dict[str, Case], **changed: Any) -> dict[str, Case]:
    """Add copies of the first case, each with one argument changed.

    An argument that plays no part then shows, whatever else is wrong.

    Args:
        cases: the cases, the plainest first.
        changed: arguments and their other values.

    Returns:
        The cases, then the new ones under the names "another ARGUMENT".
    """
    first = next(iter(cases.values()))
    return cases | {
        f"another {name}": replace(first, inputs={**first.inputs, name: value})
        for name, value in changed.items()
    }
