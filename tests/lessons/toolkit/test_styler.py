"""The training of the fast styler, its shipped weights, and the paintings whose style it takes."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch

from lessons.toolkit import train_styler
from lessons.toolkit.errors import UserError
from lessons.toolkit.paintings import painting
from lessons.toolkit.train_styler import FirstStages, judge, shipped_styler, train
from lessons.toolkit.weights import FOLDER
from solutions import l09_inversion_and_style as lesson

CPU = torch.device("cpu")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (("SIDE", 32), ("BATCH", 2), ("WIDTH", 2), ("BLOCKS", 1)):
        monkeypatch.setattr(train_styler, name, value)


def test_paintings_repeat_and_stay_in_range():
    for name in ("glass", "swirls"):
        one, same, other = (painting(name, 48, seed) for seed in (0, 0, 1))
        assert torch.equal(one, same) and not torch.equal(one, other)
        assert one.shape == (3, 48, 48) and 0 <= one.min() <= one.max() <= 1
        assert one.std((1, 2)).min() > 0.1
    with pytest.raises(UserError, match="glas"):
        painting("glas")


def test_the_first_stages_give_what_the_whole_network_gives():
    network, _ = judge()
    assert isinstance(network, FirstStages)
    images = torch.randn(1, 3, 40, 48, generator=torch.Generator().manual_seed(0))
    whole = train_styler.load_model().network
    layers = ["stem", "stages.1", "stages.3"]
    for one, other in zip(
        lesson.features_of(network, layers, images).values(),
        lesson.features_of(whole, layers, images).values(),
        strict=True,
    ):
        assert torch.equal(one, other)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_same_seed_same_weights(quick: None):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, same, other = (train(lesson, "glass", 2, seed, CPU).state_dict() for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["leave.weight"], other["leave.weight"])


def test_command_writes_weights_checksum_and_report(quick: None, tmp_path, capsys):
    given = ["glass", "--steps", "1", "--out", str(tmp_path), "--device", "cpu"]
    assert train_styler.main([*given, "--functions", lesson.__name__]) == 0
    data = (tmp_path / "styler_glass.safetensors").read_bytes()
    assert hashlib.sha256(data).hexdigest() in (tmp_path / "SHA256SUMS").read_text("utf-8")
    report = json.loads((tmp_path / "styler_glass.json").read_text("utf-8"))
    assert report["training"]["pictures"] == 2
    assert train_styler.main(["bronze", "--out", str(tmp_path)]) == 2
    assert "glass" in capsys.readouterr().err


def test_the_shipped_styler_is_small_and_paints():
    assert (FOLDER / "styler_glass.safetensors").stat().st_size < 2_000_000
    styler = shipped_styler(lesson, "glass")
    _, preprocess = judge()
    photo = preprocess.normalise(
        torch.rand(1, 3, 40, 52, generator=torch.Generator().manual_seed(0))
    )
    with torch.no_grad():
        painted = styler(photo)
    assert painted.shape == photo.shape and painted.abs().max() <= 1
    with pytest.raises(UserError, match="no checksum"):
        shipped_styler(lesson, "bronze")
