"""A plain network in the manner of VGG, whose head the reader brings."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from torch import Tensor, nn

from lessons.toolkit.scenes import CLASSES
from lessons.toolkit.seeds import seeded
from lessons.toolkit.weights import read_shipped

SLOPE = 0.2  # of the LeakyReLU below zero


class VggGap(nn.Module):
    """Blocks of 3x3 convolutions with LeakyReLU, a pooling between two, and a head.

    In VGG (Simonyan and Zisserman 2014) three fully connected layers follow the last block, and
    most of the weights are in them. Here a head of one's own follows. Each convolution has a batch
    norm, so that it learns in minutes. A kernel of 3 with stride 1 is centred, and so is a pooling
    of 2 with stride 2: a place of the last map looks at the middle of its square of pixels.

    Args:
        head: takes features (N, C, h, w) of the last block and returns logits.
        widths: channels of each block, the last of them C.
        depths: convolutions of each block.

    >>> import torch
    >>> head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 5))
    >>> network = VggGap(head, widths=(4, 8, 16), depths=(1, 1, 2))
    >>> network.features(torch.zeros(2, 3, 32, 48)).shape
    torch.Size([2, 16, 8, 12])
    >>> network(torch.zeros(2, 3, 32, 48)).shape
    torch.Size([2, 5])
    """

    def __init__(self, head: nn.Module, widths: Sequence[int], depths: Sequence[int]) -> None:
        super().__init__()
        parts: OrderedDict[str, nn.Module] = OrderedDict()
        channels = 3
        for number, (width, depth) in enumerate(zip(widths, depths, strict=True), start=1):
            if number > 1:
                parts[f"pool{number - 1}"] = nn.MaxPool2d(2)
            layers: list[nn.Module] = []
            for _ in range(depth):
                layers += [
                    nn.Conv2d(channels, width, 3, padding=1, bias=False),
                    nn.BatchNorm2d(width),
                    nn.LeakyReLU(SLOPE),
                ]
                channels = width
            parts[f"block{number}"] = nn.Sequential(*layers)
        self.features = nn.Sequential(parts)
        self.head = head

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, K) of normalised images (N, 3, H, W)."""
        logits: Tensor = self.head(self.features(images))
        return logits


SCENES_WIDTHS, SCENES_DEPTHS = (16, 32, 64, 128), (1, 1, 2, 1)


def shipped_vgg(functions: Any) -> VggGap:
    """Return a `VggGap` with the weights that come with the course.

    They were trained on the scenes.

    Args:
        functions: module with `GapHead`.

    Raises:
        UserError: the weights are missing or damaged.
    """
    from safetensors.torch import load

    with seeded(0):
        head = functions.GapHead(SCENES_WIDTHS[-1], len(CLASSES))
        network = VggGap(head, SCENES_WIDTHS, SCENES_DEPTHS)
    network.load_state_dict(load(read_shipped("vgg_scenes.safetensors")))
    return network.eval()
