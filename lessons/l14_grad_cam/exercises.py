# Stubs of l14_grad_cam, version d72ee7aabea0. Complete them here; `convlens check l14_grad_cam` says what is right.
"""Lesson 14: Grad-CAM, a class activation map for any network.

A layer's channels say what is where. The gradient of the class says how much each channel matters.
Their weighted sum says where the class is.

Results are detached and keep the dtype and device of what they are made from. Leave the model, its
parameters' `.grad`, the caller's tensors and torch's global state as you found them.

Given: `target_logits(logits, target)` is each image's logit of its class, (N,), and raises
ValueError if the target does not fit, such as one of another length. `check_ran(layers, kept)`
raises it for a layer that is not in `kept`. `@with_autograd` turns autograd on, even where the
caller has turned it off. `full_precision(x)` turns half precision into float32, and leaves all else
as it is.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.toolkit.passes import check_ran, target_logits, with_autograd
from lessons.toolkit.precision import full_precision


# Exercise 1 of 6 · 30 minutes · difficulty 3 of 3 · 4 points
@with_autograd
def activation_and_gradient(
    model: nn.Module, layer: str, images: Tensor, target: Tensor
) -> tuple[Tensor, Tensor]:
    """Return a layer's output and the gradient of each target logit there.

    Args:
        model: a classifier, logits (N, K). Its parameters may be frozen.
        layer: dotted module name.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.

    Returns:
        Activation and gradient, detached, both of the shape of the layer's output: (N, C, h, w) for
        a convolution. The activation is what the layer gave, even if a later layer overwrites it.
        Of a layer that runs more than once, both belong to its last run.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the target does not fit the batch, or the layer did not run in this pass.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 2))
    >>> activation, gradient = activation_and_gradient(
    ...     model, "0", torch.ones(1, 3, 2, 2), torch.tensor([1])
    ... )
    >>> torch.equal(activation, torch.ones(1, 12)), torch.equal(gradient[0], model[1].weight[1])
    (True, True)
    """
    # YOUR CODE HERE
    raise NotImplementedError("l14_grad_cam.activation_and_gradient: not written yet")


# Exercise 2 of 6 · 5 minutes · difficulty 1 of 3 · 1 point
def channel_weights(activation_gradients: Tensor) -> Tensor:
    """Average the gradient of each channel over its places.

    Args:
        activation_gradients: float (N, C, h, w), the gradient of one logit an image at a layer.

    Returns:
        Float (N, C), signed.

    Paper: Selvaraju et al. 2017, equation 1.

    >>> channel_weights(torch.tensor([[[[1.0, 3.0]], [[0.0, -2.0]]]]))
    tensor([[ 2., -1.]])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l14_grad_cam.channel_weights: not written yet")


# Exercise 3 of 6 · 15 minutes · difficulty 2 of 3 · 4 points
def grad_cam(model: nn.Module, layer: str, images: Tensor, target: Tensor) -> Tensor:
    """Find where the target class is, at the resolution of a layer.

    Args:
        model: a classifier, logits (N, K).
        layer: dotted name of a layer whose output is (N, C, h, w): the last one before the pooling.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.

    Returns:
        Map (N, h, w), at least 0, not scaled, detached; all 0 if nothing speaks for the class.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the target does not fit the batch, or the layer did not run in this pass.

    Paper: Selvaraju et al. 2017, "Grad-CAM", equation 2.

    >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 5))
    >>> grad_cam(model, "1", torch.ones(2, 3, 6, 8), torch.tensor([0, 4])).shape
    torch.Size([2, 4, 6])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l14_grad_cam.grad_cam: not written yet")


# Exercise 4 of 6 · 15 minutes · difficulty 2 of 3 · 2 points
def guided_grad_cam(
    model: nn.Module, layer: str, images: Tensor, target: Tensor, guided: Tensor | None = None
) -> Tensor:
    """Keep guided backpropagation only where Grad-CAM sees the class.

    Args:
        model: a classifier with ReLUs, logits (N, K).
        layer: dotted name of a layer whose output is (N, C, h, w).
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.
        guided: guided gradients (N, 3, H, W) of the same images and classes; computed by
            `guided_backprop` of lesson 12 when not given.

    Returns:
        Guided gradients times the map, (N, 3, H, W), signed, detached. The map is enlarged to
        (H, W), bilinear with ``align_corners=False``: both grids cover the same area.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the target does not fit the batch, the layer did not run in this pass, or
            `guided` is not given and the network has no ReLU.

    Paper: Selvaraju et al. 2017, section 3.2.

    >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 5))
    >>> guided_grad_cam(model, "1", torch.ones(2, 3, 6, 8), torch.tensor([0, 4])).shape
    torch.Size([2, 3, 6, 8])
    """
    if guided is None:
        # Here and not at the top: whoever brings `guided` needs no lesson 12.
        from lessons.l12_guided_backprop.exercises import guided_backprop

        guided = guided_backprop(model, images, target)
    # YOUR CODE HERE
    raise NotImplementedError("l14_grad_cam.guided_grad_cam: not written yet")


# Exercise 5 of 6 · 10 minutes · difficulty 1 of 3 · 2 points
def counterfactual(model: nn.Module, layer: str, images: Tensor, target: Tensor) -> Tensor:
    """Find where the evidence against the target class is.

    Cover it and the logit rises.

    Args:
        model: a classifier, logits (N, K).
        layer: dotted name of a layer whose output is (N, C, h, w).
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.

    Returns:
        Map (N, h, w), at least 0, not scaled, detached: Grad-CAM of the gradient with its sign
        turned round.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the target does not fit the batch, or the layer did not run in this pass.

    Paper: Selvaraju et al. 2017, section 3.3.

    >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(96, 5))
    >>> counterfactual(model, "1", torch.ones(2, 3, 6, 8), torch.tensor([0, 4])).shape
    torch.Size([2, 4, 6])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l14_grad_cam.counterfactual: not written yet")


# Exercise 6 of 6 · 25 minutes · difficulty 3 of 3 · 4 points
def covering_test(
    model: nn.Module, images: Tensor, target: Tensor, maps: Tensor, share: float
) -> tuple[Tensor, Tensor]:
    """Measure what the target logit does when the strongest part of a map is covered.

    The same shape is covered once more at its mirror image, left for right, as a control: covering
    anything changes the logit, and only the difference says something about the map.

    Args:
        model: a classifier, logits (N, K).
        images: float (N, 3, H, W), normalised for the model; 0 is the colour that covers.
        target: long (N,), the class of each image.
        maps: float (N, h, w), one for each image; enlarged to (H, W), bilinear with
            ``align_corners=False``.
        share: in (0, 1). What lies above the 1 - share quantile of an image's own enlarged map is
            covered; of a map that is 0 everywhere, nothing.

    Returns:
        Two float (N,), detached: the change of the logit (covered minus whole) with the strongest
        part covered, and with its mirror image covered. Below 0 the logit fell.

    Raises:
        ValueError: there is not one target and one map for each image.

    Paper: Zeiler and Fergus 2014, section 4.2, for covering. The control is this course's.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    >>> _ = nn.init.ones_(model[1].weight)
    >>> images, left = torch.ones(1, 3, 1, 4), torch.tensor([[[9.0, 0.0, 0.0, 0.0]]])
    >>> images[..., 3] = 2.0
    >>> covering_test(model, images, torch.tensor([0]), left, share=0.25)
    (tensor([-3.]), tensor([-6.]))
    """
    # YOUR CODE HERE
    raise NotImplementedError("l14_grad_cam.covering_test: not written yet")
