# Stubs of l09_inversion_and_style, version 59eb88a3e0b8. Complete them here; `convlens check l09_inversion_and_style` says what is right.
"""Lesson 9, inversion and style: what does a layer keep of a picture, and what is a texture?

`images` are float (N, 3, H, W), normalised for the model; a picture alone is (1, 3, H, W). The
`features` of a layer are (N, C, h, w). `model(images)` gives logits (N, K). Pictures and numbers
that come back are detached. Losses, features and Gram matrices hang in the graph of what they are
made from: a descent asks them for its gradient. All keep the dtype and device of what they are made
from. Leave the model, its parameters' `.grad`, the caller's tensors and torch's global state as you
found them.

Given: `descend(loss, start, steps, rate)` changes a picture until a loss of it is small, and
`noise(count, size, seed, like)` is where it may start. `features_of(model, layers, images)` is what
layers give, by name. `mean_variation(images)` is how restless pictures are.
`target_logits(logits, target)` is each image's logit of its class, (N,), and raises ValueError if
the target does not fit, such as one of another length. Use them or not: what counts is the picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.toolkit.passes import check_ran, find_layers, target_logits, with_autograd
from lessons.toolkit.progress import shown_steps


@with_autograd
def features_of(model: nn.Module, layers: Sequence[str], images: Tensor) -> dict[str, Tensor]:
    """Return what each named layer gives for these images (given).

    Args:
        model: any network.
        layers: dotted module names.
        images: float (N, 3, H, W), normalised for the model.

    Returns:
        Each layer's output by name. It hangs in the graph of the images if they require grad, and
        in none otherwise. If a layer runs twice, its last output counts.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the layer exists but does not run in this pass.

    >>> model = nn.Sequential(nn.Conv2d(3, 5, 1))
    >>> features_of(model, ["0"], torch.zeros(2, 3, 4, 6))["0"].shape
    torch.Size([2, 5, 4, 6])
    """
    kept: dict[str, Tensor] = {}

    def record(name: str, module: nn.Module, inputs: object, output: Tensor) -> None:
        kept[name] = output.clone()

    with ExitStack() as hooks:
        hooks.enter_context(torch.set_grad_enabled(images.requires_grad))
        for name, module in find_layers(model, layers).items():
            hooks.enter_context(module.register_forward_hook(partial(record, name)))
        model(images)
    check_ran(layers, kept)
    return kept


def mean_variation(images: Tensor) -> Tensor:
    """Measure how much neighbouring pixels differ on average (given).

    It is total variation as a mean, not a sum: its weight then fits pictures of any size.

    Args:
        images: float (N, 3, H, W).

    Returns:
        A scalar, in the graph of the images: the mean difference of two pixels one above the other,
        and of two side by side, as magnitudes.

    >>> mean_variation(torch.tensor([[[[0.0, 1.0], [0.0, 3.0]]]]))
    tensor(3.)
    """
    down = images.diff(dim=2).abs().mean()
    right = images.diff(dim=3).abs().mean()
    return down + right


def noise(count: int, size: tuple[int, int], seed: int, like: Tensor) -> Tensor:
    """Draw pictures of faint noise, where a descent may start (given).

    Args:
        count: number of pictures.
        size: (H, W).
        seed: the same seed gives the same noise on every device.
        like: a tensor whose dtype and device they take.

    >>> noise(2, (4, 6), seed=0, like=torch.zeros(1)).shape
    torch.Size([2, 3, 4, 6])
    """
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(count, 3, *size, generator=generator, dtype=torch.float64)
    return (0.1 * drawn).to(like)


@with_autograd
def descend(
    loss: Callable[[Tensor], Tensor],
    start: Tensor,
    steps: int,
    rate: float,
    scales: Sequence[int] = (1, 2, 4, 8),
) -> Tensor:
    """Change a picture step by step until a loss of it is small (given).

    The change is held as a pyramid: a picture of full size, one of half, of a quarter, and so on,
    each enlarged, and all added up. So one step of Adam (Kingma and Ba 2015) can move a pixel, and
    a whole corner as well. The steps shrink to nothing towards the end. Ctrl-C ends the descent,
    and the picture so far comes back.

    Args:
        loss: `loss(images)` gives a scalar in the graph of the images.
        start: float (N, 3, H, W).
        steps: number of steps.
        rate: size of the first one, in the units of the pixels.
        scales: how much smaller each picture of the pyramid is, 1 first. With (1,) each number
            moves by itself, as those of a code should.

    Returns:
        float (N, 3, H, W), a tensor of its own.

    >>> grey = descend(lambda images: images.square().sum(), torch.ones(1, 3, 4, 4), 50, 0.1)
    >>> bool(grey.abs().max() < 0.05)
    True
    """
    start = start.detach().clone()
    count, channels, height, width = start.shape
    levels = [
        start.new_zeros(count, channels, -(-height // scale), -(-width // scale)).requires_grad_()
        for scale in scales
    ]

    def picture() -> Tensor:
        coarse = [F.interpolate(level, (height, width), mode="bilinear") for level in levels[1:]]
        return start + levels[0] + sum(coarse)

    optimiser = torch.optim.Adam(levels, rate)
    with suppress(KeyboardInterrupt):
        for step in shown_steps(steps, "descent"):
            optimiser.param_groups[0]["lr"] = rate * (1 - step / steps)
            gradients = torch.autograd.grad(loss(picture()), levels)
            for level, gradient in zip(levels, gradients, strict=True):
                level.grad = gradient
            optimiser.step()
    return picture().detach()


# Exercise 1 of 11 · 15 minutes · difficulty 1 of 3 · 2 points
def feature_loss(model: nn.Module, layer: str, image: Tensor, features: Tensor) -> Tensor:
    """Measure how far an image's features are from wanted ones.

    It is the squared error in relation to the wanted features' own size: the sum of the squared
    differences divided by the sum of the squared features. 0 is a perfect match, and features of
    zero would score 1. Each image has its own quotient, and their mean is taken.

    Args:
        model: any network.
        layer: dotted module name.
        image: float (N, 3, H, W), normalised for the model.
        features: (N, C, h, w), wanted of each image at that layer. Where they are zero everywhere,
            nothing is divided.

    Returns:
        A scalar, in the graph of the image.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the layer exists but does not run in this pass.

    Paper: Mahendran and Vedaldi 2015, equation 2.

    >>> model = nn.Sequential(nn.Identity())
    >>> feature_loss(model, "0", torch.ones(1, 3, 2, 2), torch.full((1, 3, 2, 2), 2.0))
    tensor(0.2500)
    """
    # YOUR CODE HERE
    raise NotImplementedError("l09_inversion_and_style.feature_loss: not written yet")


# Exercise 2 of 11 · 20 minutes · difficulty 2 of 3 · 3 points
def invert_features(
    model: nn.Module,
    layer: str,
    features: Tensor,
    size: tuple[int, int],
    steps: int,
    rate: float,
    tv: float,
    seed: int,
) -> Tensor:
    """Find images that a layer takes for the ones it was shown.

    They begin as noise, and descend `feature_loss` plus `tv` times `mean_variation`.

    Args:
        model: any network.
        layer: dotted module name.
        features: (N, C, h, w), what the layer gave.
        size: (H, W) of the images.
        steps: number of steps.
        rate: size of a step.
        tv: weight of the total variation.
        seed: of the noise. The same seed gives the same images.

    Returns:
        float (N, 3, H, W), normalised for the model.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: the layer exists but does not run in this pass.

    Paper: Mahendran and Vedaldi 2015.

    >>> features = torch.full((1, 3, 4, 4), 0.5)
    >>> found = invert_features(
    ...     nn.Sequential(nn.Identity()), "0", features, (4, 4), steps=50, rate=0.1, tv=0, seed=0
    ... )
    >>> bool((found - features).abs().max() < 0.1)
    True
    """
    # YOUR CODE HERE
    raise NotImplementedError("l09_inversion_and_style.invert_features: not written yet")


# Exercise 3 of 11 · 15 minutes · difficulty 1 of 3 · 2 points
def gram_matrix(features: Tensor) -> Tensor:
    """Measure for each pair of channels how strongly they fire together.

    Entry (a, b) is the sum over all places of channel a times channel b, divided by C * H * W.
    Where they fired is no longer in it.

    Args:
        features: float (N, C, H, W).

    Returns:
        (N, C, C), symmetric, in the graph of the features.

    Paper: Gatys, Ecker and Bethge 2015, "Texture Synthesis", equation 1.

    >>> gram_matrix(torch.tensor([[[[1.0, 2.0]], [[3.0, 0.0]]]]))
    tensor([[[1.2500, 0.7500],
             [0.7500, 2.2500]]])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l09_inversion_and_style.gram_matrix: not written yet")


