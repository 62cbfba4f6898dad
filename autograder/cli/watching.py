"""The terminal output of watch mode: one failing exercise, and the progress."""

from __future__ import annotations

from autograder.cli.screen import bar, errors, output, short, show_reason
from autograder.course.catalogue import course_lesson
from autograder.course.reference import read_lesson
from autograder.student.check import Checked
from autograder.student.pictures import save_picture
from autograder.student.progress import Progress
from autograder.student.working_copy import WorkingCopy
from lessons.toolkit.errors import UserError


class WatchScreen:
    """The screen of watch mode, redrawn after each check.

    A pipe gets the same lines one after another.

    Args:
        copy: where the student works.
    """

    def __init__(self, copy: WorkingCopy) -> None:
        self._copy = copy
        self._console = output()

    def failure(self, checked: Checked, seconds: float) -> None:
        """Show the first exercise that does not pass, `seconds` after the save."""
        verdict = checked.verdict
        stem = verdict.exercise.partition(".")[0]
        self._header(stem)
        outcome = verdict.outcome.replace("_", " ")
        self._console.print(f"\n{short(verdict.exercise)}: {outcome}", style="bold")
        show_reason(self._console, checked)
        self._console.print(f"\nHint: convlens hint {short(verdict.exercise)}")
        path = self._copy.shown(self._copy.chosen(stem))
        self._console.print(
            f"Checked in {seconds:.2f} s. Watching {path}; Ctrl-C ends.", style="dim"
        )
        if picture := save_picture(self._copy.state, checked):
            shown = self._copy.shown(picture)
            self._console.print(f"Yours, expected and the difference: {shown}", style="dim")

    def passed(self, what: str, seconds: float) -> None:
        """Say that everything asked for passes."""
        self._header(what.partition(".")[0])
        self._console.print(f"\n✓ {what} passes. Checked in {seconds:.2f} s.", style="green")

    def error(self, error: UserError) -> None:
        """Say why nothing can be checked at the moment."""
        self._clear()
        self._console.print(error.message, style="bold")
        self._console.print(f"{error.next_step} Still watching; Ctrl-C ends.".strip())

    def warn(self, sentence: str) -> None:
        """Say what went wrong beside the check."""
        errors().print(sentence)

    def _header(self, stem: str) -> None:
        self._clear()
        names = read_lesson(stem).exercises
        progress = Progress(self._copy.state)
        done = sum(progress.passes(f"{stem}.{name}") for name in names)
        self._console.print(
            f"Lesson {int(stem[1:3])}, {course_lesson(stem).title}  {bar(done, len(names))}"
        )

    def _clear(self) -> None:
        if self._console.is_terminal:
            self._console.clear()
