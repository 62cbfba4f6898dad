"""Lesson 9, inversion and style.

A descent has many right ways down, and no two end at the same picture. So the three exercises that
descend are judged by the loss of what they return. The losses have one right answer each, and so
have their gradients.
"""

from __future__ import annotations

from autograder.checks.l09_inversion_and_style.cases import (
    code_loss_cases,
    distance_cases,
    fast_style_cases,
    feature_loss_cases,
    gram_cases,
    invert_cases,
    nearest_cases,
    style_loss_cases,
    styler_cases,
    texture_cases,
    transfer_cases,
)
from autograder.checks.l09_inversion_and_style.judges import (
    judge_inversion,
    judge_texture,
    judge_transfer,
)
from autograder.checks.mistakes.results import SCALINGS, TURNS
from autograder.course.exercise import Exercise, Lesson

STEM = "l09_inversion_and_style"
# A loss is one number, which says little of what became of it; and the call that asks it for its
# gradient sees itself what is wrong with a graph.
OF_GRAPHS = ("keeps_graph", "input_changed", "input_requires_grad_changed")
OF_MAPS = (
    *SCALINGS,
    "magnitude",
    "positive_part",
    "negative_part",
    "squared",
    "square_root",
    "complement",
    "sigmoid_of_result",
    "shifted",
)
OF_A_LOSS = (*OF_GRAPHS, *OF_MAPS)

LESSON = Lesson(
    STEM,
    (
        Exercise(
            STEM,
            "feature_loss",
            feature_loss_cases,
            batch=("image", "features"),
            without=OF_A_LOSS,
        ),
        Exercise(
            STEM,
            "invert_features",
            invert_cases,
            batch=("features",),
            judge=judge_inversion,
            needs=("feature_loss",),
        ),
        Exercise(STEM, "gram_matrix", gram_cases, batch=("features",), without=TURNS),
        Exercise(STEM, "style_loss", style_loss_cases, without=OF_A_LOSS),
        Exercise(
            STEM,
            "synthesise_texture",
            texture_cases,
            judge=judge_texture,
            needs=("gram_matrix", "style_loss"),
            without=TURNS,  # a mirror image has nearly the same statistics
        ),
        Exercise(STEM, "patch_distances", distance_cases, bounds=(0, float("inf"))),
        Exercise(
            STEM,
            "fast_style_loss",
            fast_style_cases,
            batch=("styled", "content_features"),
            needs=("gram_matrix", "style_loss"),
            without=OF_A_LOSS,
        ),
        Exercise(
            STEM,
            "transfer_style",
            transfer_cases,
            judge=judge_transfer,
            needs=("gram_matrix", "fast_style_loss"),
            without=TURNS,  # a mirror image has nearly the same statistics
        ),
        Exercise(
            STEM,
            "FastStyler",
            styler_cases,
            batch=("images",),
            bounds=None,
            is_function=False,
        ),
        Exercise(STEM, "code_loss", code_loss_cases, batch=("codes", "target"), without=OF_A_LOSS),
        Exercise(
            STEM,
            "nearest_texture",
            nearest_cases,
            batch=("images",),
            needs=("gram_matrix",),
        ),
    ),
)
