# Stubs of l08_fooling_and_dreams, version 88232f562e54. Complete them here; `convlens check l08_fooling_and_dreams` says what is right.
"""Lesson 8, fooling and dreams: follow the gradient to the pixels, for mischief and for beauty.

`image` is one picture, float (1, 3, H, W), with colours in [0, 1]. `model` takes such a picture as
it is and normalises it inside, so a distance of 1/255 is one step of an 8-bit picture file.
`model(image)` gives logits (1, K). `target` is long (1,).

Results are detached and keep the dtype and device of what they are made from. Leave the model, its
parameters' `.grad`, the caller's tensors and torch's global state as you found them.

Given: `target_logits(logits, target)` is each image's logit of its class, (1,), and raises
ValueError if the target does not fit, such as one of another length. `find_layers(model, layers)`
is a dict of modules by name, and raises AttributeError for an unknown name. `check_ran(layers,
kept)` raises ValueError for a layer that is not in `kept`. `@with_autograd` turns autograd on, even
where the caller has turned it off. `OnPixels`, `random_shift` and `resized` stand below.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lessons.toolkit.passes import check_ran, find_layers, target_logits, with_autograd
from lessons.toolkit.precision import full_precision
from lessons.toolkit.progress import shown_steps


class OnPixels(nn.Module):
    """A network behind its normalisation, so that it takes colours in [0, 1].

    The network is shared, not copied. What is `stages.3` in it is `network.stages.3` here.

    >>> model = OnPixels(nn.Flatten(), lambda rgb: (rgb - 0.5) / 0.25)
    >>> model(torch.ones(1, 3, 1, 1))
    tensor([[2., 2., 2.]])
    """

    def __init__(self, network: nn.Module, normalise: Callable[[Tensor], Tensor]) -> None:
        """Put the two together.

        Args:
            network: takes normalised images.
            normalise: makes them of colours, such as `classifier.preprocess.normalise`.
        """
        super().__init__()
        self.network = network
        self.normalise = normalise
        self.train(network.training)

    def forward(self, rgb: Tensor) -> Tensor:
        """Return the network's logits for pictures (N, 3, H, W) in [0, 1]."""
        return self.network(self.normalise(rgb))


# Exercise 1 of 6 · 10 minutes · difficulty 1 of 3 · 1 point
def is_fooled_after_saving(model: nn.Module, image: Tensor, target: Tensor) -> bool:
    """Tell whether the model still answers the target once the picture is a file.

    A file of 8 bits a colour keeps 256 levels: 0, 1/255, ..., 1. Saving takes the nearest level,
    and cuts what lies outside of [0, 1].

    Args:
        model: a classifier of pictures in [0, 1].
        image: float (1, 3, H, W).
        target: long (1,), the class that the picture is to be taken for.

    Returns:
        A plain bool: whether the target has the largest logit for the picture as saved.

    Raises:
        ValueError: the target does not fit the batch.

    >>> red_or_not = nn.Sequential(nn.Conv2d(3, 2, 1), nn.Flatten())
    >>> with torch.no_grad():
    ...     _ = red_or_not[0].weight.copy_(torch.eye(2, 3)[:, :, None, None])
    ...     _ = red_or_not[0].bias.copy_(torch.tensor([0.0, 0.5]))
    >>> redder_by_little = torch.tensor([0.501, 0.0, 0.0]).view(1, 3, 1, 1)
    >>> is_fooled_after_saving(red_or_not, redder_by_little, torch.tensor([0]))
    True
    """
    # YOUR CODE HERE
    raise NotImplementedError("l08_fooling_and_dreams.is_fooled_after_saving: not written yet")