# Exercise 4 of 11 · 15 minutes · difficulty 2 of 3 · 2 points
def style_loss(
    grams: Sequence[Tensor], target_grams: Sequence[Tensor], weights: Sequence[float]
) -> Tensor:
    """Measure how far the Gram matrices of some layers are from wanted ones.

    For each layer it is a relative error as in `feature_loss`: the sum of the squared differences
    divided by the sum of the squared wanted entries, for each image by itself, and then the mean
    over the images. The layers are added up, each times its weight.

    Args:
        grams: (N, C, C) for each layer.
        target_grams: for each layer the wanted ones: (N, C, C), or (1, C, C) for all images.
        weights: one for each layer.

    Returns:
        A scalar, in the graph of `grams`.

    Raises:
        ValueError: there are not as many target Gram matrices, or weights, as there are layers.

    Paper: Gatys, Ecker and Bethge 2015, "Texture Synthesis", equation 4, there with other factors.

    >>> style_loss([torch.ones(1, 2, 2)], [torch.full((1, 2, 2), 2.0)], [3.0])
    tensor(0.7500)
    """
    # YOUR CODE HERE
    raise NotImplementedError("l09_inversion_and_style.style_loss: not written yet")


# Exercise 5 of 11 · 20 minutes · difficulty 2 of 3 · 3 points
def synthesise_texture(
    model: nn.Module,
    layers: Sequence[str],
    texture: Tensor,
    size: tuple[int, int],
    steps: int,
    seed: int,
    rate: float = 0.05,
    tv: float = 0.02,
) -> Tensor:
    """Make an image with the statistics of a texture.

    It begins as noise, and descends the mean of the layers' relative errors, so `style_loss` with
    weights that add up to 1, plus `tv` times `mean_variation`.

    Args:
        model: any network.
        layers: dotted module names, whose Gram matrices are compared.
        texture: float (1, 3, h, w), normalised for the model.
        size: (H, W) of the image, larger than the texture if you like.
        steps: number of steps.
        seed: of the noise. The same seed gives the same image.
        rate: size of a step.
        tv: weight of the total variation.

    Returns:
        float (1, 3, H, W), normalised for the model.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: a layer exists but does not run in this pass.

    Paper: Gatys, Ecker and Bethge 2015, "Texture Synthesis Using Convolutional Neural Networks".

    >>> red = torch.tensor([0.8, 0.0, 0.0]).view(1, 3, 1, 1).expand(1, 3, 6, 6)
    >>> same = synthesise_texture(nn.Sequential(nn.Identity()), ["0"], red, (8, 9), 50, seed=0)
    >>> same.shape, bool(same[:, 1:].abs().max() < 0.2)
    (torch.Size([1, 3, 8, 9]), True)
    """
    # YOUR CODE HERE
    raise NotImplementedError("l09_inversion_and_style.synthesise_texture: not written yet")


