"""Grade every exercise of every submission in sandboxed workers, judged here.

What a worker says is data to be judged. A fault of the student is a verdict of 0 points with a
reason; a fault of the grader is *ungraded*: it is never a 0, it is never remembered, and the next
run tries again.
"""

from __future__ import annotations

import contextlib
import threading
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from queue import Empty, SimpleQueue
from typing import Any

from autograder.checks import lesson
from autograder.course.reference import earlier_sources, read_lesson, solution_stems
from autograder.grading.intake.submission import Submission
from autograder.grading.run.journal import Journal, content_key
from autograder.grading.run.lacking import explained
from autograder.grading.run.public_cases import PublicCases
from autograder.grading.run.redaction import needs_redaction, sentence
from autograder.grading.run.versions import course_hash
from autograder.grading.sandbox.children import ChildResult, Sandbox
from autograder.judge.expected import Expectation
from autograder.judge.lending import lend, may_borrow, settle
from autograder.judge.verdict import Verdict, judge
from autograder.plain_text import plain_line
from autograder.protocol.answers import Answer, AnswerReader, describe_exit
from autograder.protocol.wire import encode


class GraderFault(RuntimeError):
    """Raised where something of ours broke: the check stays ungraded."""


@dataclass(frozen=True)
class Task:
    """One check: one exercise of one lesson file.

    Args:
        key: under which its verdict is remembered.
        load_key: the same for every exercise of the file.
        stem, exercise: what is checked.
        source: text of the lesson's file.
        earlier: text of the same student's earlier lessons that it imports, by stem.
    """

    key: str
    load_key: str
    stem: str
    exercise: str
    source: str
    earlier: Mapping[str, str]


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
        self.expectations = {
            (stem, exercise.name): Expectation(stem, exercise, seed)
            for stem in stems
            for exercise in lesson(stem).exercises
        }
        self.public = {
            (stem, exercise.name): PublicCases(stem, exercise)
            for stem in stems
            for exercise in lesson(stem).exercises
        }
        self.faults: dict[str, str] = {}
        self._never_loads: dict[str, Answer] = {}
        self._sandboxes: list[Sandbox] = []
        self._lock = threading.Lock()

    def task(self, submission: Submission, stem: str, exercise: str) -> Task | None:
        """Return one check of one submission, None if it holds no such lesson."""
        if (source := submission.sources.get(stem)) is None:
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
            for stem, exercise in self.expectations:
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
                    _ = self.expectations[exercise].records
                expected.set()
                for future in futures:
                    future.result()
            except BaseException:
                _drain(queue)
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
                entry = self.grade(sandbox, task)
                with self._lock:
                    if entry is None:
                        progress.ungraded += 1
                    else:
                        self.journal.append(task.key, entry)
                    progress.done += 1
                    report(progress)

    def grade(self, sandbox: Sandbox, task: Task) -> dict[str, Any] | None:
        """Run and judge one check. Return None when the fault is ours."""
        expectation = self.expectations[task.stem, task.exercise]
        try:
            answer, usage = self._ask(sandbox, task, expectation)
            with self._lock:
                verdict = judge(expectation, answer)
            if may_borrow(verdict, expectation.exercise):
                return self._with_help(sandbox, task, verdict, answer, usage)
        except Exception as error:  # a fault of the grader must not sink the run
            self.faults[task.key] = "".join(traceback.format_exception_only(error)).strip()[:300]
            return None
        message, picture = self._shown(sandbox, task, expectation, verdict, answer)
        return _entry(verdict, message, usage, picture)

    def _with_help(
        self,
        sandbox: Sandbox,
        task: Task,
        own: Verdict,
        answer: Answer,
        usage: dict[str, float],
    ) -> dict[str, Any]:
        """Judge a check again with right helpers and return the verdict that counts.

        What is lent is text of the reference. So nothing that the second run says is quoted, and
        no picture is made of it.
        """
        expectation = self.expectations[task.stem, task.exercise]
        source, earlier = lend(expectation.exercise, task.source, task.earlier)
        lent = replace(task, source=source, earlier=earlier)
        second, more = self._ask(sandbox, lent, expectation)
        usage = {
            "cpu_seconds": round(usage["cpu_seconds"] + more["cpu_seconds"], 3),
            "peak_rss": max(usage["peak_rss"], more["peak_rss"]),
            "seconds": round(usage["seconds"] + more["seconds"], 3),
        }
        with self._lock:
            borrowed = judge(expectation, second)
            if needs_redaction(borrowed, second, expectation):
                public = self.public[task.stem, task.exercise]
                unquoted = sentence(borrowed, second, (), public.expectation)
                borrowed = replace(borrowed, message=unquoted)
            verdict = settle(own, borrowed, expectation.exercise)
        if verdict is own:
            message, picture = self._shown(sandbox, task, expectation, own, answer)
            return _entry(own, message, usage, picture)
        return _entry(verdict, verdict.message, usage, {})

    def _shown(
        self,
        sandbox: Sandbox,
        task: Task,
        expectation: Expectation,
        verdict: Verdict,
        answer: Answer,
    ) -> tuple[str, dict[str, str]]:
        """Return the sentence, and a picture of what went wrong on the public case."""
        public = self.public[task.stem, task.exercise]
        draws = verdict.outcome == "failed" and public.has_picture(verdict.case)
        with self._lock:
            redact = needs_redaction(verdict, answer, expectation)
        if not draws and not redact:
            return verdict.message, {}
        records: tuple[dict[str, Any], ...] = ()
        with contextlib.suppress(Exception):  # a help; no grade hangs on it
            case = verdict.case or public.first()
            job = public.job(case, task.source, f"{task.stem}.py", task.earlier)
            records = read_answer(sandbox.run(encode(job), public.exercise.deadline), 1).records
        message, picture = verdict.message, {}
        with self._lock:
            if redact:
                message = sentence(verdict, answer, records, public.expectation)
            if draws:
                with contextlib.suppress(Exception):
                    picture = public.picture(verdict.case, records)
        return message, picture

    def _ask(
        self, sandbox: Sandbox, task: Task, expectation: Expectation
    ) -> tuple[Answer, dict[str, float]]:
        if (known := self._never_loads.get(task.load_key)) is not None:
            return known, {"cpu_seconds": 0.0, "peak_rss": 0, "seconds": 0.0}
        payload = expectation.payload(task.source, f"{task.stem}.py", task.earlier)
        result = sandbox.run(payload, expectation.exercise.deadline)
        if result.status == "grader_fault":
            raise GraderFault(result.reason)
        answer = read_answer(result, len(expectation.cases))
        if answer.status == "timeout" and not answer.records:
            # Loading is the same for every exercise of the file: once is enough.
            self._never_loads[task.load_key] = answer
        usage = {
            "cpu_seconds": round(result.cpu_seconds, 3),
            "peak_rss": result.peak_rss,
            "seconds": round(result.seconds, 3),
        }
        return answer, usage


def _entry(
    verdict: Verdict, message: str, usage: dict[str, float], picture: dict[str, str]
) -> dict[str, Any]:
    """Return what the journal keeps of a check."""
    entry = {**asdict(verdict), "message": plain_line(explained(message))}
    del entry["seconds"], entry["detail"]
    return {"verdict": entry, "usage": usage, "picture": picture}


def read_answer(result: ChildResult, cases: int) -> Answer:
    """Read what a sandboxed child wrote.

    Args:
        result: what became of the child.
        cases: how many were asked for.
    """
    reader = AnswerReader(cases)
    reader.feed(result.frames)
    if result.status in ("timeout", "memory", "output"):
        return reader.answer(result.status, "", result.seconds)
    # "ok" says that it ended with 0, as any code can. The reader knows whether it is whole.
    code = -result.signal if result.signal else result.exit_code or 0
    return reader.answer("died", describe_exit(code), result.seconds)


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
