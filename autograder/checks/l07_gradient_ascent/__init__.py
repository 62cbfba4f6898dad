"""Lesson 7, gradient ascent.

What one formula decides is compared with the reference. A climb is judged by how high it got, and
by what each of its arguments must do: see `judges.py`.
"""

from __future__ import annotations

from autograder.checks.l07_gradient_ascent.cases import (
    ascent_step_cases,
    class_image_cases,
    class_portrait_cases,
    filter_pattern_cases,
    fourier_image_cases,
    normalise_gradient_cases,
    total_variation_cases,
)
from autograder.checks.l07_gradient_ascent.judges import (
    judge_class_image,
    judge_class_portrait,
    judge_filter_pattern,
)
from autograder.checks.mistakes.gradients import image_gradient
from autograder.checks.mistakes.results import SCALINGS
from autograder.course.exercise import Exercise, Lesson

STEM = "l07_gradient_ascent"
# With one image in the batch these ask the right question.
RIGHT_OF_ONE_IMAGE = (
    "first_target_for_all",
    "all_targets_for_all",
    "mean_over_batch",
    "mean_cross_entropy",
    "max_over_batch",
)
# A climb in train mode may get as high. What it does to the model has a name.
OF_A_CLIMB = (*RIGHT_OF_ONE_IMAGE, "train_mode")
# One number is any other one times a factor, or plus a number.
OF_MANY_NUMBERS = (*SCALINGS, "off_by_a_factor", "shifted", "sigmoid_of_result")

LESSON = Lesson(
    STEM,
    (
        Exercise(
            STEM,
            "total_variation",
            total_variation_cases,
            without=OF_MANY_NUMBERS,
        ),
        Exercise(
            STEM,
            "ascent_step",
            ascent_step_cases,
            batch=("image", "target"),
            rtol=1e-3,
            atol=1e-4,
            anchored=image_gradient(
                "model(image)",
                "chosen = target_logits(logits, target).sum()",
                "image",
                "(gradient,) = torch.autograd.grad(objective, image)",
            ),
        ),
        Exercise(
            STEM,
            "class_image",
            class_image_cases,
            judge=judge_class_image,
            needs=("ascent_step",),
            without=OF_A_CLIMB,
        ),
        Exercise(STEM, "normalise_gradient", normalise_gradient_cases, batch=("gradient",)),
        Exercise(
            STEM,
            "filter_pattern",
            filter_pattern_cases,
            judge=judge_filter_pattern,
            needs=("normalise_gradient",),
            without=OF_A_CLIMB,
        ),
        Exercise(
            STEM,
            "fourier_image",
            fourier_image_cases,
            without=("magnitude", "positive_part"),  # there is nothing below zero in a picture
        ),
        Exercise(
            STEM,
            "class_portrait",
            class_portrait_cases,
            judge=judge_class_portrait,
            needs=("fourier_image",),
            without=OF_A_CLIMB,
        ),
    ),
)
