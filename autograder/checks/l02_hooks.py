"""Lesson 2, hooks: cases, mutants and hints."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from autograder.course.exercise import Accepted, Case, Exercise, Lesson, Mutant
from autograder.protocol.wire import ModelSpec

# Cases


def _images(rng: Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=dtype)


def _number(rng: Generator, most: int) -> int:
    return int(torch.randint(most, (), generator=rng))


def _model(rng: Generator, name: str, images: Tensor) -> ModelSpec:
    dtype = "float64" if images.dtype == torch.float64 else "float32"
    return ModelSpec(name, _number(rng, 1 << 30), dtype)


def _activation_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layers: list[str], images: Tensor, call: str = "") -> Case:
        spec = _model(rng, model, images)
        return Case({"model": spec, "layers": layers, "images": images}, call=call)

    double = _images(rng, 2, 3, 13, 16, dtype=torch.float64)
    return {
        "two layers": case("plain", ["conv1", "relu2"], _images(rng, 2, 3, 14, 18)),
        "one image": case("plain", ["pool"], _images(rng, 1, 3, 16, 12)),
        "in-place ReLU": case("inplace", ["conv1", "relu1", "conv2"], _images(rng, 3, 3, 12, 15)),
        "names with dots": case(
            "nested", ["blocks.0.conv", "blocks.1", "stem"], _images(rng, 2, 3, 12, 16)
        ),
        "a ReLU that runs three times": case(
            "residual", ["relu", "conv2"], _images(rng, 2, 3, 16, 12)
        ),
        "BatchNorm and dropout": case(
            "normalised", ["norm", "dropout"], _images(rng, 2, 3, 14, 12)
        ),
        "float64": case("functional", ["conv2", "classifier"], double),
        "image already requiring grad": case(
            "inplace", ["conv1"], _images(rng, 2, 3, 12, 14).requires_grad_()
        ),
        "a model in train mode": case(
            "plain", ["relu1"], _images(rng, 2, 3, 12, 12), "capture_in_train_mode"
        ),
        "beside a hook of the caller": case(
            "plain", ["relu1"], _images(rng, 1, 3, 12, 14), "capture_beside_a_hook"
        ),
        "images the model cannot take": case("plain", ["conv1", "relu1"], _images(rng, 1, 4, 9, 9)),
        "a layer the model does not have": case(
            "plain", ["conv1", "conv9"], _images(rng, 1, 3, 12, 12)
        ),
        "a layer that does not run": case(
            "nested", ["stem", "auxiliary"], _images(rng, 1, 3, 12, 12)
        ),
    }


def _recorder_cases(rng: Generator) -> dict[str, Case]:
    def one(call: str, model: str, layers: list[str], images: Tensor) -> Case:
        spec = _model(rng, model, images)
        return Case({"model": spec, "layers": layers, "images": images}, call=call)

    def several(call: str, model: str, layers: list[str], *counts: int) -> Case:
        passes = [_images(rng, count, 3, 12, 14) for count in counts]
        spec = _model(rng, model, passes[0])
        return Case({"model": spec, "layers": layers, "passes": passes}, call=call)

    double = _images(rng, 2, 3, 13, 16, dtype=torch.float64)
    unknown = {"model": ModelSpec("plain", _number(rng, 1 << 30)), "layers": ["conv1", "conv9"]}
    return {
        "one pass": one("record_one_pass", "plain", ["conv1", "relu2"], _images(rng, 2, 3, 14, 18)),
        "in-place ReLU, one image": one(
            "record_one_pass", "inplace", ["conv1", "conv2"], _images(rng, 1, 3, 12, 15)
        ),
        "names with dots": one(
            "record_one_pass", "nested", ["blocks.0.conv", "blocks.1"], _images(rng, 2, 3, 12, 16)
        ),
        "a ReLU that runs three times": one(
            "record_one_pass", "residual", ["relu", "conv2"], _images(rng, 2, 3, 16, 12)
        ),
        "float64": one("record_one_pass", "normalised", ["norm", "dropout"], double),
        "passes before and after the block": several(
            "record_between", "inplace", ["conv1", "relu2"], 1, 3, 2
        ),
        "two passes in one block": several("record_two_passes", "plain", ["conv1"], 3, 2),
        "one recorder, two blocks": several("record_two_blocks", "plain", ["conv1"], 3, 2),
        "an exception in the block": one(
            "record_interrupted", "plain", ["conv1", "relu1"], _images(rng, 2, 3, 12, 12)
        ),
        "beside a hook of the caller": one(
            "record_beside_a_hook", "plain", ["relu1"], _images(rng, 1, 3, 12, 14)
        ),
        "a model in train mode": one(
            "record_in_train_mode", "plain", ["relu1"], _images(rng, 2, 3, 12, 12)
        ),
        "a layer the model does not have": Case(unknown, call="record_unknown"),
    }


def _grid_cases(rng: Generator) -> dict[str, Case]:
    def case(activation: Tensor, columns: int) -> Case:
        return Case({"activation": activation, "columns": columns}, picture=True)

    def loud_and_quiet(channels: int, height: int, width: int) -> Tensor:
        """Channels of different loudness around different levels: each needs its own scale."""
        loudness = torch.logspace(-3, 1, channels)[torch.randperm(channels, generator=rng)]
        level = torch.randn(channels, 1, 1, generator=rng) * loudness[:, None, None]
        return level + loudness[:, None, None] * _images(rng, channels, height, width)

    sparse = loud_and_quiet(6, 5, 8).relu()
    sparse[[1, 4]] = 0.0
    level = loud_and_quiet(5, 4, 3)
    level[2] = 1.5 + torch.rand(1, generator=rng)
    return {
        "the last row not full": case(loud_and_quiet(7, 4, 6), 4),
        "full rows": case(loud_and_quiet(6, 6, 5), 2),
        "silent channels": case(sparse, 4),
        "a constant channel that is not zero": case(level, 2),
        "more columns than channels": case(loud_and_quiet(3, 4, 5), 5),
        "one column": case(loud_and_quiet(4, 3, 7), 1),
        "one channel": case(loud_and_quiet(1, 6, 4), 1),
        "float64": case(loud_and_quiet(5, 3, 4).double(), 3),
        "an activation with a graph": case(loud_and_quiet(4, 5, 3).requires_grad_(), 3),
    }


def _ablation_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str, channel: int, images: Tensor) -> Case:
        spec = _model(rng, model, images)
        inputs = {"model": spec, "layer": layer, "channel": channel, "images": images}
        return Case(inputs)

    double = _images(rng, 2, 3, 13, 16, dtype=torch.float64)
    wide, asking = _images(rng, 3, 3, 12, 15), _images(rng, 2, 3, 12, 14).requires_grad_()
    return {
        "two images": case("plain", "conv2", 2 + _number(rng, 5), _images(rng, 2, 3, 14, 18)),
        "one image": case("plain", "conv1", 1 + _number(rng, 4), _images(rng, 1, 3, 16, 12)),
        "before an in-place ReLU": case("inplace", "conv1", 1 + _number(rng, 4), wide),
        "the first channel": case("normalised", "norm", 0, _images(rng, 2, 3, 14, 12)),
        "a name with dots": case(
            "nested", "blocks.0.conv", 1 + _number(rng, 4), _images(rng, 2, 3, 12, 16)
        ),
        "a ReLU that runs three times": case(
            "residual", "relu", 1 + _number(rng, 4), _images(rng, 2, 3, 16, 12)
        ),
        "a layer that hands on its input": case(
            "nested", "entry", 1 + _number(rng, 2), _images(rng, 2, 3, 12, 16)
        ),
        "a layer without height and width": case(
            "plain", "classifier", 1 + _number(rng, 3), _images(rng, 3, 3, 12, 12)
        ),
        "float64": case("functional", "conv1", 1 + _number(rng, 4), double),
        "image already requiring grad": case("plain", "conv2", 1 + _number(rng, 5), asking),
        "images the model cannot take": case("plain", "conv1", 0, _images(rng, 1, 4, 9, 9)),
        "a layer the model does not have": case("plain", "conv9", 0, _images(rng, 1, 3, 9, 9)),
        "a channel the layer does not have": case("plain", "conv1", 6, _images(rng, 1, 3, 9, 9)),
    }


def _gradient_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str, images: Tensor, target: list[int], call: str = "") -> Case:
        spec, classes = _model(rng, model, images), torch.tensor(target)
        inputs = {"model": spec, "layer": layer, "images": images, "target": classes}
        return Case(inputs, call=call)

    double = _images(rng, 2, 3, 13, 16, dtype=torch.float64)
    return {
        "two images": case("plain", "conv1", _images(rng, 2, 3, 14, 18), [3, 1]),
        "one image": case("plain", "pool", _images(rng, 1, 3, 16, 12), [2]),
        "in-place ReLU": case("inplace", "conv1", _images(rng, 3, 3, 12, 15), [0, 4, 4]),
        "a name with dots": case("nested", "blocks.0.conv", _images(rng, 2, 3, 12, 16), [1, 0]),
        "a block with a shortcut around the next": case(
            "nested", "blocks.0", _images(rng, 2, 3, 16, 12), [2, 4]
        ),
        "a ReLU that runs three times": case(
            "residual", "relu", _images(rng, 2, 3, 16, 12), [0, 3]
        ),
        "BatchNorm and dropout": case("normalised", "norm", _images(rng, 2, 3, 14, 12), [4, 0]),
        "float64": case("functional", "conv1", double, [1, 2]),
        "frozen parameters": case(
            "plain", "conv1", _images(rng, 2, 3, 12, 14), [3, 0], "gradients_of_frozen"
        ),
        "image already requiring grad": case(
            "plain", "conv2", _images(rng, 2, 3, 12, 14).requires_grad_(), [1, 4]
        ),
        "images the model cannot take": case("plain", "conv1", _images(rng, 1, 4, 9, 9), [0]),
        "a layer the model does not have": case("plain", "conv9", _images(rng, 1, 3, 9, 9), [0]),
    }


# Exercises

_COPY = "output.clone()"
_NAMED = "hook = partial(record, name)"
_REGISTERED = "hooks.enter_context(model.get_submodule(name).register_forward_hook(hook))"
_RUN = "        model(images)\n    return {name: captured[name] for name in layers}"

ACTIVATIONS = Exercise(
    name="capture_activations",
    inputs=_activation_cases,
    points=4,
    minutes=25,
    returns="a dict with one detached tensor per layer name",
    without_common=("hooks_left",),  # its own mutant, with a sentence about handles
    hints=(
        "A forward pass throws away what it has between two layers. Who could look at it in "
        "passing, and how would the looker know which layer it is standing at?",
        "`model.get_submodule(name)` finds a layer by its dotted name, `register_forward_hook` "
        "puts a function `hook(module, inputs, output)` on it. Let it store the output under the "
        "layer's name, run the model once, and see that every hook goes, whatever happens. Two "
        "traps: what does a later in-place ReLU do to the tensor you stored, and which value has "
        "the loop's variable when the hooks run?",
        "Store `output.clone()`; give each hook its own name with `partial(record, name)`; enter "
        "each handle into one `ExitStack`, beside `torch.no_grad()`, and call `model(images)` "
        "inside that `with`.",
    ),
    mutants=(
        Mutant(
            "overwritten_in_place",
            "The record is of what came after: an in-place ReLU wrote over the tensor you kept.",
            "What you keep must have memory of its own; `detach()` alone shares it.",
            edits=((_COPY, "output.detach()"),),
        ),
        Mutant(
            "late_binding",
            "Every hook wrote under the last name: the loop's variable was read when the hooks "
            "ran, and by then the loop was over.",
            "Bind the name when you register: `functools.partial`, a default argument, or a "
            "function that makes the hook.",
            edits=(
                (_NAMED, "hook = lambda *seen: record(name, *seen)"),
                (_RUN, "        model(images)\n    return captured"),
            ),
        ),
        Mutant(
            "hooks_left",
            "The hooks were never removed.",
            "Each registration returns a handle: keep it and remove it, or use it in a `with`.",
            edits=((_REGISTERED, "model.get_submodule(name).register_forward_hook(hook)"),),
        ),
        Mutant(
            "hooks_left_on_error",
            "The hooks are removed after the forward pass, but not when that pass fails.",
            "Put the removal where it happens in any case: `finally`, or the end of a `with`.",
            body="""
