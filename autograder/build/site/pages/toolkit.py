"""The public names of `lessons.toolkit`, from their docstrings."""

from __future__ import annotations

from pathlib import Path

from autograder.build.site.course import Course

PLACE = "reference/toolkit.md"
# What cells and stubs import, by what it is for. Training and the tour's own forms are left out.
MODULES = {
    "Networks": ("models", "classes", "preprocess", "device"),
    "Pictures": ("photos", "gallery", "crops", "scenes", "paintings"),
    "Inside a network": ("passes", "relus", "geometry", "offset"),
    "Maps and plots": ("plots", "regions"),
    "Small things": ("seeds", "errors", "precision", "progress"),
}


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the page that the engine fills with signatures and docstrings."""
    parts = [
        "---\ntitle: Toolkit\nsearch:\n  boost: 0.5\n---",
        "# Toolkit",
        "`lessons.toolkit` is given: exercises and cells import it, and no lesson edits it.",
    ]
    for title, modules in MODULES.items():
        parts.append(f"## {title}")
        parts += [f"::: lessons.toolkit.{module}" for module in modules]
    return {PLACE: "\n\n".join(parts) + "\n"}
