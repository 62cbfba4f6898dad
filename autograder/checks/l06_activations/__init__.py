"""Lesson 6, activations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autograder.checks.compare import close
from autograder.checks.l06_activations.cases import (
    box_cases,
    field_cases,
    iou_cases,
    mask_cases,
    overlay_cases,
    patch_cases,
    stream_cases,
)
from autograder.checks.mistakes.anchored import boxes, enlargements
from autograder.checks.named_numbers import judge_box, judge_numbers
from autograder.course.exercise import Complaint, Exercise, Lesson

STEM = "l06_activations"


def judge_patches(
    expected: Mapping[str, Any], actual: Mapping[str, Any], _inputs: Mapping[str, Any]
) -> Complaint | None:
    """Compare two lists of patches and name the first thing that is off.

    Args:
        expected: what the reference's patches say, by kind.
        actual: the same from the student's code.

    Returns:
        The complaint, or None where they agree.
    """
    for name, wanted in expected.items():
        if close(wanted, actual[name], 1e-6, 0.0):
            continue
        if name == "batches are let go":
            return Complaint("kept batches in memory after the next one had come.")
        if name == "the pixels are copies":
            return Complaint("returned pixels that are views: each keeps a whole batch in memory.")
        before = " Those before are right." if name != "the images" else ""
        message = f"returned patches of which {name.removeprefix('the ')} are off.{before}"
        return Complaint(message, f"Yours {actual[name]!r:.120}, expected {wanted!r:.120}.")
    return None


LESSON = Lesson(
    STEM,
    (
        Exercise(STEM, "overlay_mask", overlay_cases),
        Exercise(
            STEM,
            "activation_mask",
            mask_cases,
            anchored=enlargements(
                'F.interpolate(above, size, mode="bilinear", align_corners=False)', "above", "size"
            ),
        ),
        Exercise(
            STEM,
            "receptive_field",
            field_cases,
            judge=judge_numbers("field", "size", "jump", "start"),
        ),
        Exercise(
            STEM,
            "unit_box",
            box_cases,
            judge=judge_box,
            anchored=boxes("top, left, bottom, right", "top", "left", "bottom", "right"),
        ),
        Exercise(
            STEM,
            "top_patches",
            patch_cases,
            judge=judge_patches,
            needs=("unit_box",),
        ),
        Exercise(
            STEM,
            "stream_top_patches",
            stream_cases,
            judge=judge_patches,
            needs=("top_patches",),
            without=("keeps_graph",),  # what `top_patches` gives holds none
        ),
        Exercise(
            STEM,
            "concept_iou",
            iou_cases,
            bounds=(0, 1),
            anchored=enlargements(
                'F.interpolate(part, size, mode="bilinear", align_corners=False)', "part", "size"
            ),
        ),
    ),
)
