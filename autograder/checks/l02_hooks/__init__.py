"""Lesson 2, hooks."""

from __future__ import annotations

from autograder.checks.l02_hooks.cases import (
    ablation_cases,
    activation_cases,
    flip_cases,
    gradient_cases,
    grid_cases,
    layer_cases,
    recorder_cases,
)
from autograder.checks.mistakes.anchored import kept, reductions, scalings
from autograder.checks.mistakes.gradients import layer_gradient
from autograder.checks.mistakes.results import TURNS
from autograder.course.exercise import Exercise, Lesson

STEM = "l02_hooks"

LESSON = Lesson(
    STEM,
    (
        Exercise(
            STEM,
            "capture_activation",
            layer_cases,
            batch=("images",),
            anchored=kept("output.clone()"),
        ),
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
            without=TURNS,  # logits are no map
        ),
        Exercise(
            STEM,
            "capture_gradients",
            gradient_cases,
            batch=("images", "target"),
            anchored=layer_gradient("capture_gradients", "return gradient"),
        ),
        Exercise(
            STEM,
            "channels_to_flip",
            flip_cases,
            batch=("images",),
            needs=("capture_activation", "capture_gradients"),
            anchored=reductions(
                "(gradient * activation).sum((2, 3))",
                "(gradient * activation)",
                "(2, 3)",
                "the sum over the channel's places",
            ),
        ),
    ),
)
