"""Lesson 14, Grad-CAM: cases, mutants and hints."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from autograder.course.exercise import Accepted, Case, Exercise, Lesson, Mutant
from autograder.protocol.wire import ModelSpec

# Cases


def _images(rng: Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=dtype)


def _lit_patches(rng: Generator, count: int, height: int, width: int) -> Tensor:
    """Black images, each with one patch of 4x4 pixels in a colour: the map is an impulse."""
    images = torch.zeros(count, 3, height, width)
    for image in images:
        row = 4 * int(torch.randint(height // 4, (), generator=rng))
        column = 4 * int(torch.randint(width // 4, (), generator=rng))
        colour = 0.2 + torch.rand(3, 1, 1, generator=rng)
        image[:, row : row + 4, column : column + 4] = colour
    return images


def _inputs(
    rng: Generator, model: str, layer: str, images: Tensor, target: list[int]
) -> dict[str, Any]:
    dtype = "float64" if images.dtype == torch.float64 else "float32"
    seed = int(torch.randint(1 << 30, (), generator=rng))
    spec = ModelSpec(model, seed, dtype)
    return {"model": spec, "layer": layer, "images": images, "target": torch.tensor(target)}


def _layer_cases(rng: Generator) -> dict[str, Case]:
    """A network, a layer, images and classes: what three of the exercises ask for."""

    def case(model: str, layer: str, images: Tensor, target: list[int]) -> Case:
        return Case(_inputs(rng, model, layer, images, target), picture=True)

    double = _images(rng, 2, 3, 16, 20, dtype=torch.float64)
    wanting_grad = _images(rng, 2, 3, 12, 16).requires_grad_()
    return {
        "two images": case("plain", "conv2", _images(rng, 2, 3, 16, 24), [3, 1]),
        "one image": case("residual", "stem", _images(rng, 1, 3, 20, 14), [2]),
        "in-place ReLU": case("inplace", "conv2", _images(rng, 3, 3, 12, 16), [0, 4, 4]),
        "BatchNorm and dropout": case("normalised", "norm", _images(rng, 2, 3, 14, 18), [1, 0]),
        "float64": case("residual", "conv1", double, [4, 2]),
        "a ReLU that runs three times": case(
            "residual", "relu", _images(rng, 2, 3, 18, 14), [0, 3]
        ),
        "weights known on paper": case("linear", "mix", _images(rng, 2, 3, 12, 16), [1, 3]),
        "frozen parameters": case("frozen", "relu1", _images(rng, 2, 3, 12, 14), [2, 1]),
        "one lit patch": case("patches", "relu", _lit_patches(rng, 3, 16, 24), [1, 0, 3]),
        "image already requiring grad": case("functional", "conv1", wanting_grad, [0, 2]),
        "an unknown layer": case("plain", "relu3", _images(rng, 1, 3, 12, 12), [0]),
        "images that the network refuses": case(
            "inplace", "relu2", _images(rng, 2, 4, 12, 12), [0, 1]
        ),
    }


def _weight_cases(rng: Generator) -> dict[str, Case]:
    def case(*shape: int, dtype: torch.dtype = torch.float32) -> Case:
        return Case({"activation_gradients": _images(rng, *shape, dtype=dtype)})

    flat = _images(rng, 2, 5, 1, 1).expand(2, 5, 4, 3).clone()
    return {
        "two images": case(2, 6, 5, 7),
        "one image": case(1, 8, 4, 4),
        "three images": case(3, 4, 3, 9),
        "one channel": case(2, 1, 5, 4),
        "one place": case(3, 6, 1, 1),
        "float64": case(2, 7, 7, 5, dtype=torch.float64),
        "the same everywhere": Case({"activation_gradients": flat}),
        "all zero": Case({"activation_gradients": torch.zeros(2, 3, 4, 6)}),
    }


def _guided_cases(rng: Generator) -> dict[str, Case]:
    def case(
        model: str, layer: str, images: Tensor, target: list[int], guided: Tensor | None = None
    ) -> Case:
        # Given, so that nobody needs lesson 12 for this one.
        drawn = torch.randn(images.shape, generator=rng, dtype=images.dtype)
        inputs = _inputs(rng, model, layer, images, target)
        return Case({**inputs, "guided": drawn if guided is None else guided}, picture=True)

    double = _images(rng, 2, 3, 18, 14, dtype=torch.float64)
    wanting_grad = _images(rng, 2, 3, 12, 20).requires_grad_()
    return {
        "two images": case("plain", "conv2", _images(rng, 2, 3, 16, 24), [3, 1]),
        "one image": case("residual", "stem", _images(rng, 1, 3, 20, 14), [2]),
        "float64": case("residual", "stem", double, [4, 0]),
        "BatchNorm and dropout": case("normalised", "norm", _images(rng, 2, 3, 14, 18), [1, 0]),
        "one lit patch": case(
            "patches", "relu", _lit_patches(rng, 2, 16, 24), [0, 0], torch.ones(2, 3, 16, 24)
        ),
        "sizes that do not divide": case(
            "patches", "relu", _lit_patches(rng, 3, 15, 22), [0, 1, 3]
        ),
        "a layer as large as the image": case(
            "inplace", "relu1", _images(rng, 2, 3, 14, 14), [0, 4]
        ),
        "guided gradients requiring grad": case(
            "functional", "conv2", _images(rng, 2, 3, 12, 20), [0, 2], wanting_grad
        ),
    }


# Mistakes at the network, which show in every map: what is asked of it, and what is caught in it.

_CATCH = """
def {name}(model, layer, images, target):
    kept = []

    def keep(module, inputs, output):
        kept.append(output)
        return output.clone()

    images = images.detach().requires_grad_()
    with torch.enable_grad(), model.get_submodule(layer).register_forward_hook(keep):
        logits = model(images)
    chosen = logits.gather(1, target[:, None]).sum()
    activation = kept[-1]
    (gradient,) = torch.autograd.grad(chosen, activation)
    {ending}
"""
_CATCH_WITH_HANDLE = """
def {name}(model, layer, images, target):
    kept = []

    def keep(module, inputs, output):
        kept.append(output)
        return output.clone()

    handle = model.get_submodule(layer).register_forward_hook(keep)
    logits = model(images.detach().requires_grad_())
    handle.remove()
    chosen = logits.gather(1, target[:, None]).sum()
    activation = kept[-1]
    (gradient,) = torch.autograd.grad(chosen, activation)
    {ending}