def capture_activations(model, layers, images):
    captured = {}

    def record(name, module, inputs, output):
        captured[name] = output.detach().clone()

    modules = [(name, model.get_submodule(name)) for name in layers]
    handles = [module.register_forward_hook(partial(record, name)) for name, module in modules]
    model(images)
    for handle in handles:
        handle.remove()
    return {name: captured[name] for name in layers}
""",
        ),
        Mutant(
            "registered_before_all_are_found",
            "Hooks stay on the model when a later name in `layers` is wrong.",
            "The registration itself can fail half-way: it belongs inside the `try` or the `with`.",
            body="""
def capture_activations(model, layers, images):
    captured, handles = {}, []

    def record(name, module, inputs, output):
        captured[name] = output.detach().clone()

    for name in layers:
        handles.append(model.get_submodule(name).register_forward_hook(partial(record, name)))
    try:
        model(images)
    finally:
        for handle in handles:
            handle.remove()
    return {name: captured[name] for name in layers}
""",
        ),
        Mutant(
            "not_there_during_forward",
            "No hook was on the model while it ran: they were removed too early or put there too "
            "late.",
            "First register, then run the model, then remove.",
            edits=((_RUN, "        pass\n    model(images)\n    return captured"),),
        ),
        Mutant(
            "all_hooks_cleared",
            "The caller's own hook is gone too: all hooks of the layer were cleared.",
            "Remove what you have put there, by its handle.",
            edits=(
                (_REGISTERED, "model.get_submodule(name).register_forward_hook(hook)"),
                (
                    _RUN,
                    "        try:\n            model(images)\n        finally:\n"
                    "            for module in model.modules():\n"
                    "                module._forward_hooks.clear()\n"
                    "    return {name: captured[name] for name in layers}",
                ),
            ),
        ),
        Mutant(
            "hook_returns_a_value",
            "A hook returned a value, and the network went on with that in place of the layer's "
            "output.",
            "A hook that only looks returns None. Check its last line, and lambdas.",
            edits=((f"captured[name] = {_COPY}", f"captured[name] = {_COPY}; return output / 2"),),
        ),
        Mutant(
            "first_run_kept",
            "Where a layer runs more than once the first output was kept; `setdefault` also "
            "returns it, and so changes the forward pass.",
            "Assign with `captured[name] = ...`: the last run counts, and nothing is returned.",
            edits=((f"captured[name] = {_COPY}", f"return captured.setdefault(name, {_COPY})"),),
        ),
        Mutant(
            "list_of_runs",
            "Each name holds a list of outputs, one per run of the layer.",
            "One tensor per layer: where it runs twice, the last output.",
            edits=(
                (f"captured[name] = {_COPY}", f"captured.setdefault(name, []).append({_COPY})"),
            ),
        ),
        Mutant(
            "keeps_graph",
            "The record keeps the whole graph of the forward pass in memory.",
            "Run the model under `torch.no_grad()`, or detach what you store.",
            edits=(("torch.no_grad()", "torch.enable_grad()"),),
        ),
        Mutant(
            "input_of_the_layer",
            "This is what goes into the layer, not what comes out of it.",
            "A hook gets `(module, inputs, output)`, in this order.",
            edits=((_COPY, "inputs[0].clone()"),),
        ),
        Mutant(
            "outermost_part",
            "Only the first part of a dotted name was followed: this is the output of the whole "
            "container.",
            "`blocks.0.conv` is inside `blocks`: `model.get_submodule` follows the dots.",
            edits=((_REGISTERED, _REGISTERED.replace("(name)", "(name.split('.')[0])")),),
        ),
        Mutant(
            "getattr_without_dots",
            "`getattr` looks for one attribute with dots in its name.",
            "`model.get_submodule` follows the dots.",
            edits=(
                (
                    _REGISTERED,
                    _REGISTERED.replace("model.get_submodule(name)", "getattr(model, name)"),
                ),
            ),
        ),
        Mutant(
            "name_contained",
            "Another layer was taken, whose name only contains the one asked for.",
            "Compare whole names, or let `model.get_submodule` find the layer.",
            edits=(
                (
                    "model.get_submodule(name)",
                    "[module for path, module in model.named_modules() if name in path][-1]",
                ),
            ),
        ),
        Mutant(
            "unknown_layer_ignored",
            "A layer that the model does not have was passed over in silence.",
            "Who mistypes a name wants to know: `model.get_submodule` raises.",
            body="""
