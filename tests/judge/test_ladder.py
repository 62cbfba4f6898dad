"""Each rung of the ladder fails for its own reason, and its sentence names the call."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from autograder.checks import lesson
from autograder.checks.compare import close, worst
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.ladder import error_text
from autograder.judge.verdict import Verdict, in_quarters, judge, well_formed
from autograder.protocol.answers import Answer
from autograder.protocol.wire import Foreign

STEM = "l11_saliency"
EXPECTATION = Expectation(STEM, lesson(STEM).exercise("saliency_map"))
HEAD = "import torch\nfrom torch import *\n"


def _verdict(source: str, status: str = "ok") -> Verdict:
    records = run_trusted(EXPECTATION.job(source, "exercises.py"))
    return judge(EXPECTATION, Answer(status, tuple(records)))


def _body(lines: str) -> Verdict:
    indented = "\n".join("    " + line for line in lines.splitlines())
    return _verdict(f"{HEAD}\ndef saliency_map(model, images, target):\n{indented}\n")


@pytest.mark.parametrize(
    ("lines", "outcome", "words"),
    [
        (
            "raise NotImplementedError('l11_saliency.saliency_map: not written yet')",
            "not_attempted",
            "is not written yet",
        ),
        ("raise NotImplementedError()", "not_attempted", "is not written yet"),
        (
            "raise NotImplementedError('l11_saliency.smooth_grad: not written yet')",
            "not_attempted",
            "calls `smooth_grad`, which is not written yet",
        ),
        ("return undefined", "error", "raised NameError: name 'undefined' is not defined (line 5"),
        ("import sys; sys.exit()", "error", "ended the program with SystemExit"),
        ("return saliency_map(model, images, target)", "error", "raised RecursionError"),
        ("pass", "failed", "returned None"),
        ("print(images)", "failed", "printed its result"),
        ("return [1]", "failed", "a list of 1, not a tensor"),
        ("return images.amax(1).detach().numpy()", "failed", "numpy.ndarray"),
        ("return images", "failed", "shape (2, 3, 16, 24), not (2, 16, 24)"),
        ("return images[:, 0].double()", "failed", "dtype float64, not float32"),
        ("return images[:, 0] * torch.nan", "failed", "NaN or infinity"),
        ("return -images[:, 0].abs()", "failed", "below 0"),
        ("return images[:, 0].abs()", "failed", "wrong values"),
        ("return torch.empty(0).to_sparse()", "failed", "cannot read (its layout is sparse_coo)."),
        ("return torch.ones(2, 3) * 1j", "failed", "cannot read (its dtype is complex64)."),
        ("return images.to('meta')", "failed", "it has no values, being on the device meta"),
    ],
)
def test_rungs(lines: str, outcome: str, words: str) -> None:
    verdict = _body(lines)
    assert verdict.outcome == outcome and verdict.points == 0
    assert words in verdict.message
    assert "saliency_map" in verdict.message


def test_a_file_that_does_not_load_says_where() -> None:
    verdict = _verdict("def saliency_map(:\n    pass\n")
    assert verdict.outcome == "error"
    assert "SyntaxError" in verdict.message and "line 1" in verdict.message


def test_a_missing_function_is_not_attempted() -> None:
    verdict = _verdict("x = 1\n")
    assert verdict.outcome == "not_attempted" and "There is no `saliency_map`" in verdict.message


ENDINGS = {
    "timeout": ("timeout", "was stopped after 7 s while on “"),
    "died": ("error", "ended its process (why) while on “"),
    "memory": ("error", "asked for more memory than a check may use while on “"),
    "output": ("error", "sent more data than a check may send while on “"),
}


@pytest.mark.parametrize("answered", [0, 1, 3])
@pytest.mark.parametrize("status", ENDINGS)
def test_cases_that_were_answered_count_however_the_rest_ended(status: str, answered: int) -> None:
    outcome, words = ENDINGS[status]
    records = run_trusted(EXPECTATION.job(read_lesson(STEM).bare(), "exercises.py"))
    note = "7 s" if status == "timeout" else "why"
    verdict = judge(EXPECTATION, Answer(status, tuple(records[: 1 + answered]), note))
    count = len(EXPECTATION.cases)
    assert (verdict.outcome, verdict.passed_cases) == (outcome, answered)
    assert verdict.points == in_quarters(verdict.max_points, answered / count)
    assert f"{words}{list(EXPECTATION.cases)[answered]}”" in verdict.message
    said = f"{answered} of {count} cases were answered before" in verdict.message
    assert said == (answered > 0)


def test_an_answer_cut_short_scores_nothing_where_the_plainest_case_fails() -> None:
    wrong = read_lesson(STEM).bare() + (
        "\n_right = saliency_map\n\n\ndef saliency_map(model, images, target):\n"
        "    return _right(model, images, target) * (len(images) != 2)\n"
    )
    records = run_trusted(EXPECTATION.job(wrong, "exercises.py"))
    verdict = judge(EXPECTATION, Answer("timeout", tuple(records[:3])))
    assert (verdict.outcome, verdict.points, verdict.passed_cases) == ("timeout", 0.0, 1)


@pytest.mark.parametrize("status", ENDINGS)
def test_an_answer_that_holds_every_case_is_whole(status: str) -> None:
    assert _verdict(read_lesson(STEM).bare(), status).outcome == "passed"
    assert _verdict("def saliency_map(**_):\n    return 1\n", status).outcome == "failed"


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        ("timeout", "timeout", "did not finish loading in time"),
        ("memory", "error", "asked for more memory than a check may use while loading"),
        ("died", "error", "ended its process while loading"),
    ],
)
def test_a_file_that_never_loads_is_told_how_it_ended(
    status: str, outcome: str, words: str
) -> None:
    verdict = judge(EXPECTATION, Answer(status, ()))
    assert (verdict.outcome, verdict.points) == (outcome, 0.0) and words in verdict.message


@pytest.mark.parametrize("message", ["", "'l11_saliency.saliency_map: not written yet'"])
def test_one_open_branch_fails_its_case_alone(message: str) -> None:
    source = read_lesson(STEM).bare() + (
        "\n_right = saliency_map\n\n\ndef saliency_map(model, images, target):\n"
        f"    if len(images) == 1:\n        raise NotImplementedError({message})\n"
        "    return _right(model, images, target)\n"
    )
    verdict = _verdict(source)
    alone = sum(len(case.inputs["images"]) == 1 for case in EXPECTATION.cases.values())
    assert 0 < alone == verdict.case_count - verdict.passed_cases
    assert verdict.outcome == "error" and verdict.points > 0
    assert "raised NotImplementedError" in verdict.message and "“one image”" in verdict.message


def test_a_failed_allocation_costs_its_case_and_says_so() -> None:
    source = read_lesson(STEM).bare() + (
        "\n_right = saliency_map\n\n\ndef saliency_map(model, images, target):\n"
        "    if images.dtype == torch.float64:\n        raise MemoryError\n"
        "    return _right(model, images, target)\n"
    )
    verdict = _verdict(source)
    assert (verdict.outcome, verdict.case) == ("error", "float64")
    assert verdict.case_count - verdict.passed_cases == 1 and verdict.points > 0
    assert "asked for more memory than a check may use (line " in verdict.message


def test_a_failed_allocation_while_loading_is_a_file_that_does_not_load() -> None:
    verdict = _verdict("x = 1\nraise MemoryError\n")
    assert verdict.outcome == "error" and verdict.points == 0
    words = "Your file does not load: it asked for more memory than a check may use (line 2"
    assert words in verdict.message


def test_a_side_effect_keeps_most_of_the_points() -> None:
    source = read_lesson(STEM).appended(
        "saliency_map",
        "_f = saliency_map\ndef saliency_map(model, images, target):\n"
        "    torch.manual_seed(0)\n    return _f(model, images, target)\n",
    )
    verdict = _verdict(source)
    assert verdict.outcome == "failed" and verdict.diagnosis == "global_rng"
    assert 0.5 * verdict.max_points < verdict.points < verdict.max_points


def test_partial_credit_needs_the_plain_case() -> None:
    only_one = "saliency_map_one"
    text = read_lesson(STEM).appended(
        "saliency_map",
        f"{only_one} = saliency_map\ndef saliency_map(model, images, target):\n"
        "    result = saliency_map_one(model, images, target)\n"
        "    return result if CONDITION else torch.zeros_like(result)\n",
    )
    keeps_plain = _verdict(text.replace("CONDITION", "len(images) == 2"))
    loses_plain = _verdict(text.replace("CONDITION", "len(images) != 2"))
    assert 0 < keeps_plain.points < keeps_plain.max_points
    assert loses_plain.passed_cases > 0 and loses_plain.points == 0


def test_messages_hold_no_expected_value() -> None:
    verdict = _body("return images[:, 0].abs()")
    largest = EXPECTATION.records["two images"]["value"].max().item()
    assert "expected" in verdict.detail
    assert f"{largest:.6g}"[:5] not in verdict.message


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"status": 7, "effects": 3, "printed": [], "error": "x", "note": {}},
        {"status": "returned", "value": {"a": Foreign("x")}, "again": 3, "effects": ["evil", 4]},
        {"status": "raised", "error": {"type": 3, "message": None, "lines": [[1], 2, "x"]}},
        {"status": "returned", "value": torch.zeros(2, 16, 24), "plain": "lies"},
    ],
)
def test_a_forged_record_is_only_a_wrong_answer(record: dict[str, object]) -> None:
    forged = [{"loaded": True, "has": True}]
    forged += [{**record, "case": name} for name in EXPECTATION.cases]
    verdict = judge(EXPECTATION, Answer("ok", tuple(forged)))
    assert verdict.outcome in ("failed", "error") and verdict.points == 0
    assert well_formed(record)["status"] in ("returned", "raised", "unsendable")


def test_close_is_relative_to_the_largest_entry() -> None:
    expected = torch.tensor([1e6, 1e-3])
    assert close(expected, expected + torch.tensor([1.0, 1.0]), 1e-4, 1e-5)
    assert not close(expected, expected + torch.tensor([1e3, 0.0]), 1e-4, 1e-5)
    assert close(torch.tensor([float("nan")]), torch.tensor([float("nan")]), 0, 0)
    assert not close(torch.tensor([float("inf")]), torch.tensor([1.0]), 1.0, 1.0)
    assert not close(torch.ones(2), torch.ones(2, dtype=torch.float64), 1, 1)
    assert not close(torch.ones(2), torch.ones(2, 1), 1, 1)


def test_the_worst_difference_is_found() -> None:
    expected = torch.zeros(2, 3)
    actual = expected.clone()
    actual[1, 2] = 5.0
    found = worst(expected, actual, 1e-4, 1e-5)
    assert found is not None
    assert (found.place, found.actual, found.expected) == ((1, 2), 5.0, 0.0)
    assert found.share == pytest.approx(1 / 6)


@pytest.mark.parametrize(("returns", "points"), [("tuple(box)", 3.0), ("list(box)", 2.5)])
def test_a_list_for_a_tuple_costs_a_part_and_says_so(returns: str, points: float) -> None:
    expectation = Expectation("l11_saliency", lesson("l11_saliency").exercise("saliency_box"))
    corners = "return top, left, int(rows.max()) + 1, int(columns.max()) + 1"
    edits = ((corners, corners.replace("return", "box =") + f"\n    return {returns}"),)
    source = read_lesson("l11_saliency").edited("saliency_box", edits)
    verdict = judge(expectation, Answer("ok", tuple(run_trusted(expectation.job(source, "x.py")))))
    assert verdict.points == pytest.approx(points)
    assert ("in a list; a tuple is asked for" in verdict.message) == (returns == "list(box)")


@pytest.mark.parametrize("points", [0.25, 1, 1.5, 2, 4, 5])
def test_points_come_in_quarters_and_only_a_whole_share_is_full(points: float) -> None:
    shares = [n / 40 for n in range(41)]
    given = [in_quarters(points, share) for share in shares]
    assert all(4 * each % 1 == 0 for each in given)
    assert given == sorted(given)
    assert given[0] == 0 and given[-1] == points
    assert all(each < points for each in given[:-1])
    assert points < 0.5 or all(each > 0 for each in given[1:])


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: torch.autograd.grad(torch.ones(2).sum(), torch.ones(2)), "outside `no_grad`"),
        (
            lambda: torch.autograd.grad(
                torch.ones(2, requires_grad=True).sum(), torch.ones(2, requires_grad=True)
            ),
            "a copy is another tensor",
        ),
        (lambda: torch.ones(2, requires_grad=True).backward(), "begins at one number"),
        (lambda: torch.ones(2, requires_grad=True).numpy(), "Take it out of its graph"),
        (lambda: torch.ones(2, 3) * torch.ones(2), "from the last dimension backwards"),
        (lambda: torch.ones(2, requires_grad=True).add_(1), "work on a copy"),
        (lambda: torch.zeros(2).expand(3, 3), "place of another shape"),
    ],
)
def test_what_torch_means_is_said(make: Callable[[], object], says: str):
    with pytest.raises(RuntimeError) as caught:
        make()
    error = {"type": "RuntimeError", "message": str(caught.value), "lines": [[3, "…"]]}
    assert says in error_text(error)


def test_a_grad_that_is_none_is_told_from_another_none():
    error = {"type": "AttributeError", "message": "'NoneType' object has no attribute 'abs'"}
    assert "on leaves only" in error_text({**error, "lines": [[3, "return x.grad.abs()"]]})
    assert "leaves" not in error_text({**error, "lines": [[3, "return helper().abs()"]]})
