"""Lesson 11, saliency: which pixels would change the answer if they changed a little?

`images` are float (N, 3, H, W), normalised for the model; `target` is long (N,); `model(images)`
gives logits (N, K).

Results are detached and keep the dtype and device of what they are made from. Leave the model, its
parameters' `.grad`, the caller's tensors and torch's global state as you found them.

Given: `target_logits(logits, target)` is each image's logit of its class, (N,), and raises
ValueError if the target does not fit, such as one of another length. `@with_autograd` turns
autograd on, even where the caller has turned it off.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from lessons.toolkit.passes import target_logits, with_autograd
from lessons.toolkit.precision import full_precision
from lessons.toolkit.regions import connected_components, graph_segment


@with_autograd
def saliency_map(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """Measure how sensitive the target logit is to each pixel.

    Args:
        model: classifier in eval mode.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class asked about for each image.

    Returns:
        float (N, H, W), at least 0, detached: for each pixel the largest absolute derivative of the
        target logit over its three channels.

    Raises:
        ValueError: the target does not fit the batch.

    Paper: Simonyan, Vedaldi and Zisserman 2013, section 3.

    >>> double = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    >>> _ = nn.init.constant_(double[1].weight, -2.0)
    >>> saliency_map(double, torch.zeros(1, 3, 1, 1), torch.tensor([1])).tolist()
    [[[2.0]]]
    """
    ### BEGIN SOLUTION
    images = images.detach().clone().requires_grad_()
    logits = model(images)
    # Images of a batch do not meet in the network: the sum's gradient holds each one's own.
    chosen = target_logits(logits, target).sum()
    (gradient,) = torch.autograd.grad(chosen, images)
    return gradient.abs().amax(dim=1)
    ### END SOLUTION


@with_autograd
def smooth_grad(
    model: nn.Module,
    images: Tensor,
    target: Tensor,
    samples: int,
    noise: float,
    seed: int = 0,
) -> Tensor:
    """Return the saliency of the mean gradient over noisy copies.

    Args:
        model: classifier in eval mode.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,).
        samples: how many noisy copies of each image, at least 1.
        noise: standard deviation of the noise, as a fraction of each image's range (max - min).
        seed: seeds a `torch.Generator` of your own on the CPU, so that two right answers agree, on
            every device. For each noisy copy of the batch in turn, draw `torch.randn` from it:
            shape and dtype of `images`.

    Returns:
        float (N, H, W), at least 0, detached: the gradient of the target logit is averaged over the
        copies with its sign; then, for each pixel, the largest absolute value over the channels.

    Raises:
        ValueError: the target does not fit the batch, or `samples` is below 1.

    Paper: Smilkov et al. 2017, "SmoothGrad: removing noise by adding noise".

    >>> double = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    >>> _ = nn.init.constant_(double[1].weight, -2.0)
    >>> smooth_grad(double, torch.zeros(1, 3, 1, 1), torch.tensor([1]), 4, 0.1).tolist()
    [[[2.0]]]
    """
    ### BEGIN SOLUTION
    if min(samples, len(images)) < 1:
        raise ValueError(f"{samples} samples of {len(images)} images: one of each is the least.")
    generator = torch.Generator().manual_seed(seed)
    images = images.detach()
    spread = images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True)

    def noisy_copy() -> Tensor:
        draw = torch.randn(images.shape, generator=generator, dtype=images.dtype)
        return images + noise * spread * draw.to(images.device)

    total = torch.zeros_like(images)
    batch = max(1, 4 // len(images))  # copies at a time: about four images stay in the cache
    for first in range(0, samples, batch):
        count = min(batch, samples - first)
        noisy = torch.cat([noisy_copy() for _ in range(count)])
        # The channels of a pixel side by side in memory: convolutions run faster so.
        noisy = noisy.contiguous(memory_format=torch.channels_last).requires_grad_()
        # All copies of an image are asked about one class, so their logits may be added up.
        logits = model(noisy).unflatten(0, (count, len(images))).sum(0)
        chosen = target_logits(logits, target).sum()
        (gradient,) = torch.autograd.grad(chosen, noisy)
        total += gradient.unflatten(0, (count, len(images))).sum(0)
    # The sign must survive the mean: what disagrees between copies cancels, what agrees stays.
    return (total / samples).abs().amax(dim=1)
    ### END SOLUTION


def saliency_box(saliency: Tensor, quantile: float) -> tuple[int, int, int, int]:
    """Find the box around the largest region of the most salient pixels.

    Args:
        saliency: float (H, W).
        quantile: in [0, 1]; pixels at or above this quantile of the map count as salient.

    Returns:
        (top, left, bottom, right), four ints in pixels; bottom and right are one past the last row
        and column. The largest region has the most pixels; pixels connect where they share an edge,
        as in the given `connected_components`.

    Paper: Simonyan et al. 2013, section 3.2.

    >>> box = torch.zeros(6, 8)
    >>> box[1:3, 2:7] = 1.0
    >>> saliency_box(box, 0.9)
    (1, 2, 3, 7)
    """
    ### BEGIN SOLUTION
    saliency = full_precision(saliency)
    salient = saliency >= torch.quantile(saliency, quantile)
    regions = connected_components(salient)
    largest = torch.bincount(regions[salient]).argmax()
    rows, columns = torch.nonzero(regions == largest, as_tuple=True)
    top, left = int(rows.min()), int(columns.min())
    return top, left, int(rows.max()) + 1, int(columns.max()) + 1
    ### END SOLUTION


def saliency_segmentation(
    image: Tensor,
    saliency: Tensor,
    foreground: float = 0.95,
    background: float = 0.30,
    segment: Callable[[Tensor, Tensor], Tensor] = graph_segment,
) -> Tensor:
    """Cut the object out of a picture, with saliency as the only hint.

    Args:
        image: float (3, H, W) in [0, 1].
        saliency: float (H, W).
        foreground: pixels at or above this quantile of the saliency are surely object.
        background: pixels at or below this quantile are surely background.
        segment: `segment(image, markers)` spreads long (H, W) markers over the picture and returns
            labels of that shape. Markers: 0 undecided, 1 background, 2 object.

    Returns:
        bool (H, W), True on the object.

    Paper: Simonyan et al. 2013, section 3.2.

    >>> picture = torch.tensor([0.9, 0.8, 0.1, 0.2]).expand(3, 4, 4)
    >>> saliency = torch.tensor([9.0, 1.0, 1.0, 0.0]).expand(4, 4)
    >>> saliency_segmentation(picture, saliency, 0.8, 0.2)[0].tolist()
    [True, True, False, False]
    """
    ### BEGIN SOLUTION
    saliency = full_precision(saliency)
    sure_object = saliency >= torch.quantile(saliency, foreground)
    sure_background = saliency <= torch.quantile(saliency, background)
    markers = torch.zeros(saliency.shape, dtype=torch.long, device=saliency.device)
    markers[sure_background] = 1
    markers[sure_object] = 2
    return segment(image, markers) == 2
    ### END SOLUTION


def saliency_lift(saliency: Tensor, masks: Tensor) -> Tensor:
    """Compare the saliency on an object with what its area alone would get.

    A map that knows nothing spreads its sum evenly: an object that covers a tenth of the picture
    gets a tenth of it. The lift is how many times as much it really gets.

    Args:
        saliency: float (N, H, W), at least 0.
        masks: bool (N, H, W), True on each image's object, which has at least one pixel.

    Returns:
        float (N,), at least 0: the share of the map's sum that lies on the object, divided by the
        share of the pixels that do. 1 is chance. A map that is 0 everywhere has a lift of 0.

    Raises:
        ValueError: an object has no pixels.

    Paper: Arras, Osman and Samek 2022, "CLEVR-XAI", relevance mass accuracy, here over the area.

    >>> saliency = torch.tensor([[[6.0, 1.0], [1.0, 0.0]]])
    >>> masks = torch.tensor([[[True, False], [False, False]]])
    >>> saliency_lift(saliency, masks)
    tensor([3.])
    """
    ### BEGIN SOLUTION
    saliency = saliency.detach()
    area = masks.to(saliency.dtype).mean((1, 2))
    if (area == 0).any():
        raise ValueError("Each mask needs at least one pixel of its object.")
    total = saliency.sum((1, 2))
    on_object = (saliency * masks).sum((1, 2))
    # A map of zeros has no share to give: 0 / 1 is 0, and 0 / 0 would be NaN.
    share = on_object / total.where(total > 0, 1)
    return share / area
    ### END SOLUTION
