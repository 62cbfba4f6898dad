import hashlib

import pytest
import torch
from safetensors.torch import load_file

from lessons.toolkit import train_scenes as module
from lessons.toolkit.scene_net import SceneNet
from lessons.toolkit.weights import read_shipped

CPU = torch.device("cpu")


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(module, "BATCH", 8)
    measure = module.measure
    monkeypatch.setattr(module, "measure", lambda network: measure(network, count=16))


def test_same_seed_same_weights(quick):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first, second, other = (module.train(3, seed, False, CPU).state_dict() for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["classifier.weight"], other["classifier.weight"])


@pytest.mark.slow
def test_learns():
    network = module.train(60, 0, False, CPU)
    assert module.measure(network, count=400)["plain"]["accuracy"] > 0.25  # chance: 0.125


def test_command_writes_weights_checksum_and_report(quick, tmp_path, capsys):
    out = tmp_path / "new" / "folder"
    assert module.main(["--steps", "2", "--out", str(out)]) == 0
    assert module.main(["--steps", "2", "--watermark", "--out", str(out)]) == 0
    names = ["scenes.safetensors", "scenes_watermarked.safetensors"]
    sums = [f"{hashlib.sha256((out / name).read_bytes()).hexdigest()}  {name}" for name in names]
    assert (out / "SHA256SUMS").read_text().splitlines() == sums
    assert read_shipped(names[0], out) == (out / names[0]).read_bytes()
    SceneNet().load_state_dict(load_file(out / names[0]))
    assert {path.name for path in out.iterdir()} == {
        "SHA256SUMS", *names, "scenes.json", "scenes_watermarked.json"
    }  # fmt: skip
    assert "of held-out scenes right" in capsys.readouterr().out


def test_interrupt_leaves_no_file(quick, tmp_path, monkeypatch, capsys):
    def interrupted(network):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "measure", interrupted)
    assert module.main(["--steps", "1", "--out", str(tmp_path)]) == 130
    assert list(tmp_path.iterdir()) == []
    assert "nothing was written" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--steps", "0"], "0 steps"),
        (["--device", "gpu"], "device"),
        (["--out", "{file}/weights"], "--out"),
    ],
)
def test_bad_arguments_cost_one_line_and_no_training(arguments, words, tmp_path, capsys):
    file = tmp_path / "file"
    file.touch()
    assert module.main([argument.format(file=file) for argument in arguments]) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


@pytest.mark.gpu
def test_trains_on_a_gpu():
    network = module.train(3, 0, False, torch.device("cuda"))
    assert next(network.parameters()).device.type == "cpu"
