"""Draw yours, expected and the difference on a public case.

The student's code runs once more, in the same sandbox, on the case of `convlens check` that has the
name of the one that failed. So a page shows what went wrong, and nothing of a hidden case.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from autograder.course.exercise import Exercise
from autograder.judge.expected import Expectation
from autograder.judge.ladder import climb
from autograder.judge.verdict import well_formed
from autograder.protocol.answers import Record
from autograder.protocol.job import make_job
from autograder.student.pictures import panels

MOST_PIXELS = 256 * 256


class PublicCases:
    """One exercise's cases under the public seed, named as the hidden ones."""

    def __init__(self, stem: str, exercise: Exercise) -> None:
        self.exercise = exercise
        self.expectation = Expectation(stem, exercise)

    def first(self) -> str:
        """Return the name of the plainest case."""
        return next(iter(self.expectation.cases))

    def has_picture(self, case: str) -> bool:
        """Return whether a failure of this case is worth a picture."""
        return case in self.expectation.cases and self.expectation.cases[case].picture

    def job(
        self, case: str, source: str, filename: str, earlier: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the job that asks for one case."""
        cases = {case: self.expectation.cases[case]}
        stem = self.expectation.stem
        return make_job(stem, self.exercise, cases, source, filename, earlier)

    def picture(self, case: str, records: Sequence[Record]) -> dict[str, str]:
        """Draw what a worker wrote beside what the reference returns.

        Returns:
            ``case``, and a data address of a PNG under ``yours``, ``expected``, ``difference``,
            with its range under ``yours range`` and so on; empty where nothing can be seen.
        """
        expected = self.expectation.records[case]
        actual = well_formed(records[1]) if len(records) > 1 else None
        if actual is None:
            return {}
        if climb(self.exercise, case, self.expectation.cases[case], expected, actual) is None:
            return {}
        shown = panels(actual["value"], expected.get("value"))
        if shown is None or shown["yours"].numel() > MOST_PIXELS:
            return {}
        if not bool(shown["difference"].nan_to_num(1.0).any()):
            return {}
        return {"case": case, **_drawn(shown)}


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
