"""A small convolutional network for the scenes, made to be explained."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvBlock(nn.Module):
    """Convolution, batch norm and ReLU.

    `(N,channels,H,W)` becomes `(N,filters,H/stride,W/stride)`.

    >>> ConvBlock(3, 8, stride=2)(torch.zeros(1, 3, 6, 4)).shape
    torch.Size([1, 8, 3, 2])
    """

    def __init__(self, channels: int, filters: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, kernel, stride, padding=kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's feature maps."""
        return self.relu(self.norm(self.conv(features)))


class SceneNet(nn.Module):
    """Five blocks of convolution, norm and ReLU, then pooling and a linear layer.

    The pooling is a global average.

    Strides shrink the picture (no pooling until the end), so every step has a gradient that can be
    read. The first kernels are 7x7, large enough to look at. Because the classifier sees only
    channel means, a class activation map (Zhou et al. 2016) explains it exactly.

    Args:
        classes: number of classes.

    Input `(N,3,H,W)`, normalised with `scenes.PREPROCESS`, of any size; the shipped weights were
    trained at 64x64. Output: logits `(N,classes)`. The last feature map has an eighth of the
    input's height and width, and 128 channels.

    >>> SceneNet()(torch.zeros(2, 3, 64, 64)).shape
    torch.Size([2, 8])
    """

    def __init__(self, classes: int = 8) -> None:
        super().__init__()
        self.block1 = ConvBlock(3, 24, kernel=7, stride=2)
        self.block2 = ConvBlock(24, 48, stride=2)
        self.block3 = ConvBlock(48, 64)
        self.block4 = ConvBlock(64, 96, stride=2)
        self.block5 = ConvBlock(96, 128)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(128, classes)
        with torch.no_grad():
            self.block1.conv.weight.copy_(_smoothed(self.block1.conv.weight))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits `(N,classes)` of normalised images `(N,3,H,W)`."""
        features = self.block1(images)
        features = self.block2(features)
        features = self.block3(features)
        features = self.block4(features)
        features = self.block5(features)
        return self.classifier(self.pool(features).flatten(1))


def _smoothed(weight: Tensor) -> Tensor:
    """Return random kernels blurred, with the same overall spread.

    Training leaves noise in place that it does not need, so smooth kernels stay easy to look at.
    """
    kernel = weight.shape[-1]
    offsets = torch.arange(kernel) - kernel // 2
    bell = torch.exp(-(offsets**2) / 2.0)
    window = torch.outer(bell, bell).expand(weight.shape[1], 1, -1, -1)
    blurred = F.conv2d(weight, window, padding=kernel // 2, groups=weight.shape[1])
    fade = torch.exp(-(offsets**2) / (2 * 2.5**2))
    blurred = blurred * torch.outer(fade, fade)
    return blurred * (math.sqrt(weight.var().item()) / blurred.std())
