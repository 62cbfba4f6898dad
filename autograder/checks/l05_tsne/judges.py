"""Judges of results that have more than one right answer in lesson 5."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from autograder.checks.compare import close
from autograder.course.exercise import Complaint
from solutions import l05_tsne as reference


def judge_pca(expected: Any, actual: Any, inputs: Mapping[str, Any]) -> Complaint | None:
    """Judge coordinates along principal axes.

    Args:
        expected: coordinates from the reference, (N, k).
        actual: coordinates from the student's code, of the same shape.
        inputs: the case's arguments, of which `x` is read.

    Returns:
        The complaint, or None where they are right.
    """
    if _same_axes(expected, actual):
        return None
    if _same_axes(expected.flip(1), actual):
        return Complaint("returned the columns in another order.", mistake="order_reversed")
    return Complaint(
        "returned coordinates that are not along the directions of most spread.",
        mistake=_wrong_axes(actual, inputs["x"]),
    )


def _same_axes(expected: Tensor, actual: Tensor) -> bool:
    """Check whether coordinates agree where each axis may point either way."""
    return close(expected, actual * (expected * actual).sum(0).sign(), 1e-3, 1e-4)


def _wrong_axes(actual: Tensor, x: Tensor) -> str | None:
    """Name the directions taken instead of the first ones, either way round."""
    centred = (x - x.mean(0)).double()
    k, (count, dimensions) = actual.shape[1], x.shape
    if dimensions >= count:
        return None  # Some directions have no spread: which of them come last is chance.
    _, _, axes = torch.linalg.svd(centred, full_matrices=False)
    last = (centred @ axes[-k:].T).to(actual)
    if _same_axes(last, actual) or _same_axes(last.flip(1), actual):
        return "least_spread_first"
    # The columns of V^T mix directions, each of either sign: so look at what points were measured
    # along, not at where they came out.
    measured = torch.linalg.lstsq(centred, actual.double()).solution
    return "columns_for_rows" if close(axes[:, :k].abs(), measured.abs(), 1e-3, 1e-3) else None


def _entropy(p: Tensor) -> Tensor:
    """Return the entropy of each row in nats."""
    p = p.double()
    return -torch.xlogy(p, p).sum(1)


def judge_conditional(expected: Any, actual: Any, inputs: Mapping[str, Any]) -> Complaint | None:
    """Judge rows of neighbours by their sums, entropy and values.

    Args:
        expected: conditional probabilities from the reference, (N, N).
        actual: those from the student's code, of the same shape.
        inputs: the case's arguments, of which `perplexity` is read.

    Returns:
        The complaint, or None where they are right.
    """
    wanted, got = _entropy(expected), _entropy(actual)
    perplexity = inputs["perplexity"]
    if actual.diagonal().abs().max() > 1e-6:
        return Complaint("counted each point among its own neighbours.", mistake="diagonal_kept")
    sums = actual.double().sum(1)
    if (sums - 1).abs().max() > 1e-3:
        detail = f"Your rows sum to {sums.min():.4g} to {sums.max():.4g}."
        return Complaint("returned rows that do not sum to 1.", detail)
    if (got - wanted).abs().max() > 1e-3:
        message = "returned rows whose entropy is not that of the perplexity asked for."
        detail = (
            f"The perplexity asked for is {perplexity:.4g}; that of your rows is "
            f"{got.exp().min():.4g} to {got.exp().max():.4g}."
        )
        units = {
            "target_in_bits": math.log2(perplexity),
            "entropy_in_bits": math.log(perplexity) * math.log(2),
        }
        named = [name for name, nats in units.items() if (got - nats).abs().max() < 1e-3]
        return Complaint(message, detail, named[0] if named else None)
    if not close(expected, actual, 1e-2, 1e-3):
        return Complaint(
            "returned rows with the right entropy, which are not Gaussian in the distance."
        )
    return None


def judge_tsne(expected: Any, actual: Any, inputs: Mapping[str, Any]) -> Complaint | None:
    """Judge a map by properties that every good map has.

    Args:
        expected: the reference's map (N, 2), or two of them where the call makes two.
        actual: the same from the student's code.
        inputs: the case's arguments; with `other` two maps must differ, with `same` they must not.

    Returns:
        The complaint, or None where the map is good.
    """
    if "other" in inputs:
        return _must_differ(actual, inputs["one"], inputs["other"])
    if "same" in inputs:
        if _alike(*actual):
            return None
        return Complaint("gave one map for `learning_rate=None` and another for N / 12.")
    if inputs["steps"] == 1:
        return _starts_at_pca(actual, inputs["x"])
    # Of a handful of points any arrangement may be a good map: finite is all one can ask.
    return _good_map(expected, actual, inputs) if len(actual) >= 50 else None


def _alike(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= 1e-3 * one.abs().max())


def _must_differ(
    maps: Tensor, one: Mapping[str, Any], other: Mapping[str, Any]
) -> Complaint | None:
    if not _alike(*maps):
        return None
    (name,) = (key for key in one if one[key] != other[key])
    return Complaint(f"gave the same map whatever `{name}` was.", mistake=f"{name}_ignored")


def _starts_at_pca(y: Tensor, x: Tensor) -> Complaint | None:
    """Judge a map after one step of no length, which is its start.

    The start must be PCA, in any unit and either direction.
    """
    wanted = reference.pca(x.double(), 2)
    unit = [points / points.norm(dim=0).clamp(min=1e-12) for points in (wanted, y.double())]
    if (unit[0] * unit[1]).sum(0).abs().min() > 0.95:
        return None
    return Complaint('does not start at the first two principal components with `init="pca"`.')


def _good_map(expected: Tensor, y: Tensor, inputs: Mapping[str, Any]) -> Complaint | None:
    """Judge a map by its divergence and by the forces on its points.

    At the end of a descent the forces on each point cancel. So a map betrays the loss that it was
    made for: where the forces of a wrong P cancel and those of the right one do not, that was it.
    """
    y = y.double()
    distances = reference.squared_distances(inputs["x"].double())

    def joint(squared: Tensor) -> Tensor:
        conditional = reference.conditional_probabilities(squared, inputs["perplexity"])
        return reference.joint_probabilities(conditional)

    def force(p: Tensor) -> float:
        return float(reference.tsne_gradient(p, y).norm())

    p = joint(distances)
    if force(inputs["exaggeration"] * p) < 0.1 * force(p):
        message = "returned a map on which the exaggerated P still pulls."
        return Complaint(message, mistake="exaggeration_stays")
    if force(joint(distances.sqrt())) < 0.4 * force(p):
        message = "returned a map of other neighbours than the P of this perplexity."
        return Complaint(message, mistake="distances_not_squared")

    # Good descents of other people end between 0.9 and 1.5 times the reference's divergence; one
    # without momentum and gains, at twice.
    divergence, known = (reference.kl_divergence(p, points) for points in (y, expected.double()))
    if divergence > 1.6 * known:
        size = float(y.std() / expected.double().std())
        how = "has not settled" if size < 2 else "has flown apart"
        detail = f"Your KL divergence is {divergence:.3f}, the reference's {known:.3f}."
        return Complaint(f"returned a map that {how}: its KL divergence is too high.", detail)
    if y.mean(0).abs().max() > 1e-3 * y.std():
        return Complaint("returned a map whose mean is not 0.", mistake="map_not_centred")
    return None
