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
from typing import TYPE_CHECKING

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
    from matplotlib import colormaps

    values = heatmap.detach().cpu().float()
    known = values.nan_to_num()
    if signed:
        largest = known.abs().max()
        unit = 0.5 + 0.5 * known / torch.where(largest > 0, largest, 1)
    else:
        unit = scale_to_unit(known)
    colours = colormaps[DIVERGING if signed else SEQUENTIAL](unit.numpy())[..., :3]
    rgb = torch.from_numpy(colours).float().permute(2, 0, 1)
    return torch.where(values.isnan(), 0.5, rgb)


def overlay(rgb: Tensor, heatmap: Tensor, alpha: float = 0.5) -> Tensor:
    """Lay a heatmap over the photo that it explains.

    Args:
        rgb: the photo, (3, H, W) in [0, 1].
        heatmap: (h, w), any range; enlarged bilinearly to the photo.
        alpha: weight of the heatmap, 0 to 1.

    Returns:
        float32 (3, H, W) in [0, 1] on the CPU.

    >>> overlay(torch.ones(3, 8, 6), torch.rand(2, 2)).shape
    torch.Size([3, 8, 6])
    """
    size = (rgb.shape[-2], rgb.shape[-1])
    fine = functional.interpolate(
        heatmap.detach()[None, None].float(), size, mode="bilinear", align_corners=False
    )
    return (1 - alpha) * rgb.detach().cpu().float() + alpha * colour(fine[0, 0])


def signed_to_rgb(gradient: Tensor, quantile: float = 0.995) -> Tensor:
    """Draw a signed picture, such as a gradient at the pixels, around mid-grey.

    Args:
        gradient: (3, H, W) or (N, 3, H, W); each picture is scaled by itself.
        quantile: share of values that fit in the range; the few larger ones are clipped, or one
            bright pixel would leave the rest grey.

    Returns:
        float32, the same shape, in [0, 1] on the CPU; 0 becomes 0.5.

    >>> signed_to_rgb(torch.zeros(3, 2, 2)).unique()
    tensor([0.5000])
    """
    values = gradient.detach().cpu().float()
    magnitude = values.abs().flatten(-3).sort(dim=-1).values  # torch.quantile refuses large images
    rank = round(quantile * (magnitude.shape[-1] - 1))
    scale = magnitude[..., rank, None, None, None]
    largest = magnitude[..., -1, None, None, None]
    scale = torch.where(scale > 0, scale, torch.where(largest > 0, largest, 1))
    return (0.5 + 0.5 * values / scale).clamp(0, 1)


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
        def _repr_png_(self) -> bytes:
            return figure_png(self)

    figure = NotebookFigure(figsize=(width, height), dpi=DOTS_PER_INCH, layout="constrained")
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
    return figure


def image_grid(
    images: Sequence[Tensor] | Tensor,
    titles: Sequence[str] | None = None,
    columns: int | None = None,
    signed: bool = False,
    inches: float = 2.2,
) -> Figure:
    """Draw pictures in rows, each with its title above it.

    Args:
        images: pictures (3, H, W) in [0, 1], or maps (H, W), each coloured over its own range.
        titles: one for each picture.
        columns: pictures in a row; by default all of them, at most six.
        signed: for maps, zero is the middle of the scale.
        inches: width of one picture.

    Raises:
        ValueError: no pictures, or another number of titles than of pictures.

    >>> len(image_grid(torch.rand(5, 8, 8), columns=3).axes)
    5
    """
    if len(images) == 0:
        raise ValueError("a grid needs at least one picture")
    if titles is not None and len(titles) != len(images):
        raise ValueError(f"{len(titles)} titles for {len(images)} pictures")
    columns = min(columns or 6, len(images))
    rows = -(-len(images) // columns)
    tallest = max(image.shape[-2] / image.shape[-1] for image in images)
    title_inches = 0.4 if titles is not None else 0.05
    figure = new_figure(columns * inches, rows * (inches * tallest + title_inches))
    for number, image in enumerate(images):
        rgb = colour(image, signed) if image.ndim == 2 else image.detach().cpu().float()
        axes = figure.add_subplot(rows, columns, number + 1)
        # Tensors here are often far smaller than their picture: show their pixels as squares.
        axes.imshow(rgb.clamp(0, 1).permute(1, 2, 0).numpy(), interpolation="nearest")
        style_axes(axes, titles[number] if titles is not None else "")
        axes.set_axis_off()
    return figure


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
