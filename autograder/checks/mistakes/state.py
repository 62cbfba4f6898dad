"""Mistakes that leave something behind or run the network wrongly.

Most of these carry the id that the ladder gives to the same side effect.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from autograder.checks.mistakes.shared import Wrap, shared
from autograder.course.exercise import Case, Exercise, Function, Mistake
from autograder.protocol.wire import ModelSpec

# `spoil(models, tensors)` runs after the right function.
Spoil = Callable[[list[nn.Module], list[Tensor]], None]


def _afterwards(spoil: Spoil) -> Wrap:
    def wrap(right: Function) -> Function:
        @functools.wraps(right)
        def wrong(*args: Any, **kwargs: Any) -> Any:
            result = right(*args, **kwargs)
            spoil(*_given(args, kwargs))
            return result

        return wrong

    return wrap


def _given(args: Any, kwargs: Any) -> tuple[list[nn.Module], list[Tensor]]:
    given = [*args, *kwargs.values()]
    models = [value for value in given if isinstance(value, nn.Module)]
    return models, [value for value in given if isinstance(value, Tensor)]


def _leave_hook(models: list[nn.Module], tensors: list[Tensor]) -> None:
    models[0].register_forward_hook(lambda *_: None)


def _flip_mode(models: list[nn.Module], tensors: list[Tensor]) -> None:
    models[0].train(not models[0].training)


def _fill_gradients(models: list[nn.Module], tensors: list[Tensor]) -> None:
    for parameter in models[0].parameters():
        more = torch.ones_like(parameter)
        parameter.grad = more if parameter.grad is None else parameter.grad + more


def _wipe_gradients(models: list[nn.Module], tensors: list[Tensor]) -> None:
    models[0].zero_grad()


@torch.no_grad()
def _change_weights(models: list[nn.Module], tensors: list[Tensor]) -> None:
    next(models[0].parameters()).add_(0.5)


@torch.no_grad()
def _change_input(models: list[nn.Module], tensors: list[Tensor]) -> None:
    next(tensor for tensor in tensors if tensor.is_floating_point()).add_(1)


def _want_gradient(models: list[nn.Module], tensors: list[Tensor]) -> None:
    next(tensor for tensor in tensors if tensor.is_floating_point()).requires_grad_()


def _draw(models: list[nn.Module], tensors: list[Tensor]) -> None:
    torch.rand(1)


def _hook_left_on_error(right: Function) -> Function:
    @functools.wraps(right)
    def wrong(*args: Any, **kwargs: Any) -> Any:
        try:
            return right(*args, **kwargs)
        except Exception:
            _leave_hook(*_given(args, kwargs))
            raise

    return wrong


def _train_mode(right: Function) -> Function:
    @functools.wraps(right)
    def wrong(*args: Any, **kwargs: Any) -> Any:
        (model, *_), _ = _given(args, kwargs)
        before = model.training
        model.train()
        try:
            return right(*args, **kwargs)
        finally:
            model.train(before)

    return wrong


def _graph_kept(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.clone().requires_grad_() * 1.0 if value.is_floating_point() else value
    if isinstance(value, dict):
        return {key: _graph_kept(item) for key, item in value.items()}
    return type(value)(map(_graph_kept, value)) if isinstance(value, list | tuple) else value


OF_A_MODEL: dict[str, Wrap] = {
    "train_mode": _train_mode,
    "hooks_left": _afterwards(_leave_hook),
    "hooks_left_on_error": _hook_left_on_error,
    "mode_flipped": _afterwards(_flip_mode),
    "grads_left": _afterwards(_fill_gradients),
    "grads_wiped": _afterwards(_wipe_gradients),
    "weights_changed": _afterwards(_change_weights),
}
OF_AN_INPUT: dict[str, Wrap] = {
    "input_changed": _afterwards(_change_input),
    "input_requires_grad_changed": _afterwards(_want_gradient),
}


def mistakes(
    exercise: Exercise, cases: Mapping[str, Case], records: Mapping[str, Any]
) -> Iterator[Mistake]:
    """Yield the side effects that an exercise with these inputs can have.

    Args:
        exercise, cases, records: as in `mistakes_of`.
    """
    if not exercise.is_function:
        return
    first = next(iter(cases.values())).inputs
    if any(isinstance(value, ModelSpec) for value in first.values()):
        for id, wrap in OF_A_MODEL.items():
            yield shared(id, "state", wrap=wrap)
    if any(isinstance(v, Tensor) and v.is_floating_point() for v in first.values()):
        for id, wrap in OF_AN_INPUT.items():
            yield shared(id, "state", wrap=wrap)
    if any(map(_holds_floats, (record.get("value") for record in records.values()))):
        yield shared("keeps_graph", "state", change=_graph_kept)
    yield shared("global_rng", "state", wrap=_afterwards(_draw))


def _holds_floats(value: Any) -> bool:
    if isinstance(value, Tensor):
        return value.is_floating_point()
    if isinstance(value, dict | list | tuple):
        return any(map(_holds_floats, value.values() if isinstance(value, dict) else value))
    return False
