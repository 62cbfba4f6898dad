"""Lesson 12: three rules for going back through a ReLU.

The gradient passes a ReLU where the ReLU's input was positive. The deconvnet passes what arrives
positive on the way back. Guided backpropagation asks for both. The rest of the backward pass is the
same for all three.

Results are detached and keep the dtype and device of what they are made from. Leave the model, its
parameters' `.grad`, the caller's tensors and torch's global state as you found them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node


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


def relu_nodes(output: Tensor) -> list[Node]:
    """Find every ReLU that `output` was computed through.

    Autograd's graph holds one node for each ReLU that ran, however the network spells it: a module,
    in place, a function, or one module used three times. A node is known by its name; PyTorch does
    not promise these names, but has kept them for years. A compiled or scripted model hides its
    nodes.

    Args:
        output: a tensor that remembers how it was computed.

    Returns:
        The ReLU and ReLU6 nodes, each once.

    Raises:
        ValueError: there is none.

    >>> x = torch.ones(3, requires_grad=True)
    >>> [node.name() for node in relu_nodes(torch.relu(2 * x).sum())]
    ['ReluBackward0']
    """
    seen: set[Node] = set()
    to_visit = [output.grad_fn]
    while to_visit:
        node = to_visit.pop()
        if node is not None and node not in seen:
            seen.add(node)
            to_visit += [parent for parent, _ in node.next_functions]

    def is_relu(node: Node) -> bool:
        # ReLU6 is a hardtanh from 0 to 6. A hardtanh that does not begin at 0 is no ReLU.
        return node.name() == "ReluBackward0" or (
            node.name() == "HardtanhBackward0" and getattr(node, "_saved_min_val", None) == 0
        )

    found = [node for node in seen if is_relu(node)]
    if not found:
        raise ValueError("there is no ReLU in this network's graph: the rules need one")
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


def guided_backprop(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Find the pixels that excite the target logit through excited units only.

    Args:
        model: a classifier with ReLUs, logits (N, K).
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.

    Returns:
        Guided gradient (N, 3, H, W), signed, detached.

    Raises:
        ValueError: the network has no ReLU.

    Paper: Springenberg et al. 2015, "Striving for simplicity: the all convolutional net".

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())
    >>> guided_backprop(model, torch.ones(2, 3, 2, 2), torch.tensor([0, 4])).shape
    torch.Size([2, 3, 2, 2])
    """
    ### BEGIN SOLUTION
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(images)
        chosen = logits.gather(1, target[:, None]).sum()
    redirect_relus(chosen, "guided")
    (gradient,) = torch.autograd.grad(chosen, images)
    return gradient
    ### END SOLUTION


def deconvnet(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Draw what the deconvnet finds for the target logit.

    Its way back is blind to which units fired.

    Args:
        model: a classifier with ReLUs, logits (N, K).
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.

    Returns:
        Reconstruction (N, 3, H, W), signed, detached.

    Raises:
        ValueError: the network has no ReLU.

    Paper: Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks".

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())
    >>> deconvnet(model, torch.ones(2, 3, 2, 2), torch.tensor([0, 4])).shape
    torch.Size([2, 3, 2, 2])
    """
    ### BEGIN SOLUTION
    images = images.detach().requires_grad_()
    with torch.enable_grad():
        logits = model(images)
        chosen = logits.gather(1, target[:, None]).sum()
    redirect_relus(chosen, "deconvnet")
    (gradient,) = torch.autograd.grad(chosen, images)
    return gradient
    ### END SOLUTION


def neuron_pattern(model: nn.Module, layer: str, channel: int, image: Tensor, rule: str) -> Tensor:
    """Find the pixels that excite one channel where it fires most.

    Args:
        model: a network with ReLUs.
        layer: dotted module name.
        channel: which channel of the layer's output; its strongest unit in this image is explained.
        image: float (1, 3, H, W), normalised for the model.
        rule: "backprop", "deconvnet" or "guided".

    Returns:
        Gradient of that unit by the rule, (1, 3, H, W), signed, detached.

    Raises:
        AttributeError: the model has no layer of that name.
        IndexError: the layer has no such channel.
        ValueError: there is no such rule, or the network has no ReLU.

    >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 5))
    >>> neuron_pattern(model, "0", 2, torch.ones(1, 3, 3, 3), "guided").shape
    torch.Size([1, 3, 3, 3])
    """
    ### BEGIN SOLUTION
    kept: list[Tensor] = []

    def record(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        # A copy, still in the graph: an in-place ReLU may overwrite `output`.
        kept.append(output.clone())

    image = image.detach().requires_grad_()
    with torch.enable_grad(), model.get_submodule(layer).register_forward_hook(record):
        logits = model(image)
        units = kept[-1][0, channel].flatten()
        strongest = units[units.argmax()]
    # The whole network takes the rule, so a first layer with no ReLU before it is no error.
    redirect_relus(logits, rule)
    (gradient,) = torch.autograd.grad(strongest, image)
    return gradient
    ### END SOLUTION
