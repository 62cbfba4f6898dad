"""The numbers of lesson 11 are those that the reference gives."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional

from lessons.l11_saliency import figures
from lessons.toolkit.models import load_model
from lessons.toolkit.scenes import make_scenes
from solutions.l11_saliency import saliency_box, saliency_lift, saliency_map, smooth_grad

STORY = " ".join(Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8").split())

pytestmark = pytest.mark.slow


def smooth(asked: figures._Question, target: Tensor) -> Tensor:
    return smooth_grad(asked.classifier.network, asked.images, target, 16, 0.15)[0]


def alike(one: Tensor, other: Tensor) -> float:
    """Rank correlation of two maps over squares of 16 pixels."""
    squares = [functional.avg_pool2d(saliency[None], 16).flatten() for saliency in (one, other)]
    return float(spearmanr(*squares).statistic)


def gradient(asked: figures._Question) -> Tensor:
    images = asked.images.clone().requires_grad_()
    chosen = asked.classifier.network(images)[0, asked.target]
    (found,) = torch.autograd.grad(chosen.sum(), images)
    return found[0]


@pytest.mark.parametrize(
    ("photo", "first", "second", "rank"),
    [("coffee", "espresso", "cup", 0.92), ("cat", "tiger cat", "Egyptian cat", 0.78)],
)
def test_the_second_class_has_the_same_map(photo, first, second, rank):
    asked = figures._question(photo)
    with torch.no_grad():
        classes = asked.classifier.network(asked.images)[0].topk(2).indices
    assert [asked.classifier.classes[c] for c in classes.tolist()] == [first, second]
    found = alike(smooth(asked, classes[:1]), smooth(asked, classes[1:]))
    assert found == pytest.approx(rank, abs=0.006)
    assert f"{rank:.2f}" in STORY


@pytest.mark.parametrize("photo", ["coffee", "cat"])
def test_the_sign_knows_nothing_of_brightness(photo):
    asked = figures._question(photo)
    signed = gradient(asked).sum(0)
    assert float((signed > 0).float().mean()) == pytest.approx(0.5, abs=0.01)
    both = torch.stack([signed.flatten(), asked.rgb.mean(0).flatten()])
    assert abs(float(torch.corrcoef(both)[0, 1])) < 0.01 and "below 0.01" in STORY


def test_what_the_image_multiplies_away():
    asked = figures._question()
    slope, brightness = gradient(asked), asked.rgb.mean(0)
    dark = brightness < brightness.quantile(0.25)
    shares = []
    for factor in (torch.ones(()), asked.rgb, asked.images[0]):
        product = (slope * factor).abs().amax(0)
        shares.append(100 * float(product[dark].sum() / product.sum()))
    assert shares == pytest.approx([26, 15, 48], abs=0.6)
    assert "keeps 15 % of the map, of 26 % before" in STORY and "gets 48 %" in STORY


def test_magnitudes_fill_the_background():
    asked = figures._question()
    generator = torch.Generator().manual_seed(0)
    spread = 0.15 * (asked.images.max() - asked.images.min())
    draws = [torch.randn(asked.images.shape, generator=generator) for _ in range(16)]
    copies = torch.cat([asked.images + spread * draw for draw in draws])
    target = asked.target.expand(16)
    mean_of_maps = saliency_map(asked.classifier.network, copies, target).mean(0)
    found = [
        float(saliency.median() / saliency.quantile(0.99))
        for saliency in (mean_of_maps, smooth(asked, asked.target))
    ]
    assert found == pytest.approx([0.44, 0.23], abs=0.006)
    assert "has 0.44 of the strength" in STORY and "SmoothGrad 0.23" in STORY


def test_no_blur_makes_the_box_hold_the_cup():
    asked = figures._question("coffee")
    saliency = smooth(asked, asked.target)
    boxes = {
        side: saliency_box(
            functional.avg_pool2d(saliency[None], side, 1, side // 2, count_include_pad=False)[0],
            0.9,
        )
        for side in (9, 17, 33)
    }
    assert (boxes[9], boxes[33]) == ((39, 80, 92, 148), (38, 69, 89, 153))
    assert all(bottom < 100 for _, _, bottom, _ in boxes.values())
    assert "rows 39 to 92 and columns 80 to 148" in STORY
    assert "rows 38 to 89 and columns 69 to 153" in STORY


def test_what_the_lift_proves_and_what_not():
    network, scenes = load_model("scenes").network, make_scenes(64, seed=0)
    images = scenes.inputs()
    with torch.no_grad():
        least = network(images).argmin(1)

    def lift(saliency: Tensor) -> float:
        return float(saliency_lift(saliency, scenes.masks).mean())

    own, other = (lift(saliency_map(network, images, t)) for t in (scenes.labels, least))
    across, down = (
        images.diff(dim=3, append=images[..., -1:]),
        images.diff(dim=2, append=images[:, :, -1:]),
    )
    contrast = lift((across.abs() + down.abs()).amax(1))
    untrained = copy.deepcopy(network)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        for module in untrained.modules():
            if isinstance(module, nn.Conv2d | nn.BatchNorm2d | nn.Linear):
                module.reset_parameters()
    random = lift(saliency_map(untrained.eval(), images, scenes.labels))
    assert (own, other, contrast, random) == pytest.approx((3.2, 2.6, 2.2, 1.2), abs=0.05)
    for said in ("3.2 times its share", "a lift of 2.6", "a network 2.2", "a lift of 1.2"):
        assert said in STORY
