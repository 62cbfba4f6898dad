# Stubs of l03_filters, version bd8192cdc6f0. Complete them here; `convlens check l03_filters` says what is right.
"""Lesson 3, filters: what can be read from weights alone, without any photo?

`weight` are the weights of a convolution, float (F, C, h, w): F filters, and in each of them one
slice of h rows and w columns for each of the C channels that it reads. A filter of a first layer
reads red, green and blue, so it can be shown as a picture.

Results are detached and keep the dtype and device of what they are made from. Leave the model, its
parameters' `.grad`, the caller's tensors and torch's global state as you found them.

Given: `gratings` draws stripes. `capture_activation(model, layer, images)` is what you wrote in
lesson 2. `full_precision(x)` turns half precision into float32, and leaves all else as it is.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.toolkit.precision import full_precision
from lessons.l02_hooks.exercises import capture_activation


def gratings(angles: Tensor, wavelength: float, size: int) -> Tensor:
    """Draw stripes that run in each of these directions.

    Args:
        angles: float (A,), radians, the direction in which the stripes run: 0 is level, pi/4 rises
            to the right, pi/2 is upright.
        wavelength: pixels from one bright stripe to the next.
        size: height and width in pixels.

    Returns:
        float (A, size, size) in [-1, 1], dtype and device of the angles.

    >>> gratings(torch.tensor([0.0]), 4, 3)[0].round().abs()
    tensor([[0., 0., 0.],
            [1., 1., 1.],
            [0., 0., 0.]])
    """
    places = torch.arange(size, dtype=angles.dtype, device=angles.device)
    angles = angles.detach()[:, None, None]
    # How far a place lies across the stripes. Rows count downwards, angles turn upwards.
    across = places * angles.sin() + places[:, None] * angles.cos()
    return torch.sin(2 * math.pi / wavelength * across)


# Exercise 1 of 6 · 10 minutes · difficulty 1 of 3 · 1 point
def zero_as_grey(weight: Tensor) -> Tensor:
    """Scale each filter so that it can be shown, with zero as mid-grey.

    Args:
        weight: float (F, C, h, w).

    Returns:
        float (F, C, h, w) in [0, 1]: each filter is divided by its own largest magnitude, over all
        its slices together and however small it is, and -1 to 1 becomes 0 to 1. So a weight of 0 is
        0.5 in every filter, a positive weight is brighter and a negative one darker. A filter of
        zeros is 0.5 everywhere.

    >>> zero_as_grey(torch.tensor([4.0, 0.0, -1.0, -2.0]).view(1, 1, 2, 2))
    tensor([[[[1.0000, 0.5000],
              [0.3750, 0.2500]]]])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l03_filters.zero_as_grey: not written yet")


# Exercise 2 of 6 · 20 minutes · difficulty 2 of 3 · 2 points
def filter_grid(weight: Tensor, columns: int, padding: int = 1) -> Tensor:
    """Arrange all filters of a first layer in one picture.

    Args:
        weight: float (F, 3, h, w), slices for red, green and blue; or (F, 1, h, w), shown in grey.
        columns: filters in a row of the picture, at least 1.
        padding: pixels between two filters, and between the outer ones and the edge of the picture.

    Returns:
        float (3, rows*(h+padding)+padding, columns*(w+padding)+padding) in [0, 1]: filter 0 at the
        top left, filter 1 to its right, each scaled by itself as in `zero_as_grey`. All that lies
        between them is 0.5, and so are the free places at the end of the last row.

    Raises:
        ValueError: `columns` is below 1, or the filters read neither 3 channels nor 1.

    >>> filter_grid(torch.tensor([2.0, -2.0]).view(2, 1, 1, 1), columns=2)[0]
    tensor([[0.5000, 0.5000, 0.5000, 0.5000, 0.5000],
            [0.5000, 1.0000, 0.5000, 0.0000, 0.5000],
            [0.5000, 0.5000, 0.5000, 0.5000, 0.5000]])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l03_filters.filter_grid: not written yet")


# Exercise 3 of 6 · 20 minutes · difficulty 2 of 3 · 2 points
def filter_response(image: Tensor, kernel: Tensor, stride: int = 1, padding: int = 0) -> Tensor:
    """Measure how strongly one filter answers at each place of an image.

    Args:
        image: float (C, H, W).
        kernel: float (C, h, w), one filter, of the image's dtype.
        stride: pixels from one place to the next, down and to the right.
        padding: rows and columns of zeros that are put around the image first.

    Returns:
        float (H', W'): at each place the sum over channels, rows and columns of the kernel times
        the patch of its size under it, neither of them turned round. The first patch lies in the
        top left corner, and only patches that lie in the padded image as a whole count.

    Raises:
        ValueError: kernel and image have different numbers of channels.

    >>> image = torch.tensor([[[0.0, 1.0, 5.0], [2.0, 0.0, 0.0]]])
    >>> filter_response(image, torch.tensor([[[-1.0, 1.0]]]))
    tensor([[ 1.,  4.],
            [-2.,  0.]])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l03_filters.filter_response: not written yet")


