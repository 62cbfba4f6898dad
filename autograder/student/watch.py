"""Check again whenever the file is saved, up to the first failure.

A child process is kept ready for it.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import Any, Protocol

from autograder.course.catalogue import landed_stems
from autograder.student.changes import Changes
from autograder.student.check import Check, Checked, Checker, LessonFile
from autograder.student.progress import Progress, remember
from autograder.student.working_copy import WorkingCopy
from lessons.toolkit.errors import UserError

SETTLE_SECONDS = 0.03
REPLACE_SECONDS = 0.15


class Screen(Protocol):
    """The place where watch mode shows what it finds."""

    def failure(self, checked: Checked, seconds: float) -> None:
        """Show the first exercise that does not pass."""

    def passed(self, what: str, seconds: float) -> None:
        """Show that a lesson, or ``lesson.exercise``, passes."""

    def error(self, error: UserError) -> None:
        """Show that nothing can be checked at the moment."""

    def warn(self, sentence: str) -> None:
        """Show that something beside the check went wrong."""


class Watch:
    """The watch mode of `convlens check`.

    Args:
        copy: where the student works.
        checker: keeps a child ready.
        stem: the lesson to begin with.
        exercise: watch this one alone; else the lesson's first that does not pass.
        moves_on: go to the next lesson when all of this one passes.
        screen: where findings are shown.
    """

    def __init__(
        self,
        copy: WorkingCopy,
        checker: Checker,
        stem: str,
        exercise: str | None,
        moves_on: bool,
        screen: Screen,
    ) -> None:
        self._copy = copy
        self._checker = checker
        self._stem = stem
        self._only = exercise
        self._moves_on = moves_on
        self._screen = screen
        self._events: queue.SimpleQueue[tuple[str, int, Any]] = queue.SimpleQueue()
        self._round = 0
        self._check: Check | None = None
        self._file: LessonFile | None = None
        self._seen = 0.0

    def run(self) -> int:
        """Watch until Ctrl-C, or until all that was asked for passes.

        Returns:
            0, the exit code.
        """
        changes = Changes(self._copy.root / "lessons", lambda: self._events.put(("saved", 0, None)))
        try:
            self._look()
            while True:
                try:
                    kind, round_, value = self._events.get(timeout=0.1)
                except queue.Empty:  # a wait without an end cannot be interrupted on Windows
                    continue
                if kind == "saved":
                    self._look()
                elif round_ == self._round and self._hear(kind, value):
                    return 0
        finally:
            changes.stop()
            self._forget_check()
            self._checker.close()

    def _look(self) -> None:
        """Check the file, unless it is as it was at the last check."""
        seen = time.perf_counter()
        try:
            file = self._read()
        except UserError as error:
            if self._file is not None or self._round == 0:
                self._forget_check()
                self._file = None
                self._screen.error(error)
            return
        if file == self._file:
            return
        self._forget_check()
        self._seen, self._file = seen, file
        self._check = Check(self._checker, file, (self._only,) if self._only else None)
        threading.Thread(target=self._work, args=(self._check, self._round), daemon=True).start()

    def _read(self) -> LessonFile:
        """Read the file once two looks at it agree.

        An editor may be half-way through a save.
        """
        path = self._copy.chosen(self._stem)
        if not path.exists():
            time.sleep(REPLACE_SECONDS)
        before = self._copy.source(self._stem, path)
        for _ in range(10):
            time.sleep(SETTLE_SECONDS)
            now = self._copy.source(self._stem, path)
            if now == before:
                break
            before = now
        return LessonFile(self._stem, before, self._copy.shown(path), self._copy.earlier(before))

    def _forget_check(self) -> None:
        """End the check that runs.

        Its verdict would be about an older text.
        """
        self._round += 1
        if self._check is not None:
            self._check.cancel()
            self._check = None

    def _work(self, check: Check, round_: int) -> None:
        """Check up to the first failure, then prepare for the next save.

        It runs in a thread of its own.
        """
        failure: Checked | None = None
        try:
            for checked in check:
                self._events.put(("checked", round_, checked))
                if checked.verdict.outcome != "passed":
                    failure = checked
                    break
            self._events.put(("done", round_, failure))
        except UserError as error:
            self._events.put(("error", round_, error))
            return
        finally:
            check.cancel()
        self._checker.prepare()
        if failure is not None:
            self._warm(failure, round_)

    def _warm(self, failure: Checked, round_: int) -> None:
        """Prepare the mistakes of the failing exercise for the next diagnosis."""
        from autograder.checks import lesson

        stem, _, name = failure.verdict.exercise.partition(".")
        expectation = self._checker.expectation(stem, lesson(stem).exercise(name))
        with self._checker.trusted():
            mistakes = expectation.mistakes
        case = failure.verdict.case or next(iter(expectation.cases))
        for mistake in mistakes:
            if round_ != self._round:
                return
            with self._checker.trusted():
                expectation.outcome((mistake,), case)

    def _hear(self, kind: str, value: Any) -> bool:
        """Act on what a check reports.

        Returns:
            True when there is nothing left to watch for.
        """
        seconds = time.perf_counter() - self._seen
        if kind == "error":
            self._screen.error(value)
        elif kind == "checked":
            if problem := remember(self._copy.state, [value.verdict]):
                self._screen.warn(problem)
        elif value is not None:
            self._screen.failure(value, seconds)
        else:
            self._screen.passed(f"{self._stem}.{self._only}" if self._only else self._stem, seconds)
            return not (self._moves_on and self._move_on())
        return False

    def _move_on(self) -> bool:
        """Go to the next lesson that does not pass.

        Returns:
            False when there is none.
        """
        progress = Progress(self._copy.state)
        for stem in landed_stems():
            if stem > self._stem and progress.waiting(stem):
                self._stem, self._file = stem, None
                self._events.put(("saved", 0, None))
                return True
        return False
