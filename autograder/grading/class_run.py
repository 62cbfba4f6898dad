"""Grade a folder of submissions into a folder of results."""

from __future__ import annotations

import importlib.util
import json
import secrets
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from autograder.files import write_whole
from autograder.grading.intake import folder as intake
from autograder.grading.intake.archives import Caps
from autograder.grading.intake.guarded import Reader
from autograder.grading.report import tables
from autograder.grading.report.results import StudentResult, collect
from autograder.grading.run.engine import Grader, Progress
from autograder.grading.run.journal import Journal, locked
from autograder.grading.run.versions import course_hash, seed_hash, versions
from autograder.grading.sandbox.children import PRELOAD, Sandbox
from autograder.grading.sandbox.limits import MIB, Limits
from autograder.grading.sandbox.probe import Isolation, choose
from lessons.toolkit.errors import UserError

TARGET = "autograder.worker.serve:run_job"
# The largest need of any reference, measured: 30 MiB, 0.1 MiB of answer. A test keeps every
# reference below a tenth of these.
LIMITS = Limits(
    memory_bytes=1024 * MIB,
    tmp_bytes=32 * MIB,
    file_bytes=32 * MIB,
    output_bytes=32 * MIB,
    log_bytes=4 * MIB,
    # Where the kernel shares the processor by thread, each takes its share from other workers.
    threads=16,
)


@dataclass(frozen=True)
class Request:
    """Everything that an instructor asks for.

    Args:
        submissions: folder of submissions, or one submission.
        out: folder of results; taken up again when it holds an earlier run.
        stems: lessons to grade.
        seed: of the hidden cases.
        workers: sandboxes at work at once.
        isolation: "auto", or a rung of the ladder by name.
        limits: of each check.
        caps: of each submission.
    """

    submissions: Path
    out: Path
    stems: Sequence[str]
    seed: int
    workers: int = 2
    isolation: str = "auto"
    limits: Limits = LIMITS
    caps: Caps = field(default_factory=Caps)


@dataclass(frozen=True)
class Run:
    """One run that has ended: its rows, and the record of how it was graded."""

    rows: list[StudentResult]
    record: dict[str, Any]


def grade(request: Request, report: Callable[[Progress], None] = lambda _: None) -> Run:
    """Grade a folder of submissions and write the results.

    Raises:
        UserError: no such folder, isolation that cannot be had, an output folder in use or full.
    """
    isolation = choose(request.isolation)
    with Reader(request.stems, request.caps) as reader:
        submissions = intake.read_submissions(
            request.submissions, request.stems, request.caps, reader.read
        )
    make_folder(request.out, request.submissions)
    with locked(request.out), Journal(request.out / "journal.jsonl") as journal:
        grader = Grader(
            request.stems,
            request.seed,
            journal,
            sandboxes(isolation, request.limits, request.stems),
            request.workers,
            salt=f"{isolation.level} {asdict(request.limits)}",
        )
        grader.run(submissions, report)
        rows = collect(submissions, request.stems, grader)
        record = run_record(request, isolation)
        write_results(request.out, rows, record)
    return Run(rows, record)


def sandboxes(isolation: Isolation, limits: Limits, stems: Sequence[str]) -> Callable[[], Sandbox]:
    """Return a function that starts a sandbox, for each worker to call.

    The first start is made alone: if it fails, every other call raises its error.
    """
    lock = threading.Lock()
    works = False
    failure: UserError | None = None

    def start() -> Sandbox:
        nonlocal works, failure
        with lock:
            if failure is not None:
                raise failure
            if not works:
                try:
                    first = open_sandbox(isolation, limits, stems)
                except UserError as error:
                    failure = error
                    raise
                works = True
                return first
        return open_sandbox(isolation, limits, stems)

    return start


def open_sandbox(isolation: Isolation, limits: Limits, stems: Sequence[str]) -> Sandbox:
    """Start a sandbox whose children answer the exercises of these lessons."""
    calls = [f"autograder.worker.calls.{stem}" for stem in stems]
    known = [name for name in calls if importlib.util.find_spec(name)]
    return Sandbox(
        TARGET,
        isolation=isolation,
        limits=limits,
        preload=(*PRELOAD, *known),
    )


def run_record(request: Request, isolation: Isolation) -> dict[str, Any]:
    """Return what every number depends on besides the submissions."""
    return {
        "schema": tables.SCHEMA,
        "versions": versions(),
        "seed_hash": seed_hash(request.seed),
        "isolation": isolation.level,
        "isolation_reasons": list(isolation.reasons),
        "limits": asdict(request.limits),
        "lessons": dict.fromkeys(request.stems, course_hash()),
    }


def write_results(out: Path, rows: Sequence[StudentResult], record: dict[str, Any]) -> None:
    """Write the results.

    First what is the same for every run over the same submissions, then what is not.
    """
    from autograder.grading.report import write_pages

    results = json.dumps(tables.results(rows, record), indent=1, ensure_ascii=False) + "\n"
    for name, text in (
        ("results.json", results),
        ("grades.csv", tables.grades_csv(rows)),
        ("usage.csv", tables.usage_csv(rows)),
    ):
        write_whole(out / name, text.encode(), durable=True)
    write_pages(out, rows, record)


def read_seed(path: Path) -> int:
    """Read the secret seed of the offering from its file, or make both.

    Raises:
        UserError: the file holds no number, or cannot be read or written.
    """
    try:
        if not path.exists():
            write_whole(path, f"{secrets.randbits(62)}\n".encode(), mode=0o600)
        return int(path.read_text(encoding="utf-8").strip())
    except ValueError as error:
        raise UserError(
            f"The seed file {path} does not hold one whole number.", "Give another."
        ) from error
    except OSError as error:
        raise UserError(
            f"The seed file {path} cannot be read or made: {error.strerror}.", "Check the path."
        ) from error


def make_folder(out: Path, submissions: Path) -> None:
    """Make the folder of results.

    Raises:
        UserError: it cannot be made, or lies among the submissions and would be read as one.
    """
    if submissions.is_dir() and out.resolve().is_relative_to(submissions.resolve()):
        raise UserError(f"{out} lies inside {submissions}.", "Give another folder with --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {out} cannot be made: {error.strerror}.", "Give another with --out."
        ) from error
