"""Mistakes that can be made in every exercise: wrappers around the right answer.

Each spoils one thing. Most carry the id that the ladder itself gives to what it finds; the rest are
recognised by what they return, as an exercise's own mutants are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from autograder.course.exercise import Case, Exercise, Mutant
from autograder.protocol.wire import ModelSpec

WRAPPER = '''
_right_{name} = {name}


def {name}(*args, **kwargs):
    """The right answer, with one thing spoilt."""
    import torch

    given = [*args, *kwargs.values()]
    models = [value for value in given if isinstance(value, torch.nn.Module)]
    tensors = [value for value in given if isinstance(value, torch.Tensor)]
{body}
'''


def wrapper(name: str, body: str) -> str:
    """Lines that redefine a function around itself; the body sees `right()`, models and tensors."""
    lines = ["    right = lambda: _right_%s(*args, **kwargs)" % name]  # noqa: UP031
    lines += ["    " + line for line in body.strip("\n").splitlines()]
    return WRAPPER.format(name=name, body="\n".join(lines))


# id -> (what must be among the inputs or the result, lines of the wrapper)
SPOILT: dict[str, tuple[str, str]] = {
    "returned_none": ("any", "right()"),
    "printed_not_returned": ("any", "print(right())"),
    "numpy_not_tensor": ("tensor", "return right().cpu().numpy()"),
    "wrong_dtype": ("float", "return right().half()"),
    "not_finite": ("float", "return right() / 0 * 0"),
    "keeps_graph": ("float", "return right().clone().requires_grad_() * 1.0"),
    "hooks_left": (
        "model",
        "models[0].register_forward_hook(lambda *_: None)\nreturn right()",
    ),
    "mode_flipped": ("model", "result = right()\nmodels[0].train()\nreturn result"),
    "grads_left": (
        "model",
        "result = right()\n"
        "for parameter in models[0].parameters():\n"
        "    parameter.grad = torch.zeros_like(parameter)\n"
        "return result",
    ),
    "weights_changed": (
        "model",
        "result = right()\n"
        "with torch.no_grad():\n"
        "    next(models[0].parameters()).add_(0.5)\n"
        "return result",
    ),
    "input_changed": (
        "float input",
        "result = right()\n"
        "chosen = next(tensor for tensor in tensors if tensor.is_floating_point())\n"
        "with torch.no_grad():\n"
        "    chosen += 1\n"
        "return result",
    ),
    "global_rng": ("any", "torch.rand(1)\nreturn right()"),
}

BY_VALUE: dict[str, tuple[str, str, str, str]] = {
    "first_of_batch": (
        "batch",
        "result = right()\nreturn torch.zeros_like(result).index_copy("
        "0, torch.tensor([0], device=result.device), result[:1])",
        "Only the first image of the batch has a result.",
        "Follow the batch dimension through your code: does every image keep its own?",
    ),
    "last_axes_swapped": (
        "map",
        "return right().transpose(-1, -2)",
        "Height and width are swapped.",
        "Tensors are (..., H, W): rows first.",
    ),
    "squeezed": (
        "batch",
        "return right().squeeze()",
        "A dimension of size 1 is gone: `squeeze()` without an argument removes them all.",
        "Name the dimension you mean to remove.",
    ),
}


def common_mutants(
    exercise: Exercise, cases: Mapping[str, Case], records: Mapping[str, dict[str, Any]]
) -> tuple[Mutant, ...]:
    """The common mistakes that make sense for an exercise.

    Args:
        exercise: its record; `without_common` leaves ids out.
        cases: its cases under some seed.
        records: what the reference did on them.
    """
    if not exercise.is_function:
        return ()
    traits = _traits(cases, records)
    found = [
        Mutant(code, "", "", append=wrapper(exercise.name, body))
        for code, (trait, body) in SPOILT.items()
        if trait in traits
    ]
    found += [
        Mutant(code, says, next_step, append=wrapper(exercise.name, body))
        for code, (trait, body, says, next_step) in BY_VALUE.items()
        if trait in traits
    ]
    return tuple(mutant for mutant in found if mutant.id not in exercise.without_common)


def _traits(cases: Mapping[str, Case], records: Mapping[str, dict[str, Any]]) -> set[str]:
    traits = {"any"}
    inputs = [value for case in cases.values() for value in case.inputs.values()]
    values = [record["value"] for record in records.values() if "value" in record]
    if any(isinstance(value, ModelSpec) for value in inputs):
        traits.add("model")
    first = next(iter(cases.values())).inputs.values()
    if any(isinstance(value, Tensor) and value.is_floating_point() for value in first):
        traits.add("float input")
    if values and all(isinstance(value, Tensor) for value in values):
        traits.add("tensor")
        if values[0].is_floating_point():
            traits.add("float")
        if all(value.dim() >= 2 for value in values):
            traits.add("map")
        if _has_batch(cases) and values[0].dim() >= 2 and len(values[0]) > 1:
            traits.add("batch")
    return traits


def _has_batch(cases: Mapping[str, Case]) -> bool:
    return any("images" in case.inputs for case in cases.values())