"""
_CATCH_WITH_BACKWARD_HOOK = """
def {name}(model, layer, images, target):
    activations, gradients = [], []
    module = model.get_submodule(layer)
    handles = [
        module.register_forward_hook(lambda m, i, out: activations.append(out.detach().clone())),
        module.register_full_backward_hook(lambda m, i, out: gradients.append(out[0].detach())),
    ]
    try:
        images = images.detach().requires_grad_()
        chosen = model(images).gather(1, target[:, None]).sum()
        torch.autograd.grad(chosen, images)
    finally:
        for handle in handles:
            handle.remove()
    activation, gradient = activations[-1], gradients[0]
    {ending}
"""
_CATCH_WITH_TENSOR_HOOK = """
def {name}(model, layer, images, target):
    activations, gradients = [], []

    def keep(module, inputs, output):
        activations.append(output.detach().clone())
        output.register_hook(gradients.append)

    images = images.detach().requires_grad_()
    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        chosen = model(images).gather(1, target[:, None]).sum()
    finally:
        handle.remove()
    torch.autograd.grad(chosen, images)
    activation, gradient = activations[-1], gradients[0]
    {ending}
"""
_ASKED = "logits.gather(1, target[:, None]).sum()"
_FOUND = "(gradient,) = torch.autograd.grad(chosen, activation)"


def _changed(body: str, *edits: tuple[str, str]) -> str:
    for old, new in edits:
        if body.count(old) != 1:
            raise ValueError(f"{old!r} is there {body.count(old)} times")
        body = body.replace(old, new)
    return body


def _wrong_at_the_network(name: str, ending: str) -> tuple[Mutant, ...]:
    """Versions of an exercise that are right but for one thing between the images and the layer.

    Args:
        name: of the exercise.
        ending: lines that make its result from `activation` and `gradient`.
    """
    catch = _CATCH.format(name=name, ending=ending)
    with_handle = _CATCH_WITH_HANDLE.format(name=name, ending=ending)
    with_backward_hook = _CATCH_WITH_BACKWARD_HOOK.format(name=name, ending=ending)
    with_tensor_hook = _CATCH_WITH_TENSOR_HOOK.format(name=name, ending=ending)

    def asked(new: str) -> str:
        return _changed(catch, (_ASKED, new))

    return (
        # Which number is differentiated
        Mutant(
            "softmax_target",
            "The gradient is that of the softmax probability, not of the logit.",
            "A probability also falls when another class rises: start from the raw logit.",
            body=asked("logits.softmax(1).gather(1, target[:, None]).sum()"),
        ),
        Mutant(
            "log_softmax_target",
            "The gradient is that of a log-probability, not of the logit.",
            "A log-probability mixes in every class: start from the raw logit.",
            body=asked("logits.log_softmax(1).gather(1, target[:, None]).sum()"),
        ),
        Mutant(
            "cross_entropy",
            "The gradient is that of the cross-entropy loss: its sign is turned round, and every "
            "class is in it.",
            "A loss falls where the class is. The question is what makes its logit rise.",
            body=asked("F.cross_entropy(logits, target, reduction='sum')"),
        ),
        Mutant(
            "sum_of_all_logits",
            "The gradient is that of the sum of all logits: the map is the same for every class.",
            "Pick one logit per image: the one that `target` names.",
            body=asked("logits.sum()"),
        ),
        Mutant(
            "predicted_class",
            "The class asked about is the one the network predicts, not the one in `target`.",
            "`target` may name any class; the prediction plays no part.",
            body=asked("logits.amax(1).sum()"),
        ),
        Mutant(
            "max_over_batch",
            "One maximum was taken over the whole batch: all images but one have no gradient.",
            "Choose one logit for each image before you reduce.",
            body=asked("logits.max()"),
        ),
        Mutant(
            "first_target_for_all",
            "Every image was asked about the first image's class.",
            "`target` has one entry per image: index rows and columns together.",
            body=asked("logits[:, target[0]].sum()"),
        ),
        Mutant(
            "all_targets_for_all",
            "Each image was asked about every class in `target`: `logits[:, target]` is (N, N).",
            "Take one logit from each row.",
            body=asked("logits[:, target].sum()"),
        ),
        Mutant(
            "mean_over_batch",
            "The chosen logits were averaged over the batch, so every gradient is divided by N.",
            "A second image in the batch must not change the first one's numbers: which reduction "
            "leaves them alone?",
            body=asked(_ASKED.replace("sum()", "mean()")),
        ),
        Mutant(
            "backward_on_vector",
            "One logit per image makes a vector, and a gradient is asked of one number.",
            "Which number has a gradient that holds every image's own? No logit reaches another "
            "image.",
            body=asked(_ASKED.removesuffix(".sum()")),
        ),
        # How the network was run
        Mutant(
            "train_mode",
            "The network was in train mode: BatchNorm used this batch's statistics, dropout "
            "dropped.",
            "Leave the model in the mode you were given.",
            body=_changed(
                catch,
                ("logits = model(images)", "model.train(); logits = model(images); model.eval()"),
            ),
        ),
        Mutant(
            "no_grad_forward",
            "The network ran under `torch.no_grad` to its end, so there is nothing to "
            "differentiate.",
            "What comes after the layer has to record its graph.",
            body=_changed(catch, ("torch.enable_grad(),", "torch.no_grad(),")),
        ),
        Mutant(
            "needs_trainable_parameters",
            "No gradient flows in a network whose parameters are frozen: nothing before the layer "
            "asks for one.",
            "The graph has to start somewhere: at a copy of the images, or at the layer's output.",
            body=_changed(catch, ("images.detach().requires_grad_()", "images.detach()")),
        ),
        Mutant(
            "grad_on_callers_image",
            "`requires_grad` was turned on for the caller's own images.",
            "Detach first; then the tensor that requires grad is yours.",
            body=_changed(
                catch, ("images = images.detach().requires_grad_()", "images.requires_grad_()")
            ),
        ),
        Mutant(
            "backward_on_model",
            "`backward()` also filled the `.grad` of every parameter.",
            "`torch.autograd.grad` asks for the one gradient you need and leaves nothing behind.",
            body=_changed(
                catch,
                (
                    _FOUND,
                    "activation.retain_grad(); chosen.backward(); gradient = activation.grad",
                ),
            ),
        ),
        # What was caught at the layer
        Mutant(
            "overwritten_by_the_next_layer",
            "The kept tensor was overwritten: the ReLU after the layer works in place, and what "
            "you hold is its output.",
            "Whatever the next layer may write into must not be the tensor you keep.",
            body=_changed(catch, ("        return output.clone()\n", "")),
        ),
        Mutant(
            "full_backward_hook",
            "A full backward hook on the layer fails as soon as an in-place ReLU follows it.",
            "Take the gradient at the output tensor itself; a module hook is not needed.",
            body=with_backward_hook,
        ),
        Mutant(
            "gradient_of_the_first_run",
            "The layer runs several times, and activation and gradient are of different runs.",
            "The way back meets the last run first. Which end of your list is the last run?",
            body=_changed(with_tensor_hook, ("gradients[0]", "gradients[-1]")),
        ),
        Mutant(
            "first_run",
            "The layer runs several times, and what you kept is its first run.",
            "The last run is asked for: which entry is it?",
            body=_changed(catch, ("kept[-1]", "kept[0]")),
        ),
        Mutant(
            "layer_input",
            "What was kept is what went into the layer, not what came out.",
            "A forward hook is given module, inputs and output, in this order.",
            body=_changed(catch, ("kept.append(output)", "kept.append(inputs[0])")),
        ),
        Mutant(
            "detached_activation",
            "The activation was detached before the gradient was asked for, so no logit depends "
            "on it.",
            "Keep the very tensor the network goes on with; detach what you return.",
            body=_changed(catch, ("kept.append(output)", "kept.append(output.detach())")),
        ),
        Mutant(
            "non_leaf_grad",
            "`.grad` was read from the layer's output, which is not a leaf, so it is None.",
            "Ask for the gradient at that tensor, or tell it to retain its own.",
            body=_changed(
                catch,
                (_FOUND, "chosen.backward(inputs=[images]); gradient = activation.grad"),
            ),
        ),
        # Hooks and names
        Mutant(
            "hook_kept",
            "The hook is never removed: every later forward pass runs it again.",
            "Keep the handle and remove it, whatever happens; it also works in a `with`.",
            body=_changed(with_handle, ("    handle.remove()\n", "")),
        ),
        Mutant(
            "hook_kept_on_error",
            "The hook stays on the model when the forward pass fails.",
            "An error jumps over the line that removes it: what runs in any case?",
            body=with_handle,
        ),
        Mutant(
            "unknown_layer_unnoticed",
            "A layer name that does not exist goes unnoticed until nothing was kept.",
            "The model can look up a dotted name itself, and says so when there is none.",
            body=_changed(
                catch,
                (
                    "with torch.enable_grad(), model.get_submodule(layer)"
                    ".register_forward_hook(keep):\n        logits = model(images)",
                    "found = [m for path, m in model.named_modules() if path == layer]\n"
                    "    handles = [module.register_forward_hook(keep) for module in found]\n"
                    "    try:\n"
                    "        logits = model(images)\n"
                    "    finally:\n"
                    "        [handle.remove() for handle in handles]",
                ),
            ),
        ),
        Mutant(
            "layer_from_dict",
            "The layer was looked up in a dict, so that an unknown name raises KeyError.",
            "The model can look up a dotted name itself, and raises what the docstring promises.",
            body=_changed(
                catch, ("model.get_submodule(layer)", "dict(model.named_modules())[layer]")
            ),
        ),
        Mutant(
            "layer_ignored",
            "The last convolution was used, whatever `layer` says.",
            "Use the argument.",
            body=_changed(
                catch,
                (
                    "model.get_submodule(layer).register",
                    "(model.get_submodule(layer) and "
                    "[m for m in model.modules() if isinstance(m, nn.Conv2d)][-1]).register",
                ),
            ),
        ),
    )


def _other_ways(name: str, ending: str) -> tuple[Accepted, ...]:
    return (
        Accepted("gradient_at_the_output", body=_CATCH.format(name=name, ending=ending)),
        Accepted("tensor_hook", body=_CATCH_WITH_TENSOR_HOOK.format(name=name, ending=ending)),
        Accepted(
            "handle_removed_in_finally",
            body=_changed(
                _CATCH_WITH_HANDLE.format(name=name, ending=ending),
                (
                    "    logits = model(images.detach().requires_grad_())\n    handle.remove()\n",
                    "    try:\n"
                    "        logits = model(images.detach().requires_grad_())\n"
                    "    finally:\n"
                    "        handle.remove()\n",
                ),
            ),
        ),
    )


# Exercises

# These common mistakes have their own sentences here.
_SAID_HERE = ("hooks_left", "grads_left")
_BOTH = "return activation.detach(), gradient"

ACTIVATION = Exercise(
    name="activation_and_gradient",
    inputs=_layer_cases,
    points=4,
    minutes=30,
    returns="a tuple of two tensors of the layer's shape, the activation and the gradient",
    without_common=_SAID_HERE,
    hints=(
        "The logit depends on the layer's output, and that output passes by for a moment in the "
        "forward pass. How do you get hold of it? And which tensor must the rest of the network "
        "go on with, so that a gradient can come back to it?",
        "A forward hook sees the output, and what the hook returns takes its place. Keep one "
        "tensor and hand on a copy of it: a later in-place ReLU then writes into the copy. Ask "
        "`torch.autograd.grad` for the gradient of the summed target logits at the kept tensor. "
        "Where does the graph start when all parameters are frozen?",
        "In the hook: `kept.append(output)` and `return output.clone()`. Run the model on "
        "`images.detach().requires_grad_()` inside `with "
        "model.get_submodule(layer).register_forward_hook(hook):`, which removes the hook also "
        "when an error passes. Then `torch.autograd.grad(chosen, kept[-1])`, where `chosen` is "
        "the sum of `logits.gather(1, target[:, None])`.",
    ),
    mutants=(
        *_wrong_at_the_network("activation_and_gradient", _BOTH),
        Mutant(
            "wrong_order",
            "Activation and gradient are the wrong way round.",
            "The name of the function says the order.",
            edits=(
                ("return activation.detach(), gradient", "return gradient, activation.detach()"),
            ),
        ),
        Mutant(
            "graph_kept",
            "The activation still holds its graph, and with it the memory of the whole pass.",
            "Detach what you return, after the gradient is there.",
            body=_CATCH.format(
                name="activation_and_gradient", ending="return activation, gradient"
            ),
        ),
        Mutant(
            "pooled_already",
            "The gradient was averaged over the places already.",
            "That is the next exercise; here each place keeps its own.",
            edits=(
                (
                    "return activation.detach(), gradient",
                    "return activation.detach(), gradient.mean((2, 3))",
                ),
            ),
        ),
        Mutant(
            "rectified_gradient",
            "Negative gradients were clamped away.",
            "A channel that speaks against the class matters too: keep the sign.",
            edits=(
                (
                    "return activation.detach(), gradient",
                    "return activation.detach(), F.relu(gradient)",
                ),
            ),
        ),
    ),
    accepted=(
        *_other_ways("activation_and_gradient", _BOTH),
        Accepted(
            "one_image_at_a_time",
            append="""
