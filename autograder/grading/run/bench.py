"""Examine tasks at a worker of a cluster, in processes beside it.

They rebuild expectations from the seed once a run and keep their sandboxes open. The seed comes to
them by a pipe. Nothing that is printed, and no argument's `repr`, holds it or a student's text.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import platform
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic

from autograder.grading.run.crew import Came, outcome
from autograder.grading.run.examine import Examiner, GraderFault, Overdue, Task
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


class Helper:
    """Judge tasks of one run, one after the other, in a process of its own.

    Dask's own threads draw from the global generators, which a reference may use and which a check
    looks at: beside them the same work would not always get the same verdict.
    """

    def __init__(self, terms: Terms) -> None:
        self.used = monotonic()
        path = os.pathsep.join(filter(None, sys.path))
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", __name__],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        self._say(terms)

    def ask(self, task: Task) -> Came | UserError:
        """Return what came of a task."""
        self.used = monotonic()
        try:
            self._say(task)
            assert self._process.stdout is not None
            came: Came | UserError = pickle.load(self._process.stdout)
        except (OSError, EOFError, pickle.UnpicklingError):
            self.end()
            return Overdue("the system ended the process that judges it")
        return came

    def end(self) -> None:
        """End the process, and with it its sandbox and the job under way."""
        self._process.kill()
        self._process.wait()

    @property
    def ended(self) -> bool:
        """Return whether the process has ended."""
        return self._process.poll() is not None

    def _say(self, message: object) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # its answer will be missed
            pickle.dump(message, self._process.stdin)
            self._process.stdin.flush()


LEFT_SECONDS = 900.0
_helpers: dict[str, list[Helper]] = {}
_idle: dict[str, list[Helper]] = {}
_over: set[str] = set()
_lock = threading.Lock()


def examine(terms: Terms, task: Task) -> Came | UserError:
    """Return what came of a task, or why this process can do none of them."""
    with _lock:
        if terms.run in _over:  # its client has gone while this was on its way
            return GraderFault("The run was stopped.")
        left = [
            run
            for run, helpers in _helpers.items()
            if all(monotonic() - helper.used > LEFT_SECONDS for helper in helpers)
        ]
        idle = _idle.setdefault(terms.run, [])
        if idle:
            helper = idle.pop()
        else:
            helper = Helper(terms)
            _helpers.setdefault(terms.run, []).append(helper)
    for run in left:  # their clients left without a word
        dismiss(run)
    came = helper.ask(task)
    if not helper.ended:
        idle.append(helper)
    if isinstance(came, UserError):
        from distributed import get_worker

        said = f"The Dask worker {get_worker().address} cannot grade: {came.message}"
        return UserError(said, came.next_step)
    return came


def dismiss(run: str) -> None:
    """End a run in this process, for good."""
    with _lock:
        _over.add(run)
        _idle.pop(run, None)
        helpers = _helpers.pop(run, [])
    for helper in helpers:
        helper.end()


def main() -> None:
    """Judge what comes on standard input, as the process of a `Helper`."""
    # Whatever else is printed must not stand between two answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    terms: Terms = pickle.load(sys.stdin.buffer)
    refusal: UserError | None = None
    with contextlib.ExitStack() as stack:
        try:
            refuse_unlike(terms.level, terms.standing)
            examiner = Examiner(terms.stems, terms.seed)
            sandbox = stack.enter_context(terms.start_sandbox())
        except UserError as error:
            refusal = error
        while True:
            try:
                task: Task = pickle.load(sys.stdin.buffer)
            except EOFError:
                return
            pickle.dump(refusal or outcome(examiner, sandbox, task), answers)
            answers.flush()


if __name__ == "__main__":
    main()
