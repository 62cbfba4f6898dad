"""Examine tasks in a process of a cluster: what runs at a Dask worker.

It rebuilds expectations from the seed once a run and keeps sandboxes open between tasks. Nothing
that it prints or is called by holds the seed or a student's text.
"""

from __future__ import annotations

import contextlib
import platform
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from time import monotonic

from autograder.grading.run.crew import Came, outcome
from autograder.grading.run.examine import Examiner, GraderFault, Task
from autograder.grading.run.versions import course_hash, versions
from autograder.grading.sandbox.children import Sandbox
from autograder.grading.sandbox.probe import LADDER, choose
from lessons.toolkit.errors import UserError


@dataclass(frozen=True)
class Terms:
    """Terms of one run, sent with each of its tasks.

    Args:
        run: names the run.
        stems: lessons to grade.
        seed: of the hidden cases; a secret, and so in no `repr`, which is what Dask logs.
        start_sandbox: starts the sandbox of one task at a time, with the run's limits.
        level: isolation that each machine must give.
        standing: what `standing()` must be on each machine.
    """

    run: str
    stems: tuple[str, ...]
    seed: int = field(repr=False)
    start_sandbox: Callable[[], Sandbox] = field(repr=False)
    level: str
    standing: Mapping[str, str] = field(repr=False)


def standing() -> dict[str, str]:
    """Return what a verdict depends on in this process, in words."""
    machine = f"{platform.system()} {platform.machine()}"
    return {"platform": machine, **versions(), "course": course_hash()}


def refuse_unlike(level: str, wanted: Mapping[str, str]) -> None:
    """Raise unless this process grades as the client would.

    Raises:
        UserError: another version here, or isolation that cannot be had.
    """
    here = standing()
    for name, value in wanted.items():
        if here.get(name) != value:
            raise UserError(
                f"its {name} is {here.get(name)}, and {value} is wanted.",
                "Install one and the same convlens, Python and torch on every machine.",
            )
    choose(next(rung for rung, known in LADDER.items() if known == level))


class Bench:
    """Keep what a process needs for one run: expectations, and sandboxes between two tasks.

    Raises:
        UserError: this process would not grade as the client would.
    """

    def __init__(self, terms: Terms) -> None:
        refuse_unlike(terms.level, terms.standing)
        self.examiner = Examiner(terms.stems, terms.seed)
        self._start_sandbox = terms.start_sandbox
        self._idle: list[Sandbox] = []
        self._busy: list[Sandbox] = []
        self._closed = False
        self.lent = monotonic()

    @contextlib.contextmanager
    def sandbox(self) -> Iterator[Sandbox]:
        """Lend a sandbox to one task."""
        self.lent = monotonic()
        sandbox = self._idle.pop() if self._idle else self._start_sandbox()
        self._busy.append(sandbox)
        try:
            yield sandbox
        finally:
            self._busy.remove(sandbox)
            self._idle.append(sandbox)
            if self._closed:
                self.close()

    def close(self) -> None:
        """End every sandbox, with the jobs under way."""
        self._closed = True
        for sandbox in list(self._busy):
            sandbox.stop()
        while self._idle:
            self._idle.pop().close()


LEFT_SECONDS = 900.0
_benches: dict[str, Bench] = {}
_ended: set[str] = set()
_lock = threading.Lock()


def examine(terms: Terms, task: Task) -> Came | UserError:
    """Return what came of a task, or why this process can do none of them."""
    try:
        with _lock:
            if terms.run in _ended:  # its client has gone while this was on its way
                return GraderFault("The run was stopped.")
            if (bench := _benches.get(terms.run)) is None:
                _dismiss_left()
                bench = _benches[terms.run] = Bench(terms)
        with bench.sandbox() as sandbox:
            return outcome(bench.examiner, sandbox, task)
    except UserError as refusal:
        from distributed import get_worker

        said = f"The Dask worker {get_worker().address} cannot grade: {refusal.message}"
        return UserError(said, refusal.next_step)


def _dismiss_left() -> None:
    """End runs whose client has left without a word."""
    for run, bench in list(_benches.items()):
        if monotonic() - bench.lent > LEFT_SECONDS:
            dismiss(run)


def dismiss(run: str) -> None:
    """End a run in this process, for good."""
    _ended.add(run)
    if bench := _benches.pop(run, None):
        bench.close()
