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
from lessons.toolkit.gallery import photo_gallery
from lessons.toolkit.models import load_model
from solutions.l02_hooks import (
    ActivationRecorder,
    ablate_channel,
    capture_activation,
    capture_activations,
    capture_gradients,
    channels_to_flip,
)

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
    seen = photo_gallery()
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
    seen = photo_gallery()
    layers = figures._block_maps(seen.classifier.network)
    activations = capture_activations(seen.classifier.network, layers, seen.images[:1])
    silent = torch.stack([activations[name][0, :16].amax((1, 2)) == 0 for name in layers])
    assert torch.equal(faint, silent)


@pytest.mark.slow
def test_how_many_channels_an_answer_hangs_on():
    seen = photo_gallery()
    network = seen.classifier.network
    chosen = [seen.names.index(name) for name in ("cat", "astronaut", "camera", "coffee")]
    assert channels_to_flip(network, "head", seen.images[chosen]).tolist() == [1, 2, 31, 63]
    assert "from 1 for a lead of 0.1 over the next best class to 31" in STORY
    leads = {}
    for name in ("cat", "camera", "coffee", "clock", "hubble"):
        with torch.no_grad():
            first, second = network(seen.images[[seen.names.index(name)]])[0].topk(2).values
        leads[name] = round(float(first - second), 1)
    assert leads == {"cat": 0.1, "camera": 4.5, "coffee": 4.2, "clock": 1.5, "hubble": 0.9}
    few = [seen.names.index(name) for name in ("clock", "hubble")]
    assert channels_to_flip(network, "head", seen.images[few]).tolist() == [4, 9]
    assert "4 channels and not 9" in " ".join(STORY.split())


@pytest.mark.slow
def test_until_no_cat_is_left():
    seen = photo_gallery()
    network, cat, classes = seen.classifier.network, seen.images[:1], seen.classifier.classes
    activation = capture_activation(network, "head", cat)
    with torch.no_grad():
        target = network(cat).argmax(1)
    share = (capture_gradients(network, "head", cat, target) * activation).sum((2, 3))[0]
    cats = {"tabby", "tiger cat", "Persian cat", "Siamese cat", "Egyptian cat", "lynx", "cougar"}
    cats |= {"leopard", "snow leopard", "jaguar", "lion", "tiger", "cheetah"}
    pooled = activation.mean((2, 3))
    count, answer = 0, "tiger cat"
    for channel in share.argsort(descending=True).tolist():
        if answer not in cats:
            break
        count, pooled[:, channel] = count + 1, 0
        with torch.no_grad():
            answer = classes[int(network.get_submodule("classifier")(pooled).argmax())]
    assert (count, answer) == (129, "washer") and "129 channels have" in STORY


@pytest.mark.slow
def test_the_answers_about_single_channels():
    seen = photo_gallery()
    network, cat, classes = seen.classifier.network, seen.images[:1], seen.classifier.classes
    stem = capture_activation(network, "stem", seen.images)
    alive = (stem.amax((0, 2, 3)) > 0).nonzero().flatten().tolist()
    assert set(range(32)) - set(alive) == {11, 16, 28, 31}

    weight = network.get_submodule("stem.conv").weight.detach()[alive]
    colour = (weight - weight.mean(1, keepdim=True)).square().sum((1, 2, 3))
    colour = colour / weight.square().sum((1, 2, 3))
    share = dict(zip(alive, colour.tolist(), strict=True))
    assert [c for c in alive if share[c] >= 0.935] == [3, 4, 7, 18, 19, 20, 23]
    least = sorted(alive, key=lambda channel: share[channel])[:3]
    assert set(least) == {8, 10, 22} and 0.125 < share[8] < 0.175 and 0.165 < share[10] < 0.175

    with torch.no_grad():
        whole = network(cat)[0]
    answer = int(whole.argmax())
    for layer, channel, change, name in (
        ("stem", 8, 0.16, "tiger cat"),
        ("head", 112, -0.49, "Egyptian cat"),
    ):
        module = network.get_submodule(layer)
        mean = capture_activation(network, layer, seen.images)[:, channel].mean()

        def set_to_mean(module, inputs, output, channel=channel, mean=mean):
            output = output.clone()
            output[:, channel] = mean
            return output

        with torch.no_grad(), module.register_forward_hook(set_to_mean):
            logits = network(cat)[0]
        assert float(logits[answer] - whole[answer]) == pytest.approx(change, abs=0.006)
        assert classes[int(logits.argmax())] == name
        assert f"{abs(change)}" in STORY


@pytest.mark.slow
def test_what_a_grey_image_rouses():
    classifier = photo_gallery().classifier
    network, speaking = classifier.network, []
    for value in (0.5, 0.0, 1.0):
        image = classifier.preprocess.normalise(torch.full((3, 224, 224), value))[None]
        found = capture_activations(network, ["stem", "head"], image)
        speaking.append(int((found["head"].amax((2, 3)) > 0).sum()))
        if value == 0.5:
            assert int((found["stem"].amax((2, 3)) > 0).sum()) == 25
            assert float(found["stem"][..., 28:-28, 28:-28].std((2, 3)).max()) < 1e-3
            with torch.no_grad():
                assert float(network(image).softmax(1).max()) < 0.0012
    assert speaking == [2, 193, 186]


@pytest.mark.slow
def test_two_recorders_do_not_get_in_each_others_way():
    seen = photo_gallery()
    network, other = seen.classifier.network, load_model().network
    one, two = ActivationRecorder(network, ["head"]), ActivationRecorder(other, ["head"])
    with torch.no_grad(), one, two:
        network(seen.images[:1])
        other(seen.images[1:2])
    for recorder, model, images in (
        (one, network, seen.images[:1]),
        (two, other, seen.images[1:2]),
    ):
        expected = capture_activation(model, "head", images)
        assert torch.equal(recorder.activations["head"], expected)
