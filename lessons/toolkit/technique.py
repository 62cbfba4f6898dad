"""The form in which a lesson shows its techniques on any picture.

`convlens tour` collects them. A lesson joins the tour with a module `lessons/lNN_topic/tour.py`
that holds `TECHNIQUES`, a tuple of `Technique`. Its `draw` functions call exercises through
`course`, so that the same tour can be made of the reference solutions or of a student's own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from lessons.toolkit.errors import UserError
from lessons.toolkit.models import Classifier
from lessons.toolkit.plots import colour, overlay

SAME_PLACE, OWN_PLACE = 0.5, 0.0  # rank correlations of two maps from which words are chosen


class Declined(Exception):
    """What a technique raises where it does not apply to the network or the picture.

    Its place on the page then holds one sentence, and the rest of the page is drawn.

    Args:
        reason: ends the sentence "the technique ...": "needs a network with ReLUs".
    """


@dataclass(frozen=True, eq=False)
class Subject:
    """The picture of a tour, with what the network sees in it.

    Args:
        classifier: network, preprocessing and class names.
        rgb: float (3, H, W) in [0, 1], what the network sees before normalisation.
        images: float (1, 3, H, W), normalised, on the network's device.
        ranking: long (K,), classes from the most to the least likely.
        probabilities: float (K,), in the order of the classes.
        second: rank of the class that a second question is about.
        halved: two photos share a square, because the network takes no other shape.
    """

    classifier: Classifier
    rgb: Tensor
    images: Tensor
    ranking: Tensor
    probabilities: Tensor
    second: int = 1
    halved: bool = False

    @property
    def layer(self) -> str:
        """Return the layer for maps of the classes.

        Raises:
            Declined: the network has none.
        """
        try:
            return self.classifier.default_layer
        except UserError as error:
            raise Declined("needs a late layer with one map for each channel") from error

    def target(self, rank: int = 0) -> Tensor:
        """Return the class at a rank, 0 for the most likely, as a long tensor (1,)."""
        return self.ranking[rank : rank + 1]

    def name(self, rank: int = 0) -> str:
        """Return the name of the class at a rank."""
        return self.classifier.classes[int(self.ranking[rank])]

    def probability(self, rank: int = 0) -> float:
        """Return the probability of the class at a rank, in [0, 1]."""
        return float(self.probabilities[self.ranking[rank]])

    def other_rank(self) -> int:
        """Return the rank of the class that a second question is about.

        It is `second` where the network has so many classes.
        """
        return min(self.second, len(self.ranking) - 1)

    def drawn(self, heatmap: Tensor) -> Tensor:
        """Return a map of single pixels as a picture.

        A map of zeros becomes the photo in plain grey.

        Args:
            heatmap: (H, W), at least 0.
        """
        return colour(heatmap) if heatmap.any() else overlay(self.rgb, heatmap)


@dataclass(frozen=True)
class Panel:
    """One picture of a technique.

    Args:
        image: float (3, H, W) in [0, 1], any device; or (4, H, W), whose last channel says how far
            it covers the page.
        caption: a few words under it.
        alt: what one sees, for those who do not.
        wide: takes the whole width of the page.
    """

    image: Tensor
    caption: str
    alt: str
    wide: bool = False


@dataclass(frozen=True)
class Technique:
    """One technique on the tour.

    Args:
        title: its name in the field.
        question: what it answers, in a reader's words.
        shows: one or two sentences on what to look for, true of any picture.
        misleads: one sentence on where it misleads.
        paper: author and year; `[author year](https://...)` makes it a link.
        draw: `draw(course, subject)` gives its panels. A string among them is a sentence of what
            was measured on this picture. May raise `Declined`.
        heatmap: `heatmap(course, subject, rank)` gives the map (h, w), at least 0, of the class at
            a rank. Techniques with one are compared at the end of the tour.
    """

    title: str
    question: str
    shows: str
    misleads: str
    paper: str
    draw: Callable[[Any, Subject], Sequence[Panel | str]]
    heatmap: Callable[[Any, Subject, int], Tensor] | None = None


def make_subject(classifier: Classifier, *photos: Any) -> Subject:
    """Run a classifier on a photo, or on several side by side.

    Networks that end in a mean over all places take a picture of any width. To those that take only
    their square, the middle of each photo is given, and all share the square.

    Args:
        classifier: from `load_model` or `as_classifier`.
        photos: PIL images.
    """
    squares = [classifier.preprocess.crop_rgb(photo) for photo in photos]
    subject = None
    if len(squares) > 1:
        try:
            subject = _look(classifier, torch.cat(squares, dim=2))
        except Exception:  # of any type: each network refuses a wrong size in its own way
            side, count = classifier.preprocess.crop, len(squares)
            for place, square in enumerate(squares):
                width = side * (place + 1) // count - side * place // count
                start = (side - width) // 2
                squares[place] = square[:, :, start : start + width]
    if subject is None:
        subject = _look(classifier, torch.cat(squares, dim=2), halved=len(squares) > 1)
    return subject


def _look(classifier: Classifier, rgb: Tensor, halved: bool = False) -> Subject:
    parameter = next(classifier.network.parameters())
    images = classifier.preprocess.normalise(rgb)[None].to(parameter.device, parameter.dtype)
    with torch.no_grad():
        probabilities = classifier.network(images)[0].softmax(0)
    ranking = probabilities.argsort(descending=True)
    return Subject(classifier, rgb, images, ranking, probabilities, halved=halved)


def feature_maps(course: Any, subject: Subject) -> dict[str, Tensor]:
    """Return the output (1, C, h, w) of each layer that keeps a map for each channel.

    Args:
        course: whose functions to use.
        subject: the picture, and who looks.

    Returns:
        Maps by layer, in the order of the forward pass. Layers that keep their places in another
        order of dimensions are left out: their maps would not have the picture's proportions.

    Raises:
        Declined: the network gives up its maps after the first layer.
    """
    _ = subject.layer
    layers = subject.classifier.layers()
    height, width = subject.images.shape[2:]
    seen = course.l02_hooks.capture_activations(subject.classifier.network, layers, subject.images)
    return {
        name: seen[name]
        for name in layers
        if seen[name].ndim == 4
        # Rounding at each stride may cost a row or a column.
        and abs(seen[name].shape[2] * width / height - seen[name].shape[3]) <= 1.5
    }


@lru_cache(maxsize=4)  # two lessons and the comparison at the end ask for the same
def guided_gradient(course: Any, subject: Subject, rank: int) -> Tensor:
    """Return guided backpropagation (1, 3, H, W) of the class at a rank.

    Raises:
        Declined: the network has no ReLU.
    """
    network, target = subject.classifier.network, subject.target(rank)
    try:
        guided: Tensor = course.l12_guided_backprop.guided_backprop(network, subject.images, target)
    except ValueError as error:
        raise Declined("needs a network with ReLUs") from error
    return guided


def rank_agreement(first: Tensor, second: Tensor) -> float | None:
    """Return Spearman's rank correlation of two maps.

    It is 1 where both put all places in the same order, about 0 where they have nothing to do with
    each other, and -1 where one turns the order of the other round.

    Args:
        first: (h, w).
        second: same shape.

    Returns:
        A number from -1 to 1; None where a map is the same everywhere and so has no order.

    >>> rank_agreement(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 4.0, 9.0]]))
    1.0
    """
    from scipy.stats import spearmanr

    pair = [values.detach().cpu().double().flatten() for values in (first, second)]
    if any(bool((values == values[0]).all()) for values in pair):
        return None
    return round(float(spearmanr(*(values.numpy() for values in pair)).statistic), 4)


def signed(correlation: float | None) -> str:
    """Return a rank correlation as a reader meets it.

    >>> signed(-0.634), signed(None)
    ('−0.63', 'none')
    """
    return "none" if correlation is None else f"{correlation:+.2f}".replace("-", "−")
