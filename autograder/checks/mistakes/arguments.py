"""Mistakes that ignore an argument, or what is wrong with it.

Such an exercise gives the same whatever the argument is.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from autograder.checks.mistakes.shared import Wrap, arguments_of, shared
from autograder.course.exercise import Case, Exercise, Function, Mistake

SCALARS = (bool, int, float, str, tuple)


def scalar_arguments(cases: Mapping[str, Case]) -> dict[str, Any]:
    """Return each argument that is a number or a word, from the first case."""
    first = next(iter(cases.values()))
    return {
        name: value
        for name, value in first.inputs.items()
        if isinstance(value, SCALARS) or value is None
    }


def _frozen(name: str, value: Any) -> Wrap:
    """Return a wrapper that gives an argument one value in every call."""

    def wrap(right: Function) -> Function:
        @functools.wraps(right)
        def wrong(*args: Any, **kwargs: Any) -> Any:
            return right(**{**arguments_of(right, args, kwargs), name: value})

        return wrong

    return wrap


def _target_of_any_length(right: Function) -> Function:
    """Answer for a target of another length as if its classes came round again."""

    @functools.wraps(right)
    def wrong(*args: Any, **kwargs: Any) -> Any:
        given = arguments_of(right, args, kwargs)
        target, count = given["target"], len(given["images"])
        return right(**{**given, "target": target[torch.arange(count) % len(target)]})

    return wrong


def mistakes(
    exercise: Exercise, cases: Mapping[str, Case], records: Mapping[str, Any]
) -> Iterator[Mistake]:
    """Yield one mistake for each number or word in the arguments, and for a target.

    Args:
        exercise, cases, records: as in `mistakes_of`.
    """
    if exercise.is_function:
        for name, value in scalar_arguments(cases).items():
            yield shared("argument_ignored", "arguments", name, wrap=_frozen(name, value))
        if {"images", "target"} <= next(iter(cases.values())).inputs.keys():
            yield shared("target_length_unnoticed", "arguments", wrap=_target_of_any_length)
