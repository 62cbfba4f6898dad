"""The gate holds for every landed lesson, under more seeds than one, and can be seen to close."""

from __future__ import annotations

import dataclasses

import pytest

from autograder.build import audit as gate
from autograder.build.audit import audit
from autograder.checks import lesson
from autograder.course.catalogue import landed_stems as stems
from autograder.course.exercise import Exercise, Lesson, Mutant
from autograder.judge.expected import PUBLIC_SEED


@pytest.mark.slow
@pytest.mark.parametrize("seed", [PUBLIC_SEED, 1, 2])
@pytest.mark.parametrize("stem", stems())
def test_every_mutant_is_named(stem: str, seed: int) -> None:
    (report,) = audit([stem], seed)
    assert report.problems == []
    assert report.mutants > 0 and report.kill_rate == 1.0


def _with(monkeypatch: pytest.MonkeyPatch, **changes: object) -> list[str]:
    """Problems of lesson 11 with its first exercise changed."""
    first, *rest = lesson("l11_saliency").exercises
    changed: Exercise = dataclasses.replace(first, **changes)  # type: ignore[arg-type]
    record = Lesson("l11_saliency", "Saliency", (changed, *rest))
    # Only the first exercise is run: the gate's own behaviour is what is tested.
    monkeypatch.setattr(gate, "lesson", lambda stem: Lesson(record.stem, "", record.exercises[:1]))
    (report,) = audit(["l11_saliency"])
    return [p for p in report.problems if "no check" not in p]


def test_the_gate_is_open_for_the_exercise_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _with(monkeypatch) == []


RIGHT = Mutant("harmless", "Nothing.", "Nothing.", edits=(("logits = model(images)",) * 2,))
STALE = Mutant("stale", "Nothing.", "Nothing.", edits=(("no such line", ""),))
FIRST = lesson("l11_saliency").exercises[0].mutants


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mutants": (*FIRST, RIGHT)}, "mutant harmless passes"),
        ({"mutants": (*FIRST, STALE)}, "an edit expects 'no such line' once"),
        ({"mutants": FIRST[:2]}, "mutants of its own"),
        ({"mutants": (*FIRST, FIRST[0])}, "two mutants called softmax_target"),
        ({"hints": ("", "b", "c")}, "hints"),
        ({"points": 0}, "no points"),
        ({"name": "salience_map"}, "a check and no solution"),
        (
            {"mutants": (dataclasses.replace(FIRST[0], id="twin"), *FIRST)},
            "mutant softmax_target is taken for twin",
        ),
    ],
)
def test_the_gate_closes(
    monkeypatch: pytest.MonkeyPatch, changes: dict[str, object], words: str
) -> None:
    assert any(words in problem for problem in _with(monkeypatch, **changes))
