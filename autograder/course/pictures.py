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
class Picture:
    """A figure's file, and its size in CSS pixels."""

    path: Path
    width: int
    height: int


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
        name: Picture(folder / data["file"], data["width"], data["height"])
        for name, data in read_record(stem).get("figures", {}).items()
    }
    return {name: picture for name, picture in drawn.items() if picture.path.exists()}
