"""Every argument of every exercise matters: whoever ignores one fails its check."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.checks import lesson
from autograder.checks.mistakes.shared import arguments_of
from autograder.course.catalogue import landed_stems
from autograder.course.exercise import Exercise, Mistake
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation
from autograder.judge.ladder import aligned, climb
from autograder.judge.verdict import well_formed
from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build

EXERCISES = [exercise for stem in landed_stems() for exercise in lesson(stem).exercises]


@functools.cache
def expectation(exercise: Exercise) -> Expectation:
    return Expectation(exercise.stem, exercise)


@functools.cache
def parameters(exercise: Exercise) -> dict[str, inspect.Parameter]:
    """What the reference takes; of a class, what its making takes."""
    space: dict[str, Any] = {}
    exec(read_lesson(exercise.stem).bare(), space)
    named = inspect.signature(space[exercise.name]).parameters
    # What `torch.autograd.Function` would take, whom nobody makes.
    various = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: one for name, one in named.items() if one.kind not in various}


@pytest.mark.parametrize("exercise", EXERCISES, ids=lambda exercise: exercise.name)
def test_a_call_is_written_as_a_student_would_write_it(exercise: Exercise) -> None:
    known = set(parameters(exercise))
    for name, case in expectation(exercise).cases.items():
        # What a lesson's own call makes of its inputs is not spelt out to students.
        assert case.call or set(case.inputs) <= known, name


def ways_to_ignore(exercise: Exercise, name: str) -> Iterator[tuple[str, Callable[[Any], Any]]]:
    """A value that stands in the place of whatever is given: the default, the first case's, zeros.

    Where a tensor of the first case fits no other case, any error would do: a tensor becomes zeros.
    """
    default = parameters(exercise)[name].default
    if default is not inspect.Parameter.empty:
        yield "its default", lambda given: default
    first = next(iter(expectation(exercise).cases.values())).inputs.get(name)
    if isinstance(first, Tensor):
        yield "zeros", torch.zeros_like
    elif isinstance(first, ModelSpec):
        yield "another network", lambda given: build(replace(first, seed=first.seed + 1))
    elif first is not None:
        yield "the first case's", lambda given: first
    elif not any(name in case.inputs for case in expectation(exercise).cases.values()):
        # A lesson's own call makes it of its inputs.
        yield "another", another


def another(given: Any) -> Any:
    """Something else of the same kind."""
    if isinstance(given, Tensor):
        return torch.zeros_like(given)
    return given + 1 if isinstance(given, int) else replacement(given)


def replacement(optimiser: Any) -> torch.optim.Optimizer:
    """An optimiser of weights that are nobody's."""
    assert hasattr(optimiser, "zero_grad"), type(optimiser)
    return torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)


def ignoring(name: str, value: Callable[[Any], Any]) -> Mistake:
    def wrap(right: Callable[..., Any]) -> Callable[..., Any]:
        def wrong(*args: Any, **kwargs: Any) -> Any:
            given = arguments_of(right, args, kwargs)
            return right(**{**given, name: value(given.get(name))})

        return wrong

    return Mistake("ignored", "", "", family="state", wrap=wrap)


@pytest.mark.parametrize(
    ("exercise", "name"),
    [
        pytest.param(exercise, name, id=f"{exercise.name}-{name}")
        for exercise in EXERCISES
        for name in parameters(exercise)
    ],
)
def test_who_ignores_an_argument_fails(exercise: Exercise, name: str) -> None:
    found = list(ways_to_ignore(exercise, name))
    assert found, "no case gives this argument"
    known = expectation(exercise)
    for what, value in found:
        assert any(fails(known, ignoring(name, value), case) for case in known.cases), what


def fails(known: Expectation, mistake: Mistake, case: str) -> bool:
    """Climb the ladder only: that a mistake is named is the audit's to ask."""
    expected = known.records[case]
    record = aligned(expected, well_formed(known.run((mistake,), [case])[-1]))
    return climb(known.exercise, case, known.cases[case], expected, record) is not None
