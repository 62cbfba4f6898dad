"""Pictures of tensors: colour maps, overlays, grids and figures.

They are readable on dark and light pages. Figures are made without pyplot, so nothing global
changes and none has to be closed.
"""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from lessons.toolkit.errors import UserError

if TYPE_CHECKING:  # matplotlib is absent where student code is run; only figures need it
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Lightness rises steadily from one end to the other, so it reads in grey print and for people who
# see fewer colours; jet and rainbow show edges that are not in the data.
SEQUENTIAL = "viridis"
# Purple below zero, white at zero, orange above: no red against green.
DIVERGING = "PuOr_r"
# Equally far from white and from the dark page's #1e2129: a contrast of 4.0 on both, the most that
# one colour can have. Text is large to make up for it.
INK = "#7f7f7f"
# Of lines and marks, told apart on light and dark pages, and by people who see fewer colours.
ORANGE, PURPLE, GREEN = "#e66101", "#8d74bf", "#2fa08f"
# Of red, green and blue in the brightness of a grey picture (Rec. 601, as Pillow has it).
BRIGHTNESS = (0.299, 0.587, 0.114)
# Exponent from a value to how far its colour covers the photo: below 1, or middle values are lost.
COVER = 0.7
TITLE_POINTS = 14
LABEL_POINTS = 12
DOTS_PER_INCH = 150


def scale_to_unit(heatmap: Tensor) -> Tensor:
    """Scale a map from its lowest and highest value to 0 and 1.

    Args:
        heatmap: (H, W), or (N, H, W) where each map is scaled by itself.

    Returns:
        The same shape and dtype, detached. A constant map becomes 0.

    >>> scale_to_unit(torch.tensor([[2.0, 4.0, 6.0]]))
    tensor([[0.0000, 0.5000, 1.0000]])
    """
    heatmap = heatmap.detach()
    low = heatmap.amin(dim=(-2, -1), keepdim=True)
    span = heatmap.amax(dim=(-2, -1), keepdim=True) - low
    return (heatmap - low) / torch.where(span > 0, span, 1)


def colour(heatmap: Tensor, signed: bool = False) -> Tensor:
    """Return a map as colours.

    Args:
        heatmap: (H, W), any range; NaN is shown in mid-grey.
        signed: zero is the middle of the scale, and the largest magnitude its end.

    Returns:
        float32 (3, H, W) in [0, 1] on the CPU.

    >>> colour(torch.zeros(4, 6)).shape
    torch.Size([3, 4, 6])
    """
    values = heatmap.detach().cpu().float()
    known = values.nan_to_num()
    if signed:
        largest = known.abs().max()
        unit = 0.5 + 0.5 * known / torch.where(largest > 0, largest, 1)
    else:
        unit = scale_to_unit(known)
    return torch.where(values.isnan(), 0.5, _palette(unit, DIVERGING if signed else SEQUENTIAL))


class Overlay(NamedTuple):
    """A heatmap and its photo, which `image_grid` draws by `overlay`.

    Kept apart, readers of the site can fade the map and put it on another scale.

    Attributes:
        rgb: the photo, (3, H, W) in [0, 1].
        heatmap: (h, w).
        alpha: how far the highest value covers the photo, 0 to 1.
    """

    rgb: Tensor
    heatmap: Tensor
    alpha: float = 0.6


