"""Lesson 1, autograd."""

from __future__ import annotations

from autograder.checks.l01_autograd.cases import (
    accumulated_cases,
    block_cases,
    chain_cases,
    depth_cases,
    input_cases,
    norm_cases,
    product_cases,
)
from autograder.checks.mistakes.gradients import image_gradient
from autograder.course.exercise import Exercise, Lesson

STEM = "l01_autograd"
BATCH = ("images", "target")
NOT_NEGATIVE = (0, float("inf"))

LESSON = Lesson(
    STEM,
    (
        Exercise(STEM, "vector_jacobian_product", product_cases),
        Exercise(STEM, "accumulated_gradient", accumulated_cases),
        Exercise(
            STEM,
            "input_gradient",
            input_cases,
            batch=BATCH,
            anchored=image_gradient(
                "model(images)",
                "target_logits(logits, target).sum()",
                "images",
                "(gradient,) = torch.autograd.grad(chosen, images)",
                start="images = images.detach().clone().requires_grad_()",
            ),
        ),
        Exercise(
            STEM,
            "grad_fn_chain",
            chain_cases,
            without=("input_requires_grad_changed",),  # what has a chain requires grad already
        ),
        Exercise(STEM, "gradient_norm_by_layer", norm_cases, batch=BATCH, bounds=NOT_NEGATIVE),
        # A block stays in its graph, and its call takes it out.
        Exercise(STEM, "residual_block", block_cases, without=("keeps_graph",)),
        Exercise(
            STEM,
            "gradient_by_depth",
            depth_cases,
            bounds=NOT_NEGATIVE,
            needs=("residual_block",),
            atol=0.0,  # the lowest level may have a trillionth of the top's, and it counts
        ),
    ),
)
