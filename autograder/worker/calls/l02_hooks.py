"""The calls of lesson 2's exercises, which put a recorder to use."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn


class Interruption(Exception):
    """A failure inside a block, on purpose."""


def capture_activations(student: ModuleType, **inputs: Any) -> Any:
    """Call `capture_activations` once."""
    return _as_dict(student.capture_activations(**inputs))


def capture_in_train_mode(student: ModuleType, model: nn.Module, **inputs: Any) -> dict[str, Any]:
    """Capture activations of a network that the caller is training."""
    model.train()
    try:
        activations = _as_dict(student.capture_activations(model=model, **inputs))
        return {"activations": activations, "train mode afterwards": _all_training(model)}
    finally:
        model.eval()


def capture_beside_a_hook(
    student: ModuleType, model: nn.Module, layers: Sequence[str], images: Tensor
) -> dict[str, Any]:
    """Capture activations of a layer on which the caller already has a hook."""
    with _CallersHook(model, layers[0]) as own:
        activations = _as_dict(student.capture_activations(model, layers, images))
        return {"activations": activations, "the caller's own hook is still there": own.runs()}


def record_one_pass(
    student: ModuleType, model: nn.Module, layers: Sequence[str], images: Tensor
) -> dict[str, Any]:
    """Record one pass, and read the record after the block."""
    with student.ActivationRecorder(model, layers) as recorder:
        logits = model(images)
    return {
        "activations": _record(recorder),
        "the model's logits": logits.detach(),
        "logits with a graph": logits.requires_grad,
    }


def record_and_go_back(
    student: ModuleType, model: nn.Module, layers: Sequence[str], images: Tensor
) -> dict[str, Any]:
    """Record a pass whose gradient is asked for inside the block."""
    images = images.detach().requires_grad_()
    with student.ActivationRecorder(model, layers) as recorder:
        (gradient,) = torch.autograd.grad(model(images).sum(), images)
    return {"activations": _record(recorder), "the gradient at the images": gradient}


def record_between(
    student: ModuleType, model: nn.Module, layers: Sequence[str], passes: Sequence[Tensor]
) -> dict[str, Any]:
    """Run three forward passes: before the block, inside it, and after it."""
    before, inside, after = passes
    hooks = _count_hooks(model)
    recorder = student.ActivationRecorder(model, layers)
    model(before)
    hooks_at_first, layers_at_first = _count_hooks(model) - hooks, _layers(recorder)
    with recorder:
        model(inside)
    model(after)
    return {
        "hooks before the block": hooks_at_first,
        "layers recorded before the block": layers_at_first,
        "activations": _record(recorder),
    }


def record_two_passes(
    student: ModuleType, model: nn.Module, layers: Sequence[str], passes: Sequence[Tensor]
) -> dict[str, Any]:
    """Record two forward passes in one block."""
    with student.ActivationRecorder(model, layers) as recorder:
        for images in passes:
            model(images)
    return {"activations": _record(recorder)}


def record_two_blocks(
    student: ModuleType, model: nn.Module, layers: Sequence[str], passes: Sequence[Tensor]
) -> dict[str, Any]:
    """Use one recorder for two blocks."""
    recorder = student.ActivationRecorder(model, layers)
    first, second = passes
    with recorder:
        model(first)
    with recorder:
        layers_at_first = _layers(recorder)
        model(second)
    return {
        "layers recorded when the second block begins": layers_at_first,
        "activations": _record(recorder),
    }


def record_interrupted(
    student: ModuleType, model: nn.Module, layers: Sequence[str], images: Tensor
) -> dict[str, Any]:
    """Record in a block that ends in an exception."""
    hooks, reached = _count_hooks(model), False
    recorder = student.ActivationRecorder(model, layers)
    try:
        with recorder:
            model(images)
            raise Interruption
    except Interruption:
        reached = True
    return {
        "hooks left on the model": _count_hooks(model) - hooks,
        "the exception reached the caller": reached,
        "activations": _record(recorder),
    }


def record_beside_a_hook(
    student: ModuleType, model: nn.Module, layers: Sequence[str], images: Tensor
) -> dict[str, Any]:
    """Record a layer on which the caller already has a hook."""
    with _CallersHook(model, layers[0]) as own:
        with student.ActivationRecorder(model, layers) as recorder:
            model(images)
        return {
            "the caller's own hook is still there": own.runs(),
            "activations": _record(recorder),
        }


def record_in_train_mode(
    student: ModuleType, model: nn.Module, layers: Sequence[str], images: Tensor
) -> dict[str, Any]:
    """Record a pass between two steps of training."""
    model.train()
    try:
        with student.ActivationRecorder(model, layers) as recorder:
            inside = _all_training(model)
            model(images)
        after = _all_training(model)
    finally:
        model.eval()
    return {
        "train mode inside the block": inside,
        "train mode after the block": after,
        "activations": _record(recorder),
    }


def record_unknown(student: ModuleType, model: nn.Module, layers: Sequence[str]) -> str:
    """Return when a recorder of a layer that does not exist fails.

    It should fail when it is made, not when it is used.
    """
    recorder = student.ActivationRecorder(model, layers)
    try:
        with recorder:
            return "no error"
    except AttributeError:
        return "an error when the block began"


def gradients_of_frozen(student: ModuleType, model: nn.Module, **inputs: Any) -> Any:
    """Capture gradients of a network whose parameters do not require grad."""
    model.requires_grad_(False)
    try:
        return student.capture_gradients(model=model, **inputs)
    finally:
        model.requires_grad_(True)


class _CallersHook:
    """A forward hook that is there before the student's code, and should be after it."""

    def __init__(self, model: nn.Module, layer: str) -> None:
        self.module = model.get_submodule(layer)

    def __enter__(self) -> _CallersHook:
        def do_nothing(*_: Any) -> None:
            return None

        self.handle = self.module.register_forward_hook(do_nothing)
        return self

    def __exit__(self, *_: object) -> None:
        self.handle.remove()

    def runs(self) -> bool:
        return self.handle.id in self.module._forward_hooks


def _record(recorder: Any) -> Any:
    return _as_dict(recorder.activations)


def _layers(recorder: Any) -> list[str]:
    """Return the names of the recorded layers.

    Before anything has run, a recorder may have no record yet.
    """
    record = getattr(recorder, "activations", {})
    return sorted(map(str, record)) if isinstance(record, dict) else []


def _as_dict(value: Any) -> Any:
    """Return an OrderedDict or a defaultdict as a dict, and other values as they are."""
    return dict(value) if isinstance(value, dict) else value


def _count_hooks(model: nn.Module) -> int:
    return sum(len(module._forward_hooks) for module in model.modules())


def _all_training(model: nn.Module) -> bool:
    return all(module.training for module in model.modules())
