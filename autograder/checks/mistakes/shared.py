"""Make mistakes with shared words and read the arguments of a call."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch import nn

from autograder.course.exercise import Function, Mistake
from autograder.course.mistakes import shared_words

Wrap = Callable[[Function], Function]


def shared(id: str, family: str, name: str = "", **how: Any) -> Mistake:
    """Make a mistake whose words stand in `words.md`.

    Args:
        id: of the mistake; `argument_ignored` and others take a name in their words.
        family: its family.
        name: stands in for `{name}` in the words, and for `argument` in the id.
        how: `text`, `wrap`, `change` or `fits` of the mistake.
    """
    entry = shared_words()[id]
    says, next_step = entry.says, entry.next_step
    if name:
        id = id.replace("argument", name)
        says, next_step = says.replace("{name}", name), next_step.replace("{name}", name)
    return Mistake(id, says, next_step, family=family, **how)


def arguments_of(right: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call by name."""
    return dict(inspect.signature(right).bind(*args, **kwargs).arguments)


def model_of(right: Function, args: Sequence[Any], kwargs: Mapping[str, Any]) -> nn.Module:
    """Return the network among the arguments of a call."""
    given = arguments_of(right, args, kwargs)
    return next(value for value in given.values() if isinstance(value, nn.Module))
