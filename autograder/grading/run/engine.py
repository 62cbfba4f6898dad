"""Grade every exercise of every submission: tasks, workers, what is kept.

A fault of the student is a verdict of 0 points with a reason. A fault of the grader, or of a
machine too busy, is *ungraded*: it is never a 0, it is never remembered, and the next run tries
again.
"""

from __future__ import annotations

import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from autograder.course.reference import earlier_sources, read_lesson, solution_stems
from autograder.grading.intake.submission import Submission
from autograder.grading.run.examine import Examiner, Overdue, Task
from autograder.grading.run.journal import Journal, content_key
from autograder.grading.run.versions import course_hash
from autograder.grading.sandbox.children import Sandbox

# A file whose checks wait so often while others work is asked for the rest when it is alone.
MOST_OVERDUE = 2


@dataclass
class Progress:
    """Counts of a run so far, handed to the caller after every check."""

    total: int
    remembered: int
    done: int = 0
    ungraded: int = 0


class Grader:
    """Grade tasks with a fixed seed and fixed lessons.

    Args:
        stems: lessons to grade.
        seed: of the hidden cases.
        journal: where verdicts are kept.
        start_sandbox: starts the sandbox of one worker.
        workers: how many work at once.
        salt: whatever else a verdict depends on, such as the limits.
    """

    def __init__(
        self,
        stems: Sequence[str],
        seed: int,
        journal: Journal,
        start_sandbox: Callable[[], Sandbox],
        workers: int,
        salt: str = "",
    ) -> None:
        self.journal = journal
        self.start_sandbox = start_sandbox
        self.workers = workers
        self.salt = f"{seed} {salt}"
        self.hashes = dict.fromkeys(stems, course_hash())
        self.examiner = Examiner(stems, seed)
        self.faults: dict[str, str] = {}
        self._overdue: Counter[str] = Counter()
        self._late: list[Task] = []
        self._sandboxes: list[Sandbox] = []
        self._lock = threading.Lock()

    def task(self, submission: Submission, stem: str, exercise: str) -> Task | None:
        """Return one check of one submission, None if it holds no such work to run."""
        source = submission.sources.get(stem)
        if source is None or f"{stem}.{exercise}" in submission.problems:
            return None
        # An earlier lesson that was not handed in is there as its stubs, which say so when called.
        earlier = earlier_sources(source, lambda other: _text_of(other, submission))
        parts = [stem, source, *(part for pair in sorted(earlier.items()) for part in pair)]
        load_key = content_key("load", *parts)
        key = content_key("check", exercise, self.hashes[stem], self.salt, load_key)
        return Task(key, load_key, stem, exercise, source, earlier)

    def tasks(self, submissions: Iterable[Submission]) -> list[Task]:
        """Return every check that these submissions ask for, equal ones once."""
        found: dict[str, Task] = {}
        for submission in submissions:
            for stem, exercise in self.examiner.hidden:
                if (task := self.task(submission, stem, exercise)) is not None:
                    found.setdefault(task.key, task)
        return list(found.values())

    def run(self, submissions: Iterable[Submission], report: Callable[[Progress], None]) -> None:
        """Grade whatever the journal does not hold yet."""
        wanted = self.tasks(submissions)
        waiting = [task for task in wanted if task.key not in self.journal.entries]
        progress = Progress(len(wanted), len(wanted) - len(waiting))
        report(progress)
        if not waiting:
            return
        self._overdue.clear()
        self._late.clear()
        queue: SimpleQueue[Task] = SimpleQueue()
        for task in waiting:
            queue.put(task)
        workers = max(1, min(self.workers, len(waiting)))
        expected = threading.Event()
        with ThreadPoolExecutor(workers) as pool:
            try:
                futures = [
                    pool.submit(self._work, expected, queue, progress, report)
                    for _ in range(workers)
                ]
                # While the sandboxes start.
                for exercise in sorted({(task.stem, task.exercise) for task in waiting}):
                    _ = self.examiner.hidden[exercise].records
                expected.set()
                for future in futures:
                    future.result()
                if self._late:
                    pool.submit(self._work_alone, progress, report).result()
            except BaseException:
                _drain(queue)
                self._late.clear()
                expected.set()
                for sandbox in self._sandboxes:
                    sandbox.stop()
                raise

    def _work(
        self,
        expected: threading.Event,
        queue: SimpleQueue[Task],
        progress: Progress,
        report: Callable[[Progress], None],
    ) -> None:
        with self.start_sandbox() as sandbox:
            self._sandboxes.append(sandbox)
            expected.wait()
            while (task := _take(queue)) is not None:
                if self._overdue[task.load_key] >= MOST_OVERDUE:
                    self._late.append(task)
                    continue
                try:
                    entry = self._grade(sandbox, task)
                except Overdue:
                    self._overdue[task.load_key] += 1
                    self._late.append(task)
                else:
                    self._keep(task, entry, progress, report)

    def _work_alone(self, progress: Progress, report: Callable[[Progress], None]) -> None:
        """Ask again, one by one, for what waited too long beside the other workers."""
        still: dict[str, str] = {}
        with self.start_sandbox() as sandbox:
            self._sandboxes.append(sandbox)
            while self._late:
                task, entry = self._late.pop(0), None
                # A file that waits though it is alone is not waited for at each of its checks.
                if task.load_key not in still:
                    try:
                        entry = self._grade(sandbox, task)
                    except Overdue as overdue:
                        still[task.load_key] = str(overdue)
                if entry is None and task.load_key in still:
                    self.faults[task.key] = still[task.load_key]
                self._keep(task, entry, progress, report)

    def _keep(
        self,
        task: Task,
        entry: dict[str, Any] | None,
        progress: Progress,
        report: Callable[[Progress], None],
    ) -> None:
        with self._lock:
            if entry is None:
                progress.ungraded += 1
            else:
                self.journal.append(task.key, entry)
            progress.done += 1
            report(progress)

    def grade(self, sandbox: Sandbox, task: Task) -> dict[str, Any] | None:
        """Run and judge one check. Return None when the fault is not the student's."""
        try:
            return self._grade(sandbox, task)
        except Overdue as overdue:
            self.faults[task.key] = str(overdue)
            return None

    def _grade(self, sandbox: Sandbox, task: Task) -> dict[str, Any] | None:
        """Run and judge one check. Return None when the fault is ours.

        Raises:
            Overdue: the machine gave it too little.
        """
        try:
            return self.examiner.examine(sandbox, task)
        except Overdue:
            raise
        except Exception as error:  # a fault of the grader must not sink the run
            self.faults[task.key] = "".join(traceback.format_exception_only(error)).strip()[:300]
            return None


def _text_of(stem: str, submission: Submission) -> str | None:
    """Return a lesson as a student handed it in, or its stubs.

    None where a file names no lesson.
    """
    if (text := submission.sources.get(stem)) is not None:
        return text
    return read_lesson(stem).stubs() if stem in solution_stems() else None


def _take(queue: SimpleQueue[Task]) -> Task | None:
    try:
        return queue.get_nowait()
    except Empty:
        return None


def _drain(queue: SimpleQueue[Task]) -> None:
    while _take(queue) is not None:
        pass
