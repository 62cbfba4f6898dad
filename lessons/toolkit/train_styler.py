"""Train `FastStyler` of lesson 9 to paint in one style.

Usage: python -m lessons.toolkit.train_styler glass [--functions MODULE] [--out FOLDER].

It trains your own: `FastStyler`, `fast_style_loss` and the rest come from the lesson's exercises,
unless `--functions` names another module. The same seed, thread count and PyTorch give the same
weights. Ctrl-C ends the training, and what has been learnt so far is saved.
"""

from __future__ import annotations

import importlib
import sys
from contextlib import suppress
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit.efficientnet import EfficientNetLite0
from lessons.toolkit.models import load_model
from lessons.toolkit.paintings import painting
from lessons.toolkit.photos import PHOTOS, load_photo
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.scenes import make_scenes
from lessons.toolkit.seeds import seeded
from lessons.toolkit.training import exit_code, options_of, train_and_save
from lessons.toolkit.weights import read_shipped

FUNCTIONS = "lessons.l09_inversion_and_style.exercises"
CONTENT_LAYER = "stages.2"
STYLE_LAYERS = ("stem", "stages.0", "stages.1", "stages.2", "stages.3")
CONTENT_WEIGHT, STYLE_WEIGHT, VARIATION = 1.0, 4.0, 0.03
WIDTH, BLOCKS = 16, 3
SIDE, BATCH = 96, 4
SCENES_SHARE = 0.25  # of the pictures that are painted in training; the others are photos


class FirstStages(nn.Module):
    """The first stages of EfficientNet-Lite0, under their own names.

    Losses ask no later layer, and a pass through the others would be for nothing.

    Args:
        network: whose layers are shared.
        stages: how many.

    >>> FirstStages(EfficientNetLite0(), 4)(torch.zeros(1, 3, 64, 64)).shape
    torch.Size([1, 80, 4, 4])
    """

    def __init__(self, network: EfficientNetLite0, stages: int) -> None:
        super().__init__()
        self.stem = network.stem
        self.stages = network.stages[:stages]

    def forward(self, images: Tensor) -> Tensor:
        """Return the last stage's features (N, C, h, w) of images (N, 3, H, W)."""
        features: Tensor = self.stages(self.stem(images))
        return features


def judge() -> tuple[FirstStages, Preprocess]:
    """Return the network that judges styles, frozen, and its preprocessing."""
    classifier = load_model()
    network = classifier.network
    assert isinstance(network, EfficientNetLite0)
    return FirstStages(network, 4).requires_grad_(False).eval(), classifier.preprocess


def style_images(name: str, preprocess: Preprocess, size: int = 224) -> Tensor:
    """Return a painting as a normalised image (1, 3, size, size)."""
    return preprocess.normalise(painting(name, size))[None]


def shipped_styler(functions: Any, name: str) -> nn.Module:
    """Return a `FastStyler` with the weights that come with the course.

    Args:
        functions: module with `FastStyler`.
        name: of the painting whose style it has learnt.

    Raises:
        UserError: there are no such weights, or they are damaged.
    """
    from safetensors.torch import load

    with seeded(0):
        styler: nn.Module = functions.FastStyler(WIDTH, BLOCKS)
    styler.load_state_dict(load(read_shipped(f"styler_{name}.safetensors")))
    return styler.eval()


def train(functions: Any, name: str, steps: int, seed: int, device: torch.device) -> nn.Module:
    """Train a styler, and return it on the CPU.

    Args:
        functions: module with `FastStyler`, `fast_style_loss`, `features_of` and `gram_matrix`.
        name: of the painting whose style it learns.
        steps: number of batches of four pictures.
        seed: of the first weights and of the pictures.
        device: where to train.
    """
    from tqdm import tqdm

    network, preprocess = judge()
    network.to(device)
    with seeded(seed):
        styler: nn.Module = functions.FastStyler(WIDTH, BLOCKS)
    styler.to(device)
    seen = functions.features_of(network, STYLE_LAYERS, style_images(name, preprocess).to(device))
    grams = [functions.gram_matrix(seen[layer]) for layer in STYLE_LAYERS]
    optimiser = torch.optim.Adam(styler.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, total_steps=steps + 2)
    draw = torch.Generator().manual_seed(seed)
    with suppress(KeyboardInterrupt):
        for step in (progress := tqdm(range(steps), desc=f"learning {name}", unit="batch")):
            images = preprocess.normalise(_pictures(draw, step)).to(device)
            wanted = functions.features_of(network, [CONTENT_LAYER], images)[CONTENT_LAYER]
            loss = functions.fast_style_loss(
                network,
                styler(images),
                wanted,
                grams,
                CONTENT_LAYER,
                STYLE_LAYERS,
                CONTENT_WEIGHT,
                STYLE_WEIGHT,
                VARIATION,
            )
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if step % 20 == 0:
                progress.set_postfix(loss=f"{loss:.3f}")
    return styler.cpu().eval()


def _pictures(draw: torch.Generator, step: int) -> Tensor:
    """Draw a batch of crops of photos and of scenes, with colours in [0, 1]."""
    pictures = []
    for number in range(BATCH):
        if float(torch.rand((), generator=draw)) < SCENES_SHARE:
            scene = make_scenes(1, BATCH * step + number, split="train").images
            crop = functional.interpolate(scene, (SIDE, SIDE), mode="bilinear")[0]
        else:
            photo = _photo(list(PHOTOS)[_whole(draw, len(PHOTOS))])
            side = SIDE + _whole(draw, min(photo.shape[1:]) - SIDE + 1)
            top, left = (_whole(draw, size - side + 1) for size in photo.shape[1:])
            part = photo[None, :, top : top + side, left : left + side]
            crop = functional.interpolate(part, (SIDE, SIDE), mode="bilinear", antialias=True)[0]
        pictures.append(crop.flip(2) if _whole(draw, 2) else crop)
    return torch.stack(pictures)


def _whole(draw: torch.Generator, most: int) -> int:
    return int(torch.randint(most, (), generator=draw))


@cache
def _photo(name: str) -> Tensor:
    """Return a photo (3, H, W) in [0, 1] whose shorter side is 256."""
    import numpy as np

    photo = load_photo(name)
    scale = 256 / min(photo.size)
    small = photo.resize((round(photo.width * scale), round(photo.height * scale)))
    return torch.from_numpy(np.array(small)).permute(2, 0, 1) / 255


def main(arguments: list[str] | None = None) -> int:
    """Train a styler and save it.

    Returns:
        The exit code.
    """
    parser = options_of(
        "train_styler",
        "Train a network that paints in one style.",
        500,
        f"batches of {BATCH} pictures",
    )
    parser.add_argument("style", help="glass or swirls")
    parser.add_argument("--functions", default=FUNCTIONS, help=f"({FUNCTIONS})")
    options = parser.parse_args(arguments)
    name = f"styler_{options.style}"

    def work() -> str:
        painting(options.style, 16)  # a name that does not exist is refused before the training
        functions = importlib.import_module(options.functions)
        report = train_and_save(
            name,
            options,
            lambda device: train(functions, options.style, options.steps, options.seed, device),
            {"pictures": options.steps * BATCH},
            lambda styler: {"width": WIDTH, "blocks": BLOCKS},
        )
        return f"{options.out / name}.safetensors: {report['parameters']:,} weights"

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
