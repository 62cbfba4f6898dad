"""The form in which a lesson shows its techniques on any picture.

`convlens tour` collects them. A lesson joins the tour with a module `lessons/lNN_topic/tour.py`
that holds `TECHNIQUES`, a tuple of `Technique`. Its `draw` functions call exercises through
`course`, so that the same tour can be made of the reference solutions or of a student's own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lessons.toolkit.models import Classifier


@dataclass(frozen=True)
class Subject:
    """The picture of a tour, with what the network sees in it.

    Args:
        classifier: network, preprocessing and class names.
        rgb: float (3, H, W) in [0, 1], what the network sees before normalisation.
        images: float (1, 3, H, W), normalised, on the network's device.
        ranking: long (K,), classes from the most to the least likely.
        probabilities: float (K,), in the order of the classes.
    """

    classifier: Classifier
    rgb: Tensor
    images: Tensor
    ranking: Tensor
    probabilities: Tensor

    def target(self, rank: int = 0) -> Tensor:
        """Return the class at a rank, 0 for the most likely, as a long tensor (1,)."""
        return self.ranking[rank : rank + 1]

    def name(self, rank: int = 0) -> str:
        """Return the name of the class at a rank."""
        return self.classifier.classes[int(self.ranking[rank])]

    def other_rank(self) -> int:
        """Return the rank of the likeliest class that is no near relative of the first.

        Relatives (a tabby for a tiger cat) share most of their evidence, so a second question about
        one shows little. Rank 5 and below rarely are; of those, the likeliest.
        """
        return 5 if len(self.ranking) > 5 else len(self.ranking) - 1


@dataclass(frozen=True)
class Panel:
    """One picture of a technique.

    Args:
        image: float (3, H, W) in [0, 1], any device.
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
        shows: one or two sentences on what to look for.
        misleads: one sentence on where it misleads.
        paper: author and year.
        draw: `draw(course, subject)` gives its panels.
    """

    title: str
    question: str
    shows: str
    misleads: str
    paper: str
    draw: Callable[[Any, Subject], list[Panel]]


def make_subject(classifier: Classifier, photo: Any) -> Subject:
    """Run a classifier on a photo.

    Args:
        classifier: from `load_model`.
        photo: PIL image.
    """
    rgb = classifier.preprocess.crop_rgb(photo)
    parameter = next(classifier.network.parameters())
    images = classifier.preprocess.normalise(rgb)[None].to(parameter.device)
    with torch.inference_mode():
        probabilities = classifier.network(images)[0].softmax(0)
    # Cloned out of inference mode, so that a gradient may be asked of what is made from them.
    probabilities = probabilities.clone()
    return Subject(classifier, rgb, images, probabilities.argsort(descending=True), probabilities)
