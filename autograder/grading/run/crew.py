"""Have tasks examined by threads of this process, each with a sandbox of its own."""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from autograder.grading.run.examine import Examiner, GraderFault, Overdue, Task
from autograder.grading.sandbox.children import Sandbox

# What comes of a task: what the journal keeps of it, or why there is nothing to keep.
Came = dict[str, Any] | Overdue | GraderFault
Exercise = tuple[str, str]  # lesson and name
Answers = Generator[tuple[Task, Came], None, None]


class Crew(Protocol):
    """Those who examine tasks: `LocalCrew`, or a cluster's `DaskCrew`."""

    def examine(
        self, tasks: Iterator[Task], exercises: Iterable[Exercise] = (), alone: bool = False
    ) -> Answers:
        """Yield each task with what came of it, in the order in which they end.

        Args:
            tasks: taken one at a time, in the caller's thread, when there is room for one more.
            exercises: of which there are tasks; what they need can be made ahead.
            alone: whether nothing may run beside a task.

        Closing it ends the work under way.
        """
        ...


class LocalCrew:
    """Examine in threads of this process.

    Args:
        examiner: runs and judges; for any thread.
        start_sandbox: starts the sandbox of one thread.
        workers: how many threads.
    """

    def __init__(
        self, examiner: Examiner, start_sandbox: Callable[[], Sandbox], workers: int
    ) -> None:
        self.examiner = examiner
        self.start_sandbox = start_sandbox
        self.workers = workers

    def examine(
        self, tasks: Iterator[Task], exercises: Iterable[Exercise] = (), alone: bool = False
    ) -> Answers:
        """Yield each task with what came of it.

        Raises:
            UserError: a sandbox does not start.
        """
        first = list(islice(tasks, 1 if alone else self.workers))
        if not first:
            return
        given: SimpleQueue[Task | None] = SimpleQueue()
        came: SimpleQueue[tuple[Task, Came] | BaseException] = SimpleQueue()
        sandboxes: list[Sandbox] = []
        prepared = threading.Event()
        with ThreadPoolExecutor(len(first)) as pool:
            try:
                for task in first:
                    given.put(task)
                    pool.submit(self._work, given, came, sandboxes, prepared)
                for exercise in exercises:  # while the sandboxes start
                    self.examiner.prepare(*exercise)
                prepared.set()
                under_way = len(first)
                while under_way:
                    answer = came.get()
                    if isinstance(answer, BaseException):
                        raise answer
                    yield answer
                    under_way -= 1
                    for task in islice(tasks, 1):
                        given.put(task)
                        under_way += 1
            except BaseException:
                with contextlib.suppress(Empty):
                    while True:
                        given.get_nowait()
                for sandbox in sandboxes:
                    sandbox.stop()
                raise
            finally:
                prepared.set()
                for _ in first:
                    given.put(None)

    def _work(
        self,
        given: SimpleQueue[Task | None],
        came: SimpleQueue[tuple[Task, Came] | BaseException],
        sandboxes: list[Sandbox],
        prepared: threading.Event,
    ) -> None:
        try:
            with self.start_sandbox() as sandbox:
                sandboxes.append(sandbox)
                prepared.wait()
                while (task := given.get()) is not None:
                    came.put((task, outcome(self.examiner, sandbox, task)))
        except BaseException as error:
            came.put(error)


def outcome(examiner: Examiner, sandbox: Sandbox, task: Task) -> Came:
    """Run and judge one check.

    A fault of the grader must not sink a run.
    """
    try:
        return examiner.examine(sandbox, task)
    except Overdue as overdue:
        return overdue
    except Exception as error:
        said = "".join(traceback.format_exception_only(error)).strip()
        return GraderFault(said[:300])
