"""Lesson 2, hooks."""

from __future__ import annotations

from autograder.checks.l02_hooks.cases import (
    ablation_cases,
    activation_cases,
    gradient_cases,
    grid_cases,
    recorder_cases,
)
from autograder.checks.mistakes.anchored import kept, scalings
from autograder.checks.mistakes.gradients import layer_gradient
from autograder.course.exercise import Exercise, Lesson

STEM = "l02_hooks"

LESSON = Lesson(
    STEM,
    (
        Exercise(
            STEM,
            "capture_activations",
            activation_cases,
            batch=("images",),
            anchored=kept("output.clone()"),
        ),
        Exercise(
            STEM,
            "ActivationRecorder",
            recorder_cases,
            batch=("images",),
            is_function=False,
            anchored=kept("output.detach().clone()"),
        ),
        Exercise(
            STEM,
            "feature_map_grid",
            grid_cases,
            bounds=(0, 1),
            anchored=scalings(
                "low = activation.amin((1, 2), keepdim=True)",
                "span = activation.amax((1, 2), keepdim=True) - low",
                "scaled = (activation - low) / span.where(span > 0, 1)",
                "activation",
                "(1, 2)",
            ),
        ),
        Exercise(
            STEM,
            "ablate_channel",
            ablation_cases,
            batch=("images",),
            without=("last_axes_swapped", "upside_down", "mirrored"),  # logits are no map
        ),
        Exercise(
            STEM,
            "capture_gradients",
            gradient_cases,
            batch=("images", "target"),
            anchored=layer_gradient("capture_gradients", "return gradient"),
        ),
    ),
)
