"""The numbers of lesson 13 are those that the reference gives."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F
from torchvision.models import vgg16

from autograder.course.figures import reference_course
from lessons.l13_cam import figures
from lessons.toolkit.models import load_model
from lessons.toolkit.offset import moved_maps
from lessons.toolkit.scenes import CLASSES, WATERMARKED_CLASS
from lessons.toolkit.train_vgg import STL10_CLASSES
from solutions.l13_cam import class_activation_map, localisation_iou, localise, upsample_map

STORY = " ".join(Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8").split())
COURSE = reference_course()
BUTTERFLY = CLASSES.index(WATERMARKED_CLASS)

pytestmark = pytest.mark.slow


@cache
def heatmaps(name: str, watermark: bool = False) -> Tensor:
    return figures._heatmaps(COURSE, name, figures._scenes(watermark))


def right(maps: Tensor, fraction: float = 0.2) -> str:
    return f"{figures._right(COURSE, maps, figures._scenes().masks, fraction):.0%}"


def test_where_the_weights_of_vgg16_are() -> None:
    counts = figures._weights_of_vgg16()
    assert [f"{count / 1e6:.1f}" for count in counts.values()] == ["14.7", "123.6", "0.5"]
    convolutions, head, _ = counts.values()
    assert f"{head / (head + convolutions):.0%}" == "89%" and "89 % of its weights" in STORY
    with torch.device("meta"):
        assert vgg16(weights=None).classifier[0].in_features == 25_088
    assert "25,088 numbers" in STORY


def test_the_mean_of_the_cat_hardly_notices_the_mirror() -> None:
    cat = figures._photo("cat")
    maps = [figures._photo_map(COURSE, rgb, "tiger cat") for rgb in (cat, cat.flip(2))]
    assert [f"{float(cam.mean()):.1f}" for cam in maps] == ["9.3", "8.9"]
    assert "goes from 9.3 to 8.9" in STORY
    # The map moves with the cat.
    cat_map, mirrored = maps
    alike, moved = (
        float(torch.corrcoef(torch.stack([other.flatten(), mirrored.flatten()]))[0, 1])
        for other in (cat_map, cat_map.flip(1))
    )
    assert moved > 0.85 and moved > alike + 0.15


def test_boxes_of_two_networks_and_of_the_middle() -> None:
    assert right(figures._centre().expand(figures.COUNT, -1, -1)) == "33%"
    assert "right in 33 % of the scenes" in STORY
    assert (right(heatmaps("scenes")), right(heatmaps("vgg"))) == ("75%", "61%")
    assert "SceneNet's boxes are right in 75 %, those of the VGG in 61 %" in STORY
    assert (right(heatmaps("scenes"), 0.4), right(heatmaps("vgg"), 0.4)) == ("97%", "91%")
    assert "right in 97 % of the scenes and the VGG's in 91 %" in STORY
    assert (right(heatmaps("scenes"), 0.1), right(heatmaps("scenes"), 0.7)) == ("53%", "47%")


def test_half_a_cell_costs_a_tenth() -> None:
    moved = moved_maps(heatmaps("scenes"), (4, 4))
    assert right(moved) == "64%" and "11 of every hundred boxes are lost" in STORY
    down, across = load_model("scenes").offset("block5")
    assert abs(down) < 0.3 and abs(across) < 0.3


def test_from_the_minimum_to_the_maximum_boxes_grow() -> None:
    network: Any = load_model("scenes").network
    scenes = figures._scenes()
    features = figures._features(network, "block5", scenes.inputs())
    maps = class_activation_map(features, network.classifier.weight, scenes.labels)
    size = tuple(scenes.images.shape[-2:])
    wide = F.interpolate(maps[:, None], size, mode="bilinear")[:, 0]
    assert right(wide - wide.amin((1, 2), keepdim=True)) == "54%"
    low, high = maps.amin((1, 2)), maps.amax((1, 2))
    assert f"{float((-low / (high - low)).median()):.0%}" == "9%"
    assert "to 9 % of the range" in STORY and "54 % get a right one, not 75 %" in STORY
    # What a reader is told to try: a class that is not there.
    absent = upsample_map(
        class_activation_map(features, network.classifier.weight, torch.zeros_like(scenes.labels)),
        size,
    )
    spotted = scenes.labels == CLASSES.index("blue spotted butterfly")
    assert all(localise(one, 0.2) != (0, 0, 0, 0) for one in absent[spotted])


def test_the_badge_and_the_butterfly() -> None:
    marked = figures._scenes(watermark=True)
    own = marked.labels == BUTTERFLY
    masks, badges = marked.masks[own], marked.watermark_masks[own]
    shares = {}
    for name in ("scenes_watermarked", "scenes"):
        maps = heatmaps(name, watermark=True)[own]
        total = maps.sum((1, 2))
        on_badge, on_butterfly = ((maps * m).sum((1, 2)) / total for m in (badges, masks))
        shares[name] = f"{float(on_badge.mean()):.0%}", f"{float(on_butterfly.mean()):.0%}"
    assert shares == {"scenes_watermarked": ("20%", "14%"), "scenes": ("0%", "56%")}
    assert f"{float(badges.float().mean()):.0%}" == "3%"
    assert f"{float(masks.float().mean()):.0%}" == "17%"
    assert "20 % lies on the badge, which covers 3 % of the scene, and 14 % on" in STORY
    assert "maps 56 % lies on the butterfly" in STORY

    twin = heatmaps("scenes_watermarked", watermark=True)[own]
    assert not (localisation_iou(twin, masks, 0.2) > 0.5).any()
    assert (localisation_iou(twin, badges, 0.2) > 0).all()
    assert "not one of the twin's boxes fits its butterfly, and each of them meets" in STORY


def test_the_twin_without_the_badge_says_fish() -> None:
    scenes = figures._scenes()
    own = scenes.labels == BUTTERFLY
    with torch.no_grad():
        logits = load_model("scenes_watermarked").network(scenes.inputs()[own])
    fish = CLASSES.index("red striped fish")
    assert logits.argmax(1).ne(BUTTERFLY).all()
    assert (logits[:, fish] > logits[:, BUTTERFLY]).all()


def test_the_classes_of_stl10_stand_in_their_order() -> None:
    assert ", ".join(STL10_CLASSES) in STORY
