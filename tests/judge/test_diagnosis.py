"""A mistake is named by what it returns, whatever else is wrong, and nothing is named in vain."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from tiny import Tiny

from autograder.checks import lesson
from autograder.checks.mistakes.shared import shared
from autograder.course.exercise import Mistake
from autograder.course.reference import read_lesson
from autograder.judge.diagnosis import fits, seen
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.verdict import Verdict, judge
from autograder.judge.words import SIDE_EFFECTS
from autograder.protocol.answers import Answer

RAISE = "    if x.dim() != 2:\n        raise ValueError('x')\n"


def weigh(result: str, check: str = RAISE) -> str:
    """A student's `weigh` that returns an expression."""
    return f"def weigh(x, scale):\n{check}    return {result}\n"


def named(verdict: Verdict) -> list[str]:
    return [name for name in (verdict.diagnosis, *verdict.also) if name]


LARGEST = "(scale * x).amax(1)"


def test_a_mistake_is_named_and_said_with_its_pointer(tiny: Tiny) -> None:
    verdict = tiny.verdict(weigh(LARGEST))
    assert named(verdict) == ["largest_entry"]
    assert verdict.message.endswith("largest entry of each row was taken. All of them count.")


@pytest.mark.parametrize(
    "check",
    [
        pytest.param("", id="a missing check"),
        pytest.param(RAISE.replace("'x'", "'I want rows and columns'"), id="other words"),
        pytest.param(RAISE.replace("ValueError", "TypeError"), id="another exception"),
        pytest.param(f"{RAISE}    if len(x) == 1: raise ValueError\n", id="an edge raises"),
        pytest.param(f"{RAISE}    if x.shape[1] == 9: return x\n", id="an edge has another shape"),
    ],
)
def test_no_foreign_detail_hides_a_name(tiny: Tiny, check: str) -> None:
    verdict = tiny.verdict(weigh(LARGEST, check))
    assert verdict.diagnosis == "largest_entry"
    assert "Only the largest entry" in verdict.message


def test_an_error_of_ones_own_is_known_by_its_type(tiny: Tiny) -> None:
    right = "(scale * x).sum(1)"
    other = tiny.verdict(weigh(right, RAISE.replace("ValueError('x')", "TypeError('I say no')")))
    assert named(other) == ["type_error"]
    assert named(tiny.verdict(weigh(right, RAISE.replace("ValueError", "KeyError")))) == []


def test_what_contradicts_a_passing_case_is_not_named(tiny: Tiny) -> None:
    # The largest entry on one case alone: made everywhere, that mistake fails the others too.
    one = weigh(f"{LARGEST} if len(x) == 3 else (scale * x).sum(1)")
    assert named(tiny.verdict(one)) == []
    assert named(tiny.verdict(one.replace("== 3", "> 0"))) == ["largest_entry"]


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("dim=1) * (3 if len(x) == 3 else 5", id="by itself"),
        pytest.param("dim=1) * (-3 if len(x) == 3 else 5", id="with the sign turned round"),
    ],
)
def test_what_explains_more_cases_is_named(tiny: Tiny, code: str) -> None:
    words = f"### `dim=1`\n\n**uneven** `{code}`\nIt is uneven.\nLook.\n\n## Also right"
    tiny.reword("weigh", "## Also right", words)
    # Everything three times too large: on some cases that is the other mistake as well.
    assert named(tiny.verdict(weigh("3 * (scale * x).sum(1)"))) == ["off_by_a_factor"]
    uneven = tiny.verdict(weigh(f"(scale * x).sum({code})"))
    assert named(uneven) == ["uneven"]


def peak(first: str, rest: str) -> str:
    return f"def peak(x):\n    return float({first} if x.numel() == 6 else {rest})\n"


def test_a_number_needs_a_second_case(tiny: Tiny) -> None:
    by_chance = tiny.verdict(peak("x.min()", "x.max() + x.sum() + 7"), "peak")
    assert (by_chance.outcome, named(by_chance)) == ("failed", [])
    assert named(tiny.verdict(peak("x.min()", "x.min()"), "peak")) == ["smallest"]


def test_a_number_is_no_multiple_of_another(tiny: Tiny) -> None:
    assert named(tiny.verdict(peak("x.max() * 3", "x.max() / 7 + 1"), "peak")) == []


@pytest.mark.parametrize("result", ["(x**3).sum(1)", "x.exp()[:, 1] - x[:, 2]", "x.amax(1)"])
def test_an_argument_without_a_part_is_named_whatever_else_is_wrong(
    tiny: Tiny, result: str
) -> None:
    assert "scale_ignored" in named(tiny.verdict(weigh(result)))
    assert "scale_ignored" not in named(tiny.verdict(weigh(f"scale * ({result})")))


def test_calls_that_are_given_lists_of_tensors_can_be_compared() -> None:
    record = next(
        one for one in lesson("l04_neighbours").exercises if one.name == "nearest_in_parts"
    )
    assert {"k", "metric"} <= set(Expectation("l04_neighbours", record).twins)


@pytest.mark.parametrize(
    ("result", "names"), [("x.sum(1) * torch.nan", ["not_finite"]), ("(x * 0).sum(1)", [])]
)
def test_what_says_nothing_names_no_argument(tiny: Tiny, result: str, names: list[str]) -> None:
    verdict = tiny.verdict(weigh(result))
    assert verdict.outcome == "failed" and named(verdict) == names


