# Stubs of l07_gradient_ascent, version 9a308fbf70db. Complete them here; `convlens check l07_gradient_ascent` says what is right.
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

import math
from collections.abc import Callable
from contextlib import suppress

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from lessons.toolkit.passes import check_ran, target_logits, with_autograd
from lessons.toolkit.precision import full_precision
from lessons.toolkit.progress import shown_steps


# Exercise 1 of 7 · 15 minutes · difficulty 1 of 3 · 1 point
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
    # YOUR CODE HERE
    raise NotImplementedError("l07_gradient_ascent.total_variation: not written yet")


# Exercise 2 of 7 · 25 minutes · difficulty 2 of 3 · 2 points
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
    # YOUR CODE HERE
    raise NotImplementedError("l07_gradient_ascent.ascent_step: not written yet")


def blurred(image: Tensor, width: float) -> Tensor:
    """Blur an image with a Gaussian (given).

    Args:
        image: float (N, C, H, W).
        width: standard deviation of the Gaussian in pixels; 0 leaves the image as it is. It is cut
            off at three of them, and the pixel at the edge goes on for ever beyond it.

    >>> blurred(torch.ones(1, 3, 5, 4), 2.0).mean().round(decimals=4)
    tensor(1.)
    """
    if width <= 0:
        return image
    reach = math.ceil(3 * width)
    places = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    weights = (-0.5 * (places / width).square()).exp()
    weights = (weights / weights.sum()).expand(image.shape[1], 1, -1)
    # A Gaussian of two dimensions is one of rows after one of columns.
    padded = F.pad(image, (reach, reach, reach, reach), mode="replicate")
    rows = F.conv2d(padded, weights[:, :, None, :], groups=image.shape[1])
    return F.conv2d(rows, weights[:, :, :, None], groups=image.shape[1])


