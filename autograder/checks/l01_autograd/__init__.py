"""Lesson 1, autograd."""

from __future__ import annotations

from autograder.checks.l01_autograd.cases import (
    accumulated_gradient_cases,
    grad_fn_chain_cases,
    gradient_by_depth_cases,
    gradient_norm_by_layer_cases,
    input_gradient_cases,
    residual_block_cases,
    vector_jacobian_product_cases,
)
from autograder.course.exercise import Exercise, Lesson

STEM = "l01_autograd"

LESSON = Lesson(
    STEM,
    (
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "vector_jacobian_product",
            vector_jacobian_product_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "accumulated_gradient",
            accumulated_gradient_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "input_gradient",
            input_gradient_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "grad_fn_chain",
            grad_fn_chain_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "gradient_norm_by_layer",
            gradient_norm_by_layer_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "residual_block",
            residual_block_cases,
            batch=("images",),
        ),
        # TODO: what fits of bounds, needs, tolerances, a judge, anchored families
        Exercise(
            STEM,
            "gradient_by_depth",
            gradient_by_depth_cases,
            batch=("images",),
        ),
    ),
)
