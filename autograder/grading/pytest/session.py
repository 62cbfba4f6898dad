"""Ask the grading engine for one exercise at a time, for pytest."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from autograder.checks import lesson
from autograder.course.catalogue import find_lesson, landed_stems
from autograder.grading.class_run import LIMITS, open_sandbox
from autograder.grading.intake.archives import Caps
from autograder.grading.intake.gather import read_class
from autograder.grading.intake.guarded import Reader
from autograder.grading.intake.platforms import recognise
from autograder.grading.intake.submission import Submission
from autograder.grading.report.results import ExerciseResult, exercise_result
from autograder.grading.run.crew import LocalCrew, outcome
from autograder.grading.run.engine import Grader
from autograder.grading.run.examine import Examiner
from autograder.grading.run.journal import NAME, Journal
from autograder.grading.run.seeds import read_seed
from autograder.grading.run.settings import read_settings
from autograder.grading.sandbox.children import Sandbox
from autograder.grading.sandbox.other_user import refuse_open
from autograder.grading.sandbox.probe import choose
from autograder.judge.expected import PUBLIC_SEED


class Session:
    """One run of pytest over submissions.

    Args:
        path: one submission, or a folder of them.
        lessons: to grade, as people name them; all where empty.
        seed_file: of the hidden cases; None for the public ones.
        isolation: "auto", or a rung of the ladder.
        config: TOML file of limits and caps; None for the defaults.

    Raises:
        UserError: as `grade` does.
    """

    def __init__(
        self,
        path: Path,
        lessons: Sequence[str],
        seed_file: Path | None,
        isolation: str,
        config: Path | None = None,
    ) -> None:
        self._isolation = choose(isolation)
        secret = [path] if seed_file is None else [path, seed_file]
        refuse_open(self._isolation.level, secret)
        stems = sorted({find_lesson(name) for name in lessons or landed_stems()})
        seed = PUBLIC_SEED if seed_file is None else read_seed(seed_file)
        self._path = path
        self._stems = stems
        self._resources = contextlib.ExitStack()
        self._sandbox: Sandbox | None = None
        self._limits, caps = read_settings(config, LIMITS, Caps())
        with Reader(stems, caps) as reader:
            room = read_class(recognise(path), reader.read, caps=caps)
        self.submissions = room.submissions
        self.exercises = [(stem, e.name) for stem in stems for e in lesson(stem).exercises]
        folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="convlens-"))
        journal = self._resources.enter_context(Journal(Path(folder) / NAME))
        examiner = Examiner(stems, seed)
        self._crew = LocalCrew(examiner, self._start_sandbox, workers=1)
        self._grader = Grader(stems, seed, journal, self._crew, salt=f"{asdict(self._limits)}")

    def _start_sandbox(self) -> Sandbox:
        return open_sandbox(self._isolation, self._limits, self._stems)

    def grade(self, submission: Submission, stem: str, exercise: str) -> ExerciseResult:
        """Return one verdict, with points of None where the grader itself failed."""
        task = self._grader.task(submission, stem, exercise)
        if task is not None and task.key not in self._grader.journal.entries:
            if self._sandbox is None:
                self._sandbox = self._resources.enter_context(self._start_sandbox())
            self._grader.keep(task, outcome(self._crew.examiner, self._sandbox, task))
        return exercise_result(submission, stem, exercise, self._grader)

    def place(self, submission: Submission) -> Path:
        """Return the path a submission was read from, for messages."""
        return self._path / submission.origin if self._path.is_dir() else self._path

    def close(self) -> None:
        """End the sandbox."""
        self._resources.close()