def overlay(rgb: Tensor, heatmap: Tensor, alpha: float = 0.6) -> Tensor:
    """Lay a heatmap over the photo that it explains.

    The photo is grey, so that all colour is the map's. The more a place counts, the more its colour
    covers; zero covers nothing, and a map of zeros leaves the photo as it is.

    Args:
        rgb: the photo, (3, H, W) in [0, 1].
        heatmap: (h, w), enlarged bilinearly to the photo. Its scale goes from 0, or from its lowest
            value if that is below, to its highest. NaN counts as nothing.
        alpha: how far the highest value covers the photo, 0 to 1.

    Returns:
        float32 (3, H, W) in [0, 1] on the CPU.

    Raises:
        ValueError: the heatmap is not (h, w), or the photo not (3, H, W).

    >>> photo = torch.rand(3, 8, 6)
    >>> torch.equal(overlay(photo, torch.zeros(2, 2)), overlay(photo, torch.rand(2, 2), alpha=0))
    True
    """
    if rgb.ndim != 3 or len(rgb) != 3 or heatmap.ndim != 2:
        shapes = f"{tuple(rgb.shape)} and {tuple(heatmap.shape)}"
        raise ValueError(f"overlay takes a photo (3, H, W) and a map (h, w), not {shapes}")
    photo = rgb.detach().cpu().float()
    known = heatmap.detach().cpu().float().nan_to_num(0, 0, 0)
    fine = functional.interpolate(
        known[None, None], tuple(photo.shape[-2:]), mode="bilinear", align_corners=False
    )[0, 0]
    above = fine - fine.min().clamp(max=0)
    highest = above.max()
    unit = above / torch.where(highest > 0, highest, 1)
    grey = torch.einsum("c,chw->hw", torch.tensor(BRIGHTNESS), photo)
    covered = alpha * unit**COVER
    return (1 - covered) * grey + covered * _palette(unit, SEQUENTIAL)


def _palette(unit: Tensor, name: str) -> Tensor:
    """Return the colours (3, H, W) of values (H, W) in [0, 1]."""
    from matplotlib import colormaps

    return torch.from_numpy(colormaps[name](unit.numpy())[..., :3]).float().permute(2, 0, 1)


def signed_to_rgb(gradient: Tensor, quantile: float = 0.995) -> Tensor:
    """Draw a signed picture, such as a gradient at the pixels, around mid-grey.

    Args:
        gradient: (3, H, W) or (N, 3, H, W); each picture is scaled by itself.
        quantile: share of values that fit in the range; the few larger ones are clipped, or one
            bright pixel would leave the rest grey.

    Returns:
        float32, the same shape, in [0, 1] on the CPU; 0 becomes 0.5.

    Raises:
        ValueError: there are values that are no numbers.

    >>> signed_to_rgb(torch.zeros(3, 2, 2)).unique()
    tensor([0.5000])
    """
    values = gradient.detach().cpu().float()
    _refuse_unknown(values)
    magnitude = values.abs().flatten(-3).sort(dim=-1).values  # torch.quantile refuses large images
    rank = round(quantile * (magnitude.shape[-1] - 1))
    scale = magnitude[..., rank, None, None, None]
    largest = magnitude[..., -1, None, None, None]
    scale = torch.where(scale > 0, scale, torch.where(largest > 0, largest, 1))
    return (0.5 + 0.5 * values / scale).clamp(0, 1)


def magnitude(gradient: Tensor, quantile: float = 0.995) -> Tensor:
    """Return how strong a gradient is at each pixel, as a map for the eye.

    Args:
        gradient: (3, H, W), signed.
        quantile: share of the pixels that keep their value; the few larger ones are clipped, or
            they would be all that one sees.

    Returns:
        float32 (H, W), at least 0, on the CPU: the largest magnitude of the three colours.

    Raises:
        ValueError: there are values that are no numbers.

    >>> magnitude(torch.tensor([[[1.0]], [[-3.0]], [[2.0]]]))
    tensor([[3.]])
    """
    values = gradient.detach().cpu().float()
    _refuse_unknown(values)
    return clipped(values.abs().amax(0), quantile)


def clipped(heatmap: Tensor, quantile: float = 0.995) -> Tensor:
    """Cut a map's few strongest places off, or they would be all that one sees.

    Args:
        heatmap: (H, W), signed or not.
        quantile: share of the places that keep their value.

    Returns:
        The map, with no magnitude above that quantile of its magnitudes.

    >>> clipped(torch.tensor([[0.0, 1.0, -2.0, -9.0]]), 0.7)
    tensor([[ 0.,  1., -2., -2.]])
    """
    ordered = heatmap.abs().flatten().sort().values  # torch.quantile refuses large images
    clip = ordered[round(quantile * (len(ordered) - 1))]
    # Where nearly all places are 0, so is the quantile, and clipping would leave nothing.
    return heatmap.clamp(-clip, clip) if clip > 0 else heatmap


