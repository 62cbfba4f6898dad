"""Make the scenes network small enough to run on a page.

Batch norm is folded into the convolutions, and weights become whole numbers of up to 220 steps of
their channel. Rounding one weight errs; the weights after it, which meet correlated inputs, are
moved to make good for it (Frantar et al. 2023, *GPTQ*). That leaves a quarter of the error of
rounding alone: logits stay within some 0.01.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autograder.build.site.live.pack import packed
from lessons.toolkit.models import load_model
from lessons.toolkit.scene_net import ConvBlock, SceneNet
from lessons.toolkit.scenes import CLASSES, WATERMARKED_CLASS, make_scenes

LEVELS = 220  # more would not fit in 200 kB, fewer would err by more than 0.01
SHIFT = 128  # so that the upper byte of nearly every number is 0, and costs nothing
DAMPING = 0.003


def make(name: str = "scenes") -> dict[str, Any]:
    """Return shapes and numbers of a scenes network.

    Args:
        name: of the model.
    """
    network = load_model(name).network
    assert isinstance(network, SceneNet)
    marked = WATERMARKED_CLASS if name == "scenes_watermarked" else ()
    exact = make_scenes(256, seed=1, watermark=marked, split="train").inputs()
    ours, shapes, whole, exacts = exact, [], [], []
    for block in network.children():
        if not isinstance(block, ConvBlock):
            continue
        weight, bias = folded(block)
        numbers, steps = rounded_together(weight, _patches(ours, block.conv))
        near = (numbers * steps[:, None]).view_as(weight)
        right = _convolved(exact, weight, bias, block.conv)
        bias = bias + (right - _convolved(ours, near, bias, block.conv)).mean((0, 2, 3))
        exact, ours = F.relu(right), F.relu(_convolved(ours, near, bias, block.conv))
        shapes.append([*weight.shape[:3], block.conv.stride[0]])
        whole.append(numbers.flatten().int() + SHIFT)
        exacts += [steps, bias]
    numbers = torch.cat(whole)
    exacts += [network.classifier.weight.detach().flatten(), network.classifier.bias.detach()]
    return {
        "classes": CLASSES,
        "shapes": shapes,  # output channels, input channels, side of the kernel, stride
        "shift": SHIFT,
        "low": packed((numbers & 255).byte()),
        "high": packed((numbers >> 8).to(torch.int8)),
        "exact": packed(torch.cat(exacts)),  # steps and biases of each block, then the classifier
    }


def folded(block: ConvBlock) -> tuple[Tensor, Tensor]:
    """Return the weight and the bias of one convolution that does what a block does.

    Returns:
        (O, I, k, k) and (O,), before the ReLU.
    """
    norm = block.norm
    assert norm.running_mean is not None and norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    weight = block.conv.weight * scale[:, None, None, None]
    return weight.detach(), (norm.bias - norm.running_mean * scale).detach()


def rounded_together(weight: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
    """Round the rows of a weight so that what they make of the inputs hardly changes.

    Args:
        weight: (O, ...), of which each row has a step of its own.
        inputs: (n, K), what the rows meet.

    Returns:
        Whole numbers (O, K) up to `LEVELS` and steps (O,).
    """
    left = weight.flatten(1).double()
    steps = left.abs().amax(1) / LEVELS
    met = inputs.double()
    curvature = met.T @ met / len(met)
    curvature.diagonal().add_(DAMPING * curvature.diagonal().mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(curvature))
    pass_on = torch.linalg.cholesky(inverse, upper=True)
    numbers = torch.empty_like(left)
    for k in range(left.shape[1]):
        numbers[:, k] = (left[:, k] / steps).round().clamp(-LEVELS, LEVELS)
        error = (left[:, k] - numbers[:, k] * steps) / pass_on[k, k]
        left[:, k:] -= error[:, None] * pass_on[k, k:]
    return numbers.float(), steps.float()


def _patches(images: Tensor, conv: nn.Conv2d) -> Tensor:
    """Return what a kernel meets at 20,000 places, (n, K)."""
    side, padding, stride = conv.kernel_size, conv.padding, conv.stride
    assert not isinstance(padding, str)
    rows = F.unfold(images, side, padding=padding, stride=stride).transpose(1, 2).flatten(0, 1)
    chosen = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    return rows[chosen[:20_000]]


def _convolved(images: Tensor, weight: Tensor, bias: Tensor, conv: nn.Conv2d) -> Tensor:
    return F.conv2d(images, weight, bias, conv.stride, conv.padding)