def capture_activations(model, layers, images):
    captured = {}

    def record(name, module, inputs, output):
        captured[name] = output.clone()

    with ExitStack() as hooks, torch.no_grad():
        for name, module in model.named_modules():
            if name in layers:
                hooks.enter_context(module.register_forward_hook(partial(record, name)))
        model(images)
    return captured
""",
        ),
        Mutant(
            "unknown_layer_is_a_key_error",
            "An unknown layer raises KeyError, as a layer that does not run should.",
            "`model.get_submodule` raises AttributeError for a name that is not there.",
            edits=(("model.get_submodule(name)", "dict(model.named_modules())[name]"),),
        ),
        Mutant(
            "silent_layer_ignored",
            "A layer that did not run is missing from the result, in silence.",
            "Look each name up in what was captured: a KeyError says which layer never ran.",
            edits=((_RUN, "        model(images)\n    return captured"),),
        ),
        Mutant(
            "every_layer",
            "The result has layers that nobody asked for.",
            "Return the names in `layers`, and no others.",
            edits=(
                (
                    "for name in layers:\n",
                    "for name in [*layers, *dict(model.named_children())]:\n",
                ),
                (
                    _RUN,
                    "        model(images)\n        [captured[name] for name in layers]\n"
                    "    return captured",
                ),
            ),
        ),
        Mutant(
            "list_not_dict",
            "The activations came back as a list, without their names.",
            "A dict has each under its name.",
            edits=(
                (
                    "return {name: captured[name] for name in layers}",
                    "return [captured[name] for name in layers]",
                ),
            ),
        ),
        Mutant(
            "layer_without_network",
            "The layer was given the image itself. Inside the network it gets what the layers "
            "before it have made.",
            "Run the whole model and look at the layer while it runs: that is what hooks are for.",
            body="""
def capture_activations(model, layers, images):
    with torch.no_grad():
        return {name: model.get_submodule(name)(images) for name in layers}
""",
        ),
        Mutant(
            "first_image_only",
            "Only the first image of the batch was kept.",
            "Keep the whole output; its first dimension counts the images.",
            edits=((_COPY, "output[0].clone()"),),
        ),
        Mutant(
            "averaged_over_images",
            "The activations were averaged over the batch.",
            "Each image has its own; keep the whole output.",
            edits=((_COPY, "output.mean(0, keepdim=True)"),),
        ),
        Mutant(
            "averaged_over_places",
            "Each channel was averaged over its height and width.",
            "Keep the maps: the whole output.",
            edits=((_COPY, "output.flatten(2).mean(-1) if output.dim() == 4 else output.clone()"),),
        ),
        Mutant(
            "squeezed",
            "A dimension of size 1 is gone: `squeeze()` without an argument removes them all.",
            "Keep the output as it is.",
            edits=((_COPY, "output.clone().squeeze()"),),
        ),
        Mutant(
            "numpy_not_tensor",
            "The activations are numpy arrays.",
            "Keep tensors, on the device they are on.",
            edits=((_COPY, "output.detach().cpu().numpy().copy()"),),
        ),
        Mutant(
            "always_float32",
            "The activations were turned into float32.",
            "Keep the dtype of the layer's output.",
            edits=((_COPY, "output.clone().float()"),),
        ),
        Mutant(
            "positive_part",
            "Negative values are gone: a ReLU was applied that the layer does not have.",
            "Keep the output as it is.",
            edits=((_COPY, "output.relu()"),),
        ),
        Mutant(
            "train_mode",
            "The model ran in train mode, where BatchNorm, dropout and others behave differently.",
            "Leave the model in the mode you were given.",
            edits=(
                (_RUN, _RUN.replace("model(images)", "model.train(); model(images); model.eval()")),
            ),
        ),
        Mutant(
            "eval_mode_left",
            "The model was put in eval mode and left so.",
            "Leave the model in the mode you were given: its training may go on.",
            edits=((_RUN, _RUN.replace("model(images)", "model.eval(); model(images)")),),
        ),
    ),
    accepted=(
        Accepted("detached_copy", edits=((_COPY, "output.detach().clone()"),)),
        Accepted("inference_mode", edits=(("torch.no_grad()", "torch.inference_mode()"),)),
        Accepted("hook_returns_the_output", edits=((_COPY, f"{_COPY}; return output"),)),
        Accepted(
            "name_as_default_argument",
            edits=((_NAMED, "hook = lambda *seen, name=name: record(name, *seen)"),),
        ),
        Accepted(
            "removed_in_finally",
            body="""
def capture_activations(model, layers, images):
    captured, handles = {}, []

    def hook_for(name):
        def hook(module, inputs, output):
            captured[name] = output.detach().clone()

        return hook

    try:
        for name in layers:
            handles.append(model.get_submodule(name).register_forward_hook(hook_for(name)))
        model(images)
    finally:
        for handle in handles:
            handle.remove()
    return {name: captured[name] for name in layers}
""",
        ),
        Accepted(
            "one_layer_after_the_other",
            body="""
def capture_activations(model, layers, images):
    captured = {}
    for name in layers:
        seen = []
        module = model.get_submodule(name)
        with module.register_forward_hook(lambda m, i, output: seen.append(output.clone())):
            with torch.no_grad():
                model(images)
        if not seen:
            raise KeyError(name)
        captured[name] = seen[-1]
    return captured
""",
        ),
    ),
)

_EMPTIED = "self.activations = {}\n\n        def record"
_KEPT = "self.activations[name] = output.detach().clone()"
_BOUND = "module.register_forward_hook(partial(record, name))"
_HANDED = "        return self\n"
_REMOVED = "        while self.handles:\n            self.handles.pop().remove()\n"
_FOUND = "{name: model.get_submodule(name) for name in layers}"

RECORDER = Exercise(
    name="ActivationRecorder",
    inputs=_recorder_cases,
    points=4,
    minutes=25,
    returns="itself from `with`; its `activations` hold one detached tensor per layer name",
    is_function=False,
    hints=(
        "Three methods, three moments: when the recorder is made, when the block begins, when it "
        "ends. At which of them must the model already be untouched again, and what is told to "
        "`__exit__` if the block failed?",
        "`__init__` only finds the modules. `__enter__` empties the record, registers one hook a "
        "layer, keeps the handles and returns the recorder itself. `__exit__` removes the "
        "handles, in every case, and returns nothing: a true value would swallow the exception.",
        "In `__enter__`: `self.activations = {}`, then for each name and module "
        "`self.handles.append(module.register_forward_hook(partial(record, name)))`, where "
        "`record` stores `output.detach().clone()`; `return self`. In `__exit__`: "
        "`self.handles.pop().remove()` while there are any.",
    ),
    mutants=(
        Mutant(
            "hooks_left",
            "The hooks outlive the block.",
            "`__exit__` removes every handle that `__enter__` has kept.",
            edits=((_REMOVED, "        pass\n"),),
        ),
        Mutant(
            "hooks_left_on_error",
            "The hooks outlive a block that ends in an exception.",
            "`__exit__` is called in both cases; its arguments only say which. Remove in both.",
            edits=(
                (
                    _REMOVED,
                    "        while self.handles and exception[0] is None:\n"
                    "            self.handles.pop().remove()\n",
                ),
            ),
        ),
        Mutant(
            "last_handle_only",
            "Only one of the hooks was removed.",
            "Each layer has a handle of its own: keep them all.",
            edits=((_REMOVED, "        self.handles.pop().remove()\n"),),
        ),
        Mutant(
            "exception_swallowed",
            "An exception from the block never reached the caller.",
            "`__exit__` must not return a true value: that means “I have dealt with it”.",
            edits=((_REMOVED, _REMOVED + "        return True\n"),),
        ),
        Mutant(
            "all_hooks_cleared",
            "The caller's own hook is gone too: all hooks of the layer were cleared.",
            "Remove what you have put there, by its handle.",
            edits=(
                (
                    _REMOVED,
                    _REMOVED + "        for module in self.modules.values():\n"
                    "            module._forward_hooks.clear()\n",
                ),
            ),
        ),
        Mutant(
            "hooks_from_the_start",
            "The recorder hooks the model when it is made, before the block begins.",
            "In `__init__` only find the layers; register in `__enter__`.",
            body="""
