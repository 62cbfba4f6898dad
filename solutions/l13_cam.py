"""Lesson 13, class activation maps: a network that only names things also shows where they are.

`features` are float (N, C, h, w), what the last layer before the pooling makes of N images;
`weight` is float (K, C), the last linear layer's, one row for each of K classes; `target` is long
(N,), the class asked about for each image. Boxes are (top, left, bottom, right) in pixels; bottom
and right are one past the last row and column.

Results are detached and keep the dtype and device of what they are made from, but for the layers
`global_average_pool`, `GapHead` and `pointwise_convolution`: they stay in the graph, for a network
is trained through them. Leave the caller's tensors and torch's global state as you found them.

Given: `check_target(target, count, classes)` raises ValueError for a target that does not fit
`count` images and `classes` classes: one of another length, or with a class that is not there, be
it below 0 or above the last. `@with_autograd` turns autograd on, even where the caller has turned
it off. `connected_components(mask)` numbers the connected regions of a bool (H, W): 0 outside the
mask, 1, 2, ... in reading order; pixels connect where they share an edge. `box_around(mask)` is the
smallest box around all that is True in a bool (H, W), and raises ValueError if nothing is.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.toolkit.passes import check_target, with_autograd
from lessons.toolkit.regions import box_around, connected_components


def global_average_pool(features: Tensor) -> Tensor:
    """Average each channel over its places.

    Args:
        features: float (N, C, h, w), of any height and width.

    Returns:
        float (N, C), in the graph of the features.

    Paper: Lin, Chen and Yan 2013, "Network In Network", section 3.2.

    >>> global_average_pool(torch.tensor([[[[1.0, 3.0]], [[0.0, 5.0]]]]))
    tensor([[2.0000, 2.5000]])
    """
    ### BEGIN SOLUTION
    return features.mean(dim=(2, 3))
    ### END SOLUTION


class GapHead(nn.Module):
    """End a network in a global average and one linear layer.

    The linear layer is called `classifier`, so that weights find their place: `classifier.weight`
    is (K, C), `classifier.bias` (K,).

    >>> head = GapHead(channels=4, classes=3)
    >>> head(torch.zeros(2, 4, 5, 7)).shape, head(torch.zeros(2, 4, 9, 9)).shape
    (torch.Size([2, 3]), torch.Size([2, 3]))
    """

    classifier: nn.Linear

    def __init__(self, channels: int, classes: int) -> None:
        """Make the linear layer.

        Args:
            channels: C of the features.
            classes: K, the number of logits.
        """
        ### BEGIN SOLUTION
        super().__init__()
        self.classifier = nn.Linear(channels, classes)
        ### END SOLUTION

    def forward(self, features: Tensor) -> Tensor:
        """Return logits.

        Args:
            features: float (N, C, h, w), of any height and width.

        Returns:
            float (N, K), in the graph of the features and of the weights: no softmax.
        """
        ### BEGIN SOLUTION
        logits: Tensor = self.classifier(global_average_pool(features))
        return logits
        ### END SOLUTION


def pointwise_convolution(features: Tensor, weight: Tensor) -> Tensor:
    """Give every place the same small linear layer, a 1x1 convolution.

    Args:
        features: float (N, C, h, w).
        weight: float (K, C): what each of the C channels counts for each of the K outputs.

    Returns:
        float (N, K, h, w), in the graph of features and weight. No bias is added.

    Paper: Lin, Chen and Yan 2013, "Network In Network", section 3.1.

    >>> features = torch.tensor([[[[1.0, 2.0]], [[10.0, 20.0]]]])
    >>> pointwise_convolution(features, torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, -1.0]]))
    tensor([[[[  1.,   2.]],
    <BLANKLINE>
             [[ 11.,  22.]],
    <BLANKLINE>
             [[-10., -20.]]]])
    """
    ### BEGIN SOLUTION
    return torch.einsum("kc,nchw->nkhw", weight, features)
    ### END SOLUTION


def class_activation_map(features: Tensor, weight: Tensor, target: Tensor) -> Tensor:
    """Add up the channels, each with its weight for the target class.

    Args:
        features: float (N, C, h, w).
        weight: float (K, C).
        target: long (N,), the class asked about for each image.

    Returns:
        float (N, h, w), signed, not scaled, detached. Its mean over the places is the logit of the
        target without the bias.

    Raises:
        ValueError: the target does not fit the features and the classes, as `check_target` asks.

    Paper: Zhou, Khosla, Lapedriza, Oliva and Torralba 2016, equation 2.

    >>> features = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    >>> class_activation_map(features, torch.tensor([[2.0, 5.0], [3.0, -1.0]]), torch.tensor([1]))
    tensor([[[ 3., -1.]]])
    """
    ### BEGIN SOLUTION
    check_target(target, len(features), len(weight))
    features, weight = features.detach(), weight.detach()
    # Row n of what is picked belongs to image n: its own class's weight of every channel.
    return torch.einsum("nc,nchw->nhw", weight[target], features)
    ### END SOLUTION


def upsample_map(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Enlarge maps to the size of their images, for the eye.

    In this order: each map is enlarged, bilinear with ``align_corners=False``, so that both grids
    cover the same area; what lies below 0 becomes 0; each map is divided by its own largest value.

    Args:
        maps: float (N, h, w), signed.
        size: (H, W) of the images, height first.

    Returns:
        float (N, H, W) in [0, 1], detached. Each map's largest value is 1, however faint it was. A
        map that is nowhere above 0 becomes 0 everywhere.

    >>> upsample_map(torch.tensor([[[-4.0, 4.0]], [[-1.0, 0.0]]]), (1, 4))
    tensor([[[0.0000, 0.0000, 0.5000, 1.0000]],
    <BLANKLINE>
            [[0.0000, 0.0000, 0.0000, 0.0000]]])
    """
    ### BEGIN SOLUTION
    # One channel, (N, 1, h, w): the form in which images are enlarged.
    enlarged = F.interpolate(
        maps.detach().unsqueeze(1), size, mode="bilinear", align_corners=False
    ).squeeze(1)
    above = enlarged.clamp(min=0)
    largest = above.amax(dim=(1, 2), keepdim=True)
    # A map of zeros is divided by 1 and stays so. 0 / 0 would be NaN.
    return above / largest.where(largest > 0, 1)
    ### END SOLUTION


