"""Check a lesson in a child process.

Each exercise is sent to the child, and what comes back is judged. This module imports no torch of
its own, so that a `Checker` can start its child first.
"""

from __future__ import annotations

import queue
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from autograder.plain_text import plain_line, plain_lines
from autograder.student.process import Worker
from lessons.toolkit.errors import UserError

if TYPE_CHECKING:
    from autograder.course.exercise import Exercise
    from autograder.judge.expected import Expectation
    from autograder.judge.verdict import Verdict
    from autograder.protocol.answers import Answer

T = TypeVar("T")


@dataclass(frozen=True)
class LessonFile:
    """Text of one lesson, with the student's other lessons that it imports.

    Args:
        stem: the lesson.
        source: its Python text.
        filename: shown in sentences; one that ends in .ipynb has no line numbers worth showing.
        earlier: the student's files of other lessons by stem.
    """

    stem: str
    source: str
    filename: str
    earlier: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Checked:
    """Verdict on an exercise, and what else its first failing case gave.

    Args:
        verdict: the verdict.
        expected, actual: values to draw, where they make a picture.
        printed: the first lines that the student's code printed, fit for a screen. They are for
            the student, and stand in no report of a grader's.
    """

    verdict: Verdict
    expected: Any = None
    actual: Any = None
    printed: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return the fields that `check --json` promises."""
        return {**self.verdict.as_json(), "printed": list(self.printed)}


class Checker:
    """Expectations and a child process that is ready, kept between checks.

    Args:
        device: where the student's code runs, ``"cpu"`` or ``"cuda"``.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._spare: Worker | None = Worker(device)
        self._expectations: dict[tuple[str, str], Expectation] = {}
        self._closed = False
        self._lock = threading.Lock()
        self._trusted = threading.Lock()

    def prepare(self) -> None:
        """Start a fresh child for the next check, unless one waits already."""
        with self._lock:
            if not self._closed and (self._spare is None or not self._spare.alive):
                self._spare = Worker(self.device)

    def take(self) -> Worker:
        """Return the child that waits, or a new one."""
        with self._lock:
            worker, self._spare = self._spare, None
        return worker if worker is not None and worker.alive else Worker(self.device)

    def close(self) -> None:
        """End the child that waits and start no other ahead of time."""
        with self._lock:
            self._closed = True
            worker, self._spare = self._spare, None
        if worker is not None:
            worker.close()

    @contextmanager
    def trusted(self) -> Iterator[None]:
        """Prepare this process for trusted code, with one thread of torch.

        One caller at a time: they redirect output and seed generators. One thread, because the
        networks are tiny, and threads that wait for each other made a check six times slower.
        """
        import torch

        with self._trusted:
            before = torch.get_num_threads()
            torch.set_num_threads(1)
            try:
                yield
            finally:
                torch.set_num_threads(before)

    def expectation(self, stem: str, exercise: Exercise) -> Expectation:
        """Return what is expected of an exercise, made once."""
        from autograder.judge.expected import Expectation

        known = self._expectations.get((stem, exercise.name))
        if known is None or known.exercise is not exercise:
            known = self._expectations[stem, exercise.name] = Expectation(stem, exercise)
        return known


