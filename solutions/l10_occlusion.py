"""Lesson 10, occlusion: cover a part of the picture, and see what the answer loses.

`images` are float (N, 3, H, W), normalised for the model, which is in eval mode; `target` is long
(N,); `model(images)` gives logits (N, K). A window is a square of `window` x `window` pixels.

A `fill` is what a covered pixel becomes: one number for all, or a tensor that broadcasts to the
images, such as a colour (3, 1, 1), one picture (1, 3, H, W) or one for each image (N, 3, H, W). It
may have another dtype than the images, and may require grad.

Results are detached and keep the dtype and device of the images. Leave the model, its parameters'
`.grad`, the caller's tensors and torch's global state as you found them.

Given: `target_logits(logits, target)` is each image's logit of its class, (N,), and raises
ValueError if the target does not fit. The checks try one of another length; a class that is not
there it refuses too. `strips(size, window, stride)` says which pixels of one side each window
covers.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.toolkit.passes import target_logits


def window_positions(size: int, window: int, stride: int) -> list[int]:
    """List where windows begin along one side of a picture.

    Args:
        size: length of the side in pixels.
        window: length of the window in pixels.
        stride: from the beginning of one window to that of the next, at least 1.

    Returns:
        Ints: 0, stride, twice the stride, and so on, as long as the whole window fits. If the last
        of them ends before the side does, one more window ends where the side ends.

    Raises:
        ValueError: the window is longer than the side or shorter than 1, or the stride below 1.

    >>> window_positions(10, 4, 3), window_positions(10, 4, 4)
    ([0, 3, 6], [0, 4, 6])
    """
    ### BEGIN SOLUTION
    if not 1 <= window <= size or stride < 1:
        raise ValueError(f"No window of {window} moves by {stride} along {size} pixels.")
    last = size - window
    positions = list(range(0, last + 1, stride))
    if positions[-1] < last:
        positions.append(last)
    return positions
    ### END SOLUTION


def strips(size: int, window: int, stride: int) -> Tensor:
    """Mark what each window covers along one side (given).

    Args:
        size, window, stride: as in `window_positions`.

    Returns:
        bool (P, size): one row for each of the P positions, True where the window lies.

    >>> strips(5, 2, 2).int()
    tensor([[1, 1, 0, 0, 0],
            [0, 0, 1, 1, 0],
            [0, 0, 0, 1, 1]], dtype=torch.int32)
    """
    first = torch.tensor(window_positions(size, window, stride))[:, None]
    pixels = torch.arange(size)
    return (first <= pixels) & (pixels < first + window)


def occlude(image: Tensor, top: int, left: int, window: int, fill: float | Tensor) -> Tensor:
    """Cover a square of an image.

    Args:
        image: float (3, H, W).
        top, left: first row and column of the window. They may be negative, and the window may
            stick out on any side: only what lies in the image is covered.
        window: side of the window in pixels.
        fill: a number, or a tensor that broadcasts to the image.

    Returns:
        float (3, H, W) of the image's dtype, a tensor of its own also where nothing is covered: the
        fill inside of the window, the image elsewhere.

    >>> occlude(torch.ones(1, 3, 4), 1, 2, 2, 0.0)
    tensor([[[1., 1., 1., 1.],
             [1., 1., 0., 0.],
             [1., 1., 0., 0.]]])
    """
    ### BEGIN SOLUTION
    covered = image.detach().clone()
    # A slice may end beyond the image, but a negative beginning would count from its other end.
    rows = slice(max(top, 0), max(top + window, 0))
    columns = slice(max(left, 0), max(left + window, 0))
    picture = torch.as_tensor(fill).detach().to(covered).expand_as(covered)
    covered[:, rows, columns] = picture[:, rows, columns]
    return covered
    ### END SOLUTION


def three_fills(
    images: Tensor, mean: Sequence[float], std: Sequence[float], radius: int
) -> dict[str, Tensor]:
    """Make three pictures to cover images with.

    Args:
        images: float (N, 3, H, W), normalised: each colour is (value in [0, 1] - mean) / std.
        mean, std: the three numbers of the normalisation, for red, green and blue.
        radius: of the blur, in pixels.

    Returns:
        Three pictures for each image, float (N, 3, H, W), by name. "mean colour" and "black" are
        these colours in the network's units: the colour `mean`, and 0 in [0, 1]. "blur" is the
        image, each pixel replaced by the mean over the square that reaches `radius` pixels from it
        to every side, as far as this square lies in the image.

    >>> fills = three_fills(torch.ones(1, 3, 2, 2), (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), radius=1)
    >>> {name: fill[0, 0, 0, 0].item() for name, fill in fills.items()}
    {'mean colour': 0.0, 'black': -2.0, 'blur': 1.0}
    """
    ### BEGIN SOLUTION
    images = images.detach()
    black = -images.new_tensor(mean) / images.new_tensor(std)
    side = 2 * radius + 1
    return {
        "mean colour": torch.zeros_like(images),
        "black": black[:, None, None].expand_as(images).clone(),
        # What lies beyond the edge is not black: it is not counted.
        "blur": F.avg_pool2d(images, side, stride=1, padding=radius, count_include_pad=False),
    }
    ### END SOLUTION


@torch.no_grad()
def occlusion_drops(
    model: nn.Module,
    images: Tensor,
    target: Tensor,
    window: int,
    stride: int,
    fill: float | Tensor = 0.0,
    batch_size: int = 32,
) -> Tensor:
    """Measure how far the target logit drops under each window.

    Args:
        model: classifier in eval mode.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class asked about for each image.
        window: side of the window in pixels.
        stride: in pixels, from one window to the next, across and down.
        fill: a number, or a tensor that broadcasts to the images.
        batch_size: the most images in one call of the model, whole or covered. Calls are full but
            for the last, of all images together or of each by itself.

    Returns:
        float (N, R, C): the logit of the whole image minus that of the image with one window
        covered. R and C are the windows down and across, at `window_positions` of H and W. Below 0
        the logit rises when the window is covered.

    Raises:
        ValueError: the target has another length than the batch, or the window does not fit the
            image.

    Paper: Zeiler and Fergus 2014, section 4.2.

    >>> total = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    >>> _ = nn.init.ones_(total[1].weight)
    >>> occlusion_drops(total, torch.ones(1, 3, 2, 2), torch.tensor([0]), window=1, stride=1)
    tensor([[[3., 3.],
             [3., 3.]]])
    """
    ### BEGIN SOLUTION
    images = images.detach()
    fill = torch.as_tensor(fill).to(images).expand_as(images)
    rows = strips(images.shape[2], window, stride).to(images.device)
    columns = strips(images.shape[3], window, stride).to(images.device)

    whole = torch.cat([model(part) for part in images.split(batch_size)])
    before = target_logits(whole, target)

    shape = (len(images), len(rows), len(columns))
    # Every window of every image has a number, and each batch is the next few numbers.
    numbers = torch.arange(shape[0] * shape[1] * shape[2], device=images.device)
    drops = []
    for batch in numbers.split(batch_size):
        image, row, column = torch.unravel_index(batch, shape)
        inside = rows[row][:, None, :, None] & columns[column][:, None, None, :]
        covered = torch.where(inside, fill[image], images[image])
        # The channels of a pixel side by side in memory: convolutions run faster so.
        logits = model(covered.contiguous(memory_format=torch.channels_last))
        drops.append(before[image] - target_logits(logits, target[image]))
    return torch.cat(drops).view(shape)
    ### END SOLUTION


def occlusion_map(
    model: nn.Module,
    images: Tensor,
    target: Tensor,
    window: int,
    stride: int,
    fill: float | Tensor = 0.0,
    batch_size: int = 32,
) -> Tensor:
    """Give each pixel the mean drop over the windows that cover it.

    Args:
        model: classifier in eval mode.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class asked about for each image.
        window: side of the window in pixels.
        stride: in pixels, from one window to the next, across and down.
        fill: a number, or a tensor that broadcasts to the images.
        batch_size: the most images in one call of the model, whole or covered. Calls are full but
            for the last, of all images together or of each by itself.

    Returns:
        float (N, H, W), signed: for each pixel the mean of `occlusion_drops` over the windows that
        cover it, and 0 where none does.

    Raises:
        ValueError: the target has another length than the batch, or the window does not fit the
            image.

    Paper: Zeiler and Fergus 2014, section 4.2.

    >>> total = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    >>> _ = nn.init.ones_(total[1].weight)
    >>> occlusion_map(total, torch.ones(1, 3, 2, 2), torch.tensor([0]), window=1, stride=1)
    tensor([[[3., 3.],
             [3., 3.]]])
    """
    ### BEGIN SOLUTION
    drops = occlusion_drops(model, images, target, window, stride, fill, batch_size)
    rows = strips(images.shape[2], window, stride).to(drops)
    columns = strips(images.shape[3], window, stride).to(drops)
    # A pixel is in window (r, c) if its row is in strip r and its column in strip c: 1 * 1.
    total = torch.einsum("nrc,rh,cw->nhw", drops, rows, columns)
    # At the border fewer windows meet than in the middle. Where none is, 0 is divided by 1.
    coverage = torch.outer(rows.sum(0), columns.sum(0))
    return total / coverage.clamp(min=1)
    ### END SOLUTION


def stand_ins(
    model: nn.Module,
    images: Tensor,
    target: Tensor,
    window: int,
    stride: int,
    fill: float | Tensor = 0.0,
    batch_size: int = 32,
) -> Tensor:
    """Find what matters more once the most important window is hidden.

    Args:
        model: classifier in eval mode.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class asked about for each image.
        window: side of the window in pixels.
        stride: in pixels, from one window to the next, across and down.
        fill: a number, or a tensor that broadcasts to the images.
        batch_size: the most images in one call of the model, whole or covered. Calls are full but
            for the last, of all images together or of each by itself.

    Returns:
        float (N, R, C): `occlusion_drops` of each image in which its most important window, the one
        with the largest drop, is covered from the beginning, minus those of the image itself. Above
        0: this window can stand in for the hidden one, and only then it shows.

    Raises:
        ValueError: the target has another length than the batch, or the window does not fit the
            image.

    >>> total = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    >>> _ = nn.init.ones_(total[1].weight)
    >>> image = torch.tensor([[2.0, 1.0], [1.0, 1.0]]).expand(1, 3, 2, 2)
    >>> stand_ins(total, image, torch.tensor([0]), window=1, stride=1)
    tensor([[[-6.,  0.],
             [ 0.,  0.]]])
    """
    ### BEGIN SOLUTION
    first = occlusion_drops(model, images, target, window, stride, fill, batch_size)
    row, column = torch.unravel_index(first.flatten(1).argmax(1), first.shape[1:])
    rows = strips(images.shape[2], window, stride).to(images.device)
    columns = strips(images.shape[3], window, stride).to(images.device)
    inside = rows[row][:, None, :, None] & columns[column][:, None, None, :]
    hidden = torch.where(inside, torch.as_tensor(fill).to(images), images.detach())
    return occlusion_drops(model, hidden, target, window, stride, fill, batch_size) - first
    ### END SOLUTION
