"""The matrix: its numbers, its words, and the picture to pass on."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from autograder.tour.matrix import Cell, Row, compare, draw_matrix, with_random_network
from lessons.toolkit.models import as_classifier
from lessons.toolkit.photos import load_photo
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.technique import Subject, Technique, make_subject


def _technique(heatmap: Any) -> Technique:
    return Technique("Ramp", "?", ".", ".", "Nobody", lambda *_: [], heatmap)


@pytest.fixture
def subject() -> Subject:
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, 2), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    network = nn.Sequential(*layers, nn.Linear(8, 3))
    half = (0.5, 0.5, 0.5)
    classifier = as_classifier(network, ["a", "b", "c"], Preprocess(64, 64, half, half), "small")
    return make_subject(classifier, load_photo("cat"), load_photo("coffee"))


def test_a_row_asks_two_classes_and_random_weights(subject: Subject) -> None:
    ramp = torch.linspace(0, 1, 32).view(4, 8)
    untrained = with_random_network(subject)
    assert untrained is not None and untrained.ranking is subject.ranking

    def heatmap(_: Any, who: Subject, rank: int) -> Tensor:
        trained = who.classifier.network is subject.classifier.network
        return (1 - ramp if rank else ramp) if trained else torch.zeros(4, 8)

    row = compare(None, subject, untrained, _technique(heatmap))
    assert [cell.correlation for cell in row.cells] == [1, -1, None]
    assert [cell.empty for cell in row.cells] == [False, False, True]
    first, other = subject.name(), subject.name(subject.other_rank())
    assert [cell.caption for cell in row.cells] == [
        f"“{first}”", f"“{other}”", f"“{first}”, random weights",
    ]  # fmt: skip
    # A map of few cells lies over the photo; one of many stands alone.
    assert row.cells[0].image.shape == (3, 64, 128)
    fine = compare(None, subject, None, _technique(lambda *_: torch.rand(64, 128)))
    assert len(fine.cells) == 2


def test_a_network_that_cannot_be_copied_has_no_third_column(subject: Subject) -> None:
    def refuse(_: Any) -> Any:
        raise RuntimeError("no copies")

    subject.classifier.network.__deepcopy__ = refuse  # type: ignore[assignment]
    assert with_random_network(subject) is None


@pytest.mark.parametrize(
    ("second", "untrained", "words"),
    [
        (0.95, 0.1, "Ramp hardly asks which class."),
        (0.5, 0.7, "Ramp is drawn much alike by a network that has learnt nothing."),
        (0.95, 0.7, "Ramp hardly asks which class and is drawn much alike by a network"),
        (0.5, 0.1, ""),
        (None, None, ""),
    ],
)
def test_words_follow_the_numbers(
    second: float | None, untrained: float | None, words: str
) -> None:
    blank = torch.zeros(3, 2, 2)
    cells = [Cell(blank, "", number, False) for number in (1.0, second, untrained)]
    verdict = Row(_technique(None), cells).verdict
    assert verdict.startswith(words) and bool(verdict) == bool(words)


def test_the_picture_to_pass_on_is_opaque_and_the_same_every_time(subject: Subject) -> None:
    row = compare(None, subject, None, _technique(lambda *_: torch.rand(4, 8)))
    made = [draw_matrix(subject, [row], ["“cat” by somebody"]) for _ in range(2)]
    assert made[0] == made[1]
    picture = Image.open(io.BytesIO(made[0]))
    assert picture.format == "PNG" and picture.width > 500
    assert picture.convert("RGBA").getextrema()[3] == (255, 255)
