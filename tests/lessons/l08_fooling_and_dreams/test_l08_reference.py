"""The reference against an oracle: a library, mathematics, or a case worked out by hand."""

from __future__ import annotations

import pytest


def test_is_fooled_after_saving_agrees_with_an_oracle() -> None:
    # TODO: `is_fooled_after_saving` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_fooling_image_agrees_with_an_oracle() -> None:
    # TODO: `fooling_image` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_dream_gradient_agrees_with_an_oracle() -> None:
    # TODO: `dream_gradient` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_dream_step_agrees_with_an_oracle() -> None:
    # TODO: `dream_step` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_deep_dream_agrees_with_an_oracle() -> None:
    # TODO: `deep_dream` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_pattern_size_agrees_with_an_oracle() -> None:
    # TODO: `pattern_size` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")
