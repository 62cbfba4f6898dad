"""The reference against an oracle: a library, mathematics, or a case worked out by hand."""

from __future__ import annotations

import pytest


def test_overlay_mask_agrees_with_an_oracle() -> None:
    # TODO: `overlay_mask` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_activation_mask_agrees_with_an_oracle() -> None:
    # TODO: `activation_mask` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_receptive_field_agrees_with_an_oracle() -> None:
    # TODO: `receptive_field` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_unit_box_agrees_with_an_oracle() -> None:
    # TODO: `unit_box` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_top_patches_agrees_with_an_oracle() -> None:
    # TODO: `top_patches` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_stream_top_patches_agrees_with_an_oracle() -> None:
    # TODO: `stream_top_patches` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")


def test_concept_iou_agrees_with_an_oracle() -> None:
    # TODO: `concept_iou` beside an oracle, to 1e-6 or better in float64
    pytest.fail("not written yet")
