"""What the judges of climbs say of images that neither the reference nor a known mistake made."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.checks import lesson
from autograder.course.exercise import Complaint
from autograder.worker.networks import build
from solutions import l07_gradient_ascent as reference


def given(exercise: str, case: str, seed: int = 5) -> dict[str, Any]:
    cases = lesson("l07_gradient_ascent").exercise(exercise).inputs
    return dict(cases(torch.Generator().manual_seed(seed))[case].inputs)


def complaint(exercise: str, inputs: dict[str, Any], actual: Any) -> Complaint | None:
    judge = lesson("l07_gradient_ascent").exercise(exercise).judge
    assert judge is not None
    ready = {**inputs, "model": build(inputs["model"])}
    expected = getattr(reference, exercise)(**ready)
    return judge(expected, actual, inputs)


def adam(inputs: dict[str, Any], steps: int, maximize: bool = True) -> Tensor:
    """Climb, or go down, in another way from the case's start."""
    model, image = build(inputs["model"]), inputs["start"].clone().requires_grad_()
    optimiser = torch.optim.Adam([image], lr=0.2, maximize=maximize)
    for _ in range(steps):
        (image.grad,) = torch.autograd.grad(model(image)[0, inputs["target"]].sum(), image)
        optimiser.step()
    return image.detach()


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("case", ["six steps", "a network that adds up colours", "in-place ReLU"])
def test_another_optimiser_is_as_good(case, seed):
    inputs = given("class_image", case, seed)
    assert complaint("class_image", inputs, adam(inputs, 20)) is None
    down = complaint("class_image", inputs, adam(inputs, 20, maximize=False))
    assert down is not None and "went down" in down.message
    assert complaint("class_image", inputs, inputs["start"]) is not None


def test_a_certain_network_shows_who_took_the_probability():
    inputs = given("class_image", "a class that the network is sure of")
    model, start = build(inputs["model"]), inputs["start"]
    image = start.clone().requires_grad_()
    chosen = model(image).softmax(1)[0, inputs["target"]].sum()
    (gradient,) = torch.autograd.grad(chosen, image)
    found = complaint("class_image", inputs, start + 0.6 * gradient)
    assert found is not None and "far enough" in found.message


def test_no_sentence_holds_a_number_and_every_detail_does():
    inputs = given("class_image", "six steps")
    found = complaint("class_image", inputs, inputs["start"])
    assert found is not None
    assert not any(character.isdigit() for character in found.message)
    assert any(character.isdigit() for character in found.detail)


def test_a_climb_that_forgets_an_argument_is_told_which():
    judge = lesson("l07_gradient_ascent").exercise("class_image").judge
    assert judge is not None
    for case, name in (("another l2", "l2"), ("jitter and none", "jitter")):
        inputs = given("class_image", case)
        same = torch.cat([inputs["start"]] * 2)
        found = judge(same + 1, same, inputs)
        assert found is not None and found.mistake == f"{name}_ignored"


@pytest.mark.parametrize("seed", range(3))
def test_small_pixels_and_small_gradients_are_told_apart(seed):
    judge = lesson("l07_gradient_ascent").exercise("class_image").judge
    assert judge is not None
    for name, other in (
        ("small_pixels", "small_gradients"),
        ("small_gradients", "small_pixels"),
    ):
        inputs = given("class_image", name.replace("_", " "), seed)
        model, share = build(inputs["model"]), inputs["other"][name]
        settings = {key: inputs[key] for key in ("target", "start", "steps", "rate", "l2")}
        images = {
            key: reference.class_image(model, **settings, **{key: value})
            for key, value in ((name, share), (other, share))
        }
        plain = reference.class_image(model, **settings)
        expected = torch.cat([plain, images[name]])
        assert judge(expected * 1.001, expected, inputs) is None
        found = judge(expected, torch.cat([plain, images[other]]), inputs)
        assert found is not None and "other pixels" in found.message


def test_a_portrait_by_pixels_is_no_portrait_seen_from_elsewhere():
    inputs = given("class_portrait", "ten steps")
    grey = torch.full((1, 3, *inputs["size"]), 0.5)
    found = complaint("class_portrait", inputs, grey)
    assert found is not None and "far enough" in found.message
    assert complaint("class_portrait", inputs, grey + 1) is not None
