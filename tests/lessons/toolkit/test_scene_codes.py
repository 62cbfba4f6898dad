"""The codes of scenes: their training, the shipped weights, and the world they paint."""

from __future__ import annotations

import hashlib
import json

import pytest
import torch

from lessons.toolkit import train_scene_codes
from lessons.toolkit.models import load_model
from lessons.toolkit.scene_codes import SceneCodes, load_scene_codes
from lessons.toolkit.scenes import make_scenes
from lessons.toolkit.train_scene_codes import measure, train
from lessons.toolkit.weights import FOLDER

CPU = torch.device("cpu")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_scene_codes, "HELD_OUT_SCENES", 16)
    monkeypatch.setattr("lessons.toolkit.train_scenes.BATCH", 8)


def test_same_seed_same_weights(quick: None):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    one, same, other = (train(2, seed, CPU).state_dict() for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["generator.paint.weight"], other["generator.paint.weight"])


def test_command_writes_weights_checksum_and_report(quick: None, tmp_path, capsys):
    given = ["--steps", "1", "--out", str(tmp_path), "--device", "cpu"]
    assert train_scene_codes.main(given) == 0
    data = (tmp_path / "scene_codes.safetensors").read_bytes()
    assert hashlib.sha256(data).hexdigest() in (tmp_path / "SHA256SUMS").read_text("utf-8")
    report = json.loads((tmp_path / "scene_codes.json").read_text("utf-8"))
    assert report["training"]["steps"] == 1 and 0 <= report["held_out"]["class_kept"] <= 1
    assert "keep their class" in capsys.readouterr().out


def test_codes_have_an_eighth_of_the_size_and_pictures_come_back():
    codes = SceneCodes().eval()
    for height, width in ((64, 64), (40, 56)):
        code = codes.encoder(torch.zeros(2, 3, height, width)).mean
        assert code.shape == (2, 16, height // 8, width // 8)
        painted = codes.generator(code)
        assert painted.shape == (2, 3, height, width) and painted.abs().max() <= 1


def test_the_shipped_codes_keep_what_their_report_says():
    assert (FOLDER / "scene_codes.safetensors").stat().st_size < 2_000_000
    report = json.loads((FOLDER / "scene_codes.json").read_text("utf-8"))
    found = measure(load_scene_codes())
    assert found == pytest.approx(report["held_out"], abs=0.002)


def test_the_generator_is_at_home_around_the_codes_of_scenes():
    codes = load_scene_codes()
    assert not codes.training and not any(p.requires_grad for p in codes.parameters())
    scenes = make_scenes(128, seed=5)
    spread = codes.encoder(scenes.inputs())
    near = spread.mean + 0.3 * torch.randn(
        spread.mean.shape, generator=torch.Generator().manual_seed(0)
    )
    network = load_model("scenes").network
    with torch.no_grad():
        kept = [
            float((network(codes.generator(code)).argmax(1) == scenes.labels).float().mean())
            for code in (spread.mean, near)
        ]
    assert kept[1] > kept[0] - 0.1 and kept[0] > 0.8
