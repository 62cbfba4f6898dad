"""The reference against an oracle: a library, mathematics, or a case worked out by hand."""

from __future__ import annotations

import pytest


def test_rank_correlation_agrees_with_an_oracle() -> None:
    # TODO: `rank_correlation` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_randomise_from_top_agrees_with_an_oracle() -> None:
    # TODO: `randomise_from_top` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_pointing_game_agrees_with_an_oracle() -> None:
    # TODO: `pointing_game` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_deletion_curve_agrees_with_an_oracle() -> None:
    # TODO: `deletion_curve` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_insertion_curve_agrees_with_an_oracle() -> None:
    # TODO: `insertion_curve` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_comparison_agrees_with_an_oracle() -> None:
    # TODO: `comparison` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_strongest_window_agrees_with_an_oracle() -> None:
    # TODO: `strongest_window` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_find_the_shortcut_agrees_with_an_oracle() -> None:
    # TODO: `find_the_shortcut` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")
