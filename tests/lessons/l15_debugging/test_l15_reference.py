"""The references beside scipy, pytorch-grad-cam, plain loops, and answers known on paper."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from solutions.l11_saliency import saliency_map
from solutions.l12_guided_backprop import guided_backprop
from solutions.l15_debugging import (
    centre_map,
    comparison,
    deletion_curve,
    edge_map,
    find_the_shortcut,
    insertion_curve,
    pointing_game,
    randomise_from_top,
    rank_correlation,
    refit_classifier,
    strongest_window,
)


def network(name: str = "plain", seed: int = 1) -> nn.Module:
    return build(ModelSpec(name, seed=seed, dtype="float64"))


def drawn(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64)


# Rank correlation


@pytest.mark.parametrize("step", [0, 0.5, 2])
def test_rank_correlation_is_scipys_with_and_without_ties(step: float) -> None:
    for seed in range(8):
        a, b = drawn(2, 9, 11, seed=seed)
        if step:
            a, b = (a / step).round(), b.relu()
        ours, theirs = rank_correlation(a, b), spearmanr(a.flatten(), b.flatten()).statistic
        assert ours == pytest.approx(theirs, abs=1e-12)


def test_a_map_without_an_order_has_no_correlation() -> None:
    assert math.isnan(rank_correlation(torch.ones(3, 4), drawn(3, 4)))
    assert rank_correlation(drawn(3, 4), drawn(3, 4)) == pytest.approx(1, abs=1e-12)
    with pytest.raises(ValueError, match="one shape"):
        rank_correlation(drawn(3, 4), drawn(4, 3))


# The cascade


@pytest.mark.parametrize("name", ["plain", "residual", "normalised", "nested", "frozen"])
def test_after_k_steps_the_last_k_layers_are_fresh(name: str, unchanged) -> None:
    model = network(name)
    with unchanged(model):
        steps = list(randomise_from_top(model, seed=3))
    layers = [n for n, m in model.named_modules() if list(m.parameters(recurse=False))]
    assert [n for n, _ in steps] == layers[::-1]
    trained = dict(model.named_parameters())
    for number, (_, step) in enumerate(steps, 1):
        fresh = set(layers[len(layers) - number :])
        for path, parameter in step.named_parameters():
            changed = not torch.equal(parameter, trained[path])
            norm = isinstance(step.get_submodule(path.rpartition(".")[0]), nn.BatchNorm2d)
            assert changed == (path.rpartition(".")[0] in fresh) or norm, path
        assert step.training == model.training
    again = list(randomise_from_top(model, seed=3))
    other = list(randomise_from_top(model, seed=4))
    images = drawn(2, 3, 14, 16)
    for (_, one), (_, same) in zip(steps, again, strict=True):
        assert torch.equal(one(images), same(images))
    assert not torch.equal(steps[-1][1](images), other[-1][1](images))


def test_a_container_is_redrawn_whole_and_nothing_is_made_before_it_is_asked_for() -> None:
    model = network("nested")
    cascade = randomise_from_top(model, 0, ["stem", "blocks", "classifier"])
    name, first = next(cascade)
    assert name == "classifier" and torch.equal(first.stem.conv.weight, model.stem.conv.weight)
    name, second = next(cascade)
    assert name == "blocks"
    assert not torch.equal(second.blocks[0].conv.weight, model.blocks[0].conv.weight)
    assert torch.equal(first.blocks[0].conv.weight, model.blocks[0].conv.weight)
    assert torch.equal(second.classifier.weight, first.classifier.weight)


# The pointing game


@pytest.mark.parametrize("tolerance", [0, 1, 1.5, 3, 7.3])
def test_pointing_game_is_a_plain_loop(tolerance: float) -> None:
    maps, masks = drawn(20, 9, 12).abs(), drawn(20, 9, 12, seed=1) > 2
    hits = []
    for heatmap, mask in zip(maps.numpy(), masks.numpy(), strict=True):
        peak = np.unravel_index(heatmap.argmax(), heatmap.shape)
        hits.append(any(math.dist(peak, place) <= tolerance for place in np.argwhere(mask)))
    assert pointing_game(maps, masks, tolerance) == pytest.approx(np.mean(hits), abs=1e-12)


def test_a_map_of_zeros_points_nowhere() -> None:
    everywhere = torch.ones(2, 4, 5, dtype=torch.bool)
    maps = torch.stack([torch.zeros(4, 5), torch.ones(4, 5)])
    assert pointing_game(maps, everywhere, 9) == 0.5


# Deletion and insertion


def most_relevant_first(model, image, saliency, target, percentile, fill):
    """Cover what pytorch-grad-cam's metric calls the top percent, and ask again."""
    order = saliency.flatten().argsort(descending=True, stable=True)
    covered = torch.zeros(saliency.numel(), dtype=torch.bool)
    covered[order[: saliency.numel() * percentile // 100]] = True
    with torch.no_grad():
        return model(image.masked_fill(covered.view_as(saliency), fill))[0, target]


@pytest.mark.parametrize("name", ["plain", "inplace", "residual", "normalised"])
def test_deletion_step_by_step(name: str, unchanged) -> None:
    model, image, target = network(name), drawn(1, 3, 10, 20), torch.tensor([3])
    saliency = drawn(10, 20, seed=2).abs()
    with unchanged(model, image, saliency):
        curve = deletion_curve(model, image, saliency, target, 50, fill=0.3)
    for step in range(51):
        expected = most_relevant_first(model, image, saliency, target, 2 * step, 0.3)
        torch.testing.assert_close(curve[step : step + 1], expected, rtol=0, atol=1e-12)


def test_deletion_and_insertion_on_paper() -> None:
    # Each pixel adds its own: what is gone is gone from the sum.
    model, image, target = network("linear"), drawn(1, 3, 6, 8), torch.tensor([2])
    each = torch.einsum("c,chw->hw", model.mix.weight[2, :, 0, 0].detach(), image[0])
    rising = each.flatten().sort(descending=True).values.cumsum(0)
    gone = torch.arange(17) * 48 // 16
    inserted = torch.cat([torch.zeros(1), rising])[gone]
    torch.testing.assert_close(insertion_curve(model, image, each, target, 16), inserted)
    deleted = deletion_curve(model, image, each, target, 16)
    torch.testing.assert_close(deleted, each.sum() - inserted)
    # The right order makes the steepest fall: no other map has a smaller area.
    for seed in range(5):
        other = deletion_curve(model, image, drawn(6, 8, seed=seed), target, 16)
        assert (other >= deleted - 1e-9).all()


def test_the_ends_of_the_curves_meet() -> None:
    model, image, target = network(), drawn(1, 3, 12, 12), torch.tensor([1])
    fill, saliency = drawn(1, 3, 12, 12, seed=5), drawn(12, 12, seed=6)
    deleted = deletion_curve(model, image, saliency, target, 9, fill)
    inserted = insertion_curve(model, image, saliency, target, 9, fill)
    with torch.no_grad():
        ends = [float(model(x)[0, 1]) for x in (image, fill)]
    assert [float(deleted[0]), float(deleted[-1])] == pytest.approx(ends)
    assert [float(inserted[-1]), float(inserted[0])] == pytest.approx(ends)


# The comparison


def test_comparison_is_scipy_and_a_count(unchanged) -> None:
    model, untrained = network(), network(seed=9)
    image, mask = drawn(1, 3, 12, 16), drawn(12, 16, seed=4) > 0
    target, other = torch.tensor([0]), torch.tensor([3])
    calls: list[int] = []

    def five_copies(who: nn.Module, images: Tensor, classes: Tensor) -> Tensor:
        calls.append(1)
        return saliency_map(who, images.repeat(5, 1, 1, 1), classes.repeat(5)).mean(0)[None]

    def guided(*asked) -> Tensor:
        return guided_backprop(*asked).abs().amax(1)

    methods = {"saliency": saliency_map, "five": five_copies, "guided": guided}
    with unchanged(model, image), unchanged(untrained):
        table = comparison(model, untrained, image, target, other, mask, methods)
    assert list(table) == list(methods) and len(calls) == 3
    assert [row["forwards"] for row in table.values()] == [1, 5, 1]
    for name, method in methods.items():
        first = method(model, image, target).numpy()
        pairs = {
            "two classes": method(model, image, other),
            "random weights": method(untrained, image, target),
        }
        for test, second in pairs.items():
            expected = spearmanr(first.ravel(), second.numpy().ravel()).statistic
            assert table[name][test] == pytest.approx(expected, abs=1e-12)
        share = first[:, mask.numpy()].sum() / first.sum()
        assert table[name]["on the object"] == pytest.approx(share, abs=1e-12)


# The shortcut


@pytest.mark.parametrize("window", [1, 2, 4, 7])
def test_the_strongest_window_is_a_plain_loop(window: int) -> None:
    maps = drawn(6, 7, 11).abs()
    for heatmap, found in zip(maps, strongest_window(maps, window), strict=True):
        best = max(
            (float(heatmap[r : r + window, c : c + window].sum()), r, c)
            for r in range(8 - window)
            for c in range(12 - window)
        )
        _, row, column = best
        expected = torch.zeros(7, 11, dtype=torch.bool)
        expected[row : row + window, column : column + window] = True
        assert torch.equal(found, expected)


def test_a_planted_shortcut_is_found_on_paper(unchanged) -> None:
    # Red anywhere is class 0, and nothing else is.
    class Red(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            red = (images[:, 0] > 2).flatten(1).any(1).double()
            return torch.stack([red, 0.5 * torch.ones_like(red)], dim=1)

    images, others = 0.1 * drawn(6, 3, 12, 14), 0.1 * drawn(6, 3, 12, 14, seed=1)
    images[:, 0, 1:4, 1:4] = 3
    maps = (images[:, 0] > 2).double()
    model = Red()
    with unchanged(model, images, others, maps):
        found = find_the_shortcut(
            model, images, torch.zeros(6, dtype=torch.long), others, maps, window=3
        )
    assert found == {
        "images": 1.0,
        "window covered": 0.0,
        "control covered": 1.0,
        "others": 0.0,
        "window pasted": 1.0,
        "control pasted": 0.0,
    }


def test_refitting_is_ridge_regression_of_scikit_learn(unchanged) -> None:
    from sklearn.linear_model import Ridge

    model, images = network("normalised"), drawn(40, 3, 12, 12)
    labels = torch.arange(40) % 5
    with unchanged(model, images):
        fresh = refit_classifier(model, images, labels, ridge=0.7)
    seen: list[Tensor] = []
    hook = model.classifier.register_forward_pre_hook(lambda module, given: seen.append(given[0]))
    with hook, torch.no_grad():
        model(images)
    ridge = Ridge(alpha=0.7).fit(seen[0].numpy(), torch.eye(5)[labels].numpy())
    np.testing.assert_allclose(fresh.classifier.weight.detach(), ridge.coef_, atol=1e-9)
    np.testing.assert_allclose(fresh.classifier.bias.detach(), ridge.intercept_, atol=1e-9)


# What knows nothing


def test_edges_are_scipys_sobel() -> None:
    from scipy.ndimage import sobel

    images = drawn(2, 3, 9, 13)
    for image, found in zip(images, edge_map(images), strict=True):
        grey = image.mean(0).numpy()
        slopes = [sobel(grey, axis, mode="nearest") for axis in (0, 1)]
        np.testing.assert_allclose(found, np.hypot(*slopes), atol=1e-12)


def test_the_hill_is_highest_in_the_middle() -> None:
    hill = centre_map(torch.zeros(2, 3, 7, 9))
    assert hill.shape == (2, 7, 9) and torch.equal(hill[0], hill[1])
    assert int(hill[0].argmax()) == 3 * 9 + 4 and float(hill.min()) == 0
    torch.testing.assert_close(hill, hill.flip(1).flip(2))
