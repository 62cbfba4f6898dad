"""Records of exercises with inputs, call, judge and mistakes.

Their words have files of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from autograder.course.mistakes import Words, Wrong, words

if TYPE_CHECKING:  # listing lessons must not wait for torch
    import torch


@dataclass(frozen=True)
class Case:
    """One call of an exercise, from plain data.

    Args:
        inputs: keyword arguments of the call; tensors, numbers, strings, `ModelSpec`.
        call: name of a function in the lesson's calls; the exercise's own when empty.
        picture: whether a failure is worth showing as yours / expected / difference.
    """

    inputs: Mapping[str, Any]
    call: str = ""
    picture: bool = False


@dataclass(frozen=True)
class Complaint:
    """Fault that a judge finds in a value.

    Args:
        message: one sentence that holds no hidden value: it may go into a graded report.
        detail: numbers for the student's own check on public inputs; never shown in grading.
        mistake: id of the mistake that this complaint names, where the judge recognises one.
    """

    message: str
    detail: str = ""
    mistake: str | None = None


Judge = Callable[[Any, Any, Mapping[str, Any]], Complaint | None]
Function = Callable[..., Any]


@dataclass(frozen=True)
class Mistake:
    """Wrong version of an exercise that runs, with two sentences for its author.

    It is made in one of three ways: by other text in the reference, by a wrapper around the right
    function, or by a change of the right function's result.

    Args:
        id: a verdict's `diagnosis`; the same mistake has the same id in the whole course.
        says: one sentence, what the code does instead of what was asked.
        next_step: one sentence, what to look at; a pointer, never the code.
        family: where it comes from; two mistakes of one family are seldom made together.
        text: what stands in the reference instead.
        wrap: the wrong function, made from the right one.
        change: the wrong result, made from the right one.
        fits: whether a result is a wrong one of this kind, where `change` is one of many.
    """

    id: str
    says: str
    next_step: str
    family: str = "own"
    text: Wrong | None = None
    wrap: Callable[[Function], Function] | None = None
    change: Callable[[Any], Any] | None = None
    fits: Callable[[Any, Any], bool] | None = None


@dataclass(frozen=True)
class Exercise:
    """Record of one exercise.

    Points, minutes, difficulty, hints and the words of its own mistakes are read from its Markdown
    file.

    Args:
        stem: the lesson.
        name: the function or class the student completes.
        inputs: `inputs(rng)` gives the cases by name, the plainest first; partial credit is given
            by cases, and none before the first one passes.
        batch: arguments whose first dimension counts images or samples, each treated by itself.
        judge: `judge(expected, actual, inputs)` returns a `Complaint` or None, for results whose
            structure is right; without one they are compared within `rtol` and `atol`.
        rtol, atol: tolerances; `atol` is a fraction of the largest expected magnitude.
        bounds: range that every value must stay in.
        needs: exercises ("name" or "lNN_topic.name") that this one calls.
        deadline: seconds for loading the file and all cases together.
        repeatable: whether a second identical call must give the same.
        is_function: False for a class, around which no mistake can be wrapped.
        anchored: mistakes of shared families at certain pieces of the reference.
        without: ids of shared mistakes that are none here.
    """

    stem: str
    name: str
    inputs: Callable[[torch.Generator], dict[str, Case]]
    batch: tuple[str, ...] = ()
    judge: Judge | None = None
    rtol: float = 1e-4
    atol: float = 1e-5
    bounds: tuple[float, float] | None = None
    needs: tuple[str, ...] = ()
    deadline: float = 10.0
    repeatable: bool = True
    is_function: bool = True
    anchored: tuple[Mistake, ...] = ()
    without: tuple[str, ...] = ()

    @property
    def words(self) -> Words:
        """Words from the exercise's file."""
        return words(self.stem, self.name)

    @property
    def points(self) -> float:
        """Full marks."""
        return self.words.points

    @property
    def minutes(self) -> int:
        """Minutes that a student is likely to take."""
        return self.words.minutes

    @property
    def difficulty(self) -> int:
        """Difficulty, 1 to 3."""
        return self.words.difficulty

    @property
    def returns(self) -> str:
        """Description of what the call returns, in a few words."""
        return self.words.returns

    @property
    def hints(self) -> tuple[str, ...]:
        """Three hints, from a question to nearly the code."""
        return self.words.hints


@dataclass(frozen=True)
class Lesson:
    """Exercises of one lesson, in the order a student meets them."""

    stem: str
    exercises: tuple[Exercise, ...] = field(default=())

    def exercise(self, name: str) -> Exercise:
        """Return the exercise of that name.

        Raises:
            KeyError: there is none.
        """
        for exercise in self.exercises:
            if exercise.name == name:
                return exercise
        raise KeyError(name)