# Exercise 3 of 7 · 50 minutes · difficulty 3 of 3 · 4 points
@with_autograd
def class_image(
    model: nn.Module,
    target: Tensor,
    start: Tensor,
    steps: int,
    rate: float,
    l2: float = 0.0,
    blur_every: int = 0,
    blur_width: float = 1.0,
    small_pixels: float = 0.0,
    small_gradients: float = 0.0,
    jitter: int = 0,
    seed: int = 0,
    watch: Callable[[int, Tensor], object] | None = None,
) -> Tensor:
    """Climb from a start image to one that the network takes for a class.

    Each step is one `ascent_step`. It is taken on the image moved by some pixels, and the image is
    moved back. Then come the regularisers, the blur last, each of which does nothing by default.

    Args:
        model: classifier in eval mode.
        target: long (1,), the class to climb for.
        start: float (1, 3, H, W), normalised for the model: zeros, noise, or a photo.
        steps: number of steps; 0 gives back the start.
        rate: of each `ascent_step`.
        l2: of each `ascent_step`.
        blur_every: after every so many steps the image is `blurred`; 0 never.
        blur_width: of the Gaussian, in pixels.
        small_pixels: after each step, this share of the pixels becomes zero: those of the smallest
            norm over the three channels.
        small_gradients: after each step, this share of the pixels becomes zero: those that the
            `ascent_step`, with its penalty, moved least, by the norm over the three channels.
        jitter: the image is moved by whole pixels around the edges, at random by -jitter to jitter
            down and right, anew at each step.
        seed: of the moves. The same seed gives the same image, and with jitter another seed another
            one.
        watch: called as ``watch(step, image)`` after each step, with 1, 2, ... and the image.

    Returns:
        float (1, 3, H, W), detached, in memory of its own even after no step. Any climb is right
        that gets about as high, and in which each argument does what it says.

    Raises:
        ValueError: the target is not one class for one image.

    Papers: Simonyan, Vedaldi and Zisserman 2013 (L2); Yosinski et al. 2015 (blur, small pixels and
    gradients); Mordvintsev, Olah and Tyka 2015 (jitter).

    >>> double = nn.Sequential(nn.Flatten(), nn.Linear(3, 2, bias=False))
    >>> _ = nn.init.constant_(double[1].weight, 2.0)
    >>> class_image(double, torch.tensor([1]), torch.zeros(1, 3, 1, 1), 3, rate=0.5).flatten()
    tensor([3., 3., 3.])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l07_gradient_ascent.class_image: not written yet")


# Exercise 4 of 7 · 15 minutes · difficulty 1 of 3 · 1 point
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
    # YOUR CODE HERE
    raise NotImplementedError("l07_gradient_ascent.normalise_gradient: not written yet")


# Exercise 5 of 7 · 40 minutes · difficulty 2 of 3 · 3 points
@with_autograd
def filter_pattern(
    model: nn.Module,
    layer: str,
    channel: int,
    size: tuple[int, int],
    steps: int,
    rate: float,
    blur_width: float = 0.0,
    seed: int = 0,
) -> Tensor:
    """Draw the pattern that one channel of a layer answers to.

    The climb starts at faint noise, and each step goes along the gradient of the channel's mean
    over all its places.

    Args:
        model: any network that takes images.
        layer: dotted name of a layer whose output is (1, C, h, w). It counts as the layer gave it,
            even if a later layer overwrites it in place.
        channel: which channel of the layer's output.
        size: (H, W) of the image.
        steps: number of steps; 0 gives the noise.
        rate: the root mean square of each step, however steep the climb is.
        blur_width: each gradient is `blurred` by so many pixels before its size is set.
        seed: of the noise, whose standard deviation is 0.1. The same seed gives the same pattern.

    Returns:
        float (1, 3, H, W), normalised for the model, detached; dtype and device of the model. Any
        climb is right that gets about as high.

    Raises:
        AttributeError: the model has no layer of that name.
        IndexError: the layer has no such channel.
        ValueError: the layer exists but does not run in this pass.

    Paper: Erhan, Bengio, Courville and Vincent 2009.

    >>> model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU())
    >>> filter_pattern(model, "0", 2, size=(6, 8), steps=3, rate=0.1).shape
    torch.Size([1, 3, 6, 8])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l07_gradient_ascent.filter_pattern: not written yet")


# How strongly each of three directions of colour varies in photos, and in which mixture of red,
# green and blue: light and dark most, then blue against yellow, then green against purple.
COLOURS = (
    (0.56, 0.19, 0.04),
    (0.58, 0.00, -0.11),
    (0.58, -0.19, 0.06),
)


