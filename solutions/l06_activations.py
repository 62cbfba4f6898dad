"""Lesson 6: what excites one channel of a network?

A channel's map says where something is. A threshold turns it into a mask over the photo; the
receptive field says which pixels a place of the map can see; the strongest places of many photos,
cut out, show what the channel looks for.

`image` and `images` are RGB in [0, 1], never normalised for a model. Boxes are `(top, left, bottom,
right)` in pixels, and `image[:, top:bottom, left:right]` is what is inside. Results are detached
and keep the dtype and device of what they are made from. Leave the caller's tensors and torch's
global state as you found them.

Given: `full_precision(x)` turns half precision, of which torch takes no quantile, into float32, and
leaves all else as it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from lessons.toolkit.precision import full_precision

Field = tuple[int, int, int]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Patch:
    """What one unit of a channel saw when it was strongest in an image.

    Attributes:
        image: number of the image, from 0.
        row: of the unit in the channel's map, from 0.
        column: of the unit in the channel's map, from 0.
        score: the activation there, a plain number.
        box: the pixels that the unit sees, (top, left, bottom, right).
        pixels: those pixels, (3, bottom - top, right - left): a copy, not a view, for a view keeps
            the memory of all images.
    """

    image: int
    row: int
    column: int
    score: float
    box: Box
    pixels: Tensor


def overlay_mask(image: Tensor, mask: Tensor, dim: float) -> Tensor:
    """Darken an image wherever a mask is not.

    Args:
        image: float (3, H, W) in [0, 1].
        mask: bool (H, W), True where the image stays as it is.
        dim: what the rest is multiplied by, in [0, 1]: 0 makes it black, 1 changes nothing.

    Returns:
        Float (3, H, W), a tensor of its own.

    Raises:
        ValueError: the mask has another height or width than the image.

    >>> overlay_mask(torch.ones(3, 1, 2), torch.tensor([[True, False]]), dim=0.25)[0]
    tensor([[1.0000, 0.2500]])
    """
    ### BEGIN SOLUTION
    if mask.shape != image.shape[-2:]:
        given, wanted = tuple(mask.shape), tuple(image.shape[-2:])
        raise ValueError(f"A mask of shape {given} does not fit an image of {wanted} pixels.")
    image = image.detach()
    # (H, W) against (3, H, W): the mask is the same for red, green and blue.
    return torch.where(mask, image, dim * image)
    ### END SOLUTION


def activation_mask(
    activation: Tensor, size: tuple[int, int], quantile: float, over: Tensor | None = None
) -> Tensor:
    """Find the pixels over which one channel is among its strongest.

    The threshold is the quantile of the channel's own values, at the places of its map. The map is
    then enlarged to `size`, bilinear with ``align_corners=False``, and what lies above the
    threshold is the mask. Nothing lies above it in a map that is the same everywhere.

    Args:
        activation: float (h, w), the map of one channel for one image.
        size: height and width of the mask, (H, W).
        quantile: in [0, 1], such as 0.995, as ``torch.quantile`` has it.
        over: float of any shape, the values of the same channel for many images; the threshold is
            their quantile. Without it, that of `activation` alone.

    Returns:
        Bool (H, W).

    Paper: Bau et al. 2017, "Network Dissection", section 2.1.

    >>> activation_mask(torch.tensor([[0.0, 8.0]]), (1, 4), quantile=0.5)
    tensor([[False, False,  True,  True]])
    """
    ### BEGIN SOLUTION
    activation = full_precision(activation.detach())
    values = activation if over is None else full_precision(over.detach())
    threshold = torch.quantile(values.flatten(), quantile)
    # What is enlarged is the height above the threshold. So a flat map is exactly 0 there, whatever
    # the rounding, and the outline comes out smooth, for it is drawn after the enlarging.
    above = (activation - threshold)[None, None]
    enlarged = F.interpolate(above, size, mode="bilinear", align_corners=False)
    return enlarged[0, 0] > 0
    ### END SOLUTION


def receptive_field(layers: Sequence[tuple[int, int, int, int]]) -> Field:
    """Calculate which pixels the units of a layer can see.

    One axis is enough, for kernels are squares here. Unit i sees the `size` pixels from
    ``start + i * jump`` on.

    Args:
        layers: (kernel, stride, padding, dilation) of each convolution and each pooling on the way,
            from the image to the layer. `padding` is what is added before the first row; what is
            added after the last one moves no unit.

    Returns:
        Three ints: `size`, pixels that a unit sees; `jump`, pixels from one unit to the next;
        `start`, the first pixel that unit 0 sees, negative where it sees padding. Without a layer a
        unit is a pixel: (1, 1, 0).

    Paper: Araujo, Norris and Sim 2019, "Computing Receptive Fields of Convolutional Neural
    Networks".

    >>> receptive_field([(3, 2, 1, 1)])
    (3, 2, -1)
    """
    ### BEGIN SOLUTION
    size, jump, start = 1, 1, 0
    for kernel, stride, padding, dilation in layers:
        # A kernel steps from unit to unit of the layer before, and these are `jump` pixels apart.
        # Its own stride counts from the next layer on.
        size += (kernel - 1) * dilation * jump
        start -= padding * jump
        jump *= stride
    return size, jump, start
    ### END SOLUTION


def unit_box(row: int, column: int, field: Field, image_size: tuple[int, int]) -> Box:
    """Give the box of pixels that one unit sees.

    Args:
        row: of the unit in its map, from 0.
        column: of the unit in its map, from 0.
        field: (size, jump, start) of its layer, in rows as in columns.
        image_size: height and width of the image, (H, W).

    Returns:
        A box of four ints, cut off at the border of the image: 0 <= top <= bottom <= H and
        0 <= left <= right <= W. It is empty where the unit sees padding only.

    >>> unit_box(0, 1, (3, 2, -1), (10, 10))
    (0, 1, 2, 4)
    """
    ### BEGIN SOLUTION
    size, jump, start = field
    height, width = image_size
    top, left = start + row * jump, start + column * jump
    bottom, right = top + size, left + size
    top, bottom = min(max(top, 0), height), min(max(bottom, 0), height)
    left, right = min(max(left, 0), width), min(max(right, 0), width)
    return top, left, bottom, right
    ### END SOLUTION


def top_patches(activations: Tensor, images: Tensor, field: Field, k: int) -> list[Patch]:
    """Cut out what one channel saw in the images that excite it most.

    Each image is represented by its strongest unit. Of equal units in an image the first counts,
    row by row; of images with equal scores the earlier one comes first.

    Args:
        activations: float (N, h, w), the map of one channel for each image.
        images: float (N, 3, H, W) in [0, 1].
        field: (size, jump, start) of the channel's layer.
        k: patches, at least 1.

    Returns:
        The k strongest patches, strongest first, at most one from each image: N of them where N is
        below k. Their pixels are copies.

    Raises:
        ValueError: there is not one map for each image, or k is below 1.

    Paper: Zeiler and Fergus 2014, section 4.

    >>> activations = torch.tensor([[[0.0, 2.0]], [[5.0, 1.0]]])
    >>> images = torch.rand(2, 3, 4, 8)
    >>> [(p.image, p.box) for p in top_patches(activations, images, field=(4, 4, 0), k=2)]
    [(1, (0, 0, 4, 4)), (0, (0, 4, 4, 8))]
    """
    ### BEGIN SOLUTION
    if len(activations) != len(images):
        raise ValueError(f"{len(activations)} maps do not fit {len(images)} images.")
    if k < 1:
        raise ValueError(f"At least 1 patch has to be asked for, not {k}.")
    height, width = images.shape[-2:]
    scores, places = activations.detach().flatten(1).max(dim=1)
    # A stable sort leaves images with equal scores in their order; `topk` need not.
    strongest = scores.sort(descending=True, stable=True).indices[:k]
    patches = []
    for image in strongest.tolist():
        row, column = divmod(int(places[image]), activations.shape[-1])
        box = unit_box(row, column, field, (height, width))
        top, left, bottom, right = box
        pixels = images[image, :, top:bottom, left:right].detach().clone()
        patches.append(Patch(image, row, column, float(scores[image]), box, pixels))
    return patches
    ### END SOLUTION


def stream_top_patches(
    batches: Iterable[tuple[Tensor, Tensor]], field: Field, k: int
) -> list[Patch]:
    """Find the top patches of a stream that is too long for memory.

    Args:
        batches: yields pairs of activations, float (n, h, w), and images, float (n, 3, H, W), as
            `top_patches` takes them; n may change. It can be gone through once only, and need not
            have a length. Keep no batch beyond its turn, nor a view of one.
        field: (size, jump, start) of the channel's layer.
        k: patches, at least 1.

    Returns:
        The k strongest patches of all batches, as `top_patches` would give them for one batch of
        all images. `image` counts through the stream, from 0.

    Raises:
        ValueError: a batch has not one map for each image, or k is below 1.

    >>> def batches():
    ...     for score in (3.0, 7.0, 5.0):
    ...         yield torch.full((1, 1, 1), score), torch.rand(1, 3, 4, 4)
    >>> [(p.image, p.score) for p in stream_top_patches(batches(), (4, 4, 0), k=2)]
    [(1, 7.0), (2, 5.0)]
    """
    ### BEGIN SOLUTION
    best: list[Patch] = []
    seen = 0
    for activations, images in batches:
        new = top_patches(activations, images, field, k)
        best += [replace(patch, image=seen + patch.image) for patch in new]
        seen += len(images)
        # Python's sort is stable: of equal scores the earlier image stays first.
        best = sorted(best, key=lambda patch: -patch.score)[:k]
    return best
    ### END SOLUTION


def concept_iou(activations: Tensor, masks: Tensor, quantile: float) -> Tensor:
    """Measure how well the masks of each channel cover a concept.

    Each channel has one threshold for all images, the quantile of all its values. As in
    `activation_mask`, its maps are enlarged to the size of the masks, bilinear with
    ``align_corners=False``, and what lies above its threshold is the channel's mask.

    Args:
        activations: float (N, C, h, w), a layer's output.
        masks: bool (N, H, W), True where the concept is: a mask may be empty.
        quantile: in [0, 1], as ``torch.quantile`` has it.

    Returns:
        Float (C,) in [0, 1]: the pixels that are in both masks, over those in either, each counted
        over all images together. 0 where there is no pixel in either.

    Raises:
        ValueError: there is not one mask for each image.

    Paper: Bau et al. 2017, "Network Dissection", section 2.1.

    >>> activations = torch.tensor([[[[1.0, 0.0]], [[0.0, 1.0]]]])
    >>> concept_iou(activations, torch.tensor([[[False, True]]]), quantile=0.5)
    tensor([0., 1.])
    """
    ### BEGIN SOLUTION
    if len(activations) != len(masks):
        raise ValueError(f"{len(masks)} masks do not fit {len(activations)} images.")
    dtype, activations = activations.dtype, full_precision(activations.detach())
    size = (masks.shape[-2], masks.shape[-1])
    # (C, N * h * w): one threshold a channel, or each image would have its share of mask.
    thresholds = activations.transpose(0, 1).flatten(1).quantile(quantile, dim=1)
    above = activations - thresholds[:, None, None]
    both = torch.zeros_like(thresholds, dtype=torch.long)
    either = torch.zeros_like(both)
    # In parts, for the enlarged maps of all images and channels together are large.
    for part, truth in zip(above.split(16), masks.split(16), strict=True):
        enlarged = F.interpolate(part, size, mode="bilinear", align_corners=False)
        mask, concept = enlarged > 0, truth[:, None]
        both += (mask & concept).sum((0, 2, 3))
        either += (mask | concept).sum((0, 2, 3))
    return (both.to(above.dtype) / either.clamp(min=1)).to(dtype)
    ### END SOLUTION
