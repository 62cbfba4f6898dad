"""The numbers in lesson 4's prose. The crops go through the network once for all tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from autograder.course.figures import reference_course
from lessons.l04_neighbours import figures
from lessons.toolkit.crops import Place
from solutions.l04_neighbours import (
    accuracy_by_layer,
    embed,
    nearest_neighbours,
    pairwise_distances,
    retrieval_precision,
)

STORY = " ".join(Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8").split())
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def rows() -> dict[str, dict[str, Tensor]]:
    return figures._by_layer(reference_course())


def seen() -> figures._Database:
    return figures._database()


def five(rows, space: str) -> Tensor:
    return nearest_neighbours(rows[space], rows[space], 5, figures._metric(space), True)[0]


def photos_of(indices: Tensor) -> list[list[str]]:
    names = seen().crops.names
    return [[names[i] for i in row] for row in seen().crops.photo[indices].tolist()]


def test_embed_gives_what_the_tests_below_go_by(rows):
    some = [0, 27, 500, 1039]
    classifier = seen().classifier
    images = classifier.preprocess.normalise(seen().rgb[some])
    expected = torch.nn.functional.normalize(rows["database"]["head"][some], dim=1)
    torch.testing.assert_close(embed(classifier.network, "head", images, 3), expected)
    assert rows["database"]["pixels"].shape == (1040, 19_200) and "19,200 numbers" in STORY


def test_the_picture_at_the_top(rows):
    queries = torch.tensor([27, 55, 36, 168])
    own = photos_of(queries[:, None])
    pixels, features = (
        photos_of(five(rows["database"], space)[queries, :4]) for space in ("pixels", "head")
    )
    assert own == [["coffee"], ["astronaut"], ["gravel"], ["flower"]]
    assert pixels[0] == ["retina"] * 4 and pixels[2] == ["clock"] * 4
    assert sorted(pixels[1]) == ["astronaut", "cat", "china", "china"]
    assert pixels[3] == ["flower", "coffee", "coffee", "retina"]
    assert features == [name * 4 for name in own]
    turned = [
        any(abs(seen().crops.places[i].angle) > 10 for i in row)
        for row in five(rows["database"], "head")[queries, :4].tolist()
    ]
    assert all(turned)


def test_why_a_wall_is_nearer_to_gravel(rows):
    pixels, photo = rows["database"]["pixels"], seen().crops.photo
    gravel = pixels[36]
    assert float((gravel - gravel.mean()).norm()) == pytest.approx(19.0, abs=0.05)
    distances = pairwise_distances(pixels[36:37], pixels, "euclidean")[0]
    others = (photo == photo[36]) & (torch.arange(1040) != 36)
    assert round(float(distances[others].median()), 1) == 26.4 and "26.4" in STORY
    assert round(19.0 * 2**0.5) == 27


def test_what_moving_costs(rows):
    course, classifier = reference_course(), seen().classifier
    start = Place("cat", 170.0, 112.0, 96.0, 0.0)
    places = (start, replace(start, x=170.0 + 12), replace(start, angle=45.0))
    places += (replace(start, x=170.0 + 48),)
    rgb = replace(seen().crops, places=places).rgb()
    features = course.l04_neighbours.embed(
        classifier.network, "head", classifier.preprocess.normalise(rgb), 4
    )
    others = seen().crops.photo != 0
    unit = torch.nn.functional.normalize(rows["database"]["head"], dim=1)
    found = {}
    for name, moved, database in (
        ("pixels", rgb.flatten(1), rows["database"]["pixels"]),
        ("features", features, unit),
    ):
        usual = pairwise_distances(moved[:1], database[others], "euclidean").median()
        distances = pairwise_distances(moved[:1], moved, "euclidean")[0] / usual
        found[name] = distances[1:].tolist()
    eighth, turned, half = found["pixels"]
    assert eighth == pytest.approx(0.70, abs=0.01) and turned == pytest.approx(0.66, abs=0.01)
    assert found["features"][0] / eighth == pytest.approx(1 / 3, abs=0.03)
    assert found["features"][1] < 0.3 and found["features"][2] < 0.5 and half < 0.9


def test_the_easy_question(rows):
    labels = seen().crops.photo
    found = {
        space: retrieval_precision(five(rows["database"], space), labels, labels)
        for space in ("pixels", "mean colour", "stem", "head")
    }
    assert {space: round(100 * value) for space, value in found.items() if space != "head"} == {
        "pixels": 65,
        "mean colour": 85,
        "stem": 98,
    }
    assert round(1000 * found["head"]) == 995 and "99.5 %" in STORY
    cosine, _ = nearest_neighbours(
        rows["database"]["pixels"], rows["database"]["pixels"], 5, "cosine", True
    )
    assert retrieval_precision(cosine, labels, labels) < found["pixels"] - 0.1


def test_the_hard_question(rows):
    found = figures._precisions(reference_course())
    percent = {name: [round(100 * v) for v in values.values()] for name, values in found.items()}
    spaces = list(found["negatives"])
    assert spaces == ["pixels", "mean colour", *figures.LAYERS]
    assert min(percent["as they are"][2:]) >= 97
    negatives = dict(zip(spaces, percent["negatives"], strict=True))
    assert negatives["pixels"] == 2 and negatives["head"] == 95 and negatives["stages.4"] == 98
    assert {negatives["stem"], negatives["stages.0"]} == {15, 13}
    assert "15 and 13 %" in STORY

    own = torch.arange(1040)[:: figures.EVERY, None]
    first = {
        layer: float(
            (
                nearest_neighbours(rows["negatives"][layer], rows["database"][layer], 1, "cosine")[
                    0
                ]
                == own
            )
            .double()
            .mean()
        )
        for layer in ("stages.4", "head")
    }
    assert [round(100 * share) for share in first.values()] == [95, 75]


def test_each_negative_in_the_picture_finds_its_own_crop(rows):
    chosen = [52, 81, 89, 27]
    classifier = seen().classifier
    images = classifier.preprocess.normalise(1 - seen().rgb[chosen])
    queries = embed(classifier.network, "head", images, 4)
    found, _ = nearest_neighbours(queries, rows["database"]["head"], 4, "cosine")
    assert found[:, 0].tolist() == chosen
    assert photos_of(found) == [[name] * 4 for name in ("cat", "astronaut", "china", "coffee")]


def test_hubs_and_angles(rows):
    photo, places = seen().crops.photo, seen().crops.places
    angles = torch.tensor([place.angle for place in places])
    differ = (angles[:, None] - angles).abs() > 15
    assert float(differ.double().mean()) == pytest.approx(0.5, abs=0.005)
    measured = {}
    for space in ("pixels", "head"):
        found = five(rows["database"], space)
        friends = found.flatten().bincount(minlength=1040)
        share = float(differ.gather(1, found).double().mean())
        measured[space] = (int(friends.max()), int((friends == 0).sum()), round(100 * share))
        if space == "pixels":
            assert seen().crops.names[photo[friends.argmax()]] == "clock"
    assert measured == {"pixels": (266, 326, 37), "head": (21, 27, 35)}


def test_sizes_of_the_large_database():
    assert round(101_040 * 1280 * 4 / 1e6) == 517 and round(5000 * 1280 * 4 / 1e6) == 26


def test_what_each_block_knows_of_a_scene():
    found = figures._scene_accuracies(reference_course())
    percent = {name: [round(100 * v) for v in values.values()] for name, values in found.items()}
    assert [percent[name][0] for name in ("colour", "texture", "shape", "class")] == [
        75,
        50,
        51,
        16,
    ]
    assert 88 <= percent["texture"][3] <= 92 and 71 <= percent["shape"][3] <= 76
    assert all(values[-2:] == [100, 100] for values in percent.values())
    assert all(
        percent["colour"][i] >= percent["texture"][i] >= percent["shape"][i] for i in (1, 2, 3)
    )
    assert accuracy_by_layer is reference_course().l04_neighbours.accuracy_by_layer
