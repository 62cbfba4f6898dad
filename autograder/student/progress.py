"""The progress file of a working copy.

Losing it costs nothing but the marks of what has passed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

from autograder.course.reference import read_lesson
from autograder.files import write_whole
from lessons.toolkit.errors import UserError

if TYPE_CHECKING:
    from autograder.judge.verdict import Verdict


class Standing(TypedDict, total=False):
    """The progress in one exercise."""

    outcome: str
    points: float
    max_points: float
    ever_passed: bool
    hints: int


class Progress:
    """The progress in every exercise, by its id.

    Args:
        folder: the working copy's state folder.

    A missing or damaged file reads as no progress at all.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / "progress.json"
        self.standings = _read(self.path)

    def of(self, exercise_id: str) -> Standing:
        """Return what is known of ``"l11_saliency.saliency_map"``, or an empty table."""
        return self.standings.get(exercise_id, {})

    def passes(self, exercise_id: str) -> bool:
        """Return True if the last check of an exercise passed."""
        return self.of(exercise_id).get("outcome") == "passed"

    def waiting(self, stem: str) -> list[str]:
        """Return the exercises of a lesson that do not pass, in order."""
        names = read_lesson(stem).exercises
        return [name for name in names if not self.passes(f"{stem}.{name}")]

    def note(self, exercise_id: str, outcome: str, points: float, max_points: float) -> None:
        """Note one verdict, which `save` writes."""
        standing: Standing = self.standings.setdefault(exercise_id, {})
        standing["outcome"], standing["points"] = outcome, points
        standing["max_points"] = max_points
        if outcome == "passed":
            standing["ever_passed"] = True

    def forget_passing(self, exercise_id: str) -> None:
        """Note that an exercise has become a stub again.

        That it once passed is kept. `save` writes the change.
        """
        if exercise_id in self.standings:
            self.standings[exercise_id].update({"outcome": "not_attempted", "points": 0.0})

    def next_hint(self, exercise_id: str, count: int) -> int:
        """Return the index of the hint to show now, and count it as shown.

        It is the next one, or the last again. `save` writes the change.

        Args:
            exercise_id: such as ``"l11_saliency.saliency_map"``.
            count: how many hints the exercise has.
        """
        standing: Standing = self.standings.setdefault(exercise_id, {})
        shown = standing.get("hints", 0)
        standing["hints"] = min(shown + 1, count)
        return min(shown, count - 1)

    def save(self) -> None:
        """Write the file, whole or not at all.

        Raises:
            UserError: it cannot be written.
        """
        table = {"version": 1, "exercises": dict(sorted(self.standings.items()))}
        write_whole(self.path, (json.dumps(table, indent=1) + "\n").encode())


def remember(folder: Path, verdicts: Iterable[Verdict]) -> str:
    """Note verdicts in the progress file of a state folder.

    Returns:
        "", or a sentence that says why nothing could be saved. The verdict stands without it.
    """
    progress = Progress(folder)
    for verdict in verdicts:
        progress.note(verdict.exercise, verdict.outcome, verdict.points, verdict.max_points)
    try:
        progress.save()
    except UserError as error:
        return f"Progress is not saved: {error.message}"
    return ""


def _read(path: Path) -> dict[str, Standing]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    entries = table.get("exercises") if isinstance(table, dict) else None
    if not isinstance(entries, dict):
        return {}
    return {name: _checked(entry) for name, entry in entries.items() if isinstance(entry, dict)}


def _checked(entry: dict[str, Any]) -> Standing:
    """Return the known fields of an entry that hold values of the right type."""
    found: Standing = {}
    if isinstance(entry.get("outcome"), str):
        found["outcome"] = entry["outcome"]
    if isinstance(entry.get("points"), int | float):
        found["points"] = entry["points"]
    if isinstance(entry.get("max_points"), int | float):
        found["max_points"] = entry["max_points"]
    if type(entry.get("hints")) is int:
        found["hints"] = max(0, entry["hints"])
    found["ever_passed"] = entry.get("ever_passed") is True
    return found
