"""The numbers in lesson 6's prose, each computed once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from autograder.course.figures import reference_course
from lessons.l06_activations import figures
from lessons.toolkit.gallery import photo_gallery
from lessons.toolkit.scenes import CLASSES
from solutions.l06_activations import activation_mask, concept_iou, receptive_field

STORY = " ".join(Path("lessons/l06_activations/lesson.md").read_text().split())


def maps_of(name: str) -> torch.Tensor:
    layer, channel, _ = figures.NAMED[name]
    return figures._captured(layer)[:, channel]


def masks_of(name: str, quantile: float) -> dict[str, float]:
    """Share of each photo that a channel's mask covers, with one threshold for the channel."""
    maps, names = maps_of(name), photo_gallery().names
    shares = [activation_mask(one, (224, 224), quantile, maps).float().mean() for one in maps]
    return dict(zip(names, map(float, shares), strict=True))


@pytest.mark.slow
def test_what_the_fields_are():
    ways = {layer: figures._way(layer) for layer in ("stages.2", "stages.5", "stages.4.2")}
    fields = {layer: receptive_field(way) for layer, way in ways.items()}
    assert [fields[layer][0] for layer in ways] == [67, 787, 339]
    assert sum(kernel > 1 for kernel, *_ in ways["stages.2"]) == 6
    assert "six layers with a kernel above 1 give 67 pixels" in STORY and "becomes 787" in STORY
    assert receptive_field(figures._way("stages.3.1"))[0] == 115
    shown = [receptive_field(figures._way(layer))[0] for layer in ("stages.1", "stages.4.0")]
    assert shown == [19, 211] and "19, 67, 115 and 211 pixels wide" in STORY


@pytest.mark.slow
def test_where_the_middle_of_a_unit_is():
    middles = figures._middles(reference_course())
    assert {name: middle.arithmetic for name, middle in middles.items()} == {
        "ResNet-18": -15.5,
        "efficientnet_lite0": 15.5,
        "scenes": 0,
    }
    for name, expected in (("ResNet-18", (-15.4, -15.5)), ("efficientnet_lite0", (2.3, 2.0))):
        assert middles[name].weights == pytest.approx(expected, abs=0.06)
        for number in expected:
            assert f"{number:+.1f}".replace("-", "−") in STORY


@pytest.mark.slow
def test_what_a_unit_looks_at():
    for name, side in (("eye", 66), ("whiskers", 40)):
        assert figures._window(figures._look(*figures.NAMED[name]), 0.5) == side
    assert "Half of its gradient lies in a square of 66" in STORY
    assert "115, and half of its gradient lies in 40" in STORY


@pytest.mark.slow
def test_the_masks_that_have_a_name():
    for name, (_, _, photo) in figures.NAMED.items():
        shares = masks_of(name, figures.QUANTILE)
        assert shares[photo] > 0.003, name
    face = masks_of("face", figures.QUANTILE)
    assert face["astronaut"] > 0.06 > 0.005 > face["camera"] > face["retina"]
    assert face["flower"] == 0
    whiskers = masks_of("whiskers", 0.9)
    largest = sorted(whiskers, key=lambda name: -whiskers[name])[:4]
    assert largest == ["cat", "camera", "grass", "retina"]
    assert [round(100 * whiskers[name]) for name in largest] == [46, 22, 16, 14]
    assert "46 % of the cat, 22 % of the photo with the camera" in STORY
    assert "16 % of the grass and 14 % of the retina" in STORY


def test_how_large_a_thousand_pictures_are():
    assert round(1040 * 3 * 112 * 112 * 4 / 1e6) == 157 and "are 157 MB" in STORY


@pytest.mark.slow
def test_the_names_of_the_scenes_channels():
    course = reference_course()
    first, second = figures._half(1), figures._half(2)
    chosen = figures._ious(course, first)
    channels = {name: int(iou.argmax()) for name, iou in chosen.items()}
    assert (channels["blue"], channels["red"]) == (54, 56)
    tested = figures._ious(course, second, list(channels.values()))
    rows = {name: row for row, name in enumerate(channels)}
    blue = {name: round(float(iou[rows["blue"]]), 2) for name, iou in tested.items()}
    red = {name: round(float(iou[rows["red"]]), 2) for name, iou in tested.items()}
    assert (blue["blue"], blue["object"]) == (0.38, 0.41)
    assert (red["red"], red["object"], red["blue"]) == (0.55, 0.36, 0.0)
    assert "0.38 on other scenes. But it has 0.41 for *object*" in STORY
    assert "0.55 for red, 0.36 for any object and 0.00 for blue" in STORY
    held = [float(chosen[name].max()) for name in chosen]
    held += [float(tested[name][rows[name]]) for name in tested]
    assert min(held) >= 0.32 and max(held) < 0.58
    for name, channel in channels.items():
        maps = second.activations[:, [channel]]
        control = concept_iou(maps, second.concepts[name].roll(1, 0), figures.SCENE_QUANTILE)
        assert float(control) < 0.2
    assert len(CLASSES) == 8 and second.activations.shape[1] == 96


@pytest.mark.slow
def test_what_else_excites_the_named_channels():
    crops, scores = figures._crops(), {}
    for name in figures.TRIED:
        best = figures._best_of_photos(name)
        found = figures._crop_maps()[name][best].amax((1, 2)).tolist()
        photos = [crops.names[crops.photo[crop]] for crop in best.tolist()]
        scores[name] = dict(zip(photos, found, strict=True))
    order = {name: list(found) for name, found in scores.items()}
    assert set(order["eye"][:2]) == {"cat", "astronaut"}
    assert order["eye"][2:5] == ["flower", "retina", "coffee"]
    assert scores["eye"]["astronaut"] > 0.98 * scores["eye"]["cat"]
    assert scores["hair"]["cat"] > 0.98 * scores["hair"]["astronaut"]
    assert order["tripod"][:2] == ["camera", "rocket"]
    assert order["handle"][0] == "coffee"
    second = list(scores["handle"].values())[1]
    assert second < 0.75 * scores["handle"]["coffee"]
