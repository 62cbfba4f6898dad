"""Train the codes of scenes, measure them on held-out scenes and save them.

Usage: python -m lessons.toolkit.train_scene_codes [--steps N] [--out FOLDER].

The same seed, thread count and PyTorch give the same weights.
"""

from __future__ import annotations

import sys

import torch
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from lessons.toolkit.models import load_model
from lessons.toolkit.scene_codes import SceneCodes
from lessons.toolkit.scenes import make_scenes
from lessons.toolkit.seeds import seeded
from lessons.toolkit.train_scenes import BATCH, batches
from lessons.toolkit.training import exit_code, options_of, train_and_save

NAME = "scene_codes"
LAYERS = ("block1", "block2", "block3", "block5")  # whose features are to come back as well
COLOUR_WEIGHT, FEATURE_WEIGHT, CODE_WEIGHT = 7.5, 0.5, 0.02
HELD_OUT_SCENES, HELD_OUT_SEED = 1024, 77


def train(steps: int, seed: int, device: torch.device) -> SceneCodes:
    """Train encoder and generator on `steps` batches of fresh scenes.

    A painted scene is to have the scene's colours, and in the scenes' network its features
    (Dosovitskiy and Brox 2016); its code is to be normal. They are returned in evaluation mode.

    Args:
        steps: number of batches of 64 scenes.
        seed: of the first weights, of every scene and of the codes that are drawn.
        device: where to train.

    >>> train(steps=1, seed=0, device=torch.device("cpu")).training
    False
    """
    from tqdm import tqdm

    judge = load_model("scenes").network.requires_grad_(False).to(device)
    with seeded(seed):
        codes = SceneCodes()
    codes.to(device).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(codes.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=4e-3, total_steps=steps + 2)
    draw = torch.Generator().manual_seed(seed)
    kept: dict[str, Tensor] = {}
    for layer in LAYERS:
        judge.get_submodule(layer).register_forward_hook(
            lambda module, inputs, output, layer=layer: kept.update({layer: output})
        )

    def features(images: Tensor) -> dict[str, Tensor]:
        judge(images)
        return dict(kept)

    for step, scenes in enumerate(
        progress := tqdm(batches(steps, seed, False), total=steps, desc="training", unit="batch")
    ):
        images = scenes.inputs().to(device, memory_format=torch.channels_last)
        spread = codes.encoder(images)
        noise = torch.randn(spread.mean.shape, generator=draw).to(device)
        painted = codes.generator(spread.mean + noise * spread.stddev)
        with torch.no_grad():
            wanted = features(images)
        given = features(painted)
        off = [
            (given[layer] - wanted[layer]).square().mean() / wanted[layer].square().mean()
            for layer in LAYERS
        ]
        loss = (
            COLOUR_WEIGHT * (painted - images).abs().mean()
            + FEATURE_WEIGHT * torch.stack(off).sum()
            + CODE_WEIGHT * kl_divergence(spread, Normal(0, 1, validate_args=False)).mean()
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 20 == 0:
            progress.set_postfix(loss=f"{loss:.3f}")
    return codes.cpu().to(memory_format=torch.contiguous_format).eval()


def measure(codes: SceneCodes) -> dict[str, float]:
    """Measure what comes back of held-out scenes.

    Returns:
        The mean error of a colour in [0, 1], and the share of painted scenes in which the scenes'
        network finds the class of the scene.
    """
    scenes = make_scenes(HELD_OUT_SCENES, HELD_OUT_SEED)
    images = scenes.inputs()
    with torch.inference_mode():
        painted = torch.cat(
            [codes.generator(codes.encoder(part).mean) for part in images.split(256)]
        )
        logits = load_model("scenes").network(painted)
    return {
        "colour_error": round(float((painted - images).abs().mean()) / 2, 4),
        "class_kept": round(float((logits.argmax(1) == scenes.labels).float().mean()), 4),
    }


def main(arguments: list[str] | None = None) -> int:
    """Train the codes and save them.

    Returns:
        The exit code.
    """
    options = options_of(
        "train_scene_codes",
        "Train a network that writes scenes as codes and paints them again.",
        1000,
        f"batches of {BATCH} scenes",
    ).parse_args(arguments)

    def work() -> str:
        report = train_and_save(
            NAME,
            options,
            lambda device: train(options.steps, options.seed, device),
            {"scenes": options.steps * BATCH},
            lambda codes: {"held_out": measure(codes)},
        )
        kept = report["held_out"]["class_kept"]
        return f"{options.out / NAME}.safetensors: {kept:.1%} of held-out scenes keep their class"

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
