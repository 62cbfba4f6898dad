"""Draw a student's values, the expected ones and their difference as one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.files import write_whole
from lessons.toolkit.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from autograder.student.check import Checked


def picture(checked: Checked) -> bytes | None:
    """Return a PNG of the student's values, the expected ones and their difference.

    Args:
        checked: a verdict with the values of its first failing case.

    Returns:
        None where the values are not two images of one size.
    """
    shown = panels(checked.actual, checked.expected)
    if shown is None:
        return None
    # matplotlib is imported for a failure that has something to show, and for nothing else.
    from lessons.toolkit.plots import figure_png, image_grid

    # Each picture is coloured over its own range, so the range has to be said.
    titles = [f"{name}\n{image.min():.2g} to {image.max():.2g}" for name, image in shown.items()]
    return figure_png(image_grid(list(shown.values()), titles, inches=2.6))


def panels(actual: Any, expected: Any) -> dict[str, Tensor] | None:
    """Return the image that is furthest off beside the expected one.

    Args:
        actual, expected: what two calls returned.

    Returns:
        ``yours``, ``expected`` and ``difference``, each (H, W). None where the two are not images
        of one size.
    """
    ours, theirs = _as_images(actual), _as_images(expected)
    if ours is None or theirs is None or ours.shape != theirs.shape:
        return None
    worst = int((ours - theirs).nan_to_num().abs().flatten(1).amax(1).argmax())
    yours, wanted = ours[worst], theirs[worst]
    return {"yours": yours, "expected": wanted, "difference": (yours - wanted).abs()}


def save_picture(folder: Path, checked: Checked) -> Path | None:
    """Write the picture of a failure into a state folder.

    Returns:
        Its path, or None where there is no picture or it cannot be written.
    """
    data = picture(checked)
    if data is None:
        return None
    path = folder / "pictures" / f"{checked.verdict.exercise}.png"
    try:
        write_whole(path, data)
    except UserError:  # a disk that is full or read-only costs the picture, not the verdict
        return None
    return path


def _as_images(value: Any) -> Tensor | None:
    """Return one or more maps or pictures as (N, H, W), or None for other values.

    Of a picture, the largest magnitude of its channels is taken.
    """
    import torch

    if not isinstance(value, torch.Tensor) or not value.numel():
        return None
    images = value.detach().float()
    if images.dim() == 4 or (images.dim() == 3 and len(images) == 3):
        images = images.abs().amax(-3)
    if images.dim() == 2:
        images = images[None]
    return images if images.dim() == 3 and min(images.shape[1:]) > 1 else None
