"""Lesson 12: three rules for going back through a ReLU.

The gradient passes a ReLU where the ReLU's input was positive. The deconvnet passes what arrives
positive on the way back. Guided backpropagation asks for both. The rest of the backward pass is the
same for all three.

Results are detached and keep the dtype and device of what they are made from. Leave the model, its
parameters' `.grad`, the caller's tensors and torch's global state as you found them.

Given: `target_logits(logits, target)` is each image's logit of its class, (N,), and raises
ValueError if the target does not fit, such as one of another length. `check_ran(layers, kept)`
raises it for a layer that is not in `kept`. `@with_autograd` turns autograd on, even where the
caller has turned it off.
"""

from __future__ import annotations

import warnings
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node

from lessons.toolkit.passes import check_ran, target_logits, with_autograd


def relu_backward(rule: str, x: Tensor, gradient: Tensor) -> Tensor:
    """Send a gradient back through ``y = relu(x)``.

    Args:
        rule: "backprop", the true gradient; "deconvnet" (Zeiler and Fergus 2014), which looks at
            the arriving gradient only; "guided" (Springenberg et al. 2015), which looks at both.
        x: the ReLU's input, any shape.
        gradient: what arrives at its output, same shape.

    Returns:
        What leaves at its input, same shape.

    Raises:
        ValueError: there is no such rule.

    >>> x, gradient = torch.tensor([1.0, 1.0, -1.0, -1.0]), torch.tensor([2.0, -2.0, 2.0, -2.0])
    >>> relu_backward("backprop", x, gradient)
    tensor([ 2., -2.,  0.,  0.])
    """
    ### BEGIN SOLUTION
    if rule == "backprop":
        return gradient.where(x > 0, 0)
    if rule == "deconvnet":
        return gradient.clamp(min=0)
    if rule == "guided":
        return gradient.clamp(min=0).where(x > 0, 0)
    raise ValueError(f"rule is 'backprop', 'deconvnet' or 'guided', not {rule!r}")
    ### END SOLUTION


class GuidedReLU(torch.autograd.Function):
    """A ReLU that goes forward as usual and back by the guided rule: ``GuidedReLU.apply(x)``.

    >>> x = torch.tensor([1.0, 1.0, -1.0], requires_grad=True)
    >>> torch.autograd.grad(GuidedReLU.apply(x), x, torch.tensor([2.0, -2.0, 2.0]))[0]
    tensor([2., 0., 0.])
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return the ReLU of x, any shape; `ctx` carries what `backward` will need."""
        ### BEGIN SOLUTION
        ctx.save_for_backward(x)
        return x.clamp(min=0)
        ### END SOLUTION

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Return the guided gradient at x, from the gradient at the output, same shape."""
        ### BEGIN SOLUTION
        (x,) = ctx.saved_tensors
        return relu_backward("guided", x, gradient)
        ### END SOLUTION


# Nodes that may be a ReLU, and under which name they keep the least value that they let through.
# ReLU6 is a hardtanh from 0 to 6. A hardtanh that does not begin at 0 is no ReLU.
LEAST = {
    "HardtanhBackward0": "_saved_min_val",
    "ClampMinBackward0": "_saved_min",
    "ClampBackward1": "_saved_min",
    "ThresholdBackward0": "_saved_threshold",
}
OTHERS = {"Hardswish", "Silu", "Gelu", "LeakyRelu", "PreluKernel", "Elu", "Mish", "Softplus"}
# Nodes in which a compiled model, a part that is computed again, and a scripted one disappear.
CLOSED = ("CompiledFunctionBackward", "CheckpointFunctionBackward", "DifferentiableGraphBackward")


def relu_nodes(output: Tensor) -> list[Node]:
    """Find every ReLU that `output` was computed through (given).

    Autograd's graph holds one node for each ReLU that ran, however the network spells it: a module,
    in place, a function, ``clamp(min=0)``, or one module used three times. A node is known by its
    name; PyTorch does not promise these names, but has kept them for years.

    Args:
        output: a tensor that remembers how it was computed.

    Returns:
        The ReLU and ReLU6 nodes, each once. A warning names other activations in the network, such
        as Hardswish: no rule is made for them, and the true gradient passes there.

    Raises:
        ValueError: there is none, or some may be hidden, as in a compiled model.

    >>> x = torch.ones(3, requires_grad=True)
    >>> [node.name() for node in relu_nodes(torch.relu(2 * x).sum())]
    ['ReluBackward0']
    """
    if output.grad_fn is None:
        raise ValueError("this output has no graph: it was computed with autograd turned off")
    seen: set[Node] = set()
    to_visit: list[Node | None] = [output.grad_fn]
    while to_visit:
        node = to_visit.pop()
        if node is not None and node not in seen:
            seen.add(node)
            to_visit += [parent for parent, _ in node.next_functions]

    def is_relu(node: Node) -> bool:
        name = node.name()
        return name == "ReluBackward0" or (name in LEAST and getattr(node, LEAST[name]) == 0)

    names = {node.name() for node in seen}
    for name in names:
        if name.endswith(CLOSED):
            raise ValueError(
                f"{name} hides the ReLUs in it: take the model as it was before torch.compile or "
                "torch.jit, and checkpoints with use_reentrant=False"
            )
    found = [node for node in seen if is_relu(node)]
    if not found:
        raise ValueError("there is no ReLU in this network's graph: the rules need one")
    if others := sorted(OTHERS & {name.removesuffix("Backward0") for name in names}):
        warnings.warn(f"only ReLUs follow the rule, not {', '.join(others)}", stacklevel=5)
    return found


def redirect_relus(output: Tensor, rule: str) -> None:
    """Make the next backward pass from `output` cross every ReLU by `rule`.

    Only this graph changes: no module is touched, and there is nothing to undo. The forward mask of
    a ReLU6 is ``0 < x < 6``; the guided rule keeps it, the deconvnet drops it.

    Args:
        output: a tensor that remembers how it was computed, not yet sent back.
        rule: "backprop", "deconvnet" or "guided".

    Raises:
        ValueError: there is no such rule, or no ReLU.

    >>> x = torch.ones(2, requires_grad=True)
    >>> y = (torch.relu(x) * torch.tensor([3.0, -3.0])).sum()
    >>> redirect_relus(y, "guided")
    >>> torch.autograd.grad(y, x)[0]
    tensor([3., 0.])
    """
    ### BEGIN SOLUTION

    def backprop(leaving: tuple[Tensor], arriving: tuple[Tensor]) -> tuple[Tensor]:
        return leaving

    def deconvnet(leaving: tuple[Tensor], arriving: tuple[Tensor]) -> tuple[Tensor]:
        return (arriving[0].clamp(min=0),)

    def guided(leaving: tuple[Tensor], arriving: tuple[Tensor]) -> tuple[Tensor]:
        # The node has already applied its forward mask to what leaves.
        return (leaving[0].clamp(min=0),)

    rules = {"backprop": backprop, "deconvnet": deconvnet, "guided": guided}
    if rule not in rules:
        raise ValueError(f"rule is one of {', '.join(rules)}, not {rule!r}")
    for node in relu_nodes(output):
        # A node's hook sees this ReLU alone. A hook on the tensor before it would also catch what
        # comes back through a shortcut that starts there.
        node.register_hook(rules[rule])
    ### END SOLUTION


@with_autograd
def guided_backprop(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Find the pixels that excite the target logit through excited units only.

    Args:
        model: a classifier with ReLUs, logits (N, K). At other activations, such as Hardswish, the
            true gradient passes, and a warning says so.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.

    Returns:
        Guided gradient (N, 3, H, W), signed, detached.

    Raises:
        ValueError: the network has no ReLU, or the target does not fit the batch.

    Paper: Springenberg et al. 2015, "Striving for simplicity: the all convolutional net".

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())
    >>> guided_backprop(model, torch.ones(2, 3, 2, 2), torch.tensor([0, 4])).shape
    torch.Size([2, 3, 2, 2])
    """
    ### BEGIN SOLUTION
    images = images.detach().clone().requires_grad_()
    logits = model(images)
    chosen = target_logits(logits, target).sum()
    redirect_relus(chosen, "guided")
    (gradient,) = torch.autograd.grad(chosen, images)
    return gradient
    ### END SOLUTION


