"""Find the pictures of a lesson's figures, as the reference draws them.

They lie beside the story, and `convlens build --draw` makes them. A student without a function yet
sees them, and so does the site.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autograder.course.reference import ROOT

RECORD = "drawn.json"


@dataclass(frozen=True)
class Panel:
    """One picture of a grid.

    Args:
        title: what stands above it, in lines; "" for nothing.
        box: its left, top, right and bottom in pixels of the grid's file.
    """

    title: str
    box: tuple[int, int, int, int]


@dataclass(frozen=True)
class Picture:
    """A figure's file, and its size in CSS pixels.

    Args:
        path: the file.
        width: of the whole.
        height: of the whole.
        panels: the pictures of a grid; none for a plot.
        columns: how many panels stand side by side.
        maps: data of the maps that are laid over panels, or None.
    """

    path: Path
    width: int
    height: int
    panels: tuple[Panel, ...] = ()
    columns: int = 0
    maps: Path | None = None

    @property
    def files(self) -> list[Path]:
        """Everything that was drawn."""
        return [self.path] if self.maps is None else [self.path, self.maps]


def pictures_folder(stem: str) -> Path:
    """Return the folder of a lesson's pictures."""
    return ROOT / "lessons" / stem / "pictures"


def read_record(stem: str) -> dict[str, Any]:
    """Return what is written down about a lesson's pictures, or {} where nothing is."""
    try:
        found = json.loads((pictures_folder(stem) / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def pictures(stem: str) -> dict[str, Picture]:
    """Return the pictures of a lesson that have been drawn, by figure."""
    folder = pictures_folder(stem)
    drawn = {
        name: _picture(folder, data) for name, data in read_record(stem).get("figures", {}).items()
    }
    return {
        name: picture
        for name, picture in drawn.items()
        if all(path.exists() for path in picture.files)
    }


def _picture(folder: Path, data: dict[str, Any]) -> Picture:
    grid = data.get("panels", {"titles": (), "boxes": (), "columns": 0})
    return Picture(
        folder / data["file"],
        data["width"],
        data["height"],
        tuple(
            Panel(title, tuple(box))
            for title, box in zip(grid["titles"], grid["boxes"], strict=True)
        ),
        grid["columns"],
        folder / data["maps"] if "maps" in data else None,
    )
