"""Lesson 12, guided backpropagation."""

from __future__ import annotations

from autograder.checks.l12_guided_backprop.cases import (
    deconvnet_cases,
    guided_cases,
    pattern_cases,
    redirect_cases,
    relu_cases,
    rule_cases,
    shuffling_cases,
)
from autograder.checks.mistakes.gradients import image_gradient
from autograder.checks.mistakes.question import QUESTIONS
from autograder.checks.mistakes.results import TURNS
from autograder.course.exercise import Exercise, Lesson

STEM = "l12_guided_backprop"
BATCH = ("images", "target")
AT_THE_IMAGES = image_gradient(
    "model(images)",
    "target_logits(logits, target).sum()",
    "images",
    "(gradient,) = torch.autograd.grad(chosen, images)",
    start="images = images.detach().clone().requires_grad_()",
)

LESSON = Lesson(
    STEM,
    (
        Exercise(STEM, "relu_backward", rule_cases, batch=("x", "gradient")),
        Exercise(STEM, "GuidedReLU", relu_cases, batch=("x", "gradient"), is_function=False),
        # It returns nothing: there is no result that a wrapper could change.
        Exercise(STEM, "redirect_relus", redirect_cases, batch=("x",), is_function=False),
        Exercise(
            STEM,
            "guided_backprop",
            guided_cases,
            batch=BATCH,
            needs=("redirect_relus",),
            anchored=AT_THE_IMAGES,
        ),
        Exercise(
            STEM,
            "deconvnet",
            deconvnet_cases,
            batch=BATCH,
            needs=("redirect_relus",),
            anchored=AT_THE_IMAGES,
        ),
        Exercise(STEM, "neuron_pattern", pattern_cases, needs=("redirect_relus",)),
        Exercise(
            STEM,
            "likeness_after_shuffling",
            shuffling_cases,
            batch=BATCH,
            rtol=1e-3,
            atol=1e-3,
            # One number an image is no map, and what the network is asked is the method's matter.
            without=(*TURNS, *QUESTIONS),
        ),
    ),
)
