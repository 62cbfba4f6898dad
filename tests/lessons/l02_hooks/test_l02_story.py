from __future__ import annotations

from pathlib import Path

import pytest
import torch

from autograder.checks import lesson
from autograder.course.figures import reference_course
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import Answer
from lessons.l02_hooks import figures
from solutions.l02_hooks import ablate_channel, capture_activations, capture_gradients

STORY = Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8")


def verdict(exercise: str, *edits: tuple[str, str]) -> Verdict:
    """What the judge says of the reference after these edits."""
    expectation = Expectation("l02_hooks", lesson("l02_hooks").exercise(exercise))
    source = read_lesson("l02_hooks").edited(exercise, edits)
    return judge(expectation, Answer("ok", tuple(run_trusted(expectation.job(source, "mine.py")))))


def test_an_ordered_dict_is_a_dict():
    plain = "{name: kept[name] for name in layers}"
    ordered = f"__import__('collections').OrderedDict({plain})"
    assert verdict("capture_activations", (plain, ordered)).outcome == "passed"


def test_the_wrong_part_is_named():
    # No known mistake does this, so the sentence has nothing to say but where.
    found = verdict(
        "capture_activations",
        ("output.clone()", "output * (2 if name == 'relu2' else 1)"),
    )
    assert found.case == "two layers"
    assert found.diagnosis is None
    assert "wrong values under 'relu2'" in found.message


@pytest.mark.slow
def test_the_numbers_of_the_story_are_right():
    seen = figures._photos()
    network, cat = seen.classifier.network, seen.images[:1]
    activation = capture_activations(network, ["head"], seen.images)["head"]
    silent = activation.amax((2, 3)) == 0
    left = [int(silent[:count].all(0).sum()) for count in (1, 2, 5, 13)]
    assert left == [827, 465, 37, 2]
    assert "827 silent channels in the head, 465 are still silent" in STORY
    assert f"{silent.double().mean():.0%}".replace("%", " %") in STORY

    with torch.no_grad():
        logits = network(cat)
    target = logits.argmax(1)
    assert seen.classifier.classes[int(target)] == "tiger cat"
    gradient = capture_gradients(network, "head", cat, target)
    gives = (gradient * activation[:1]).sum((2, 3))[0]
    assert int(gives.argmax()) == 112
    fall = logits[0, target] - ablate_channel(network, "head", 112, cat)[0, target]
    assert float(fall) == pytest.approx(0.54, abs=0.01)
    assert float(fall) == pytest.approx(float(gives[112]), abs=1e-4)


@pytest.mark.slow
def test_the_wall_greys_exactly_the_silent_channels():
    picture = figures.feature_map_wall(reference_course()).axes[0].images[0].get_array()
    assert picture is not None
    wall = torch.from_numpy(picture.data).unflatten(0, (18, -1)).unflatten(2, (16, -1))
    faint = wall[..., 3].amax((1, 3)) < 1
    seen = figures._photos()
    layers = figures._block_maps(seen.classifier.network)
    activations = capture_activations(seen.classifier.network, layers, seen.images[:1])
    silent = torch.stack([activations[name][0, :16].amax((1, 2)) == 0 for name in layers])
    assert torch.equal(faint, silent)
