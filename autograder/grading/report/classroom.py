"""Show a class on one page: scores, exercises, mistakes, who needs a person."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from statistics import mean, median
from typing import Any

from autograder.checks import lesson
from autograder.course.catalogue import course_lesson
from autograder.course.mistakes import meaning_of
from autograder.grading.report.page import render
from autograder.grading.report.results import StudentResult
from autograder.grading.report.shared import SharedMistake, shared_mistakes
from autograder.grading.sandbox.probe import NONE
from autograder.judge.words import SIDE_EFFECTS
from autograder.plain_text import plain_lines

BINS = 10
SHADES = 5
MOST_SHARED = 20
MOST_NAMES = 12
CODE_LINES, CODE_WIDTH = 60, 120


@dataclass(frozen=True)
class Bar:
    """One bar of the histogram, lengths in its own drawing's units."""

    label: str
    count: int
    x: int
    height: int


@dataclass(frozen=True)
class Difficulty:
    """One exercise as a class fared with it.

    Shares are of those whose work was graded.
    """

    id: str
    passed: int
    partly: int
    not_attempted: int
    graded: int
    share: float


@dataclass(frozen=True)
class HeatMap:
    """Counts of one lesson's known mistakes: a row an exercise, a column a mistake."""

    title: str
    mistakes: tuple[str, ...]
    rows: tuple[tuple[str, tuple[tuple[int, int], ...]], ...]
    meanings: tuple[tuple[str, str, str, int], ...]


def class_page(rows: Sequence[StudentResult], record: dict[str, Any]) -> str:
    """Return the page of a class as HTML.

    It is for the instructor, who may see every sentence.
    """
    scores = [row.score for row in rows if row.status == "graded" and row.score is not None]
    made = [made for row in rows for made in row.made_from.values()]
    shared = shared_mistakes(rows)
    return render(
        "class.html",
        title="Class",
        rows=rows,
        graded=len(scores),
        max_score=max((row.max_score for row in rows), default=0.0),
        mean=mean(scores) if scores else None,
        median=median(scores) if scores else None,
        bars=histogram(rows),
        exercises=difficulties(rows),
        heat_maps=heat_maps(rows),
        shared=shared[:MOST_SHARED],
        more_shared=len(shared[MOST_SHARED:]),
        most_names=MOST_NAMES,
        code=example_code,
        needed=[row for row in rows if row.needs_person],
        given=list(_given(rows)),
        named=any(row.name for row in rows),
        late=any(row.late for row in rows),
        record=record,
        courses=sorted({one["course"] for one in made}),
        unprotected=NONE in [record["isolation"], *(one["isolation"] for one in made)],
    )


def example_code(shared: SharedMistake) -> str:
    """Return the example of a shared mistake as text fit to be shown."""
    return "\n".join(plain_lines(shared.examples[0][1], CODE_LINES, CODE_WIDTH))


def _given(rows: Sequence[StudentResult]) -> Iterator[tuple[str, str, float | None, float, str]]:
    """Yield student, exercise, graded and given points, note of each adjustment."""
    for row in rows:
        for one in row.exercises:
            if one.given is not None:
                yield row.student, one.id, one.points, one.given, one.note
        if row.given is not None:
            yield row.student, "total", row.graded_score, row.given, row.note


def histogram(rows: Sequence[StudentResult]) -> list[Bar]:
    """Count students by tenth of the full score, those whose score is final."""
    counts = [0] * BINS
    for row in rows:
        if row.status == "graded" and row.score is not None and row.max_score:
            counts[min(BINS - 1, int(BINS * row.score / row.max_score + 1e-9))] += 1
    tallest = max(counts) or 1
    step = 100 // BINS
    return [
        Bar(f"{step * i} to {step * (i + 1)} %", count, 60 * i, round(150 * count / tallest))
        for i, count in enumerate(counts)
    ]


def difficulties(rows: Sequence[StudentResult]) -> list[Difficulty]:
    """Return the exercises that somebody has tried, hardest first.

    What could not be read or graded counts neither way.
    """
    found = []
    for column in zip(*(row.exercises for row in rows), strict=True):
        results = [result for result in column if result.points is not None]
        outcomes = Counter(result.outcome for result in results)
        if outcomes["not_attempted"] == len(results):
            continue
        points = [result.points for result in results if result.points is not None]
        found.append(
            Difficulty(
                id=results[0].id,
                passed=outcomes["passed"],
                partly=sum(r.outcome == "failed" and bool(r.points) for r in results),
                not_attempted=outcomes["not_attempted"],
                graded=len(results),
                share=mean(points) / results[0].max_points,
            )
        )
    return sorted(found, key=lambda difficulty: (difficulty.share, difficulty.id))


def heat_maps(rows: Sequence[StudentResult]) -> list[HeatMap]:
    """Count the known mistakes of a class, by lesson.

    A lesson without any has no map.
    """
    counts = Counter(
        (exercise.id, exercise.diagnosis)
        for row in rows
        for exercise in row.exercises
        if exercise.diagnosis is not None
    )
    seen = sorted({identity for identity, _ in counts})
    most = max(counts.values(), default=1)
    return [
        _heat_map(stem, list(identities), counts, most)
        for stem, identities in groupby(seen, lambda identity: identity.partition(".")[0])
    ]


def _heat_map(
    stem: str, identities: list[str], counts: Counter[tuple[str, str]], most: int
) -> HeatMap:
    inside = {pair: count for pair, count in counts.items() if pair[0] in identities}
    totals: Counter[str] = Counter()
    for (_, mistake), count in inside.items():
        totals[mistake] += count
    mistakes = sorted(totals, key=lambda mistake: (-totals[mistake], mistake))
    rows = tuple(
        (name, tuple(_cell(counts[f"{stem}.{name}", mistake], most) for mistake in mistakes))
        for name in (exercise.name for exercise in lesson(stem).exercises)
        if f"{stem}.{name}" in identities
    )
    meanings = tuple(
        (identity.partition(".")[2], mistake, meaning(identity, mistake), count)
        for (identity, mistake), count in sorted(
            inside.items(), key=lambda item: (-item[1], item[0])
        )
    )
    return HeatMap(
        f"{int(stem[1:3])}. {course_lesson(stem).title}", tuple(mistakes), rows, meanings
    )


def _cell(count: int, most: int) -> tuple[int, int]:
    """Return a count and its shade, 0 to `SHADES`."""
    return count, -(-SHADES * count // most)


def meaning(identity: str, mistake: str) -> str:
    """Return what a mistake is, in one sentence.

    It is "" where the id says it already.
    """
    stem, _, name = identity.partition(".")
    for anchored in lesson(stem).exercise(name).anchored:
        if anchored.id == mistake:  # its sentence may name what stands here instead
            return anchored.says
    if (said := meaning_of(stem, name, mistake)) is not None:
        return said
    return f"It {SIDE_EFFECTS[mistake][0]}." if mistake in SIDE_EFFECTS else ""
