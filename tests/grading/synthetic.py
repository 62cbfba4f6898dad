"""Synthetic classes whose every score is known before they are graded.

A student's file is a mixture: each exercise right, a stub, or one of its known wrong versions; some
files are broken. What a version earns is measured once, with the rest of the file right. Exercises
that others call stay right, so that a file earns the sum of its parts.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from autograder.checks import lesson
from autograder.course.exercise import Exercise
from autograder.course.mistakes import Wrong
from autograder.course.reference import (
    LessonSource,
    for_students,
    make_stub,
    read_lesson,
    without_markers,
)
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.seeds import PUBLIC_SEED
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import Answer

RIGHT, STUB = "right", "stub"
BROKEN = {
    "syntax": "def broken(:\n",
    "empty": "",
    "nothing": "x = 1\n",
    "import": "import no_such_package\n",
}


@dataclass(frozen=True)
class Student:
    """One synthetic student: files by lesson, and the score they must get."""

    id: str
    files: dict[str, str]
    score: float


@cache
def textual_mistakes(stem: str, exercise: str) -> dict[str, Wrong]:
    """Mistakes that are made by another text, by id: only these can be handed in as files."""
    mistakes = expectation_of(stem, exercise, PUBLIC_SEED).mistakes
    return {mistake.id: mistake.text for mistake in mistakes if mistake.text is not None}


def chunk_text(source: LessonSource, exercise: str, wrong: Wrong) -> str:
    """Source of one exercise in a wrong version."""
    text = source.chunk(exercise)
    if wrong.body:
        return wrong.body.strip("\n") + "\n\n\n"
    if wrong.after:
        return text.rstrip("\n") + "\n\n\n" + wrong.after.strip("\n") + "\n\n\n"
    for old, new in wrong.edits:
        text = text.replace(old, new)
    return text


def mixture(stem: str, versions: dict[str, str]) -> str:
    """A lesson's file with a version of each exercise; right where none is named."""
    source = read_lesson(stem)
    parts = []
    for chunk in source.chunks:
        version = versions.get(chunk.name, RIGHT)
        if not chunk.name or version == RIGHT:
            parts.append(chunk.text)
        elif version == STUB:
            parts.append(make_stub(chunk.text, stem, chunk.name))
        else:
            wrong = textual_mistakes(stem, chunk.name)[version]
            parts.append(chunk_text(source, chunk.name, wrong))
    return for_students(without_markers("".join(parts)))


@cache
def verdict_of(stem: str, exercise: str, version: str, seed: int) -> Verdict:
    """What one version earns when the rest of its file is right."""
    expectation = expectation_of(stem, exercise, seed)
    records = run_trusted(expectation.job(mixture(stem, {exercise: version}), f"{stem}.py"))
    return judge(expectation, Answer("ok", tuple(records)))


@cache
def expectation_of(stem: str, exercise: str, seed: int) -> Expectation:
    """Shared by all that ask."""
    return Expectation(stem, lesson(stem).exercise(exercise), seed)


def versions_of(stem: str, exercise: Exercise, at_most: int) -> list[str]:
    """Right, stub, and some wrong versions; only right for what other exercises call."""
    if exercise.name in _called(stem):
        return [RIGHT]
    return [RIGHT, STUB, *islice(textual_mistakes(stem, exercise.name), at_most)]


def _called(stem: str) -> set[str]:
    """Exercises of a lesson that its other exercises call by name."""
    source = read_lesson(stem)
    return {
        name
        for name in source.exercises
        for other in source.exercises
        if other != name and name in source.chunk(other)
    }


def make_class(stems: list[str], count: int, seed: int, at_most: int = 6) -> list[Student]:
    """A class of students with known scores.

    Args:
        stems: lessons that everybody hands in.
        count: how many students; one in twelve hands in something broken.
        seed: of the hidden cases, and of the mixtures.
        at_most: wrong versions used of each exercise.
    """
    draw = random.Random(seed)
    students = []
    for number in range(count):
        files, score = {}, 0.0
        for stem in stems:
            if number % 12 == 11:
                kind = draw.choice(sorted(BROKEN))
                files[stem] = BROKEN[kind] + (f"# {number}\n" if BROKEN[kind] else "")
                continue
            versions = {
                exercise.name: draw.choice(versions_of(stem, exercise, at_most))
                for exercise in lesson(stem).exercises
            }
            # A comment of their own, so that no two files are one file to the cache.
            files[stem] = mixture(stem, versions) + f"\n# student {number}\n"
            score += sum(verdict_of(stem, name, v, seed).points for name, v in versions.items())
        students.append(Student(f"student-{number:03}", files, round(score, 2)))
    return students


def hand_in(students: list[Student], folder: Path) -> Path:
    """Write a class as folders, the way `convlens submit` packs them."""
    for student in students:
        for stem, text in student.files.items():
            place = folder / student.id / stem / "exercises.py"
            place.parent.mkdir(parents=True)
            place.write_text(text, encoding="utf-8")
    return folder
