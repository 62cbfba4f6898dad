"""Grade submissions by `pytest --convlens-submission PATH`, one item an exercise.

No code of a submission runs in pytest's process, and no file of one is ever collected, imported or
read as a configuration: items come from intake, answers from a sandbox.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from autograder.student.pytest_item import ExerciseItem, NotPassed

# Loaded by every run of pytest: nothing heavy before --convlens-submission is given.
if TYPE_CHECKING:
    from autograder.grading.intake.submission import Submission
    from autograder.grading.pytest.session import Session

SESSION: pytest.StashKey[Session] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of a graded run."""
    group = parser.getgroup("convlens", "ConvLens: grade submissions")
    group.addoption(
        "--convlens-submission",
        metavar="PATH",
        help="grade a submission, or a folder of them, in a sandbox: one item an exercise",
    )
    group.addoption(
        "--convlens-lesson",
        action="append",
        metavar="LESSON",
        help="a lesson to grade; again for more",
    )
    group.addoption(
        "--convlens-seed-file",
        metavar="FILE",
        help="secret seed of the hidden cases; the public cases of `convlens check` without it",
    )
    group.addoption(
        "--convlens-isolation",
        default="auto",
        metavar="LEVEL",
        help="auto, namespaces, landlock, user or none",
    )
    group.addoption(
        "--convlens-config",
        metavar="FILE",
        help="TOML file whose [limits] and [caps] replace the defaults",
    )


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Let nothing of a submission set up this process.

    The nearest conftest.py may be a student's. And pytest takes a path after an option for a place
    to look for its own configuration, which could name files to write.
    """
    given = early_config.known_args_namespace
    if given.convlens_submission is None:
        return
    if given.file_or_dir:
        raise pytest.UsageError(
            "--convlens-submission is a run of its own: name no tests beside it."
        )
    place = Path(given.convlens_submission).resolve()
    if not place.exists():
        raise pytest.UsageError(f"There is no folder or file {given.convlens_submission}.")
    folder = place if place.is_dir() else place.parent
    if early_config.invocation_params.dir.resolve().is_relative_to(folder):
        raise pytest.UsageError("Run pytest from outside the folder of submissions.")
    if early_config.inipath is not None and early_config.inipath.resolve().is_relative_to(folder):
        raise pytest.UsageError(
            f"{early_config.inipath} would configure pytest. Remove it, or write"
            " --convlens-submission=PATH."
        )
    given.noconftest = True
    # The cache would write its folder among the submissions, where pytest then thinks its root is.
    for name in ("stepwise", "cacheprovider"):
        if (plugin := early_config.pluginmanager.get_plugin(name)) is not None:
            early_config.pluginmanager.unregister(plugin)


def pytest_configure(config: pytest.Config) -> None:
    """Collect nothing but the submissions."""
    if (submission := config.getoption("convlens_submission")) is None:
        return
    from autograder.grading.pytest.session import Session
    from lessons.toolkit.errors import UserError

    config.args = []
    seed_file = config.getoption("convlens_seed_file")
    settings = config.getoption("convlens_config")
    try:
        config.stash[SESSION] = Session(
            Path(submission),
            config.getoption("convlens_lesson") or [],
            Path(seed_file) if seed_file else None,
            config.getoption("convlens_isolation"),
            Path(settings) if settings else None,
        )
    except UserError as error:
        raise pytest.UsageError(str(error)) from error
    config.add_cleanup(config.stash[SESSION].close)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(
    session: pytest.Session, config: pytest.Config, items: list[pytest.Item]
) -> None:
    """Add the items, before -k and -m choose among them."""
    if SESSION in config.stash:
        whole = Submissions.from_parent(session, name="submissions", nodeid="submissions")
        items[:] = session.genitems(whole)


class Submissions(pytest.Collector):
    """All submissions of a run."""

    def collect(self) -> Iterator[pytest.Collector]:
        """Yield a collector for each student."""
        for submission in self.config.stash[SESSION].submissions:
            student = Student.from_parent(self, name=submission.student)
            student.submission = submission
            yield student


class Student(pytest.Collector):
    """One student's submission."""

    submission: Submission

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each exercise, in the order of the lessons."""
        for stem, name in self.config.stash[SESSION].exercises:
            item = SubmittedExercise.from_parent(self, name=f"{stem}.{name}")
            item.asked = self.submission, stem, name
            yield item


class NoVerdict(NotPassed):
    """Raised where the work could not be read, or the grader itself failed."""


class SubmittedExercise(ExerciseItem):
    """One exercise of one student."""

    asked: tuple[Submission, str, str]

    def setup(self) -> None:
        """Grade the exercise. What fails here is no verdict on a student."""
        self.result = self.config.stash[SESSION].grade(*self.asked)
        self.note(vars(self.result))
        if self.result.points is None:
            word = "read" if self.result.outcome == "unread" else "graded"
            raise NoVerdict(f"Not {word}: {self.result.message}")

    def runtest(self) -> None:
        """Raise the verdict, unless the exercise passed."""
        if self.result.outcome != "passed":
            raise NotPassed(self.result.message)

    def reportinfo(self) -> tuple[Any, int | None, str]:
        """Return where the work came from."""
        submission, stem, name = self.asked
        place = self.config.stash[SESSION].place(submission)
        return place, None, f"{submission.student} {stem}.{name}"
