"""The numbers of the story, from short climbs and from one painting."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from autograder.course.figures import reference_course
from lessons.l07_gradient_ascent import figures
from lessons.toolkit.photos import load_photo
from solutions.l07_gradient_ascent import (
    ascent_step,
    class_image,
    random_view,
    total_variation,
)

STORY = Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8")
PLAIN = " ".join(STORY.split())


@pytest.fixture(scope="module")
def painting() -> dict[int, Tensor]:
    return figures._painting(reference_course().l07_gradient_ascent.class_portrait)


def test_the_folded_answer_names_the_ten_in_their_order():
    answer = STORY.split("<details><summary>Answer</summary>")[1].split("</details>")[0]
    said = [part.strip(" .\n") for part in answer.replace("\n", " ").split(",")]
    assert said == [f"{number} {name}" for number, name in enumerate(figures.TEN, 1)]
    question = STORY.split("in the order of the alphabet:")[1].split("Which picture")[0]
    listed = [part.strip(" .\n").replace("\n", " ") for part in question.split(",")]
    assert listed == sorted(name.replace("monarch", "monarch butterfly") for name in figures.TEN)
    # The caption says which seeds they are painted from.
    assert list(figures.TEN.values()) == [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]
    assert "The first and the fourth are painted from the second seed" in STORY


def test_the_walls_are_as_wide_as_the_caption_says():
    assert "32, 48, 72, 88 and 96 pixels" in PLAIN and "0.4 to 1.2 pixels" in PLAIN
    sides, widths = zip(*figures.DEPTHS.values(), strict=True)
    assert sides == (32, 48, 72, 88, 96)
    assert (min(widths), max(widths)) == (0.4, 1.2)
    assert f"{3 * figures.SIDE**2:,} values" in STORY


@pytest.mark.slow
def test_certainty_comes_within_twenty_steps_from_any_start():
    network, target = figures._classifier().network, figures._target("zebra")
    image = class_image(network, target, figures._noise(), 20, figures.RATE)
    assert float(figures._probability(image)) > 0.99
    # A step is small: a hundredth of the range of a value, or so, on average.
    step = ascent_step(network, figures._noise(), target, figures.RATE, 0.0) - figures._noise()
    assert float(step.abs().mean()) < 0.02


@pytest.mark.slow
def test_the_painting_is_as_the_text_says(painting):
    classifier = figures._classifier()

    def probability(step):
        return float(figures._probability(classifier.preprocess.normalise(painting[step])))

    # A climb of many steps is chaotic: another number of threads rounds otherwise, and arrives at
    # another picture. What is held here is what the text concludes, with room for that.
    assert probability(10) < 0.1 and "probability of 1 %" in STORY
    assert probability(50) > 0.99
    steps, logits, rough = figures._curves(reference_course())
    found = dict(zip(steps, logits, strict=True))
    assert found[50] == pytest.approx(24.9, abs=5) and found[200] == pytest.approx(32.2, abs=6)
    assert found[200] > found[50] + 2 and "24.9 to 32.2 at step 200" in PLAIN
    late = [value for step, value in zip(steps, rough, strict=True) if step >= 50]
    assert min(late) > 0.065 and max(late) < 0.095
    cat = classifier.preprocess.crop_rgb(load_photo("cat"))
    assert round(float(total_variation(cat[None])) / cat.numel(), 2) == 0.06
    assert "about 0.08 a value, and the photo of the cat has 0.06" in PLAIN


def seen_from_elsewhere(image: Tensor) -> float:
    """The zebra's probability in percent, on average over forty views."""
    generator = torch.Generator().manual_seed(1)
    views = torch.cat([random_view(image, generator) for _ in range(40)])
    return 100 * float(figures._probability(views).mean())


@pytest.mark.slow
def test_what_is_left_of_a_climb_seen_from_elsewhere():
    images = {name: figures._climbed(class_image, name) for name in ("none", "jitter")}
    left = {name: seen_from_elsewhere(image) for name, image in images.items()}
    # Chaotic as well: 0.5 and 32 % when the pictures were drawn.
    assert left["none"] < 5 and left["jitter"] > max(8, 3 * left["none"])
    assert "left with 0.5 % on average" in PLAIN and "with jitter 32 %" in PLAIN
    assert all(float(figures._probability(image)) > 0.98 for image in images.values())
