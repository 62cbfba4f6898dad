"""`convlens check`: say precisely what is wrong with a lesson's exercises."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from autograder.cli.screen import Passing, errors, output, short, show_verdict
from autograder.course.catalogue import course_lesson, find_target, landed_stems, topic
from autograder.course.reference import read_lesson
from autograder.course.student_file import read_bytes, stems_in
from autograder.student.check import Check, Checked, Checker, LessonFile, in_background
from autograder.student.pictures import save_picture
from autograder.student.progress import Progress, remember
from autograder.student.working_copy import WorkingCopy
from lessons.toolkit.errors import UserError


def check(
    lesson: Annotated[
        str | None,
        typer.Argument(
            help="LESSON or LESSON.EXERCISE: 11, saliency, saliency.smooth_grad; or a path."
        ),
    ] = None,
    watch: Annotated[bool, typer.Option(help="Check again whenever the file is saved.")] = False,
    file: Annotated[Path | None, typer.Option(help="Another .py or .ipynb to check.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Run one case here: print, breakpoint() and pdb work.")
    ] = False,
    device: Annotated[str, typer.Option(help="Where your code runs: cpu, cuda, mps.")] = "cpu",
) -> int:
    """Check your exercises and say precisely what is wrong."""
    copy = WorkingCopy.find()
    stem, exercise = _target(lesson, file, copy)
    if watch:
        if as_json or file is not None or debug:
            raise UserError("--watch goes with no other option but --device.", "Leave one out.")
        from autograder.cli.watching import WatchScreen
        from autograder.student.watch import Watch

        checker = Checker(_device(device))
        return Watch(copy, checker, stem, exercise, lesson is None, WatchScreen(copy)).run()
    if file is not None and not file.exists():
        raise UserError(f"There is no file {file}.", "Check the path.")
    path = file or _named(lesson, stem, copy) or copy.chosen(stem)
    source = copy.source(stem, path)
    if debug:
        if as_json or device != "cpu":
            raise UserError("--debug goes with neither --json nor --device.", "Leave one out.")
        names = (exercise,) if exercise else read_lesson(stem).exercises
        # A debugger finds the lines of a file by its whole path.
        return _debug(LessonFile(stem, source, str(path.resolve()), copy.earlier(source)), names)
    # The child starts before this process imports torch, so that both import at once.
    checker = Checker(_device(device))
    lesson_file = LessonFile(stem, source, copy.shown(path), copy.earlier(source))
    own = path.resolve() in (copy.exercises(stem).resolve(), copy.notebook(stem).resolve())
    other = copy.passed_over(stem) if path == copy.exercises(stem) else None
    if other is not None and not as_json:
        output().print(
            f"{copy.shown(other)} holds work too, and {path.name} is checked. For the notebook: "
            f"convlens check {copy.shown(other)}"
        )
    return _check(copy, checker, lesson_file, exercise, as_json, own)


def current_lesson(copy: WorkingCopy) -> str:
    """Return the stem of the first lesson that does not pass yet.

    If all pass, return the last one.
    """
    progress, stems = Progress(copy.state), landed_stems()
    return next((stem for stem in stems if progress.waiting(stem)), stems[-1])


def _target(given: str | None, file: Path | None, copy: WorkingCopy) -> tuple[str, str | None]:
    if given is not None:
        return find_target(given)
    if file is None:
        return current_lesson(copy), None
    if not file.exists():
        raise UserError(f"There is no file {file}.", "Check the path.")
    named = [s for s in landed_stems() if s in file.parts or file.stem in (s, topic(s))]
    found = named or [s for s in stems_in(read_bytes(file), file.name) if s in landed_stems()]
    if len(found) != 1:
        problem = "no exercise" if not found else "exercises of more than one lesson"
        raise UserError(
            f"{file} holds {problem}.", "Name the lesson: convlens check LESSON --file F"
        )
    return found[0], None


def _named(given: str | None, stem: str, copy: WorkingCopy) -> Path | None:
    """Return the lesson's own file if it was named by its path."""
    if given is None or not Path(given).is_file():
        return None
    own = (copy.exercises(stem), copy.notebook(stem))
    return next((path for path in own if path.resolve() == Path(given).resolve()), None)


def _device(name: str) -> str:
    if name == "cpu":  # nothing to ask torch
        return name
    from lessons.toolkit.device import choose_device

    return str(choose_device(name))


