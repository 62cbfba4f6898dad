"""Lesson 6 on the tour, with the masks of channels that this photo excites."""

from __future__ import annotations

from typing import Any

import torch

from lessons.toolkit.photos import load_photo
from lessons.toolkit.technique import Declined, Panel, Subject, Technique

QUANTILE, DIM, SHOWN = 0.95, 0.35, 4
# Photos beside which a channel has to stand out: its threshold is of their values and its own.
BESIDE = ("cat", "coffee", "china")


def _masks(course: Any, subject: Subject) -> list[Panel | str]:
    classifier, lesson = subject.classifier, course.l06_activations
    photos = classifier.preprocess.batch([load_photo(name) for name in BESIDE])
    capture = course.l02_hooks.capture_activation
    activation = capture(classifier.network, subject.layer, subject.images)
    others = capture(classifier.network, subject.layer, photos.to(subject.images.device))
    if activation.dim() != 4 or others.shape[1] != activation.shape[1]:
        raise Declined("needs a layer whose output is a map for each channel")
    height, width = subject.rgb.shape[-2:]
    # Channels that this photo excites most, beyond what the others do.
    lead = activation[0].amax((1, 2)) - others.amax((0, 2, 3))
    panels: list[Panel | str] = []
    for channel in lead.argsort(descending=True)[: 8 * SHOWN].tolist():
        # As values, for a wide picture has wider maps than the others.
        over = torch.cat([activation[0, channel].flatten(), others[:, channel].flatten()])
        mask = lesson.activation_mask(activation[0, channel], (height, width), QUANTILE, over=over)
        if not mask.any():  # a ReLU6 that is full in many places has nothing above them
            continue
        share = f"{float(mask.float().mean()):.0%}".replace("%", " %")
        panels.append(
            Panel(
                lesson.overlay_mask(subject.rgb, mask.to(subject.rgb.device), DIM),
                f"channel {channel}: {share} of the photo",
                f"The photo in the dark, bright on {share} of it, where channel {channel} fires.",
            )
        )
        if len(panels) == SHOWN:
            break
    return panels or ["No channel of this layer stands out here beyond the other photos."]


TECHNIQUES = (
    Technique(
        title="Activations",
        question="What excites one channel?",
        shows=(
            "Four channels of the last block that this photo excites more than three others do. "
            "Bright is where each is above all but one in twenty of its values in the four."
        ),
        misleads="A word for what is bright is yours: it fits this photo, and perhaps no other.",
        paper="[Bau et al. 2017](https://arxiv.org/abs/1704.05796)",
        draw=_masks,
    ),
)
