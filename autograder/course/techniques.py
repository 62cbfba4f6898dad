"""Find the techniques that lessons show on the tour."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import lessons

if TYPE_CHECKING:  # listing lessons must not wait for torch
    from lessons.toolkit.technique import Technique


def techniques() -> Iterator[tuple[str, Technique]]:
    """Yield every registered technique with its lesson's stem, in the lessons' order."""
    for stem in sorted(path.parent.name for path in Path(lessons.__path__[0]).glob("l*/tour.py")):
        module = importlib.import_module(f"lessons.{stem}.tour")
        for technique in module.TECHNIQUES:
            yield stem, technique