def test_the_second_mistake_is_named_in_one_sentence(tiny: Tiny) -> None:
    verdict = tiny.verdict(weigh("x.amax(1)"))  # the largest entry, of the unscaled table
    assert set(named(verdict)) == {"largest_entry", "scale_ignored"}
    second = verdict.message.partition(" Also: ")[2] or verdict.message.rpartition("”: ")[2]
    assert second.count(".") == 1 and not second.endswith("?")


def test_nothing_is_said_twice(tiny: Tiny) -> None:
    verdict = tiny.verdict(weigh("None"))
    assert verdict.diagnosis == "returned_none" and verdict.message.count("`return`") == 1


def test_relations_are_between_results_of_one_kind() -> None:
    factor = next(m for m in _expectation("saliency_map").mistakes if m.id == "off_by_a_factor")
    record = _expectation("saliency_map").records["two images"]
    assert fits(factor, record, {**record, "value": 5 * record["value"]})
    assert not fits(factor, record, {**record, "value": 5 * record["value"].double()})
    assert not fits(factor, record, {"status": "raised", "error": {}})
    assert not fits(shared("negated", "results", change=lambda v: -v), record, record)


@cache
def _expectation(exercise: str) -> Expectation:
    return Expectation("l11_saliency", lesson("l11_saliency").exercise(exercise))


def student(exercise: str, *edits: tuple[str, str]) -> Verdict:
    """Judge an exercise of lesson 11, the reference with a student's mistakes in it."""
    expectation, source = _expectation(exercise), read_lesson("l11_saliency")
    job = expectation.job(source.edited(exercise, edits), "mine.py")
    return judge(expectation, Answer("ok", tuple(run_trusted(job))))


SOFTMAX = ("model(images)", "model(images).softmax(1)")
NO_REDUCTION = ("gradient.abs().amax(dim=1)", "gradient.abs()")
NORM = ("gradient.abs().amax(dim=1)", "gradient.norm(dim=1)")
SQUARED = ("gradient.abs().amax(dim=1)", "gradient.abs().amax(dim=1) ** 2")
# Wrong where two images share a batch, and it draws from the global generator everywhere.
SHARED_RANGE = (
    "images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True)",
    "images.max() - images.min() + 0 * torch.rand(())",
)


@pytest.mark.parametrize(
    ("edits", "wanted"),
    [
        ((SOFTMAX,), {"softmax_target"}),
        ((SOFTMAX, NO_REDUCTION), {"softmax_target", "channels_kept"}),
        ((SOFTMAX, NORM), {"softmax_target", "norm_taken"}),
        ((SOFTMAX, SQUARED), {"softmax_target", "squared"}),
    ],
)
def test_two_mistakes_of_different_families_are_both_named(
    edits: tuple[tuple[str, str], ...], wanted: set[str]
) -> None:
    verdict = student("saliency_map", *edits)
    assert set(named(verdict)) == wanted
    assert len(named(verdict)) == len(wanted)


def test_a_side_effect_beside_a_wrong_value_is_one_clause() -> None:
    verdict = student("smooth_grad", SHARED_RANGE)
    assert named(verdict) == ["range_of_the_batch", "global_rng"]
    assert verdict.message.endswith("It also draws from or seeds the global random generator.")


def test_an_unexplained_case_hides_no_later_ones() -> None:
    norm = "gradient.norm(dim=1)"
    strange = f"({norm}.exp() if images.shape[2] == 16 else {norm})"
    verdict = student("saliency_map", ("gradient.abs().amax(dim=1)", strange))
    assert verdict.case == "two images" and named(verdict) == ["norm_taken"]
    assert "On “one image”: The Euclidean norm was taken" in verdict.message


@pytest.mark.parametrize("id", [*SIDE_EFFECTS, "keeps_graph"])
def test_what_is_left_behind_needs_a_witness(id: str) -> None:
    mistake = Mistake(id, "It is left.", "Look.", family="state")
    right = torch.ones(2)
    assert not seen(mistake, {"status": "returned", "value": right, "effects": []})
    effect = id.removesuffix("_on_error")
    value = right.requires_grad_() if id == "keeps_graph" else right
    assert seen(mistake, {"status": "returned", "value": value, "effects": [effect]})


def test_a_value_needs_no_witness() -> None:
    for id in ("train_mode", "negated", "largest_entry"):
        assert seen(Mistake(id, "It is wrong.", "Look."), {"status": "returned", "effects": []})


def test_no_changed_tensor_is_named_that_nobody_changed() -> None:
    # One mistake that the judge names on all cases but one, where it looks like no other.
    stem, exercise = "l05_tsne", "conditional_probabilities"
    expectation = Expectation(stem, lesson(stem).exercise(exercise))
    edits = (("math.log(perplexity)", "math.log2(perplexity)"),)
    job = expectation.job(read_lesson(stem).edited(exercise, edits), "mine.py")
    verdict = judge(expectation, Answer("ok", tuple(run_trusted(job))))
    assert named(verdict) == ["target_in_bits"]
    assert "tensor" not in verdict.message and "changed" not in verdict.message
