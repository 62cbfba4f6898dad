"""What lesson 5's judge says of maps that neither the reference nor a known mistake drew."""

import pytest
import torch
from sklearn.manifold import TSNE

from autograder.checks import lesson
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
