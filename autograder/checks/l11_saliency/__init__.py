"""Lesson 11, saliency."""

from __future__ import annotations

from autograder.checks.l11_saliency.cases import (
    box_cases,
    lift_cases,
    saliency_cases,
    segmentation_cases,
    smooth_cases,
)
from autograder.checks.mistakes.anchored import boxes, draws, reductions, thresholds
from autograder.checks.mistakes.gradients import image_gradient
from autograder.checks.named_numbers import judge_box
from autograder.course.exercise import Exercise, Lesson

STEM = "l11_saliency"
BATCH = ("images", "target")
NOT_NEGATIVE = (0, float("inf"))
CHANNELS = "the largest magnitude over the channels"


LESSON = Lesson(
    STEM,
    (
        Exercise(
            STEM,
            "saliency_map",
            saliency_cases,
            batch=BATCH,
            bounds=NOT_NEGATIVE,
            anchored=(
                *image_gradient(
                    "model(images)",
                    "target_logits(logits, target).sum()",
                    "images",
                    "(gradient,) = torch.autograd.grad(chosen, images)",
                    start="images = images.detach().clone().requires_grad_()",
                ),
                *reductions("gradient.abs().amax(dim=1)", "gradient", "1", CHANNELS),
            ),
        ),
        Exercise(
            STEM,
            "smooth_grad",
            smooth_cases,
            batch=BATCH,
            bounds=NOT_NEGATIVE,
            anchored=(
                *image_gradient(
                    "model(noisy)",
                    "target_logits(logits, target).sum()",
                    "noisy",
                    "(gradient,) = torch.autograd.grad(chosen, noisy)",
                ),
                *reductions(
                    "(total / samples).abs().amax(dim=1)", "(total / samples)", "1", CHANNELS
                ),
                *draws(
                    "torch.Generator().manual_seed(seed)",
                    "torch.randn(images.shape, generator=generator",
                ),
            ),
        ),
        Exercise(
            STEM,
            "saliency_box",
            box_cases,
            judge=judge_box,
            anchored=(
                *thresholds(
                    "saliency >= torch.quantile(saliency, quantile)", "saliency", "quantile"
                ),
                *boxes(
                    "top, left, int(rows.max()) + 1, int(columns.max()) + 1",
                    "top",
                    "left",
                    "int(rows.max()) + 1",
                    "int(columns.max()) + 1",
                ),
            ),
        ),
        Exercise(
            STEM,
            "saliency_segmentation",
            segmentation_cases,
        ),
        Exercise(
            STEM,
            "saliency_lift",
            lift_cases,
            batch=("saliency", "masks"),
            bounds=NOT_NEGATIVE,
        ),
    ),
)
