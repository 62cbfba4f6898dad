"""Lesson 5, t-SNE.

Most exercises have one right answer. `tsne` has not: whoever descends the KL divergence well draws
a good map, and no two good maps agree. So it is judged by what must hold of any.
"""

from __future__ import annotations

from autograder.checks.l05_tsne.cases import (
    affinity_cases,
    canvas_cases,
    conditional_cases,
    gradient_cases,
    joint_cases,
    kept_cases,
    pca_cases,
    tsne_cases,
)
from autograder.checks.l05_tsne.judges import judge_conditional, judge_pca, judge_tsne
from autograder.checks.mistakes.results import TURNS
from autograder.course.exercise import Exercise, Lesson

STEM = "l05_tsne"

LESSON = Lesson(
    STEM,
    (
        Exercise(STEM, "pca", pca_cases, judge=judge_pca, without=TURNS),
        Exercise(
            STEM,
            "conditional_probabilities",
            conditional_cases,
            bounds=(0, 1),
            judge=judge_conditional,
            without=("upside_down", "mirrored"),
            deadline=20.0,
        ),
        Exercise(STEM, "joint_probabilities", joint_cases, bounds=(0, 1), without=TURNS),
        Exercise(STEM, "student_t_affinities", affinity_cases),
        Exercise(STEM, "tsne_gradient", gradient_cases, rtol=1e-3, atol=1e-4, without=TURNS),
        Exercise(
            STEM,
            "tsne",
            tsne_cases,
            judge=judge_tsne,
            needs=("pca", "conditional_probabilities", "joint_probabilities", "tsne_gradient"),
            without=TURNS,
            deadline=40.0,
        ),
        Exercise(STEM, "embedding_canvas", canvas_cases, bounds=(0, 1), rtol=1e-3, atol=1e-4),
        Exercise(STEM, "neighbours_kept", kept_cases, bounds=(0, 1), rtol=1e-6),
    ),
)
