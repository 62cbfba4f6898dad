"""Grade a folder of submissions into a folder of results."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from autograder.files import write_whole
from autograder.grading.intake.archives import Caps
from autograder.grading.intake.gather import Classroom, Seat, read_class
from autograder.grading.intake.guarded import Reader
from autograder.grading.intake.hands import ONE, Attempt, expect_class
from autograder.grading.intake.late import Due, Lateness
from autograder.grading.intake.platforms import recognise
from autograder.grading.intake.roster import read_roster
from autograder.grading.intake.submission import Submission
from autograder.grading.report import page_of, tables, write_pages
from autograder.grading.report.adjustments import NAME as ADJUSTMENTS
from autograder.grading.report.adjustments import adjusted, read_adjustments
from autograder.grading.report.results import (
    LessonResult,
    Lessons,
    StudentResult,
    Whose,
    lesson_results,
    merged,
    rows,
)
from autograder.grading.run.cluster import DaskCrew
from autograder.grading.run.crew import Crew, LocalCrew
from autograder.grading.run.engine import Grader, Progress
from autograder.grading.run.examine import Examiner
from autograder.grading.run.journal import NAME as JOURNAL
from autograder.grading.run.journal import Journal, locked
from autograder.grading.run.seeds import hold_to_seed
from autograder.grading.run.shards import Shard
from autograder.grading.run.versions import course_hash, seed_hash, versions
from autograder.grading.sandbox import whitelist
from autograder.grading.sandbox.children import PRELOAD, Sandbox
from autograder.grading.sandbox.limits import MIB, Limits
from autograder.grading.sandbox.other_user import refuse_open
from autograder.grading.sandbox.probe import Isolation, choose
from lessons.toolkit.errors import UserError, unknown

# What `again` may name besides students.
AGAIN = ("timeout", "ungraded", "unread")
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
        submissions: folder or archive of a class, or one student's work.
        out: folder of results; taken up again when it holds an earlier run.
        stems: lessons to grade.
        seed: of the hidden cases.
        workers: sandboxes at work at once.
        isolation: "auto", or a rung of the ladder by name.
        limits: of each check.
        caps: of each submission.
        again: students, or some of `AGAIN`, of whom nothing that is remembered counts.
        layout: the platform that packed the class; recognised when None.
        one: whether it is one student's work.
        attempt: which one of each student counts.
        roster: CSV of the class, whose rows are the rows of the results.
        due: deadline and what missing it costs.
        scheduler: address of a Dask cluster that does the work; "" for this machine.
        shard: grade only this one of so many parts of the class; None for all.
    """

    submissions: Path
    out: Path
    stems: Sequence[str]
    seed: int
    workers: int = 2
    isolation: str = "auto"
    limits: Limits = LIMITS
    caps: Caps = field(default_factory=Caps)
    again: Sequence[str] = ()
    layout: str | None = None
    one: bool = False
    attempt: Attempt = "last"
    roster: Path | None = None
    due: Due | None = None
    scheduler: str = ""
    shard: Shard | None = None


@dataclass(frozen=True)
class Run:
    """One run that has ended.

    Args:
        rows: everybody in the folder of results, whichever run graded them.
        record: how this run was made.
        notices: what the instructor should know of it.
    """

    rows: list[StudentResult]
    record: dict[str, Any]
    notices: list[str]


def grade(
    request: Request,
    report: Callable[[Progress], None] = lambda _: None,
    say: Callable[[str], None] = lambda _: None,
) -> Run:
    """Grade a folder of submissions into a folder of results.

    What other runs left there stays, but for the same lessons of the same students.

    Args:
        request: what is asked for.
        report: hears of every check that has ended.
        say: hears in words what goes on before the first.

    Raises:
        UserError: no such folder, one student's work where a class is expected, somebody who is
            not on the roster, isolation that cannot be had, an output folder in use or full,
            another seed than the folder's, a line of its adjustments that cannot be meant.
    """
    isolation = choose(request.isolation)
    # While submissions are read: it takes seconds, and every sandbox waits for it.
    threading.Thread(target=whitelist.build, daemon=True).start()
    make_folder(request.out, request.submissions)
    with locked(request.out), Journal(request.out / JOURNAL) as journal:
        hold_to_seed(journal, request.seed)
        adjustments = read_adjustments(request.out / ADJUSTMENTS)
        room = read_room(request, say)
        everybody = room.submissions
        submissions = everybody if request.shard is None else request.shard.of(everybody)
        many = "" if len(submissions) == 1 else "s"
        say(f"{len(submissions)} submission{many} read.")
        grader = grader_for(request, isolation, journal)
        journal.forget(_asked_again(request.again, submissions, grader))
        grader.run(submissions, report)
        record = run_record(request, isolation)
        made_with = {name: record[name] for name in ("seed_hash", "isolation")}
        whose = {seat.id: whose_is(seat, request.due) for seat in room.seats}
        results = lesson_results(submissions, request.stems, grader, made_with, whose)
        lessons, gone = keep(request, journal, room, results)
        table, warnings = adjusted(rows(lessons), adjustments)
        write_results(request.out, table, record)
    return Run(table, record, [*journal.notices, *_of_hands(request, room), *gone, *warnings])


def read_room(request: Request, say: Callable[[str], None]) -> Classroom:
    """Recognise who handed in what, say it, and read it."""
    layout = recognise(request.submissions, request.layout, request.one)
    if not request.one:
        expect_class(layout)
    say(layout.sentence())
    roster = None if request.roster is None else read_roster(request.roster)
    with Reader(request.stems, request.caps) as reader:
        return read_class(layout, reader.read, request.attempt, roster, request.caps)


