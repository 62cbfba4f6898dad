"""The t-SNE reference against scikit-learn, scipy, finite differences and pencil and paper."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist, squareform
from scipy.stats import entropy
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE, trustworthiness
from sklearn.manifold._t_sne import _joint_probabilities
from sklearn.manifold._utils import _binary_search_perplexity
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from solutions.l05_tsne import (
    conditional_probabilities,
    embedding_canvas,
    joint_probabilities,
    kl_divergence,
    neighbours_kept,
    pca,
    squared_distances,
    student_t_affinities,
    tsne,
    tsne_gradient,
)


@pytest.fixture(scope="module")
def digits():
    return torch.from_numpy(load_digits().data)


def random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def joint(x, perplexity):
    return joint_probabilities(conditional_probabilities(squared_distances(x), perplexity))


def bits(p):
    return torch.from_numpy(entropy(p.double().numpy(), base=2, axis=1))


# Distances


def test_squared_distances_agree_with_scipy(digits):
    expected = squareform(pdist(digits[:200].numpy(), "sqeuclidean"))
    np.testing.assert_allclose(squared_distances(digits[:200]), expected, atol=1e-9)


def test_squared_distances_far_from_the_origin_are_never_negative():
    x = random(50, 2, dtype=torch.float32) * 1e-3 + 1000
    assert (squared_distances(x) >= 0).all()


# PCA


@pytest.mark.parametrize("shape", [(300, 20), (12, 40), (5, 5)])
def test_pca_agrees_with_scikit_learn_up_to_sign(shape):
    x = random(*shape) * torch.linspace(1, 3, shape[1], dtype=torch.float64) + 7
    ours, theirs = pca(x, 3), torch.from_numpy(PCA(3, svd_solver="full").fit_transform(x.numpy()))
    signs = (ours * theirs).sum(0).sign()
    assert torch.allclose(ours, theirs * signs, atol=1e-6)


def test_pca_of_the_digits_agrees_with_scikit_learn(digits):
    ours, theirs = pca(digits, 10), PCA(10, svd_solver="full").fit_transform(digits.numpy())
    assert np.abs(ours.abs().numpy() - np.abs(theirs)).max() < 1e-6


def test_pca_points_every_axis_to_its_largest_entry():
    x = random(100, 6)
    for data in (x, -x):
        centred = data - data.mean(0)
        axes = torch.linalg.lstsq(centred, pca(data, 6)).solution.T
        largest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
        assert (largest > 0).all()


def test_pca_of_a_constant_is_zero_and_a_wrong_k_is_refused():
    assert (pca(torch.ones(5, 3), 2) == 0).all()
    for k in (0, 4):
        with pytest.raises(ValueError, match="within 1 to 3"):
            pca(random(5, 3), k)


# P


@pytest.mark.parametrize("perplexity", [5, 30, 100])
def test_conditional_probabilities_agree_with_scikit_learn(digits, perplexity):
    distances = squared_distances(digits[:500])
    theirs = _binary_search_perplexity(distances.numpy().astype(np.float32), perplexity, 0)
    assert np.abs(conditional_probabilities(distances, perplexity).numpy() - theirs).max() < 1e-4


def test_joint_probabilities_agree_with_scikit_learn(digits):
    distances = squared_distances(digits[:500])
    theirs = squareform(_joint_probabilities(distances.numpy().astype(np.float32), 30, 0))
    assert np.abs(joint(digits[:500], 30).numpy() - theirs).max() < 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("n", "perplexity"), [(4, 2), (4, 2.9), (60, 1.5), (60, 58), (1797, 30)])
def test_every_row_has_the_perplexity_asked_for(digits, n, perplexity, dtype):
    p = conditional_probabilities(squared_distances(digits[:n].to(dtype)), perplexity)
    assert p.dtype == dtype
    assert (bits(p) - math.log2(perplexity)).abs().max() < 1e-5
    assert (p.diagonal() == 0).all()
    assert torch.allclose(p.sum(1), torch.ones(n, dtype=dtype), atol=1e-5)


@pytest.mark.parametrize("scale", [1e-5, 1.0, 1e5])
def test_the_unit_of_the_data_does_not_matter(scale):
    x = random(40, 5)
    p = conditional_probabilities(squared_distances(x), 8)
    assert torch.allclose(conditional_probabilities(squared_distances(x * scale), 8), p, atol=1e-9)


def test_an_outlier_and_a_tight_cluster_keep_their_perplexity():
    x = torch.cat([random(30, 3), random(30, 3, seed=1) * 1e-3 + 50, torch.full((1, 3), 1e4)])
    p = conditional_probabilities(squared_distances(x), 10)
    assert (bits(p) - math.log2(10)).abs().max() < 1e-5


def test_equally_near_points_share_the_row():
    x = torch.cat([torch.zeros(6, 2), torch.ones(4, 2)])
    p = conditional_probabilities(squared_distances(x), 3)
    assert torch.allclose(p[0, 1:6], torch.full((5,), 0.2))
    assert torch.allclose(p[0, 6:], torch.zeros(4))
    constant = conditional_probabilities(torch.zeros(8, 8), 3)
    assert torch.allclose(constant, (1 - torch.eye(8)) / 7)


@pytest.mark.parametrize("perplexity", [0.5, 1, 9, 30])
def test_a_perplexity_that_cannot_be_reached_is_refused(perplexity):
    with pytest.raises(ValueError, match="10 points allow a perplexity between 1 and 9"):
        conditional_probabilities(squared_distances(random(10, 3)), perplexity)


def test_joint_probabilities_are_symmetric_and_sum_to_one():
    p = joint(random(30, 4), 5)
    assert torch.equal(p, p.T)
    assert p.sum().item() == pytest.approx(1)
    assert (p.sum(1) >= 1 / 60 - 1e-12).all()


# Q and the gradient


def test_affinities_agree_with_scipy():
    y = random(25, 2) * 5
    q, unnormalised = student_t_affinities(y)
    expected = squareform(1 / (1 + pdist(y.numpy(), "sqeuclidean")))
    np.testing.assert_allclose(unnormalised, expected, atol=1e-12)
    np.testing.assert_allclose(q, expected / expected.sum(), atol=1e-12)


def test_kl_divergence_agrees_with_scipy_and_is_zero_for_a_perfect_map():
    p, y = joint(random(25, 4), 5), random(25, 2)
    q, _ = student_t_affinities(y)
    assert kl_divergence(p, y) == pytest.approx(entropy(p.flatten(), q.flatten()))
    assert kl_divergence(q, y) == pytest.approx(0, abs=1e-12)


def plain_kl(p, y):
    """The loss written as in the paper, for autograd."""
    off = ~torch.eye(len(y), dtype=torch.bool)
    affinity = 1 / (1 + (y[:, None] - y[None]).square().sum(2))
    q = affinity / affinity[off].sum()
    return (p[off] * (p[off] / q[off]).log()).sum()


@pytest.mark.parametrize("n", [4, 5, 40])
@pytest.mark.parametrize("spread", [1e-4, 1.0, 30.0])
def test_gradient_agrees_with_autograd(n, spread):
    p, y = joint(random(n, 6), 2), (random(n, 2, seed=1) * spread).requires_grad_()
    (expected,) = torch.autograd.grad(plain_kl(p, y), y)
    actual = tsne_gradient(p, y)
    assert not actual.requires_grad
    assert (actual - expected).abs().max() <= 1e-9 * expected.abs().max()


def test_gradient_agrees_with_finite_differences_of_the_divergence():
    p, y, h = joint(random(12, 4), 3), random(12, 2, seed=1), 1e-5
    expected = torch.zeros_like(y)
    for i in range(12):
        for axis in range(2):
            step = torch.zeros_like(y)
            step[i, axis] = h
            difference = kl_divergence(p, y + step) - kl_divergence(p, y - step)
            expected[i, axis] = difference / (2 * h)
    assert torch.allclose(tsne_gradient(p, y), expected, atol=1e-8)


def test_gradient_leaves_its_arguments_alone():
    p, y = joint(random(12, 4), 3), random(12, 2)
    before = p.clone(), y.clone()
    tsne_gradient(p, y)
    assert torch.equal(p, before[0])
    assert torch.equal(y, before[1])


# The map


def test_the_same_seed_gives_the_same_map_and_global_randomness_stays(digits):
    x = digits[:60]
    state = torch.get_rng_state()
    first, second = tsne(x, 10, 60, seed=3), tsne(x, 10, 60, seed=3)
    assert torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(first, tsne(x, 10, 60, seed=4))
    assert not torch.equal(first, tsne(x, 10, 60, seed=3, init="random"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("init", ["pca", "random"])
def test_map_of_four_points(dtype, init):
    y = tsne(random(4, 3, dtype=dtype), perplexity=2, steps=50, init=init)
    assert y.shape == (4, 2)
    assert y.dtype == dtype
    assert y.isfinite().all()
    assert y.mean(0).abs().max() < 1e-4


@pytest.mark.parametrize(
    "x", [torch.zeros(20, 5), torch.cat([torch.zeros(12, 5), torch.ones(8, 5)])]
)
def test_constant_and_duplicated_points_give_a_finite_map(x):
    y = tsne(x, perplexity=5, steps=200)
    assert y.isfinite().all()
    assert len(y.unique(dim=0)) == 20


def test_two_groups_part():
    x = torch.cat([random(20, 6), random(20, 6, seed=1) + 20])
    y = tsne(x, perplexity=5, steps=200)
    apart = squared_distances(y)[:20, 20:].min()
    inside = squared_distances(y).fill_diagonal_(torch.inf).min(1).values.max()
    assert apart > inside


def test_bad_arguments_of_the_map_are_refused():
    with pytest.raises(ValueError, match="perplexity between 1 and 9"):
        tsne(random(10, 3), perplexity=30, steps=10)
    with pytest.raises(ValueError, match="'spectral'"):
        tsne(random(10, 3), perplexity=3, steps=10, init="spectral")


def test_the_map_beats_scikit_learn_on_digits(digits):
    x, p = digits[:500].float(), joint(digits[:500], 30)
    ours = tsne(x, 30, 500)
    theirs = TSNE(perplexity=30, max_iter=500, random_state=0).fit_transform(x.numpy())
    assert kl_divergence(p, ours.double()) < kl_divergence(p, torch.from_numpy(theirs).double())


@pytest.mark.slow
def test_all_digits(digits):
    ours = tsne(digits.float(), 30, 500)
    theirs = TSNE(perplexity=30, max_iter=500, random_state=0).fit_transform(digits.numpy())
    p = joint(digits, 30)
    assert kl_divergence(p, ours.double()) < kl_divergence(p, torch.from_numpy(theirs).double())
    assert trustworthiness(digits.numpy(), ours.numpy(), n_neighbors=5) >= 0.99
    labels = load_digits().target
    accuracy = KNeighborsClassifier(5).fit(ours[::2], labels[::2]).score(ours[1::2], labels[1::2])
    assert accuracy > 0.97


# The picture wall


def test_wall_places_pictures_upright_and_within_the_canvas():
    red, green, blue = torch.eye(3)[:, :, None, None].expand(3, 3, 5, 7)
    points = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 3.0]])
    wall = embedding_canvas(torch.stack([red, green, blue]), points, (12, 20), (4, 6))
    assert wall.shape == (3, 12, 20)
    expected = torch.ones(3, 12, 20)
    expected[:, 8:, :6] = red[:, :1, :1]  # low: at the bottom
    expected[:, 8:, 14:] = green[:, :1, :1]
    expected[:, :4, :6] = blue[:, :1, :1]
    assert torch.allclose(wall, expected)


def test_later_pictures_cover_earlier_ones():
    images = torch.tensor([0.25, 0.5, 0.75]).view(3, 1, 1, 1).expand(3, 1, 8, 8)
    points = torch.tensor([[0.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    wall = embedding_canvas(images, points, (16, 16), (8, 8))
    assert (wall[:, 8:, :8] == 0.5).all()
    assert (wall[:, :8, 8:] == 0.75).all()


def test_no_picture_is_cut_and_one_picture_stands_in_the_middle():
    n = 40
    wall = embedding_canvas(torch.zeros(n, 1, 8, 8), random(n, 2), (64, 48), (6, 5))
    covered = (wall[0] == 0).nonzero()
    assert covered.amin(0).tolist() == [0, 0]
    assert covered.amax(0).tolist() == [63, 47]
    single = embedding_canvas(torch.zeros(1, 3, 4, 4), torch.tensor([[5.0, 9.0]]), (6, 10), (2, 2))
    assert (single[:, 2:4, 4:6] == 0).all()
    assert (single == 0).sum() == 3 * 4


def test_wall_leaves_images_alone_keeps_dtype_and_refuses_a_large_thumbnail():
    images = random(3, 3, 9, 5).sigmoid()
    before = images.clone()
    wall = embedding_canvas(images, random(3, 2), (30, 20), (9, 5))
    assert torch.equal(images, before)
    assert wall.dtype == torch.float64
    assert wall.min() >= 0
    assert wall.max() <= 1
    with pytest.raises(ValueError, match="does not fit"):
        embedding_canvas(images, random(3, 2), (8, 20), (9, 5))


# Neighbours kept


def test_neighbours_kept_agree_with_scikit_learn():
    x = random(150, 8)  # digits have ties
    y = pca(x, 2)

    def near(points, k):
        return NearestNeighbors(n_neighbors=k).fit(points.numpy()).kneighbors(return_distance=False)

    for k in (1, 5, 40):
        both = [len(np.intersect1d(a, b)) for a, b in zip(near(x, k), near(y, k), strict=True)]
        assert neighbours_kept(x, y, k) == pytest.approx(np.mean(both) / k, abs=1e-9)


def test_neighbours_kept_on_paper():
    line = torch.tensor([[0.0], [1.0], [3.0], [7.0]])
    assert neighbours_kept(line, line, 1) == neighbours_kept(line, 5 - 2 * line, 2) == 1
    # 0 and 1 have changed places: only 3, whose neighbour was 1, has lost it.
    assert neighbours_kept(line, line[[1, 0, 2, 3]], 1) == 0.75
    # All others are neighbours, wherever the map puts them.
    assert neighbours_kept(random(9, 4), random(9, 2, seed=1), 8) == 1


def test_a_map_that_knows_nothing_keeps_what_chance_gives(digits):
    kept = neighbours_kept(digits, random(len(digits), 2), 90)
    assert kept == pytest.approx(90 / (len(digits) - 1), abs=3e-3)


def test_neighbours_kept_refuses_a_k_that_is_not_there():
    for k in (0, 9):
        with pytest.raises(ValueError, match="1 to 8"):
            neighbours_kept(random(9, 3), random(9, 2), k)


# At the edges


@pytest.mark.parametrize("spread", [1e-8, 1e-3, 1, 30, 1e3, 3e3, 1e4, 1e6])
@pytest.mark.parametrize("n", [4, 70, 300])
def test_the_gradient_is_right_in_float32_however_wide_the_map(n, spread):
    p, y = joint(random(n, 6), 2), (random(n, 2, seed=1) * spread).float()
    exact, found = tsne_gradient(p, y.double()), tsne_gradient(p.float(), y)
    assert float((found - exact).norm() / exact.norm()) < 1e-4
    # The hardest: two points that nearly meet far out, where their coordinates have few digits.
    y[1], y[2] = y[0] + 0.3, y[3]
    exact, found = tsne_gradient(p, y.double()), tsne_gradient(p.float(), y)
    assert found.isfinite().all()
    if spread <= 1e3:
        assert float((found - exact).norm() / exact.norm()) < 1e-3


def test_near_points_of_a_wide_cloud_keep_their_distances():
    x = 1e4 * random(60, 10, dtype=torch.float32)
    x[1] = x[0] + 0.25
    expected = squareform(pdist(x.double().numpy(), "sqeuclidean"))
    np.testing.assert_allclose(squared_distances(x), expected, rtol=1e-5)


@pytest.mark.parametrize("rate", [500.0, 1000.0, 1e4])
@pytest.mark.parametrize("shape", [(4, 3), (60, 10)])
def test_a_map_stays_finite_at_a_large_learning_rate(shape, rate):
    x = random(*shape, dtype=torch.float32)
    perplexity = min(10, shape[0] - 2)
    y = tsne(x, perplexity, 300, learning_rate=rate)
    assert y.isfinite().all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_calculated_in_float32(dtype, digits):
    x = digits[:60].to(dtype)
    for function in (lambda x: pca(x, 3), lambda x: tsne(x, 5, 20)):
        found, expected = function(x), function(x.float())
        assert found.dtype == dtype and torch.equal(found, expected.to(dtype))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_its_dtype_and_stays_finite_in_a_wide_map(dtype):
    p, y = joint(random(9, 3), 3).to(dtype), (1e3 * random(9, 2)).to(dtype)
    gradient, (q, _) = tsne_gradient(p, y), student_t_affinities(y)
    assert gradient.dtype == q.dtype == dtype
    assert gradient.isfinite().all() and abs(float(q.sum()) - 1) < 0.01
    images = torch.rand(9, 3, 8, 8).to(dtype)
    assert embedding_canvas(images, y, (20, 20), (4, 4)).dtype == dtype


@pytest.mark.parametrize(("images", "points"), [(0, 0), (3, 2), (2, 3)])
def test_each_picture_has_a_point(images, points):
    with pytest.raises(ValueError, match="each has its own"):
        embedding_canvas(torch.rand(images, 3, 8, 8), random(points, 2), (20, 20), (4, 4))