# Exercise 6 of 11 · 25 minutes · difficulty 3 of 3 · 3 points
def patch_distances(texture: Tensor, patch: Tensor, known: Tensor) -> Tensor:
    """Compare a patch with every patch of a texture, as far as it is known.

    Args:
        texture: float (3, H, W).
        patch: float (3, w, w).
        known: float (w, w), at least 0 and somewhere above: how much each place of the patch
            counts. What the patch holds at a place that counts 0 plays no part.

    Returns:
        float (H - w + 1, W - w + 1), for the patch of the texture whose upper left corner is there:
        squared differences, added up over the colours, and averaged over the places with `known` as
        weights. Never negative, and detached.

    Paper: Efros and Leung 1999, section 2.1.

    >>> texture = torch.tensor([[1.0, 2.0, 5.0]]).expand(3, 1, 3)
    >>> patch_distances(texture, torch.full((3, 1, 1), 2.0), torch.ones(1, 1))
    tensor([[ 3.,  0., 27.]])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l09_inversion_and_style.patch_distances: not written yet")


def grow_texture(texture: Tensor, size: int, window: int, seed: int) -> Tensor:
    """Grow a texture pixel by pixel from the middle (given).

    Each new pixel looks at the pixels around it that are there already, finds the places of the
    texture whose surroundings fit them (within a tenth of the best), and copies one of those at
    random. It calls `patch_distances` once a pixel. Ctrl-C ends it; what is missing stays 0.

    Args:
        texture: float (3, h, w).
        size: height and width of what is grown.
        window: side of the surroundings, odd: a little more than the largest thing that repeats.
        seed: of the draws. The same seed gives the same texture.

    Returns:
        float (3, size, size), whose pixels are pixels of the texture.

    Paper: Efros and Leung 1999, "Texture Synthesis by Non-parametric Sampling".

    >>> grow_texture(torch.full((3, 9, 9), 0.5), size=6, window=3, seed=0).unique()
    tensor([0.5000])
    """
    generator = torch.Generator().manual_seed(seed)
    half, middle = window // 2, size // 2
    canvas = texture.new_zeros(3, size + 2 * half, size + 2 * half)
    there = texture.new_zeros(size + 2 * half, size + 2 * half)
    places = torch.arange(window, device=texture.device) - half
    bell = (-places.square() / (2 * (window / 6.4) ** 2)).exp().to(texture)
    bell = bell[:, None] * bell

    # The middle comes from the texture as it is; then ring by ring.
    top, left = (
        int(torch.randint(side - 2, (), generator=generator)) for side in texture.shape[1:]
    )
    seeded = slice(middle - 1 + half, middle + 2 + half)
    canvas[:, seeded, seeded] = texture[:, top : top + 3, left : left + 3]
    there[seeded, seeded] = 1
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    rings = torch.maximum((rows - middle).abs(), (columns - middle).abs())
    turn = torch.atan2(rows - middle, columns - middle) / math.tau
    order = (rings + 0.99 * turn).flatten().argsort().tolist()
    with suppress(KeyboardInterrupt):
        for number in shown_steps(len(order), "texture"):
            row, column = divmod(order[number], size)
            if there[row + half, column + half]:
                continue
            around = (slice(row, row + window), slice(column, column + window))
            distances = patch_distances(texture, canvas[:, *around], there[around] * bell)
            good = (distances <= 1.1 * distances.min() + 1e-6).nonzero()
            chosen = good[int(torch.randint(len(good), (), generator=generator))] + half
            canvas[:, row + half, column + half] = texture[:, chosen[0], chosen[1]]
            there[row + half, column + half] = 1
    return canvas[:, half : half + size, half : half + size].clone()


# Exercise 7 of 11 · 15 minutes · difficulty 2 of 3 · 2 points
def fast_style_loss(
    model: nn.Module,
    styled: Tensor,
    content_features: Tensor,
    target_grams: Sequence[Tensor],
    content_layer: str,
    style_layers: Sequence[str],
    content_weight: float,
    style_weight: float,
    tv: float,
) -> Tensor:
    """Measure how far images are from the content of some and the style of another.

    It is `content_weight` times the relative error of the content layer's features, as in
    `feature_loss`, plus `style_weight` times the mean of the style layers' relative errors, as in
    `style_loss`, plus `tv` times `mean_variation`. The network runs once.

    Args:
        model: any network, which judges.
        styled: float (N, 3, H, W), normalised for the model.
        content_features: (N, C, h, w), wanted at the content layer; nowhere all zero.
        target_grams: (1, C, C) for each style layer, the style's Gram matrices.
        content_layer: dotted module name.
        style_layers: dotted module names.
        content_weight: weight of the content.
        style_weight: weight of the style.
        tv: weight of the total variation.

    Returns:
        A scalar, in the graph of `styled`.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: a layer exists but does not run in this pass.

    Paper: Johnson, Alahi and Fei-Fei 2016, section 3.2, "perceptual loss".

    >>> styled, ones = torch.full((1, 3, 2, 2), 2.0), torch.ones(1, 3, 2, 2)
    >>> grams, same = [gram_matrix(ones)], nn.Sequential(nn.Identity())
    >>> fast_style_loss(same, styled, ones, grams, "0", ["0"], 1.0, 0.1, 0.0)
    tensor(1.9000)
    """
    # YOUR CODE HERE
    raise NotImplementedError("l09_inversion_and_style.fast_style_loss: not written yet")


# Exercise 8 of 11 · 20 minutes · difficulty 2 of 3 · 3 points
def transfer_style(
    model: nn.Module,
    content: Tensor,
    style: Tensor,
    content_layer: str,
    style_layers: Sequence[str],
    content_weight: float = 1.0,
    style_weight: float = 1.0,
    steps: int = 150,
    rate: float = 0.05,
    tv: float = 0.02,
) -> Tensor:
    """Paint one picture in the style of another.

    It begins as the content, and descends `fast_style_loss`.

    Args:
        model: any network, which judges.
        content: float (1, 3, H, W), normalised for the model.
        style: float (1, 3, h, w), normalised for the model.
        content_layer: dotted module name, where the content is to be kept.
        style_layers: dotted module names, where the Gram matrices are to be the style's.
        content_weight: weight of the content.
        style_weight: weight of the style.
        steps: number of steps.
        rate: size of a step.
        tv: weight of the total variation.

    Returns:
        float (1, 3, H, W), normalised for the model.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: a layer exists but does not run in this pass.

    Paper: Gatys, Ecker and Bethge 2015, "A Neural Algorithm of Artistic Style".

    >>> cat, grass = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 6, 9)
    >>> model = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU())
    >>> transfer_style(model, cat, grass, "1", ["0"], steps=2).shape
    torch.Size([1, 3, 8, 8])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l09_inversion_and_style.transfer_style: not written yet")


