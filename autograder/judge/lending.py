"""Judge an exercise again with right versions of the exercises it calls.

A wrong helper, or one that is not written, would fail everything that is built on it. So what fails
is judged once more with the reference's helpers in the place of the student's: its sentence is then
about its own lines, and the points for a wrong helper are lost once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from autograder.checks import lesson
from autograder.course.exercise import Exercise
from autograder.course.reference import for_students, read_lesson, without_markers
from autograder.judge.expected import Expectation
from autograder.judge.verdict import Verdict

# Two verdicts that agree in these say the same of the code, in whatever words.
SAME = ("outcome", "points", "diagnosis", "also")


def may_borrow(verdict: Verdict, exercise: Exercise) -> bool:
    """Check whether an exercise is worth judging again with right helpers."""
    begun = verdict.outcome != "not_attempted" or verdict.waits_for
    return bool(exercise.needs and begun) and verdict.outcome != "passed"


def lend(exercise: Exercise, source: str, earlier: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Put the reference's helpers into a student's files.

    Args:
        exercise: what is judged; its `needs` are lent, and what they need in turn.
        source: the student's file.
        earlier: the same student's files of other lessons that it imports.

    Returns:
        The file with the helpers at its end, where they replace those of the same name, and the
        other files.
    """
    reference = read_lesson(exercise.stem)
    texts, others = [], dict(earlier)
    for stem, name in _needed(exercise):
        if stem == exercise.stem:
            texts.append(for_students(without_markers(reference.chunk(name))))
        elif stem in others:
            others[stem] = read_lesson(stem).bare()
    return "\n\n".join([source.rstrip("\n"), *(text.strip("\n") for text in texts)]) + "\n", others


def settle(own: Verdict, borrowed: Verdict, exercise: Exercise) -> Verdict:
    """Return the verdict that counts.

    It is the one with right helpers where that differs and gives no fewer points.

    Args:
        own: with the student's helpers.
        borrowed: with the reference's.
        exercise: what is judged.
    """
    if all(getattr(own, part) == getattr(borrowed, part) for part in SAME):
        return own
    if borrowed.points < own.points:  # the file has its own idea of what its helpers return
        return own
    right = f"a right version of {', '.join(f'`{need}`' for need in exercise.needs)}"
    if borrowed.outcome == "passed":
        next_step = f"Write `{own.waits_for}` next." if own.waits_for else "Mend what fails there."
        note = f"`{exercise.name}` itself is right: it passes with {right}. {next_step}"
        return replace(borrowed, message=note)
    return replace(borrowed, message=f"{borrowed.message} (Judged with {right}.)")


def unquoted(verdict: Verdict, expectation: Expectation) -> Verdict:
    """Return a verdict whose sentence is in our words alone.

    Args:
        verdict: on a run with helpers of the reference, whose text the worker then knows.
        expectation: under which it was reached.
    """
    if verdict.outcome == "passed":
        return verdict
    name = f"`{verdict.exercise.partition('.')[2]}`"
    message = {
        "error": f"{name} raises an error.",
        "timeout": f"{name} does not end in time.",
        "not_attempted": f"{name} is not written yet.",
    }.get(verdict.outcome, f"{name} does not return what it should.")
    for mistake in expectation.mistakes:
        if mistake.id == verdict.diagnosis:
            message += f" {mistake.says} {mistake.next_step}"
    return replace(verdict, message=message)


def _needed(exercise: Exercise) -> Iterator[tuple[str, str]]:
    """Yield lesson and name of each exercise called, directly or through others."""
    waiting = [_place(exercise.stem, need) for need in exercise.needs]
    seen: set[tuple[str, str]] = set()
    while waiting:
        place = waiting.pop(0)
        if place in seen:
            continue
        seen.add(place)
        yield place
        stem, name = place
        try:
            needs = lesson(stem).exercise(name).needs
        except KeyError:  # a lesson on its way: its reference is there, its checks are not
            needs = ()
        waiting += [_place(stem, need) for need in needs]


def _place(stem: str, need: str) -> tuple[str, str]:
    """Split a need into lesson and name.

    A need that names no lesson is of this one.
    """
    other, _, name = need.rpartition(".")
    return other or stem, name
