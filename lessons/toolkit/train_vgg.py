"""Train the VGG of lesson 13 with your own head and your own training step.

Usage: python -m lessons.toolkit.train_vgg [--data stl10 --root FOLDER] [--functions MODULE].

It learns the scenes, for which nothing is downloaded, or STL-10 (Coates, Lee and Ng 2011).
`GapHead`, `train_step` and `accuracy_by_class` come from the lesson's exercises, unless
`--functions` names another module. Ctrl-C ends the training after the step that runs, and loses
nothing: the same command goes on from there, and ends with the same weights as without a break. The
same seed, thread count and PyTorch give the same weights.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from lessons.toolkit.errors import UserError, unknown
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.scenes import CLASSES, make_scenes
from lessons.toolkit.seeds import seeded
from lessons.toolkit.train_scenes import BATCH, HELD_OUT_SEED, batches
from lessons.toolkit.training import (
    exit_code,
    interruptions,
    options_of,
    read_checkpoint,
    train_and_save,
    write_checkpoint,
)
from lessons.toolkit.vgg_gap import SCENES_DEPTHS, SCENES_WIDTHS, VggGap

FUNCTIONS = "lessons.l13_cam.exercises"
EXERCISES = ("GapHead", "train_step", "accuracy_by_class")
KEEP_EVERY = 50  # steps from one checkpoint to the next
HELD_OUT_SCENES = 2000
STEPS = {"scenes": 800, "stl10": 4000}  # by default
# In the order of the data set's labels, which is alphabetical.
STL10_CLASSES = (
    "airplane",
    "bird",
    "car",
    "cat",
    "deer",
    "dog",
    "horse",
    "monkey",
    "ship",
    "truck",
)
STL10_PREPROCESS = Preprocess(96, 96, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
MARGIN = 12  # pixels by which a crop of a photo may be moved


Batches = Iterator[tuple[Tensor, Tensor]]


@dataclass(frozen=True)
class Task:
    """What a network is to learn.

    Args:
        name: of the network and its files.
        classes: names in the order of the labels.
        widths, depths: the network's, as `VggGap` takes them.
        rate: the highest rate of learning.
        batches: `batches(first, steps, seed)` yields normalised images and labels of the steps from
            `first` to `steps` - 1, the same ones whatever `first` is.
        held_out: yields normalised images and labels that the training never sees.
    """

    name: str
    classes: tuple[str, ...]
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    rate: float
    batches: Callable[[int, int, int], Batches]
    held_out: Callable[[], Batches]


def scenes() -> Task:
    """Return the painted fish and butterflies, each scene seen once."""

    def train_batches(first: int, steps: int, seed: int) -> Batches:
        for painted in batches(steps, seed, watermark=False, first=first):
            yield painted.inputs(), painted.labels

    def held_out() -> Batches:
        painted = make_scenes(HELD_OUT_SCENES, HELD_OUT_SEED)
        return zip(painted.inputs().split(250), painted.labels.split(250), strict=True)

    return Task("vgg_scenes", CLASSES, SCENES_WIDTHS, SCENES_DEPTHS, 5e-3, train_batches, held_out)


def stl10(root: Path, download: bool = False) -> Task:
    """Return the labelled photos of STL-10, 96 x 96 pixels, ten classes.

    Torchvision reads and checks the files. In training each photo comes once before one comes
    again, moved by up to `MARGIN` pixels and mirrored by chance.

    Args:
        root: folder in which `stl10_binary` lies or is to lie.
        download: whether to fetch it, 2.6 GB, where it is missing.

    Raises:
        UserError: it is not there, damaged, or cannot be downloaded.
    """
    from torchvision.datasets import STL10

    def read(split: str) -> tuple[Tensor, Tensor]:
        try:
            data = STL10(str(root), split=split, download=download)
        except (OSError, RuntimeError) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise UserError(
                f"STL-10 cannot be had from {root} ({reason}).",
                "Add --download to fetch it (2.6 GB), or take the scenes: --data scenes.",
            ) from error
        return torch.tensor(data.data), torch.tensor(data.labels).long()

    train, test = read("train"), read("test")

    def train_batches(first: int, steps: int, seed: int) -> Batches:
        images, labels = train
        batch = min(BATCH, len(images))
        for step in range(first, steps):
            epoch, place = divmod(step, len(images) // batch)
            order = torch.randperm(len(images), generator=_generator(seed, 0, epoch))
            chosen = order[place * batch : (place + 1) * batch]
            photos = _varied(images[chosen], _generator(seed, 1, step))
            yield STL10_PREPROCESS.normalise(photos.float() / 255), labels[chosen]

    def held_out() -> Batches:
        for images, labels in zip(test[0].split(250), test[1].split(250), strict=True):
            yield STL10_PREPROCESS.normalise(images.float() / 255), labels

    return Task(
        "vgg_stl10", STL10_CLASSES, (32, 64, 128, 256), (2, 2, 2, 2), 4e-3, train_batches, held_out
    )


def _generator(seed: int, purpose: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed((2 * seed + purpose) * 1_000_003 + number)


def _varied(photos: Tensor, generator: torch.Generator) -> Tensor:
    """Move each photo, uint8 (N, 3, H, W), by some pixels, and mirror half."""
    side = photos.shape[-1]
    wide = functional.pad(photos.float(), [MARGIN] * 4, mode="reflect").to(photos.dtype)
    starts = torch.randint(2 * MARGIN + 1, (len(photos), 2), generator=generator).tolist()
    mirrored = torch.rand(len(photos), generator=generator) < 0.5
    crops = torch.stack(
        [
            photo[:, top : top + side, left : left + side]
            for photo, (top, left) in zip(wide, starts, strict=True)
        ]
    )
    return torch.where(mirrored[:, None, None, None], crops.flip(-1), crops)


def train(
    functions: Any, task: Task, steps: int, seed: int, device: torch.device, folder: Path
) -> VggGap:
    """Train a network, from its checkpoint where there is one.

    Args:
        functions: module with `GapHead` and `train_step`.
        task: what it learns.
        steps: number of batches.
        seed: of the first weights and of all that is drawn.
        device: where to train.
        folder: of the checkpoint, which is removed by whoever has saved the weights.

    Returns:
        The network on the CPU, in evaluation mode.

    Raises:
        UserError: the checkpoint is damaged, or of another training.
        KeyboardInterrupt: Ctrl-C was pressed. The checkpoint then holds all that has been learnt.
    """
    from tqdm import tqdm

    with seeded(seed):
        head = functions.GapHead(task.widths[-1], len(task.classes))
        network = VggGap(head, task.widths, task.depths)
    network.to(device).to(memory_format=torch.channels_last).train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, task.rate, total_steps=steps + 2)
    learners: dict[str, Any] = {"network": network, "optimiser": optimiser, "schedule": schedule}
    path, settings = checkpoint_path(folder, task), {"steps": steps, "seed": seed}
    done = 0
    if path.exists():
        kept = read_checkpoint(path, settings)
        done = kept["done"]
        for name, learner in learners.items():
            learner.load_state_dict(kept[name])

    def keep() -> None:
        states = {name: learner.state_dict() for name, learner in learners.items()}
        write_checkpoint(path, {"settings": settings, "done": done, **states})

    with (
        interruptions() as asked_to_stop,
        tqdm(total=steps, initial=done, desc="training", unit="batch") as progress,
    ):
        for images, target in task.batches(done, steps, seed):
            images = images.to(device, memory_format=torch.channels_last)
            loss = functions.train_step(network, images, target.to(device), optimiser)
            schedule.step()
            done += 1
            progress.update()
            if done % 20 == 0:
                progress.set_postfix(loss=f"{float(loss):.3f}")
            if asked_to_stop() or done % KEEP_EVERY == 0:
                keep()
            if asked_to_stop():
                raise KeyboardInterrupt(
                    f"Stopped after {done} of {steps} steps. The same command goes on from there; "
                    "with --fresh it begins anew."
                )
    return network.cpu().to(memory_format=torch.contiguous_format).eval()


def checkpoint_path(folder: Path, task: Task) -> Path:
    """Return where the checkpoint of a training lies."""
    return folder / f"{task.name}.checkpoint"


def measure(functions: Any, network: VggGap, task: Task) -> dict[str, Any]:
    """Measure the share of held-out images that are right, of all and of each class.

    Args:
        functions: module with `accuracy_by_class`.
        network: in evaluation mode, on the CPU.
        task: gives the images.

    Returns:
        The number of images, `accuracy`, and `accuracy_by_class` by name, ready for JSON. A class
        without images has None.
    """
    with torch.inference_mode():
        parts = [(network(images), labels) for images, labels in task.held_out()]
    logits, labels = (torch.cat(part) for part in zip(*parts, strict=True))
    shares = functions.accuracy_by_class(logits.double(), labels).tolist()
    return {
        "images": len(labels),
        "accuracy": round(float((logits.argmax(1) == labels).double().mean()), 4),
        "accuracy_by_class": {
            name: None if share != share else round(share, 4)  # NaN is not equal to itself
            for name, share in zip(task.classes, shares, strict=True)
        },
    }


def table(held_out: dict[str, Any]) -> str:
    """Return the shares of each class as lines of text, the lowest first.

    >>> print(table({"accuracy_by_class": {"cat": 0.75, "deer": 0.5, "ship": None}}))
     50.0 %  deer
     75.0 %  cat
          -  ship
    """
    shares = held_out["accuracy_by_class"].items()
    ordered = sorted(shares, key=lambda item: 2 if item[1] is None else item[1])
    return "\n".join(
        f"{'-' if share is None else f'{share:.1%}'.replace('%', ' %'):>7}  {name}"
        for name, share in ordered
    )


def main(arguments: list[str] | None = None) -> int:
    """Train a network, measure it on held-out images and save it.

    Returns:
        The exit code.
    """
    parser = options_of(
        "train_vgg",
        "Train a VGG with a head of your own.",
        STEPS["scenes"],
        f"batches of {BATCH} images, for stl10 {STEPS['stl10']}",
    )
    parser.set_defaults(steps=None)
    parser.add_argument("--data", default="scenes", help="scenes or stl10 (scenes)")
    parser.add_argument("--root", type=Path, default=Path("build/data"), help="(build/data)")
    parser.add_argument("--download", action="store_true", help="fetch STL-10, 2.6 GB")
    parser.add_argument("--fresh", action="store_true", help="begin anew, without the checkpoint")
    parser.add_argument("--functions", default=FUNCTIONS, help=f"({FUNCTIONS})")
    return exit_code(lambda: _train(parser.parse_args(arguments)))


def _train(options: argparse.Namespace) -> str:
    if options.data not in STEPS:
        raise unknown("data", options.data, STEPS)
    options.steps = STEPS[options.data] if options.steps is None else options.steps
    functions = importlib.import_module(options.functions)
    task = stl10(options.root, options.download) if options.data == "stl10" else scenes()
    checkpoint = checkpoint_path(options.out, task)
    if options.fresh:
        checkpoint.unlink(missing_ok=True)
    try:
        report = train_and_save(
            task.name,
            options,
            lambda device: train(functions, task, options.steps, options.seed, device, options.out),
            {"images": options.steps * BATCH, "data": options.data},
            lambda network: {"held_out": measure(functions, network, task)},
        )
    except NotImplementedError as error:
        raise UserError(
            f"The training needs {', '.join(EXERCISES)} of {options.functions}, and one of them is "
            "not written yet.",
            "Write it; `convlens check cam` says which one.",
        ) from error
    checkpoint.unlink(missing_ok=True)
    held_out = report["held_out"]
    return (
        f"{options.out / task.name}.safetensors: {held_out['accuracy']:.2%} of "
        f"{held_out['images']} held-out images right\n{table(held_out)}"
    )


if __name__ == "__main__":
    sys.exit(main())