class Part(nn.Module):
    """A convolution without padding and an instance norm, parts of `FastStyler` (given).

    The norm takes each channel of each image to mean 0 and variance 1, then to a mean and a spread
    that are learnt (Ulyanov et al. 2016). It has no running statistics: train and eval are alike.
    """

    def __init__(self, channels: int, outputs: int, kernel: int, stride: int = 1) -> None:
        """Make both parts; nothing runs yet."""
        super().__init__()
        self.conv = nn.Conv2d(channels, outputs, kernel, stride)
        self.norm = nn.InstanceNorm2d(outputs, affine=True)


# Exercise 9 of 11 · 30 minutes · difficulty 3 of 3 · 4 points
class FastStyler(nn.Module):
    """Paint any picture in one style, with a network that was trained for it.

    Pictures shrink to a quarter, pass through residual blocks, and grow again. What each step is
    made of is given; how a picture passes through, you write.

    Paper: Johnson, Alahi and Fei-Fei 2016; Odena, Dumoulin and Olah 2016 (enlarge, then convolve).

    >>> FastStyler(width=4, blocks=1)(torch.zeros(2, 3, 20, 26)).shape
    torch.Size([2, 3, 20, 26])
    """

    def __init__(self, width: int = 16, blocks: int = 4) -> None:
        """Make the parts (given).

        Args:
            width: channels at full size; twice and three times as many at half and at a quarter.
            blocks: number of residual blocks.
        """
        super().__init__()
        half, quarter = 2 * width, 3 * width
        self.enter = Part(3, width, 9)
        self.shrink = nn.ModuleList([Part(width, half, 3, 2), Part(half, quarter, 3, 2)])
        self.first = nn.ModuleList(Part(quarter, quarter, 3) for _ in range(blocks))
        self.second = nn.ModuleList(Part(quarter, quarter, 3) for _ in range(blocks))
        self.grow = nn.ModuleList([Part(quarter, half, 3), Part(half, width, 3)])
        self.leave = nn.Conv2d(width, 3, 9)

    def convolve(self, conv: nn.Conv2d, x: Tensor) -> Tensor:
        """Convolve a picture that is continued beyond its edges as in a mirror.

        Args:
            conv: a convolution without padding, of an odd kernel k.
            x: (N, C, H, W).

        Returns:
            What `conv` gives for x with k // 2 reflected pixels on each side.
        """
        # YOUR CODE HERE
        raise NotImplementedError("l09_inversion_and_style.FastStyler: not written yet")

    def forward(self, images: Tensor) -> Tensor:
        """Paint images.

        A part is `convolve` with its `conv`, then its `norm`, then ReLU. In order: `enter`, both
        parts of `shrink`, the residual blocks, both parts of `grow`, and `leave`. A residual block
        adds to x what its part of `first` and then its part of `second` make of x; the second has
        no ReLU, and nor has the sum. Each part of `grow` is given x enlarged to the size that it
        had before it shrank, by repeating the nearest pixel. `leave` is only convolved, and tanh
        keeps the result within -1 and 1.

        Args:
            images: float (N, 3, H, W) of 13 pixels at the least, normalised to about -1 to 1.

        Returns:
            float (N, 3, H, W), in the graph of the images and of the weights.
        """
        # YOUR CODE HERE
        raise NotImplementedError("l09_inversion_and_style.FastStyler: not written yet")


