"""The cases of lesson 14 are what they say: known on paper, and never silent by accident."""

from __future__ import annotations

import pytest
import torch

from autograder.checks import lesson
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation, restored_globals
from autograder.judge.lending import lend, settle
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import AnswerReader
from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from autograder.worker.serve import answer
from solutions.l14_grad_cam import counterfactual, grad_cam, guided_grad_cam


def test_one_lit_patch_is_known_on_paper():
    model = build(ModelSpec("patches", seed=7, dtype="float64"))
    colour = torch.tensor([0.2, 0.5, 1.0], dtype=torch.float64)
    images = torch.zeros(1, 3, 12, 16, dtype=torch.float64)
    images[0, :, 4:8, 8:12] = colour[:, None, None]
    # 3x4 patches; the one in row 1, column 2 gives its colour, weighed as the last layer does.
    expected = torch.zeros(1, 3, 4, dtype=torch.float64)
    expected[0, 1, 2] = (model.classifier.weight[0].detach() * colour).sum() / 12
    assert expected.max() > 0

    everything_for, everything_against = torch.tensor([0]), torch.tensor([1])
    torch.testing.assert_close(grad_cam(model, "relu", images, everything_for), expected)
    torch.testing.assert_close(counterfactual(model, "relu", images, everything_against), expected)
    assert not grad_cam(model, "relu", images, everything_against).any()
    assert not counterfactual(model, "relu", images, everything_for).any()


def test_an_enlarged_impulse_keeps_its_centre():
    model = build(ModelSpec("patches", seed=7, dtype="float64"))
    images = torch.zeros(1, 3, 20, 28, dtype=torch.float64)
    images[0, :, 4:8, 16:20] = 1
    ones = torch.ones_like(images)
    tent = guided_grad_cam(model, "relu", images, torch.tensor([0]), guided=ones)[0, 0]
    rows, columns = torch.meshgrid(torch.arange(20.0), torch.arange(28.0), indexing="ij")
    assert float((tent * rows).sum() / tent.sum()) == pytest.approx(5.5)
    assert float((tent * columns).sum() / tent.sum()) == pytest.approx(17.5)


@pytest.mark.parametrize("exercise", ["grad_cam", "counterfactual", "guided_grad_cam"])
@pytest.mark.parametrize("seed", range(4))
def test_no_case_is_silent(exercise, seed):
    # A case whose right answer is all zero would let most wrong code pass.
    expectation = Expectation("l14_grad_cam", lesson("l14_grad_cam").exercise(exercise), seed)
    values = {name: r["value"] for name, r in expectation.records.items() if "value" in r}
    assert len(values) >= 8
    assert [name for name, value in values.items() if not value.any()] == []


def test_who_has_not_written_lesson_12_loses_nothing_in_guided_grad_cam():
    exercise = lesson("l14_grad_cam").exercise("guided_grad_cam")
    source, earlier = read_lesson("l14_grad_cam").bare(), "l12_guided_backprop"
    expectation = Expectation("l14_grad_cam", exercise)

    def verdict(source: str, others: dict[str, str]) -> Verdict:
        job = expectation.job(source, "exercises.py", others)
        reader = AnswerReader(len(expectation.cases))
        with restored_globals(others):
            answer(job, reader.feed)
        return judge(expectation, reader.answer("died"))

    stubs = {earlier: read_lesson(earlier).stubs()}
    own = verdict(source, stubs)
    borrowed = verdict(*lend(exercise, source, stubs))
    assert own.outcome == "error" and "not written yet" in own.message
    assert borrowed.outcome == settle(own, borrowed, exercise).outcome == "passed"
    # And who has written neither is told to begin here.
    assert verdict(read_lesson("l14_grad_cam").stubs(), stubs).outcome == "not_attempted"
