"""Draw yours, expected and the difference on a public case."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence

from torch import Tensor

from autograder.judge.expected import Expectation
from autograder.judge.verdict import well_formed
from autograder.protocol.answers import Record
from autograder.student.pictures import panels

MOST_PIXELS = 256 * 256


def picture_of(expectation: Expectation, name: str, records: Sequence[Record]) -> dict[str, str]:
    """Draw what a worker wrote beside what the reference returns.

    Args:
        expectation: of the public cases.
        name: the case that failed.
        records: all that the worker wrote.

    Returns:
        ``case``, and a data address of a PNG under ``yours``, ``expected``, ``difference``, with
        its range under ``yours range`` and so on; empty where nothing can be seen.
    """
    record = next((record for record in records if record.get("case") == name), None)
    if record is None or not expectation.cases[name].picture:
        return {}
    shown = panels(well_formed(record)["value"], expectation.records[name].get("value"))
    if shown is None or shown["yours"].numel() > MOST_PIXELS:
        return {}
    if not bool(shown["difference"].nan_to_num(1.0).any()):
        return {}
    return {"case": name, **_drawn(shown)}


def _drawn(shown: Mapping[str, Tensor]) -> dict[str, str]:
    drawn = {}
    for name, values in shown.items():
        drawn[name] = f"data:image/png;base64,{base64.b64encode(_png(values)).decode()}"
        finite = values[values.isfinite()]
        least, most = (finite.min(), finite.max()) if finite.numel() else (values[0, 0],) * 2
        drawn[f"{name} range"] = f"{least:.2g} to {most:.2g}"
    return drawn


def _png(values: Tensor) -> bytes:
    """Return a map in colours as PNG, one pixel an entry.

    The page enlarges it.
    """
    from PIL import Image

    from lessons.toolkit.plots import colour

    pixels = (255 * colour(values)).round().byte().permute(1, 2, 0).contiguous().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
