"""Figures of lesson 15, drawn with the course's functions or a student's own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lessons.toolkit.models import load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import image_grid

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.figure import Figure


def opening(course: Any) -> Figure:
    """TODO: the opening picture, which calls `course.l15_debugging.NAME`."""
    return image_grid([load_model().preprocess.crop_rgb(load_photo("cat"))])
