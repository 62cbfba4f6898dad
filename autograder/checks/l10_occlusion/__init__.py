"""Lesson 10, occlusion."""

from __future__ import annotations

from autograder.checks.l10_occlusion.cases import (
    drops_cases,
    fill_cases,
    map_cases,
    occlude_cases,
    position_cases,
    stand_in_cases,
)
from autograder.course.exercise import Exercise, Lesson

STEM = "l10_occlusion"
BATCH = ("images", "target")
CLOSE = 1e-3  # a difference of two close logits has fewer right digits than each

LESSON = Lesson(
    STEM,
    (
        Exercise(STEM, "window_positions", position_cases),
        Exercise(STEM, "occlude", occlude_cases),
        Exercise(STEM, "three_fills", fill_cases, batch=("images",)),
        Exercise(
            STEM,
            "occlusion_drops",
            drops_cases,
            batch=BATCH,
            needs=("window_positions",),
            rtol=CLOSE,
            atol=CLOSE,
        ),
        Exercise(
            STEM,
            "occlusion_map",
            map_cases,
            batch=BATCH,
            needs=("window_positions", "occlusion_drops"),
            rtol=CLOSE,
            atol=CLOSE,
        ),
        Exercise(
            STEM,
            "stand_ins",
            stand_in_cases,
            batch=BATCH,
            needs=("window_positions", "occlusion_drops"),
            rtol=CLOSE,
            atol=CLOSE,
        ),
    ),
)