# Exercise 6 of 7 · 40 minutes · difficulty 3 of 3 · 3 points
def fourier_image(spectrum: Tensor, size: tuple[int, int], decay: float = 1.5) -> Tensor:
    """Build a picture from waves, long ones strong and short ones weak.

    Each wave's coefficient is divided by f^decay, where f is its frequency in cycles per pixel, the
    length of (rows, columns). A frequency below 1 / max(H, W), which is that of the mean alone,
    counts as 1 / max(H, W). The inverse transform `torch.fft.irfft2` with ``norm="ortho"`` gives
    three planes. Red is the sum of the planes weighted by the first row of `COLOURS`, green by the
    second, blue by the third. A sigmoid brings the result into [0, 1].

    Args:
        spectrum: float (N, 3, H, W // 2 + 1, 2), the waves' real and imaginary parts.
        size: (H, W) of the picture.
        decay: 0 leaves all waves alike.

    Returns:
        float (N, 3, H, W) in [0, 1]: colours, not yet normalised for a network. Gradients pass.

    Raises:
        ValueError: the spectrum does not fit the size.

    Paper: Olah, Mordvintsev and Schubert 2017, "Feature visualization".

    >>> fourier_image(torch.zeros(1, 3, 4, 3, 2), (4, 4)).unique()
    tensor([0.5000])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l07_gradient_ascent.fourier_image: not written yet")


def random_view(picture: Tensor, generator: Generator) -> Tensor:
    """Look at a picture from another place: turned, closer, shifted, all a little (given).

    Args:
        picture: float (N, C, H, W).
        generator: gives the turn (up to 8 degrees), the share of each side that is seen (0.55 to
            1), and the shift (up to 3 % of each side).

    Returns:
        The view, of the picture's size. Beyond an edge the picture is mirrored. Gradients pass.

    >>> random_view(torch.ones(1, 3, 8, 6), torch.Generator().manual_seed(0)).shape
    torch.Size([1, 3, 8, 6])
    """
    turn, closer, right, down = torch.rand(4, generator=generator, dtype=torch.float64).tolist()
    angle = math.radians(8 * (2 * turn - 1))
    share = 0.55 + 0.45 * closer
    height, width = picture.shape[-2:]
    cos, sin = share * math.cos(angle), share * math.sin(angle)
    # Places are measured in halves of each side, so a turn has to know the picture's proportions.
    matrix = [
        [cos, -sin * height / width, 0.06 * (2 * right - 1)],
        [sin * width / height, cos, 0.06 * (2 * down - 1)],
    ]
    exact = full_precision(picture)
    affine = exact.new_tensor(matrix).expand(len(picture), 2, 3)
    grid = F.affine_grid(affine, list(picture.shape), align_corners=False)
    view = F.grid_sample(exact, grid, padding_mode="reflection", align_corners=False)
    return view.to(picture.dtype)


def contrasted(picture: Tensor, spread: float = 0.22) -> Tensor:
    """Bring a picture to mid-grey and to the contrast that the eye is used to (given).

    It is for looking at: the network is never shown the result.

    Args:
        picture: float (3, H, W) in any unit: colours, or an image normalised for a network.
        spread: standard deviation of the result.

    Returns:
        float (3, H, W) in [0, 1]. Half of a tint that lies over all of it is taken away.

    >>> contrasted(torch.zeros(3, 4, 4)).unique()
    tensor([0.5000])
    """
    picture = full_precision(picture.detach())
    tint = (picture.mean((1, 2), keepdim=True) + picture.mean()) / 2
    return (0.5 + spread * (picture - tint) / picture.std().clamp(min=1e-6)).clamp(0, 1)


# Exercise 7 of 7 · 60 minutes · difficulty 3 of 3 · 4 points
@with_autograd
def class_portrait(
    model: nn.Module,
    target: Tensor,
    size: tuple[int, int],
    steps: int,
    rate: float = 0.015,
    fade: float = 3.0,
    seed: int = 0,
    normalise: Callable[[Tensor], Tensor] | None = None,
    watch: Callable[[int, Tensor], object] | None = None,
) -> Tensor:
    """Paint a class so that it is recognised from anywhere.

    What climbs is not the image: it is the `spectrum` of a `fourier_image`. And at each step the
    network gets another `random_view` of it, so that only what survives being turned, moved and
    seen from closer can grow. The optimiser is AdamW, whose weight decay lets every wave fade that
    is not raised again and again.

    Args:
        model: classifier in eval mode.
        target: long (1,), the class.
        size: (H, W) of the picture.
        steps: number of steps.
        rate: AdamW's learning rate.
        fade: AdamW's weight decay. More of it leaves a picture of less contrast.
        seed: of the first spectrum, normal numbers of standard deviation 0.01, and of all views.
        normalise: makes the model's input of colours in [0, 1]; None where these are its input.
        watch: called as ``watch(step, picture)`` after each step, with 1, 2, ... and the picture.

    Returns:
        float (1, 3, H, W) in [0, 1], detached; dtype and device of the model.

    Raises:
        ValueError: the target is not one class for one image.

    Paper: Olah, Mordvintsev and Schubert 2017, "Feature visualization".

    >>> model = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 2))
    >>> class_portrait(model, torch.tensor([1]), size=(6, 8), steps=2).shape
    torch.Size([1, 3, 6, 8])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l07_gradient_ascent.class_portrait: not written yet")