class ActivationRecorder:
    def __init__(self, model, layers):
        self.activations = {}
        self.handles = [
            model.get_submodule(name).register_forward_hook(partial(self._record, name))
            for name in layers
        ]

    def _record(self, name, module, inputs, output):
        self.activations[name] = output.detach().clone()

    def __enter__(self):
        self.activations.clear()
        return self

    def __exit__(self, *exception):
        for handle in self.handles:
            handle.remove()
""",
        ),
        Mutant(
            "enter_returns_nothing",
            "`with ActivationRecorder(...) as recorder` gave None.",
            "What `__enter__` returns is what `as` names: the recorder itself.",
            edits=((_HANDED, ""),),
        ),
        Mutant(
            "enter_returns_the_record",
            "`with ActivationRecorder(...) as recorder` gave the dict, not the recorder.",
            "What `__enter__` returns is what `as` names: the recorder itself.",
            edits=((_HANDED, "        return self.activations\n"),),
        ),
        Mutant(
            "never_emptied",
            "A second block begins with the record of the first.",
            "Let `__enter__` start a new one.",
            edits=((_EMPTIED, "def record"),),
        ),
        Mutant(
            "emptied_on_exit",
            "The record is gone when the block ends.",
            "It is read after the block: empty it when the next one begins.",
            edits=((_REMOVED, _REMOVED + "        self.activations = {}\n"),),
        ),
        Mutant(
            "first_pass_kept",
            "The first output of a layer was kept; `setdefault` also returns it, and so changes "
            "the forward pass.",
            "Assign: the last pass counts, and nothing is returned.",
            edits=((_KEPT, "return self.activations.setdefault(name, output.detach().clone())"),),
        ),
        Mutant(
            "passes_gathered",
            "The passes of a block were put one after the other.",
            "Each pass overwrites the one before.",
            edits=(
                (
                    _KEPT,
                    "before = [self.activations[name]] if name in self.activations else []\n"
                    "            self.activations[name] = torch.cat([*before, output.detach()])",
                ),
            ),
        ),
        Mutant(
            "list_of_passes",
            "Each name holds a list of outputs.",
            "One tensor per layer: the last output.",
            edits=(
                (_KEPT, "self.activations.setdefault(name, []).append(output.detach().clone())"),
            ),
        ),
        Mutant(
            "overwritten_in_place",
            "The record is of what came after: an in-place ReLU wrote over the tensor you kept.",
            "What you keep must have memory of its own; `detach()` alone shares it.",
            edits=((_KEPT, _KEPT.removesuffix(".clone()")),),
        ),
        Mutant(
            "keeps_graph",
            "The record keeps the whole graph of each forward pass in memory.",
            "The block may run with gradients: detach what you store.",
            edits=((_KEPT, _KEPT.replace(".detach()", "")),),
        ),
        Mutant(
            "late_binding",
            "Every hook wrote under the last name: the loop's variable was read when the hooks "
            "ran, and by then the loop was over.",
            "Bind the name when you register: `functools.partial`, a default argument, or a "
            "function that makes the hook.",
            edits=((_BOUND, "module.register_forward_hook(lambda *seen: record(name, *seen))"),),
        ),
        Mutant(
            "hook_returns_a_value",
            "A hook returned a value, and the network went on with that in place of the layer's "
            "output.",
            "A hook that only looks returns None. Check its last line, and lambdas.",
            edits=((_KEPT, f"{_KEPT}; return output / 2"),),
        ),
        Mutant(
            "gradients_switched_off",
            "Inside the block the model has no gradients any more.",
            "A recorder only looks: detach what you store, and leave gradient mode alone.",
            edits=(
                (_EMPTIED, _EMPTIED.replace("{}\n", "{}\n        torch.set_grad_enabled(False)\n")),
                (_REMOVED, _REMOVED + "        torch.set_grad_enabled(True)\n"),
            ),
        ),
        Mutant(
            "input_of_the_layer",
            "This is what goes into the layer, not what comes out of it.",
            "A hook gets `(module, inputs, output)`, in this order.",
            edits=((_KEPT, _KEPT.replace("output", "inputs[0]")),),
        ),
        Mutant(
            "outermost_part",
            "Only the first part of a dotted name was followed: this is the output of the whole "
            "container.",
            "`blocks.0.conv` is inside `blocks`: `model.get_submodule` follows the dots.",
            edits=((_FOUND, _FOUND.replace("(name)", "(name.split('.')[0])")),),
        ),
        Mutant(
            "getattr_without_dots",
            "`getattr` looks for one attribute with dots in its name.",
            "`model.get_submodule` follows the dots.",
            edits=((_FOUND, "{name: getattr(model, name) for name in layers}"),),
        ),
        Mutant(
            "unknown_layer_ignored",
            "A layer that the model does not have was passed over in silence.",
            "Who mistypes a name wants to know: `model.get_submodule` raises.",
            edits=((_FOUND, "{n: m for n, m in model.named_modules() if n in layers}"),),
        ),
        Mutant(
            "found_on_entering",
            "An unknown layer is told only when the block begins.",
            "Find the layers in `__init__`: the line with the wrong name should be the one to "
            "fail.",
            edits=(
                (f"self.modules = {_FOUND}", "self.model, self.layers = model, layers"),
                ("for name, module in self.modules.items():", "for name in self.layers:"),
                (_BOUND, _BOUND.replace("module.", "self.model.get_submodule(name).")),
            ),
        ),
        Mutant(
            "first_image_only",
            "Only the first image of the batch was kept.",
            "Keep the whole output; its first dimension counts the images.",
            edits=((_KEPT, _KEPT.replace("detach()", "detach()[0]")),),
        ),
        Mutant(
            "squeezed",
            "A dimension of size 1 is gone: `squeeze()` without an argument removes them all.",
            "Keep the output as it is.",
            edits=((_KEPT, f"{_KEPT}.squeeze()"),),
        ),
        Mutant(
            "numpy_not_tensor",
            "The activations are numpy arrays.",
            "Keep tensors, on the device they are on.",
            edits=((_KEPT, f"{_KEPT}.cpu().numpy()"),),
        ),
        Mutant(
            "always_float32",
            "The activations were turned into float32.",
            "Keep the dtype of the layer's output.",
            edits=((_KEPT, f"{_KEPT}.float()"),),
        ),
        Mutant(
            "eval_mode_set",
            "The model was put in eval mode when the block began.",
            "A recorder only looks: leave the mode to the caller.",
            edits=(
                (
                    "self.activations = {}\n        self.modules",
                    "self.activations = {}\n        self.model = model\n        self.modules",
                ),
                (_EMPTIED, _EMPTIED.replace("{}\n", "{}\n        self.model.eval()\n")),
            ),
        ),
    ),
    accepted=(
        Accepted(
            "handles_removed_and_kept",
            edits=(
                (_REMOVED, "        for handle in self.handles:\n            handle.remove()\n"),
            ),
        ),
        Accepted("record_cleared", edits=((_EMPTIED, _EMPTIED.replace(" = {}", ".clear()")),)),
        Accepted(
            "a_stack_of_handles",
            body="""
class ActivationRecorder:
    def __init__(self, model, layers):
        self.modules = [(name, model.get_submodule(name)) for name in layers]

    def __enter__(self):
        self.activations = {}
        with ExitStack() as stack:
            for name, module in self.modules:
                stack.enter_context(module.register_forward_hook(self._recording(name)))
            self.stack = stack.pop_all()
        return self

    def _recording(self, name):
        def hook(module, inputs, output):
            self.activations[name] = output.detach().clone()

        return hook

    def __exit__(self, kind, error, traceback):
        return self.stack.__exit__(kind, error, traceback)
