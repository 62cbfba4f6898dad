"""Mistakes in finding a layer by its name and in keeping its output."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import torch
from torch import nn

from autograder.checks.mistakes.shared import Wrap, arguments_of, model_of, shared
from autograder.course.exercise import Case, Exercise, Function, Mistake

Names = Callable[[nn.Module, str], Any]


def _layers(given: Mapping[str, Any]) -> list[str]:
    names = given.get("layers", given.get("layer", []))
    return [names] if isinstance(names, str) else list(names)


def _outermost(right: Function) -> Function:
    @functools.wraps(right)
    def wrong(*args: Any, **kwargs: Any) -> Any:
        given = arguments_of(right, args, kwargs)
        if "layer" in given:
            return right(**{**given, "layer": given["layer"].split(".")[0]})
        outer = {name: name.split(".")[0] for name in given["layers"]}
        found = right(**{**given, "layers": list(outer.values())})
        return {name: found[outer[name]] for name in outer}

    return wrong


def _looked_up(look_up: Names) -> Wrap:
    """Return a wrapper that first looks each layer up in a way that may fail.

    Args:
        look_up: `look_up(model, name)` may raise; what it returns is not used.
    """

    def wrap(right: Function) -> Function:
        @functools.wraps(right)
        def wrong(*args: Any, **kwargs: Any) -> Any:
            model = model_of(right, args, kwargs)
            for name in _layers(arguments_of(right, args, kwargs)):
                look_up(model, name)
            return right(*args, **kwargs)

        return wrong

    return wrap


def _at_each_layer(arrange: Callable[[nn.Module, nn.Module, Any], list[Any]]) -> Wrap:
    """Return a wrapper that puts hooks of its own around those of the right function.

    Args:
        arrange: `arrange(model, module, images)` registers hooks and returns their handles.
    """

    def wrap(right: Function) -> Function:
        @functools.wraps(right)
        def wrong(*args: Any, **kwargs: Any) -> Any:
            model, given = model_of(right, args, kwargs), arguments_of(right, args, kwargs)
            modules = dict(model.named_modules())
            handles: list[Any] = []
            try:
                for name in _layers(given):
                    if name in modules:
                        handles += arrange(model, modules[name], given.get("images"))
                return right(*args, **kwargs)
            finally:
                for handle in handles:
                    handle.remove()

        return wrong

    return wrap


def _its_input(model: nn.Module, module: nn.Module, images: Any) -> list[Any]:
    """Let every hook of the right function see the layer's input.

    The network still gets the layer's output. PyTorch calls hooks in the order in which they were
    registered. The one that restores the output is registered when the layer begins to run: later
    than any that the function has put.
    """
    handles: list[Any] = []

    def restore(module: nn.Module, inputs: object, seen: Any) -> Any:
        handles.pop().remove()
        return module.forward(seen)

    def begin(module: nn.Module, inputs: object) -> None:
        handles.append(module.register_forward_hook(restore))

    def show_input(module: nn.Module, inputs: tuple[Any, ...], output: object) -> Any:
        return inputs[0]

    return [module.register_forward_pre_hook(begin), module.register_forward_hook(show_input)]


def _first_run(model: nn.Module, module: nn.Module, images: Any) -> list[Any]:
    """Remove the right function's hooks from a layer before its second run."""
    before = set(module._forward_hooks)
    runs: list[None] = []

    def begin(module: nn.Module, inputs: object) -> None:
        runs.append(None)
        for id in set(module._forward_hooks) - before if len(runs) > 1 else ():
            del module._forward_hooks[id]

    return [module.register_forward_pre_hook(begin)]


def _overwritten(model: nn.Module, module: nn.Module, images: Any) -> list[Any]:
    """Show the right function's hooks an output overwritten in place."""
    kept: list[torch.Tensor] = []
    if not isinstance(images, torch.Tensor):
        return []
    with torch.no_grad(), module.register_forward_hook(lambda m, i, out: kept.append(out)):
        try:
            model(images.detach())
        except Exception:  # images that the network refuses
            return []
    if not kept or kept[-1]._version == 0:
        return []

    def overwrite(module: nn.Module, inputs: object, output: Any) -> Any:
        return output.relu()

    return [module.register_forward_hook(overwrite)]


def _silent_unnoticed(right: Function) -> Function:
    """Fail as code does that reads what a hook kept, where the hook was never called."""

    @functools.wraps(right)
    def wrong(*args: Any, **kwargs: Any) -> Any:
        model, given = model_of(right, args, kwargs), arguments_of(right, args, kwargs)
        modules, ran = dict(model.named_modules()), set()
        names = [name for name in _layers(given) if name in modules]
        with ExitStack() as hooks:
            for name in names:
                note = functools.partial(lambda name, *_: ran.add(name), name)
                hooks.enter_context(modules[name].register_forward_hook(note))
            try:
                return right(*args, **kwargs)
            except ValueError as error:
                if ran.issuperset(names):
                    raise
                raise IndexError("list index out of range") from error

    return wrong


LAYERS: dict[str, Wrap] = {
    "outermost_part": _outermost,
    "getattr_without_dots": _looked_up(getattr),
    "layer_from_dict": _looked_up(lambda model, name: dict(model.named_modules())[name]),
    "layer_input": _at_each_layer(_its_input),
    "overwritten_in_place": _at_each_layer(_overwritten),
    "first_run": _at_each_layer(_first_run),
    "silent_layer_unnoticed": _silent_unnoticed,
}
# What can be put before the making of an object as well.
OF_A_CLASS = {"getattr_without_dots", "layer_from_dict"}


def mistakes(
    exercise: Exercise, cases: Mapping[str, Case], records: Mapping[str, Any]
) -> Iterator[Mistake]:
    """Yield the mistakes of an exercise that takes names of layers.

    Args:
        exercise, cases, records: as in `mistakes_of`.
    """
    first = next(iter(cases.values())).inputs
    if "layer" in first or "layers" in first:
        for id, wrap in LAYERS.items():
            if exercise.is_function or id in OF_A_CLASS:
                yield shared(id, "layers", wrap=wrap)