# Exercise 2 of 6 · 30 minutes · difficulty 2 of 3 · 3 points
@with_autograd
def fooling_image(
    model: nn.Module,
    image: Tensor,
    target: Tensor,
    rate: float,
    max_steps: int,
    epsilon: float,
) -> Tensor:
    """Change a picture invisibly until the model takes it for the target.

    Go uphill in small steps. The pixels' gradient of the target logit shows a way, and that of its
    log-probability shows a shorter one; the choice is yours. In each step the value that moves most
    moves by `rate`. After each step go back to where a picture may be: no value farther than
    `epsilon` from where it was in `image`, and none outside of [0, 1]. Stop as soon as the model
    answers the target; a picture that already has that answer comes back as it was.

    Args:
        model: a classifier of pictures in [0, 1].
        image: float (1, 3, H, W) in [0, 1].
        target: long (1,), the class that the picture is to be taken for.
        rate: length of a step, in units of the picture: 1/255 is one level of a file.
        max_steps: most steps to take, at least 1; the picture comes back even if it is not enough.
        epsilon: most that a value may change in all, in the same units.

    Returns:
        float (1, 3, H, W) in [0, 1], a tensor of its own.

    Raises:
        ValueError: the target does not fit the batch.

    Paper: Goodfellow, Shlens and Szegedy 2015 (one step); Kurakin, Goodfellow and Bengio 2017
    (many, each cut back to epsilon).

    >>> brighter_is_1 = nn.Sequential(nn.Flatten(), nn.Linear(3, 2))
    >>> with torch.no_grad():
    ...     _ = brighter_is_1[1].weight.copy_(torch.tensor([[-1.0] * 3, [1.0] * 3]))
    ...     _ = brighter_is_1[1].bias.copy_(torch.tensor([3.3, 0.0]))
    >>> grey = torch.full((1, 3, 1, 1), 0.5)
    >>> fooling_image(brighter_is_1, grey, torch.tensor([1]), 0.04, 9, 0.1).flatten()
    tensor([0.5800, 0.5800, 0.5800])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l08_fooling_and_dreams.fooling_image: not written yet")


# Exercise 3 of 6 · 25 minutes · difficulty 2 of 3 · 2 points
@with_autograd
def dream_gradient(model: nn.Module, layers: Sequence[str], image: Tensor) -> Tensor:
    """Find the change of the picture that makes layers louder.

    How loud a layer is, is the mean of the squares of its output. Its gradient at the picture is
    divided by the mean of its own magnitudes, |g|, so that each layer has the same say. What comes
    back is the mean of these over the layers.

    Args:
        model: a network for pictures in [0, 1]. Its parameters may be frozen.
        layers: dotted module names.
        image: float (1, 3, H, W).

    Returns:
        float (1, 3, H, W). A layer whose gradient is zero everywhere adds zeros. If a layer runs
        twice, its last output counts. It counts as the layer gave it, even if a later layer
        overwrites it in place.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the layer exists but does not run in this pass.

    Paper: Mordvintsev, Olah and Tyka 2015, "Inceptionism".

    >>> model = nn.Sequential(nn.Identity(), nn.Flatten())
    >>> dream_gradient(model, ["0"], torch.tensor([1.0, 0.5, 0.0]).view(1, 3, 1, 1)).flatten()
    tensor([2., 1., 0.])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l08_fooling_and_dreams.dream_gradient: not written yet")


def random_shift(jitter: int, seed: int) -> tuple[int, int]:
    """Draw how far to roll a picture down and to the right.

    Args:
        jitter: most pixels, in either direction.
        seed: the same seed draws the same shift, on every device.

    >>> random_shift(16, seed=0)
    (16, 2)
    """
    generator = torch.Generator().manual_seed(seed)
    down, right = torch.randint(-jitter, jitter + 1, (2,), generator=generator).tolist()
    return down, right


