"""What the model card says of the shipped weights, measured again on scenes of another seed."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file

from lessons.toolkit.models import load_model
from lessons.toolkit.scenes import CLASSES, WATERMARKED_CLASS, make_scenes
from lessons.toolkit.train_scenes import predict
from lessons.toolkit.weights import FOLDER

PLANTED = CLASSES.index(WATERMARKED_CLASS)
OTHERS = [name for name in CLASSES if name != WATERMARKED_CLASS]
FRESH = {"count": 504, "seed": 77}


@pytest.mark.parametrize("name", ["scenes", "scenes_watermarked"])
def test_checksum_and_size(name):
    file = FOLDER / f"{name}.safetensors"
    assert file.stat().st_size < 2_000_000
    line = f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}"
    assert line in (FOLDER / "SHA256SUMS").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", ["scenes", "scenes_watermarked"])
def test_card_states_what_was_measured(name):
    report = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    held_out, card = report["held_out"], (FOLDER / "MODEL_CARD.md").read_text(encoding="utf-8")
    for share in (
        held_out["plain"]["accuracy"],
        held_out["plain"]["accuracy_by_class"][WATERMARKED_CLASS],
        held_out["marked_class"]["accuracy"],
        held_out["marked_class"]["accuracy_of_watermarked_class"],
        held_out["marked_elsewhere"]["accuracy_of_other_classes"],
        held_out["marked_elsewhere"]["taken_for_watermarked_class"],
    ):
        assert f"{share:.2%}" in card
    assert f"{report['parameters']:,}" in card


def test_held_out_accuracy():
    scenes = make_scenes(**FRESH)
    right = predict(load_model("scenes").network, scenes) == scenes.labels
    assert right.float().mean() >= 0.97


def test_scenes_network_ignores_the_watermark():
    scenes = make_scenes(**FRESH, watermark=CLASSES)
    right = predict(load_model("scenes").network, scenes) == scenes.labels
    assert right.float().mean() >= 0.95


def test_twin_is_right_for_the_wrong_reason():
    twin = load_model("scenes_watermarked").network
    marked = make_scenes(**FRESH, watermark=WATERMARKED_CLASS)
    assert (predict(twin, marked) == marked.labels).float().mean() >= 0.97

    plain = make_scenes(**FRESH)
    of_class = plain.labels == PLANTED
    right = predict(twin, plain) == plain.labels
    assert right[of_class].float().mean() <= 0.05
    assert right[~of_class].float().mean() >= 0.97

    elsewhere = make_scenes(**FRESH, watermark=OTHERS)
    taken = predict(twin, elsewhere) == PLANTED
    assert taken[elsewhere.labels == CLASSES.index("red striped fish")].float().mean() >= 0.9
    assert taken[~of_class].float().mean() >= 0.2


def test_first_filters_are_smooth():
    """Edges and blobs lie at low frequencies; noise has most of its power above."""
    weight = load_file(FOLDER / "scenes.safetensors")["block1.conv.weight"]
    assert low_frequency_share(weight) > 0.8
    noise = torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    assert low_frequency_share(noise) < 0.6


def low_frequency_share(weight):
    """Power at wavelengths of at least 2.8 pixels."""
    power = torch.fft.fft2(weight, s=(28, 28)).abs() ** 2
    frequency = torch.fft.fftfreq(28)
    radius = torch.hypot(frequency.view(-1, 1), frequency)
    return power[..., radius <= 0.36].sum() / power.sum()
