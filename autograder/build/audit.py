"""The gate for authors: stubs fail, references pass, mutants fail under their own names."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from autograder.checks import lesson
from autograder.course.exercise import Exercise, Lesson
from autograder.course.reference import LessonSource, SourceError, read_lesson
from autograder.judge.expected import PUBLIC_SEED, Expectation, mutant_source, run_trusted
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import Answer

FEWEST_MUTANTS = 3
HINTS = 3


@dataclass
class LessonAudit:
    """What the audit of one lesson found.

    Args:
        stem: the lesson.
        mutants, killed: wrong versions run, and those that failed under their own id.
        problems: one sentence each; none means the gate is open.
        seconds: how long it took.
    """

    stem: str
    mutants: int = 0
    killed: int = 0
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def kill_rate(self) -> float:
        """Share of the mutants that failed under their own id, in [0, 1]."""
        return self.killed / self.mutants if self.mutants else 1.0


def audit(stems: Iterable[str], seed: int = PUBLIC_SEED) -> Iterator[LessonAudit]:
    """Audit lessons one by one.

    Args:
        stems: which lessons.
        seed: of the cases; the gate must hold for any.
    """
    for stem in stems:
        started = time.perf_counter()
        report = _audit_lesson(lesson(stem), seed)
        report.seconds = time.perf_counter() - started
        yield report


def _audit_lesson(record: Lesson, seed: int) -> LessonAudit:
    report = LessonAudit(record.stem)
    try:
        source = read_lesson(record.stem)
    except (OSError, SourceError, SyntaxError) as error:
        report.problems.append(f"solutions/{record.stem}.py: {error}")
        return report
    report.problems += _inventory(record, source)
    for exercise in record.exercises:
        if exercise.name in source.exercises:
            _audit_exercise(report, record.stem, exercise, source, seed)
    return report


def _inventory(record: Lesson, source: LessonSource) -> Iterator[str]:
    """What is missing, and what is there without a place."""
    names = tuple(exercise.name for exercise in record.exercises)
    for name in source.exercises:
        if name not in names:
            yield f"{record.stem}.{name} has a solution and no check"
    for exercise in record.exercises:
        where = f"{record.stem}.{exercise.name}"
        if exercise.name not in source.exercises:
            yield f"{where} has a check and no solution"
        if len(exercise.mutants) < FEWEST_MUTANTS:
            count = len(exercise.mutants)
            yield f"{where} has {count} mutants of its own; {FEWEST_MUTANTS} are asked"
        if len(exercise.hints) != HINTS or not all(exercise.hints):
            yield f"{where} does not have {HINTS} hints"
        if exercise.points <= 0 or exercise.minutes <= 0:
            yield f"{where} has no points or no minutes"
        ids = [mutant.id for mutant in exercise.mutants]
        for twice in sorted({name for name in ids if ids.count(name) > 1}):
            yield f"{where} has two mutants called {twice}"
    order = tuple(name for name in source.exercises if name in names)
    if order != tuple(name for name in names if name in source.exercises):
        yield f"{record.stem}: checks and solutions are in different orders"


def _audit_exercise(
    report: LessonAudit, stem: str, exercise: Exercise, source: LessonSource, seed: int
) -> None:
    expectation = Expectation(stem, exercise, seed)
    where = f"{stem}.{exercise.name}"

    def verdict(text: str) -> Verdict:
        records = run_trusted(expectation.job(text, f"lessons/{stem}/exercises.py"))
        return judge(expectation, Answer("ok", tuple(records)))

    if (found := verdict(source.stubs())).outcome != "not_attempted":
        report.problems.append(f"{where}: the stub is {found.outcome}: {found.message}")
    if (found := verdict(source.bare())).outcome != "passed":
        report.problems.append(f"{where}: the reference is {found.outcome}: {found.message}")
    for other in exercise.accepted:
        found = verdict(mutant_source(source, exercise.name, other))
        if found.outcome != "passed":
            report.problems.append(
                f"{where}: accepted {other.id} is {found.outcome}: {found.message}"
            )
    for mutant in expectation.mutants:
        report.mutants += 1
        try:
            found = verdict(mutant_source(source, exercise.name, mutant))
        except SourceError as error:
            report.problems.append(str(error))
            continue
        if found.outcome in ("failed", "error", "timeout") and found.diagnosis == mutant.id:
            report.killed += 1
        elif found.outcome == "passed":
            report.problems.append(f"{where}: mutant {mutant.id} passes")
        else:
            report.problems.append(
                f"{where}: mutant {mutant.id} is taken for {found.diagnosis}: {found.message}"
            )


def main(argv: list[str] | None = None) -> int:
    """Run the gate without the command line: `python -m autograder.build.audit [STEM ...]`."""
    import sys

    from autograder.checks import stems

    chosen = (sys.argv[1:] if argv is None else argv) or stems()
    failed = False
    for report in audit(chosen):
        print(
            f"{report.stem}: {report.killed}/{report.mutants} mutants named, {report.seconds:.1f} s"
        )
        for problem in report.problems:
            failed = True
            print(f"  {problem}")
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