class Check:
    """One check of one file.

    Iterate over it in one thread; `cancel` it from any.

    Args:
        checker: what outlives the check.
        file: what is checked.
        names: exercises; all of the lesson where None.
    """

    def __init__(
        self, checker: Checker, file: LessonFile, names: tuple[str, ...] | None = None
    ) -> None:
        self._checker = checker
        self._file = file
        self._names = names
        self._worker: Worker | None = None
        self._cancelled = False
        self._stuck: dict[str, Answer] = {}

    def cancel(self) -> None:
        """Kill the child and end the iteration without another verdict."""
        self._cancelled = True
        if self._worker is not None:
            self._worker.kill()

    def __iter__(self) -> Iterator[Checked]:
        from autograder.checks import lesson

        try:
            for exercise in lesson(self._file.stem).exercises:
                if self._names is not None and exercise.name not in self._names:
                    continue
                checked = self.one(exercise.name)
                if self._cancelled:
                    return
                yield checked
        except UserError:
            if not self._cancelled:  # else it only says that the child was killed
                raise
        finally:
            self.close()

    def one(self, name: str) -> Checked:
        """Check one exercise.

        It runs in the same child as the others unless that had to be killed.
        """
        from autograder.checks import lesson
        from autograder.judge.lending import lend, may_borrow, settle

        exercise = lesson(self._file.stem).exercise(name)
        checked = self._check(self._file, exercise)
        if self._cancelled or not may_borrow(checked.verdict, exercise):
            return checked
        file = self._file
        source, earlier = lend(exercise, file.source, file.earlier)
        borrowed = self._check(replace(file, source=source, earlier=earlier), exercise)
        verdict = settle(checked.verdict, borrowed.verdict, exercise)
        return checked if verdict is checked.verdict else replace(borrowed, verdict=verdict)

    def close(self) -> None:
        """End the child."""
        if self._worker is not None:
            self._worker.close()

    def _check(self, file: LessonFile, exercise: Exercise) -> Checked:
        from autograder.judge.verdict import judge

        expectation = self._checker.expectation(file.stem, exercise)
        answer = self._stuck.get(file.stem) or self._answer(file, expectation)
        if answer.status != "ok" and not answer.records:
            self._stuck[file.stem] = answer  # a file that cannot be loaded is not loaded again
        with self._checker.trusted():
            verdict = judge(expectation, answer)
        if file.filename.endswith(".ipynb"):
            verdict = replace(verdict, message=_without_line_numbers(verdict.message))
        return _with_values(verdict, expectation, answer)

    def _answer(self, file: LessonFile, expectation: Expectation) -> Answer:
        worker = self._fresh_worker()
        job = expectation.job(file.source, file.filename, file.earlier)
        worker.send(job)
        with self._checker.trusted():
            _ = expectation.records  # made while the child works
        return worker.collect(expectation.exercise.deadline, len(expectation.cases))

    def _fresh_worker(self) -> Worker:
        if self._worker is None or not self._worker.alive:
            if self._worker is not None:
                self._worker.close()
            self._worker = self._checker.take()
            if self._cancelled:
                self._worker.kill()
        return self._worker


def reasons(checked: Checked) -> str:
    """Return why an exercise does not pass, in lines.

    These are its sentence, and numbers and what it printed where there are any.
    """
    lines = sentences(checked)
    if checked.printed:
        lines += [f"It printed on “{checked.verdict.case}”:", *(f"| {x}" for x in checked.printed)]
    return "\n".join(lines)


def sentences(checked: Checked) -> list[str]:
    """Return a verdict's sentence, and its numbers where there are any."""
    # An exception's text is the student's own, and a terminal obeys what is printed on it.
    lines = [plain_line(checked.verdict.message), plain_line(checked.verdict.detail)]
    return list(filter(None, lines))


def in_background(items: Callable[[], Iterator[T]]) -> Iterator[T]:
    """Iterate in another thread.

    Ctrl-C then reaches this one whatever that one is doing.

    >>> list(in_background(lambda: iter("ab")))
    ['a', 'b']
    """
    results: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()

    def work() -> None:
        try:
            for item in items():
                results.put(("item", item))
            results.put(("end", None))
        except BaseException as error:
            results.put(("error", error))

    threading.Thread(target=work, daemon=True).start()
    while True:
        try:
            # A wait without an end could not be interrupted on Windows.
            kind, value = results.get(timeout=0.1)
        except queue.Empty:
            continue
        if kind == "error":
            raise value
        if kind == "end":
            return
        yield value


def _with_values(verdict: Verdict, expectation: Expectation, answer: Answer) -> Checked:
    from autograder.checks.compare import close

    case = expectation.cases.get(verdict.case)
    if verdict.outcome == "passed" or case is None:
        return Checked(verdict)
    ours = next((r for r in answer.records if r.get("case") == verdict.case), {})
    text = ours.get("printed")
    stopped = "stopped at a breakpoint" in verdict.message  # then the debugger has printed
    printed = plain_lines(text) if isinstance(text, str) and not stopped else []
    checked = Checked(verdict, printed=tuple(printed))
    if not case.picture:
        return checked
    expected, actual = expectation.records[verdict.case].get("value"), ours.get("value")
    if close(expected, actual, expectation.exercise.rtol, expectation.exercise.atol):
        return checked  # something else is wrong: a picture would show two of the same
    return replace(checked, expected=expected, actual=actual)


def _without_line_numbers(message: str) -> str:
    """Remove the line numbers from a message.

    A notebook's cells are put together for the check, so that lines of the whole mean nothing.
    """
    return re.sub(r" \(line \d+\)", "", re.sub(r"\(line \d+: ", "(", message))
