"""Mistakes that ask the network another question.

A hook on the whole network puts other numbers in the place of its logits while the right function
runs. So the same few lines make the mistake in a gradient, an occlusion map, an ascent and a curve
alike, and no text of a reference is touched.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from autograder.checks.mistakes.shared import arguments_of, model_of, shared
from autograder.course.exercise import Case, Exercise, Function, Mistake
from autograder.protocol.wire import ModelSpec

# `question(logits, target, count)`: logits (M, K) of M images, the call's target (N,) or None, N.
Question = Callable[[Tensor, Tensor | None, int], Tensor]


def _everywhere(column: Tensor, logits: Tensor) -> Tensor:
    """Repeat each image's number under every class."""
    return column[:, None].expand_as(logits)


def _first_target(logits: Tensor, target: Tensor | None, count: int) -> Tensor:
    return logits if target is None else _everywhere(logits[:, target[0]], logits)


def _all_targets(logits: Tensor, target: Tensor | None, count: int) -> Tensor:
    return logits if target is None else _everywhere(logits[:, target].sum(1), logits)


def _largest_of_all(logits: Tensor, target: Tensor | None, count: int) -> Tensor:
    best = logits.amax(1)
    # A sum over images then holds the one largest logit, and nothing of the others.
    return _everywhere(torch.where(best == best.max(), best, best * 0), logits)


QUESTIONS: dict[str, Question] = {
    "softmax_target": lambda logits, target, count: logits.softmax(1),
    "log_softmax_target": lambda logits, target, count: logits.log_softmax(1),
    "cross_entropy": lambda logits, target, count: -logits.log_softmax(1),
    "mean_cross_entropy": lambda logits, target, count: -logits.log_softmax(1) / count,
    "sum_of_all_logits": lambda logits, target, count: _everywhere(logits.sum(1), logits),
    "predicted_class": lambda logits, target, count: _everywhere(logits.amax(1), logits),
    "max_over_batch": _largest_of_all,
    "first_target_for_all": _first_target,
    "all_targets_for_all": _all_targets,
    "mean_over_batch": lambda logits, target, count: logits / count,
}
NEED_TARGET = {"first_target_for_all", "all_targets_for_all", "predicted_class", "max_over_batch"}
NEED_TARGET |= {"sum_of_all_logits", "cross_entropy", "mean_cross_entropy", "mean_over_batch"}


def asked(question: Question) -> Callable[[Function], Function]:
    """Return a wrapper that replaces the network's logits while a function runs.

    Args:
        question: `question(logits, target, count)` gives the other logits.
    """

    def wrap(right: Function) -> Function:
        @functools.wraps(right)
        def wrong(*args: Any, **kwargs: Any) -> Any:
            given = arguments_of(right, args, kwargs)
            target, images = given.get("target"), given.get("images", given.get("image"))

            def answer(module: nn.Module, inputs: object, logits: Tensor) -> Tensor:
                return question(logits, target, len(logits) if images is None else len(images))

            with model_of(right, args, kwargs).register_forward_hook(answer):
                return right(*args, **kwargs)

        return wrong

    return wrap


def mistakes(
    exercise: Exercise, cases: Mapping[str, Case], records: Mapping[str, Any]
) -> Iterator[Mistake]:
    """Yield the mistakes of an exercise that asks a network.

    Args:
        exercise, cases, records: as in `mistakes_of`.
    """
    first = next(iter(cases.values())).inputs
    if not exercise.is_function or not any(isinstance(v, ModelSpec) for v in first.values()):
        return
    values = [record.get("value") for record in records.values()]
    logits = all(
        value is None or (isinstance(value, Tensor) and value.dim() == 2) for value in values
    )
    for id, question in QUESTIONS.items():
        if "target" in first or (logits and id not in NEED_TARGET):
            yield shared(id, "question", wrap=asked(question))
