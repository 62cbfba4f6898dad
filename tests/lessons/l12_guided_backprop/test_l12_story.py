"""The numbers of lesson 12 are those that the reference gives."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from autograder.course.figures import reference_course
from lessons.l12_guided_backprop import figures
from lessons.toolkit.classes import class_index
from lessons.toolkit.gallery import Gallery, photo_gallery
from lessons.toolkit.passes import target_logits
from lessons.toolkit.relus import relu_nodes
from solutions.l02_hooks import capture_activation
from solutions.l12_guided_backprop import (
    deconvnet,
    guided_backprop,
    likeness,
    likeness_after_shuffling,
    neuron_pattern,
)

STORY = " ".join(Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8").split())

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def seen() -> Gallery:
    return photo_gallery()


@pytest.fixture(scope="module")
def answers(seen: Gallery) -> Tensor:
    """Classes of the thirteen photos, from the most to the least likely."""
    with torch.no_grad():
        return seen.classifier.network(seen.images).argsort(descending=True)


def gradient(model, images: Tensor, target: Tensor) -> Tensor:
    images = images.detach().requires_grad_()
    return torch.autograd.grad(target_logits(model(images), target).sum(), images)[0]


def test_a_shuffled_classifier_goes_unnoticed_on_every_photo(seen: Gallery, answers: Tensor):
    found = likeness_after_shuffling(
        guided_backprop, seen.classifier.network, "classifier", seen.images, answers[:, 0]
    )
    assert 0.98 <= float(found.min()) < 0.985 and "it is 0.98 at the least" in STORY
    assert float(found[0]) > 0.995 and "draws the same picture: 1.00." in STORY


def test_the_true_gradient_notices(seen: Gallery, answers: Tensor):
    found = likeness_after_shuffling(
        gradient, seen.classifier.network, "classifier", seen.images[:1], answers[:1, 0]
    )
    assert float(found) == pytest.approx(0.37, abs=0.005) and "a likeness of 0.37" in STORY


def test_the_first_and_the_last_answer_look_alike(seen: Gallery, answers: Tensor):
    means = [
        float(
            likeness(
                *(
                    method(seen.classifier.network, seen.images, answers[:, place])
                    for place in (0, -1)
                )
            ).mean()
        )
        for method in (guided_backprop, gradient)
    ]
    assert means == pytest.approx([0.99, 0.48], abs=0.005)
    assert "is 0.99 on average. Of the true gradients it is 0.48." in STORY


def test_where_the_class_is_lost():
    guided, true = (
        figures._alike_on_the_way(reference_course(), rule).mean(1)
        for rule in ("guided", "backprop")
    )
    places = [*figures.WAY_BACK, "pixels"]
    assert abs(float(guided[places.index("head")])) < 0.02
    assert float(guided[places.index("stages.5")]) == pytest.approx(0.9, abs=0.02)
    assert float(guided[places.index("stages.4")]) == pytest.approx(0.98, abs=0.005)
    assert float(guided[places.index("stages.4") :].min()) > 0.98
    assert float(true.abs().max()) < 0.15
    assert "their cosine is 0.9, in the middle of the network it is 0.98" in STORY


def test_how_many_guided_relus_it_takes(seen: Gallery):
    classes = [class_index(seen.classifier.classes, name) for name in ("tiger cat", "espresso")]

    def cosine(which: slice) -> float:
        images = seen.images[:1].clone().requires_grad_()
        logits = seen.classifier.network(images)
        # Autograd counts the nodes as the forward pass makes them.
        nodes = sorted(relu_nodes(logits), key=lambda node: node._sequence_nr())
        assert len(nodes) == 33
        for node in nodes[which]:
            node.register_hook(lambda leaving, arriving: (leaving[0].clamp(min=0),))
        one, other = (
            torch.autograd.grad(logits[0, c], images, retain_graph=True)[0].flatten()
            for c in classes
        )
        return float(cosine_similarity(one, other, 0))

    found = [cosine(slice(0)), cosine(slice(32, 33)), cosine(slice(31, 33)), cosine(slice(8))]
    assert found == pytest.approx([0.01, 0.76, 0.94, 0.69], abs=0.006)
    for said in ("pixels is 0.01.", "other 32 alone: 0.76.", "On two: 0.94.", "instead: 0.69."):
        assert said in STORY


def test_the_deconvnet_does_not_look_at_the_photo(seen: Gallery, answers: Tensor):
    network, tiger_cat = seen.classifier.network, answers[:1, 0]
    cat, coffee = (deconvnet(network, seen.images[i : i + 1], tiger_cat) for i in (0, 1))
    assert torch.equal(cat, coffee) and "No difference at all, to the last bit." in STORY


@pytest.mark.parametrize(
    ("layer", "channel", "photo", "up"),
    [
        ("stages.2", 7, "astronaut", 1),
        ("stages.4", 84, "cat", -1),
        ("stages.5", 42, "astronaut", -1),
    ],
)
def test_deep_down_the_guided_pattern_does_not_excite(
    seen: Gallery, layer: str, channel: int, photo: str, up: int
):
    network, images = seen.classifier.network, seen.images[[seen.names.index(photo)]]
    before = capture_activation(network, layer, images)[0, channel].flatten()
    changes = {}
    for rule in ("backprop", "guided"):
        pattern = neuron_pattern(network, layer, channel, images, rule)
        nudged = images + 0.1 * pattern / pattern.norm()
        after = capture_activation(network, layer, nudged)[0, channel].flatten()
        changes[rule] = float((after - before)[before.argmax()])
    assert changes["backprop"] > 3 and changes["guided"] * up > 0.05


def test_a_photo_excites_the_channels_of_the_wall_most(seen: Gallery):
    for (layer, _), units in figures.UNITS.items():
        peaks = capture_activation(seen.classifier.network, layer, seen.images).amax((2, 3))
        for channel, photo in units:
            assert seen.names[int(peaks[:, channel].argmax())] == photo, (layer, channel)
