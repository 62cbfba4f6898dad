"""What every technique of the tour is given, and the words that go with its numbers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from scipy.stats import spearmanr
from torch import nn

from lessons.toolkit.models import as_classifier
from lessons.toolkit.photos import load_photo
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.technique import (
    Declined,
    feature_maps,
    make_subject,
    rank_agreement,
    signed,
)
from solutions import l02_hooks

SQUARE = Preprocess(32, 32, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
COURSE = SimpleNamespace(l02_hooks=l02_hooks)


class Flat(nn.Module):
    """Takes squares of 32 only, and says which."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3 * 32 * 32, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.head(images.flatten(1))


class TurnedRound(nn.Module):
    """Between two convolutions the channels stand last, as in a ConvNeXt."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.last = nn.Conv2d(3, 6, 3, 2, 1), nn.Conv2d(6, 5, 3, 2, 1)
        self.norm, self.head = nn.LayerNorm(6), nn.Linear(5, 4)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        maps = self.norm(self.first(images).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        return self.head(self.last(maps).mean((2, 3)))


def test_two_photos_stand_side_by_side() -> None:
    photos = [load_photo("cat"), load_photo("coffee")]
    subject = make_subject(as_classifier(TurnedRound(), "abcd", SQUARE), *photos)
    halves = [SQUARE.crop_rgb(photo) for photo in photos]
    assert torch.equal(subject.rgb, torch.cat(halves, 2)) and not subject.halved
    torch.testing.assert_close(subject.images[0], SQUARE.normalise(subject.rgb))
    assert float(subject.probabilities.sum()) == pytest.approx(1)
    assert subject.probability(0) >= subject.probability(1)


def test_their_middles_share_a_square_where_the_network_takes_no_other_shape() -> None:
    photos = [load_photo("cat"), load_photo("coffee")]
    subject = make_subject(as_classifier(Flat(), "abcd", SQUARE), *photos)
    halves = [SQUARE.crop_rgb(photo)[:, :, 8:24] for photo in photos]
    assert torch.equal(subject.rgb, torch.cat(halves, 2)) and subject.halved


def test_only_maps_of_the_pictures_proportions_are_feature_maps() -> None:
    classifier = as_classifier(TurnedRound(), "abcd", SQUARE)
    subject = make_subject(classifier, load_photo("cat"), load_photo("coffee"))
    shapes = {name: tuple(maps.shape) for name, maps in feature_maps(COURSE, subject).items()}
    assert shapes == {"first": (1, 6, 16, 32), "last": (1, 5, 8, 16)}


def test_a_network_without_maps_is_declined() -> None:
    subject = make_subject(as_classifier(Flat(), "abcd", SQUARE), load_photo("cat"))
    with pytest.raises(Declined, match="needs a late layer with one map for each channel"):
        feature_maps(COURSE, subject)


def test_the_second_question_is_one_that_the_network_has() -> None:
    one = as_classifier(nn.Sequential(nn.Flatten(), nn.Linear(3072, 1)), "a", SQUARE)
    assert make_subject(one, load_photo("cat")).other_rank() == 0


def test_rank_correlation_is_scipys_with_ties_and_none_without_an_order() -> None:
    rng = torch.Generator().manual_seed(0)
    first, second = (torch.randint(0, 5, (6, 7), generator=rng).half() for _ in range(2))
    expected = spearmanr(first.flatten().numpy(), second.flatten().numpy()).statistic
    assert rank_agreement(first, second) == pytest.approx(expected, abs=1e-4)
    assert rank_agreement(first, 3 - 2 * first) == -1
    assert rank_agreement(first, torch.ones(6, 7)) is None
    assert (signed(None), signed(0.5), signed(-0.755)) == ("none", "+0.50", "−0.76")
