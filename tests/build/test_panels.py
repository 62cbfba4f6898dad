"""A grid of pictures is known as one, and its panels are where they are said to be."""

from __future__ import annotations

import base64
import io
import zlib

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

from autograder.build.panels import maps, panels
from lessons.toolkit.plots import INK, Overlay, figure_png, image_grid, new_figure, show_heatmap

COLOURS = torch.tensor([[1.0, 0, 0], [0, 0.4, 1], [0, 0.6, 0], [1, 1, 0], [0, 1, 1]])


def flat(number: int, height: int, width: int) -> torch.Tensor:
    return COLOURS[number][:, None, None].expand(3, height, width)


@pytest.mark.parametrize("size", [(50, 100), (7, 7), (90, 40)])
@pytest.mark.parametrize("titles", [None, ["a", "b\nc", "", "d", "a_b"]])
def test_each_panel_is_its_picture_to_the_edge(size: tuple[int, int], titles: list[str] | None):
    figure = image_grid([flat(k, *size) for k in range(5)], titles, columns=3, inches=2.1)
    found = panels(figure)
    assert found is not None
    assert found["columns"] == 3
    assert found["titles"] == (titles or [""] * 5)
    drawn = np.asarray(Image.open(io.BytesIO(figure_png(figure))).convert("RGBA"))
    for number, (left, top, right, bottom) in enumerate(found["boxes"]):
        colour = [*(COLOURS[number] * 255).round().int().tolist(), 255]
        cut = drawn[top:bottom, left:right]
        assert (cut == colour).all()
        assert (right - left) / (bottom - top) == pytest.approx(size[1] / size[0], rel=0.02)
        all_of_it = (drawn == colour).all(-1).sum()
        assert all_of_it - cut.shape[0] * cut.shape[1] <= 6 * sum(cut.shape[:2])


def words_beside() -> Figure:
    figure = image_grid([flat(0, 9, 9)] * 4, columns=2)
    figure.axes[0].text(-0.3, 0.5, "a row", transform=figure.axes[0].transAxes)
    return figure


def plot() -> Figure:
    figure = new_figure(3, 2)
    figure.add_subplot().plot([0, 1], color=INK)
    return figure


def headed() -> Figure:
    figure = image_grid([flat(0, 9, 9)])
    figure.suptitle("all of it")
    return figure


@pytest.mark.parametrize(
    "draw", [words_beside, plot, headed, lambda: show_heatmap(torch.rand(4, 4))]
)
def test_what_has_more_than_pictures_and_titles_is_no_grid(draw):
    assert panels(draw()) is None


def test_a_mark_on_a_picture_stays_on_its_panel():
    figure = image_grid([flat(0, 9, 9)] * 2)
    figure.axes[1].plot([0, 8], [0, 8], color="black", linewidth=5)
    figure.axes[0].text(4, 4, "in")
    found = panels(figure)
    assert found is not None
    drawn = np.asarray(Image.open(io.BytesIO(figure_png(figure))).convert("RGB"))
    left, top, right, bottom = found["boxes"][1]
    middle = drawn[(top + bottom) // 2, (left + right) // 2]
    assert middle.tolist() == [0, 0, 0]


def test_maps_keep_their_values_and_each_photo_once():
    generator = torch.Generator().manual_seed(0)
    heatmaps = torch.randn(2, 3, 5, generator=generator)
    photo, other = torch.rand(2, 3, 6, 10, generator=generator)
    figure = image_grid(
        [
            photo,
            Overlay(photo, heatmaps[0], 0.7),
            Overlay(photo, heatmaps[1], 0.7),
            Overlay(other, heatmaps[0], 0.7),
        ]
    )
    found = maps(figure)
    assert found is not None
    assert (found["alpha"], found["size"], len(found["photos"])) == (0.7, [6, 10], 2)
    assert [(one["panel"], one["photo"]) for one in found["maps"]] == [(1, 0), (2, 0), (3, 1)]
    for one, expected in zip(found["maps"], heatmaps[[0, 1, 0]], strict=True):
        levels = np.frombuffer(zlib.decompress(base64.b64decode(one["levels"])), "int8")
        values = torch.tensor(levels * one["step"]).view(one["height"], one["width"])
        assert float((values - expected).abs().max() / expected.abs().max()) < 5e-3
    assert maps(image_grid([photo])) is None