@with_autograd
def deconvnet(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Draw what the deconvnet finds for the target logit.

    Its way back is blind to which units fired.

    Args:
        model: a classifier with ReLUs, logits (N, K). At other activations, such as Hardswish, the
            true gradient passes, and a warning says so.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.

    Returns:
        Reconstruction (N, 3, H, W), signed, detached.

    Raises:
        ValueError: the network has no ReLU, or the target does not fit the batch.

    Paper: Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks".

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())
    >>> deconvnet(model, torch.ones(2, 3, 2, 2), torch.tensor([0, 4])).shape
    torch.Size([2, 3, 2, 2])
    """
    ### BEGIN SOLUTION
    images = images.detach().clone().requires_grad_()
    logits = model(images)
    chosen = target_logits(logits, target).sum()
    redirect_relus(chosen, "deconvnet")
    (gradient,) = torch.autograd.grad(chosen, images)
    return gradient
    ### END SOLUTION


@with_autograd
def neuron_pattern(model: nn.Module, layer: str, channel: int, image: Tensor, rule: str) -> Tensor:
    """Find the pixels that excite one channel where it fires most.

    Args:
        model: a network with ReLUs. At other activations the true gradient passes.
        layer: dotted module name.
        channel: which channel of the layer's output; its strongest unit in this image is explained.
        image: float (1, 3, H, W), normalised for the model.
        rule: "backprop", "deconvnet" or "guided".

    Returns:
        Gradient of that unit by the rule, (1, 3, H, W), signed, detached.

    Raises:
        AttributeError: the model has no layer of that name.
        IndexError: the layer has no such channel.
        ValueError: there is no such rule, the network has no ReLU, or the layer did not run.

    >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 5))
    >>> neuron_pattern(model, "0", 2, torch.ones(1, 3, 3, 3), "guided").shape
    torch.Size([1, 3, 3, 3])
    """
    ### BEGIN SOLUTION
    kept: dict[str, Tensor] = {}

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # A copy, still in the graph: an in-place ReLU may overwrite `output`.
        kept[layer] = output.clone()

    image = image.detach().clone().requires_grad_()
    with model.get_submodule(layer).register_forward_hook(record):
        logits = model(image)
    check_ran([layer], kept)
    units = kept[layer][0, channel].flatten()
    strongest = units[units.argmax()]
    # The whole network takes the rule, so a first layer with no ReLU before it is no error.
    redirect_relus(logits, rule)
    (gradient,) = torch.autograd.grad(strongest, image)
    return gradient
    ### END SOLUTION
