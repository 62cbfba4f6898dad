"""Wrong code fails, also where no mistake of the words is made, and no sentence on it is false."""

from __future__ import annotations

import ast
from functools import cache

import pytest

from autograder.checks import lesson
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import Answer

# Of each exercise: pieces of the reference and what stands in their place, the case that fails
# first, and the mistake that is named, if any.
Edits = tuple[tuple[str, str], ...]
HOOK = "with model.register_forward_pre_hook(count):\n            "
UNSAFE = "hook = model.register_forward_pre_hook(count)\n        "
WRONG: dict[str, list[tuple[Edits, str, str | None]]] = {
    "l13_cam.GapHead": [
        (
            (("nn.Linear(channels, classes)", "nn.Conv2d(channels, classes, 1)"),),
            "two images",
            "convolution_for_linear",
        ),
        (
            (("self.classifier = ", "self.linear = "), ("= self.classifier(", "= self.linear(")),
            "two images",
            "another_name",
        ),
        (
            (
                (
                    "self.classifier(global_average_pool(features))",
                    "self.classifier(global_average_pool(features)).detach()",
                ),
            ),
            "a network that learns",
            None,
        ),
    ],
    "l13_cam.pointwise_convolution": [
        (
            (("weight, features)", "weight.data, features)"),),
            "a weight that learns",
            "weight_cut_off",
        ),
    ],
    "l13_cam.class_activation_map": [
        ((("check_target(target,", "check_target(target.abs(),"),), "a class of -1", "no_error"),
    ],
    "l13_cam.accuracy_by_class": [
        ((("check_target(target,", "check_target(target.abs(),"),), "a class of -1", None),
    ],
    "l13_cam.upsample_map": [
        (
            (("largest.where(largest > 0, 1)", "(largest + 1e-6)"),),
            "maps whose largest value is 8e-9",
            None,
        ),
    ],
    "l13_cam.localise": [
        ((("heatmap > fraction", "heatmap > 0.2"),), "three blobs", "fraction_ignored"),
    ],
    "l13_cam.train_step": [
        ((("check_target(target,", "check_target(target.abs(),"),), "a class of -1", None),
        (
            (("logits = model", "model.eval()\n    logits = model"),),
            "a network in train mode",
            None,
        ),
        (
            (("    optimiser.step()", "    optimiser.step()\n    model.train()"),),
            "three images",
            None,
        ),
        ((("loss.backward()", "(2 * loss).backward()"),), "three images", None),
    ],
    "l13_cam.localisation_iou": [
        (
            (
                ("len(masks) != len(heatmaps)", "len(masks) < len(heatmaps)"),
                ("mask in masks", "mask in masks[: len(heatmaps)]"),
            ),
            "more masks than maps",
            "no_error",
        ),
    ],
    "l15_debugging.randomise_from_top": [
        (
            (("yield name, model", "yield name, model.requires_grad_(False)"),),
            "two convolutions and a classifier",
            None,
        ),
        ((("yield name, model", "yield name, model.eval()"),), "train mode", None),
    ],
    "l15_debugging.pointing_game": [
        (
            (("maps.shape != masks.shape", "maps.shape[1:] != masks.shape[1:]"),),
            "one mask for four maps",
            "no_error",
        ),
    ],
    "l15_debugging.deletion_curve": [
        ((("check_target(target,", "check_target(target.abs(),"),), "a class of -1", "no_error"),
        (
            (
                ("saliency.shape != image.shape[2:]", "saliency.numel() != image[0, 0].numel()"),
                ("unflatten(1, saliency.shape)", "unflatten(1, image.shape[2:])"),
            ),
            "a map that lies on its side",
            "no_error",
        ),
    ],
    "l15_debugging.comparison": [
        (
            (
                (HOOK, UNSAFE),
                (
                    "image, target)\n        total",
                    "image, target)\n        hook.remove()\n        total",
                ),
            ),
            "a method that raises an error",
            "hooks_left_on_error",
        ),
    ],
    "l15_debugging.find_the_shortcut": [
        (
            (("images.masked_fill(marked", "images.masked_fill_(marked"),),
            "sixteen images",
            "covered_in_place",
        ),
        (
            (
                ("if not 0 < len(images)", "if not len(images)"),
                ("check_target(", "target.numel() and check_target("),
            ),
            "no image",
            "no_error",
        ),
    ],
}


@cache
def expectation(exercise: str) -> Expectation:
    stem, name = exercise.split(".")
    return Expectation(stem, lesson(stem).exercise(name))


def verdict(exercise: str, edits: Edits) -> Verdict:
    stem, name = exercise.split(".")
    text = read_lesson(stem).bare()
    (node,) = [n for n in ast.parse(text).body if getattr(n, "name", "") == name]
    lines = text.splitlines()[: node.end_lineno]
    code = "\n".join(lines[min(n.lineno for n in (node, *node.decorator_list)) - 1 :])  # type: ignore[attr-defined]
    for piece, other in edits:
        assert piece in code, piece
        code = code.replace(piece, other)
    job = expectation(exercise).job(read_lesson(stem).replaced(name, code), "exercises.py")
    return judge(expectation(exercise), Answer("ok", tuple(run_trusted(job))))


@pytest.mark.parametrize(
    ("exercise", "number"),
    [(exercise, number) for exercise, versions in WRONG.items() for number in range(len(versions))],
)
def test_a_wrong_version_fails_where_it_is_wrong(exercise: str, number: int) -> None:
    edits, case, mistake = WRONG[exercise][number]
    found = verdict(exercise, edits)
    assert (found.case, found.diagnosis) == (case, mistake), found.message
