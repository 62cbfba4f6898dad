"""The calls of lesson 9's exercises, which ask losses for their gradients."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import ModuleType
from typing import Any

import torch
import torch._dynamo  # an optimizer imports it: a second of each child that has one
from torch import Tensor, nn

from lessons.toolkit.seeds import seeded


def feature_loss(student: ModuleType, image: Tensor, **inputs: Any) -> Any:
    """Return the loss, and its gradient at the image."""
    leaf = image.detach().clone().requires_grad_()
    loss = student.feature_loss(image=leaf, **inputs)
    return _with_gradients(loss, "the gradient at the image", [leaf])


def gradient_through_grams(student: ModuleType, features: Tensor) -> Any:
    """Return the Gram matrices, and the gradient of their squares at the features."""
    leaf = features.detach().clone().requires_grad_()
    found = _with_gradients(student.gram_matrix(leaf), "a gradient at the features", [leaf])
    if isinstance(found, dict):
        found["the Gram matrices"] = found.pop("the loss")
    return found


def style_loss(
    student: ModuleType, grams: Sequence[Tensor], target_grams: Sequence[Tensor], **inputs: Any
) -> Any:
    """Return the loss, and its gradients at the Gram matrices."""
    leaves = [gram.detach().clone().requires_grad_() for gram in grams]
    loss = student.style_loss(leaves, target_grams, **inputs)
    return _with_gradients(loss, "the gradients at the Gram matrices", leaves)


def fast_style_loss(student: ModuleType, styled: Tensor, **inputs: Any) -> Any:
    """Return the loss, and its gradient at the styled images."""
    leaf = styled.detach().clone().requires_grad_()
    loss = student.fast_style_loss(styled=leaf, **inputs)
    return _with_gradients(loss, "the gradient at the styled images", [leaf])


def code_loss(student: ModuleType, codes: Tensor, **inputs: Any) -> Any:
    """Return the loss, and its gradient at the codes."""
    leaf = codes.detach().clone().requires_grad_()
    loss = student.code_loss(codes=leaf, **inputs)
    return _with_gradients(loss, "the gradient at the codes", [leaf])


def two_pictures(
    student: ModuleType,
    function: str,
    usual: Mapping[str, Any],
    one: Mapping[str, Any],
    other: Mapping[str, Any],
    model: nn.Module,
) -> Any:
    """Return pictures of two settings.

    They differ if an argument plays its part.
    """
    call = getattr(student, function)
    return [call(model=model, **{**usual, **settings}) for settings in (one, other)]


def paint(
    student: ModuleType, images: Tensor, width: int, blocks: int, weights: Mapping[str, Tensor]
) -> Any:
    """Return what a styler of these weights paints."""
    styler = _styler(student, images, width, blocks, weights)
    with torch.no_grad():
        return styler(images)


def paint_in_a_graph(
    student: ModuleType, images: Tensor, width: int, blocks: int, weights: Mapping[str, Tensor]
) -> Any:
    """Return what a styler paints, and a gradient at its first weights."""
    styler = _styler(student, images, width, blocks, weights)
    painted = styler(images)
    if not isinstance(painted, Tensor):
        return painted
    found = _with_gradients(painted, "a gradient at the first weights", [styler.enter.conv.weight])
    found["the painted images"] = found.pop("the loss")
    return found


def convolve(
    student: ModuleType, images: Tensor, kernel: int, stride: int, weights: Mapping[str, Tensor]
) -> Any:
    """Return what a convolution gives for pictures that are continued as in a mirror."""
    styler = student.FastStyler(width=2, blocks=1).to(images.dtype)
    conv = nn.Conv2d(images.shape[1], 2, kernel, stride).to(images.dtype)
    conv.load_state_dict(dict(weights))
    with torch.no_grad():
        return styler.convolve(conv, images)


def _styler(
    student: ModuleType, images: Tensor, width: int, blocks: int, weights: Mapping[str, Tensor]
) -> Any:
    with seeded(0):  # its first weights are drawn, then overwritten
        styler = student.FastStyler(width=width, blocks=blocks)
    styler.load_state_dict(dict(weights))
    return styler.to(images.dtype)


def _with_gradients(value: Any, name: str, leaves: Sequence[Tensor]) -> Any:
    """Return a loss and its gradients.

    They are zeros where it hangs in no graph of the leaves.
    """
    if not isinstance(value, Tensor):
        return value  # the check says what it is
    gradients: Sequence[Tensor | None] = [None] * len(leaves)
    if value.requires_grad:
        total = value if value.dim() == 0 else value.square().sum()
        gradients = torch.autograd.grad(total, leaves, allow_unused=True)
    found = [
        torch.zeros_like(leaf) if gradient is None else gradient
        for leaf, gradient in zip(leaves, gradients, strict=True)
    ]
    return {"the loss": value.detach(), name: found[0] if len(found) == 1 else found}