def heatmap_overlay(image: Tensor, heatmap: Tensor, alpha: float) -> Tensor:
    """Lay a heatmap over its image, from red where it is weak to yellow.

    A value t of the heatmap has the colour red 1, green t, blue 0. It covers the image by
    ``alpha * t``, and the image shows through by the rest: where the map is 0 nothing covers it.

    Args:
        image: float (3, H, W) in [0, 1], the channels red, green and blue.
        heatmap: float (H, W) in [0, 1].
        alpha: in [0, 1], how far the value 1 covers the image.

    Returns:
        float (3, H, W) in [0, 1], detached.

    >>> heatmap_overlay(torch.ones(3, 1, 2), torch.tensor([[0.0, 1.0]]), alpha=0.5)
    tensor([[[1.0000, 1.0000]],
    <BLANKLINE>
            [[1.0000, 1.0000]],
    <BLANKLINE>
            [[1.0000, 0.5000]]])
    """
    ### BEGIN SOLUTION
    image, heatmap = image.detach(), heatmap.detach()
    covered = alpha * heatmap
    colours = torch.stack([torch.ones_like(heatmap), heatmap, torch.zeros_like(heatmap)])
    return (1 - covered) * image + covered * colours
    ### END SOLUTION


def localise(heatmap: Tensor, fraction: float) -> tuple[int, int, int, int]:
    """Find the box around the largest bright region of a map.

    Args:
        heatmap: float (H, W).
        fraction: in [0, 1); pixels above this fraction of the map's largest value are bright.

    Returns:
        (top, left, bottom, right), four ints in pixels. The largest region has the most pixels; of
        regions that are equally large the first counts, as `connected_components` numbers them.
        (0, 0, 0, 0) for a map that is nowhere above 0: nothing was found.

    Paper: Zhou et al. 2016, section 3.2, with a fraction of 0.2.

    >>> localise(torch.tensor([[0.0, 0.3, 1.0, 0.1], [0.0, 0.0, 0.5, 0.0]]), 0.2)
    (0, 1, 2, 3)
    """
    ### BEGIN SOLUTION
    largest = heatmap.max()
    if largest <= 0:
        return 0, 0, 0, 0
    regions = connected_components(heatmap > fraction * largest)
    sizes = torch.bincount(regions[regions > 0])
    return box_around(regions == sizes.argmax())
    ### END SOLUTION


