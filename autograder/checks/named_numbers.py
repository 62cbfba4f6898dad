"""Compare whole numbers that each have a name, such as the sides of a box."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from autograder.course.exercise import Complaint, Judge


def judge_numbers(what: str, *names: str) -> Judge:
    """Make a judge that names the numbers that are off.

    Args:
        what: the numbers together, in a word: "box".
        names: of each number, in their order.
    """

    def judge(
        expected: Sequence[int], actual: Sequence[int], _inputs: Mapping[str, Any]
    ) -> Complaint | None:
        numbers = zip(names, expected, actual, strict=True)
        wrong = [name for name, wanted, got in numbers if wanted != got]
        if not wrong:
            return None
        verb = "is" if len(wrong) == 1 else "are"
        message = f"returned another {what}: {', '.join(wrong)} {verb} off."
        return Complaint(message, f"Yours {actual}, expected {expected}.")

    return judge


judge_box = judge_numbers("box", "top", "left", "bottom", "right")
