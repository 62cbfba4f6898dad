"""The reference against an oracle: a library, mathematics, or a case worked out by hand."""

from __future__ import annotations

import pytest


def test_total_variation_agrees_with_an_oracle() -> None:
    # TODO: `total_variation` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_ascent_step_agrees_with_an_oracle() -> None:
    # TODO: `ascent_step` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_normalise_gradient_agrees_with_an_oracle() -> None:
    # TODO: `normalise_gradient` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_class_image_agrees_with_an_oracle() -> None:
    # TODO: `class_image` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_filter_pattern_agrees_with_an_oracle() -> None:
    # TODO: `filter_pattern` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_fourier_image_agrees_with_an_oracle() -> None:
    # TODO: `fourier_image` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_class_portrait_agrees_with_an_oracle() -> None:
    # TODO: `class_portrait` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")