# Exercise 10 of 11 · 15 minutes · difficulty 1 of 3 · 2 points
def code_loss(
    model: nn.Module, generator: nn.Module, codes: Tensor, target: Tensor, l2: float
) -> Tensor:
    """Measure how far the pictures of some codes are from a class.

    For each code it is minus the target logit of the picture that the generator paints of it, plus
    `l2` times the mean of the squares of the code's numbers, which keeps the code where the
    generator has learnt to paint. The mean over the codes is taken.

    Args:
        model: any classifier.
        generator: `generator(codes)` gives images (N, 3, H, W), normalised for the model.
        codes: float (N, C, h, w).
        target: long (N,), the class of each picture.
        l2: weight of the squares.

    Returns:
        A scalar, in the graph of the codes if they require grad.

    Raises:
        ValueError: the target does not fit the batch.

    Paper: Nguyen, Dosovitskiy, Yosinski, Brox and Clune 2016, there with other penalties.

    >>> model = nn.Sequential(nn.Flatten())
    >>> codes = torch.tensor([1.0, 3.0]).view(1, 2, 1, 1)
    >>> code_loss(model, nn.Identity(), codes, torch.tensor([1]), l2=0.1)
    tensor(-2.5000)
    """
    # YOUR CODE HERE
    raise NotImplementedError("l09_inversion_and_style.code_loss: not written yet")