# Exercise 4 of 6 · 40 minutes · difficulty 3 of 3 · 4 points
def dominant_orientation(weight: Tensor) -> Tensor:
    """Find the direction in which the stripes of each filter run.

    Take four neighbouring weights at a time, of all places where four meet. Of such a 2x2 square,
    gx is the mean of its right column minus the mean of its left one, and gy the mean of its lower
    row minus the mean of its upper one. Sum over all squares and all slices of the filter:

        Jxx = sum of gx*gx    Jyy = sum of gy*gy    Jxy = sum of gx*gy

    The filter changes most in one direction (the larger eigenvector of [[Jxx, Jxy], [Jxy, Jyy]]),
    and the stripes run at a right angle to it.

    Args:
        weight: float (F, C, h, w).

    Returns:
        float (F,), radians in [0, pi), as a person sees the picture: 0 is level, pi/4 rises to the
        right, pi/2 is upright. NaN where gx and gy are 0 everywhere, as for a constant filter.

    Paper: Bigun and Granlund 1987, "Optimal orientation detection of linear symmetry".

    >>> upright = torch.tensor([-1.0, 1.0, -1.0]).expand(1, 3, 3, 3)
    >>> dominant_orientation(torch.cat([upright, upright.transpose(2, 3), 0 * upright]))
    tensor([1.5708, 0.0000,    nan])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l03_filters.dominant_orientation: not written yet")


# Exercise 5 of 6 · 10 minutes · difficulty 1 of 3 · 1 point
def filter_slices(weight: Tensor, filter: int) -> Tensor:
    """Show one filter of any layer as grey pictures, one for each channel.

    Args:
        weight: float (F, C, h, w).
        filter: which of the F filters, counted from 0.

    Returns:
        float (C, h, w) in [0, 1], scaled as in `zero_as_grey`: all slices of the filter share one
        scale, so that a slice of small weights looks faint.

    Raises:
        IndexError: the layer has no such filter.

    >>> filter_slices(torch.tensor([[[[4.0]], [[-1.0]]], [[[3.0]], [[3.0]]]]), 0).flatten()
    tensor([1.0000, 0.3750])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l03_filters.filter_slices: not written yet")


# Exercise 6 of 6 · 30 minutes · difficulty 3 of 3 · 3 points
def orientation_tuning(
    model: nn.Module, layer: str, angles: Tensor, wavelength: float, size: int = 64
) -> Tensor:
    """Measure how strongly each channel answers to stripes of each direction.

    Show the model grey pictures of `gratings`: red, green and blue are alike, -1 to 1 as they come.
    Of the layer's maps take the middle, or one measures the edge of the picture too: of h rows
    those from h // 4 up to, but not including, h - h // 4, and of the columns likewise.

    Args:
        model: any network for images.
        layer: dotted name of a layer whose output is (A, C, h, w).
        angles: float (A,), radians, as for `gratings`.
        wavelength: pixels from one bright stripe to the next.
        size: height and width of the pictures.

    Returns:
        float (A, C), at least 0: the root of the mean square of each channel over the middle.
        Pictures and result have dtype and device of the model's parameters.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the layer exists but does not run in this pass.

    Paper: Hubel and Wiesel 1962 moved bars of light before a cat, in every direction.

    >>> level_edges = nn.Conv2d(3, 1, (2, 1), bias=False)
    >>> _ = level_edges.weight.data.copy_(torch.tensor([[-1.0], [1.0]]))
    >>> angles = torch.tensor([0.0, math.pi / 2])
    >>> orientation_tuning(nn.Sequential(level_edges), "0", angles, 4, 16)[:, 0] > 1
    tensor([ True, False])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l03_filters.orientation_tuning: not written yet")
