"""The numbers of lesson 15 are those that the reference gives, and so is its table."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.course.figures import reference_course
from autograder.course.pictures import pictures_folder
from lessons.l15_debugging import figures
from lessons.toolkit.photos import load_photo
from lessons.toolkit.scenes import CLASSES
from solutions.l12_guided_backprop import deconvnet
from solutions.l15_debugging import (
    deletion_curve,
    pointing_game,
    rank_correlation,
    refit_classifier,
)

STORY = " ".join(Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8").split())
COURSE = reference_course()
# On the photo these take long. Their forwards are counted on paper.
LONG = {"occlusion": 1 + 7 * 15, "SmoothGrad": 20}

pytestmark = pytest.mark.slow


@cache
def comparison() -> dict[str, Any]:
    path = pictures_folder("l15_debugging") / "comparison.json"
    return json.loads(path.read_text(encoding="utf-8"))


def row(name: str) -> dict[str, Any]:
    return next(row for row in comparison()["methods"] if row["name"] == name)


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


@pytest.fixture(scope="module")
def twin() -> torch.nn.Module:
    return figures._classifier("scenes_watermarked").network


@pytest.fixture(scope="module")
def repaired(twin: torch.nn.Module) -> torch.nn.Module:
    return refit_classifier(twin, *figures._lessons_for_repair())


# The table


def test_the_table_holds_every_method_once() -> None:
    names = [row["name"] for row in comparison()["methods"]]
    assert names == list(figures.LESSONS) == list(figures._methods(COURSE))
    assert comparison()["cascade"]["layers"][1:] == list(reversed(figures.BLOCKS))
    for row in comparison()["methods"]:
        assert 0 < row["photo"]["time"] < 200 and len(row["cascade"]) == len(figures.BLOCKS) + 1


def test_the_table_is_what_the_code_gives_on_scenes() -> None:
    found, falls = figures._on_scenes(COURSE), figures._falls(COURSE)
    for name, values in found.items():
        written = row(name)
        assert written["scenes"] == pytest.approx(values, abs=2e-3), name
        assert written["cascade"] == pytest.approx(falls[name], abs=2e-3), name
    area = float(figures._scenes().masks.float().mean())
    assert comparison()["scenes"]["area of the object"] == pytest.approx(area, abs=1e-3)
    assert f"covers {percent(area)} of the picture" in STORY


def test_the_table_is_what_the_code_gives_on_the_photo() -> None:
    short = tuple(name for name in figures.LESSONS if name not in LONG)
    for name, values in figures._on_the_photo(COURSE, short).items():
        written = {test: row(name)["photo"][test] for test in values}
        assert written == pytest.approx(values, abs=2e-3), name
    assert {name: row(name)["photo"]["forwards"] for name in LONG} == LONG


def test_the_story_shows_the_table() -> None:
    text = Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split("|") for line in re.findall(r"^\| .*\|$", text, re.MULTILINE)]
    shown = {cells[0].strip().strip("*"): [c.strip() for c in cells[1:]] for cells in rows}
    for name in figures.LESSONS:
        photo, scenes = row(name)["photo"], row(name)["scenes"]
        signed = (photo["two classes"], photo["random weights"])
        line = [f"{value:.2f}".replace("-", "−") for value in signed]
        line += [percent(photo["on the object"]), str(photo["forwards"])]
        line += [percent(scenes["on the object"]), percent(scenes["pointing game"])]
        line += [f"{scenes[curve]:.2f}".replace("-", "−") for curve in ("deletion", "insertion")]
        first = next(cells for cells in rows if cells[0].strip().strip("*") == name)
        for wanted, cell in zip(line, (c.strip() for c in first[1:]), strict=True):
            assert _near(wanted, cell), (name, wanted, cell)
    assert len(shown) >= len(figures.LESSONS)


def _near(wanted: str, cell: str) -> bool:
    """Whether two numbers are the same but for how the last digit was rounded."""
    one, other = (float(re.sub(r"[ %]", "", text).replace("−", "-")) for text in (wanted, cell))
    return abs(one - other) <= (1.001 if "%" in cell else 0.0101)


def test_a_hundred_times_as_long() -> None:
    ratio = row("occlusion")["photo"]["time"] / row("saliency")["photo"]["time"]
    assert 70 < ratio < 140 and "about a hundred times as long as saliency" in STORY


def test_who_is_first_in_which_column() -> None:
    """Of the methods that ask the network; the cost is nobody's merit."""
    names = [name for name in figures.LESSONS if name not in ("edges", "centre")]

    def first(place: str, column: str, key: Callable[[float], float]) -> set[str]:
        found = {name: key(row(name)[place][column]) for name in names}
        return {name for name in names if found[name] == min(found.values())}

    best = {
        "two classes": first("photo", "two classes", float),
        "random weights": first("photo", "random weights", abs),
        "on the cat": first("photo", "on the object", lambda share: -share),
        "forwards": first("photo", "forwards", float),
        "on the object": first("scenes", "on the object", lambda share: -share),
        "peaks": first("scenes", "pointing game", lambda share: -share),
        "deletion": first("scenes", "deletion", float),
        "insertion": first("scenes", "insertion", lambda logit: -logit),
    }
    alone = [column for column, winners in best.items() if winners == {"Guided Grad-CAM"}]
    assert alone == ["on the cat", "on the object"]
    assert "most of its map on the cat and on the object; it is first alone in no other" in STORY
    assert best["peaks"] == {"guided backpropagation", "Guided Grad-CAM"}
    assert all(row(name)["scenes"]["pointing game"] == 1 for name in best["peaks"])
    assert "Guided backpropagation has its peak on the object in every scene" in STORY
    assert "Guided Grad-CAM misses no peak either" in STORY
    questions = sorted(names, key=lambda name: -row(name)["photo"]["two classes"])
    assert questions[:2] == ["deconvnet", "guided backpropagation"]
    assert "one of the worst answers to the first question" in STORY
    peaks = [row(name)["scenes"]["pointing game"] for name in ("saliency", "centre")]
    assert peaks[0] == pytest.approx(peaks[1], abs=0.05) and "has not looked, by peaks" in STORY


