"""The references against NumPy, plain loops, finite differences and networks known on paper."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from solutions import l09_inversion_and_style as lesson
from solutions.l09_inversion_and_style import (
    FastStyler,
    code_loss,
    descend,
    fast_style_loss,
    feature_loss,
    features_of,
    gram_matrix,
    grow_texture,
    invert_features,
    mean_variation,
    nearest_texture,
    patch_distances,
    style_loss,
    synthesise_texture,
    transfer_style,
)

LAYERS = ["conv1", "conv2"]


def network(name: str = "plain") -> nn.Module:
    return build(ModelSpec(name, seed=4, dtype="float64"))


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_gram_matrices_agree_with_numpy_and_with_paper():
    features = draw(3, 4, 5, 6)
    rows = features.numpy().reshape(3, 4, 30)
    expected = np.einsum("nap,nbp->nab", rows, rows) / (4 * 30)
    np.testing.assert_allclose(gram_matrix(features), expected, rtol=1e-12)
    # By hand: 1*1 + 2*2 + 0*0 + (-1)*(-1) = 6, 1*3 + 2*0 + 0*1 + (-1)*2 = 1, 9 + 0 + 1 + 4 = 14.
    by_hand = torch.tensor([[[[1.0, 2.0], [0.0, -1.0]], [[3.0, 0.0], [1.0, 2.0]]]])
    assert torch.equal(gram_matrix(by_hand), torch.tensor([[[6.0, 1.0], [1.0, 14.0]]]) / 8)


def test_mean_variation_agrees_with_numpy():
    images = draw(2, 3, 5, 7)
    pixels = images.numpy()
    expected = np.abs(np.diff(pixels, axis=2)).mean() + np.abs(np.diff(pixels, axis=3)).mean()
    assert float(mean_variation(images)) == pytest.approx(expected, rel=1e-12)


def test_feature_loss_of_a_network_known_on_paper():
    model, image = network("linear"), draw(2, 3, 4, 5)
    features = features_of(model, ["mix"], image)["mix"]
    # A linear layer makes twice the features of twice the image: an error of (2 - 1)^2.
    assert float(feature_loss(model, "mix", 2 * image, features)) == pytest.approx(1)
    assert float(feature_loss(model, "mix", 0 * image, features)) == pytest.approx(1)
    assert float(feature_loss(model, "mix", 0.5 * image, features)) == pytest.approx(0.25)


@pytest.mark.parametrize("name", ["plain", "inplace", "residual", "normalised", "nested"])
def test_losses_have_the_gradient_of_finite_differences(name: str, unchanged):
    model, image = network(name), draw(1, 3, 12, 13)
    layer = {"nested": "blocks.0.conv", "normalised": "norm"}.get(name, "conv1")
    (features,) = features_of(model, [layer], draw(1, 3, 12, 13, seed=1)).values()
    grams = [gram_matrix(2 * features)]

    def loss(x: Tensor) -> Tensor:
        return fast_style_loss(model, x, features, grams, layer, [layer], 0.7, 2.0, 0.3)

    leaf = image.clone().requires_grad_()
    with unchanged(model, image):
        (gradient,) = torch.autograd.grad(loss(leaf), leaf)
    way = draw(1, 3, 12, 13, seed=2)
    measured = (loss(image + 1e-6 * way) - loss(image - 1e-6 * way)) / 2e-6
    torch.testing.assert_close((gradient * way).sum(), measured, rtol=1e-5, atol=1e-7)
    parts = feature_loss(model, layer, image, features), mean_variation(image)
    style = style_loss([gram_matrix(features_of(model, [layer], image)[layer])], grams, [1.0])
    expected = 0.7 * parts[0] + 2.0 * style + 0.3 * parts[1]
    torch.testing.assert_close(loss(image), expected)


def test_style_loss_agrees_with_numpy_and_refuses_odd_lists():
    grams = [gram_matrix(draw(3, c, 4, 5, seed=c)) for c in (2, 5)]
    wanted = [gram_matrix(draw(1, c, 4, 5, seed=9 + c)) for c in (2, 5)]
    expected = 0.0
    for gram, target, weight in zip(grams, wanted, (0.5, 3.0), strict=True):
        off = [np.linalg.norm(g - target[0]) ** 2 / np.linalg.norm(target[0]) ** 2 for g in gram]
        expected += weight * np.mean(off)
    assert float(style_loss(grams, wanted, [0.5, 3.0])) == pytest.approx(expected, rel=1e-12)
    for odd in ((grams, wanted, [1.0]), (grams, wanted[:1], [1.0, 1.0])):
        with pytest.raises(ValueError, match="shorter"):
            style_loss(*odd)


def test_an_invertible_layer_gives_its_image_back(unchanged):
    model, image = network("linear"), 0.4 * draw(2, 3, 6, 7)
    features = features_of(model, ["mix"], image)["mix"]
    with unchanged(model, features):
        found = invert_features(model, "mix", features, (6, 7), 150, 0.05, tv=0.0, seed=3)
    assert (found - image).abs().max() < 0.02
    assert feature_loss(model, "mix", found, features) < 1e-4


def test_descents_leave_no_trace_and_repeat(unchanged):
    model, picture = network("nested"), draw(1, 3, 12, 14)
    layers = ["stem.relu", "blocks.0.conv"]
    with unchanged(model, picture):
        once, twice = (
            synthesise_texture(model, layers, picture, (13, 12), 8, seed=5) for _ in range(2)
        )
        styled = transfer_style(model, picture, draw(1, 3, 15, 12), "blocks.1", layers, steps=4)
    assert torch.equal(once, twice) and once.shape == (1, 3, 13, 12)
    assert styled.shape == picture.shape and not styled.requires_grad


def test_ctrl_c_keeps_the_picture_so_far(monkeypatch):
    def interrupted(count: int, title: str):
        yield from range(3)
        raise KeyboardInterrupt

    start = draw(1, 3, 8, 8)

    def brightness(images: Tensor) -> Tensor:
        return images.square().mean()

    whole = lesson.descend(brightness, start, 20, 0.1)
    monkeypatch.setattr(lesson, "shown_steps", interrupted)
    part = lesson.descend(brightness, start, 20, 0.1)
    assert brightness(whole) < brightness(part) < brightness(start)
    grown = grow_texture(torch.rand(3, 9, 9), 8, 3, seed=0)
    assert 9 <= int((grown.sum(0) > 0).sum()) < 64


def test_patch_distances_agree_with_a_loop():
    texture, patch = torch.rand(3, 11, 9).double(), torch.rand(3, 5, 5).double()
    known = torch.rand(5, 5).double() * (torch.rand(5, 5) < 0.6)
    found = patch_distances(texture, patch, known)
    for row in range(7):
        for column in range(5):
            window = texture[:, row : row + 5, column : column + 5]
            expected = ((window - patch).square() * known).sum() / known.sum()
            torch.testing.assert_close(found[row, column], expected)


def test_a_grown_texture_copies_pixels_and_repeats():
    texture = torch.rand(3, 9, 9)
    grown = grow_texture(texture, 10, window=5, seed=1)
    known = {tuple(pixel) for pixel in texture.flatten(1).T.tolist()}
    assert {tuple(pixel) for pixel in grown.flatten(1).T.tolist()} <= known
    assert torch.equal(grown, grow_texture(texture, 10, window=5, seed=1))
    assert not torch.equal(grown, grow_texture(texture, 10, window=5, seed=2))
    # Stripes go on as stripes.
    stripes = torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(3).expand(3, 12, 12)
    grown = grow_texture(stripes, 12, window=7, seed=0)
    assert torch.equal(grown, grown[:, :1].expand_as(grown))


def test_convolve_agrees_with_numpys_reflection():
    styler, x = FastStyler(width=2, blocks=1).double(), draw(1, 4, 9, 8)
    for kernel, stride in ((3, 1), (5, 2), (9, 1)):
        conv = nn.Conv2d(4, 2, kernel, stride).double()
        side = kernel // 2
        padded = np.pad(x.numpy(), ((0, 0), (0, 0), (side, side), (side, side)), mode="reflect")
        torch.testing.assert_close(styler.convolve(conv, x), conv(torch.from_numpy(padded)))


def test_a_styler_whose_blocks_are_silent_is_known_on_paper():
    styler = FastStyler(width=2, blocks=2).double()
    with torch.no_grad():
        for parameter in styler.parameters():
            parameter.zero_()
        styler.leave.bias.copy_(torch.tensor([0.1, -0.2, 0.7]))
    images = draw(2, 3, 17, 14)
    painted = styler(images)
    expected = styler.leave.bias.tanh().view(1, 3, 1, 1).expand_as(images)
    torch.testing.assert_close(painted, expected)
    assert painted.requires_grad


def test_train_and_eval_paint_alike():
    styler, images = FastStyler(width=3, blocks=1), torch.rand(2, 3, 20, 18)
    assert torch.equal(styler.train()(images), styler.eval()(images))
    one = styler(images[:1])
    torch.testing.assert_close(one, styler(images)[:1], rtol=1e-4, atol=1e-5)


def test_nearest_texture_agrees_with_style_loss(unchanged):
    model, textures = network(), draw(4, 3, 14, 15)
    images = textures[[2, 0, 3, 1, 2]] + 0.1 * draw(5, 3, 14, 15, seed=1)
    with unchanged(model, images, textures):
        found = nearest_texture(model, LAYERS, images, textures)
    of_images, of_textures = (features_of(model, LAYERS, x) for x in (images, textures))
    losses = torch.tensor(
        [
            [
                style_loss(
                    [gram_matrix(of_images[layer][i : i + 1]) for layer in LAYERS],
                    [gram_matrix(of_textures[layer][j : j + 1]) for layer in LAYERS],
                    [1.0, 1.0],
                )
                for j in range(4)
            ]
            for i in range(5)
        ]
    )
    assert torch.equal(found, losses.argmin(1)) and found.tolist() == [2, 0, 3, 1, 2]


def test_statistics_do_not_know_places():
    features = draw(1, 5, 6, 7)
    shuffled = features.flatten(2)[..., torch.randperm(42)].view_as(features)
    torch.testing.assert_close(gram_matrix(features), gram_matrix(shuffled))
    assert F.mse_loss(features, shuffled) > 0.1


def test_memory_stays_flat_over_steps():
    alive = []

    def loss(images: Tensor) -> Tensor:
        alive.append(sum(issubclass(type(thing), Tensor) for thing in gc.get_objects()))
        return images.square().sum()

    descend(loss, torch.ones(1, 3, 16, 16), 30, 0.1)
    assert max(alive[2:]) == alive[2]


def test_a_code_is_judged_by_its_picture():
    model, painter, target = network(), network("painter"), torch.tensor([3, 1])
    codes = draw(2, 3, 4, 5).requires_grad_()
    found = code_loss(model, painter, codes, target, 0.7).detach()
    logits = model(painter(codes.detach()))
    by_hand = [
        0.7 * float(code.square().sum()) / 60 - float(row.detach()[chosen])
        for code, row, chosen in zip(codes.detach(), logits, (3, 1), strict=True)
    ]
    assert float(found) == pytest.approx(sum(by_hand) / 2, rel=1e-12)
    assert torch.autograd.gradcheck(
        lambda codes: code_loss(model, painter, codes, target, 0.7), codes
    )
    with pytest.raises(ValueError, match="target"):
        code_loss(model, painter, codes, target[:1], 0.7)


def test_without_a_pyramid_each_number_of_a_code_moves_by_itself():
    wanted = draw(2, 16, 3, 3)
    found = descend(
        lambda codes: (codes - wanted).square().sum(), torch.zeros_like(wanted), 300, 0.1, (1,)
    )
    assert torch.allclose(found, wanted, atol=0.02)
    # One step of Adam is as long for each number as the rate, whatever its slope.
    one = descend(lambda codes: (codes - wanted).square().sum(), wanted * 0, 1, 0.1, (1,))
    torch.testing.assert_close(one, 0.1 * wanted.sign(), rtol=1e-5, atol=1e-5)
