"""The tour of one member of each family of torchvision's classifiers, with random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from autograder.tour import techniques, tour
from lessons.toolkit.models import Classifier, as_classifier, with_random_weights
from lessons.toolkit.preprocess import Preprocess

HALF = (0.5, 0.5, 0.5)
MAPS, RELUS = "one map for each channel", "a network with ReLUs"
# Name, side of its picture, what makes it small, and what techniques miss in it.
FAMILIES: dict[str, tuple[int, dict[str, Any], set[str]]] = {
    "alexnet": (64, {}, set()),
    "convnext_tiny": (64, {}, {RELUS}),
    "densenet121": (64, {}, set()),
    "efficientnet_b0": (64, {}, {RELUS}),
    "googlenet": (64, {"init_weights": False}, set()),
    "inception_v3": (107, {"init_weights": False}, set()),
    "maxvit_t": (64, {}, {RELUS}),
    "mnasnet0_5": (64, {}, set()),
    "mobilenet_v2": (64, {}, set()),
    "mobilenet_v3_small": (64, {}, set()),
    "regnet_y_400mf": (64, {}, set()),
    "resnet18": (64, {}, set()),
    "resnext50_32x4d": (64, {}, set()),
    "shufflenet_v2_x0_5": (64, {}, set()),
    "squeezenet1_1": (64, {}, set()),
    "swin_t": (64, {}, {MAPS, RELUS}),
    "vgg11": (64, {"init_weights": False}, set()),
    "vit_b_32": (64, {}, {MAPS, RELUS}),
}


def _classifier(name: str) -> Classifier:
    from torchvision.models import ConvNeXt, DenseNet, MaxVit, ResNet, VisionTransformer, get_model
    from torchvision.models.convnext import CNBlockConfig
    from torchvision.models.resnet import Bottleneck

    side, small, _ = FAMILIES[name]
    with torch.random.fork_rng(devices=[]):
        # Whole, these take two minutes.
        if name == "maxvit_t":
            network = MaxVit((side, side), 16, 2, [16, 32], [1, 1], 8, 0.0, num_classes=12)
        elif name == "vit_b_32":
            network = VisionTransformer(side, 32, 2, 4, 64, 128, num_classes=12)
        elif name == "resnext50_32x4d":
            network = ResNet(Bottleneck, [1] * 4, groups=32, width_per_group=4, num_classes=12)
        elif name == "convnext_tiny":
            shape = [CNBlockConfig(24, 48, 1), CNBlockConfig(48, 96, 1), CNBlockConfig(96, None, 1)]
            network = ConvNeXt(shape, num_classes=12)
        elif name == "densenet121":
            network = DenseNet(16, (2, 2, 2, 2), 32, num_classes=12)
        else:
            network = get_model(name, weights=None, num_classes=12, **small)
        if name in ("alexnet", "vgg11"):  # nine tenths of their weights are in the head
            places = 256 * 6 * 6 if name == "alexnet" else 512 * 7 * 7
            network.classifier = nn.Linear(places, 12)
        if name == "vit_b_32":  # as torchvision makes it, its head is all zeros
            network = with_random_weights(network)
    classes = [f"class {number}" for number in range(12)]
    return as_classifier(network, classes, Preprocess(side, side, HALF, HALF), name)


def test_every_family_is_here() -> None:
    from torchvision import models

    stems = {name[:3] for name in FAMILIES}
    relatives = {"wid": "res"}  # a wide ResNet is a ResNet
    for name in models.list_models(module=models):
        assert relatives.get(name[:3], name[:3]) in stems, name


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_the_tour_of_a_family(name: str, tmp_path: Path) -> None:
    classifier = _classifier(name)
    missing = FAMILIES[name][2]
    assert (classifier.map_layer is None) == (MAPS in missing)
    made = tour("cat", tmp_path / "tour.html", device="cpu", model=classifier)
    assert made.failures == {}
    text = made.page.read_text(encoding="utf-8")
    assert text.count("<section") == len(list(techniques())) + 1
    for reason in (MAPS, RELUS):
        assert (reason in text) == (reason in missing), reason
    assert made.picture is not None and made.picture.exists()


def test_two_photos_share_the_square_of_a_network_that_takes_no_other(tmp_path: Path) -> None:
    from lessons.toolkit.photos import load_photo
    from lessons.toolkit.technique import make_subject

    photos = [load_photo(name) for name in ("cat", "coffee")]
    subject = make_subject(_classifier("vit_b_32"), *photos)
    assert subject.halved and subject.rgb.shape == (3, 64, 64)
    assert make_subject(_classifier("squeezenet1_1"), *photos).rgb.shape == (3, 64, 128)
