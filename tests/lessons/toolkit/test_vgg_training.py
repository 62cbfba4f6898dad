"""The training of lesson 13's VGG: it can be stopped, goes on alike, and reads STL-10."""

from __future__ import annotations

import hashlib
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.datasets import STL10

from lessons.toolkit import train_vgg
from lessons.toolkit.errors import UserError
from lessons.toolkit.seeds import seeded
from lessons.toolkit.train_vgg import Task, checkpoint_path, main, stl10, train
from lessons.toolkit.training import interruptions, read_checkpoint, write_checkpoint
from lessons.toolkit.vgg_gap import VggGap, shipped_vgg
from lessons.toolkit.weights import FOLDER
from solutions import l13_cam as lesson

CPU = torch.device("cpu")
REFERENCE = "solutions.l13_cam"
STEPS = 5


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """As in a terminal: a shell lets a background job ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def tiny() -> Task:
    """A task of little squares, red, green or blue."""

    def batches(first: int, steps: int, seed: int) -> train_vgg.Batches:
        for step in range(first, steps):
            draw = torch.Generator().manual_seed(100 * seed + step)
            labels = torch.randint(3, (6,), generator=draw)
            images = torch.randn(6, 3, 12, 16, generator=draw)
            images[torch.arange(6), labels] += 1
            yield images, labels

    return Task(
        "tiny", ("red", "green", "blue"), (4, 6), (1, 1), 1e-2, batches, lambda: batches(0, 2, 7)
    )


def stopping(after: int) -> Any:
    """The reference, with somebody who presses Ctrl-C in the middle of a step."""
    taken, step = 0, lesson.train_step

    def train_step(*given: Any) -> Tensor:
        nonlocal taken
        taken += 1
        if taken == after:
            os.kill(os.getpid(), signal.SIGINT)
        return step(*given)

    return SimpleNamespace(GapHead=lesson.GapHead, train_step=train_step)


def test_a_training_that_was_stopped_ends_as_one_that_was_not(tmp_path: Path) -> None:
    whole = train(lesson, tiny(), STEPS, 3, CPU, tmp_path).state_dict()
    path = checkpoint_path(tmp_path, tiny())
    assert not path.exists()
    before = torch.get_rng_state()
    for after, left in ((2, 2), (1, 3)):  # stopped twice: after step 2, and again one step later
        with pytest.raises(KeyboardInterrupt, match=f"after {left} of {STEPS} steps. The same"):
            train(stopping(after), tiny(), STEPS, 3, CPU, tmp_path)
        assert torch.load(path, weights_only=True)["done"] == left
    parts = train(lesson, tiny(), STEPS, 3, CPU, tmp_path)
    assert not parts.training
    assert all(torch.equal(whole[name], now) for name, now in parts.state_dict().items())
    assert torch.equal(before, torch.get_rng_state())
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_second_ctrl_c_ends_at_once() -> None:
    with pytest.raises(KeyboardInterrupt), interruptions() as asked_to_stop:
        assert not asked_to_stop()
        os.kill(os.getpid(), signal.SIGINT)
        assert asked_to_stop()
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_where_ctrl_c_is_ignored_it_stays_so() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with interruptions() as asked_to_stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert not asked_to_stop()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN


def test_checkpoints_come_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_vgg, "KEEP_EVERY", 2)
    train(lesson, tiny(), STEPS, 3, CPU, tmp_path)
    assert torch.load(checkpoint_path(tmp_path, tiny()), weights_only=True)["done"] == 4
    assert [path.name for path in tmp_path.iterdir()] == ["tiny.checkpoint"]


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "tiny.checkpoint"
    write_checkpoint(path, {"settings": {"steps": 5, "seed": 0}, "done": 2})
    assert read_checkpoint(path, {"steps": 5, "seed": 0})["done"] == 2
    with pytest.raises(
        UserError, match="of another training: steps 5, seed 0, not steps 5, seed 1"
    ):
        read_checkpoint(path, {"steps": 5, "seed": 1})
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(UserError, match="is damaged"):
        read_checkpoint(path, {"steps": 5, "seed": 0})


@pytest.mark.gpu
def test_on_a_gpu(tmp_path: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    with pytest.raises(KeyboardInterrupt):
        train(stopping(1), tiny(), 3, 0, torch.device("cuda"), tmp_path)
    there = train(lesson, tiny(), 3, 0, torch.device("cuda"), tmp_path).state_dict()
    here = train(lesson, tiny(), 3, 0, CPU, tmp_path / "here").state_dict()
    for name, weights in here.items():
        torch.testing.assert_close(there[name], weights, rtol=1e-2, atol=1e-3)


# STL-10


def write_stl10(root: Path, monkeypatch: pytest.MonkeyPatch, count: int = 20) -> dict[str, Any]:
    """Write a small STL-10 in its own binary format, and have torchvision accept its checksums.

    Bytes go channel by channel, and in a channel column by column; labels go from 1 to 10.
    """
    folder = root / "stl10_binary"
    folder.mkdir(parents=True)
    draw, kept = np.random.default_rng(0), {}
    lists: dict[str, list[list[str]]] = {"train": [], "test": []}
    for split in ("train", "test", "unlabeled"):
        images = draw.integers(0, 256, (count, 3, 96, 96), dtype=np.uint8)
        labels = np.arange(count, dtype=np.uint8) % 10
        for photo, label in zip(images, labels, strict=True):
            photo[:, :, 40:44] = 20 * label  # a stripe that tells the class
        kept[split] = images, labels
        contents = {f"{split}_X.bin": images.transpose(0, 1, 3, 2).tobytes()}
        if split != "unlabeled":
            contents[f"{split}_y.bin"] = (labels + 1).tobytes()
        for name, content in contents.items():
            (folder / name).write_bytes(content)
            checksum = hashlib.md5(content, usedforsecurity=False).hexdigest()
            lists["test" if split == "test" else "train"].append([name, checksum])
    monkeypatch.setattr(STL10, "train_list", lists["train"])
    monkeypatch.setattr(STL10, "test_list", lists["test"])
    return kept


def test_stl10_is_read_as_it_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = write_stl10(tmp_path, monkeypatch)
    task = stl10(tmp_path)
    ((images, labels),) = task.held_out()
    photos, answers = kept["test"]
    torch.testing.assert_close(images, torch.from_numpy(photos).float() / 127.5 - 1)
    assert labels.tolist() == answers.tolist()
    names = "airplane bird car cat deer dog horse monkey ship truck"
    assert task.classes == tuple(names.split())

    once, again = ([*task.batches(first, 4, 0)] for first in (0, 2))
    for (one, target), (other, same) in zip(once[2:], again, strict=True):
        assert torch.equal(one, other) and torch.equal(target, same)
    seen = torch.cat([labels for _, labels in once[:1]])
    assert sorted(seen.tolist()) == sorted(kept["train"][1].tolist())  # each photo once
    for images, labels in once:  # moved or mirrored, a stripe keeps its class
        stripes = ((images + 1) * 127.5).round() == 20 * labels[:, None, None, None]
        assert stripes.all(2).any(-1).any(1).all()


def test_stl10_through_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_stl10(tmp_path / "data", monkeypatch)
    narrow = train_vgg.stl10

    def small(*given: Any) -> Task:
        task = narrow(*given)
        return Task(task.name, task.classes, (3, 4), (1, 1), 1e-2, task.batches, task.held_out)

    monkeypatch.setattr(train_vgg, "stl10", small)
    out = tmp_path / "out"
    options = ["--data", "stl10", "--root", str(tmp_path / "data"), "--steps", "2"]
    options += ["--out", str(out), "--device", "cpu"]
    assert main([*options, "--functions", REFERENCE]) == 0
    printed = capsys.readouterr().out
    assert "of 20 held-out images right" in printed
    assert all(f"%  {name}" in printed for name in train_vgg.STL10_CLASSES)
    report = json.loads((out / "vgg_stl10.json").read_text(encoding="utf-8"))
    assert [*report["held_out"]["accuracy_by_class"]] == [*train_vgg.STL10_CLASSES]
    assert {path.name for path in out.iterdir()} == {
        "SHA256SUMS",
        "vgg_stl10.json",
        "vgg_stl10.safetensors",
    }


def test_without_stl10_the_sentence_says_what_to_do(tmp_path: Path, capsys: Any) -> None:
    missing = ["--data", "stl10", "--root", str(tmp_path), "--functions", REFERENCE]
    assert main([*missing, "--out", str(tmp_path / "out")]) == 2
    assert "--data scenes" in capsys.readouterr().err
    assert main(["--data", "stl1O", "--functions", REFERENCE]) == 2
    assert "stl10" in capsys.readouterr().err


def test_the_scenes_through_the_command_stopped_and_gone_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train_vgg, "BATCH", 8)
    monkeypatch.setattr("lessons.toolkit.train_scenes.BATCH", 8)
    monkeypatch.setattr(train_vgg, "HELD_OUT_SCENES", 16)
    options = ["--steps", "2", "--device", "cpu", "--functions", REFERENCE]
    assert main([*options, "--out", str(tmp_path / "whole")]) == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lesson, "train_step", stopping(1).train_step)
        assert main([*options, "--out", str(tmp_path / "parts")]) == 130
    assert "Stopped after 1 of 2 steps. The same command goes on" in capsys.readouterr().err
    assert main([*options, "--out", str(tmp_path / "parts")]) == 0
    whole, parts = (
        (tmp_path / name / "vgg_scenes.safetensors").read_bytes() for name in ("whole", "parts")
    )
    assert whole == parts
    assert not (tmp_path / "parts" / "vgg_scenes.checkpoint").exists()


def test_what_is_not_written_yet_is_said_in_a_sentence(tmp_path: Path, capsys: Any) -> None:
    def stub(*given: Any) -> Tensor:
        raise NotImplementedError

    module = SimpleNamespace(GapHead=stub, train_step=stub, accuracy_by_class=stub)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(__import__("sys").modules, "a_stub", module)  # type: ignore[arg-type]
        assert main(["--functions", "a_stub", "--out", str(tmp_path), "--steps", "1"]) == 2
    assert "one of them is not written yet" in capsys.readouterr().err


# The network and its weights


def test_the_network_pools_between_its_blocks_and_keeps_what_is_below_zero() -> None:
    with seeded(0):
        network = VggGap(lesson.GapHead(8, 3), (4, 6, 8), (1, 2, 1)).eval()
    assert [*dict(network.features.named_children())] == [
        "block1",
        "pool1",
        "block2",
        "pool2",
        "block3",
    ]
    features = network.features(
        torch.randn(2, 3, 24, 36, generator=torch.Generator().manual_seed(0))
    )
    assert features.shape == (2, 8, 6, 9) and features.min() < 0
    slopes = [m.negative_slope for m in network.modules() if isinstance(m, torch.nn.LeakyReLU)]
    assert slopes == [0.2] * 4


def test_the_shipped_weights_are_those_of_the_report() -> None:
    network = shipped_vgg(lesson)
    report = json.loads((FOLDER / "vgg_scenes.json").read_text(encoding="utf-8"))
    assert report["parameters"] == sum(p.numel() for p in network.parameters()) == 135_704
    assert report["training"]["steps"] == train_vgg.STEPS["scenes"]
    assert report["training"]["processor_seconds"] < 180
    card = (FOLDER / "VGG_CARD.md").read_text(encoding="utf-8")
    assert f"{report['held_out']['accuracy']:.1%}".replace("%", " %") in card
    assert not network.training
