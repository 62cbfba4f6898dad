"""How long a class takes: against bare checks in one warm process, and against stock nbgrader.

    python tests/benchmarks/bench_grading.py class --students 300
    python tests/benchmarks/bench_grading.py class --students 100 --lessons l11_saliency
    python tests/benchmarks/bench_grading.py bare --students 300 --turns 1
    python tests/benchmarks/bench_grading.py nbgrader --students 8 --many 100
    python tests/benchmarks/bench_grading.py kills --kills 20
    python tests/benchmarks/bench_grading.py honest --students 200 --turns 2

Every mode also checks what it times: a score that is not the known one ends it with an error.
"""

from __future__ import annotations

import argparse
import os
import random
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "grading"))

from synthetic import expectation_of, hand_in, make_class

from autograder.checks import lesson
from autograder.course.catalogue import landed_stems as stems
from autograder.course.reference import ROOT, read_lesson
from autograder.grading.class_run import Request, grade
from autograder.grading.intake.archives import Caps
from autograder.grading.intake.gather import read_class
from autograder.grading.intake.guarded import Reader
from autograder.grading.intake.platforms import recognise
from autograder.judge.expected import run_trusted
from autograder.judge.verdict import judge
from autograder.protocol.answers import Answer

SEED = 299_792_458
STEM = "l11_saliency"


