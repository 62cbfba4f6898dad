"""The terminal output of a grading run: its progress, and a summary at its end."""

from __future__ import annotations

import time
from collections import Counter
from types import TracebackType
from typing import TYPE_CHECKING, Self

from autograder.grading.report.classroom import difficulties
from autograder.grading.sandbox.probe import NONE

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from autograder.grading.class_run import Run
    from autograder.grading.run.engine import Progress

SECONDS_BETWEEN_LINES = 30.0
MOST_NAMED = 12
HARDEST = 5
STATUSES = ("graded", "missing", "unread", "unusable", "ungraded")


class RunScreen:
    """The progress of a run, as a bar on a terminal or as lines in a log.

    Args:
        console: where; of errors, so that results can be piped.
    """

    def __init__(self, console: Console) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        self.progress: Progress | None = None
        self._console = console
        self._bar = Bar(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
            speed_estimate_period=60,  # checks come in runs of quick and slow ones
        )
        self._task = self._bar.add_task("Reading submissions", total=None)
        self._began = self._spoken = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bar.stop()

    def say(self, sentence: str) -> None:
        """Print a line, above the bar where there is one."""
        self._console.print(sentence)

    def report(self, progress: Progress) -> None:
        """Show that one more check has ended.

        Any thread may call this.
        """
        waiting = progress.total - progress.remembered
        if self.progress is None:
            self._began = time.monotonic()
            self.say(_opening(progress))
        self.progress = progress
        self._bar.update(
            self._task, description="Grading", completed=progress.done, total=max(1, waiting)
        )
        now = time.monotonic()
        if self._bar.disable and progress.done and now - self._spoken > SECONDS_BETWEEN_LINES:
            self._spoken = now
            left = (now - self._began) / progress.done * (waiting - progress.done)
            self.say(f"{progress.done} of {waiting} checks, {duration(left)} left.")

    def kept(self) -> str:
        """Return a sentence about the checks that a stopped run has kept."""
        if self.progress is None:
            return "No check was begun."
        kept = self.progress.remembered + self.progress.done - self.progress.ungraded
        return (
            f"{kept} of {self.progress.total} checks are kept: the same command goes on from there."
        )


def _opening(progress: Progress) -> str:
    known = f", {progress.remembered} of them known already" if progress.remembered else ""
    start = " The sandboxes start." if progress.total > progress.remembered else ""
    return f"{progress.total} different checks{known}.{start}"


def show_run(console: Console, out: Path, run: Run) -> None:
    """Print the summary at the end of a run."""
    from rich.table import Table

    counts = Counter(row.status for row in run.rows)
    graded = [row for row in run.rows if row.status == "graded"]
    words = [f"{counts[status]} {status}" for status in STATUSES if counts[status]]
    plural = "" if len(run.rows) == 1 else "s"
    console.print(f"\n{len(run.rows)} student{plural}: {', '.join(words)}.", style="bold")
    if graded:
        mean = sum(row.score or 0.0 for row in graded) / len(graded)
        console.print(f"Mean {mean:.2f} of {graded[0].max_score:g} points.")
        table = Table("hardest exercises", "points earned", "passed", box=None, pad_edge=False)
        hardest = difficulties(run.rows)[:HARDEST]
        for hard in hardest:
            table.add_row(hard.id, f"{100 * hard.share:.0f} %", f"{hard.passed}/{hard.graded}")
        if hardest:
            console.print(table)
    needed = [row for row in run.rows if row.needs_person]
    if needed:
        console.print("\nNeed a person:", style="bold")
    for row in needed[:MOST_NAMED]:
        console.print(f"  {row.student}: {row.reason}")
    if len(needed) > MOST_NAMED:
        console.print(f"  and {len(needed) - MOST_NAMED} more: see class.html")
    for notice in run.notices:
        console.print(f"\n{notice}")
    if run.record["isolation"] == NONE:
        console.print("\nWithout isolation: their code ran unprotected.", style="bold red")
    else:
        console.print(f"\nIsolation {run.record['isolation']}, seed {run.record['seed_hash']}.")
    console.print(f"{out / 'class.html'}, grades.csv, results.json and feedback/")


def duration(seconds: float) -> str:
    """Return a time in seconds as a person would say it.

    >>> duration(20), duration(200), duration(9000)
    ('20 s', '3 min', '2.5 h')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
