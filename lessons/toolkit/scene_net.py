"""A small convolutional network for the scenes, made to be explained."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvBlock(nn.Module):
    """Convolution, batch norm and ReLU.

    `(N,channels,H,W)` becomes `(N,filters,H/stride,W/stride)`.

    Kernel and stride are both even or both odd. Then the padding is the same on all sides, and each
    output looks at the middle of the `stride` x `stride` pixels that it stands for. An odd kernel
    with stride 2 looks half a pixel too far up and left, twice as far in each block below.

    Args:
        channels: of the input.
        filters: channels of the output.
        kernel: height and width of the kernels.
        stride: pixels from one output to the next.

    Raises:
        ValueError: one of kernel and stride is even and the other odd.

    >>> ConvBlock(3, 8, kernel=4, stride=2)(torch.zeros(1, 3, 6, 4)).shape
    torch.Size([1, 8, 3, 2])
    """

    def __init__(self, channels: int, filters: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__()
        if (kernel - stride) % 2:
            raise ValueError(
                f"A kernel of {kernel} with stride {stride} is not centred: "
                "make both even or both odd."
            )
        padding = (kernel - stride) // 2
        self.conv = nn.Conv2d(channels, filters, kernel, stride, padding, bias=False)
        self.norm = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=False)

    def forward(self, features: Tensor) -> Tensor:
        """Return the block's feature maps."""
        return self.relu(self.norm(self.conv(features)))


class SceneNet(nn.Module):
    """Five blocks of convolution, norm and ReLU, then pooling and a linear layer.

    The pooling is a global average.

    Strides shrink the picture (no pooling until the end), so every step has a gradient that can be
    read. The first kernels are 6x6, large enough to look at. Because the classifier sees only
    channel means, a class activation map (Zhou et al. 2016) explains it exactly; because every
    block is centred, each place of the map looks at the middle of its 8x8 pixels.

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
        self.block1 = ConvBlock(3, 24, kernel=6, stride=2)
        self.block2 = ConvBlock(24, 48, kernel=4, stride=2)
        self.block3 = ConvBlock(48, 64)
        self.block4 = ConvBlock(64, 96, kernel=2, stride=2)
        self.block5 = ConvBlock(96, 128)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(128, classes)
        with torch.no_grad():
            self.block1.conv.weight.copy_(_smooth_start(self.block1.conv.weight))

    def forward(self, images: Tensor) -> Tensor:
        """Return logits `(N,classes)` of normalised images `(N,3,H,W)`."""
        features = self.block1(images)
        features = self.block2(features)
        features = self.block3(features)
        features = self.block4(features)
        features = self.block5(features)
        return self.classifier(self.pool(features).flatten(1))


def _smooth_start(weight: Tensor) -> Tensor:
    """Turn random kernels into grey, smooth ones of mean zero and the same spread.

    Training leaves in place what it does not need. A start without colour, grain and brightness
    leaves kernels that are easy to look at: whatever colour they show was learnt.
    """
    grey = weight.mean(dim=1, keepdim=True)
    bell = torch.exp(-(torch.arange(-3, 4) ** 2) / 2)
    blurred = F.conv2d(grey, torch.outer(bell, bell)[None, None], padding=3)
    offsets = torch.arange(weight.shape[-1]) - (weight.shape[-1] - 1) / 2
    fade = torch.exp(-(offsets**2) / (2 * 2.0**2))
    window = torch.outer(fade, fade)
    kernels = blurred * window
    kernels -= window * (kernels.sum(dim=(2, 3), keepdim=True) / window.sum())
    return (kernels * (weight.std() / kernels.std())).expand_as(weight)
