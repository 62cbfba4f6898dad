"""What the judges of climbs say of images that neither the reference nor a known mistake made."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.checks import lesson
from autograder.course.exercise import Complaint
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.verdict import Verdict
from autograder.judge.verdict import judge as judge_answer
from autograder.protocol.answers import Answer
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


# Whole functions in the style of a first-time student, from which the wrong ones are made.
OWN = {
    "class_image": """
def class_image(
    model, target, start, steps, rate, l2=0.0, blur_every=0, blur_width=1.0,
    small_pixels=0.0, small_gradients=0.0, jitter=0, seed=0, watch=None,
):
    generator = torch.Generator()
    generator.manual_seed(seed)
    x = start.detach().clone()
    for i in range(1, steps + 1):
        dy = int(torch.randint(-jitter, jitter + 1, (1,), generator=generator))
        dx = int(torch.randint(-jitter, jitter + 1, (1,), generator=generator))
        before = torch.roll(x, shifts=(dy, dx), dims=(2, 3))
        after = ascent_step(model, before, target, rate, l2)
        change = torch.roll(after - before, shifts=(-dy, -dx), dims=(2, 3))
        x = torch.roll(after, shifts=(-dy, -dx), dims=(2, 3))
        mask = torch.ones_like(x[:, :1])
        if small_pixels > 0:
            size = x.norm(dim=1, keepdim=True)
            mask = mask * (size >= torch.quantile(size, small_pixels))
        if small_gradients > 0:
            size = change.norm(dim=1, keepdim=True)
            mask = mask * (size >= torch.quantile(size, small_gradients))
        x = x * mask
        if blur_every > 0 and i % blur_every == 0:
            x = blurred(x, blur_width)
        if watch is not None:
            watch(i, x)
    if steps == 0:
        target_logits(model(x), target)
    return x.detach()
""",
    "filter_pattern": """
def filter_pattern(model, layer, channel, size, steps, rate, blur_width=0.0, seed=0):
    kept = {}
    weight = next(model.parameters())
    generator = torch.Generator().manual_seed(seed)
    x = 0.1 * torch.randn(1, 3, *size, generator=generator).to(weight)

    def hook(module, inputs, o):
        kept[layer] = o.clone()

    handle = model.get_submodule(layer).register_forward_hook(hook)
    try:
        for _ in range(steps):
            x = x.detach().requires_grad_(True)
            model(x)
            check_ran([layer], kept)
            score = kept[layer][0, channel].mean()
            grad = torch.autograd.grad(score, x)[0]
            grad = blurred(grad, blur_width)
            x = x.detach() + rate * normalise_gradient(grad)
    finally:
        handle.remove()
    return x.detach()
""",
    "fourier_image": """
