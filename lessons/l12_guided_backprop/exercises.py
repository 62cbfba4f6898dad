# Stubs of l12_guided_backprop, version 3c6b4fb0fade. Complete them here; `convlens check l12_guided_backprop` says what is right.
"""Lesson 12: three rules for going back through a ReLU.

The gradient passes a ReLU where the ReLU's input was positive. The deconvnet passes what arrives
positive on the way back. Guided backpropagation asks for both. The rest of the backward pass is the
same for all three.

`images` are float (N, 3, H, W), normalised for the model; `target` is long (N,); `model(images)`
gives logits (N, K), in eval mode. A ReLU may be a module, work in place, be a function or a method,
or be a ReLU6: the rules hold for all of them.

Results are detached and keep the dtype and device of what they are made from. Leave the model, its
parameters' `.grad`, the caller's tensors and torch's global state as you found them.

Given: `target_logits(logits, target)` is each image's logit of its class, (N,), and raises
ValueError if the target does not fit. The checks try one of another length; a class that is not
there it refuses too. `check_ran(layers, kept)` raises it for a layer that is not in `kept`.
`@with_autograd` turns autograd on, even where the caller has turned it off. `relu_nodes(output)`
finds every ReLU that `output` was computed through, as nodes of autograd's graph; it raises
ValueError where there is none, and warns of other activations, which keep their true gradient.
`likeness` compares pictures.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from lessons.toolkit.passes import check_ran, target_logits, with_autograd
from lessons.toolkit.relus import relu_nodes

Method = Callable[[nn.Module, Tensor, Tensor], Tensor]


# Exercise 1 of 7 · 10 minutes · difficulty 1 of 3 · 1 point
def relu_backward(rule: str, x: Tensor, gradient: Tensor) -> Tensor:
    """Send a gradient back through ``y = relu(x)`` by one of three rules.

    Args:
        rule: "backprop" is the true gradient, and lets pass what arrives where the ReLU was open,
            that is, where `x` is above 0. "deconvnet" (Zeiler and Fergus 2014) lets pass what
            arrives above 0. "guided" (Springenberg et al. 2015) asks for both.
        x: float, the ReLU's input, any shape.
        gradient: float, what arrives at its output, same shape.

    Returns:
        What leaves at its input, same shape, detached. What does not pass becomes 0.

    Raises:
        ValueError: there is no such rule.

    >>> x, gradient = torch.tensor([1.0, 1.0, -1.0, -1.0]), torch.tensor([2.0, -2.0, 2.0, -2.0])
    >>> relu_backward("backprop", x, gradient)
    tensor([ 2., -2.,  0.,  0.])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l12_guided_backprop.relu_backward: not written yet")


# Exercise 2 of 7 · 15 minutes · difficulty 2 of 3 · 2 points
class GuidedReLU(torch.autograd.Function):
    """Go forward as a ReLU does, and back by the guided rule.

    It is used as ``GuidedReLU.apply(x)``, any number of times in one network. Neither way changes a
    tensor that it was given.

    >>> x = torch.tensor([1.0, 1.0, -1.0], requires_grad=True)
    >>> torch.autograd.grad(GuidedReLU.apply(x), x, torch.tensor([2.0, -2.0, 2.0]))[0]
    tensor([2., 0., 0.])
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        """Return the ReLU of x, any shape; `ctx` carries what `backward` will need."""
        # YOUR CODE HERE
        raise NotImplementedError("l12_guided_backprop.GuidedReLU: not written yet")

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Return the guided gradient at x, from the gradient at the output, same shape."""
        # YOUR CODE HERE
        raise NotImplementedError("l12_guided_backprop.GuidedReLU: not written yet")


