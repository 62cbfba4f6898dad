"""An exercise is one record: inputs, call, judge, mutants, hints. This module is its shape."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # listing lessons must not wait for torch
    import torch


@dataclass(frozen=True)
class Case:
    """One call of an exercise: plain data that goes in, and how.

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
    """What a judge finds wrong with a value.

    Args:
        message: one sentence that holds no hidden value: it may go into a graded report.
        detail: numbers for the student's own check on public inputs; never shown in grading.
        mutant: the mutant this complaint names, where the judge itself can tell.
    """

    message: str
    detail: str = ""
    mutant: str | None = None


Judge = Callable[[Any, Any, Mapping[str, Any]], Complaint | None]


@dataclass(frozen=True)
class Mutant:
    """A wrong version that people really write, and the sentence its author should read.

    Args:
        id: unique within the exercise; a verdict's `diagnosis`.
        says: one sentence, what the code does instead of what was asked.
        next_step: one sentence, what to look at; a pointer, never the code.
        edits: textual replacements in the exercise's own source in the reference solution.
        body: or the whole source of the exercise, for mistakes that no small edit makes.
        append: or lines put after the right exercise, such as a wrapper around it.
    """

    id: str
    says: str
    next_step: str
    edits: tuple[tuple[str, str], ...] = ()
    body: str = ""
    append: str = ""


@dataclass(frozen=True)
class Accepted:
    """Another right way of writing the exercise: the check must pass it."""

    id: str
    edits: tuple[tuple[str, str], ...] = ()
    body: str = ""
    append: str = ""


@dataclass(frozen=True)
class Exercise:
    """Everything the engine knows about one exercise.

    Args:
        name: the function or class the student completes.
        inputs: `inputs(rng)` gives the cases by name, the plainest first; partial credit is given
            by cases, and none before the first one passes.
        mutants: at least three.
        hints: three, from a question to nearly the code.
        points: full marks.
        minutes: how long a student is likely to take.
        returns: what the call returns, in a few words for the shape and type rungs, such as
            "one map per image, (N, H, W)".
        judge: None compares with the reference within `rtol` and `atol`.
        rtol, atol: tolerances; `atol` is a fraction of the largest expected magnitude.
        bounds: range that every value must stay in.
        needs: exercises ("name" or "lNN_topic.name") that this one calls.
        deadline: seconds for loading the file and all cases together.
        accepted: other right versions.
        repeatable: whether a second identical call must give the same.
        is_function: False for a class, around which no common mistake can be wrapped.
        without_common: ids of common mistakes that make no sense here.
    """

    name: str
    inputs: Callable[[torch.Generator], dict[str, Case]]
    mutants: tuple[Mutant, ...]
    hints: tuple[str, str, str]
    points: float
    minutes: int
    returns: str
    judge: Judge | None = None
    rtol: float = 1e-4
    atol: float = 1e-5
    bounds: tuple[float, float] | None = None
    needs: tuple[str, ...] = ()
    deadline: float = 10.0
    accepted: tuple[Accepted, ...] = ()
    repeatable: bool = True
    is_function: bool = True
    without_common: tuple[str, ...] = ()


@dataclass(frozen=True)
class Lesson:
    """The exercises of one lesson, in the order a student meets them."""

    stem: str
    title: str
    exercises: tuple[Exercise, ...] = field(default=())

    def exercise(self, name: str) -> Exercise:
        """The exercise of that name; KeyError when there is none."""
        for exercise in self.exercises:
            if exercise.name == name:
                return exercise
        raise KeyError(name)