def fourier_image(spectrum, size, decay=1.5):
    H, W = size
    if tuple(spectrum.shape[1:]) != (3, H, W // 2 + 1, 2):
        raise ValueError("the spectrum does not fit")
    fy = torch.fft.fftfreq(H).to(spectrum)
    fx = torch.fft.rfftfreq(W).to(spectrum)
    f = torch.sqrt(fy[:, None] ** 2 + fx[None, :] ** 2)
    f = torch.clamp(f, min=1 / max(H, W))
    waves = torch.complex(spectrum[..., 0], spectrum[..., 1]) / f**decay
    planes = torch.fft.irfft2(waves, s=(H, W), norm="ortho")
    rgb = [sum(COLOURS[k][j] * planes[:, j] for j in range(3)) for k in range(3)]
    return torch.sigmoid(torch.stack(rgb, dim=1))
""",
    "total_variation": """
def total_variation(image):
    rows = image.diff(dim=2).abs().sum()
    columns = image.diff(dim=3).abs().sum()
    return rows + columns
""",
}
MOVE = """\
        dy = int(torch.randint(-jitter, jitter + 1, (1,), generator=generator))
        dx = int(torch.randint(-jitter, jitter + 1, (1,), generator=generator))
"""
ROLLED_BACK = "torch.roll(after, shifts=(-dy, -dx), dims=(2, 3))"
CHANGE = "torch.roll(after - before, shifts=(-dy, -dx), dims=(2, 3))"
BLUR = "            grad = blurred(grad, blur_width)\n"
STEP = "x.detach() + rate * normalise_gradient(grad)"
SCORE = "kept[layer][0, channel].mean()"
FLOOR = "    f = torch.clamp(f, min=1 / max(H, W))\n"
ROWS = "torch.fft.fftfreq(H).to"
# Exercise, what it says or names, and pieces of the right version with what stands there instead.
WRONG: list[tuple[str, str, dict[str, str]]] = [
    (
        "class_image",
        "same_move_each_step",
        {MOVE: "", "    for i in": MOVE.replace("        d", "    d") + "    for i in"},
    ),
    (
        "class_image",
        "same_move_each_step",
        {"range(1, steps + 1):\n": "range(1, steps + 1):\n        generator.manual_seed(seed)\n"},
    ),
    ("class_image", "blurred_too_early", {"i % blur_every": "(i - 1) % blur_every"}),
    (
        "class_image",
        "did not blur the image after as many steps",
        {"i % blur_every": "i > 1 and (i - 1) % blur_every"},
    ),
    ("class_image", "silenced pixels that the step moved far", {CHANGE: "after - x"}),
    ("class_image", "silenced pixels that the step moved far", {CHANGE: "after - before"}),
    ("class_image", "the memory of `start` itself", {"start.detach().clone()": "start"}),
    ("class_image", "the memory of `start` itself", {"start.detach().clone()": "start.detach()"}),
    ("class_image", "keeps_graph", {"start.detach().clone()": "start.clone()", "x.detach()": "x"}),
    (
        "class_image",
        "other pixels than those that `small_pixels` means",
        {"size >= torch.quantile(size, small_p": "size < torch.quantile(size, 1 - small_p"},
    ),
    (
        "class_image",
        "a pixel is all three channels",
        {"x.norm(dim=1, keepdim=True)": "x.abs()"},
    ),
    ("class_image", "rolled_back_across", {ROLLED_BACK: ROLLED_BACK.replace("2, 3", "3, 2")}),
    ("class_image", "jitter_not_undone", {ROLLED_BACK: "after"}),
    (
        "filter_pattern",
        "blurred_after_normalising",
        {BLUR: "", "normalise_gradient(grad)": "blurred(normalise_gradient(grad), blur_width)"},
    ),
    ("filter_pattern", "image_blurred", {BLUR: "", STEP: f"blurred({STEP}, blur_width)"}),
    (
        "filter_pattern",
        "image_blurred",
        {BLUR: "", STEP: STEP.replace("x.detach()", "blurred(x.detach(), blur_width)")},
    ),
    ("filter_pattern", "image_for_channel", {SCORE: "kept[layer][channel].mean()"}),
    (
        "filter_pattern",
        "image_for_channel",
        {"o.clone()": "o[channel].mean()", SCORE: "kept[layer]"},
    ),
    (
        "filter_pattern",
        "square_for_mean",
        {"o.clone()": "o[:, channel].pow(2).mean()", SCORE: "kept[layer]"},
    ),
    ("filter_pattern", "square_for_mean", {SCORE: "kept[layer][0, channel].pow(2).mean()"}),
    ("filter_pattern", "gradient_of_its_own_size", {"normalise_gradient(grad)": "grad"}),
    (
        "filter_pattern",
        "middle_unit",
        {SCORE: "(lambda unit: unit[tuple(n // 2 for n in unit.shape)])(kept[layer][0, channel])"},
    ),
    ("filter_pattern", "all_channels_raised", {SCORE: "kept[layer].mean()"}),
    ("fourier_image", "graph_cut", {"dim=1))": "dim=1)).detach()"}),
    ("fourier_image", "graph_cut", {"    H, W": "    spectrum = spectrum.detach()\n    H, W"}),
    ("fourier_image", "floor_of_the_short_side", {"max(H, W)": "min(H, W)"}),
    (
        "fourier_image",
        "cycles_a_picture",
        {"fftfreq(H)": "fftfreq(H, 1 / H)", "fftfreq(W)": "fftfreq(W, 1 / W)"},
    ),
    ("fourier_image", "second_half_of_rows", {ROWS: "torch.linspace(0, 0.5, H).to"}),
    ("fourier_image", "mean_at_frequency_one", {FLOOR: "    f[0, 0] = 1\n"}),
    ("fourier_image", "division by zero", {FLOOR: ""}),
    (
        "fourier_image",
        "clamp_for_sigmoid",
        {"torch.sigmoid(torch.stack(rgb, dim=1))": "torch.stack(rgb, dim=1).clamp(0, 1)"},
    ),
    ("total_variation", "dimensions_one_off", {"dim=2": "dim=1", "dim=3": "dim=2"}),
    ("total_variation", "number_without_graph", {"image.diff": "image.detach().diff"}),
]


@cache
def expectation(exercise: str, seed: int) -> Expectation:
    return Expectation(
        "l07_gradient_ascent", lesson("l07_gradient_ascent").exercise(exercise), seed
    )


def verdict(exercise: str, own: str, seed: int) -> Verdict:
    """Judge a student's own version of an exercise."""
    asked = expectation(exercise, seed)
    source = read_lesson("l07_gradient_ascent").replaced(exercise, own.strip() + "\n")
    return judge_answer(asked, Answer("ok", tuple(run_trusted(asked.job(source, "mine.py")))))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("exercise", OWN)
def test_a_version_in_another_hand_is_right(exercise, seed):
    found = verdict(exercise, OWN[exercise], seed)
    assert found.outcome == "passed", found.message


@pytest.mark.parametrize(("exercise", "told", "pieces"), WRONG)
def test_a_natural_wrong_version_is_told_what_is_wrong(exercise, told, pieces):
    own = OWN[exercise]
    for piece, instead in pieces.items():
        assert piece in own
        own = own.replace(piece, instead)
    found = verdict(exercise, own, 1)
    assert found.outcome != "passed"
    assert told == found.diagnosis or told in found.message, (found.diagnosis, found.message)
    assert not found.also
