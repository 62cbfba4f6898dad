"""Yours, expected and the difference on a public case, for a student's page.

The student's code runs once more, in the same sandbox, on the cases that `convlens check` shows to
anyone. So a page can show what went wrong and nothing of a hidden case is ever on it.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from torch import Tensor

from autograder.judge.expected import Expectation, Record, make_job
from autograder.judge.ladder import climb
from autograder.judge.verdict import well_formed
from autograder.loop.pictures import panels
from autograder.record import Case, Exercise

MOST_PIXELS = 256 * 256


class PublicCases:
    """One exercise's public cases that are worth a picture."""

    def __init__(self, stem: str, exercise: Exercise) -> None:
        self.exercise = exercise
        self._expectation = Expectation(stem, exercise)

    @cached_property
    def cases(self) -> dict[str, Case]:
        """By name; none where the exercise does not make images."""
        return {name: case for name, case in self._expectation.cases.items() if case.picture}

    def job(self, source: str, filename: str, earlier: Mapping[str, str]) -> dict[str, Any]:
        """The job that asks for these cases."""
        return make_job(
            self._expectation.stem, self.exercise, self.cases, source, filename, earlier
        )

    def picture(self, records: Sequence[Record]) -> dict[str, str]:
        """The first case that fails visibly.

        Args:
            records: what a worker wrote: of loading, then of each case.

        Returns:
            ``case``, and a data address of a PNG under ``yours``, ``expected``, ``difference``,
            with its range under ``yours range`` and so on; empty where nothing can be shown.
        """
        by_case = {str(record.get("case")): well_formed(record) for record in records[1:]}
        for name, case in self.cases.items():
            actual, expected = by_case.get(name), self._expectation.records[name]
            if actual is None or climb(self.exercise, name, case, expected, actual) is None:
                continue
            shown = panels(actual["value"], expected.get("value"))
            if shown is None or shown["yours"].numel() > MOST_PIXELS:
                continue
            if bool(shown["difference"].nan_to_num(1.0).any()):
                return {"case": name, **_drawn(shown)}
        return {}


def _drawn(shown: Mapping[str, Tensor]) -> dict[str, str]:
    drawn = {}
    for name, values in shown.items():
        drawn[name] = f"data:image/png;base64,{base64.b64encode(_png(values)).decode()}"
        finite = values[values.isfinite()]
        least, most = (finite.min(), finite.max()) if finite.numel() else (values[0, 0],) * 2
        drawn[f"{name} range"] = f"{least:.2g} to {most:.2g}"
    return drawn


def _png(values: Tensor) -> bytes:
    """A map in colours, one pixel an entry: the page enlarges it."""
    from PIL import Image

    from lessons.toolkit.plots import colour

    pixels = (255 * colour(values)).round().byte().permute(1, 2, 0).contiguous().numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()
