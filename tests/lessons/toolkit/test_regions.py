"""Regions of a mask beside SciPy's, and a segmenter that stays calm on odd pictures."""

from __future__ import annotations

import warnings

import pytest
import torch
from scipy.ndimage import label

from lessons.toolkit.regions import connected_components, graph_segment


def test_regions_are_scipys() -> None:
    mask = torch.rand(30, 40, generator=torch.Generator().manual_seed(0)) > 0.45
    expected, count = label(mask.numpy())
    assert count > 10
    assert torch.equal(connected_components(mask), torch.from_numpy(expected).long())


def markers() -> torch.Tensor:
    seeds = torch.zeros(6, 8, dtype=torch.long)
    seeds[0, 0], seeds[5, 7] = 1, 2
    return seeds


def test_two_colours_are_told_apart() -> None:
    picture = torch.zeros(3, 6, 8)
    picture[:, :, 5:] = 1
    labels = graph_segment(picture, markers())
    assert (labels[:, :5] == 1).all() and (labels[:, 5:] == 2).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_picture_of_one_colour_is_cut_in_the_middle_without_a_warning(dtype: torch.dtype) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        labels = graph_segment(torch.full((3, 6, 8), 0.3, dtype=dtype), markers())
    assert labels[0, 0] == labels[2, 1] == 1 and labels[5, 7] == labels[3, 6] == 2


def test_seeds_of_one_kind_and_seeds_everywhere() -> None:
    picture = torch.rand(3, 6, 8, generator=torch.Generator().manual_seed(0))
    assert (graph_segment(picture, markers().clamp(max=1)) == 1).all()
    whole = markers().clamp(min=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(graph_segment(picture, whole), whole)
    with pytest.raises(ValueError, match="no seed"):
        graph_segment(picture, torch.zeros(6, 8, dtype=torch.long))