def _refuse_unknown(values: Tensor) -> None:
    unknown = int((~values.isfinite()).sum())
    if unknown:
        count = f"{unknown:,} of {values.numel():,} values"
        raise ValueError(f"{count} are NaN or infinite: a picture needs numbers")


def new_figure(width: float, height: float) -> Figure:
    """Make an empty figure for light and dark pages.

    It is transparent, with its text in `INK`.

    Args:
        width: inches.
        height: inches.

    Returns:
        A figure that belongs to no pyplot window and shows itself as the value of a notebook cell.
    """
    from matplotlib.figure import Figure

    class NotebookFigure(Figure):
        overlays: dict[int, Overlay]  # by number of its axes

        def _repr_png_(self) -> bytes:
            return figure_png(self)

    figure = NotebookFigure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
    figure.overlays = {}
    figure.patch.set_alpha(0)
    return figure


def style_axes(axes: Axes, title: str = "") -> None:
    """Make a plot's frame, ticks and text readable on light and dark pages."""
    axes.patch.set_alpha(0)
    axes.set_title(title, color=INK, fontsize=TITLE_POINTS, fontweight="bold")
    axes.tick_params(colors=INK, labelsize=LABEL_POINTS)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set(color=INK, fontsize=LABEL_POINTS, fontweight="bold")
    for spine in axes.spines.values():
        spine.set_color(INK)


def style_plot(axes: Axes, title: str = "") -> None:
    """Style axes as `style_axes` does, with a frame below and at the left only."""
    style_axes(axes, title)
    axes.spines[["top", "right"]].set_visible(False)


def name_lines(axes: Axes, place: Literal["upper left", "lower right"]) -> None:
    """Name the lines of a plot, each in its own colour.

    Args:
        axes: whose lines have labels.
        place: the corner that the lines leave free.
    """
    bold = {"size": LABEL_POINTS, "weight": "bold"}
    axes.legend(frameon=False, loc=place, labelcolor="linecolor", prop=bold)


def show_heatmap(heatmap: Tensor, title: str = "", signed: bool = False) -> Figure:
    """Draw one map with its scale beside it.

    Args:
        heatmap: (H, W).
        title: a few words.
        signed: zero is the middle of the scale.

    >>> len(show_heatmap(torch.rand(7, 7)).axes)
    2
    """
    values = heatmap.detach().cpu().float()
    largest = float(values.nan_to_num().abs().max()) or 1.0
    figure = new_figure(4.6, 4)
    axes = figure.add_subplot()
    picture = axes.imshow(values.numpy(), cmap=DIVERGING if signed else SEQUENTIAL)
    if signed:
        picture.set_clim(-largest, largest)
    style_axes(axes, title)
    axes.set_axis_off()
    scale = figure.colorbar(picture, ax=axes)
    scale.outline.set_visible(False)
    style_axes(scale.ax)
    if not heatmap.any():
        picture.set_visible(False)
        _write_nothing(axes)
    return figure


