"""Grade every exercise of every submission: which tasks, and what is kept.

Who runs a task is another matter, a crew's: see `crew` and `cluster`.

A fault of the student is a verdict of 0 points with a reason. A fault of the grader, or of a
machine too busy, is *ungraded*: it is never a 0, it is never remembered, and the next run tries
again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass

from autograder.checks import lesson
from autograder.course.reference import earlier_sources, read_lesson, solution_stems
from autograder.grading.intake.submission import Submission
from autograder.grading.run.crew import Came, Crew
from autograder.grading.run.examine import Overdue, Task
from autograder.grading.run.journal import Journal, content_key
from autograder.grading.run.versions import course_hash

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
        crew: examines tasks under that seed.
        salt: whatever else a verdict depends on, such as the limits.
    """

    def __init__(
        self, stems: Sequence[str], seed: int, journal: Journal, crew: Crew, salt: str = ""
    ) -> None:
        self.journal = journal
        self.crew = crew
        self.salt = f"{seed} {salt}"
        self.hashes = dict.fromkeys(stems, course_hash())
        self.exercises = [(stem, one.name) for stem in stems for one in lesson(stem).exercises]
        self.faults: dict[str, str] = {}

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
            for stem, exercise in self.exercises:
                if (task := self.task(submission, stem, exercise)) is not None:
                    found.setdefault(task.key, task)
        return list(found.values())

    def run(self, submissions: Iterable[Submission], report: Callable[[Progress], None]) -> None:
        """Grade whatever the journal does not hold yet."""
        wanted = self.tasks(submissions)
        waiting = [task for task in wanted if task.key not in self.journal.entries]
        progress = Progress(len(wanted), len(wanted) - len(waiting))
        report(progress)

        def settle(task: Task, came: Came) -> None:
            progress.ungraded += not self.keep(task, came)
            progress.done += 1
            report(progress)

        if late := self._together(waiting, settle):
            self._alone(late, settle)

    def _together(self, waiting: list[Task], settle: Callable[[Task, Came], None]) -> list[Task]:
        """Have tasks examined, many at once, and return those that waited too long."""
        late: list[Task] = []
        overdue: Counter[str] = Counter()

        def in_turn() -> Iterator[Task]:
            for task in waiting:
                if overdue[task.load_key] < MOST_OVERDUE:
                    yield task
                else:
                    late.append(task)

        exercises = dict.fromkeys((task.stem, task.exercise) for task in waiting)
        with closing(self.crew.examine(in_turn(), exercises)) as answers:
            for task, came in answers:
                if isinstance(came, Overdue):
                    overdue[task.load_key] += 1
                    late.append(task)
                else:
                    settle(task, came)
        return late

    def _alone(self, late: list[Task], settle: Callable[[Task, Came], None]) -> None:
        """Ask again, one by one, for what waited too long beside others."""
        still: dict[str, Overdue] = {}

        def one_by_one() -> Iterator[Task]:
            for task in late:
                # A file that waits though it is alone is not waited for at each of its checks.
                if task.load_key in still:
                    settle(task, still[task.load_key])
                else:
                    yield task

        with closing(self.crew.examine(one_by_one(), alone=True)) as answers:
            for task, came in answers:
                if isinstance(came, Overdue):
                    still[task.load_key] = came
                settle(task, came)

    def keep(self, task: Task, came: Came) -> bool:
        """Keep a verdict, or why there is none, and return whether there is one."""
        if isinstance(came, dict):
            self.journal.append(task.key, came)
            return True
        self.faults[task.key] = str(came)
        return False


def _text_of(stem: str, submission: Submission) -> str | None:
    """Return a lesson as a student handed it in, or its stubs.

    None where a file names no lesson.
    """
    if (text := submission.sources.get(stem)) is not None:
        return text
    return read_lesson(stem).stubs() if stem in solution_stems() else None