def _check(
    copy: WorkingCopy,
    checker: Checker,
    file: LessonFile,
    exercise: str | None,
    as_json: bool,
    own: bool,
) -> int:
    names = (exercise,) if exercise else read_lesson(file.stem).exercises
    run = Check(checker, file, names)
    console, passing = output(), Passing()
    results: list[Checked] = []
    if not as_json:
        console.print(
            f"Lesson {int(file.stem[1:3])}, {course_lesson(file.stem).title}: {file.filename}\n"
        )
    try:
        passing.say(f"Checking {names[0]} ...")
        for checked in in_background(run.__iter__):
            passing.clear()
            if not as_json:
                same = bool(results) and results[-1].verdict.message == checked.verdict.message
                show_verdict(console, checked, repeated=same)
            results.append(checked)
            passing.say(f"{len(results)} of {len(names)} checked ...")
    finally:
        passing.clear()
        run.cancel()
        checker.close()
    verdicts = [checked.verdict for checked in results]
    # Another file is not the lesson's own: what it passes is no progress of that one.
    if own and (problem := remember(copy.state, verdicts)):
        errors().print(problem)
    if as_json:
        _print_json(file.stem, checker.device, results)
    else:
        _finish(copy, results, own)
    return 0 if all(checked.verdict.outcome == "passed" for checked in results) else 1


def _debug(file: LessonFile, names: tuple[str, ...]) -> int:
    from autograder.student.debug import first_failing, run_case

    console, passing = output(), Passing()
    passing.say("Looking for the plainest case that fails ...")
    checked = first_failing(file, names)
    passing.clear()
    verdict = checked.verdict
    name = verdict.exercise.partition(".")[2]
    if verdict.outcome == "not_attempted":
        console.print(verdict.message)
        return 1
    on = f"“{verdict.case}”" if verdict.case else "its plainest case"
    console.print(f"{name} on {on}, here in the foreground.", style="bold")
    console.print(
        "At a breakpoint: n next line, s into a call, p NAME shows, c goes on, q leaves.\n",
        style="dim",
    )
    console.print(f"\n{run_case(file, name, verdict.case)}")
    passes = verdict.outcome == "passed"
    if "stopped at a breakpoint" in verdict.message:  # of `pdb.set_trace()`: it hides the rest
        console.print("Take the breakpoint out to hear what a check says.")
    else:
        console.print("The check passes." if passes else f"The check says: {verdict.message}")
    return 0 if passes else 1


def _print_json(stem: str, device: str, results: list[Checked]) -> None:
    table = {
        "lesson": stem,
        "device": device,
        "exercises": [checked.as_json() for checked in results],
    }
    sys.stdout.write(json.dumps(table, indent=2, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _finish(copy: WorkingCopy, results: list[Checked], own: bool) -> None:
    console = output()
    verdicts = [checked.verdict for checked in results]
    passed = sum(verdict.outcome == "passed" for verdict in verdicts)
    points = sum(verdict.points for verdict in verdicts)
    most = sum(verdict.max_points for verdict in verdicts)
    console.print(f"\n{passed} of {len(verdicts)} pass, {points:g} of {most:g} points.")
    open_ones = [c for c in results if c.verdict.outcome != "passed"]
    # What was tried and is wrong comes before what nobody has begun.
    begun = (c for c in open_ones if c.verdict.outcome != "not_attempted")
    first = next(begun, open_ones[0] if open_ones else None)
    if not own:
        console.print("Your progress is kept for the lesson's own files and stays as it was.")
    if first is None and not own:
        return
    if first is None:
        stem = verdicts[0].exercise.partition(".")[0]
        console.print(f"Next: {_next(copy, stem)}", style="bold")
        return
    if path := save_picture(copy.state, first):
        console.print(f"Yours, expected and the difference: {copy.shown(path)}")
    console.print(f"Next: convlens hint {short(first.verdict.exercise)}", style="bold")


def _next(copy: WorkingCopy, stem: str) -> str:
    """Return what to do after all that was checked has passed.

    The lesson's own next exercise comes first, then the lessons after it, then those before.
    """
    progress, stems = Progress(copy.state), landed_stems()
    if left := progress.waiting(stem):
        return f"convlens check {topic(stem)}.{left[0]}"
    place = stems.index(stem)
    for other in (*stems[place:], *stems[:place]):
        if progress.waiting(other):
            return f"convlens check {topic(other)}"
    return "all lessons pass. convlens submit packs your work."
