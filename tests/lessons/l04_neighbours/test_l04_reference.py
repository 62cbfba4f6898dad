"""The references against SciPy, scikit-learn, and answers known on paper."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from torch import Tensor, nn

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from solutions.l04_neighbours import (
    accuracy_by_layer,
    embed,
    evaluating,
    nearest_in_parts,
    nearest_neighbours,
    pairwise_distances,
    retrieval_precision,
)

METRICS = ("euclidean", "cosine")


def rows(count: int, dimensions: int = 6, seed: int = 0, dtype=torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, dimensions, generator=generator, dtype=dtype)


def network(name: str = "normalised", dtype: str = "float64") -> nn.Module:
    return build(ModelSpec(name, seed=0, dtype=dtype))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("far", [0, 1000])
def test_distances_agree_with_scipy(metric, far):
    queries, database = rows(40) + far, rows(70, seed=1) + far
    expected = torch.from_numpy(cdist(queries, database, metric))
    found = pairwise_distances(queries, database, metric)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)


def test_single_precision_far_from_the_origin():
    """Points 1 apart at 1,000: the plain product form is off by 5 percent, this one is not."""
    queries, database = rows(40, 64) + 1000, rows(70, 64, seed=1) + 1000
    expected = cdist(queries.float(), database.float())
    found = pairwise_distances(queries.float(), database.float(), "euclidean").numpy()
    assert np.abs(found / expected - 1).max() < 1e-5
    q, d = queries.float(), database.float()
    plain = (q.square().sum(1)[:, None] + d.square().sum(1) - 2 * q @ d.T).clamp(min=0).sqrt()
    assert np.abs(plain.numpy() / expected - 1).max() > 0.005


@pytest.mark.parametrize("metric", METRICS)
def test_distances_stay_in_their_range_and_are_never_nan(metric):
    points = torch.cat([rows(30, 300, dtype=torch.float32)] * 2) * 1e3
    points[3] = 0
    found = pairwise_distances(points, points, metric)
    assert found.isfinite().all() and found.min() >= 0
    if metric == "cosine":
        assert found.max() <= 2
        assert torch.equal(found[3], torch.ones(60)) and torch.equal(found[:, 3], torch.ones(60))
        opposite = pairwise_distances(points[:1], -points[:1], metric)
        torch.testing.assert_close(opposite, torch.full((1, 1), 2.0))


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtype_is_kept_and_nothing_is_attached_or_changed(metric, dtype):
    queries, database = (300 * rows(5)).to(dtype), (300 * rows(9, seed=1)).to(dtype)
    queries.requires_grad_()
    before = queries.detach().clone(), database.clone()
    found = pairwise_distances(queries, database, metric)
    assert found.dtype == dtype and not found.requires_grad and found.isfinite().all()
    torch.testing.assert_close(
        found.double(),
        torch.from_numpy(cdist(before[0].double(), before[1].double(), metric)),
        rtol=2e-2,
        atol=1e-2,
    )
    assert torch.equal(queries, before[0]) and torch.equal(database, before[1])
    indices, distances = nearest_neighbours(queries, database, 2, metric)
    assert indices.dtype == torch.long and distances.dtype == dtype
    again, streamed = nearest_in_parts(queries, database.split(4), 2, metric)
    assert again.dtype == torch.long and streamed.dtype == dtype and not streamed.requires_grad


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 7, 500])
def test_neighbours_agree_with_scikit_learn(metric, k):
    queries, database = rows(64, 32), rows(500, 32, seed=1)
    oracle = NearestNeighbors(n_neighbors=k, algorithm="brute", metric=metric).fit(database)
    expected_distances, expected = oracle.kneighbors(queries.numpy())
    indices, distances = nearest_neighbours(queries, database, k, metric)
    assert np.array_equal(indices, expected)
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-9, atol=1e-12)
    streamed = nearest_in_parts(queries, iter(database.split(37)), k, metric)
    assert torch.equal(streamed[0], indices)
    torch.testing.assert_close(streamed[1], distances)


@pytest.mark.parametrize("metric", METRICS)
def test_without_itself_agrees_with_scikit_learn(metric):
    points = rows(300, 16)
    oracle = NearestNeighbors(n_neighbors=5, algorithm="brute", metric=metric).fit(points)
    expected_distances, expected = oracle.kneighbors()  # leaves each point out for itself
    indices, distances = nearest_neighbours(points, points, 5, metric, exclude_self=True)
    assert np.array_equal(indices, expected)
    np.testing.assert_allclose(distances, expected_distances, rtol=1e-9)


def test_itself_is_its_own_row_and_a_twin_stays():
    points = rows(6)
    points[4] = points[1]
    indices, distances = nearest_neighbours(points, points, 1, "euclidean", exclude_self=True)
    assert indices[1] == 4 and indices[4] == 1
    assert distances[[1, 4]].max() < 1e-6


@pytest.mark.parametrize(
    ("queries", "k", "exclude_self"), [(5, 0, False), (5, 9, False), (8, 8, True), (5, 2, True)]
)
def test_what_cannot_be_found_is_refused(queries, k, exclude_self):
    with pytest.raises(ValueError):
        nearest_neighbours(rows(queries), rows(8, seed=1), k, "euclidean", exclude_self)
    if not exclude_self:
        with pytest.raises(ValueError):
            nearest_in_parts(rows(queries), rows(8, seed=1).split(3), k, "euclidean")


def test_an_unknown_metric_is_refused():
    for call in (pairwise_distances, lambda q, d, m: nearest_neighbours(q, d, 1, m)):
        with pytest.raises(ValueError, match="manhattan"):
            call(rows(2), rows(3), "manhattan")


def test_parts_of_any_size_and_each_looked_at_once():
    queries, database = rows(9), rows(50, seed=1)
    expected = nearest_neighbours(queries, database, 6, "euclidean")

    def stream():
        for part in database.split([0, 1, 2, 40, 0, 7, 0]):
            yield part.clone()

    found = nearest_in_parts(queries, stream(), 6, "euclidean")
    assert torch.equal(found[0], expected[0])
    torch.testing.assert_close(found[1], expected[1])
    with pytest.raises(ValueError):
        nearest_in_parts(queries, [], 1, "euclidean")


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        return self.tokens(images.flatten(2).transpose(1, 2)).sum((1, 2))[:, None]


def test_embedding_of_each_kind_of_layer_by_hand(unchanged):
    images = rows(5, 3 * 12 * 16).view(5, 3, 12, 16)
    plain, tokens = network("plain"), Tokens()
    with torch.no_grad():
        maps = plain.conv1(images)
        logits = plain(images)
    expected = {"conv1": maps.sum((2, 3)), "classifier": logits, "tokens": images.mean((2, 3))}
    for layer, features in expected.items():
        model = tokens if layer == "tokens" else plain
        with unchanged(model, images):
            found = embed(model, layer, images, 2)
        by_hand = features / features.square().sum(1, keepdim=True).sqrt()
        torch.testing.assert_close(found, by_hand)
        assert not found.requires_grad


def test_the_mode_is_neither_heard_nor_changed(unchanged):
    model, images = network(), rows(7, 3 * 14 * 12).view(7, 3, 14, 12)
    expected = embed(model, "norm", images, 7)
    for train in (lambda: model.train(), lambda: model.norm.eval(), lambda: model.dropout.eval()):
        train()
        with unchanged(model, images):
            for layer in ("norm", "dropout"):
                embed(model, layer, images, 3)
            torch.testing.assert_close(embed(model, "norm", images, 3), expected)


def test_the_mode_is_given_back_after_an_error(unchanged):
    model = network().train()
    with unchanged(model), pytest.raises(AttributeError):
        embed(model, "nowhere", rows(2, 432).view(2, 3, 12, 12), 1)
    with pytest.raises(KeyError), evaluating(model):
        raise KeyError
    assert model.training


@pytest.mark.parametrize("size", [1, 2, 3, 5, 6, 60])
def test_the_size_of_a_pass_changes_nothing(size):
    model, images = network(), rows(6, 432).view(6, 3, 12, 12)
    passes = []
    handle = model.register_forward_pre_hook(lambda m, inputs: passes.append(len(inputs[0])))
    found = embed(model, "conv2", images, size)
    handle.remove()
    torch.testing.assert_close(found, embed(model, "conv2", images, 100))
    assert sum(passes) == 6 and max(passes) == min(size, 6)


def test_silent_features_and_half_precision_make_no_nan():
    model = network("plain").half()
    nn.init.zeros_(model.conv1.weight)
    nn.init.constant_(model.conv1.bias, -1)
    images = rows(3, 432).view(3, 3, 12, 12).half()
    assert torch.equal(embed(model, "relu1", images, 2), torch.zeros(3, 6).half())
    with pytest.raises(ValueError):
        embed(model, "conv1", images, 0)


def test_precision_by_hand_and_of_no_fit():
    indices, labels = torch.tensor([[0, 1, 2], [3, 2, 1]]), torch.tensor([1, 0, 1, 0])
    assert retrieval_precision(indices, torch.tensor([1, 0]), labels) == pytest.approx(4 / 6)
    for wrong in (torch.tensor([1]), torch.tensor([1, 0, 1])):
        with pytest.raises(ValueError):
            retrieval_precision(indices, wrong, labels)


@pytest.mark.parametrize("k", [1, 2, 4, 9])
def test_accuracy_agrees_with_scikit_learn(k, unchanged):
    model, images = network("plain"), rows(60, 3 * 12 * 12).view(60, 3, 12, 12)
    labels = torch.arange(60) % 4
    images += 0.2 * rows(4, 3, seed=3)[labels][:, :, None, None]
    with unchanged(model, images):
        found = accuracy_by_layer(model, ["relu2", "conv1"], images, labels, k, 16)
    assert list(found) == ["relu2", "conv1"]
    for layer, accuracy in found.items():
        features = embed(model, layer, images, 60).numpy()
        # Its mode of the neighbours' labels is the smallest of those with as many votes.
        oracle = KNeighborsClassifier(k, metric="cosine", algorithm="brute")
        answers = cross_val_predict(oracle, features, labels.numpy(), cv=LeaveOneOut())
        assert accuracy == pytest.approx((answers == labels.numpy()).mean(), abs=1e-12)
        assert 0.1 < accuracy <= 1


def test_labels_that_do_not_fit_are_refused():
    images = rows(4, 432).view(4, 3, 12, 12)
    with pytest.raises(ValueError, match="one label for each"):
        accuracy_by_layer(network(), ["conv1"], images, torch.tensor([1, 2]), 1)
