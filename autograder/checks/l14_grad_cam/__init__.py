"""Lesson 14, Grad-CAM."""

from __future__ import annotations

from autograder.checks.l14_grad_cam.cases import (
    covering_cases,
    guided_cases,
    layer_cases,
    weight_cases,
)
from autograder.checks.mistakes.anchored import enlargements, reductions, weighted_sums
from autograder.checks.mistakes.gradients import layer_gradient
from autograder.checks.mistakes.results import TURNS
from autograder.course.exercise import Exercise, Lesson

STEM = "l14_grad_cam"
BATCH = ("images", "target")
NOT_NEGATIVE = (0, float("inf"))
PLACES = "the mean over height and width"
MAP = "return F.relu(({sign}gradient.mean((2, 3), keepdim=True) * activation).sum(1)).detach()"
SUM = 'torch.einsum("nc,nchw->nhw", weights, activation)'
SUMS = weighted_sums(f"return F.relu({SUM})", SUM, "weights", "activation", "gradient")

LESSON = Lesson(
    STEM,
    (
        Exercise(
            STEM,
            "activation_and_gradient",
            layer_cases,
            batch=BATCH,
            anchored=layer_gradient(
                "activation_and_gradient", "return activation.detach(), gradient"
            ),
        ),
        Exercise(
            STEM,
            "channel_weights",
            weight_cases,
            batch=("activation_gradients",),
            anchored=reductions(
                "activation_gradients.mean(dim=(2, 3))", "activation_gradients", "(2, 3)", PLACES
            ),
            without=TURNS,  # (N, C) is no map
        ),
        Exercise(
            STEM,
            "grad_cam",
            layer_cases,
            batch=BATCH,
            bounds=NOT_NEGATIVE,
            needs=("activation_and_gradient", "channel_weights"),
            anchored=(
                *layer_gradient("grad_cam", MAP.format(sign="")),
                *SUMS,
                *reductions("channel_weights(gradient)", "gradient", "(2, 3)", PLACES),
            ),
        ),
        Exercise(
            STEM,
            "guided_grad_cam",
            guided_cases,
            batch=(*BATCH, "guided"),
            needs=("grad_cam", "l12_guided_backprop.guided_backprop"),
            anchored=enlargements(
                "F.interpolate(\n        cam.unsqueeze(1), images.shape[-2:], "
                'mode="bilinear", align_corners=False\n    )',
                "cam.unsqueeze(1)",
                "images.shape[-2:]",
            ),
        ),
        Exercise(
            STEM,
            "counterfactual",
            layer_cases,
            batch=BATCH,
            bounds=NOT_NEGATIVE,
            needs=("activation_and_gradient", "channel_weights"),
            anchored=(
                *layer_gradient("counterfactual", MAP.format(sign="-")),
                *SUMS,
                *reductions("channel_weights(-gradient)", "(-gradient)", "(2, 3)", PLACES),
            ),
        ),
        Exercise(
            STEM,
            "covering_test",
            covering_cases,
            batch=(*BATCH, "maps"),
            rtol=1e-3,
            atol=1e-3,
            anchored=enlargements(
                'F.interpolate(maps, images.shape[-2:], mode="bilinear", align_corners=False)',
                "maps",
                "images.shape[-2:]",
            ),
        ),
    ),
)