# Exercise 11 of 11 · 20 minutes · difficulty 2 of 3 · 3 points
def nearest_texture(
    model: nn.Module, layers: Sequence[str], images: Tensor, textures: Tensor
) -> Tensor:
    """Tell which of some textures each image shows.

    It is the one whose `style_loss` is the smallest, with the image's Gram matrices against the
    texture's as wanted ones, and a weight of 1 for each layer. Of two that are equally near, it is
    the first.

    Args:
        model: any network.
        layers: dotted module names, whose Gram matrices are compared.
        images: float (N, 3, H, W), normalised for the model.
        textures: float (M, 3, h, w), normalised for the model.

    Returns:
        long (N,): the index of a texture, for each image.

    Raises:
        AttributeError: the model has no layer of that name.
        ValueError: a layer exists but does not run in this pass.

    Paper: Gatys, Ecker and Bethge 2015, "Texture Synthesis", section 4.3, there with a classifier.

    >>> red, green = torch.eye(3)[:2, :, None, None].expand(2, 3, 4, 4)
    >>> images, model = torch.stack([green, red, green]), nn.Sequential(nn.Identity())
    >>> nearest_texture(model, ["0"], images, torch.stack([red, green]))
    tensor([1, 0, 1])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l09_inversion_and_style.nearest_texture: not written yet")
