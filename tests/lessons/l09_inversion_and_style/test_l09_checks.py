"""A descent that is right in another way passes under any seed, and a wrong one under none."""

from __future__ import annotations

import pytest

from autograder.checks import lesson
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation, run_trusted, wrong_source
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import Answer

STEM = "l09_inversion_and_style"
DESCENTS = ("invert_features", "synthesise_texture", "transfer_style")


def verdict(expectation: Expectation, source: str) -> Verdict:
    return judge(expectation, Answer("ok", tuple(run_trusted(expectation.job(source, "mine.py")))))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12, 13])
@pytest.mark.parametrize("name", DESCENTS)
def test_other_descents_pass_and_wrong_ones_do_not(name: str, seed: int):
    expectation = Expectation(STEM, lesson(STEM).exercise(name), seed)
    source, words = read_lesson(STEM), expectation.exercise.words
    for version in words.accepted:
        found = verdict(expectation, wrong_source(source, name, version))
        assert found.outcome == "passed", (version.id, found.message)
    for version in words.mistakes:
        found = verdict(expectation, wrong_source(source, name, version))
        assert found.outcome in ("failed", "error"), version.id


@pytest.mark.parametrize(
    ("name", "edit", "id"),
    [
        ("feature_loss", ("[layer], image)", "[layer], image.data)"), "graph_cut"),
        ("gram_matrix", (" / (channels * height * width)", " / (height * width)"), ""),
        ("style_loss", ("strict=True", "strict=False"), "lengths_unnoticed"),
        ("patch_distances", ("known.expand_as(patch)", "torch.ones_like(patch)"), ""),
    ],
)
def test_a_wrong_loss_fails_and_is_named(name: str, edit: tuple[str, str], id: str):
    expectation = Expectation(STEM, lesson(STEM).exercise(name))
    found = verdict(expectation, read_lesson(STEM).edited(name, (edit,)))
    assert found.outcome == "failed"
    assert found.diagnosis == id if id else found.diagnosis
