"""What lesson 5's judge says of maps that neither the reference nor a known mistake drew."""

import pytest
import torch
from sklearn.manifold import TSNE

from autograder.checks import lesson
from autograder.checks.l05_tsne.judges import judge_pca
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.verdict import judge
from autograder.protocol.answers import Answer
from solutions.l05_tsne import (
    conditional_probabilities,
    joint_probabilities,
    pca,
    squared_distances,
    tsne,
    tsne_gradient,
)

EXERCISE = lesson("l05_tsne").exercise("tsne")


@pytest.fixture(scope="module")
def case():
    case = EXERCISE.inputs(torch.Generator().manual_seed(3))["a hundred digits"]
    return case.inputs, tsne(**case.inputs)


def complaint(case, y):
    inputs, expected = case
    assert EXERCISE.judge is not None
    return EXERCISE.judge(expected, y.float(), inputs)


@pytest.mark.parametrize("init", ["pca", "random"])
@pytest.mark.parametrize("exaggeration", [1.0, 4.0, 12.0])
def test_maps_by_scikit_learn_are_good_maps(case, init, exaggeration):
    model = TSNE(
        perplexity=case[0]["perplexity"],
        early_exaggeration=exaggeration,
        init=init,
        method="exact",
        max_iter=500,
        random_state=0,
    )
    y = torch.from_numpy(model.fit_transform(case[0]["x"].numpy()))
    assert complaint(case, y - y.mean(0)) is None


def test_turned_and_mirrored_maps_are_as_good(case):
    turn = torch.tensor([[0.6, 0.8], [0.8, -0.6]])
    assert complaint(case, case[1] @ turn) is None


def test_a_shadow_a_crowded_map_and_a_shuffled_map_are_not(case):
    inputs, y = case
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    for wrong in (pca(inputs["x"], 2), y / 4, y[order], torch.zeros_like(y)):
        assert complaint(case, wrong) is not None


def descend(p, y, steps):
    """Another way down: momentum alone, small steps, no exaggeration."""
    velocity = torch.zeros_like(y)
    for _ in range(steps):
        velocity = 0.9 * velocity - 2 * tsne_gradient(p, y)
        y = y + velocity
    return y - y.mean(0)


def joint(squared, perplexity):
    return joint_probabilities(conditional_probabilities(squared, perplexity))


def test_the_forces_name_the_mistake_in_a_descent_that_is_not_the_reference(case):
    inputs = case[0]
    squared, perplexity = squared_distances(inputs["x"].double()), inputs["perplexity"]
    start = 0.01 * torch.randn(100, 2, generator=torch.Generator().manual_seed(0)).double()
    p = joint(squared, perplexity)
    assert complaint(case, descend(p, start, 500)) is None
    named = {
        "exaggeration_stays": inputs["exaggeration"] * p,
        "distances_not_squared": joint(squared.sqrt(), perplexity),
    }
    for mistake, wrong in named.items():
        found = complaint(case, descend(wrong, start, 500))
        assert found is not None
        assert found.mistake == mistake


def cloud(count, dimensions):
    generator = torch.Generator().manual_seed(4)
    x = torch.randn(count, dimensions, generator=generator, dtype=torch.float64)
    return x * 2.0 ** -torch.arange(dimensions) + 5


def right_singular(centred):
    """V^T with rows of either sign, as another machine may give them."""
    axes = torch.linalg.svd(centred, full_matrices=False).Vh
    return axes * torch.tensor([1.0, -1.0, -1.0, 1.0, -1.0])[: len(axes), None]


@pytest.mark.parametrize(
    ("directions", "mistake"),
    [
        (lambda c: torch.linalg.eigh(c.T @ c).eigenvectors[:, -2:], "order_reversed"),
        (lambda c: torch.linalg.eigh(c.T @ c).eigenvectors[:, :2], "least_spread_first"),
        (lambda c: right_singular(c)[-2:].T, "least_spread_first"),
        (lambda c: right_singular(c)[:, :2], "columns_for_rows"),
        (lambda c: right_singular(c)[1:3].T, None),
    ],
)
def test_wrong_directions_are_named_either_way_round(directions, mistake):
    x = cloud(20, 5)
    centred = x - x.mean(0)
    found = judge_pca(pca(x, 2), centred @ directions(centred), {"x": x, "k": 2})
    assert found is not None and found.mistake == mistake


def test_directions_are_right_either_way_round():
    for x in (cloud(20, 5), cloud(3, 5)):
        centred = x - x.mean(0)
        assert judge_pca(pca(x, 2), centred @ right_singular(centred)[:2].T, {"x": x}) is None


def said(exercise, *edits):
    """Judge the reference with a student's mistakes in it."""
    expectation = Expectation("l05_tsne", lesson("l05_tsne").exercise(exercise))
    job = expectation.job(read_lesson("l05_tsne").edited(exercise, edits), "mine.py")
    return judge(expectation, Answer("ok", tuple(run_trusted(job))))


def test_a_point_among_its_own_neighbours_is_not_told_to_be_zero():
    right = "squared_distances(points).fill_diagonal_(torch.inf)"
    verdict = said("neighbours_kept", (right, "squared_distances(points)"))
    assert verdict.diagnosis == "itself_as_neighbour"
    assert "infinitely far" in verdict.message and "sum" not in verdict.message


def test_reversed_directions_are_not_called_wrong_ones():
    flipped = ("axes = axes * largest.sign()", "axes = axes.flip(0)")
    verdict = said("pca", flipped)
    assert verdict.diagnosis == "order_reversed" and not verdict.also
    assert "not along" not in verdict.message
