"""Name values and calls in sentences to a student.

No value of a tensor is ever named.
"""

from __future__ import annotations

from typing import Any, TypeGuard

from torch import Tensor

from autograder.course.exercise import Case
from autograder.protocol.wire import Foreign

SIDE_EFFECTS = {
    "hooks_left": (
        "leaves its hooks on the model",
        "Keep each handle and remove it in a `finally`, or in `__exit__`.",
    ),
    "hooks_left_on_error": (
        "leaves its hooks on the model when an error passes",
        "An error jumps over the line that removes them: what runs in any case?",
    ),
    "mode_flipped": (
        "leaves the model in another train/eval mode",
        "Leave the mode to the caller, or restore it.",
    ),
    "modules_replaced": (
        "leaves other modules in the model than it found",
        "Put back what you took out, also when an error passes.",
    ),
    "weights_changed": (
        "changes the model's weights or running statistics",
        "Nothing here should train: look for an optimiser, a train mode or an in-place operation.",
    ),
    "grads_left": (
        "leaves gradients in the parameters' `.grad`",
        "`.backward()` fills them; `torch.autograd.grad` asks for the one gradient you need.",
    ),
    "grads_wiped": (
        "wipes the gradients that the parameters' `.grad` held",
        "Do not call `zero_grad()`: with `torch.autograd.grad` there is nothing to clean up.",
    ),
    "requires_grad_changed": (
        "changes `requires_grad` of the model's parameters",
        "Leave the parameters as they are and ask for the gradient you need.",
    ),
    "input_changed": (
        "changes the caller's tensor",
        "Work on a copy; look for in-place operations such as `+=` or names ending in `_`.",
    ),
    "input_requires_grad_changed": (
        "turns on `requires_grad` of the caller's tensor",
        "Call `detach()` first, then `requires_grad_()` on your own tensor.",
    ),
    "input_grad_left": (
        "leaves a `.grad` on the caller's tensor",
        "Work on a detached tensor of your own.",
    ),
    "global_rng": (
        "draws from or seeds the global random generator",
        "Make a `torch.Generator` of your own and pass it as `generator=`.",
    ),
    "grad_mode": (
        "leaves gradient mode switched",
        "Use `torch.no_grad()` or `torch.enable_grad()` as a context manager.",
    ),
    "default_dtype": (
        "changes torch's default dtype",
        "Give the dtype to the tensors you make instead.",
    ),
}

# What torch means by some of its errors. A piece of its text, and a sentence that is true of all.
TORCH_ERRORS = {
    "does not require grad": (
        "Autograd follows what is made of a tensor after its `requires_grad_()`, outside `no_grad`."
    ),
    "appears to not have been used in the graph": (
        "What you differentiate by is not the tensor that the network went on with: a copy is "
        "another tensor."
    ),
    "implicitly created only for scalar outputs": (
        "A backward pass begins at one number: what do you want the slope of?"
    ),
    "through the graph a second time": (
        "One backward pass uses the graph up: ask for all you need at once, or run forward again."
    ),
    "leaf Variable that requires grad is being used in an in-place": (
        "A tensor that asks for its gradient must not be overwritten: work on a copy."
    ),
    "has been modified by an inplace operation": (
        "The backward pass needs a tensor that was overwritten: look for `+=` and for names ending "
        "in `_`, and keep a copy."
    ),
    "BackwardHookFunctionBackward": (
        "A full backward hook does not get on with a layer that works in place: ask "
        "`torch.autograd.grad` instead."
    ),
    "call numpy() on Tensor that requires grad": "Take it out of its graph first: `detach()`.",
    "must match the size of tensor": (
        "Shapes are matched from the last dimension backwards: where is one of size 1 missing?"
    ),
    "The expanded size of the tensor": "A tensor is put into a place of another shape.",
}
NO_GRAD_THERE = (
    "`.grad` is None where nothing was collected: backward fills it on leaves only, and a tensor "
    "made from one that requires grad is no leaf until you `detach()` it."
)


LAYER_COPY = (
    "Work on a copy: a layer's own output is the network's, and others may hold it. A layer that "
    "hands on its input gives you the caller's images; `clone()` gives you a tensor of your own."
)
MEMORY = "asked for more memory than a check may use"
MEMORY_STEP = "Look for a tensor or a list that is larger than it needs to be."


def call_text(name: str, case: Case) -> str:
    """Return a call as a student would write it.

    For instance `saliency_map(model, images, target)`.
    """
    if case.call:
        return f"`{name}`"
    return f"`{name}({', '.join(case.inputs)})`"


def dtype_text(value: Tensor) -> str:
    """Return the name of a tensor's dtype, such as `float32`."""
    return str(value.dtype).removeprefix("torch.")


def unreadable(value: Any) -> TypeGuard[Foreign]:
    """Return True for the note of a tensor that could not be sent."""
    return isinstance(value, Foreign) and value.kind == "torch.Tensor"


def kind_text(value: Any) -> str:
    """Return what kind of value this is, with its article.

    For instance "a float32 tensor of shape (2, 3)".
    """
    if value is None:
        return "None"
    if isinstance(value, Tensor):
        article = "an" if dtype_text(value)[0] in "iu" else "a"
        return f"{article} {dtype_text(value)} tensor of shape {tuple(value.shape)}"
    if unreadable(value):
        return f"a tensor that a check cannot read ({value.note})"
    if isinstance(value, Foreign):
        return f"an object of type {value.kind}" + (f" ({value.note})" if value.note else "")
    if isinstance(value, dict):
        return f"a dict with {len(value)} entries"
    if isinstance(value, list | tuple):
        return f"a {type(value).__name__} of {len(value)}"
    article = "an" if type(value).__name__[0] in "aeiou" else "a"
    return f"{article} {type(value).__name__}"