""",
        ),
    ),
)

_LOW = "low = activation.amin((1, 2), keepdim=True)"
_SPAN = "span = activation.amax((1, 2), keepdim=True) - low"
_SCALED = "scaled = (activation - low) / span.where(span > 0, 1)"
_ROWS = "rows = math.ceil(channels / columns)"
_TILES = "tiles = activation.new_zeros(rows * columns, height, width)"
_FILLED = "tiles[:channels] = scaled.detach()"
_WOVEN = "grid = tiles.view(rows, columns, height, width).transpose(1, 2)"
_JOINED = "return grid.reshape(rows * height, columns * width)"

GRID = Exercise(
    name="feature_map_grid",
    inputs=_grid_cases,
    points=3,
    minutes=20,
    returns="one picture, (rows*H, columns*W)",
    bounds=(0, 1),
    without_common=("input_changed",),  # its own mutant
    hints=(
        "Two questions that have nothing to do with each other: how bright is each value, and "
        "where does each channel go? What is the largest minus the smallest value of a channel "
        "that is silent?",
        "Scale first: minimum and maximum over dimensions 1 and 2 with `keepdim=True`, and divide "
        "by 1 where the span is 0. Then make room for rows * columns tiles, all zero, put the "
        "channels into the first ones, and order the dimensions so that a reshape reads the "
        "picture line by line.",
        "`math.ceil(channels / columns)` rows; "
        "`tiles.view(rows, columns, height, width).transpose(1, 2)` is (rows, H, columns, W), and "
        "its `reshape(rows * height, columns * width)` is the picture.",
    ),
    mutants=(
        Mutant(
            "scaled_together",
            "All channels share one scale: the quiet ones cannot be seen.",
            "Each channel has its own minimum and maximum: reduce over height and width only.",
            edits=((_LOW, "low = activation.amin()"), (_SPAN, "span = activation.amax() - low")),
        ),
        Mutant(
            "scaled_row_by_row",
            "Each row of each map was scaled by itself.",
            "Reduce over both dimensions, height and width.",
            edits=(
                (_LOW, _LOW.replace("(1, 2)", "2")),
                (_SPAN, _SPAN.replace("(1, 2)", "2")),
            ),
        ),
        Mutant(
            "scaled_across_channels",
            "Each place was scaled across the channels.",
            "Dimension 0 counts the channels; reduce over height and width.",
            edits=(
                (_LOW, _LOW.replace("(1, 2)", "0")),
                (_SPAN, _SPAN.replace("(1, 2)", "0")),
            ),
        ),
        Mutant(
            "division_by_zero",
            "A constant channel was divided by its span, which is zero.",
            "Divide by something else where the span is zero; the numerator is zero there anyway.",
            edits=((_SCALED, "scaled = (activation - low) / span"),),
        ),
        Mutant(
            "large_epsilon",
            "The number added against division by zero is so large that quiet channels grow dim.",
            "Replace the span only where it is zero.",
            edits=((_SCALED, "scaled = (activation - low) / (span + 1e-3)"),),
        ),
        Mutant(
            "constant_is_one",
            "A constant channel came out bright.",
            "It has nothing to show: all 0.",
            edits=((_SCALED, "scaled = ((activation - low) / span).nan_to_num(1.0)"),),
        ),
        Mutant(
            "constant_is_grey",
            "A constant channel came out grey.",
            "It has nothing to show: all 0.",
            edits=((_SCALED, "scaled = ((activation - low) / span).nan_to_num(0.5)"),),
        ),
        Mutant(
            "constant_kept_as_it_was",
            "A constant channel kept its value.",
            "It has nothing to show: all 0.",
            edits=(
                (
                    _SCALED,
                    "scaled = torch.where(span > 0, (activation - low) / span, "
                    "activation.clamp(0, 1))",
                ),
            ),
        ),
        Mutant(
            "divided_by_maximum",
            "Each channel was divided by its maximum; its minimum is not 0.",
            "First take the minimum away, then divide by what is left.",
            edits=(
                (
                    _SCALED,
                    "top = activation.amax((1, 2), keepdim=True)\n"
                    "    scaled = activation / top.where(top != 0, 1)",
                ),
            ),
        ),
        Mutant(
            "divided_by_maximum_after_shift",
            "After the minimum was taken away, the channel was divided by its old maximum.",
            "The range is the maximum minus the minimum.",
            edits=((_SPAN, "span = activation.amax((1, 2), keepdim=True)"),),
        ),
        Mutant(
            "clamped",
            "The values were cut off at 0 and 1, not scaled.",
            "Subtract the minimum and divide by the span.",
            edits=((_SCALED, "scaled = activation.clamp(0, 1)"),),
        ),
        Mutant(
            "sigmoid",
            "The values went through a sigmoid.",
            "The minimum becomes exactly 0 and the maximum exactly 1.",
            edits=((_SCALED, "scaled = activation.sigmoid()"),),
        ),
        Mutant(
            "upside_down",
            "Bright and dark are exchanged.",
            "The maximum becomes 1.",
            edits=((_FILLED, "tiles[:channels] = torch.where(span > 0, 1 - scaled, 0).detach()"),),
        ),
        Mutant(
            "bytes",
            "The values go to 255.",
            "They stay floats between 0 and 1.",
            edits=((_FILLED, "tiles[:channels] = 255 * scaled.detach()"),),
        ),
        Mutant(
            "column_by_column",
            "The channels run down the columns.",
            "Channel 1 stands to the right of channel 0.",
            edits=(
                (
                    _WOVEN,
                    "grid = tiles.view(columns, rows, height, width).permute(1, 2, 0, 3)",
                ),
            ),
        ),
        Mutant(
            "rows_for_columns",
            "`columns` was taken for the number of rows.",
            "It says how many channels stand side by side.",
            edits=((_ROWS, "rows, columns = columns, math.ceil(channels / columns)"),),
        ),
        Mutant(
            "columns_ignored",
            "The number of columns does not follow `columns`: the grid was made as square as it "
            "can be.",
            "`columns` is given; compute the rows from it.",
            edits=(
                (
                    _ROWS,
                    "columns = math.ceil(math.sqrt(channels))\n    " + _ROWS,
                ),
            ),
        ),
        Mutant(
            "last_row_dropped",
            "The last row, which is not full, is missing.",
            "Round the number of rows up.",
            edits=(
                (_ROWS, "rows = channels // columns"),
                (_FILLED, "tiles[:channels] = scaled.detach()[: rows * columns]"),
            ),
        ),
        Mutant(
            "one_row_too_many",
            "There is an empty row where the channels fill the grid exactly.",
            "`channels // columns + 1` is one too many then: round up instead.",
            edits=((_ROWS, "rows = channels // columns + 1"),),
        ),
        Mutant(
            "no_free_places",
            "The channels do not fill the last row, and the reshape wants them to.",
            "Make a tensor of rows * columns tiles first, all zero.",
            edits=((_TILES, ""), (_FILLED, "tiles = scaled.detach()")),
        ),
        Mutant(
            "free_places_bright",
            "The free places of the last row are bright.",
            "They are 0.",
            edits=((_TILES, _TILES.replace("zeros", "ones")),),
        ),
        Mutant(
            "last_channel_repeated",
            "The free places of the last row show a channel again.",
            "They are 0.",
            edits=(
                (_FILLED, "tiles[:] = scaled.detach()[-1]; tiles[:channels] = scaled.detach()"),
            ),
        ),
        Mutant(
            "reshaped_without_reordering",
            "The maps are torn: a reshape alone reads one channel after the other.",
            "A line of the picture runs across its tiles: bring the dimensions into the order "
            "(rows, H, columns, W) first.",
            edits=((_WOVEN, "grid = tiles"),),
        ),
        Mutant(
            "tiles_transposed",
            "Each map is transposed: its rows run downwards.",
            "The dimensions in order are (rows, H, columns, W).",
            edits=(
                (
                    _WOVEN,
                    "grid = tiles.view(rows, columns, height, width).permute(0, 3, 1, 2)",
                ),
                (_JOINED, "return grid.reshape(rows * width, columns * height)"),
            ),
        ),
        Mutant(
            "last_channel_first",
            "The channels stand in reverse order.",
            "Channel 0 is at the top left.",
            edits=((_FILLED, "tiles[:channels] = scaled.detach().flip(0)"),),
        ),
        Mutant(
            "gaps_between_tiles",
            "There are gaps between the maps.",
            "They touch: the picture is exactly (rows*H, columns*W).",
            edits=(
                (
                    _TILES,
                    "height, width = height + 1, width + 1\n"
                    "    scaled = nn.functional.pad(scaled, (0, 1, 0, 1))\n    " + _TILES,
                ),
            ),
        ),
        Mutant(
            "four_dimensions",
            "The grid is still in pieces: (rows, H, columns, W).",
            "Join the first two and the last two dimensions.",
            edits=((_JOINED, "return grid"),),
        ),
        Mutant(
            "input_changed",
            "The minimum was subtracted from the caller's own activation.",
            "Work on a copy: `-=` writes into what you were given.",
            edits=(
                (
                    _SCALED,
                    "activation, low = activation.detach(), low.detach()\n"
                    "    activation -= low\n"
                    "    scaled = activation / span.where(span > 0, 1)",
                ),
            ),
        ),
    ),
    accepted=(
        Accepted(
            "tiny_epsilon",
            edits=((_SCALED, "scaled = (activation - low) / (span + 1e-12)"),),
        ),
        Accepted(
            "nan_replaced",
            edits=((_SCALED, "scaled = ((activation - low) / span).nan_to_num(0.0)"),),
        ),
        Accepted(
            "tile_by_tile",
            body="""