_batched = activation_and_gradient


def activation_and_gradient(model, layer, images, target):
    pairs = [_batched(model, layer, images[i : i + 1], target[i : i + 1])
             for i in range(len(images))]
    return torch.cat([a for a, _ in pairs]), torch.cat([g for _, g in pairs])
""",
        ),
    ),
)

_MEAN = "activation_gradients.mean(dim=(2, 3))"

WEIGHTS = Exercise(
    name="channel_weights",
    inputs=_weight_cases,
    points=1,
    minutes=5,
    returns="one weight per image and channel, (N, C)",
    without_common=("last_axes_swapped",),  # a matrix of weights has no height and width
    hints=(
        "One number shall say how much a whole channel matters to the class. You have one number "
        "for each of its places. What is fair to small and large layers alike?",
        "Average over the places of each channel. Images and channels keep their dimensions, and "
        "the sign stays.",
        "Reduce the two last dimensions with `.mean(dim=...)`; the result is (N, C).",
    ),
    mutants=(
        Mutant(
            "sum_for_mean",
            "The gradient was summed over the places, not averaged: a large layer counts more.",
            "Equation 1 of the paper divides by the number of places.",
            edits=((_MEAN, "activation_gradients.sum(dim=(2, 3))"),),
        ),
        Mutant(
            "maximum_for_mean",
            "The largest gradient of each channel was taken, not the average.",
            "One place must not speak for all.",
            edits=((_MEAN, "activation_gradients.amax(dim=(2, 3))"),),
        ),
        Mutant(
            "magnitudes",
            "The magnitudes were averaged: a channel that speaks against the class now counts "
            "for it.",
            "Weights have a sign.",
            edits=((_MEAN, "activation_gradients.abs().mean(dim=(2, 3))"),),
        ),
        Mutant(
            "magnitude_of_mean",
            "The magnitude of the average was taken: a channel that speaks against the class now "
            "counts for it.",
            "Weights have a sign.",
            edits=((_MEAN, f"{_MEAN}.abs()"),),
        ),
        Mutant(
            "relu_on_gradients",
            "Negative gradients were cut off before the average.",
            "Grad-CAM's ReLU comes last, after the sum over channels; weights have a sign.",
            edits=((_MEAN, "F.relu(activation_gradients).mean(dim=(2, 3))"),),
        ),
        Mutant(
            "relu_on_weights",
            "Negative weights were cut off.",
            "Grad-CAM's ReLU comes last, after the sum over channels; weights have a sign.",
            edits=((_MEAN, f"F.relu({_MEAN})"),),
        ),
        Mutant(
            "averaged_over_batch",
            "The average also ran over the images: all share their weights.",
            "Each image keeps its own row.",
            edits=(
                (
                    _MEAN,
                    "activation_gradients.mean((0, 2, 3)).repeat(len(activation_gradients), 1)",
                ),
            ),
        ),
        Mutant(
            "batch_dimension_lost",
            "The average also ran over the images, and their dimension is gone.",
            "Which dimensions are the places?",
            edits=((_MEAN, "activation_gradients.mean(dim=(0, 2, 3))"),),
        ),
        Mutant(
            "averaged_over_channels",
            "The average ran over the channels: what is left is a map.",
            "Which dimensions are the places?",
            edits=((_MEAN, "activation_gradients.mean(dim=1)"),),
        ),
        Mutant(
            "channels_and_rows",
            "The average ran over channels and rows.",
            "The shape is (N, C, h, w): count the dimensions from 0.",
            edits=((_MEAN, "activation_gradients.mean(dim=(1, 2))"),),
        ),
        Mutant(
            "rows_only",
            "Only the rows were averaged; each column still has its own number.",
            "A place has a row and a column.",
            edits=((_MEAN, "activation_gradients.mean(dim=2)"),),
        ),
        Mutant(
            "dimensions_kept",
            "The averaged dimensions are still there, with size 1.",
            "Two dimensions are asked for: let the other two go.",
            edits=((_MEAN, "activation_gradients.mean(dim=(2, 3), keepdim=True)"),),
        ),
        Mutant(
            "squeezed",
            "A dimension of size 1 is gone: `squeeze()` without an argument removes them all.",
            "A batch of one is still a batch: name the dimensions you mean.",
            edits=((_MEAN, f"{_MEAN}.squeeze()"),),
        ),
        Mutant(
            "size_hard_coded",
            "The sum was divided by 49, whatever the size of the layer.",
            "Only some layers have 7x7 places.",
            edits=((_MEAN, "activation_gradients.sum(dim=(2, 3)) / 49"),),
        ),
        Mutant(
            "square_assumed",
            "The sum was divided by the square of the width.",
            "A layer need not be square.",
            edits=(
                (_MEAN, "activation_gradients.sum((2, 3)) / activation_gradients.shape[3] ** 2"),
            ),
        ),
        Mutant(
            "gradients_normalised",
            "The gradients were divided by their own norm first, as some old code does.",
            "That is not in the paper's equation: the average alone is asked for.",
            edits=(
                (
                    _MEAN,
                    "(activation_gradients / (activation_gradients.square()"
                    ".mean((1, 2, 3), True).sqrt() + 1e-5)).mean((2, 3))",
                ),
            ),
        ),
        Mutant(
            "softmax_of_weights",
            "The weights were turned into shares that sum to 1.",
            "Weights have a sign, and their size means something.",
            edits=((_MEAN, f"{_MEAN}.softmax(1)"),),
        ),
        Mutant(
            "transposed",
            "Images and channels are swapped.",
            "One row per image: (N, C).",
            edits=((_MEAN, f"{_MEAN}.T"),),
        ),
    ),
    accepted=(
        Accepted("twice_the_mean", edits=((_MEAN, "activation_gradients.mean(3).mean(2)"),)),
        Accepted("flattened", edits=((_MEAN, "activation_gradients.flatten(2).mean(2)"),)),
        Accepted(
            "pooled", edits=((_MEAN, "F.adaptive_avg_pool2d(activation_gradients, 1).flatten(1)"),)
        ),
    ),
)

_WEIGHTS = "weights = channel_weights(gradient)"
_SUM = 'torch.einsum("nc,nchw->nhw", weights, activation)'
_RESULT = f"return F.relu({_SUM})"
_MAP = "return F.relu((gradient.mean((2, 3), keepdim=True) * activation).sum(1)).detach()"
_EACH = "weights[:, :, None, None] * activation"


def _wrong_sums(scaled: str) -> tuple[Mutant, ...]:
    """Mistakes that Grad-CAM and its counterfactual share, on the line of the weighted sum.

    Args:
        scaled: the right map.
    """
    result = f"return {scaled}"
    return (
        Mutant(
            "no_relu",
            "The final ReLU is missing: the map has negative values.",
            "Only what speaks for the question is asked for: what becomes of the rest?",
            edits=((result, f"return {_SUM}"),),
        ),
        Mutant(
            "stretched_for_relu",
            "There is no ReLU: the map was stretched from its lowest value to its highest, and "
            "places that speak against the class are shown in grey.",
            "Zero has a meaning here: cut off what lies below it.",
            edits=(
                (
                    result,
                    f"cam = {_SUM}\n"
                    "    cam = cam - cam.amin((1, 2), True)\n"
                    "    return cam / (cam.amax((1, 2), True) + 1e-12)",
                ),
            ),
        ),
        Mutant(
            "magnitude",
            "The magnitude was taken where a ReLU was asked for: evidence of the other sign is "
            "folded in.",
            "What speaks the other way is not wanted at all.",
            edits=((result, f"return {_SUM}.abs()"),),
        ),
        Mutant(
            "maximum_over_images",
            "`torch.max(cam, 0)` is a maximum over the images, not over a map and zero.",
            "Its second argument is a dimension. Which function compares with a number?",
            edits=((result, f"return torch.max({_SUM}, 0)[0]"),),
        ),
        Mutant(
            "relu_for_each_channel",
            "The ReLU came before the sum, channel by channel: channels can no longer cancel.",
            "First the sum over channels, then the ReLU.",
            edits=((result, f"return F.relu({_EACH}).sum(1)"),),
        ),
        Mutant(
            "relu_on_activation",
            "Negative activations were cut off before the sum.",
            "First the sum over channels, then the ReLU.",
            edits=((result, result.replace("activation)", "F.relu(activation))")),),
        ),
        Mutant(
            "mean_over_channels",
            "The weighted channels were averaged; their sum is asked for.",
            "The number of channels must not matter to the scale.",
            edits=((result, f"return F.relu(({_EACH}).mean(1))"),),
        ),
        Mutant(
            "no_weights",
            "The channels were added without their weights: the map is the same for every class.",
            "Where does the gradient come in?",
            edits=((result, "return F.relu(activation.sum(1))"),),
        ),
        Mutant(
            "mean_activation",
            "The channels were averaged without their weights: the map is the same for every "
            "class.",
            "Where does the gradient come in?",
            edits=((result, "return F.relu(activation.mean(1))"),),
        ),
        Mutant(
            "weights_without_activation",
            "The gradient was summed over the channels; the activation plays no part.",
            "The gradient says how much a channel matters, the activation says where.",
            edits=((result, "return F.relu(gradient.sum(1))"),),
        ),
        Mutant(
            "weights_shared_by_batch",
            "The weights were averaged over the batch: every image has its neighbours' weights.",
            "Each image keeps its own row of weights.",
            edits=((result, f"weights = weights.mean(0, True).expand_as(weights)\n    {result}"),),
        ),
        Mutant(
            "first_weights_for_all",
            "The first image's weights were used for the whole batch.",
            "Each image keeps its own row of weights.",
            edits=((result, f"weights = weights[:1].expand_as(weights)\n    {result}"),),
        ),
        Mutant(
            "weights_mixed_across_batch",
            "Every map was weighted with the weights of all images together.",
            "The image index belongs to both factors: it must not be summed over.",
            edits=((result, result.replace('"nc,nchw->nhw"', '"mc,nchw->nhw"')),),
        ),
        Mutant(
            "summed_over_images",
            "The maps of all images were added up.",
            "Only the channels are summed over.",
            edits=(
                (
                    result,
                    result.replace('"nc,nchw->nhw"', '"nc,nchw->hw"')
                    + ".expand(len(weights), -1, -1).clone()",
                ),
            ),
        ),
        Mutant(
            "softmax_of_weights",
            "The weights were turned into shares that sum to 1.",
            "Weights have a sign, and their size means something.",
            edits=((result, f"weights = weights.softmax(1)\n    {result}"),),
        ),
        Mutant(
            "accumulator_of_ones",
            "The sum over channels started at 1, not at 0.",
            "Look at the tensor you add to: `ones` where `zeros` was meant?",
            edits=((result, f"return F.relu(1 + {_SUM})"),),
        ),
        # Scaling, which is for the picture
        Mutant(
            "divided_by_maximum",
            "Each map was divided by its maximum, which is 0 where nothing speaks for the class: "
            "0/0 is NaN.",
            "The map is asked for as it is; scaling is for the picture.",
            edits=((result, f"cam = {scaled}\n    return cam / cam.amax((1, 2), keepdim=True)"),),
        ),
        Mutant(
            "scaled_to_one",
            "Each map was divided by its maximum.",
            "Scaling is for the picture: unscaled maps of two classes can be compared.",
            edits=((result, f"cam = {scaled}\n    return cam / (cam.amax((1, 2), True) + 1e-12)"),),
        ),
        Mutant(
            "scaled_over_batch",
            "The maps were divided by the maximum of the whole batch.",
            "The map is asked for as it is, and no image has a part in another's.",
            edits=((result, f"cam = {scaled}\n    return cam / (cam.max() + 1e-12)"),),
        ),
        # Shapes
        Mutant(
            "enlarged",
            "The maps were enlarged to the size of the images.",
            "The size of the layer is asked for; enlarging comes in the next exercise.",
            edits=(
                (
                    result,
                    f"cam = {scaled}[:, None]\n"
                    "    return F.interpolate(cam, images.shape[-2:], mode='bilinear')[:, 0]",
                ),
            ),
        ),
        Mutant(
            "channel_dimension_kept",
            "The maps have a channel dimension of size 1.",
            "Three dimensions are asked for: (N, h, w).",
            edits=((result, f"{result}[:, None]"),),
        ),
    )


GRAD_CAM = Exercise(
    name="grad_cam",
    inputs=_layer_cases,
    points=4,
    minutes=15,
    returns="one map per image at the layer's size, (N, h, w)",
    bounds=(0, float("inf")),
    needs=("activation_and_gradient", "channel_weights"),
    without_common=_SAID_HERE,
    hints=(
        "Each channel says where something is, each weight how much that something matters to "
        "the class. How do you put them together? And what should happen where the sum is "
        "negative?",
        "Get activation and gradient of the layer, and the weights from the gradient. Multiply "
        "each channel by its image's own weight and add the channels up. The ReLU comes last.",
        "`activation_and_gradient(...)`, `channel_weights(gradient)`, then an einsum over the "
        'channels, `"nc,nchw->nhw"`, inside `F.relu(...)`.',
    ),
    mutants=(
        *_wrong_at_the_network("grad_cam", _MAP),
        *_wrong_sums(f"F.relu({_SUM})"),
        Mutant(
            "relu_on_gradients",
            "Negative gradients were cut off before they were averaged.",
            "The ReLU comes last, after the sum over channels.",
            edits=((_WEIGHTS, "weights = channel_weights(F.relu(gradient))"),),
        ),
        Mutant(
            "relu_on_weights",
            "Channels with a negative weight were left out.",
            "They take away where they fire: the ReLU comes last, after the sum.",
            edits=((_WEIGHTS, "weights = F.relu(channel_weights(gradient))"),),
        ),
        Mutant(
            "magnitudes_of_gradients",
            "The weights are averages of gradient magnitudes: channels against the class count "
            "for it.",
            "Weights have a sign.",
            edits=((_WEIGHTS, "weights = channel_weights(gradient.abs())"),),
        ),
        Mutant(
            "magnitudes_of_weights",
            "The weights lost their sign: channels against the class count for it.",
            "Weights have a sign.",
            edits=((_WEIGHTS, "weights = channel_weights(gradient).abs()"),),
        ),
        Mutant(
            "sum_for_mean",
            "The gradients were summed over the places, not averaged.",
            "Equation 1 of the paper divides by the number of places: so does `channel_weights`.",
            edits=((_WEIGHTS, "weights = gradient.sum((2, 3))"),),
        ),
        Mutant(
            "maximum_for_mean",
            "The weights are the largest gradient of each channel, not the average.",
            "One place must not speak for all: use `channel_weights`.",
            edits=((_WEIGHTS, "weights = gradient.amax((2, 3))"),),
        ),
        Mutant(
            "gradients_normalised",
            "The gradients were divided by their own norm first, as some old code does.",
            "That is not in the paper's equation: maps of two classes could not be compared.",
            edits=(
                (
                    _WEIGHTS,
                    "norm = gradient.square().mean((1, 2, 3), keepdim=True).sqrt() + 1e-5\n"
                    "    weights = channel_weights(gradient / norm)",
                ),
            ),
        ),
        Mutant(
            "place_by_place",
            "Gradient and activation were multiplied place by place, without averaging first.",
            "That is another method (HiResCAM, Draelos and Carin 2020): here a channel has one "
            "weight for all its places.",
            edits=((_RESULT, "return F.relu((gradient * activation).sum(1))"),),
        ),
        Mutant(
            "counterfactual",
            "This is the map of what speaks against the class.",
            "Look for a minus that should not be there.",
            edits=((_WEIGHTS, "weights = channel_weights(-gradient)"),),
        ),
    ),
    accepted=(
        *_other_ways("grad_cam", _MAP),
        Accepted("clamped_sum", edits=((_RESULT, f"return ({_EACH}).sum(1).clamp(min=0)"),)),
        Accepted(
            "maximum_with_zero",
            edits=((_RESULT, f"return torch.maximum({_SUM}, torch.zeros(()).to(weights))"),),
        ),
        Accepted(
            "loop_over_channels",
            body="""