@with_autograd
def train_step(
    model: nn.Module, images: Tensor, target: Tensor, optimiser: torch.optim.Optimizer
) -> Tensor:
    """Let a network learn from one batch.

    Args:
        model: a classifier, logits (N, K), in the mode that the caller has chosen and finds again.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the right class of each image.
        optimiser: of the model's parameters. It takes one step, down the mean cross-entropy of this
            batch alone: what their `.grad` holds from before does not count.

    Returns:
        The mean cross-entropy before the step, a tensor without dimensions, detached.

    Raises:
        ValueError: the target does not fit the batch and the classes. The cross-entropy would leave
            out a class of -100, which is none either. The weights are then as before.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    >>> optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    >>> red, answer = torch.tensor([1.0, 0.0, 0.0]).view(1, 3, 1, 1), torch.tensor([1])
    >>> losses = [train_step(model, red, answer, optimiser) for _ in range(5)]
    >>> bool(losses[4] < losses[0])
    True
    """
    ### BEGIN SOLUTION
    logits = model(images.clone())
    check_target(target, *logits.shape)
    loss = F.cross_entropy(logits, target.clone())
    # `backward` adds to what a parameter's `.grad` already holds.
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.detach()
    ### END SOLUTION


def accuracy_by_class(logits: Tensor, target: Tensor) -> Tensor:
    """Return the share of the images of each class that are recognised.

    Args:
        logits: float (N, K).
        target: long (N,), the right class of each image.

    Returns:
        float (K,): of the images whose right class is k, the share whose largest logit is that of
        k. NaN for a class that has no image. Detached, dtype of the logits.

    Raises:
        ValueError: the target does not fit the logits, as `check_target` asks.

    >>> logits = torch.tensor([[9.0, 0.0, 1.0], [2.0, 3.0, 0.0], [0.0, 5.0, 4.0]])
    >>> accuracy_by_class(logits, torch.tensor([0, 0, 1]))
    tensor([0.5000, 1.0000,    nan])
    """
    ### BEGIN SOLUTION
    check_target(target, *logits.shape)
    right = logits.argmax(dim=1) == target
    classes = logits.shape[1]
    recognised = torch.bincount(target[right], minlength=classes)
    shown = torch.bincount(target, minlength=classes)
    return recognised.to(logits.dtype) / shown
    ### END SOLUTION


def localisation_iou(heatmaps: Tensor, masks: Tensor, fraction: float) -> Tensor:
    """Measure how well the box of each map fits the box of the object.

    Args:
        heatmaps: float (N, H, W), each as large as its image.
        masks: bool (N, H, W), True on each image's object, which has at least one pixel.
        fraction: in [0, 1), as `localise` takes it.

    Returns:
        float (N,) in [0, 1], detached, with the dtype of the heatmaps: the area that two boxes
        share, divided by the area that they cover together. The first box is that of `localise`,
        the second is the smallest one around all of the mask. 1 if they are the same; 0 if they do
        not meet, or nothing was found.

    Raises:
        ValueError: there is not one mask for each map, or an object has no pixels.

    Paper: Russakovsky et al. 2015, "ImageNet Large Scale Visual Recognition Challenge", section
    4.2, where a box is right if this is above 0.5.

    >>> heatmap = torch.tensor([[[1.0, 1.0, 0.0, 0.0]]])
    >>> localisation_iou(heatmap, torch.tensor([[[False, True, True, False]]]), 0.2)
    tensor([0.3333])
    """
    ### BEGIN SOLUTION
    if len(masks) != len(heatmaps):
        raise ValueError(f"{len(heatmaps)} maps and {len(masks)} masks: each map needs its own.")
    found = torch.tensor([localise(heatmap, fraction) for heatmap in heatmaps])
    objects = torch.tensor([box_around(mask) for mask in masks])
    # Where both boxes are: from the later of the two beginnings to the earlier of the two ends.
    top, left, bottom, right = torch.stack([found, objects]).unbind(-1)
    height = (bottom.amin(0) - top.amax(0)).clamp(min=0)
    width = (right.amin(0) - left.amax(0)).clamp(min=0)
    shared = height * width
    areas = (bottom - top) * (right - left)
    return (shared / (areas.sum(0) - shared)).to(heatmaps)
    ### END SOLUTION