def image_grid(
    images: Sequence[Tensor | Overlay] | Tensor,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    signed: bool = False,
    inches: float = 2.2,
) -> Figure:
    """Draw pictures in rows, each with its title above it.

    Args:
        images: pictures (3, H, W) in [0, 1], an `Overlay`, or maps (H, W), each coloured over its
            own range. In the place of a map that is 0 everywhere stands the word "nothing".
        titles: one for each picture.
        columns: pictures in a row; by default all of them, at most six.
        signed: for maps, zero is the middle of the scale.
        inches: width of one picture.

    Raises:
        ValueError: no pictures, one that is not (3, H, W) or (H, W), or another number of titles
            than of pictures.

    >>> len(image_grid(torch.rand(5, 8, 8), columns=3).axes)
    5
    """
    if isinstance(images, Tensor) and images.ndim < 3:
        raise ValueError("image_grid takes a list of pictures: write [picture] for one alone")
    if len(images) == 0:
        raise ValueError("a grid needs at least one picture")
    pictures = [overlay(*image) if isinstance(image, Overlay) else image for image in images]
    for image in pictures:
        if image.ndim != 2 and not (image.ndim == 3 and len(image) == 3):
            shape = tuple(image.shape)
            raise ValueError(f"a picture is (3, H, W), or a map (H, W), not {shape}")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"{len(titles)} titles for {len(images)} pictures")
    columns = min(columns or 6, len(images))
    rows = -(-len(images) // columns)
    tallest = max(image.shape[-2] / image.shape[-1] for image in pictures)
    lines = [title.count("\n") + 1 if title else 0 for title in titles or [""] * len(images)]
    most = [max(lines[first : first + columns]) for first in range(0, len(images), columns)]
    # A row without titles needs no room for them.
    title_inches = sum(0.11 + 0.24 * count for count in most if count)
    figure = new_figure(columns * inches, rows * (inches * tallest + 0.05) + title_inches)
    laid = {n: image for n, image in enumerate(images) if isinstance(image, Overlay)}
    figure.overlays = laid  # type: ignore[attr-defined]  # of NotebookFigure
    for number, image in enumerate(pictures):
        axes = figure.add_subplot(rows, columns, number + 1)
        nothing = image.ndim == 2 and not image.any()
        rgb = colour(image, signed) if image.ndim == 2 else image.detach().cpu().float()
        # Tensors here are often far smaller than their picture: show their pixels as squares.
        pixels = rgb.clamp(0, 1).permute(1, 2, 0).numpy()
        axes.imshow(pixels, interpolation="nearest", visible=not nothing)
        style_axes(axes, titles[number] if titles is not None else "")
        axes.set_axis_off()
        if nothing:
            _write_nothing(axes)
    return figure


def _write_nothing(axes: Axes) -> None:
    """Write "nothing" where a map that is 0 everywhere would be.

    A slab of the darkest colour would look like a map, and in print like a strong one.
    """
    middle = axes.text(0.5, 0.5, "nothing", color=INK, fontsize=TITLE_POINTS)
    middle.set(transform=axes.transAxes, ha="center", va="center")


def figure_png(figure: Figure) -> bytes:
    """Return a figure as a PNG file.

    The same figure gives the same bytes.
    """
    return _file_bytes(figure, "png")


def save_figure(figure: Figure, path: str | Path) -> None:
    """Write a figure to a file.

    The same figure gives the same bytes on any day.

    Args:
        figure: from this module or from matplotlib.
        path: its suffix decides the format: .png, .svg, .pdf, .webp or .jpg. Folders are made.

    Raises:
        UserError: the format is unknown, or the file cannot be written. A file that was there
            before is then still whole.
    """
    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    if kind not in figure.canvas.get_supported_filetypes():
        raise UserError(f"No figure can be saved as {path.name!r}.", "Let it end in .png or .svg.")
    data = _file_bytes(figure, kind)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished.write_bytes(data)
        unfinished.replace(path)
    except OSError as error:
        raise UserError(
            f"The figure {path} cannot be written ({error.strerror}).",
            "Check the folder's permissions and the free space.",
        ) from error
    finally:
        with contextlib.suppress(OSError):  # gone after the replace; left only by what went wrong
            unfinished.unlink()


def _file_bytes(figure: Figure, kind: str) -> bytes:
    from matplotlib import rc_context

    # Without these an SVG has random ids, and SVG and PDF the date and time.
    undated = {"png": {"Software": None}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    buffer = io.BytesIO()
    with rc_context({"svg.hashsalt": "convlens"}):
        figure.savefig(buffer, format=kind, metadata=undated.get(kind))
    return buffer.getvalue()
