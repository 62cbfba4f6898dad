"""What lesson 2's checks say of mistakes that first-time students made."""

import pytest

from autograder.checks import lesson
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.verdict import judge
from autograder.protocol.answers import Answer


def said(exercise, *edits):
    """Judge the reference with a student's mistakes in it."""
    expectation = Expectation("l02_hooks", lesson("l02_hooks").exercise(exercise))
    job = expectation.job(read_lesson("l02_hooks").edited(exercise, edits), "mine.py")
    return judge(expectation, Answer("ok", tuple(run_trusted(job))))


@pytest.mark.parametrize(
    ("exercise", "right", "wrong"),
    [
        ("capture_activation", "kept[layer] = output.clone()", 'kept["x"] = output.clone()'),
        ("capture_activation", "kept[layer] = output.clone()", "kept.update(layer=output.clone())"),
        ("capture_activation", "        model(images)\n", "        pass\n    model(images)\n"),
        ("capture_gradients", "kept[layer] = leaf", 'kept["x"] = leaf'),
    ],
)
def test_nothing_under_the_layers_name_has_two_causes(exercise, right, wrong):
    verdict = said(exercise, (right, wrong))
    assert verdict.diagnosis == "not_there_during_forward"
    assert "either no hook was on the model" in verdict.message
    assert "or it wrote under another name" in verdict.message


def test_a_layers_output_overwritten_in_place_is_said_to_be_its_own():
    verdict = said("ablate_channel", ("silenced = output.clone()", "silenced = output"))
    assert verdict.diagnosis == "input_changed"
    assert "a layer's own output is the network's" in verdict.message
    assert "`clone()`" in verdict.message