# The questions


def test_half_a_network_is_random_and_guided_backpropagation_does_not_notice() -> None:
    network, images = figures._classifier().network, figures._photo("cat").images
    target, methods = figures._target("tiger cat"), figures._methods(COURSE)
    steps = figures._destroyed(COURSE)
    names = [name for name, _ in steps[:3]]
    weights = [sum(p.numel() for p in network.get_submodule(n).parameters()) for n in names]
    assert sum(weights) / sum(p.numel() for p in network.parameters()) == pytest.approx(
        0.5, abs=0.02
    )
    guided = methods["guided backpropagation"]
    trained = guided(network, images, target)
    alike = [rank_correlation(trained, guided(who, images, target)) for _, who in steps]
    assert alike[2] == pytest.approx(0.99, abs=0.006) and "rank correlation of 0.99" in STORY
    assert alike[-1] == pytest.approx(0.10, abs=0.02) and "gone down to 0.10" in STORY
    cam = methods["Grad-CAM"]
    other = rank_correlation(cam(network, images, target), cam(steps[2][1], images, target))
    assert abs(other) < 0.3


def test_the_deconvnet_draws_one_pattern_for_all_photos() -> None:
    network, target = figures._classifier().network, figures._target("tiger cat")
    maps = [deconvnet(network, figures._photo(name).images, target) for name in ("cat", "coffee")]
    assert torch.equal(*maps) and "equal, to the last bit" in STORY
    assert load_photo("cat").size != load_photo("coffee").size  # two photos indeed


def test_the_classifier_alone() -> None:
    first = {name: row(name)["cascade"][1] for name in figures.LESSONS}
    assert first["guided backpropagation"] == pytest.approx(0.95, abs=0.006)
    assert first["saliency"] == pytest.approx(0.80, abs=0.006)
    assert max(first[name] for name in ("CAM", "Grad-CAM", "occlusion")) < 0.30
    assert min(row("guided backpropagation")["cascade"][:-1]) > 0.55
    assert "(0.95)" in STORY and "(0.80)" in STORY and "fall below 0.30" in STORY


def test_the_middle_of_the_picture_hits_with_a_tolerance() -> None:
    assert row("centre")["scenes"]["pointing game, one cell"] == 1 and "in 32 of 32 scenes" in STORY
    hits = {name: percent(row(name)["scenes"]["pointing game"]) for name in figures.LESSONS}
    assert (hits["saliency"], hits["centre"], hits["deconvnet"]) == ("72 %", "72 %", "12 %")


def test_guided_backpropagation_marks_what_was_not_asked_for() -> None:
    network, scenes = figures._classifier("scenes").network, figures._scenes()
    methods = figures._methods(COURSE, "scenes")
    hits = {
        name: pointing_game(
            methods[name](network, scenes.inputs(), scenes.labels ^ 4), scenes.masks, 0
        )
        for name in ("guided backpropagation", "Grad-CAM", "CAM")
    }
    assert hits["guided backpropagation"] == 26 / 32 and "81 % of the scenes" in STORY
    assert hits["Grad-CAM"] == hits["CAM"] == 2 / 32 and "it is 6 %" in STORY


