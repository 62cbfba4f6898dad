"""Lesson 7, gradient ascent: what does a class look like to the network?

The weights stay as they are. The image is what changes: step by step uphill, until the network sees
in it what you asked for.

`images` are float (N, 3, H, W), normalised for the model; `target` is long (N,); `model(images)`
gives logits (N, K). Results keep the dtype and device of what they are made from, and are detached
unless the docstring says that gradients pass. Leave the model, its parameters' `.grad`, the
caller's tensors and torch's global state as you found them.

Given: `target_logits(logits, target)` is each image's logit of its class, (N,), and raises
ValueError if the target does not fit, such as one of another length. `check_ran(layers, kept)`
raises ValueError for a layer that is not in `kept`. `@with_autograd` turns autograd on, even where
the caller has turned it off. `shown_steps(count, title)` is `range(count)` with a progress bar.
"""

from __future__ import annotations


import torch
from torch import Tensor, nn

from lessons.toolkit.passes import target_logits, with_autograd


def total_variation(image: Tensor) -> Tensor:
    """Add up how much neighbouring pixels differ.

    Args:
        image: float (N, 3, H, W).

    Returns:
        float scalar: the sum of the absolute differences of each pixel to the one below it and to
        the one on its right, in each channel of each image. Channels are no neighbours, and nothing
        is next to the last row and column. Gradients pass: it can be part of an objective.

    Paper: Rudin, Osher and Fatemi 1992, here with absolute differences.

    >>> total_variation(torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]]))
    tensor(6.)
    """
    ### BEGIN SOLUTION
    down = image[..., 1:, :] - image[..., :-1, :]
    right = image[..., 1:] - image[..., :-1]
    return down.abs().sum() + right.abs().sum()
    ### END SOLUTION


@with_autograd
def ascent_step(model: nn.Module, image: Tensor, target: Tensor, rate: float, l2: float) -> Tensor:
    """Take one step uphill on the target logit minus a penalty on large values.

    The objective of an image x is s(x) - l2 * |x|^2: its target logit, minus `l2` times the sum of
    the squares of all its values.

    Args:
        model: classifier in eval mode.
        image: float (N, 3, H, W), normalised for the model; most often N is 1.
        target: long (N,), the class of each image.
        rate: the step is `rate` times the gradient of the objective.
        l2: weight of the penalty.

    Returns:
        float (N, 3, H, W), the image after the step, detached.

    Raises:
        ValueError: the target does not fit the batch.

    Paper: Simonyan, Vedaldi and Zisserman 2013, section 2.

    >>> double = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    >>> _ = nn.init.constant_(double[1].weight, 2.0)
    >>> ascent_step(double, torch.ones(1, 3, 1, 1), torch.tensor([1]), 0.5, 0.0).flatten()
    tensor([2., 2., 2.])
    """
    ### BEGIN SOLUTION
    image = image.detach().clone().requires_grad_()
    logits = model(image)
    # Images of a batch do not meet in the network: the sum's gradient holds each one's own.
    chosen = target_logits(logits, target).sum()
    objective = chosen - l2 * image.square().sum()
    (gradient,) = torch.autograd.grad(objective, image)
    return (image + rate * gradient).detach()
    ### END SOLUTION


def normalise_gradient(gradient: Tensor) -> Tensor:
    """Give each image's gradient a root mean square of 1.

    Args:
        gradient: float (N, C, H, W).

    Returns:
        The same shape: each image's gradient divided by the square root of the mean of its squares,
        over its channels and places. A gradient of zeros stays zeros. However small another one is,
        such as 1e-9 everywhere, it comes out with a root mean square of 1. Detached.

    >>> normalise_gradient(torch.tensor([[[[3.0, -3.0]]], [[[0.0, 0.0]]]])).flatten()
    tensor([ 1., -1.,  0.,  0.])
    """
    ### BEGIN SOLUTION
    gradient = gradient.detach()
    size = gradient.square().mean((1, 2, 3), keepdim=True).sqrt()
    # Zero over one is zero. A small number added to every size would shrink small gradients.
    return gradient / size.where(size > 0, 1)
    ### END SOLUTION
