"""Each argument plays its part: an exercise that ignores one gives the same whatever it is."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

from autograder.checks.mistakes.shared import Wrap, arguments_of, shared
from autograder.course.exercise import Case, Exercise, Function, Mistake

SCALARS = (bool, int, float, str, tuple)


def scalar_arguments(cases: Mapping[str, Case]) -> dict[str, Any]:
    """Return the arguments that are numbers or words, with their value in the first case."""
    first = next(iter(cases.values()))
    return {
        name: value
        for name, value in first.inputs.items()
        if isinstance(value, SCALARS) or value is None
    }


def _frozen(name: str, value: Any) -> Wrap:
    """Return a wrapper under which an argument has one value, whatever the call says."""

    def wrap(right: Function) -> Function:
        @functools.wraps(right)
        def wrong(*args: Any, **kwargs: Any) -> Any:
            return right(**{**arguments_of(right, args, kwargs), name: value})

        return wrong

    return wrap


def mistakes(
    exercise: Exercise, cases: Mapping[str, Case], records: Mapping[str, Any]
) -> Iterator[Mistake]:
    """Return one mistake for each argument that is a number or a word."""
    if exercise.is_function:
        for name, value in scalar_arguments(cases).items():
            yield shared("argument_ignored", "arguments", name, wrap=_frozen(name, value))
