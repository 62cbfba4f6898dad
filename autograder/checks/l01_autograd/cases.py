"""Cases of l01_autograd."""

from __future__ import annotations

from torch import Generator

from autograder.checks.inputs import normal
from autograder.course.exercise import Case


def vector_jacobian_product_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def accumulated_gradient_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def input_gradient_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def grad_fn_chain_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def gradient_norm_by_layer_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def residual_block_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}


def gradient_by_depth_cases(rng: Generator) -> dict[str, Case]:
    # TODO: the plainest case first, edge cases after it, `vary` for arguments that are numbers.
    return {"two images": Case({"images": normal(rng, 2, 3, 12, 16)})}
