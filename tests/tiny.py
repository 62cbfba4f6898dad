"""A lesson that stands in no file, so small that every answer is known on paper.

Its two exercises run in milliseconds. A test may change source, words and records as it likes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Generator

from autograder.build import audit, inventory
from autograder.checks.inputs import normal, vary
from autograder.course import exercise as records
from autograder.course.exercise import Case, Exercise, Lesson
from autograder.course.mistakes import Words, WordsError, parse
from autograder.course.reference import cut, read_lesson
from autograder.judge import expected
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import Answer

STEM = "l91_tiny"
SOURCE = '''"""Lesson 91, in two functions.

Results are detached and keep the dtype. Leave the caller's tensors alone.
"""

from __future__ import annotations

import torch
from torch import Tensor


def weigh(x: Tensor, scale: float) -> Tensor:
    """Add up each row, times a number.

    Raises:
        ValueError: x is not (N, D).
    """
    ### BEGIN SOLUTION
    if x.dim() != 2:
        raise ValueError(f"x is (N, D), not {tuple(x.shape)}")
    return (scale * x).sum(dim=1)
    ### END SOLUTION


def peak(x: Tensor) -> float:
    """Return the largest entry."""
    ### BEGIN SOLUTION
    return float(x.max())
    ### END SOLUTION
'''
HINTS = "## Hints\n\n1. What?\n\n2. How?\n\n3. So.\n"
WEIGH = f"""# weigh

2 points, 5 minutes, difficulty 1 of 3. Returns one number a row, (N,).

{HINTS}
## Mistakes

### `.sum(dim=1)`

**columns** `.sum(dim=0)`
The columns were added up.
Which dimension counts the entries of a row?

**largest_entry** `.amax(dim=1)`
Only the largest entry of each row was taken.
All of them count.

**first_entry** `[:, 0]`
Only the first entry of each row was taken.
All of them count.

### `scale * x`

**absolute_entries** `scale * x.abs()`
Magnitudes were added up.
An entry keeps its sign.

### `raise ValueError(f"x is (N, D), not {{tuple(x.shape)}}")`

**type_error** `raise TypeError("no table")`
TypeError was raised for a wrong shape.
The type is right, the value is not.

## Also right

### `(scale * x).sum(dim=1)`

**scaled_afterwards** `scale * x.sum(-1)`
"""
PEAK = f"""# peak

1 point, 5 minutes, difficulty 1 of 3. Returns a number.

{HINTS}
## Mistakes

### `x.max()`

**smallest** `x.min()`
The smallest entry was taken.
Look at the other end.

**first** `x.flatten()[0]`
The first entry was taken.
Look at all of them.
"""


def weigh_cases(rng: Generator) -> dict[str, Case]:
    def case(*shape: int, scale: float, **how: Any) -> Case:
        return Case({"x": normal(rng, *shape, **how), "scale": scale})

    cases = {
        "three rows": case(3, 4, scale=2.0),
        "one row": case(1, 5, scale=0.5),
        "wide": case(2, 9, scale=3.0),
        "float64": case(4, 3, scale=1.5, dtype=torch.float64),
        "no table": case(4, scale=1.0),
    }
    return vary(cases, scale=-1.0)


def peak_cases(rng: Generator) -> dict[str, Case]:
    names = ("a row", "a table", "another row", "a block")
    shapes = ((6,), (3, 5), (8,), (2, 3, 4))
    return {
        name: Case({"x": normal(rng, *shape)}) for name, shape in zip(names, shapes, strict=True)
    }


WEIGHING = Exercise(STEM, "weigh", weigh_cases, batch=("x",))
PEAKING = Exercise(STEM, "peak", peak_cases)


@dataclass
class Tiny:
    """The tiny lesson; whatever is changed holds from then on."""

    source: str = SOURCE
    words: dict[str, str] = field(default_factory=lambda: {"weigh": WEIGH, "peak": PEAK})
    weigh: Exercise = WEIGHING
    peak: Exercise = PEAKING

    @property
    def lesson(self) -> Lesson:
        return Lesson(STEM, (self.weigh, self.peak))

    def edit(self, old: str, new: str) -> None:
        """Change the reference; the text must be there."""
        assert self.source.count(old) == 1
        self.source = self.source.replace(old, new)

    def reword(self, exercise: str, old: str, new: str) -> None:
        """Change the words of an exercise; the text must be there."""
        assert self.words[exercise].count(old) == 1
        self.words[exercise] = self.words[exercise].replace(old, new)

    def change(self, **changes: Any) -> None:
        """Change the record of the first exercise."""
        self.weigh = replace(self.weigh, **changes)

    def verdict(self, body: str, exercise: str = "weigh") -> Verdict:
        """Judge a student's file in which one exercise is this text."""
        expectation = Expectation(STEM, getattr(self, exercise))
        text = cut(self.source, STEM).replaced(exercise, body)
        return judge(
            expectation, Answer("ok", tuple(run_trusted(expectation.job(text, "mine.py"))))
        )


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> Tiny:
    """The tiny lesson, in the place of one that has landed."""
    lesson = Tiny()

    def read(stem: str) -> Any:
        return cut(lesson.source, STEM) if stem == STEM else read_lesson(stem)

    def words(stem: str, exercise: str) -> Words:
        where = f"{stem}/{exercise}.md"
        if exercise not in lesson.words:
            raise WordsError(f"{where} is missing")
        return parse(lesson.words[exercise], where)

    for module in (expected, audit):
        monkeypatch.setattr(module, "read_lesson", read)
    monkeypatch.setattr(audit, "lesson", lambda _: lesson.lesson)
    monkeypatch.setattr(records, "words", words)
    # What stands beside the checks of a lesson is looked at in tests of its own.
    monkeypatch.setattr(inventory, "_lesson_files", lambda *_: iter(()))
    monkeypatch.setattr(inventory, "_texts", lambda _: [])
    return lesson
