"""A small network that writes scenes as codes, and paints them again."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor, nn

from lessons.toolkit.seeds import seeded
from lessons.toolkit.weights import read_shipped

CHANNELS = 16  # of a code: each 8 x 8 pixels, three colours each, become so many numbers
WIDTHS = (24, 32, 64)  # of the layers at 1/2, 1/4 and 1/8 of the picture's size


class SceneEncoder(nn.Module):
    """Three convolutions of stride 2, then one that gives the code.

    >>> SceneEncoder()(torch.zeros(2, 3, 64, 64)).mean.shape
    torch.Size([2, 16, 8, 8])
    """

    def __init__(self) -> None:
        super().__init__()
        stages = zip((3, *WIDTHS), WIDTHS, strict=False)
        self.stages = nn.Sequential(
            *(_normed(nn.Conv2d(channels, width, 4, 2, 1)) for channels, width in stages)
        )
        self.code = nn.Conv2d(WIDTHS[-1], 2 * CHANNELS, 3, padding=1)

    def forward(self, images: Tensor) -> torch.distributions.Normal:
        """Return how codes of images are spread.

        Args:
            images: float (N, 3, H, W), normalised for the scenes' network.

        Returns:
            A normal distribution of codes (N, 16, H/8, W/8). Its mean is the code.
        """
        mean, log_variance = self.code(self.stages(images)).chunk(2, dim=1)
        return torch.distributions.Normal(mean, (0.5 * log_variance).exp(), validate_args=False)


class SceneGenerator(nn.Module):
    """Paint codes: three times enlarged by the nearest pixel, then convolved.

    >>> SceneGenerator()(torch.zeros(2, 16, 8, 8)).shape
    torch.Size([2, 3, 64, 64])
    """

    def __init__(self) -> None:
        super().__init__()
        conv = partial(nn.Conv2d, kernel_size=3, padding=1, padding_mode="replicate")
        stages: list[nn.Module] = [_normed(conv(CHANNELS, WIDTHS[-1]))]
        for channels, width in zip(WIDTHS[::-1], (*WIDTHS[-2::-1], 16), strict=True):
            stages += [nn.Upsample(scale_factor=2), _normed(conv(channels, width))]
        self.stages = nn.Sequential(*stages)
        self.paint = conv(16, 3)

    def forward(self, codes: Tensor) -> Tensor:
        """Return images (N, 3, 8h, 8w) within -1 and 1 of codes (N, 16, h, w).

        They are normalised for the scenes' network.
        """
        return self.paint(self.stages(codes)).tanh()


class SceneCodes(nn.Module):
    """An encoder and a generator trained together: a variational autoencoder.

    Codes of scenes have about mean 0 and spread 1 in each number, and codes beside them were
    painted in training, too. So the generator is at home in a whole neighbourhood of them.

    Paper: Kingma and Welling 2014, "Auto-Encoding Variational Bayes".
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = SceneEncoder()
        self.generator = SceneGenerator()


def load_scene_codes() -> SceneCodes:
    """Return encoder and generator with the weights that come with the course.

    They are in evaluation mode and frozen.

    Raises:
        UserError: the weights are missing or damaged.

    >>> codes = load_scene_codes()
    >>> codes.generator(torch.zeros(1, 16, 8, 8)).shape
    torch.Size([1, 3, 64, 64])
    """
    from safetensors.torch import load

    with seeded(0):
        both = SceneCodes()
    both.load_state_dict(load(read_shipped("scene_codes.safetensors")))
    return both.requires_grad_(False).eval()


def _normed(conv: nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(conv, nn.BatchNorm2d(conv.out_channels), nn.ReLU())
