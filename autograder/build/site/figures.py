"""Put a lesson's figures on a page.

A plot comes in the inks of both schemes, a grid as one image a panel, with its titles as text.
"""

from __future__ import annotations

import html
import io
import re
from functools import cache
from pathlib import Path

from PIL import Image

from autograder.course.pictures import Panel, Picture
from autograder.course.story import FigureBlock
from lessons.toolkit.plots import DOTS_PER_INCH, INK

# Of a plot's text and axes, at a contrast of more than 7 on the page.
INK_BY_DAY, INK_BY_NIGHT = "#4f4f4f", "#bdbdbd"
PIXELS = DOTS_PER_INCH / 96  # of a grid's file, for each of CSS
PANEL_QUALITY = 82  # of WebP
MAPS = "assets/live/data"  # where scripts look for the data of maps
_MARKUP = re.compile(r"[\\`*_{}\[\]$~^=|]")


def figure(block: FigureBlock, folder: str, picture: Picture, lazy: bool = False) -> str:
    """Return the Markdown of a picture with its size, its text and its caption.

    Args:
        block: which, and its words.
        folder: where the lesson's pictures lie, as seen from the page.
        picture: its file and size, and its panels if it is a grid.
        lazy: let the browser load it when it comes into sight.
    """
    loading = " loading=lazy" if lazy else ""
    if picture.panels:
        shown = _grid(block, folder, picture, loading)
    else:
        shown = _whole(block, folder, picture, loading)
    if block.live:
        touched = f'data-live="{block.live}"'
    elif picture.maps:
        stem = folder.rpartition("/")[2]
        touched = f'data-live="heatmaps" data-of="{_maps_name(stem, picture)}"'
    else:
        return shown
    return f'<div class="live" {touched} markdown="1">\n\n{shown}\n\n</div>'


def figure_files(stem: str, picture: Picture) -> dict[str, str | bytes | Path]:
    """Return a picture's files by their place in the site."""
    folder, path = f"lessons/{stem}", picture.path
    files: dict[str, str | bytes | Path] = {}
    if picture.panels:
        for number, panel in enumerate(picture.panels, 1):
            files[f"{folder}/{_panel_name(picture, number)}"] = _cut(path, panel.box)
    elif path.suffix == ".svg":
        drawing = path.read_text(encoding="utf-8")
        files[f"{folder}/{path.name}"] = drawing.replace(INK, INK_BY_DAY)
        files[f"{folder}/{_dark(picture)}"] = drawing.replace(INK, INK_BY_NIGHT)
    else:
        files[f"{folder}/{path.name}"] = path
    if picture.maps:
        name = _maps_name(stem, picture)
        data = picture.maps.read_text(encoding="utf-8").strip()
        files[f"{MAPS}/{name}.js"] = f'live.data["{name}"] = {data}\n'
    return files


def _whole(block: FigureBlock, folder: str, picture: Picture, loading: str) -> str:
    alt = block.alt.replace("[", "\\[").replace("]", "\\]")
    size = f"width={picture.width} height={picture.height}"
    schemes = [("", picture.path.name, "")]
    if picture.path.suffix == ".svg":  # one of the two is shown, and only that one is loaded
        schemes = [
            ("#only-light", picture.path.name, " data-gallery=light"),
            ("#only-dark", _dark(picture), " data-gallery=dark"),
        ]
        loading = " loading=lazy"
    image = "".join(
        f"![{alt}]({folder}/{name}{scheme}){{ {size}{loading}{gallery} }}"
        for scheme, name, gallery in schemes
    )
    return f'<figure markdown="span">\n{image}{_caption(block)}\n</figure>'


def _grid(block: FigureBlock, folder: str, picture: Picture, loading: str) -> str:
    panels = "\n".join(
        _panel(folder, picture, number, panel, loading)
        for number, panel in enumerate(picture.panels, 1)
    )
    columns = f"--columns: {picture.columns}; --phone: {_columns_of_a_phone(picture)}"
    return (
        f'<figure class="panels" style="{columns}" markdown="1">\n'
        f'<p class="said" data-search-exclude markdown="span">{block.alt}</p>\n'
        f'<div class="grid" markdown="1">\n{panels}\n</div>{_caption(block)}\n</figure>'
    )


def _columns_of_a_phone(picture: Picture) -> int:
    """Return how many panels stand side by side where only a single row is folded."""
    if len(picture.panels) > picture.columns:
        return picture.columns
    left, top, right, bottom = picture.panels[0].box
    return min(picture.columns, 1 if right - left > 1.5 * (bottom - top) else 2)


def _panel(folder: str, picture: Picture, number: int, panel: Panel, loading: str) -> str:
    left, top, right, bottom = panel.box
    size = f"width={(right - left) / PIXELS:.0f} height={(bottom - top) / PIXELS:.0f}"
    said = _plain(" ".join(panel.title.split())) or str(number)
    title = "<br>".join(map(_plain, panel.title.splitlines()))
    shown = f"<b>{title}</b>" if title else ""
    image = f"![{said}]({folder}/{_panel_name(picture, number)}){{ {size}{loading} }}"
    return f'<div class="panel" markdown="span">{shown}{image}</div>'


def _plain(text: str) -> str:
    """Return text in which Markdown finds nothing.

    >>> _plain("a_b < *c*")
    'a&#95;b &lt; &#42;c&#42;'
    """
    return _MARKUP.sub(lambda sign: f"&#{ord(sign[0])};", html.escape(text, quote=False))


def _caption(block: FigureBlock) -> str:
    if not block.caption:
        return ""
    return f'\n<figcaption markdown="span">{block.caption}</figcaption>'


def _dark(picture: Picture) -> str:
    return f"{picture.path.stem}.dark.svg"


def _panel_name(picture: Picture, number: int) -> str:
    return f"{picture.path.stem}.{number}.webp"


def _maps_name(stem: str, picture: Picture) -> str:
    return f"{stem}.{picture.path.stem}"


@cache
def _cut(path: Path, box: tuple[int, int, int, int]) -> bytes:
    """Cut a panel out of its grid, as WebP."""
    data = io.BytesIO()
    with Image.open(path) as picture:
        picture.crop(box).save(data, "webp", quality=PANEL_QUALITY, method=4)
    return data.getvalue()
