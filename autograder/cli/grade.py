"""`convlens grade`: grades, feedback and a class report from submissions."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.cli.screen import errors, output
from autograder.course.catalogue import find_lesson, landed_stems
from lessons.toolkit.errors import UserError

if TYPE_CHECKING:
    from autograder.grading.class_run import Request, Run

STOPPED = 130


def grade(
    submissions: Annotated[Path, typer.Argument(help="A class, as its platform packs it.")],
    out: Annotated[Path, typer.Option(help="Folder of results; an earlier run is taken up.")],
    lesson: Annotated[
        list[str] | None,
        typer.Option(metavar="LESSON", help="A lesson to grade; again for more. All by default."),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(metavar="N", min=1, max=256, help="Sandboxes at once; one a core by default."),
    ] = None,
    seed_file: Annotated[
        Path | None,
        typer.Option(help="Secret seed of the hidden cases, made where there is none."),
    ] = None,
    isolation: Annotated[
        str,
        typer.Option(
            metavar="LEVEL", help="auto, namespaces, landlock, user, or none (unprotected)."
        ),
    ] = "auto",
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file whose [limits] and [caps] replace the defaults."),
    ] = None,
    again: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="Forget and ask again: timeout, ungraded, unread or a student. More than once.",
        ),
    ] = None,
    layout: Annotated[
        str | None,
        typer.Option(metavar="PLATFORM", help="Who packed the class, where that is misread."),
    ] = None,
    one: Annotated[bool, typer.Option("--one", help="It is the work of one student.")] = False,
    attempt: Annotated[
        str, typer.Option(metavar="WHICH", help="Attempt that counts: last, first or a number.")
    ] = "last",
    roster: Annotated[
        Path | None, typer.Option(help="CSV of the class: id, name, email, in any order.")
    ] = None,
    due: Annotated[
        str, typer.Option(metavar="TIME", help="Deadline, such as 2026-11-30T23:59+01:00.")
    ] = "",
    zone: Annotated[
        str, typer.Option(metavar="ZONE", help="Zone of times without one: Europe/Berlin.")
    ] = "",
    late_per_day: Annotated[
        float,
        typer.Option(metavar="SHARE", help="What a started day late costs: 0.1 of all."),
    ] = 0.0,
    late_cap: Annotated[
        float, typer.Option(metavar="SHARE", help="The most that lateness costs.")
    ] = 1.0,
    gradebook: Annotated[
        Path | None, typer.Option(help="nbgrader's gradebook.db, to write points into as well.")
    ] = None,
    scheduler: Annotated[
        str, typer.Option(metavar="ADDRESS", help="Dask cluster to grade on: tcp://host:8786.")
    ] = "",
    shard: Annotated[
        str, typer.Option(metavar="I/N", help="Grade only the I-th of N parts of the class.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> int:
    """Grade submissions in a sandbox (instructors).

    Ends with 0 when all is graded, 1 when somebody should look at a submission, 2 on a mistake in
    the command or its surroundings, 130 after Ctrl-C.
    """
    refuse_other_systems()
    stems = sorted({find_lesson(name) for name in lesson or landed_stems()})
    if not submissions.exists():
        raise UserError(f"There is no folder {submissions}.", "Name the one with the submissions.")
    # One console: who stops a run may find standard error redirected at that moment.
    console = errors()
    console.print(f"Reading {submissions}.")  # before torch, which takes its time
    from autograder.cli.grade_screen import RunScreen, show_run
    from autograder.grading.class_run import LIMITS, Request, make_folder
    from autograder.grading.class_run import grade as run_all
    from autograder.grading.intake.archives import Caps
    from autograder.grading.intake.hands import attempt_of
    from autograder.grading.intake.late import due as deadline
    from autograder.grading.run.seeds import make_seed, read_seed
    from autograder.grading.run.settings import read_settings
    from autograder.grading.run.shards import Shard
    from autograder.grading.sandbox.other_user import refuse_open
    from autograder.grading.sandbox.probe import choose

    part = Shard.read(shard) if shard else None
    if gradebook is not None:
        from autograder.grading.nbgrader.record import course_of

        course_of(gradebook)
    found = choose(isolation)  # refused before anything is written
    if (late_per_day or late_cap != 1.0 or zone) and not due:
        raise UserError(
            "A zone, and what lateness costs, need a deadline.", "Add --due 2026-11-30T23:59+01:00."
        )
    if scheduler:
        _look_at_cluster(scheduler, found.level, workers)
    limits, caps = read_settings(config, LIMITS, Caps())
    make_folder(out, submissions)
    seed_file = seed_file or out / ".seed"  # beside the results, not inside what students are given
    if part is not None and not seed_file.exists():
        raise UserError(
            f"There is no seed file {seed_file}, and all parts of a class need one and the same.",
            "Write one large whole number into a file, and give it to each by --seed-file.",
        )
    if not seed_file.exists():
        make_seed(seed_file, out)
        console.print(f"A secret seed was made: {seed_file}. Keep it: every grade hangs on it.")
    refuse_open(found.level, (seed_file,))
    request = Request(
        submissions=submissions,
        out=out,
        stems=stems,
        seed=read_seed(seed_file),
        workers=workers or len(os.sched_getaffinity(0)),
        isolation=isolation,
        limits=limits,
        caps=caps,
        again=again or (),
        layout=layout,
        one=one,
        attempt=attempt_of(attempt),
        roster=roster,
        due=deadline(due, zone, late_per_day, late_cap) if due else None,
        scheduler=scheduler,
        shard=part,
    )
    screen = RunScreen(console)
    try:
        with screen:
            run = run_all(request, screen.report, screen.say)
    except KeyboardInterrupt:
        console.print(screen.kept())
        return STOPPED
    if gradebook is not None:
        from autograder.grading.nbgrader.record import record

        run.notices.extend(record(gradebook, run.rows))
    if as_json:
        _print_json(request, run)
    else:
        show_run(output(), out, run)
    return 1 if any(row.needs_person for row in run.rows) else 0


def refuse_other_systems() -> None:
    """Raise UserError where code of a submission cannot be shut in."""
    # The sandbox's modules cannot even be imported elsewhere.
    if not sys.platform.startswith("linux"):
        raise UserError(
            "Grading needs Linux: this system has no way to shut in the code of a submission.",
            "Grade in a Linux container, a virtual machine or WSL2; students' own checks run here.",
        )


def _look_at_cluster(address: str, level: str, workers: int | None) -> None:
    """Refuse a cluster that would not grade as this machine does."""
    if workers is not None:
        raise UserError(
            "--workers is for this machine, and --scheduler for a cluster.",
            "Leave one of them: each thread of a Dask worker is one sandbox.",
        )
    from autograder.grading.run.cluster import connected, refuse_unlike_workers

    with connected(address) as client:
        count = refuse_unlike_workers(client, level)
        threads = sum(client.nthreads().values())
    errors().print(f"Dask workers at {address}: {count}, with {threads} threads.")


def _print_json(request: Request, run: Run) -> None:
    summary = {
        "out": str(request.out),
        "lessons": list(request.stems),
        "students": [
            {"student": row.student, "score": row.score, "status": row.status, "reason": row.reason}
            for row in run.rows
        ],
        "notices": run.notices,
        "max_score": run.rows[0].max_score if run.rows else 0.0,
        "isolation": run.record["isolation"],
        "seed_hash": run.record["seed_hash"],
    }
    sys.stdout.write(json.dumps(summary, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()
