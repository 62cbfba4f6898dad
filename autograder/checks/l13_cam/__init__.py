"""Lesson 13, class activation maps."""

from __future__ import annotations

from autograder.checks.l13_cam.cases import (
    accuracy_cases,
    head_cases,
    iou_cases,
    localise_cases,
    map_cases,
    overlay_cases,
    pointwise_cases,
    pool_cases,
    step_cases,
    upsample_cases,
)
from autograder.checks.mistakes.anchored import boxes, enlargements, reductions
from autograder.checks.mistakes.results import TURNS
from autograder.checks.named_numbers import judge_box
from autograder.course.exercise import Exercise, Lesson

STEM = "l13_cam"
NOT_OF_A_STEP = (
    *("hooks_left", "grads_left", "grads_wiped", "weights_changed", "mode_flipped"),
    *("softmax_target", "log_softmax_target", "cross_entropy", "mean_cross_entropy"),
    *("sum_of_all_logits", "predicted_class", "max_over_batch", "mean_over_batch"),
    *("first_target_for_all", "all_targets_for_all"),
)
BOX = "box_around(regions == sizes.argmax())"

LESSON = Lesson(
    STEM,
    (
        Exercise(
            STEM,
            "global_average_pool",
            pool_cases,
            batch=("features",),
            anchored=reductions(
                "features.mean(dim=(2, 3))", "features", "(2, 3)", "the mean over height and width"
            ),
            without=(*TURNS, "keeps_graph"),  # a layer: it stays in its graph
        ),
        Exercise(
            STEM,
            "GapHead",
            head_cases,
            batch=("features",),
            needs=("global_average_pool",),
            is_function=False,
        ),
        Exercise(
            STEM,
            "pointwise_convolution",
            pointwise_cases,
            batch=("features",),
            without=("keeps_graph",),  # a layer, too
        ),
        Exercise(STEM, "class_activation_map", map_cases, batch=("features", "target")),
        Exercise(
            STEM,
            "upsample_map",
            upsample_cases,
            batch=("maps",),
            bounds=(0, 1),
            anchored=enlargements(
                "F.interpolate(\n        maps.detach().unsqueeze(1), size, "
                'mode="bilinear", align_corners=False\n    )',
                "maps.detach().unsqueeze(1)",
                "size",
            ),
        ),
        Exercise(STEM, "heatmap_overlay", overlay_cases, bounds=(0, 1)),
        Exercise(
            STEM,
            "localise",
            localise_cases,
            judge=judge_box,
            anchored=boxes(BOX, *(f"{BOX}[{side}]" for side in range(4))),
        ),
        Exercise(
            STEM,
            "train_step",
            step_cases,
            batch=("images", "target"),
            # It trains a copy, on purpose; and a loss has no logit that is asked about.
            without=NOT_OF_A_STEP,
        ),
        Exercise(
            STEM,
            "accuracy_by_class",
            accuracy_cases,
            batch=("logits", "target"),
            bounds=(0, 1),
        ),
        Exercise(
            STEM,
            "localisation_iou",
            iou_cases,
            batch=("heatmaps", "masks"),
            bounds=(0, 1),
            needs=("localise",),
        ),
    ),
)
