"""Call a student's function on one case and record what happened.

The record is plain data: evidence, never a verdict. The judge, in another process, reads it.
"""

from __future__ import annotations

import contextlib
import io
import random
import time
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autograder.protocol.answers import ran_out_of_memory
from autograder.protocol.wire import Foreign, ModelSpec, is_plain, why_unsendable
from autograder.worker import networks
from autograder.worker.load import describe_error

KEPT_OUTPUT = 2000
# No seed that people choose: a student who seeds with 0 must be seen to change the generator.
START = 794_321_605


class CappedText(io.TextIOBase):
    """Standard output of student code, cut after two thousand characters.

    Its `count` says how many came.
    """

    def __init__(self) -> None:
        self.text = ""
        self.count = 0

    def write(self, text: str) -> int:
        """Keep the part of a text that still fits."""
        self.count += len(text)
        self.text += text[: max(0, KEPT_OUTPUT - len(self.text))]
        return len(text)

    def writable(self) -> bool:
        """Return True."""
        return True


def observe(
    student: ModuleType,
    call: Callable[..., Any],
    inputs: dict[str, Any],
    filename: str,
    device: str = "cpu",
    briefly: bool = False,
) -> dict[str, Any]:
    """Call a function and record what it returns and what it leaves behind.

    A second call with the same inputs follows, for comparison.

    Args:
        student: the module that holds the student's code.
        call: ``call(student, **inputs)``, from the lesson's calls.
        inputs: plain data; models by spec.
        filename: the student's file, to find their lines in a traceback.
        device: where tensors and models are put first.
        briefly: only call once; for our own wrong versions, of which nothing else is asked.

    Returns:
        ``status`` ("returned" or "raised"), ``value`` or ``error``, ``again`` (the second call's),
        ``printed``, ``seconds``, and ``effects``: what the call left behind, by name.
    """
    _reset_globals()
    ready = {name: _materialise(value, device) for name, value in inputs.items()}
    seed_global_generators()
    output = CappedText()
    if briefly:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            return _attempt(student, call, ready, filename)
    scene = _Scene(ready)
    # A warning on standard error is nothing that the student printed.
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(CappedText()):
        started = time.perf_counter()
        record = _attempt(student, call, ready, filename)
        record["printed"] = output.text  # the second call would only say it again
        record["seconds"] = time.perf_counter() - started
        record["effects"] = scene.effects()
        if record["status"] == "returned":
            second = _attempt(student, call, ready, filename)
            record["again"] = second.get("value", Foreign("error", str(second.get("error"))))
        record["plain"] = scene.plain_outputs()
    return record


def call_once(
    student: ModuleType, call: Callable[..., Any], inputs: dict[str, Any], device: str = "cpu"
) -> Any:
    """Call a function on one case as `observe` does, with nothing caught.

    Nothing is redirected either.

    Args:
        student, call, inputs, device: as for `observe`.

    Returns:
        What the student's code returned.
    """
    _reset_globals()
    ready = {name: _materialise(value, device) for name, value in inputs.items()}
    seed_global_generators()
    return call(student, **ready)


def _reset_globals() -> None:
    """Undo what a file sets for all of torch when it is loaded.

    A case is a network and images as the exercise describes them. Made under another default dtype
    they would be others, and a right function would fail on them.
    """
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)


def seed_global_generators() -> None:
    """Seed the global generators alike in every process.

    Code that wrongly draws from one then gets the same verdict twice, and a mistake that draws at
    random is recognised.
    """
    torch.default_generator.manual_seed(START)
    random.seed(START)
    np.random.seed(START)


def _attempt(
    student: ModuleType, call: Callable[..., Any], ready: dict[str, Any], filename: str
) -> dict[str, Any]:
    try:
        value = call(student, **ready)
        return {"status": "returned", "value": _plain(value), "numpy": _numpy_number(value)}
    except BaseException as error:  # SystemExit and KeyboardInterrupt are the student's too
        return {"status": "raised", "error": describe_error(error, filename)}


def _materialise(value: Any, device: str) -> Any:
    if isinstance(value, ModelSpec):
        network = networks.build(value).to(device)
        # As between two steps of training: who wipes these gradients is seen as well as who adds.
        for parameter in list(network.parameters())[::2]:
            parameter.grad = torch.full_like(parameter, 0.01)
        return network
    if isinstance(value, Tensor):
        return value.detach().to(device, copy=True).requires_grad_(value.requires_grad)
    if isinstance(value, list | tuple):
        return type(value)(_materialise(item, device) for item in value)
    if isinstance(value, dict):
        return {key: _materialise(item, device) for key, item in value.items()}
    return value


def _plain(value: Any) -> Any:
    """Return a value if it can cross the wire, else a note of what it is.

    Containers are treated part by part.
    """
    if isinstance(value, np.ndarray):
        return Foreign("numpy.ndarray", f"shape {tuple(value.shape)}, dtype {value.dtype}")
    if isinstance(value, np.generic):
        return _plain(value.item())
    if type(value) in (list, tuple):
        return type(value)(_plain(item) for item in value)
    if type(value) is dict:
        return {key: _plain(item) for key, item in value.items() if is_plain(key)}
    if isinstance(value, Tensor):
        return _copy(value)
    return value if is_plain(value) else _foreign(value)


