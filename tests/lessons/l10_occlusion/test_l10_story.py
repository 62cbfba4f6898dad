"""The numbers of lesson 10 are those that the reference gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from autograder.course.figures import reference_course
from lessons.l10_occlusion import figures
from lessons.toolkit.models import load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.scenes import MEAN, STD, make_scenes
from lessons.toolkit.technique import rank_agreement
from solutions.l10_occlusion import (
    occlude,
    occlusion_drops,
    occlusion_map,
    stand_ins,
    three_fills,
    window_positions,
)
from solutions.l11_saliency import saliency_lift, saliency_map

STORY = " ".join(Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8").split())

pytestmark = pytest.mark.slow


def says(*texts: str) -> bool:
    return all(text in STORY for text in texts)


@pytest.fixture(scope="module")
def network() -> torch.nn.Module:
    return figures._classifier().network


@pytest.fixture(scope="module")
def drops(network) -> Tensor:
    _, images, target = figures._photo("astronaut")
    return occlusion_drops(network, images, target, 64, 32, 0.0, 8)[0]


def answer(network, image: Tensor) -> str:
    with torch.no_grad():
        return figures._classifier().classes[int(network(image[None])[0].argmax())]


def heat(window: int, stride: int, fill: str = "mean colour") -> Tensor:
    return figures._map(reference_course(), "astronaut", window, stride, fill)


def test_the_last_strip_that_is_never_covered() -> None:
    positions = window_positions(224, 64, 48)
    assert positions == [0, 48, 96, 144, 160] and positions[-2] + 64 == 208
    assert round(100 * (1 - (208 / 224) ** 2)) == 14
    assert says("ends at 208", "16 rows and 16 columns, which is 14 % of the picture")


def test_what_the_network_says_with_and_without_the_helmet(network) -> None:
    _, images, target = figures._photo("astronaut")
    with torch.no_grad():
        probability = float(network(images).softmax(1)[0, target])
        logit = float(network(images)[0, target])
        no_face = float(network(occlude(images[0], 16, 64, 64, 0.0)[None])[0, target])
    assert answer(network, images[0]) == "football helmet" and round(100 * probability) == 16
    assert answer(network, occlude(images[0], 160, 96, 64, 0.0)) == "go-kart"
    assert no_face > logit and says("*football helmet*, with 16 %", "changes to *go-kart*")


def test_black_in_the_networks_units() -> None:
    preprocess = figures._classifier().preprocess
    black = three_fills(torch.zeros(1, 3, 2, 2), preprocess.mean, preprocess.std, 0)["black"]
    assert {round(value, 2) for value in black.unique().tolist()} == {-0.99}
    assert says("Black is −0.99")


def test_covering_may_raise_the_logit(drops) -> None:
    assert divmod(int(drops.argmax()), 6) == figures.HELMET
    assert int((drops < 0).sum()) == 27 and says("27 of the 36 windows are below 0")
    assert divmod(int(drops.argmin()), 6) == (2, 2)
    assert float(drops.min()) == pytest.approx(-1.59, abs=0.006) and says("largest rise is 1.59")


def test_the_size_of_the_window_is_not_the_size_of_the_map() -> None:
    sides = [len(window_positions(224, window, 32)) for window in figures.WINDOWS]
    assert sides == [7, 6, 5, 4] and says("so 7, 6, 5 and 4")
    counts = [len(window_positions(224, 64, stride)) ** 2 for stride in (32, 16, 8)]
    assert counts == [36, 121, 441]
    assert says("36 windows at a stride of 32, 121 at 16 and 441 at 8")
    largest = {}
    for window in figures.WINDOWS:
        assert heat(window, 32).shape == (224, 224)
        largest[window] = float(heat(window, 32).max())
    assert [largest[w] for w in (32, 64, 96)] == pytest.approx([1.41, 3.07, 3.24], abs=0.006)
    assert says("largest mean drop is 1.41, against 3.07 for a window of 64 and 3.24 for one of 96")


def test_the_maps_of_three_fills() -> None:
    small, large = ({fill: heat(*size, fill) for fill in figures.FILLS} for size in SIZES)
    peaks = [float(small[fill].max()) for fill in ("black", "mean colour")]
    assert peaks == pytest.approx([1.45, 2.07], abs=0.006)
    peaks = [float(large[fill].max()) for fill in ("blur", "mean colour", "black")]
    assert peaks == pytest.approx([3.42, 3.07, 2.72], abs=0.006)
    assert SIZES == ((32, 24), (64, 32)) and says(
        "32 at a stride of 24, the largest mean drop is 1.45 with black and 2.07 with the mean",
        "64 at a stride of 32, its largest mean drop is 3.42, against 3.07 with the mean colour",
        "and 2.72 with black",
    )
    agree = {}
    for size, maps in (("small", small), ("large", large)):
        pairs = [("mean colour", "black"), ("mean colour", "blur"), ("black", "blur")]
        blocks = {fill: maps[fill][4::8, 4::8] for fill in maps}
        agree[size] = [rank_agreement(blocks[a], blocks[b]) for a, b in pairs]
    ends = [f(agree[size]) for size in ("large", "small") for f in (min, max)]
    assert [round(end, 2) for end in ends] == [0.80, 0.86, 0.69, 0.86]
    assert says("0.80 to 0.86 over the blocks. For the small one 0.69 to 0.86")


SIZES = ((figures.SMALL_WINDOW, figures.SMALL_STRIDE), (figures.WINDOW, figures.STRIDE))


def test_the_upper_end_of_the_tripod_stands_in_for_its_legs(network) -> None:
    _, images, target = figures._photo("camera")
    first = occlusion_drops(network, images, target, 64, 32, 0.0, 8)[0]
    change = stand_ins(network, images, target, 64, 32, 0.0, 8)[0]
    row, column = divmod(int(change.argmax()), 6)
    assert divmod(int(first.argmax()), 6) == (5, 3) and (row, column) == (3, 3)
    alone = float(first[row, column])
    then = alone + float(change[row, column])
    assert (alone, then) == pytest.approx((1.23, 3.96), abs=0.006)
    assert says("alone costs 1.23", "it costs 3.96")


def test_the_cat_fills_the_picture(network) -> None:
    preprocess = figures._classifier().preprocess
    cat = preprocess.batch([load_photo("cat")])
    fills = three_fills(cat, preprocess.mean, preprocess.std, 16)
    mean = {
        name: float(occlusion_drops(network, cat, torch.tensor([282]), 64, 32, fill, 8).mean())
        for name, fill in fills.items()
    }
    found = [mean[fill] for fill in figures.FILLS]
    assert found == pytest.approx([-0.16, 0.04, -0.39], abs=0.006)
    assert says("a rise of 0.16 with the mean colour and of 0.39 with the blur, a drop of 0.04")


def test_the_fills_where_the_truth_is_known() -> None:
    network, scenes = load_model("scenes").network, make_scenes(24, seed=0, split="held_out")
    images = scenes.inputs()
    lift = {}
    for name, fill in three_fills(images, MEAN, STD, 8).items():
        maps = occlusion_map(network, images, scenes.labels, 16, 8, fill, 64)
        lift[name] = float(saliency_lift(maps.clamp(min=0), scenes.masks).mean())
    plain = saliency_lift(saliency_map(network, images, scenes.labels), scenes.masks)
    found = [*(lift[fill] for fill in figures.FILLS), float(plain.mean())]
    assert found == pytest.approx([4.42, 4.09, 4.39, 2.90], abs=0.006)
    assert says("4.42 times as much", "4.09 times with black and 4.39 times", "reaches 2.90")
