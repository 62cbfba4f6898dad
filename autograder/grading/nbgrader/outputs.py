"""Write below a check cell what grading says."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

from autograder.grading.nbgrader.gradebook import score

WORDS = {
    "passed": "✓ passed",
    "failed": "not right yet",
    "not_attempted": "not attempted",
    "error": "error",
    "timeout": "stopped",
    "unread": "not read: a person will look at it",
    "ungraded": "not graded yet: a person will look at it",
}
PANELS = ("yours", "expected", "difference")
WIDTH = 200


def outputs(result: Mapping[str, Any], most: float, lost: bool) -> list[NotebookNode]:
    """Return the outputs of a check cell.

    They are words, pictures, and the number that nbgrader reads.

    Args:
        result: of the exercise.
        most: points of the cell.
        lost: the solution's cell is gone, and with it the place for the sentence.
    """
    points = score(result, most)
    number = "" if points is None else f"{points:g} of {most:g} points"
    partly = result["outcome"] == "failed" and bool(points)
    word = "partly right" if partly else WORDS[result["outcome"]]
    text = f"{word}: {number}" if number else word
    if lost and result["message"]:
        text = f"{text}\n{result['message']}"
    pictures = {panel: result["picture"].get(panel, "").partition("base64,")[2] for panel in PANELS}
    if shown := [panel for panel in PANELS if pictures[panel]]:
        text = f"{text}\nBelow: {', '.join(shown)}."
    found = [new_output("stream", name="stdout", text=f"{text}\n")]
    for panel in shown:
        data = {"image/png": pictures[panel], "text/plain": panel}
        # A network's input may be no larger than a letter.
        found.append(new_output("display_data", data, metadata={"image/png": {"width": WIDTH}}))
    if points is not None:
        found.append(new_output("execute_result", {"text/plain": f"{points:.6f}"}))
    return found