# Exercise 3 of 7 · 30 minutes · difficulty 3 of 3 · 4 points
def redirect_relus(output: Tensor, rule: str) -> None:
    """Make the next backward pass from `output` cross every ReLU by a rule.

    Only this graph changes: no module is touched, and there is nothing to undo. `relu_nodes` gives
    the nodes, and ``node.register_hook(hook)`` puts a function on one of them. On the way back it
    is called as ``hook(leaving, arriving)``, two tuples of one gradient each: what the node is
    about to send to the ReLU's input, by the true gradient, and what arrived at its output. A tuple
    that it returns is sent instead. What arrived may belong to a shortcut too: leave it as it is. A
    ReLU6 is open between 0 and 6, and is crossed in the same way.

    Args:
        output: a tensor that remembers how it was computed, not yet sent back.
        rule: "backprop", "deconvnet" or "guided".

    Raises:
        ValueError: there is no such rule, or no ReLU, whatever the rule. It is raised
            here, not on the way back.

    >>> x = torch.ones(2, requires_grad=True)
    >>> y = (torch.relu(x) * torch.tensor([3.0, -3.0])).sum()
    >>> redirect_relus(y, "guided")
    >>> torch.autograd.grad(y, x)[0]
    tensor([3., 0.])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l12_guided_backprop.redirect_relus: not written yet")


# Exercise 4 of 7 · 15 minutes · difficulty 2 of 3 · 2 points
@with_autograd
def guided_backprop(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Find the pixels that excite the target logit through excited units only.

    Args:
        model: a classifier with ReLUs.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.

    Returns:
        Guided gradient (N, 3, H, W), signed, detached.

    Raises:
        ValueError: the network has no ReLU, or the target has another length than the batch.

    Paper: Springenberg et al. 2015, "Striving for simplicity: the all convolutional net".

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())
    >>> guided_backprop(model, torch.ones(2, 3, 2, 2), torch.tensor([0, 4])).shape
    torch.Size([2, 3, 2, 2])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l12_guided_backprop.guided_backprop: not written yet")


# Exercise 5 of 7 · 5 minutes · difficulty 1 of 3 · 1 point
@with_autograd
def deconvnet(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Draw what the deconvnet finds for the target logit.

    Its way back is blind to which units fired.

    Args:
        model: a classifier with ReLUs.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.

    Returns:
        Reconstruction (N, 3, H, W), signed, detached.

    Raises:
        ValueError: the network has no ReLU, or the target has another length than the batch.

    Paper: Zeiler and Fergus 2014, "Visualizing and understanding convolutional networks".

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.ReLU())
    >>> deconvnet(model, torch.ones(2, 3, 2, 2), torch.tensor([0, 4])).shape
    torch.Size([2, 3, 2, 2])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l12_guided_backprop.deconvnet: not written yet")


# Exercise 6 of 7 · 25 minutes · difficulty 3 of 3 · 4 points
@with_autograd
def neuron_pattern(model: nn.Module, layer: str, channel: int, image: Tensor, rule: str) -> Tensor:
    """Find the pixels that excite one channel where it fires most.

    The strongest unit of a channel is the place at which the layer's output is largest, as the
    layer gave it: a ReLU that follows in place must not have changed it. Of equal ones any will do.

    Args:
        model: a network with ReLUs.
        layer: dotted module name. If it runs several times, the last run counts.
        channel: which channel of the layer's output, (1, C, h, w) or (1, C).
        image: float (1, 3, H, W), normalised for the model.
        rule: "backprop", "deconvnet" or "guided".

    Returns:
        Gradient of that unit by the rule, (1, 3, H, W), signed, detached. Where no ReLU comes
        before the layer, all rules give its true gradient.

    Raises:
        AttributeError: the model has no layer of that name.
        IndexError: the layer has no such channel.
        ValueError: there is no such rule, the network has no ReLU, whatever the rule, or the layer
            did not run.

    Paper: Zeiler and Fergus 2014, section 4; Springenberg et al. 2015, section 3.4.

    >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4, 5))
    >>> neuron_pattern(model, "0", 2, torch.ones(1, 3, 3, 3), "guided").shape
    torch.Size([1, 3, 3, 3])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l12_guided_backprop.neuron_pattern: not written yet")


def likeness(pictures: Tensor, others: Tensor) -> Tensor:
    """Correlate how strong two pictures are at each pixel (given).

    Args:
        pictures: float (N, 3, H, W), signed.
        others: same shape.

    Returns:
        float (N,) from -1 to 1. It is 1 where one picture is a multiple of the other, about 0 where
        their strong pixels have nothing to do with each other, and 0 where one is equally strong
        everywhere.

    >>> picture = torch.rand(1, 3, 4, 4)
    >>> round(float(likeness(picture, -2 * picture)), 4)
    1.0
    """
    strong, other = (p.detach().abs().amax(dim=1).flatten(1) for p in (pictures, others))
    strong, other = (s - s.mean(dim=1, keepdim=True) for s in (strong, other))
    size = strong.norm(dim=1) * other.norm(dim=1)
    return (strong * other).sum(dim=1) / size.where(size > 0, 1)


# Exercise 7 of 7 · 30 minutes · difficulty 2 of 3 · 4 points
@with_autograd
def likeness_after_shuffling(
    method: Method, model: nn.Module, part: str, images: Tensor, target: Tensor, seed: int = 0
) -> Tensor:
    """Compare a method's pictures with those of a network that has forgotten a part.

    The part forgets what it has learnt when the numbers of its `weight` change places at random,
    all of them: none is lost, and none is where it was. Everything else stays, its bias too. The
    caller's network keeps its weights, also when the method raises: shuffle those of a copy.

    Args:
        method: ``method(model, images, target)`` gives pictures (N, 3, H, W), such as
            `guided_backprop`. It may raise, and it may need autograd: leave it on for both calls.
        model: a classifier.
        part: dotted name of the part, which has a `weight`. The last one is the classifier.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.
        seed: seeds a `torch.Generator` of your own on the CPU. The flattened weight is read in the
            order of one `torch.randperm` from it.

    Returns:
        float (N,): the `likeness` of each image's two pictures. 1 means that the method has not
        noticed.

    Raises:
        AttributeError: the model has no part of that name, or the part no weight.
        ValueError: the method does, as where the target has another length than the batch.

    Paper: Adebayo et al. 2018, "Sanity checks for saliency maps", here with shuffled weights.

    >>> def blind(model, images, target):
    ...     return images
    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 5))
    >>> found = likeness_after_shuffling(
    ...     blind, model, "1", torch.rand(1, 3, 2, 2), torch.tensor([0])
    ... )
    >>> round(float(found), 4)
    1.0
    """
    # YOUR CODE HERE
    raise NotImplementedError("l12_guided_backprop.likeness_after_shuffling: not written yet")
