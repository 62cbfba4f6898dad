"""Find the panels of a grid of pictures, and the maps laid over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from autograder.build.site.live.pack import grey_picture, packed, rounded
from lessons.toolkit.plots import Overlay

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PHOTO_QUALITY = 55  # of a grey photo below a map
LEVELS = 127  # that the largest magnitude of a map is rounded to


def panels(figure: Figure) -> dict[str, Any] | None:
    """Return where the pictures of a grid lie.

    Returns:
        None for a figure that holds more than pictures with titles. Else ``columns``, how many
        stand side by side; ``titles``, one a picture; ``boxes``, the left, top, right and bottom
        of each in pixels.
    """
    for _ in range(2):  # a layout with pictures settles at the second time
        figure.draw_without_rendering()
    more = [*figure.texts, *figure.legends, *figure.subfigs, *figure.lines, *figure.patches]
    if more or not figure.axes or not all(_is_picture(axes) for axes in figure.axes):
        return None
    places = [axes.get_subplotspec() for axes in figure.axes]
    columns = {place.get_gridspec().ncols for place in places if place is not None}
    if len(columns) != 1 or None in places:
        return None
    height = round(figure.bbox.height)
    boxes = []
    for axes in figure.axes:
        # A pixel inside: at the edge a picture is mixed with what is behind it.
        extent = axes.get_window_extent().padded(-1)
        left, right, low, high = map(round, (extent.x0, extent.x1, extent.y0, extent.y1))
        boxes.append([left, height - high, right, height - low])
    titles = [axes.get_title() for axes in figure.axes]
    return {"columns": columns.pop(), "titles": titles, "boxes": boxes}


def _is_picture(axes: Axes) -> bool:
    """Return whether axes show one picture and nothing but their title outside of it."""
    if axes.axison or len(axes.images) != 1:
        return False
    frame = axes.get_window_extent().padded(1)
    # A word beside a row belongs to the figure.
    return all(
        frame.contains(*text.get_window_extent().min)
        and frame.contains(*text.get_window_extent().max)
        for text in axes.texts
    )


def maps(figure: Figure) -> dict[str, Any] | None:
    """Return the maps laid over a figure's pictures as plain data.

    Returns:
        None where there are none. Else ``photos``, each once, in grey; their ``size``; ``alpha``;
        ``maps``, with the number of the ``panel`` and of the ``photo``, the ``height`` and
        ``width`` of the map, its ``levels`` by rows, packed, and the ``step`` between two.
    """
    overlays: dict[int, Overlay] = getattr(figure, "overlays", {})
    if not overlays:
        return None
    photos: list[str] = []
    found = []
    for number, (rgb, heatmap, _) in overlays.items():
        photo = grey_picture(rgb, PHOTO_QUALITY)
        if photo not in photos:
            photos.append(photo)
        levels, step = rounded(heatmap.detach().cpu().float().flatten()[None], LEVELS)
        found.append(
            {
                "panel": number,
                "photo": photos.index(photo),
                "height": heatmap.shape[0],
                "width": heatmap.shape[1],
                "levels": packed(levels.to(torch.int8)),
                "step": float(f"{float(step):.5g}"),
            }
        )
    first = next(iter(overlays.values()))
    size = list(first.rgb.shape[1:])
    return {"alpha": first.alpha, "size": size, "photos": photos, "maps": found}
