"""What the model card says of the shipped weights, measured again on scenes of another seed."""

import hashlib
import json

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional as F

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


# -- where the class activation maps lie -----------------------------------------------------------


def enlarged_map(classifier, inputs, target, offset=(0.0, 0.0)):
    """Map of the target classes (N, 64, 64), bilinear, moved by so many pixels down and right."""
    kept = []
    layer = classifier.network.get_submodule(classifier.default_layer)
    handle = layer.register_forward_hook(lambda module, inputs, output: kept.append(output))
    with torch.inference_mode():
        classifier.network(inputs)
    handle.remove()
    weight = classifier.network.classifier.weight.detach()[target]
    cam = torch.einsum("nc,nchw->nhw", weight, kept[0]).relu()
    down, right = (((torch.arange(64) + 0.5 - pixels) / 32) - 1 for pixels in offset)
    places = torch.stack(torch.meshgrid(down, right, indexing="ij")[::-1], dim=-1)
    places = places.expand(len(cam), -1, -1, -1)
    # At offset 0 this is F.interpolate with align_corners=False: a test below holds it.
    moved = F.grid_sample(cam[:, None], places, padding_mode="border", align_corners=False)
    return moved[:, 0], cam


def boxes(masks):
    """Top, left, bottom and right (N, 4) of masks (N, H, W)."""
    sides = []
    for dim in (2, 1):
        lines = masks.any(dim)
        first = lines.int().argmax(1)
        last = lines.shape[1] - lines.flip(1).int().argmax(1)
        sides.append(torch.stack([first, last], dim=1))
    return torch.stack(sides, dim=2).flatten(1)


def box_hits(classifier, scenes, offset=(0.0, 0.0)):
    """Share of scenes with IoU > 0.5: the box at 30 % of the maximum against the mask's."""
    from torchvision.ops import box_iou

    maps, _ = enlarged_map(classifier, scenes.inputs(), scenes.labels, offset)
    found = boxes(maps > 0.3 * maps.amax((1, 2), keepdim=True)).float()
    truth = boxes(scenes.masks).float()
    return (box_iou(found, truth).diag() > 0.5).float().mean()


def test_maps_lie_on_the_objects():
    """Before the blocks were centred: 0.75 as drawn, 0.84 moved by its offset."""
    classifier, scenes = load_model("scenes"), make_scenes(**FRESH)
    as_drawn = box_hits(classifier, scenes)
    assert as_drawn >= 0.88
    for pixels in (-3.5, 3.5):
        assert box_hits(classifier, scenes, (pixels, pixels)) <= as_drawn - 0.05
    assert box_hits(classifier, scenes, classifier.default_layer_offset) >= as_drawn - 0.02


def test_offset_zero_is_the_usual_enlargement():
    classifier, scenes = load_model("scenes"), make_scenes(8, seed=1)
    maps, cam = enlarged_map(classifier, scenes.inputs(), scenes.labels)
    usual = F.interpolate(cam[:, None], (64, 64), mode="bilinear", align_corners=False)[:, 0]
    torch.testing.assert_close(maps, usual, rtol=0, atol=1e-4)


def test_the_twins_map_is_strongest_at_the_badge():
    """A lesson that asks for the peak needs a tolerance: the badge stands 2 to 5 pixels inside."""
    scenes = make_scenes(**FRESH, watermark=WATERMARKED_CLASS)
    marked = scenes.labels == PLANTED
    maps, cam = enlarged_map(
        load_model("scenes_watermarked"), scenes.inputs()[marked], scenes.labels[marked]
    )
    badge = scenes.watermark_masks[marked].float()[:, None]
    cell = cam.flatten(1).argmax(1, keepdim=True)
    assert (F.max_pool2d(badge, 8).flatten(1).gather(1, cell)).mean() >= 0.95
    peak = maps.flatten(1).argmax(1, keepdim=True)
    within_a_cell = F.max_pool2d(badge, 17, stride=1, padding=8)
    assert within_a_cell.flatten(1).gather(1, peak).mean() >= 0.98
    assert badge.flatten(1).gather(1, peak).mean() <= 0.5


# -- the first layer -------------------------------------------------------------------------------


def test_first_layer_has_black_and_white_edges_and_colours():
    weight = load_file(FOLDER / "scenes.safetensors")["block1.conv.weight"]
    black_and_white = 3 * weight.mean(1).square().sum((1, 2)) / weight.square().sum((1, 2, 3))
    edges = (black_and_white > 0.8) & (orientation_strength(weight) > 0.5)
    assert edges.sum() >= 8
    assert (black_and_white < 0.6).sum() >= 2


def orientation_strength(weight):
    """0 for a round blob, 1 for parallel stripes (F,): the coherence of the structure tensor."""
    _, _, directions = torch.linalg.svd(weight.flatten(2), full_matrices=False)
    kernel = directions[:, 0].unflatten(1, weight.shape[2:])  # in its strongest colour
    power = torch.fft.fft2(nn.ZeroPad2d(13)(kernel)).abs() ** 2
    frequency = torch.fft.fftfreq(power.shape[-1])
    y, x = frequency[:, None], frequency
    yy, xx, xy = ((power * factor).sum((1, 2)) for factor in (y * y, x * x, x * y))
    return torch.hypot(xx - yy, 2 * xy) / (xx + yy)


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
