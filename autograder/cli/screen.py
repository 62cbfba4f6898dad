"""The terminal output of a verdict: a sentence, numbers, and the next command."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TextIO

from autograder.course.catalogue import topic

if TYPE_CHECKING:
    from rich.console import Console

    from autograder.student.check import Checked

MARKS = {
    "passed": ("✓", "green"),
    "failed": ("✗", "red"),
    "error": ("✗", "red"),
    "timeout": ("✗", "red"),
    "not_attempted": ("·", "dim"),
}


def output() -> Console:
    """Return the console for results.

    Its stream is fixed, because checks redirect `sys.stdout` for moments.
    """
    return _console(sys.stdout)


def errors(stream: TextIO | None = None) -> Console:
    """Return the console for errors and for messages that pass.

    Args:
        stream: where it writes; standard error, as it is now, where None.
    """
    return _console(stream or sys.stderr)


def _console(stream: TextIO) -> Console:
    from rich.console import Console

    console = Console(
        file=stream,
        highlight=False,
        markup=False,
        emoji=False,
    )
    # A pipe or a file gets its sentences in one piece.
    console.soft_wrap = not console.is_terminal
    return console


def show_verdict(console: Console, checked: Checked, repeated: bool = False) -> None:
    """Print one exercise's mark and points, and under them what is wrong.

    Args:
        console: where.
        checked: the exercise's verdict.
        repeated: the exercise before it said the same, such as a syntax error; do not say it again.
    """
    verdict = checked.verdict
    mark, style = MARKS[verdict.outcome]
    name = verdict.exercise.partition(".")[2]
    points = f"{verdict.points:g}/{verdict.max_points:g}"
    own_stub = verdict.message == f"`{name}` is not written yet."
    note = "  not written yet" if own_stub else ""
    console.print(f"{mark} {name:32} {points:>7}{note}", style=style)
    if verdict.outcome != "passed" and not repeated and not own_stub:
        show_reason(console, checked)


def show_reason(console: Console, checked: Checked) -> None:
    """Print why an exercise does not pass.

    That is its sentence, and numbers and what the code printed where there are any.
    """
    from rich.padding import Padding

    from autograder.student.check import sentences  # listing lessons does without it

    verdict = checked.verdict
    lines = sentences(checked)
    if verdict.case_count and 0 < verdict.passed_cases < verdict.case_count:
        lines.append(f"{verdict.passed_cases} of {verdict.case_count} cases hold.")
        # Points beyond the cases that hold: in others the result is right, and it left a trace.
        if verdict.points * verdict.case_count > (verdict.passed_cases + 1) * verdict.max_points:
            lines[-1] += " In others only the result is right, which counts for most of the points."
        elif verdict.points == 0:
            lines[-1] += " They count as soon as the plainest case holds."
    for number, line in enumerate(lines):
        style = "" if number == 0 else "dim"
        if console.soft_wrap:
            console.print(f"  {line}", style=style)
        else:
            console.print(Padding(line, (0, 0, 0, 2), style=style))
    if checked.printed:
        console.print(f"  It printed on “{verdict.case}”:", style="dim")
        for line in checked.printed:
            console.print(f"  | {line}", soft_wrap=True)


def bar(done: int, total: int, width: int = 30) -> str:
    """Return a progress bar of plain characters.

    >>> bar(1, 3, 6)
    '[##....] 1/3'
    """
    full = width * done // total if total else 0
    return f"[{'#' * full}{'.' * (width - full)}] {done}/{total}"


def short(exercise_id: str) -> str:
    """Return an exercise's id as one types it: ``saliency.smooth_grad``."""
    stem, _, name = exercise_id.partition(".")
    return f"{topic(stem)}.{name}"


class Passing:
    """A line on a terminal that says what goes on and is removed afterwards.

    Args:
        lines: elsewhere than on a terminal, write each as a line of its own; for work of minutes.
    """

    def __init__(self, lines: bool = False) -> None:
        # Fixed, as in `output`.
        self._stream = sys.stderr
        self._terminal = self._stream.isatty()
        self._lines = lines and not self._terminal

    def say(self, text: str) -> None:
        """Show another line in place of the last."""
        if self._terminal:
            self._stream.write(f"\r{text:60}\r{text}")
            self._stream.flush()
        elif self._lines and text:
            self._stream.write(f"{text}\n")
            self._stream.flush()

    def clear(self) -> None:
        """Remove the line."""
        self.say("")
