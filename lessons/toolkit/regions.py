"""Connected regions of a mask, and segmentation by a graph-based library."""

from __future__ import annotations

from collections import deque

import torch
from torch import Tensor


def connected_components(mask: Tensor) -> Tensor:
    """Number the connected regions of a mask.

    Pixels connect where they share an edge.

    Args:
        mask: bool (H, W).

    Returns:
        long (H, W) on the mask's device: 0 outside the mask, 1 to K for its K regions, in reading
        order of their first pixel.

    >>> connected_components(torch.tensor([[True, False, True]])).tolist()
    [[1, 0, 2]]
    """
    rows, columns = mask.shape
    waiting = mask.cpu().tolist()
    labels = torch.zeros(mask.shape, dtype=torch.long)
    count = 0
    for row in range(rows):
        for column in range(columns):
            if waiting[row][column]:
                count += 1
                for r, c in _flood(waiting, row, column):
                    labels[r, c] = count
    return labels.to(mask.device)


def _flood(waiting: list[list[bool]], row: int, column: int) -> list[tuple[int, int]]:
    """Take one region out of the waiting pixels."""
    waiting[row][column] = False
    region, frontier = [], deque([(row, column)])
    while frontier:
        r, c = frontier.popleft()
        region.append((r, c))
        for near_r, near_c in ((r - 1, c), (r + 1, c), (r, c - 1), (r, c + 1)):
            inside = 0 <= near_r < len(waiting) and 0 <= near_c < len(waiting[0])
            if inside and waiting[near_r][near_c]:
                waiting[near_r][near_c] = False
                frontier.append((near_r, near_c))
    return region


def box_around(mask: Tensor) -> tuple[int, int, int, int]:
    """Return the smallest box around all that is True in a mask.

    Args:
        mask: bool (H, W) with at least one pixel.

    Returns:
        (top, left, bottom, right), four ints; bottom and right are one past the last row and
        column.

    Raises:
        ValueError: nothing is True.

    >>> box_around(torch.tensor([[False, False, False], [False, True, True]]))
    (1, 1, 2, 3)
    """
    if not mask.any():
        raise ValueError("a mask needs at least one pixel for a box around it")
    rows, columns = torch.nonzero(mask, as_tuple=True)
    return int(rows.min()), int(columns.min()), int(rows.max()) + 1, int(columns.max()) + 1


def graph_segment(image: Tensor, markers: Tensor) -> Tensor:
    """Segment a picture from seeds with scikit-image's random walker.

    A walker leaves each unlabelled pixel and prefers steps between similar colours; the pixel gets
    the label of the seed that the walker most likely meets first (Grady 2006).

    Args:
        image: float (3, H, W) in [0, 1].
        markers: long (H, W): 0 undecided, 1, 2, ... seeds.

    Returns:
        long (H, W): the label of every pixel, on the device of the markers.

    Raises:
        ValueError: no pixel is a seed.

    >>> graph_segment(torch.tensor([0.1, 0.2, 0.9]).expand(3, 1, 3), torch.tensor([[1, 0, 2]]))
    tensor([[1, 1, 2]])
    """
    from skimage.segmentation import random_walker

    seeds = markers[markers > 0].unique()
    if len(seeds) == 0:
        raise ValueError("markers hold no seed: every pixel is 0, undecided")
    if len(seeds) == 1 or markers.all():  # nothing to decide
        return markers.where(markers > 0, seeds[0])
    picture = image.detach().cpu().permute(1, 2, 0).double().numpy().copy()
    if picture.std() == 0:
        picture[0, 0, 0] += 1e-9  # the library divides by the spread; so every step stays equal
    labels = random_walker(
        picture,
        markers.cpu().numpy(),
        beta=130,
        mode="bf",  # solves the equations exactly: as fast up to 512 x 512, and no warnings
        channel_axis=-1,
    )
    return torch.as_tensor(labels, dtype=torch.long).to(markers.device)