def main() -> None:
    """Run one of the modes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mode", choices=["class", "bare", "nbgrader", "kills", "honest"])
    parser.add_argument("--students", type=int, default=24)
    parser.add_argument("--lessons", nargs="+", default=list(stems()), help="of class and bare")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--many", type=int, default=100, help="a class beside nbgrader's few")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        modes = {"class": _class, "bare": _bare, "nbgrader": _nbgrader, "kills": _kills}
        {**modes, "honest": _honest}[arguments.mode](Path(folder), arguments)


def _graded(inbox: Path, out: Path, names: list[str], workers: int) -> tuple[float, dict]:
    started = time.perf_counter()
    run = grade(Request(inbox, out, names, SEED, workers=workers))
    return time.perf_counter() - started, {row.student: row.score or 0.0 for row in run.rows}


def _class(folder: Path, arguments: argparse.Namespace) -> None:
    names, many = arguments.lessons, arguments.students
    students = make_class(names, many, SEED)
    inbox = hand_in(students, folder / "in")
    before = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    seconds, scores = _graded(inbox, folder / "out", names, 2)
    after = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    wrong = [s.id for s in students if scores[s.id] != s.score]
    checks = sum(len(lesson(stem).exercises) for stem in names) * many
    cpu = [
        b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime
        for a, b in zip(before, after, strict=True)
    ]
    print(f"{many} students, {len(names)} lessons, {checks} checks")
    print(f"wall {seconds:.1f} s, {checks / seconds:.1f} checks/s")
    print(f"processor: grader {cpu[0]:.1f} s, workers {cpu[1]:.1f} s, ", end="")
    print(f"{sum(cpu) / many:.2f} s a submission, start-up included")
    print(f"peak: grader {after[0].ru_maxrss / 1024:.0f} MiB, ", end="")
    print(f"largest worker {after[1].ru_maxrss / 1024:.0f} MiB")
    sizes = {
        name: sum(path.stat().st_size for path in (folder / "out").glob(pattern)) / 1024 / many
        for name, pattern in (("journal", "journal.sqlite"), ("pages", "feedback/*/index.html"))
    }
    print(f"KiB a submission: journal {sizes['journal']:.1f}, pages {sizes['pages']:.1f}")
    started = time.perf_counter()
    with Reader(names, Caps()) as reader:
        read_class(recognise(inbox), reader.read)
    print(f"reading: {1000 * (time.perf_counter() - started) / many:.1f} ms a submission")
    print(f"scores that are not the known one: {wrong}")
    raise SystemExit(bool(wrong))


def _bare(folder: Path, arguments: argparse.Namespace) -> None:
    names = arguments.lessons
    students = make_class(names, arguments.students, SEED)
    inbox = hand_in(students, folder / "in")
    expectations = [expectation_of(s, e.name, SEED) for s in names for e in lesson(s).exercises]
    for expectation in expectations:
        _ = expectation.records
        for mistake in expectation.mistakes:
            for case in expectation.cases:
                expectation.outcome((mistake,), case)
    ratios: dict[int, list[float]] = {workers: [] for workers in arguments.workers}
    for turn in range(arguments.turns):
        started = time.perf_counter()
        for student in students:
            for expectation in expectations:
                text = student.files[expectation.stem]
                records = run_trusted(expectation.job(text, f"{expectation.stem}.py"))
                judge(expectation, Answer("ok", tuple(records)))
        bare = time.perf_counter() - started
        for workers, found in ratios.items():
            graded, _ = _graded(inbox, folder / f"out{turn}-{workers}", names, workers)
            found.append(graded / bare)
            line = f"bare {bare:.1f} s, graded by {workers} {graded:.1f} s, ratio {found[-1]:.2f}"
            print(line, flush=True)
    for workers, found in ratios.items():
        print(f"{workers} workers: median ratio {statistics.median(found):.2f}, start-up included")


def _nbgrader(folder: Path, arguments: argparse.Namespace) -> None:
    from autograder.build.notebook import notebook_bytes
    from autograder.build.products import notebook

    course = folder / "course"
    source = course / "source" / STEM
    source.mkdir(parents=True)
    (source / "lesson.ipynb").write_bytes(notebook_bytes(notebook(STEM, solved=True)))
    (course / "nbgrader_config.py").write_text(
        "c = get_config()\nc.CourseDirectory.course_id = 'c'\n"
    )

    # nbgrader runs alembic by name.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])

    def nbgrader(*command: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "nbgrader", *command],
            cwd=course,
            check=True,
            capture_output=True,
            env={**os.environ, "PATH": path},
        )

    nbgrader("generate_assignment", STEM)
    blank = notebook_bytes(notebook(STEM)).decode()

    def hand_in_notebooks(place: Path, count: int) -> Path:
        for number in range(count):
            (place / f"s{number}" / STEM).mkdir(parents=True)
            (place / f"s{number}" / STEM / "lesson.ipynb").write_text(_solved(blank, number))
        return place

    inbox = hand_in_notebooks(course / "submitted", arguments.students)
    started = time.perf_counter()
    nbgrader("autograde", STEM)
    stock = (time.perf_counter() - started) / arguments.students
    print(f"nbgrader: {stock:.2f} s a submission, of {arguments.students}", flush=True)
    full = sum(exercise.points for exercise in lesson(STEM).exercises)
    # The same submissions, where our start-up weighs most, and a class of them, where it does not.
    for count in (arguments.students, arguments.many):
        if count != arguments.students:
            inbox = hand_in_notebooks(folder / "many", count)
        seconds, scores = _graded(inbox, folder / f"out{count}", [STEM], 2)
        assert set(scores.values()) == {full} and len(scores) == count, scores
        ours = seconds / count
        print(f"convlens: {ours:.3f} s a submission, of {count}; ratio {stock / ours:.1f}")


def _solved(text: str, number: int) -> str:
    """The student notebook with the reference in its solution cells."""
    import nbformat

    book = nbformat.reads(text, as_version=4)
    for cell in book.cells:
        mark = cell.metadata.get("nbgrader", {})
        if mark.get("solution"):
            exercise = mark["grade_id"].partition("-")[2]
            cell.source = read_lesson(STEM).chunk(exercise).strip() + f"\n# {number}"
    return nbformat.writes(book)


def _kills(folder: Path, arguments: argparse.Namespace) -> None:
    from test_class import report

    inbox = hand_in(make_class([STEM], 24, SEED, at_most=3), folder / "in")
    seed_file = folder / "seed"
    seed_file.write_text(str(SEED))

    def command(out: Path) -> list[str]:
        grader = [sys.executable, "-m", "autograder.cli.main", "grade", str(inbox)]
        return [*grader, "--out", str(out), "--seed-file", str(seed_file), "--lesson", STEM]

    started = time.perf_counter()
    subprocess.run(command(folder / "whole"), cwd=ROOT, capture_output=True)
    length = time.perf_counter() - started
    draw = random.Random(1)
    for number in range(arguments.kills):
        # A fresh run every few kills, so that kills fall on all of its stages.
        broken = folder / f"broken-{number // 4}"
        process = subprocess.Popen(
            command(broken), cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        moment = draw.uniform(0.05, 1.0) * length
        time.sleep(moment)
        process.send_signal(signal.SIGKILL)
        process.wait()
        print(f"kill {number + 1} after {moment:.1f} s of {length:.1f}", flush=True)
    whole = report(folder / "whole")
    for broken in sorted(folder.glob("broken-*")):
        subprocess.run(command(broken), cwd=ROOT, capture_output=True)
        assert report(broken) == whole, broken
    print(f"{arguments.kills} kills, reports identical")


def _honest(folder: Path, arguments: argparse.Namespace) -> None:
    """Grade right work in every shape with every sort of import, beside four hogs."""
    from honest import hand_in_honestly

    hand_in_honestly(folder / "in", arguments.students)
    busy = [sys.executable, "-c", "while True: pass"]
    hogs = [subprocess.Popen(busy) for _ in range(4)]
    try:
        for turn in range(arguments.turns):
            started = time.perf_counter()
            run = grade(Request(folder / "in", folder / f"out{turn}", [STEM], SEED, workers=2))
            full = sum(row.score == row.max_score for row in run.rows)
            print(
                f"{full} of {len(run.rows)} have full marks, load {os.getloadavg()[0]:.1f}, ",
                end="",
            )
            print(f"{time.perf_counter() - started:.0f} s", flush=True)
            assert full == arguments.students, [
                (row.student, row.status, row.reason)
                for row in run.rows
                if row.score != row.max_score
            ]
    finally:
        for hog in hogs:
            hog.kill()
            hog.wait()


if __name__ == "__main__":
    main()
