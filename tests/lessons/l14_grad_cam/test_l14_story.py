"""The numbers of lesson 14 are those that the reference gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models import resnet18

from autograder.course.figures import reference_course
from lessons.l14_grad_cam import figures
from lessons.toolkit.models import load_model
from lessons.toolkit.photos import photo_names
from solutions.l14_grad_cam import (
    activation_and_gradient,
    channel_weights,
    counterfactual,
    covering_test,
    grad_cam,
)

STORY = " ".join(Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8").split())
PAIRS = 26

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def network() -> nn.Module:
    return figures._classifier().network


@pytest.fixture(scope="module")
def pair() -> Tensor:
    return figures._scene("cat", "coffee").images


def rank(one: Tensor, other: Tensor) -> float:
    return float(spearmanr(one.flatten(), other.flatten()).statistic)


def answer(network: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return network(images).argmax(1)


def test_where_the_units_of_three_networks_look(network):
    _, down, right = figures._look_of_units(network, "head", 32)
    offset = figures._classifier().offset("head")
    assert all(1.5 < way < 5 for way in (down, right, *offset)) and "is 2 to 5 pixels from" in STORY
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        untrained = resnet18(weights=None).eval()
    _, down, right = figures._look_of_units(untrained, "layer4", 32)
    assert (down, right) == pytest.approx((-15.5, -15.5), abs=0.6) and "15.5 of 32 pixels" in STORY
    scenes = load_model("scenes")
    _, down, right = figures._look_of_units(scenes.network, scenes.default_layer, 8)
    assert (down, right) == pytest.approx((0, 0), abs=0.7) and "centred by construction" in STORY


def test_the_arithmetic_of_our_network_points_the_other_way(network):
    # Where a unit can look: every weight is the same, and nothing is bent.
    with torch.random.fork_rng(devices=[]):
        plain = type(network)()
    for module in list(plain.modules()):
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1 / module.weight[0].numel())
        for name, child in module.named_children():
            if isinstance(child, nn.ReLU6):
                setattr(module, name, nn.Identity())
    size, kept = 1344, []
    images = torch.rand(1, 3, size, size, requires_grad=True)
    head = plain.eval().get_submodule("head")
    with head.register_forward_hook(lambda module, inputs, output: kept.append(output)):
        plain(images)
    (slope,) = torch.autograd.grad(kept[0][0, 0, 21, 21], images)
    rows = slope[0].abs().sum((0, 2)).nonzero()
    middle = float(rows.min() + rows.max() + 1) / 2
    assert middle - 21.5 * 32 == 15.5 and "15.5 pixels *down and to the right*" in STORY


def test_covering_in_pairs_and_on_single_photos(network):
    found = [figures._covering(reference_course(), *names) for names in figures._neighbours()]
    covered, control = torch.tensor(found).T
    assert len(found) == PAIRS and int((covered < control).sum()) == 22 and "22 of 26" in STORY
    assert float(covered.mean()) == pytest.approx(-1.25, abs=0.006)
    assert float(control.mean()) == pytest.approx(0.05, abs=0.006)

    images = torch.cat([figures._scene(name).images for name in photo_names()])
    target = answer(network, images)
    maps = grad_cam(network, "head", images, target)
    covered, control = covering_test(network, images, target, maps, 0.2)
    assert (float(covered.mean()), float(control.mean())) == pytest.approx(
        (-1.10, -0.75), abs=0.006
    )
    assert int((covered < control).sum()) == 10 and "in 10 of 13" in STORY


def test_a_product_of_layers_is_prettier_and_not_better(network):
    found = []
    for left, right, asked in figures._neighbours():
        images, target = (
            figures._scene(left, right).images,
            answer(network, figures._scene(asked).images),
        )
        product = torch.ones(())
        for layer in ("head", "stages.4"):
            maps = grad_cam(network, layer, images, target)[None]
            product = product * F.interpolate(maps, images.shape[-2:], mode="bilinear")[0]
        found.append(torch.cat(covering_test(network, images, target, product, 0.2)))
    covered, control = torch.stack(found).T
    assert (float(covered.mean()), float(control.mean())) == pytest.approx(
        (-1.21, -0.22), abs=0.006
    )
    assert int((covered < control).sum()) == 20 and "20 pass" in STORY


def test_evidence_against_espresso(network, pair):
    target = figures._target("espresso")
    maps = counterfactual(network, "head", pair, target)
    covered, control = covering_test(network, pair, target, maps, 0.2)
    assert float(covered) == pytest.approx(0.70, abs=0.005) and "rises by 0.70" in STORY
    assert float(control) < -1


def test_peaks_of_the_man_with_the_camera(network):
    images = figures._scene("camera").images
    with torch.no_grad():
        classes = network(images)[0].topk(5).indices
    maps = grad_cam(network, "head", images.expand(5, -1, -1, -1), classes)
    names = [figures._classifier().classes[c] for c in classes.tolist()]
    peaks = dict(zip(names, [divmod(int(m.argmax()), 7) for m in maps], strict=True))
    assert peaks.pop("tripod") == (5, 3)
    assert peaks["harmonica"] == peaks["reflex camera"] == (2, 2)
    assert peaks["binoculars"] == peaks["microphone"] == (2, 3)


@pytest.mark.parametrize(("name", "half"), [("espresso", 0), ("tiger cat", 1)])
def test_all_that_speaks_against_lies_in_the_other_photo(network, pair, name, half):
    activation, gradient = activation_and_gradient(network, "head", pair, figures._target(name))
    signed = torch.einsum("nc,nchw->nhw", channel_weights(gradient), activation)[0]
    assert f"{float((signed < 0).float().mean()):.0%}" == "22%" and "22 % of the places" in STORY
    assert not (signed.chunk(2, dim=1)[1 - half] < 0).any()


def test_softmax_changes_the_map_where_classes_share_it(network):
    soft = nn.Sequential(network, nn.Softmax(1))
    ranks = {}
    for name in photo_names():
        images = figures._scene(name).images
        target = answer(network, images)
        ranks[name] = rank(
            grad_cam(network, "head", images, target), grad_cam(soft, "0.head", images, target)
        )
    assert ranks["coffee"] == pytest.approx(0.98, abs=0.006)
    assert ranks["cat"] == pytest.approx(0.44, abs=0.01) == min(ranks.values())
    assert sum(value > 0.9 for value in ranks.values()) == 10


def test_place_by_place(network):
    images, target = figures._scene("cat").images, figures._target("tiger cat")
    for layer, largest, same in (("head", 0, 1), ("stages.6", 0.5, 0.76)):
        activation, gradient = activation_and_gradient(network, layer, images, target)
        ours = grad_cam(network, layer, images, target)
        each = (activation * gradient).sum(1).relu()
        assert float((ours - each).abs().max() / ours.max()) == pytest.approx(largest, abs=0.03)
        assert rank(ours, each) == pytest.approx(same, abs=0.006)
    assert "correlation of 0.76" in STORY