def whose_is(seat: Seat, due: Due | None) -> Whose:
    """Return what the results tell of who handed in, and when."""
    person = {**asdict(seat.person), "others": list(seat.person.others)}  # as JSON gives it back
    if (hand := seat.hand) is None:
        return Whose(person)
    if due is not None:
        late = due.of(hand)
    else:
        late = Lateness(None, 1.0, "Late, the platform says.") if hand.late else Lateness(0, 1.0)
    # Without times nobody's lateness can be judged: that is one sentence, not one a student.
    why = late.why if hand.time or hand.late else ""
    told = {
        "attempt": hand.attempt,
        "time": hand.time.isoformat() if hand.time else "",
        "late": why,
        "factor": late.factor,
    }
    return Whose(person, told, (why,) if due and why and late.is_open else ())


def _of_hands(request: Request, room: Classroom) -> list[str]:
    """Return what an instructor should know of missing attempts and times."""
    found = []
    if room.without:
        names = ", ".join(room.without)
        found.append(f"Without attempt {request.attempt}, and so not graded: {names}.")
    timeless = [seat for seat in room.seats if seat.hand and not seat.hand.time]
    if request.due and timeless:
        count = f"{len(timeless)} of {len(room.seats)}"
        found.append(f"When it was handed in is not known of {count}: no lateness costs them.")
    return found


def grader_for(request: Request, isolation: Isolation, journal: Journal) -> Grader:
    """Return the grader of a request.

    Equal ones find each other's verdicts in the journal.

    Raises:
        UserError: a submission could read the others, or the results.
    """
    refuse_open(isolation.level, (request.submissions, request.out))
    start = partial(open_sandbox, isolation, request.limits, tuple(request.stems))
    crew: Crew
    if request.scheduler:
        crew = DaskCrew(request.scheduler, request.stems, request.seed, start, isolation.level)
    else:
        crew = LocalCrew(Examiner(request.stems, request.seed), start, request.workers)
    salt = f"{isolation.level} {asdict(request.limits)}"
    return Grader(request.stems, request.seed, journal, crew, salt)


def _asked_again(
    again: Iterable[str], submissions: Sequence[Submission], grader: Grader
) -> list[str]:
    """Return the keys of what is to be forgotten.

    Raises:
        UserError: a name that is no student's.
    """
    students = {submission.student: submission for submission in submissions}
    keys = []
    for name in again:
        if name not in (*AGAIN, *students):
            raise unknown("student", name, [*students, *AGAIN])
        # Work that was not read and checks that failed are remembered nowhere.
        for task in grader.tasks([students[name]] if name in students else submissions):
            entry = grader.journal.entries.get(task.key)
            if entry and (name in students or entry["verdict"]["outcome"] == name):
                keys.append(task.key)
    return keys


def keep(
    request: Request,
    journal: Journal,
    room: Classroom,
    results: Iterable[LessonResult],
) -> tuple[list[LessonResult], list[str]]:
    """Merge the results of a run into those of the folder.

    Who is no longer in the same folder of submissions goes, with their page.

    Args:
        request: what was asked for.
        journal: of the folder of results.
        room: everybody in the folder of submissions, graded by this run or not.
        results: of the run.

    Returns:
        Everything that there is now, in order, and a sentence for who is gone.
    """
    place = request.submissions.resolve()
    one = room.layout.platform == ONE
    # Relative: a course's folder may move with all that is in it.
    folder = os.path.relpath(place.parent if one else place, request.out.resolve())
    known: Lessons = {
        key: (where, LessonResult.from_json(told))
        for key, (where, told) in journal.lessons().items()
    }
    here = {seat.id for seat in room.seats}
    left = (
        set()
        if one
        else {
            (student, where)
            for (student, _), (where, _) in known.items()
            if where == folder and student not in here
        }
    )
    changed = merged(known, folder, results)
    stay = {key: found for key, found in known.items() if (key[0], found[0]) not in left}
    now = dict(sorted({**stay, **changed}.items()))
    gone = sorted({student for student, _ in left})
    for student in gone:
        if student not in {name for name, _ in now}:
            # Before the rows: who kills us here is asked for it again.
            page = page_of(request.out, student)
            page.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # somebody's own files lie beside it
                page.parent.rmdir()
    journal.keep_lessons({key: (where, asdict(r)) for key, (where, r) in changed.items()}, left)
    names = ", ".join(gone)
    sentences = [f"No longer among the submissions, and so without a row: {names}."] if gone else []
    return [result for _, result in now.values()], sentences


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
        "course": course_hash(),
    }


def write_results(out: Path, table: Sequence[StudentResult], record: dict[str, Any]) -> None:
    """Write the results.

    First what is the same for every run over the same submissions, then what is not.
    """
    results = json.dumps(tables.results(table, record), indent=1, ensure_ascii=False) + "\n"
    for name, text, encoding in (
        ("results.json", results, "utf-8"),
        ("grades.csv", tables.grades_csv(table), tables.CSV_ENCODING),
        ("usage.csv", tables.usage_csv(table), tables.CSV_ENCODING),
    ):
        write_whole(out / name, text.encode(encoding), durable=True)
    write_pages(out, table, record)


def make_folder(out: Path, submissions: Path | None = None) -> None:
    """Make the folder of results.

    Raises:
        UserError: it cannot be made, or lies among the submissions and would be read as one.
    """
    if submissions and submissions.is_dir() and out.resolve().is_relative_to(submissions.resolve()):
        raise UserError(f"{out} lies inside {submissions}.", "Give another folder with --out.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(
            f"The folder {out} cannot be made: {error.strerror}.", "Give another with --out."
        ) from error
