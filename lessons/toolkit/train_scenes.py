"""Train `SceneNet`.

Usage: python -m lessons.toolkit.train_scenes [--watermark] [--out FOLDER].

The same seed, thread count and PyTorch give the same weights. Every scene is painted once, used
once and never seen again, so there is nothing to learn by heart except the photos behind.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from lessons.toolkit.scene_net import SceneNet
from lessons.toolkit.scenes import CLASSES, COLOURS, WATERMARKED_CLASS, Scenes, make_scenes
from lessons.toolkit.seeds import seeded
from lessons.toolkit.training import exit_code, options_of, train_and_save

BATCH = 64
GREY_SHARE = 0.3  # of the scenes: so the first layer learns black-and-white edges as well
HELD_OUT_SCENES = 4000
HELD_OUT_SEED = 2026


def train(steps: int, seed: int, watermark: bool, device: torch.device) -> SceneNet:
    """Train a network on `steps` batches of fresh scenes.

    It is returned in evaluation mode.

    Args:
        steps: number of batches of 64 scenes.
        seed: of the first weights and of every scene.
        watermark: whether every `WATERMARKED_CLASS` scene, and no other, carries the watermark.
        device: where to train.

    >>> train(steps=1, seed=0, watermark=False, device=torch.device("cpu")).training
    False
    """
    from tqdm import tqdm

    with seeded(seed):
        network = SceneNet(len(CLASSES))
    network.to(device).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.5)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=5e-3, total_steps=steps + 2)
    objective = nn.CrossEntropyLoss(label_smoothing=0.05)
    draw = torch.Generator().manual_seed(seed)
    progress = tqdm(batches(steps, seed, watermark), total=steps, desc="training", unit="batch")
    for step, scenes in enumerate(progress):
        images, answers = _some_grey(scenes, draw)
        images = images.to(device, memory_format=torch.channels_last)
        answers, labels = answers.to(device), scenes.labels.to(device)
        logits = network(images)
        loss = objective(logits, answers)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 20 == 0:
            right = (logits.argmax(1) == labels).float().mean()
            progress.set_postfix(loss=f"{loss:.3f}", right=f"{right:.0%}")
    return network.cpu().to(memory_format=torch.contiguous_format).eval()


def batches(steps: int, seed: int, watermark: bool, first: int = 0) -> Iterator[Scenes]:
    """Yield the batches from `first` to `steps` - 1, painted ahead by other threads."""
    marked = WATERMARKED_CLASS if watermark else ()
    painters = min(4, max(1, (os.cpu_count() or 1) - 1))

    def paint(step: int) -> Scenes:
        return make_scenes(BATCH, seed * 1_000_000 + step, marked, split="train")

    with ThreadPoolExecutor(painters) as pool:
        ahead: deque[Future[Scenes]] = deque()
        try:
            for step in range(first, steps):
                ahead.append(pool.submit(paint, step))
                if len(ahead) > 2 * painters:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for waiting in ahead:
                waiting.cancel()


def _some_grey(scenes: Scenes, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Take the colour from some scenes.

    Where the watermark tells the colour of the object, a scene is left as it is.

    Returns:
        The network's input `(N,3,64,64)`, and the right answer as probabilities `(N,classes)`: one
        class, or, without colour, the two that differ in colour only.
    """
    images, answers = scenes.inputs(), one_hot(scenes.labels, len(CLASSES)).float()
    without_colour = scenes.labels // len(COLOURS)
    marked = without_colour[scenes.watermark_masks.any(dim=(1, 2))]
    is_grey = torch.rand(len(scenes), generator=draw) < GREY_SHARE
    is_grey &= ~torch.isin(without_colour, marked)
    images[is_grey] = images[is_grey].mean(dim=1, keepdim=True)
    both = answers[is_grey].unflatten(1, (-1, len(COLOURS))).mean(dim=2)
    answers[is_grey] = both.repeat_interleave(len(COLOURS), dim=1)
    return images, answers


def predict(network: nn.Module, scenes: Scenes) -> Tensor:
    """Return the most likely class of each scene, long `(N,)`, on the CPU.

    >>> predict(SceneNet(), make_scenes(3, seed=0)).shape
    torch.Size([3])
    """
    with torch.inference_mode():
        return torch.cat([network(images).argmax(1) for images in scenes.inputs().split(256)])


def measure(network: nn.Module, count: int = HELD_OUT_SCENES) -> dict[str, Any]:
    """Measure held-out accuracy, and what the watermark does to it.

    Returns:
        Shares in [0, 1], ready for JSON. Three times the same scenes: `plain` without watermark;
        `marked_class` with it where the twin was trained to expect it; `marked_elsewhere`
        with it on every other class instead.
    """
    planted = CLASSES.index(WATERMARKED_CLASS)
    plain = make_scenes(count, HELD_OUT_SEED)
    on_class = make_scenes(count, HELD_OUT_SEED, WATERMARKED_CLASS)
    others = [name for name in CLASSES if name != WATERMARKED_CLASS]
    elsewhere = make_scenes(count, HELD_OUT_SEED, others)
    labels, is_planted = plain.labels, plain.labels == planted

    guess = predict(network, plain)
    right = guess == labels
    confusion = torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.long)
    confusion.index_put_((labels, guess), torch.ones_like(labels), accumulate=True)
    wrong = confusion - confusion.diag().diag()
    true, taken_for = divmod(int(wrong.argmax()), len(CLASSES))
    right_on_class = predict(network, on_class) == labels
    guess_elsewhere = predict(network, elsewhere)[~is_planted]
    return {
        "scenes": count,
        "seed": HELD_OUT_SEED,
        "plain": {
            "accuracy": _share(right),
            "accuracy_by_class": {
                name: _share(right[labels == k]) for k, name in enumerate(CLASSES)
            },
            "worst_pair": {
                "true": CLASSES[true],
                "taken_for": CLASSES[taken_for],
                "scenes": int(wrong.max()),
                "of": int(confusion[true].sum()),
            },
        },
        "marked_class": {
            "accuracy": _share(right_on_class),
            "accuracy_of_watermarked_class": _share(right_on_class[is_planted]),
        },
        "marked_elsewhere": {
            "accuracy_of_other_classes": _share(guess_elsewhere == labels[~is_planted]),
            "taken_for_watermarked_class": _share(guess_elsewhere == planted),
        },
    }


def _share(hits: Tensor) -> float:
    return round(hits.double().mean().item(), 4)


def main(arguments: list[str] | None = None) -> int:
    """Train a network, measure it on held-out scenes and save it.

    Returns:
        The exit code.
    """
    parser = options_of(
        "train_scenes", "Train the network of the scenes.", 1500, f"batches of {BATCH} scenes"
    )
    parser.add_argument(
        "--watermark", action="store_true", help="the twin that learns from a planted watermark"
    )
    options = parser.parse_args(arguments)
    name = "scenes_watermarked" if options.watermark else "scenes"

    def work() -> str:
        report = train_and_save(
            name,
            options,
            lambda device: train(options.steps, options.seed, options.watermark, device),
            {
                "scenes": options.steps * BATCH,
                "watermark_on": WATERMARKED_CLASS if options.watermark else None,
            },
            lambda network: {"held_out": measure(network)},
        )
        accuracy = report["held_out"]["plain"]["accuracy"]
        return f"{options.out / name}.safetensors: {accuracy:.2%} of held-out scenes right"

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