def grad_cam(model, layer, images, target):
    activation, gradient = activation_and_gradient(model, layer, images, target)
    weights = channel_weights(gradient)
    cam = torch.zeros_like(activation[:, 0])
    for channel in range(activation.shape[1]):
        cam += weights[:, channel, None, None] * activation[:, channel]
    return cam.relu()
""",
        ),
        Accepted(
            "matrix_product",
            edits=(
                (
                    _RESULT,
                    "cam = torch.bmm(weights[:, None], activation.flatten(2))\n"
                    "    return F.relu(cam.view(len(cam), *activation.shape[2:]))",
                ),
            ),
        ),
    ),
)

_CAM = "cam = grad_cam(model, layer, images, target)"
_PRODUCT = "return guided.detach() * enlarged"
_MODE = 'mode="bilinear", align_corners=False'

GUIDED = Exercise(
    name="guided_grad_cam",
    inputs=_guided_cases,
    points=2,
    minutes=15,
    returns="a signed picture per image, (N, 3, H, W)",
    needs=("grad_cam",),
    without_common=_SAID_HERE,
    hints=(
        "One picture has fine lines for anything that stands out, the other a coarse spot for "
        "the class. Which operation keeps the lines only where the spot is?",
        "Give the map a channel dimension of size 1, enlarge it to the height and width of the "
        "images with `F.interpolate`, and multiply. Both grids cover the same area: which value "
        "of `align_corners` says so? The signs of the guided gradient stay.",
        "`cam = grad_cam(...)`, then `F.interpolate(cam.unsqueeze(1), images.shape[-2:], "
        'mode="bilinear", align_corners=False)`, and that times the detached `guided`.',
    ),
    mutants=(
        # How the map was enlarged
        Mutant(
            "nearest",
            "The map was enlarged by repeating its values, in blocks.",
            "`F.interpolate` takes a `mode`, and the nearest value is only its default.",
            edits=((_MODE, 'mode="nearest"'),),
        ),
        Mutant(
            "corners_aligned",
            "The map was enlarged with its corner values on the corner pixels: everything moves "
            "outwards from its place.",
            "A value stands for the middle of its area, not for a corner: look at `align_corners`.",
            edits=((_MODE, 'mode="bilinear", align_corners=True'),),
        ),
        Mutant(
            "bicubic",
            "The map was enlarged with cubic curves, which overshoot: it has negative values.",
            "Bilinear stays between its neighbours.",
            edits=((_MODE, 'mode="bicubic", align_corners=False'),),
        ),
        Mutant(
            "area",
            "The map was enlarged by areas, which makes blocks.",
            "Bilinear blends between the middles of neighbouring areas.",
            edits=((_MODE, 'mode="area"'),),
        ),
        Mutant(
            "size_swapped",
            "The map was enlarged to (W, H).",
            "Sizes of tensors are height first.",
            edits=(("images.shape[-2:]", "images.shape[-2:][::-1]"),),
        ),
        Mutant(
            "size_hard_coded",
            "The map was enlarged to 224x224, whatever the size of the images.",
            "The images know their size.",
            edits=(("images.shape[-2:]", "(224, 224)"),),
        ),
        Mutant(
            "not_enlarged",
            "The map still has the size of the layer.",
            "It has to cover the images before you can multiply.",
            edits=((_PRODUCT, "return guided.detach() * cam.unsqueeze(1)"),),
        ),
        Mutant(
            "guided_shrunk",
            "The guided gradient was shrunk to the map: its fine lines are lost.",
            "Bring the coarse one to the size of the fine one.",
            edits=(
                (
                    _PRODUCT,
                    "return F.interpolate(guided.detach(), cam.shape[-2:], mode='bilinear') "
                    "* cam.unsqueeze(1)",
                ),
            ),
        ),
        # How the two were put together
        Mutant(
            "added",
            "Map and guided gradient were added: lines stay where the class is not.",
            "Where the map is 0 nothing should be left. Which operation does that?",
            edits=((_PRODUCT, "return guided.detach() + enlarged"),),
        ),
        Mutant(
            "relu_on_product",
            "Negative values of the product were cut off.",
            "The guided gradient is signed, and so is the product.",
            edits=((_PRODUCT, "return F.relu(guided.detach() * enlarged)"),),
        ),
        Mutant(
            "magnitude_of_product",
            "The magnitude of the product was taken.",
            "The guided gradient is signed, and so is the product.",
            edits=((_PRODUCT, "return (guided.detach() * enlarged).abs()"),),
        ),
        Mutant(
            "masked",
            "The map was used as a mask of zeros and ones: how strongly it speaks is lost.",
            "Multiply by the map itself.",
            edits=((_PRODUCT, "return guided.detach() * (enlarged > 0)"),),
        ),
        Mutant(
            "channels_merged",
            "The three colours of the guided gradient were merged into one.",
            "The map multiplies red, green and blue alike; each keeps its own values.",
            edits=(
                (_PRODUCT, "return guided.detach().mean(1, True).expand_as(guided) * enlarged"),
            ),
        ),
        Mutant(
            "grey",
            "The colours were merged, and their dimension has gone.",
            "The result has the shape of the images.",
            edits=((_PRODUCT, "return guided.detach().abs().amax(1) * enlarged[:, 0]"),),
        ),
        Mutant(
            "first_map_for_all",
            "Every image was multiplied with the first image's map.",
            "Follow the batch dimension: each image has its own map.",
            edits=((_PRODUCT, "return guided.detach() * enlarged[:1]"),),
        ),
        Mutant(
            "images_for_guided",
            "The image itself was multiplied with the map.",
            "It is the guided gradient that the map picks from.",
            edits=((_PRODUCT, "return images.detach() * enlarged"),),
        ),
        Mutant(
            "guided_alone",
            "The guided gradient came back as it was: the map plays no part.",
            "Where does the class come in?",
            edits=((_PRODUCT, "return guided.detach().clone()"),),
        ),
        Mutant(
            "map_alone",
            "The enlarged map came back, once for each colour.",
            "Where do the fine lines come in?",
            edits=((_PRODUCT, "return enlarged.expand_as(guided).clone()"),),
        ),
        # What the map is
        Mutant(
            "map_scaled",
            "The map was divided by its maximum.",
            "Scaling is for the picture: multiply by the map as it is.",
            edits=((_CAM, f"{_CAM}\n    cam = cam / (cam.amax((1, 2), keepdim=True) + 1e-12)"),),
        ),
        Mutant(
            "map_divided_by_zero",
            "The map was divided by its maximum, which is 0 where nothing speaks for the class: "
            "0/0 is NaN.",
            "Scaling is for the picture: multiply by the map as it is.",
            edits=((_CAM, f"{_CAM}\n    cam = cam / cam.amax((1, 2), keepdim=True)"),),
        ),
        Mutant(
            "map_without_relu",
            "The map has no ReLU: what speaks against the class is drawn too, with its sign "
            "turned round.",
            "Multiply by Grad-CAM itself, which is never negative.",
            edits=(
                (
                    _CAM,
                    "activation, gradient = activation_and_gradient(model, layer, images, target)\n"
                    "    cam = (channel_weights(gradient)[:, :, None, None] * activation).sum(1)",
                ),
            ),
        ),
        Mutant(
            "map_of_predicted_class",
            "The map is that of the class the network predicts, not of the class in `target`.",
            "Pass the target on.",
            edits=((_CAM, _CAM.replace("target", "model(images).argmax(1)")),),
        ),
        # What becomes of `guided`
        Mutant(
            "given_ignored",
            "The guided gradients that were passed in were not used.",
            "Compute your own only when `guided` is None.",
            edits=(("if guided is None:", "if True:"),),
        ),
        Mutant(
            "caller_overwritten",
            "The product was written into the caller's own tensor: a second call multiplies again.",
            "Names that end in `_`, and `*=`, write in place: make a new tensor.",
            edits=((_PRODUCT, "return guided.detach().mul_(enlarged)"),),
        ),
        Mutant(
            "graph_of_the_given_kept",
            "The result still holds the graph of the `guided` that was passed in.",
            "Detach it before you multiply.",
            edits=((_PRODUCT, "return guided * enlarged"),),
        ),
    ),
    accepted=(
        Accepted(
            "upsample_module",
            edits=(
                (
                    "F.interpolate(\n        cam.unsqueeze(1), images.shape[-2:], "
                    'mode="bilinear", align_corners=False\n    )',
                    "nn.Upsample(images.shape[-2:], mode='bilinear')(cam[:, None])",
                ),
            ),
        ),
        Accepted(
            "repeated_for_three_colours",
            edits=((_PRODUCT, "return (guided * enlarged.repeat(1, 3, 1, 1)).detach()"),),
        ),
        Accepted(
            "one_image_at_a_time",
            append="""
