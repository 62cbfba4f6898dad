"""Families of mistakes at a gradient, of the images or of a layer.

Of most mistakes only a piece of text differs. At a layer people write the whole function in other
ways than the reference, so those mistakes are made in functions of their own.
"""

from __future__ import annotations

from autograder.checks.mistakes.shared import shared
from autograder.course.exercise import Mistake
from autograder.course.mistakes import Wrong

_CATCH = """
def {name}(model, layer, images, target):
    kept = []

    def keep(module, inputs, output):
        kept.append(output)
        return output.clone()

    images = images.detach().requires_grad_()
    with torch.enable_grad(), model.get_submodule(layer).register_forward_hook(keep):
        logits = model(images)
    if not kept:
        raise ValueError(layer)
    chosen = target_logits(logits, target).sum()
    activation = kept[-1]
    (gradient,) = torch.autograd.grad(chosen, activation)
    {ending}
"""
_BACKWARD_HOOK = """
def {name}(model, layer, images, target):
    activations, gradients = [], []
    module = model.get_submodule(layer)
    handles = [
        module.register_forward_hook(lambda m, i, out: activations.append(out.detach().clone())),
        module.register_full_backward_hook(lambda m, i, out: gradients.append(out[0].detach())),
    ]
    try:
        images = images.detach().requires_grad_()
        chosen = target_logits(model(images), target).sum()
        torch.autograd.grad(chosen, images)
    finally:
        for handle in handles:
            handle.remove()
    if not activations:
        raise ValueError(layer)
    activation, gradient = activations[-1], gradients[0]
    {ending}
"""
_TENSOR_HOOK = """
def {name}(model, layer, images, target):
    activations, gradients = [], []

    def keep(module, inputs, output):
        activations.append(output.detach().clone())
        output.register_hook(gradients.append)

    images = images.detach().requires_grad_()
    handle = model.get_submodule(layer).register_forward_hook(keep)
    try:
        chosen = target_logits(model(images), target).sum()
    finally:
        handle.remove()
    if not activations:
        raise ValueError(layer)
    torch.autograd.grad(chosen, images)
    activation, gradient = activations[-1], gradients[0]
    {ending}
"""
_FOUND = "(gradient,) = torch.autograd.grad(chosen, activation)"
_HOOKED = (
    "with torch.enable_grad(), model.get_submodule(layer).register_forward_hook(keep):\n"
    "        logits = model(images)"
)
_NO_HANDLE_IF_UNKNOWN = (
    "found = [m for path, m in model.named_modules() if path == layer]\n"
    "    handles = [module.register_forward_hook(keep) for module in found]\n"
    "    try:\n"
    "        logits = model(images)\n"
    "    finally:\n"
    "        [handle.remove() for handle in handles]"
)


def _changed(body: str, old: str, new: str) -> str:
    if body.count(old) != 1:
        raise ValueError(f"{old!r} is there {body.count(old)} times")
    return body.replace(old, new)


def layer_gradient(name: str, ending: str) -> tuple[Mistake, ...]:
    """Return wrong versions of an exercise that needs the gradient at a layer.

    Args:
        name: of the exercise, which takes `(model, layer, images, target)`.
        ending: lines that make its result from `activation` and `gradient`.
    """
    catch, backward_hook, tensor_hook = (
        body.format(name=name, ending=ending) for body in (_CATCH, _BACKWARD_HOOK, _TENSOR_HOOK)
    )
    bodies = {
        "overwritten_in_place": _changed(catch, "        return output.clone()\n", ""),
        "no_grad_forward": _changed(catch, "torch.enable_grad(),", "torch.no_grad(),"),
        "needs_trainable_parameters": _changed(
            catch, "images.detach().requires_grad_()", "images.detach()"
        ),
        "backward_on_vector": _changed(catch, ", target).sum()", ", target)"),
        "detached_forward": _changed(catch, "kept.append(output)", "kept.append(output.detach())"),
        "non_leaf_grad": _changed(
            catch, _FOUND, "chosen.backward(inputs=[images]); gradient = activation.grad"
        ),
        "first_run": _changed(catch, "kept[-1]", "kept[0]"),
        "gradient_of_the_first_run": _changed(tensor_hook, "gradients[0]", "gradients[-1]"),
        "full_backward_hook": backward_hook,
        "unknown_layer_unnoticed": _changed(catch, _HOOKED, _NO_HANDLE_IF_UNKNOWN),
        "last_convolution": _changed(
            catch,
            "model.get_submodule(layer).register",
            "(model.get_submodule(layer) and "
            "[m for m in model.modules() if isinstance(m, nn.Conv2d)][-1]).register",
        ),
    }
    return tuple(shared(id, "gradients", text=Wrong(id, body=body)) for id, body in bodies.items())


def image_gradient(
    forward: str, chosen: str, tensor: str, gradient: str, start: str = ""
) -> tuple[Mistake, ...]:
    """Return wrong versions of an exercise that needs the gradient at its images.

    Args:
        forward: the forward pass in the reference, ``"model(images)"``.
        chosen: the sum of the chosen logits.
        tensor: what is differentiated for, ``"images"``.
        gradient: the line that asks for the gradient.
        start: the line that makes the tensor ask for a gradient, where the mistakes at it show.
    """
    pieces: dict[str, tuple[tuple[str, str], ...]] = {
        "no_grad_forward": ((f"logits = {forward}", f"with torch.no_grad(): logits = {forward}"),),
        "detached_forward": ((forward, f"model({tensor}.detach())"),),
        "backward_on_vector": ((chosen, chosen.removesuffix(".sum()")),),
    }
    if start:
        pieces["non_leaf_grad"] = (
            (start, f"{start} * 1.0"),
            (gradient, f"chosen.backward()\n    gradient = {tensor}.grad"),
        )
    return tuple(
        shared(id, "gradients", text=Wrong(id, edits=edits)) for id, edits in pieces.items()
    )
