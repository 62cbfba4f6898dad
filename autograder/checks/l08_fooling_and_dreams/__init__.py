"""Lesson 8, fooling and dreams.

All exercises but one have one right answer. `fooling_image` has many: whoever gets to the target in
small steps and stays near the photo is right. So it is judged by what must hold of any.
"""

from __future__ import annotations

from autograder.checks.l08_fooling_and_dreams.cases import (
    deep_dream_cases,
    dream_gradient_cases,
    dream_step_cases,
    fooling_cases,
    pattern_cases,
    saving_cases,
)
from autograder.checks.l08_fooling_and_dreams.judges import judge_fooling
from autograder.checks.mistakes.question import QUESTIONS
from autograder.checks.mistakes.results import SCALINGS
from autograder.course.exercise import Exercise, Lesson

STEM = "l08_fooling_and_dreams"
# Any question with the same answer will do, to know who is fooled or to fool.
ANY_QUESTION = tuple(QUESTIONS)
# Steps that are too short never come as far as `epsilon`, which then is not to blame.
OF_SHORT_STEPS = ("epsilon_ignored",)

LESSON = Lesson(
    STEM,
    (
        Exercise(STEM, "is_fooled_after_saving", saving_cases, without=ANY_QUESTION),
        Exercise(
            STEM,
            "fooling_image",
            fooling_cases,
            bounds=(0, 1),
            judge=judge_fooling,
            without=ANY_QUESTION + OF_SHORT_STEPS,
        ),
        Exercise(
            STEM,
            "dream_gradient",
            dream_gradient_cases,
            rtol=1e-3,
            atol=1e-4,
            # It is to be divided by its size, if not by this one.
            without=SCALINGS,
        ),
        Exercise(
            STEM,
            "dream_step",
            dream_step_cases,
            bounds=(0, 1),
            needs=("dream_gradient",),
            rtol=1e-3,
            atol=1e-4,
        ),
        Exercise(
            STEM,
            "deep_dream",
            deep_dream_cases,
            needs=("dream_step",),
            rtol=1e-3,
            atol=1e-3,  # a kink that is met a little earlier changes the steps after it
        ),
        Exercise(STEM, "pattern_size", pattern_cases, batch=("change",), rtol=1e-3),
    ),
)