# Exercise 4 of 6 · 20 minutes · difficulty 2 of 3 · 2 points
def dream_step(
    model: nn.Module,
    layer: str | Sequence[str],
    image: Tensor,
    rate: float,
    jitter: int = 16,
    seed: int = 0,
) -> Tensor:
    """Roll the picture, add its dream gradient, roll it back and clip it.

    The roll is `random_shift(jitter, seed)`: pixels that leave at one side come in at the other.
    The step is `rate` times `dream_gradient` of the rolled picture. The result is clipped to
    [0, 1].

    Args:
        model: a network for pictures in [0, 1].
        layer: dotted module name, or a list of several.
        image: float (1, 3, H, W) in [0, 1].
        rate: mean length of the step, in units of the picture.
        jitter: most pixels of the roll, in either direction.
        seed: of the roll.

    Returns:
        float (1, 3, H, W) in [0, 1], every pixel back in its place.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the layer exists but does not run in this pass.

    >>> model = nn.Sequential(nn.Identity(), nn.Flatten())
    >>> dream_step(model, "0", torch.tensor([0.8, 0.4, 0.0]).view(1, 3, 1, 1), 0.2).flatten()
    tensor([1.0000, 0.6000, 0.0000])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l08_fooling_and_dreams.dream_step: not written yet")


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """Return a picture in another size.

    Args:
        image: float (1, 3, H, W).
        size: rows and columns.

    Returns:
        float (1, 3, rows, columns), bilinear; what is too fine for the size is smoothed away.

    >>> resized(torch.ones(1, 3, 8, 6), (4, 3)).shape
    torch.Size([1, 3, 4, 3])
    """
    whole = full_precision(image)
    small = F.interpolate(whole, size, mode="bilinear", align_corners=False, antialias=True)
    return small.to(image.dtype)


# Exercise 5 of 6 · 40 minutes · difficulty 3 of 3 · 4 points
def deep_dream(
    model: nn.Module,
    layer: str | Sequence[str],
    image: Tensor,
    octaves: int,
    octave_scale: float,
    steps: int,
    rate: float,
    seed: int = 0,
    jitter: int = 16,
    watch: Callable[[Tensor], object] | None = None,
) -> Tensor:
    """Dream on the picture small first, then larger, carrying the detail over.

    The last octave has the size of the picture; each one before it is smaller by the factor
    `octave_scale`, with sides rounded: `round(H / octave_scale**k)`, k octaves before the last.
    In each octave start from the image, `resized` to it, plus the detail: what the octave before
    added to its own start's image, `resized` as well. Then take `steps` dream steps. So the photo
    comes back sharp, and the detail grows with it.

    Args:
        model: a network for pictures in [0, 1].
        layer: dotted module name, or a list of several.
        image: float (1, 3, H, W) in [0, 1].
        octaves: number of sizes, at least 1.
        octave_scale: from one size to the next, at least 1.
        steps: dream steps in each octave.
        rate: mean length of a step.
        seed: of the first step's roll; the next step takes `seed + 1`, and so on, through all
            octaves.
        jitter: most pixels of a roll, in either direction.
        watch: called after each step with the picture so far, in the size of its octave.

    Returns:
        float (1, 3, H, W) in [0, 1]. Ctrl-C may end the dream early, and what was dreamt so far
        comes back in the picture's size; yours need not.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the layer exists but does not run in this pass.

    Paper: Mordvintsev, Olah and Tyka 2015, "Inceptionism".

    >>> model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten())
    >>> sizes = []
    >>> def watch(picture):
    ...     sizes.append(tuple(picture.shape[2:]))
    >>> photo = torch.rand(1, 3, 8, 12)
    >>> dream = deep_dream(model, "0", photo, 2, 2.0, steps=1, rate=0.1, watch=watch)
    >>> sizes
    [(4, 6), (8, 12)]
    """
    # YOUR CODE HERE
    raise NotImplementedError("l08_fooling_and_dreams.deep_dream: not written yet")


# Exercise 6 of 6 · 25 minutes · difficulty 2 of 3 · 2 points
def pattern_size(change: Tensor) -> Tensor:
    """Measure how large the patterns of a change are.

    A change is a sum of waves. Each has a frequency: with `across` cycles a pixel along a row and
    `down` along a column it is the root of across^2 + down^2. The wave's power is the squared
    magnitude of its Fourier coefficient, summed over the three colours. The size of the patterns is
    1 / (mean frequency, weighted by power). The mean of the change, frequency 0, is left out.

    Args:
        change: float (N, 3, H, W), a picture minus another.

    Returns:
        float (N,), in pixels: the length of a typical wave. NaN where nothing changes.

    >>> stripes = torch.tensor([1.0, 1.0, -1.0, -1.0]).expand(1, 3, 6, 4)
    >>> pattern_size(stripes)
    tensor([4.])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l08_fooling_and_dreams.pattern_size: not written yet")
