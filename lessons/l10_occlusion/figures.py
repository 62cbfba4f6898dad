"""Figures of lesson 10, drawn with the course's functions or a student's own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lessons.toolkit.classes import class_index
from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import BRIGHTNESS, colour, image_grid, new_figure, style_axes

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.figure import Figure

WINDOW, STRIDE = 64, 32
SMALL_WINDOW, SMALL_STRIDE = 32, 24
WINDOWS = (32, 64, 96, 128)
BLUR = 16
FILLS = ("mean colour", "black", "blur")
HELMET = (5, 3)  # the window, down and across, that costs the football helmet most
ASKED = {"astronaut": "football helmet", "camera": "tripod"}
BATCH = 8
DROP, RISE = (0.97, 0.5, 0.05), (0.5, 0.4, 0.85)  # orange and violet


@cache
def _classifier() -> Classifier:
    return load_model()


@cache
def _photo(name: str) -> tuple[Tensor, Tensor, Tensor]:
    """Return a photo as colours, as images (1, 3, H, W), and the class asked about."""
    classifier = _classifier()
    rgb = classifier.preprocess.crop_rgb(load_photo(name))
    target = torch.tensor([class_index(classifier.classes, ASKED[name])])
    return rgb, classifier.preprocess.normalise(rgb)[None], target


@cache
def _fills(course: Any, name: str) -> dict[str, Tensor]:
    _, images, _ = _photo(name)
    preprocess = _classifier().preprocess
    fills: dict[str, Tensor] = course.l10_occlusion.three_fills(
        images, preprocess.mean, preprocess.std, BLUR
    )
    return fills


@cache
def _map(
    course: Any, name: str, window: int = WINDOW, stride: int = STRIDE, fill: str = "mean colour"
) -> Tensor:
    _, images, target = _photo(name)
    covering = _fills(course, name)[fill]
    network = _classifier().network
    maps: Tensor = course.l10_occlusion.occlusion_map(
        network, images, target, window, stride, covering, BATCH
    )
    return maps[0]


def _laid_over(rgb: Tensor, heatmap: Tensor, scale: float | None = None) -> Tensor:
    """Lay a signed map over the photo in grey.

    It is orange where the logit drops, and violet where it rises.

    Args:
        rgb: (3, H, W) in [0, 1].
        heatmap: (h, w); each value covers a block of the photo.
        scale: what is shown in full colour; by default the largest magnitude.
    """
    size = rgb.shape[1:]
    fine = torch.nn.functional.interpolate(heatmap[None, None], size, mode="nearest")[0, 0]
    scale = scale or float(fine.abs().max())
    unit = (fine / scale).clamp(-1, 1)
    drop, rise = (torch.tensor(shade)[:, None, None] for shade in (DROP, RISE))
    covers = 0.85 * unit.abs() ** 0.8
    # The photo is pale, or a colour over its dark parts would look darker than it is.
    pale = 0.4 + 0.6 * torch.einsum("c,chw->hw", torch.tensor(BRIGHTNESS), rgb)
    return (1 - covers) * pale + covers * torch.where(unit > 0, drop, rise)


def helmet(course: Any) -> Figure:
    """Draw the astronaut, her helmet covered, and the map of the football helmet."""
    rgb, _, _ = _photo("astronaut")
    grey = torch.tensor(_classifier().preprocess.mean)[:, None, None]
    top, left = (STRIDE * place for place in HELMET)
    covered = course.l10_occlusion.occlude(rgb, top, left, WINDOW, grey)
    laid = _laid_over(rgb, _map(course, "astronaut"))
    return image_grid([rgb, covered, laid], ["football helmet?", "covered", "where it was"], 3)


def from_windows_to_pixels(course: Any) -> Figure:
    """Draw the drops of windows, how many of them meet in a pixel, and their mean."""
    _, images, target = _photo("astronaut")
    drops = course.l10_occlusion.occlusion_drops(
        _classifier().network, images, target, WINDOW, STRIDE, 0.0, BATCH
    )[0]
    pixels = _map(course, "astronaut")
    starts = course.l10_occlusion.window_positions(images.shape[2], WINDOW, STRIDE)
    once = torch.zeros(images.shape[2])
    for start in starts:
        once[start : start + WINDOW] += 1
    count = torch.outer(once, once)
    half = STRIDE // 2
    figure = new_figure(9.3, 3.6)
    titles = ("6×6 windows", "windows that meet", "224×224 pixels")
    shown = (drops, count[half::STRIDE, half::STRIDE], pixels[half::STRIDE, half::STRIDE])
    for number, (values, title) in enumerate(zip(shown, titles, strict=True)):
        axes = figure.add_subplot(1, 3, number + 1)
        axes.imshow(_cells(values, signed=number != 1), interpolation="nearest")
        for row in range(len(values)):
            for column in range(len(values)):
                value = float(values[row, column])
                text = f"{value:.0f}" if number == 1 else f"{value:+.1f}".replace("-", "−")
                ink = "#fff" if _dark(values, value, number != 1) else "#222"
                axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=10)
        style_axes(axes, title)
        axes.set_axis_off()
    return figure


def _cells(values: Tensor, signed: bool) -> Any:
    return colour(values, signed).permute(1, 2, 0).numpy()


def _dark(values: Tensor, value: float, signed: bool) -> bool:
    """Tell whether a cell is so dark that its number is to be white."""
    if signed:
        return abs(value) > 0.5 * float(values.abs().max())
    return value < float(values.max())


def fills_and_windows(course: Any) -> Figure:
    """Draw what covers the helmet, and the maps of three fills and two windows."""
    rgb, _, _ = _photo("astronaut")
    preprocess = _classifier().preprocess
    top, left = (STRIDE * place for place in HELMET)
    pictures, titles = [], []
    for fill in FILLS:
        covering = preprocess.to_rgb(_fills(course, "astronaut")[fill])[0]
        pictures.append(course.l10_occlusion.occlude(rgb, top, left, WINDOW, covering))
        titles.append(fill)
    for window, stride in ((WINDOW, STRIDE), (SMALL_WINDOW, SMALL_STRIDE)):
        for fill in FILLS:
            heatmap = _map(course, "astronaut", window, stride, fill)
            pictures.append(_laid_over(rgb, heatmap))
            titles.append(f"{window}: {float(heatmap.max()):+.1f}")
    return image_grid(pictures, titles, columns=3)


def window_sizes(course: Any) -> Figure:
    """Draw the drops of four sizes of the window above the maps made of them."""
    rgb, images, target = _photo("astronaut")
    network, lesson = _classifier().network, course.l10_occlusion
    grids, maps, titles = [], [], []
    for window in WINDOWS:
        grid = lesson.occlusion_drops(network, images, target, window, STRIDE, 0.0, BATCH)[0]
        grids.append(colour(grid, signed=True))
        maps.append(_laid_over(rgb, _spread(grid, window, rgb.shape[1])))
        titles.append(f"{window}: {grid.shape[0]}×{grid.shape[1]}")
    return image_grid([*grids, *maps], [*titles, *["224×224"] * len(maps)], columns=4)


def second_cover(course: Any) -> Figure:
    """Draw what the tripod loses, and what it loses once its legs are hidden."""
    rgb, images, target = _photo("camera")
    lesson, network = course.l10_occlusion, _classifier().network
    given = (target, WINDOW, STRIDE, 0.0, BATCH)
    change = lesson.stand_ins(network, images, *given)[0]
    first = lesson.occlusion_drops(network, images, *given)[0]
    row, column = divmod(int(first.argmax()), first.shape[1])
    grey = torch.tensor(_classifier().preprocess.mean)[:, None, None]
    hidden = lesson.occlude(rgb, STRIDE * row, STRIDE * column, WINDOW, grey)
    scale = float((first + change).abs().max())
    pictures = [rgb, hidden]
    for photo, grid in ((rgb, first), (hidden, first + change)):
        pictures.append(_laid_over(photo, _spread(grid, WINDOW, rgb.shape[1]), scale))
    return image_grid(pictures, ["tripod?", "legs hidden", "first cover", "second cover"], 4)


def _spread(grid: Tensor, window: int, size: int) -> Tensor:
    """Give each pixel (size, size) the mean over the windows that cover it."""
    first, pixels = torch.arange(len(grid))[:, None] * STRIDE, torch.arange(size)
    covers = ((first <= pixels) & (pixels < first + window)).to(grid)
    return (covers.T @ grid @ covers) / torch.outer(covers.sum(0), covers.sum(0))
