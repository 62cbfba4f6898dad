"""Lesson 6 on the tour, with the masks of channels that this photo excites."""

from __future__ import annotations

from typing import Any

from lessons.toolkit.photos import load_photo
from lessons.toolkit.technique import Declined, Panel, Subject, Technique

QUANTILE, DIM, SHOWN = 0.99, 0.35, 4
# Photos against which a channel has to stand out: its threshold is of all their values.
BESIDE = ("cat", "coffee", "camera", "china")


def _masks(course: Any, subject: Subject) -> list[Panel]:
    classifier, lesson = subject.classifier, course.l06_activations
    photos = [load_photo(name) for name in BESIDE]
    capture = course.l02_hooks.capture_activation
    activation = capture(classifier.network, subject.layer, subject.images)
    others = capture(classifier.network, subject.layer, classifier.preprocess.batch(photos))
    if activation.dim() != 4 or others.shape[1] != activation.shape[1]:
        raise Declined("needs a layer whose output is a map for each channel")
    height, width = subject.rgb.shape[-2:]
    # Channels that this photo excites most, beyond what the others do.
    lead = activation[0].amax((1, 2)) - others.amax((0, 2, 3))
    panels = []
    for channel in lead.argsort(descending=True)[:SHOWN].tolist():
        over = others[:, channel].flatten()
        mask = lesson.activation_mask(activation[0, channel], (height, width), QUANTILE, over=over)
        share = f"{float(mask.float().mean()):.0%}".replace("%", " %")
        panels.append(
            Panel(
                lesson.overlay_mask(subject.rgb, mask.to(subject.rgb.device), DIM),
                f"channel {channel}: {share} of the photo",
                f"The photo in the dark, bright on {share} of it, where channel {channel} fires.",
            )
        )
    return panels


TECHNIQUES = (
    Technique(
        title="Activations",
        question="What excites one channel?",
        shows=(
            "Four channels of the last block that this photo excites more than four others do. "
            "Bright is where each is above what all but one in a hundred of its values there reach."
        ),
        misleads="A word for what is bright is yours: it fits this photo, and perhaps no other.",
        paper="[Bau et al. 2017](https://arxiv.org/abs/1704.05796)",
        draw=_masks,
    ),
)
