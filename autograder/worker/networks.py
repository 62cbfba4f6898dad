"""The small networks that checks run on, by name and seed.

Each is there for one trap: an in-place ReLU that overwrites what a hook saw, a ReLU that is a
function and not a module, a shortcut, a BatchNorm that train mode would move. They take RGB images
of any size from about 12 pixels, and give five logits; the painter gives images.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autograder.protocol.wire import ModelSpec
from lessons.toolkit.seeds import seeded

CLASSES = 5


class Plain(nn.Module):
    """Two convolutions with ReLU modules, global average pooling, one linear layer."""

    def __init__(self, inplace: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.relu1: nn.Module = nn.ReLU(inplace)
        self.pool: nn.Module = nn.AvgPool2d(2)
        self.conv2 = nn.Conv2d(6, 8, 3, padding=1)
        self.relu2: nn.Module = nn.ReLU(inplace)
        self.classifier = nn.Linear(8, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        features = self.relu1(self.conv1(images))
        features = self.relu2(self.conv2(self.pool(features)))
        return self.classifier(features.mean((2, 3)))


class Pooled(Plain):
    """The plain network with max pooling: where the largest value was is remembered."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.MaxPool2d(2)


class Functional(Plain):
    """The plain network with ReLU as a function, so without a module to hook."""

    def __init__(self) -> None:
        super().__init__()
        del self.relu1, self.relu2

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        features = F.relu(self.conv1(images))
        features = torch.relu(self.conv2(self.pool(features)))
        return self.classifier(features.mean((2, 3)))


class Relu6(Plain):
    """ReLU6 after a first layer whose outputs reach the ceiling of 6."""

    def __init__(self) -> None:
        super().__init__()
        self.relu1 = nn.ReLU6()
        self.relu2 = nn.ReLU6()
        with torch.no_grad():
            self.conv1.weight.mul_(6.0)


class Residual(nn.Module):
    """One residual block, where the ReLU's input also feeds the shortcut."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.conv1 = nn.Conv2d(6, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 6, 3, padding=1)
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(6, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        stem = self.stem(images)
        branch = self.conv2(self.relu(self.conv1(self.relu(stem))))
        return self.classifier(self.relu(stem + branch).mean((2, 3)))


class Normalised(nn.Module):
    """A network with BatchNorm and dropout.

    Train mode changes its answer and moves the running statistics.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1)
        self.relu2 = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.classifier = nn.Linear(8, CLASSES)
        with torch.no_grad():
            for name, statistic in self.norm.named_buffers():
                if name == "running_mean":
                    statistic.normal_(0, 0.3)
                elif name == "running_var":
                    statistic.uniform_(0.5, 2.0)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        features = self.relu1(self.norm(self.conv1(images)))
        features = self.relu2(self.conv2(features))
        return self.classifier(self.dropout(features.mean((2, 3))))


class Nested(nn.Module):
    """Modules within modules, with dotted names.

    `blocks.1` returns something else than its own last part does, and one layer returns its input.
    `auxiliary` is a second classifier for training alone, as in GoogLeNet, and never runs here.
    """

    def __init__(self) -> None:
        super().__init__()
        self.entry = nn.Identity()
        self.stem = nn.Sequential()
        self.stem.add_module("conv", nn.Conv2d(3, 6, 3, stride=2, padding=1))
        self.stem.add_module("relu", nn.ReLU(inplace=True))
        self.blocks = nn.Sequential(_Block(6), _Block(6))
        self.classifier = nn.Linear(6, CLASSES)
        self.auxiliary = nn.Linear(6, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        features = self.blocks(self.stem(self.entry(images))).mean((2, 3))
        logits = self.classifier(features)
        return logits + self.auxiliary(features) if self.training else logits


class _Block(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.relu(self.conv(x))


class Linear(nn.Module):
    """A 1x1 convolution and a sum, with the same gradient at every pixel.

    Logit k of image x is ``sum_c w[k, c] * sum_hw x[c, h, w]``, so every answer is known on paper.
    """

    def __init__(self) -> None:
        super().__init__()
        self.mix = nn.Conv2d(3, CLASSES, 1, bias=False)

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        return self.mix(images).sum((2, 3))


class Patches(nn.Module):
    """Patches of 4x4 pixels, each seen by itself.

    A map over them is known on paper. `patch` gives the mean red, green and blue of a patch. Every
    colour speaks for class 0, and every colour against class 1.
    """

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 3, 4, stride=4, bias=False)
        self.relu = nn.ReLU()
        self.classifier = nn.Linear(3, CLASSES)
        with torch.no_grad():
            self.patch.weight.copy_(torch.eye(3)[:, :, None, None].expand(3, 3, 4, 4) / 16)
            weight = self.classifier.weight.uniform_(-1, 1)
            weight[:2] = weight[:1].abs() + 0.1
            weight[1] *= -1

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 5) of images (N, 3, H, W)."""
        return self.classifier(self.relu(self.patch(images)).mean((2, 3)))


class Painter(nn.Module):
    """Paints images of codes, as a generator does: the one that is no classifier.

    Two convolutions, the second at four times the size. Codes have three channels.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.conv2 = nn.Conv2d(6, 3, 3, padding=1)

    def forward(self, codes: Tensor) -> Tensor:
        """Return images (N, 3, 4h, 4w) of codes (N, 3, h, w)."""
        return self.conv2(F.interpolate(self.conv1(codes).relu(), scale_factor=4)).tanh()


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": Plain,
    "inplace": lambda: Plain(inplace=True),
    "pooled": Pooled,
    "functional": Functional,
    "relu6": Relu6,
    "residual": Residual,
    "normalised": Normalised,
    "nested": Nested,
    "linear": Linear,
    "frozen": lambda: Plain(inplace=True).requires_grad_(False),
    "patches": Patches,
    "painter": Painter,
}


def build(spec: ModelSpec) -> nn.Module:
    """Build the network that a spec names, in eval mode.

    The seed is set without changing the global generator.

    >>> build(ModelSpec("plain", seed=3))(torch.zeros(2, 3, 16, 20)).shape
    torch.Size([2, 5])
    """
    with seeded(spec.seed):
        network = NETWORKS[spec.name]()
    dtype = {"float32": torch.float32, "float64": torch.float64}[spec.dtype]
    return network.to(dtype).eval()