def _copy(tensor: Tensor) -> Tensor | Foreign:
    """Return a copy that the second call cannot change."""
    try:
        with torch.no_grad(), torch._C.DisableTorchFunctionSubclass():
            if note := why_unsendable(tensor):
                return Foreign("torch.Tensor", note)
            copy = tensor.clone()
            if type(copy) is Tensor:
                return copy.requires_grad_(tensor.requires_grad)
    except (RuntimeError, TypeError, AttributeError) as error:
        if ran_out_of_memory(type(error).__name__, str(error)):
            raise
    return Foreign("torch.Tensor", f"it is a {type(tensor).__qualname__}, no plain tensor")


def _numpy_number(value: Any) -> str:
    """Return the type of the first NumPy number in a value, or ""."""
    if isinstance(value, np.generic):
        return type(value).__name__
    if type(value) not in (list, tuple, dict):
        return ""
    parts = value.values() if isinstance(value, dict) else value
    return next(filter(None, map(_numpy_number, parts)), "")


def _foreign(value: Any) -> Foreign:
    return Foreign(f"{type(value).__module__}.{type(value).__qualname__}")


class _Scene:
    """State of models, tensors and globals before a call, to compare with afterwards."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.models = [value for value in ready.values() if isinstance(value, nn.Module)]
        self.tensors = list(_tensors(ready))
        self.copies = [tensor.detach().clone() for tensor in self.tensors]
        self.wants_grad = [tensor.requires_grad for tensor in self.tensors]
        self.states = [_state(model) for model in self.models]
        self.gradients = [_gradients(model) for model in self.models]
        self.globals = _global_state()

    def effects(self) -> list[str]:
        """Return names of what the call left behind, worst first."""
        found = []
        for model, before in zip(self.models, self.states, strict=True):
            after = _state(model)
            found += [name for name in before if not _same(before[name], after[name])]
        for gradients, model in zip(self.gradients, self.models, strict=True):
            found += _gradient_effects(gradients, _gradients(model))
        for tensor, copy, wanted in zip(self.tensors, self.copies, self.wants_grad, strict=True):
            found += _tensor_effects(tensor, copy, wanted)
        after_globals = _global_state()
        found += [name for name in after_globals if after_globals[name] != self.globals[name]]
        return list(dict.fromkeys(found))

    def plain_outputs(self) -> list[Any]:
        """Return logits of each model on one fixed image, as the model now stands.

        A hook that was left behind shows here.
        """
        outputs = []
        for model in self.models:
            like = next(model.parameters())
            image = torch.linspace(-1, 1, 3 * 16 * 16, dtype=like.dtype, device=like.device)
            try:
                with torch.no_grad():
                    outputs.append(_plain(model(image.reshape(1, 3, 16, 16))))
            except BaseException as error:  # a leaked hook may raise anything
                outputs.append(Foreign("error", type(error).__name__))
        return outputs


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _tensors(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _tensors(item)


def _state(model: nn.Module) -> dict[str, Any]:
    hooks = [
        len(registry)
        for module in model.modules()
        for name, registry in vars(module).items()
        if name.endswith("_hooks") and isinstance(registry, dict)
    ]
    return {
        "hooks_left": sum(hooks),
        "mode_flipped": [module.training for module in model.modules()],
        "modules_replaced": [type(module).__name__ for module in model.modules()],
        "weights_changed": [t.detach().clone() for t in model.state_dict().values()],
        "requires_grad_changed": [p.requires_grad for p in model.parameters()],
    }


def _gradients(model: nn.Module) -> list[Tensor | None]:
    return [None if p.grad is None else p.grad.detach().clone() for p in model.parameters()]


def _gradient_effects(before: list[Tensor | None], after: list[Tensor | None]) -> list[str]:
    """Return whether gradients were added to parameters, or wiped."""
    pairs = list(zip(before, after, strict=False))  # parameters that came or went show elsewhere
    if any(new is not None and new.any() and not _equal(old, new) for old, new in pairs):
        return ["grads_left"]
    return ["grads_wiped"] if any(not _equal(old, new) for old, new in pairs) else []


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and torch.equal(one, other)


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, list) and before and isinstance(before[0], Tensor):
        return len(before) == len(after) and all(map(torch.equal, before, after))
    return bool(before == after)


def _tensor_effects(tensor: Tensor, copy: Tensor, wanted: bool) -> list[str]:
    found = []
    same_shape = tensor.shape == copy.shape and tensor.dtype == copy.dtype
    if not same_shape or not torch.equal(torch.nan_to_num(tensor.detach()), torch.nan_to_num(copy)):
        found.append("input_changed")
    if tensor.requires_grad != wanted:
        found.append("input_requires_grad_changed")
    # Reading .grad of a tensor that has become a non-leaf only warns: there is none to find.
    if tensor.is_leaf and tensor.grad is not None:
        found.append("input_grad_left")
    return found


def _global_state() -> dict[str, Any]:
    return {
        "global_rng": (
            torch.get_rng_state().numpy().tobytes(),
            random.getstate(),
            # The words themselves: printing them would take half the time of a check.
            np.random.get_state()[1].tobytes(),  # type: ignore[index]
            np.random.get_state()[2:],  # type: ignore[index]
        ),
        "grad_mode": torch.is_grad_enabled(),
        "default_dtype": str(torch.get_default_dtype()),
    }
