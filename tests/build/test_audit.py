"""The gate holds for every landed lesson, under more seeds than one, and can be seen to close."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tiny import STEM, Tiny

from autograder.build import audit as gate
from autograder.build.audit import GATES, LessonAudit, audit, audit_lesson
from autograder.checks import lesson
from autograder.course.catalogue import landed_stems
from autograder.judge.expected import Expectation
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import Answer

# Lessons in which mistakes are also made beside a foreign detail and in pairs: plain functions,
# classes with hooks, judges of their own, maps. `convlens audit` does so in every lesson.
WHOLE = ("l03_filters", "l08_fooling_and_dreams", "l11_saliency", "l13_cam")


@pytest.mark.slow
@pytest.mark.parametrize("stem", landed_stems())
def test_the_gate_is_open(stem: str) -> None:
    ways = tuple(GATES) if stem in WHOLE else ("alone",)
    (report,) = audit([stem], ways=ways)
    assert report.problems == []
    assert all(report.rates[way].made > 0 for way in ways)


@pytest.mark.slow
@pytest.mark.parametrize("stem", landed_stems())
def test_every_mistake_is_named_under_a_secret_seed_too(stem: str) -> None:
    """Of every fourth exercise: that they are named at all is asked of each above."""
    torch.set_num_threads(1)  # as `audit` does
    record = lesson(stem)
    report = audit_lesson(replace(record, exercises=record.exercises[::4]), 1, ["alone"])
    assert report.rates["alone"].made > 0 and report.rates["alone"].share == 1.0
    assert [
        problem for problem in report.problems if "a solution and no check" not in problem
    ] == []


def audited() -> LessonAudit:
    (report,) = audit([STEM])
    return report


def test_the_gate_is_open_for_the_tiny_lesson(tiny: Tiny) -> None:
    report = audited()
    assert report.problems == []
    assert all(rate.made > 10 for rate in report.rates.values())
    assert set(report.rates) == set(GATES)


OWN = "\n### `dim=1`\n\n**{id}** `{code}`\nWhat it does.\nWhat to look at.\n\n## Also right"


def own(id: str, code: str) -> Callable[[Tiny], None]:
    """Add a mistake to the first exercise."""
    return lambda tiny: tiny.reword("weigh", "\n## Also right", OWN.format(id=id, code=code))


def reversed_cases(tiny: Tiny) -> None:
    cases = tiny.weigh.inputs
    tiny.change(inputs=lambda rng: dict(reversed(cases(rng).items())))


def without_the_check(tiny: Tiny) -> None:
    tiny.change(inputs=lambda rng, cases=tiny.weigh.inputs: {"no table": cases(rng)["no table"]})


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (own("harmless", "dim=-1"), "weigh: mistake harmless passes"),
        (
            lambda tiny: tiny.reword("weigh", "### `scale * x`", "### `scale / x`"),
            "an edit expects 'scale / x' once, found 0",
        ),
        (own("twin", "dim=0"), "weigh: columns and twin are one mistake with two names"),
        (without_the_check, "weigh: its first case raises"),
        (lambda tiny: tiny.change(batch=("x", "rows")), "no case has the argument rows"),
        (
            lambda tiny: tiny.edit("### BEGIN SOLUTION\n    return float", "return float"),
            "is not balanced",
        ),
        (
            lambda tiny: tiny.change(bounds=(0, 1)),
            "weigh: the reference is failed",
        ),
        (
            lambda tiny: tiny.reword("weigh", "`scale * x.sum(-1)`", "`scale + x.sum(-1)`"),
            "accepted scaled_afterwards is failed",
        ),
        (lambda tiny: tiny.change(name="weight"), "weight has a check and no solution"),
    ],
)
def test_the_gate_closes(tiny: Tiny, spoil: Callable[[Tiny], None], words: str) -> None:
    spoil(tiny)
    assert [problem for problem in audited().problems if words in problem]


def test_an_error_that_no_docstring_tells_closes_the_gate(tiny: Tiny) -> None:
    tiny.edit("        ValueError: x", "        An error: x")
    assert [problem for problem in audited().problems if "must raise ValueError" in problem]


def test_an_argument_that_no_case_varies_closes_the_gate(tiny: Tiny) -> None:
    def same_scale(rng, cases=tiny.weigh.inputs):
        found = cases(rng).items()
        return {n: replace(c, inputs={**c.inputs, "scale": 2.0}) for n, c in found}

    tiny.change(inputs=same_scale)
    assert f"{STEM}.weigh: mistake scale_ignored passes" in audited().problems


def names_nothing(expectation: Expectation, answer: Answer) -> Verdict:
    return replace(judge(expectation, answer), diagnosis=None, also=())


def names_one(expectation: Expectation, answer: Answer) -> Verdict:
    return replace(judge(expectation, answer), also=())


def wants_our_words(expectation: Expectation, answer: Answer) -> Verdict:
    """Let one foreign detail hide every name, as an exact comparison of records would."""
    for record in answer.records[1:]:
        expected = expectation.records[record["case"]]
        wanted, got = expected.get("error"), record.get("error", {"type": "", "message": ""})
        if wanted and got["message"] not in (wanted["message"], "no table"):
            return names_nothing(expectation, answer)
    return judge(expectation, answer)


@pytest.mark.parametrize(
    ("judged", "ways"),
    [
        (names_nothing, ["alone"]),
        (wants_our_words, ["beside a foreign detail"]),
        (names_one, ["in pairs"]),
    ],
)
def test_each_rate_closes_the_gate(
    tiny: Tiny,
    monkeypatch: pytest.MonkeyPatch,
    judged: Callable[[Expectation, Answer], Verdict],
    ways: list[str],
) -> None:
    monkeypatch.setattr(gate, "judge", judged)
    report = audited()
    assert [way for way, rate in report.rates.items() if rate.share < GATES[way]] == ways
    closed = [problem for problem in report.problems if "mistakes are named" in problem]
    assert len(closed) == len(ways) and ways[0] in closed[0]
    assert any(f"({ways[0]})" in line for line in report.unnamed)