_batched = guided_grad_cam


def guided_grad_cam(model, layer, images, target, guided):
    return torch.cat([
        _batched(model, layer, images[i : i + 1], target[i : i + 1], guided[i : i + 1])
        for i in range(len(images))
    ])
""",
        ),
    ),
)

_AGAINST = "weights = channel_weights(-gradient)"
_MAP_AGAINST = "return F.relu((-gradient.mean((2, 3), keepdim=True) * activation).sum(1)).detach()"

COUNTERFACTUAL = Exercise(
    name="counterfactual",
    inputs=_layer_cases,
    points=2,
    minutes=10,
    returns="one map per image at the layer's size, (N, h, w)",
    bounds=(0, float("inf")),
    needs=("activation_and_gradient", "channel_weights"),
    without_common=_SAID_HERE,
    hints=(
        "Grad-CAM's ReLU throws away what speaks against the class. What must change before the "
        "ReLU, so that it keeps this part and throws away the other?",
        "Turn the sign of the gradient round, then go on as in Grad-CAM: weights, weighted sum, "
        "ReLU. Turning the finished map round comes too late: what is there left to turn?",
        "As `grad_cam`, with `channel_weights(-gradient)`.",
    ),
    mutants=(
        *_wrong_at_the_network("counterfactual", _MAP_AGAINST),
        *_wrong_sums(f"F.relu({_SUM})"),
        Mutant(
            "plain_grad_cam",
            "This is Grad-CAM: no sign was turned round.",
            "The question is what speaks against the class.",
            edits=((_AGAINST, "weights = channel_weights(gradient)"),),
        ),
        Mutant(
            "finished_map_negated",
            "The finished map was turned round: it holds what speaks for the class, below zero.",
            "The sign is turned before the ReLU, or the ReLU has thrown away what you want.",
            edits=(
                (_AGAINST, "weights = channel_weights(gradient)"),
                (_RESULT, f"return -F.relu({_SUM})"),
            ),
        ),
        Mutant(
            "negated_after_relu",
            "The sign was turned round after a first ReLU, and a second one left nothing.",
            "The sign is turned before the only ReLU.",
            edits=((_RESULT, f"return F.relu(-F.relu({_SUM}))"),),
        ),
        Mutant(
            "activation_clamped_below",
            "The negative activations were picked out, not the negative evidence.",
            "After a ReLU there are none. It is the gradient that changes its sign.",
            edits=((_RESULT, _RESULT.replace("activation)", "F.relu(-activation))")),),
        ),
        Mutant(
            "what_is_left_over",
            "This is the maximum of Grad-CAM minus Grad-CAM: where nothing speaks for the class, "
            "as if that spoke against it.",
            "No evidence is not evidence against: turn the gradient round.",
            edits=(
                (_AGAINST, "weights = channel_weights(gradient)"),
                (_RESULT, f"cam = F.relu({_SUM})\n    return cam.amax((1, 2), True) - cam"),
            ),
        ),
        Mutant(
            "relu_on_gradients",
            "Of the gradients, only the negative ones were averaged.",
            "The ReLU comes last, after the sum over channels.",
            edits=((_AGAINST, "weights = channel_weights(F.relu(-gradient))"),),
        ),
        Mutant(
            "relu_on_weights",
            "Only the channels with a negative weight were added up.",
            "The others take away where they fire: the ReLU comes last, after the sum.",
            edits=((_AGAINST, "weights = F.relu(channel_weights(-gradient))"),),
        ),
        Mutant(
            "magnitudes_of_gradients",
            "The weights are magnitudes, and a magnitude has no sign to turn round.",
            "Take the gradient with its sign.",
            edits=((_AGAINST, "weights = channel_weights(gradient.abs())"),),
        ),
        Mutant(
            "sum_for_mean",
            "The gradients were summed over the places, not averaged.",
            "Use `channel_weights`, as Grad-CAM does.",
            edits=((_AGAINST, "weights = -gradient.sum((2, 3))"),),
        ),
        Mutant(
            "maximum_for_mean",
            "The weights are the largest value of each channel, not the average.",
            "Use `channel_weights`, as Grad-CAM does.",
            edits=((_AGAINST, "weights = (-gradient).amax((2, 3))"),),
        ),
        Mutant(
            "place_by_place",
            "Gradient and activation were multiplied place by place, without averaging first.",
            "A channel has one weight for all its places.",
            edits=((_RESULT, "return F.relu((-gradient * activation).sum(1))"),),
        ),
        Mutant(
            "other_classes",
            "This is what speaks for all the other classes together.",
            "That is another question: the logit of `target` alone, with its gradient turned "
            "round.",
            body=_changed(
                _CATCH.format(name="counterfactual", ending=_MAP),
                (_ASKED, f"logits.sum() - {_ASKED}"),
            ),
        ),
        Mutant(
            "least_likely_class",
            "This is Grad-CAM of the class with the lowest logit.",
            "That is another question: the logit of `target`, with its gradient turned round.",
            body=_changed(
                _CATCH.format(name="counterfactual", ending=_MAP), (_ASKED, "logits.amin(1).sum()")
            ),
        ),
    ),
    accepted=(
        *_other_ways("counterfactual", _MAP_AGAINST),
        Accepted(
            "sign_of_the_sum",
            edits=(
                (_AGAINST, "weights = channel_weights(gradient)"),
                (_RESULT, f"return F.relu(-{_SUM})"),
            ),
        ),
        Accepted(
            "gradient_of_minus_the_logit",
            body=_changed(
                _CATCH.format(name="counterfactual", ending=_MAP), (_ASKED, f"-{_ASKED}")
            ),
        ),
    ),
)

LESSON = Lesson("l14_grad_cam", "Grad-CAM", (ACTIVATION, WEIGHTS, GRAD_CAM, GUIDED, COUNTERFACTUAL))