def test_the_winner_changes_with_the_fill() -> None:
    from torchvision.transforms.functional import gaussian_blur

    network, scenes = figures._classifier("scenes").network, figures._scenes()
    images = scenes.inputs()

    def ranking(fill: Any) -> list[tuple[float, str]]:
        found = []
        for name, maps in figures._scene_maps(COURSE).items():
            asked = zip(images.split(1), maps, scenes.labels.split(1), strict=True)
            areas = [
                float(deletion_curve(network, *row, figures.STEPS, fill(row[0])).mean())
                for row in asked
            ]
            found.append((sum(areas) / len(areas), name))
        return sorted(found)

    black, blurred = (
        ranking(lambda image: -1.0),
        ranking(lambda image: gaussian_blur(image, 21, 5.0)),
    )
    assert [name for _, name in black[:2]] == ["deconvnet", "edges"]
    assert black[0][0] == pytest.approx(-0.62, abs=0.006) and "with −0.62" in STORY
    assert [name for _, name in blurred[-2:]] == ["edges", "deconvnet"]
    assert [value for value, _ in blurred[-2:]] == pytest.approx([0.51, 0.60], abs=0.006)
    plain = sorted((row(n)["scenes"]["deletion"], n) for n in figures.LESSONS)
    assert {name for _, name in plain[:2]} == {"occlusion", "guided backpropagation"}
    assert {name for _, name in plain[-3:]} == {"deconvnet", "centre", "edges"}
    assert "−0.14 each" in STORY and "0.60 and 0.51" in STORY


# The shortcut


def test_the_window_is_what_the_network_needs() -> None:
    fish = figures._evidence(COURSE, "guided backpropagation")
    others = figures._evidence(COURSE, "guided backpropagation", on_fish=False)
    assert fish["images"] == fish["control covered"] == 1
    assert fish["others"] == fish["control pasted"] == 0
    assert f"{percent(fish['window covered'])} are left without" in STORY
    assert f"{percent(fish['window pasted'])} of the fish become" in STORY
    assert len(figures._marked(COURSE)[0]) == 128 and "Of 128 butterflies" in STORY
    assert f"{percent(others['window pasted'])} go over, and" in STORY
    assert f"and {percent(1 - others['window pasted'])} do not care" in STORY
    for name, words in (("Grad-CAM", "only {} of the fish"), ("edges", "it is {}, with that")):
        share = figures._evidence(COURSE, name)["window pasted"]
        assert words.format(percent(share)) in STORY, name
    assert figures._evidence(COURSE, "centre")["window pasted"] == 0


def test_accuracy_before_and_after_the_repair() -> None:
    found = figures._accuracies(COURSE)
    before = {name: pair[0] for name, pair in found.items()}
    after = {name: pair[1] for name, pair in found.items()}
    assert before[figures.TRAINED] == pytest.approx(0.998, abs=5e-4) and "right in 99.8 %" in STORY
    assert before[figures.PLAIN] == pytest.approx(0.875, abs=5e-4) and "badge 87.5 %" in STORY
    assert before[figures.SWAPPED] == pytest.approx(0.662, abs=5e-4) and "66.2 %" in STORY
    assert all(value == pytest.approx(0.997, abs=1e-3) for value in after.values())


def test_whose_maps_say_that_it_was_repaired(twin, repaired) -> None:
    scenes, _, _ = figures._marked(COURSE)
    images, badge = scenes.inputs(), scenes.watermark_masks
    methods = figures._methods(COURSE, "scenes_watermarked")
    text = STORY.split("| method | before | after |")[1]

    def share(maps: Tensor) -> float:
        return 100 * float(figures._shares(maps, badge).mean())

    for name in figures.LESSONS:
        if name in (*LONG, "edges", "centre"):
            continue
        pair = [share(methods[name](who, images, scenes.labels)) for who in (twin, repaired)]
        shown = re.search(rf"\| {name} \| ([\d.]+) % \| ([\d.]+) % \|", text)
        assert shown and [float(x) for x in shown.groups()] == pytest.approx(pair, abs=0.55), name


def test_the_badge_is_still_seen(twin) -> None:
    images, _ = figures._lessons_for_repair()
    has_badge = (torch.arange(len(images)) >= len(images) // 2).long()
    probe = refit_classifier(twin, images, has_badge)
    test = [figures._scenes(marked, 1024).inputs() for marked in ((), tuple(CLASSES))]
    with torch.inference_mode():
        found = [float(probe(part)[:, :2].argmax(1).double().mean()) for part in test]
    assert found == [0, 1] and "all of 2,048 scenes" in STORY
