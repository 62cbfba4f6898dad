"""`convlens export`: what a platform takes in, from a folder of results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from autograder.cli.screen import errors, output
from autograder.course.catalogue import find_lesson, landed_stems
from autograder.files import write_whole
from lessons.toolkit.errors import UserError, unknown

if TYPE_CHECKING:
    from autograder.grading.exports.marks import Mark
    from autograder.grading.exports.sheet import Filled
    from autograder.grading.report.results import StudentResult

export = typer.Typer(
    help="Write what a platform takes in (instructors).",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Results = Annotated[Path, typer.Argument(metavar="GRADED", help="Folder of results.")]
Table = Annotated[Path, typer.Argument(metavar="TABLE", help="The table that it exported.")]
Out = Annotated[Path, typer.Option(help="The file to write.")]
Column = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="The column to fill; needed where there are several."),
]
Scale = Annotated[
    bool, typer.Option("--scale", help="Scale points to what the column says is full marks.")
]

Lessons = Annotated[
    list[str] | None,
    typer.Option(metavar="LESSON", help="A lesson to grade; again for more. All by default."),
]


@export.command()
def canvas(
    graded: Results, table: Table, out: Out, column: Column = None, scale: Scale = False
) -> int:
    """Fill an assignment of Canvas's gradebook (Grades, Export)."""
    from autograder.grading.exports.canvas import fill_canvas

    return _fill(graded, table, out, lambda data, marks: fill_canvas(data, marks, column, scale))


@export.command()
def moodle(
    graded: Results,
    table: Table,
    out: Out,
    column: Column = None,
    scale: Scale = False,
    comma: Annotated[
        bool | None,
        typer.Option(
            "--comma/--point",
            help="How decimals are written; as the table's other numbers by default.",
            show_default=False,
        ),
    ] = None,
) -> int:
    """Fill a column of Moodle's grading worksheet or gradebook."""
    from autograder.grading.exports.moodle import fill_moodle

    return _fill(
        graded, table, out, lambda data, marks: fill_moodle(data, marks, column, scale, comma)
    )


@export.command()
def blackboard(
    graded: Results, table: Table, out: Out, column: Column = None, scale: Scale = False
) -> int:
    """Fill a column of Blackboard's grade centre (Work Offline, Download)."""
    from autograder.grading.exports.blackboard import fill_blackboard

    return _fill(
        graded, table, out, lambda data, marks: fill_blackboard(data, marks, column, scale)
    )


@export.command()
def junit(graded: Results, out: Out) -> int:
    """Write the class as JUnit's XML: a suite a student, a case an exercise."""
    from autograder.grading.exports.junit import junit_xml

    rows = _read(graded)
    write_whole(out, junit_xml(rows))
    output().print(f"{out}: {len(rows)} students.")
    return 0


@export.command()
def gradescope(
    graded: Results,
    student: Annotated[str, typer.Argument(metavar="STUDENT", help="Id, as in grades.csv.")],
    out: Out,
) -> int:
    """Write one student's results.json for Gradescope."""
    from autograder.grading.exports.gradescope import results_json

    rows = {row.student: row for row in _read(graded)}
    if student not in rows:
        raise unknown("student", student, list(rows))
    write_whole(out, results_json(rows[student]))
    output().print(f"{out}: {student}.")
    return 0


@export.command()
def autograder(
    out: Out,
    seed_file: Annotated[
        Path,
        typer.Option(help="Secret seed, as for `convlens grade`; made where there is none."),
    ],
    lesson: Lessons = None,
    visibility: Annotated[
        str,
        typer.Option(
            metavar="WHEN",
            help="When students see tests: visible, after_due_date, after_published or hidden.",
        ),
    ] = "visible",
    config: Annotated[
        Path | None,
        typer.Option(help="TOML file whose [limits] and [caps] replace the defaults."),
    ] = None,
) -> int:
    """Write an autograder.zip for Gradescope. It is secret: seed and solutions are in it."""
    stems = sorted({find_lesson(name) for name in lesson or landed_stems()})
    errors().print(f"Packing {out}.")
    from autograder.checks import lesson as checks_of
    from autograder.grading.class_run import LIMITS
    from autograder.grading.gradescope.pack import VISIBILITIES, packed
    from autograder.grading.intake.archives import Caps
    from autograder.grading.run.seeds import make_seed, read_seed
    from autograder.grading.run.settings import read_settings

    if visibility not in VISIBILITIES:
        raise unknown("visibility", visibility, VISIBILITIES)
    read_settings(config, LIMITS, Caps())  # refused here, not there
    if not seed_file.exists():
        make_seed(seed_file, seed_file.parent)
        errors().print(f"A secret seed was made: {seed_file}. Keep it: every grade hangs on it.")
    data = packed(
        stems, read_seed(seed_file), visibility, None if config is None else config.read_bytes()
    )
    write_whole(out, data, mode=0o600)
    points = sum(exercise.points for stem in stems for exercise in checks_of(stem).exercises)
    output().print(f"{out}: {len(data) / 2**20:.0f} MiB. In Gradescope, {points:g} points.")
    output().print("Seed and solutions are in it: keep it as you keep the seed.")
    return 0


@export.command()
def github(
    out: Out,
    course: Annotated[
        str,
        typer.Option(metavar="URL", help="The course for pip: git+https://..., or a wheel's URL."),
    ],
    lesson: Lessons = None,
) -> int:
    """Write a workflow for GitHub Classroom: practice feedback, no grades."""
    from autograder.grading.exports.github import workflow

    stems = sorted({find_lesson(name) for name in lesson or landed_stems()})
    write_whole(out, workflow(course, stems))
    output().print(f"{out}: put it into .github/workflows/ of the template repository.")
    return 0


def _read(graded: Path) -> list[StudentResult]:
    errors().print(f"Reading {graded}.")  # before torch, which takes its time
    from autograder.grading.exports.graded import read_graded

    return read_graded(graded)


def _fill(graded: Path, table: Path, out: Path, fill: Callable[[bytes, list[Mark]], Filled]) -> int:
    """Fill a table and say how.

    Return 1 where somebody of the class has no number in it now.
    """
    rows = _read(graded)
    from autograder.grading.exports.marks import marks

    try:
        data = table.read_bytes()
    except OSError as error:
        raise UserError(f"{table} cannot be read: {error.strerror}.", "Check the path.") from error
    if out.exists() and out.samefile(table):
        raise UserError(
            f"{out} is the table itself.", "Give another --out, so that you can begin again."
        )
    filled = fill(data, marks(rows))
    write_whole(out, filled.data)
    for line in filled.lines():
        output().print(line)
    output().print(f"{out} is ready to import.")
    return 1 if filled.empty or filled.unknown else 0