def feature_map_grid(activation, columns):
    channels, height, width = activation.shape
    rows = -(-channels // columns)
    grid = activation.new_zeros(rows * height, columns * width)
    for channel, tile in enumerate(activation.detach()):
        tile = tile - tile.min()
        if tile.max() > 0:
            tile = tile / tile.max()
        row, column = divmod(channel, columns)
        top, left = row * height, column * width
        grid[top : top + height, left : left + width] = tile
    return grid
""",
        ),
    ),
)

_OWN_COPY = "silenced = output.clone()"
_ZEROED = "silenced[:, channel] = 0"
_RETURNED = "return silenced"
_ABLATED = (
    "with torch.no_grad(), model.get_submodule(layer).register_forward_hook(silence):\n"
    "        return model(images)"
)

# Silence the weights that make the channel, instead of the channel.
_WEIGHTS = """
def ablate_channel(model, layer, channel, images):
    module = model.get_submodule(layer)
    before = {{name: tensor.clone() for name, tensor in module.state_dict().items()}}
    with torch.no_grad():
        module.weight[channel] = 0
        {bias}
        logits = model(images)
    {after}
    return logits
"""

ABLATION = Exercise(
    name="ablate_channel",
    inputs=_ablation_cases,
    points=3,
    minutes=15,
    returns="logits, (N, K)",
    without_common=("hooks_left", "last_axes_swapped"),  # its own mutant; no height and width
    hints=(
        "You have used hooks to look. A hook can also answer. What does the network do with what a "
        "forward hook returns?",
        "Copy the output in the hook, set the one channel of the copy to zero for every image, and "
        "return the copy. Which dimension counts the images, and which the channels?",
        "`silenced = output.clone()`, `silenced[:, channel] = 0`, `return silenced`; then "
        "`with torch.no_grad(), module.register_forward_hook(silence): return model(images)`.",
    ),
    mutants=(
        Mutant(
            "hook_returns_nothing",
            "Nothing changed: the hook made a copy, changed it, and kept it to itself.",
            "What the hook returns takes the place of the output.",
            edits=((_RETURNED, "return None"),),
        ),
        Mutant(
            "in_place_on_the_output",
            "The layer's output was changed in place. Some layers hand on the very tensor they "
            "were given: then it is the caller's own that changes.",
            "Write on a copy.",
            edits=((_OWN_COPY, "silenced = output.detach()"),),
        ),
        Mutant(
            "whole_layer",
            "The whole layer was silenced.",
            "Only one channel becomes zero.",
            edits=((_ZEROED, "silenced[:] = 0"),),
        ),
        Mutant(
            "only_this_channel_left",
            "Every channel but this one was silenced.",
            "Silence the one and leave the others.",
            edits=(
                (
                    _ZEROED,
                    "silenced = torch.zeros_like(output)\n"
                    "        silenced[:, channel] = output[:, channel]",
                ),
            ),
        ),
        Mutant(
            "batch_index",
            "An image was silenced, not a channel: the first dimension counts the images.",
            "Dimension 0 is the batch, dimension 1 the channels.",
            edits=((_ZEROED, "silenced[channel] = 0"),),
        ),
        Mutant(
            "first_image_only",
            "The channel was silenced for the first image only.",
            "Take all of dimension 0.",
            edits=((_ZEROED, "silenced[0, channel] = 0"),),
        ),
        Mutant(
            "row_index",
            "A row of every map was silenced, not a channel.",
            "Dimension 1 counts the channels, dimension 2 the rows.",
            edits=((_ZEROED, "silenced[:, :, channel] = 0"),),
        ),
        Mutant(
            "channels_last",
            "A column of every map was silenced, not a channel.",
            "Channels are dimension 1, not the last one.",
            edits=((_ZEROED, "silenced[..., channel] = 0"),),
        ),
        Mutant(
            "maps_only",
            "The index asks for height and width, and some layers have none.",
            "Two indices are enough: all images, one channel.",
            edits=((_ZEROED, "silenced[:, channel, :, :] = 0"),),
        ),
        Mutant(
            "one_too_low",
            "The channel before the one asked for was silenced.",
            "Channels are counted from 0.",
            edits=((_ZEROED, "silenced[:, channel - 1] = 0"),),
        ),
        Mutant(
            "and_all_after_it",
            "The channels after it were silenced too.",
            "`[:, channel:]` goes on to the end.",
            edits=((_ZEROED, "silenced[:, channel]; silenced[:, channel:] = 0"),),
        ),
        Mutant(
            "no_such_channel_ignored",
            "A channel that the layer does not have was passed over in silence: a slice may be "
            "empty.",
            "Index the channel itself.",
            edits=((_ZEROED, "silenced[:, channel : channel + 1] = 0"),),
        ),
        Mutant(
            "mean_instead_of_zero",
            "The channel was set to its mean, not to zero.",
            "That is another kind of ablation; here the channel is silent.",
            edits=((_ZEROED, "silenced[:, channel] = silenced[:, channel].mean()"),),
        ),
        Mutant(
            "negative_part_only",
            "Only the positive part of the channel was taken away.",
            "Silent means zero, whatever the sign.",
            edits=((_ZEROED, "silenced[:, channel] = silenced[:, channel].clamp(max=0)"),),
        ),
        Mutant(
            "sign_turned",
            "The channel was turned round, not silenced.",
            "Set it to zero.",
            edits=((_ZEROED, "silenced[:, channel] *= -1"),),
        ),
        Mutant(
            "input_of_the_layer",
            "The channel was silenced in what goes into the layer.",
            "A forward hook returns what comes out; a pre-hook would change what goes in.",
            body="""
def ablate_channel(model, layer, channel, images):
    def silence(module, inputs):
        silenced = inputs[0].clone()
        silenced[:, channel] = 0
        return (silenced,)

    with torch.no_grad(), model.get_submodule(layer).register_forward_pre_hook(silence):
        return model(images)
""",
        ),
        Mutant(
            "logits_ablated",
            "A logit was set to zero, not a channel of the layer.",
            "The hook goes on the layer that is named.",
            edits=(
                (
                    _ABLATED,
                    "model.get_submodule(layer)\n"
                    "    with torch.no_grad():\n"
                    "        return silence(model, images, model(images))",
                ),
            ),
        ),
        Mutant(
            "hook_after_the_forward",
            "Nothing changed: the hook was not there while the model ran.",
            "First register, then run the model.",
            edits=(
                (
                    _ABLATED,
                    "with torch.no_grad():\n        logits = model(images)\n"
                    "    model.get_submodule(layer).register_forward_hook(silence).remove()\n"
                    "    return logits",
                ),
            ),
        ),
        Mutant(
            "first_run_only",
            "Where the layer runs more than once only its first run was silenced.",
            "Leave the hook on the layer until the forward pass is over.",
            edits=(
                (_RETURNED, "handle.remove()\n        return silenced"),
                (
                    _ABLATED,
                    "handle = model.get_submodule(layer).register_forward_hook(silence)\n"
                    "    try:\n        return model(images).detach()\n"
                    "    finally:\n        handle.remove()",
                ),
            ),
        ),
        Mutant(
            "every_layer",
            "The channel of this number was silenced in other layers too.",
            "Put the hook on the layer that is named, and on no other.",
            edits=(
                (
                    _ABLATED,
                    "model.get_submodule(layer)\n"
                    "    with ExitStack() as hooks, torch.no_grad():\n"
                    "        for module in list(model.children()):\n"
                    "            hooks.enter_context(module.register_forward_hook(silence))\n"
                    "        return model(images)",
                ),
            ),
        ),
        Mutant(
            "difference_returned",
            "This is how much the logits change, not what they become.",
            "Return the logits as the network without that channel gives them.",
            edits=(
                (
                    _ABLATED,
                    _ABLATED.replace(
                        "return model(images)",
                        "logits = model(images)\n    return (model(images) - logits).detach()",
                    ),
                ),
            ),
        ),
        Mutant(
            "probabilities",
            "These are probabilities, not logits.",
            "Return what the model gives, without a softmax.",
            edits=((_ABLATED, _ABLATED + ".softmax(1)"),),
        ),
        Mutant(
            "hooks_left",
            "The hook was never removed: the model stays ablated.",
            "The registration returns a handle: keep it and remove it, or use it in a `with`.",
            edits=(
                (
                    _ABLATED,
                    "model.get_submodule(layer).register_forward_hook(silence)\n"
                    "    with torch.no_grad():\n        return model(images)",
                ),
            ),
        ),
        Mutant(
            "hooks_left_on_error",
            "The hook is removed after the forward pass, but not when that pass fails.",
            "Put the removal where it happens in any case: `finally`, or the end of a `with`.",
            edits=(
                (
                    _ABLATED,
                    "handle = model.get_submodule(layer).register_forward_hook(silence)\n"
                    "    with torch.no_grad():\n        logits = model(images)\n"
                    "    handle.remove()\n    return logits",
                ),
            ),
        ),
        Mutant(
            "weights_zeroed_for_good",
            "The weights that make the channel were zeroed, and stay so.",
            "The model must be as before; change what passes through it, not the model.",
            body=_WEIGHTS.format(bias="module.bias[channel] = 0", after="before.clear()"),
        ),
        Mutant(
            "weights_zeroed_and_restored",
            "The weights that make the channel were zeroed. Layers without weights have channels "
            "too, and a failing pass would leave the model changed.",
            "Zero the output in a hook: that works for every layer.",
            body=_WEIGHTS.format(
                bias="module.bias[channel] = 0", after="module.load_state_dict(before)"
            ),
        ),
        Mutant(
            "bias_forgotten",
            "The weights that make the channel were zeroed and its bias was not: the channel is "
            "not silent.",
            "Zero the output in a hook: that works for every layer.",
            body=_WEIGHTS.format(bias="pass", after="module.load_state_dict(before)"),
        ),
        Mutant(
            "outermost_part",
            "Only the first part of a dotted name was followed: the whole container was ablated.",
            "`blocks.0.conv` is inside `blocks`: `model.get_submodule` follows the dots.",
            edits=(("model.get_submodule(layer)", "model.get_submodule(layer.split('.')[0])"),),
        ),
        Mutant(
            "getattr_without_dots",
            "`getattr` looks for one attribute with dots in its name.",
            "`model.get_submodule` follows the dots.",
            edits=(("model.get_submodule(layer)", "getattr(model, layer)"),),
        ),
        Mutant(
            "unknown_layer_is_a_key_error",
            "An unknown layer raises KeyError.",
            "`model.get_submodule` raises AttributeError for a name that is not there.",
            edits=(("model.get_submodule(layer)", "dict(model.named_modules())[layer]"),),
        ),
        Mutant(
            "train_mode",
            "The model ran in train mode, where BatchNorm, dropout and others behave differently.",
            "Leave the model in the mode you were given.",
            edits=(
                (
                    _ABLATED,
                    _ABLATED.replace(
                        "return model(images)",
                        "model.train(); logits = model(images); model.eval(); return logits",
                    ),
                ),
            ),
        ),
    ),
    accepted=(
        Accepted(
            "mask",
            edits=(
                (
                    _ZEROED,
                    "kept = torch.ones(output.shape[1], dtype=torch.bool).to(output.device)\n"
                    "        kept[channel] = False\n"
                    "        silenced *= kept.view(-1, *[1] * (output.dim() - 2))",
                ),
            ),
        ),
        Accepted(
            "with_a_graph_then_detached",
            edits=((_ABLATED, _ABLATED.replace("torch.no_grad(), ", "") + ".detach()"),),
        ),
        Accepted(
            "index_fill",
            edits=(
                (
                    _ZEROED,
                    "index = torch.tensor(channel, device=output.device)\n"
                    "        silenced = output.index_fill(1, index, 0)",
                ),
            ),
        ),
    ),
)

_LOGITS = "model(images).gather(1, target.unsqueeze(1))"
_GRADIENT = "(gradient,) = torch.autograd.grad(target_logits.sum(), captured[-1])"
_LEAF = "leaf = output.detach().clone().requires_grad_()"
_PASSED_ON = "return leaf.clone()"
_HOOKED = (
    "with torch.enable_grad(), model.get_submodule(layer).register_forward_hook(restart_graph):"
)

# The other way to the gradient: let the graph run from the image through the layer, and keep the
# layer's output as a tensor of that graph.
_THROUGH_THE_GRAPH = """
def capture_gradients(model, layer, images, target):
    captured = []
    {start}

    def keep(module, inputs, output):
        {keep}

    with model.get_submodule(layer).register_forward_hook(keep):
        logits = model(images)
    chosen = logits.gather(1, target[:, None]).sum()
    (gradient,) = torch.autograd.grad(chosen, captured[-1])
    return gradient
"""
_OWN_IMAGES = "images = images.detach().requires_grad_()"
_KEEP_A_COPY = "captured.append(output.clone())\n        return captured[-1].clone()"

_BACKWARD_HOOK = """
def capture_gradients(model, layer, images, target):
    images = images.detach().requires_grad_()
    captured = []
    module = model.get_submodule(layer)
    with module.register_full_backward_hook({hook}):
        chosen = model(images).gather(1, target[:, None]).sum()
        torch.autograd.grad(chosen, images)
    return captured[0]
"""

GRADIENTS = Exercise(
    name="capture_gradients",
    inputs=_gradient_cases,
    points=4,
    minutes=25,
    returns="the gradient, of the shape of the layer's output",
    without_common=("grads_left", "hooks_left"),  # its own mutants
    hints=(
        "A gradient can be asked for any tensor of the graph, not only for the image. How does the "
        "tensor at the layer come into your hands, and what would happen if the next layer wrote "
        "over it?",
        "What a forward hook returns takes the layer's place. Let it return a tensor of your own, "
        "keep that, pick each image's target logit and ask `torch.autograd.grad` for the gradient "
        "of their sum. With frozen parameters nothing requires grad unless you say so.",
        "In the hook: `leaf = output.detach().clone().requires_grad_()`, keep `leaf`, and return "
        "`leaf.clone()` (an in-place ReLU must not write on a leaf). Then "
        "`model(images).gather(1, target.unsqueeze(1)).sum()` and `torch.autograd.grad` of that "
        "with respect to the last leaf kept.",
    ),
    mutants=(
        Mutant(
            "softmax_target",
            "This is the gradient of the softmax probability, not of the logit.",
            "Probabilities of other classes leak in and saturate: differentiate the raw logit.",
            edits=((_LOGITS, _LOGITS.replace("(images)", "(images).softmax(1)")),),
        ),
        Mutant(
            "log_softmax_target",
            "This is the gradient of a log-probability, not of the logit.",
            "A loss mixes in every class: differentiate the target logit itself.",
            edits=((_LOGITS, _LOGITS.replace("(images)", "(images).log_softmax(1)")),),
        ),
        Mutant(
            "cross_entropy",
            "This is the gradient of the mean cross-entropy loss.",
            "A loss asks how wrong the answer is; the question here is what moves one logit.",
            edits=((_LOGITS, "nn.functional.cross_entropy(model(images), target)"),),
        ),
        Mutant(
            "sum_of_all_logits",
            "This is the gradient of the sum of all logits: the same for every class.",
            "Pick one logit per image: the one that `target` names.",
            edits=((_LOGITS, "model(images)"),),
        ),
        Mutant(
            "predicted_class",
            "This is the gradient of the class the model predicts, not of the class asked about.",
            "`target` may name any class; the prediction plays no part.",
            edits=((_LOGITS, "model(images).amax(1)"),),
        ),
        Mutant(
            "max_over_batch",
            "Only one image of the batch has a gradient: one maximum was taken over all logits.",
            "Choose one logit for each image before you reduce.",
            edits=((_LOGITS, "model(images).max()"),),
        ),
        Mutant(
            "first_target_for_all",
            "Every image was asked about the first image's class.",
            "`target` has one entry per image: index rows and columns together.",
            edits=((_LOGITS, "model(images)[:, target[0]]"),),
        ),
        Mutant(
            "all_targets_for_all",
            "Each image was asked about every class in `target`: `logits[:, target]` is (N, N).",
            "Take one logit from each row.",
            edits=((_LOGITS, "model(images)[:, target]"),),
        ),
        Mutant(
            "averaged_over_images",
            "Each gradient is divided by the batch size.",
            "The batch size must not matter: sum the chosen logits, do not average them.",
            edits=((_GRADIENT, _GRADIENT.replace(".sum()", ".mean()")),),
        ),
        Mutant(
            "backward_on_vector",
            "One logit per image makes a vector, and a gradient is asked of one number.",
            "No logit depends on another image: their sum has every image's own gradient in it.",
            edits=((_GRADIENT, _GRADIENT.replace(".sum()", "")),),
        ),
        Mutant(
            "after_the_inplace_relu",
            "This is the gradient after the in-place ReLU, which wrote over the tensor you kept.",
            "Hand the next layer a copy, so that yours stays what the layer gave.",
            body=_THROUGH_THE_GRAPH.format(start=_OWN_IMAGES, keep="captured.append(output)"),
        ),
        Mutant(
            "leaf_overwritten",
            "The in-place ReLU wanted to write over your leaf.",
            "Hand the next layer a copy of it.",
            edits=((_PASSED_ON, "return leaf"),),
        ),
        Mutant(
            "full_backward_hook",
            "`register_full_backward_hook` does not go together with an in-place operation after "
            "the layer.",
            "Get hold of the output itself, in a forward hook, and ask for the gradient at it.",
            body=_BACKWARD_HOOK.format(hook="lambda m, inner, outer: captured.append(outer[0])"),
        ),
        Mutant(
            "gradient_at_the_input",
            "This is the gradient at the layer's input: a backward hook gets `(module, "
            "grad_input, grad_output)`.",
            "Asked for is the gradient at what the layer gives.",
            edits=(
                (_LEAF, "leaf = inputs[0].detach().clone().requires_grad_()"),
                (_PASSED_ON, "return module.forward(leaf.clone())"),
            ),
        ),
        Mutant(
            "gradient_at_the_image",
            "This is the gradient at the image, not at the layer.",
            "Ask `torch.autograd.grad` for the tensor that you kept in the hook.",
            edits=(
                (f"    {_HOOKED}", f"    images = images.detach().requires_grad_()\n    {_HOOKED}"),
                (_LEAF, "leaf = output"),
                ("captured[-1])", "images)"),
            ),
        ),
        Mutant(
            "another_tensor_went_on",
            "The logits do not depend on the tensor you kept: the network went on with another "
            "one.",
            "Return from the hook what you kept, or a copy of it that keeps the graph.",
            edits=((_PASSED_ON, "return None"),),
        ),
        Mutant(
            "needs_trainable_parameters",
            "With frozen parameters there is no graph: nothing requires grad.",
            "Your own tensor must require grad, or the images that you pass.",
            body=_THROUGH_THE_GRAPH.format(start="", keep=_KEEP_A_COPY),
        ),
        Mutant(
            "callers_images_require_grad",
            "`requires_grad` was turned on for the caller's own images.",
            "Work on a detached copy, or let the graph begin at the layer.",
            body=_THROUGH_THE_GRAPH.format(start="images.requires_grad_()", keep=_KEEP_A_COPY),
        ),
        Mutant(
            "no_grad_forward",
            "The forward pass ran under `torch.no_grad`, so there is nothing to differentiate.",
            "Let the forward pass record its graph.",
            edits=(("torch.enable_grad()", "torch.no_grad()"),),
        ),
        Mutant(
            "first_run_kept",
            "Where the layer runs more than once this is the gradient at its first output.",
            "The last run counts; a backward pass meets the runs in reverse order.",
            edits=((_GRADIENT, _GRADIENT.replace("[-1]", "[0]")),),
        ),
        Mutant(
            "grads_left",
            "`backward()` also filled the `.grad` of parameters.",
            "`torch.autograd.grad(output, tensor)` asks for one gradient and leaves nothing "
            "behind.",
            edits=(
                (_GRADIENT, "target_logits.sum().backward()\n    gradient = captured[-1].grad"),
            ),
        ),
        Mutant(
            "hooks_left",
            "The hook was never removed.",
            "The registration returns a handle: keep it and remove it, or use it in a `with`.",
            edits=(
                (
                    _HOOKED,
                    "model.get_submodule(layer).register_forward_hook(restart_graph)\n"
                    "    with torch.enable_grad():",
                ),
            ),
        ),
        Mutant(
            "hooks_left_on_error",
            "The hook is removed after the forward pass, but not when that pass fails.",
            "Put the removal where it happens in any case: `finally`, or the end of a `with`.",
            edits=(
                (
                    _HOOKED,
                    "handle = model.get_submodule(layer).register_forward_hook(restart_graph)\n"
                    "    with torch.enable_grad():",
                ),
                ("    return gradient\n", "    handle.remove()\n    return gradient\n"),
            ),
        ),
        Mutant(
            "outermost_part",
            "Only the first part of a dotted name was followed: this is the gradient at the whole "
            "container.",
            "`blocks.0.conv` is inside `blocks`: `model.get_submodule` follows the dots.",
            edits=((_HOOKED, _HOOKED.replace("(layer)", "(layer.split('.')[0])")),),
        ),
        Mutant(
            "getattr_without_dots",
            "`getattr` looks for one attribute with dots in its name.",
            "`model.get_submodule` follows the dots.",
            edits=(
                (_HOOKED, _HOOKED.replace("model.get_submodule(layer)", "getattr(model, layer)")),
            ),
        ),
        Mutant(
            "unknown_layer_is_a_key_error",
            "An unknown layer raises KeyError.",
            "`model.get_submodule` raises AttributeError for a name that is not there.",
            edits=(("model.get_submodule(layer)", "dict(model.named_modules())[layer]"),),
        ),
        Mutant(
            "activation_returned",
            "This is the activation itself, not its gradient.",
            "Return what `torch.autograd.grad` gives.",
            edits=(("return gradient\n", "return captured[-1].detach()\n"),),
        ),
        Mutant(
            "gradient_times_activation",
            "This is the gradient times the activation.",
            "That is a way to read the gradient; here it stands alone.",
            edits=(("return gradient\n", "return gradient * captured[-1].detach()\n"),),
        ),
        Mutant(
            "magnitude",
            "The signs are gone.",
            "Return the gradient itself, with its signs.",
            edits=(("return gradient\n", "return gradient.abs()\n"),),
        ),
        Mutant(
            "positive_part",
            "Negative derivatives were clamped away.",
            "Return the gradient itself, with its signs.",
            edits=(("return gradient\n", "return gradient.relu()\n"),),
        ),
        Mutant(
            "averaged_over_places",
            "The gradient was averaged over height and width.",
            "That is a step of Grad-CAM; here the whole gradient is asked for.",
            edits=(("return gradient\n", "return gradient.mean((2, 3))\n"),),
        ),
        Mutant(
            "train_mode",
            "The model ran in train mode, where BatchNorm, dropout and others behave differently.",
            "Leave the model in the mode you were given.",
            edits=(
                (
                    f"target_logits = {_LOGITS}",
                    f"model.train(); target_logits = {_LOGITS}; model.eval()",
                ),
            ),
        ),
    ),
    accepted=(
        Accepted(
            "graph_from_the_image",
            body=_THROUGH_THE_GRAPH.format(start=_OWN_IMAGES, keep=_KEEP_A_COPY),
        ),
        Accepted(
            "backward_to_the_leaf",
            edits=(
                (
                    _GRADIENT,
                    "target_logits.sum().backward(inputs=[captured[-1]])\n"
                    "    gradient = captured[-1].grad",
                ),
            ),
        ),
        Accepted(
            "hook_on_the_tensor",
            body="""
def capture_gradients(model, layer, images, target):
    images = images.detach().requires_grad_()
    gradients = []

    def watch(module, inputs, output):
        output = output.clone()
        output.register_hook(gradients.append)
        return output

    handle = model.get_submodule(layer).register_forward_hook(watch)
    try:
        logits = model(images)
    finally:
        handle.remove()
    chosen = logits[torch.arange(len(images)), target]
    torch.autograd.grad(chosen.sum(), images)
    return gradients[0]
""",
        ),
        Accepted(
            "one_image_at_a_time",
            append="""
_batched = capture_gradients


def capture_gradients(model, layer, images, target):
    return torch.cat([_batched(model, layer, images[i : i + 1], target[i : i + 1])
                      for i in range(len(images))])
""",
        ),
    ),
)

LESSON = Lesson("l02_hooks", "Hooks", (ACTIVATIONS, RECORDER, GRID, ABLATION, GRADIENTS))
