"""Cases of l14_grad_cam."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import network, normal, refuse, vary, whole
from autograder.course.exercise import Case


def _lit_patches(rng: Generator, count: int, height: int, width: int) -> Tensor:
    """Draw black images with one patch of 4x4 coloured pixels in each.

    Their map is an impulse.
    """
    images = torch.zeros(count, 3, height, width)
    for image in images:
        row = 4 * int(torch.randint(height // 4, (), generator=rng))
        column = 4 * int(torch.randint(width // 4, (), generator=rng))
        colour = 0.2 + torch.rand(3, 1, 1, generator=rng)
        image[:, row : row + 4, column : column + 4] = colour
    return images


def _inputs(
    rng: Generator, model: str, layer: str, images: Tensor, target: list[int]
) -> dict[str, Any]:
    spec = network(rng, model, images)
    return {"model": spec, "layer": layer, "images": images, "target": torch.tensor(target)}


def layer_cases(rng: Generator) -> dict[str, Case]:
    """Return cases with a network, a layer, images and classes.

    Three of the exercises share them.
    """

    def case(model: str, layer: str, images: Tensor, target: list[int]) -> Case:
        return Case(_inputs(rng, model, layer, images, target), picture=True)

    double = normal(rng, 2, 3, 16, 20, dtype=torch.float64)
    wanting_grad = normal(rng, 2, 3, 12, 16).requires_grad_()
    cases = {
        "two images": case("plain", "conv2", normal(rng, 2, 3, 16, 24), [3, 1]),
        "one image": case("residual", "stem", normal(rng, 1, 3, 20, 14), [2]),
        "in-place ReLU": case("inplace", "conv2", normal(rng, 3, 3, 12, 16), [0, 4, 4]),
        "BatchNorm and dropout": case("normalised", "norm", normal(rng, 2, 3, 14, 18), [1, 0]),
        "float64": case("residual", "conv1", double, [4, 2]),
        "a name with dots": case("nested", "blocks.0.conv", normal(rng, 2, 3, 12, 16), [1, 0]),
        "a ReLU that runs three times": case("residual", "relu", normal(rng, 2, 3, 18, 14), [0, 3]),
        "weights known on paper": case("linear", "mix", normal(rng, 2, 3, 12, 16), [1, 3]),
        "frozen parameters": case("frozen", "relu1", normal(rng, 2, 3, 12, 14), [2, 1]),
        "one lit patch": case("patches", "relu", _lit_patches(rng, 3, 16, 24), [1, 0, 3]),
        "image already requiring grad": case("functional", "conv1", wanting_grad, [0, 2]),
        "an unknown layer": case("plain", "relu3", normal(rng, 1, 3, 12, 12), [0]),
        "images that the network refuses": case(
            "inplace", "relu2", normal(rng, 2, 4, 12, 12), [0, 1]
        ),
    }
    return refuse(vary(cases, layer="conv1"))


def weight_cases(rng: Generator) -> dict[str, Case]:
    def case(*shape: int, dtype: torch.dtype = torch.float32) -> Case:
        return Case({"activation_gradients": normal(rng, *shape, dtype=dtype)})

    flat = normal(rng, 2, 5, 1, 1).expand(2, 5, 4, 3).clone()
    return {
        "two images": case(2, 6, 5, 7),
        "one image": case(1, 8, 4, 4),
        "three images": case(3, 4, 3, 9),
        "one channel": case(2, 1, 5, 4),
        "one place": case(3, 6, 1, 1),
        "float64": case(2, 7, 7, 5, dtype=torch.float64),
        "the same everywhere": Case({"activation_gradients": flat}),
        "all zero": Case({"activation_gradients": torch.zeros(2, 3, 4, 6)}),
    }


def guided_cases(rng: Generator) -> dict[str, Case]:
    def case(
        model: str, layer: str, images: Tensor, target: list[int], guided: Tensor | None = None
    ) -> Case:
        # Given, so that nobody needs lesson 12 for this one.
        drawn = torch.randn(images.shape, generator=rng, dtype=images.dtype)
        inputs = _inputs(rng, model, layer, images, target)
        return Case({**inputs, "guided": drawn if guided is None else guided}, picture=True)

    def without(model: str, layer: str, images: Tensor, target: list[int]) -> Case:
        return Case(_inputs(rng, model, layer, images, target), picture=True)

    double = normal(rng, 2, 3, 18, 14, dtype=torch.float64)
    wanting_grad = normal(rng, 2, 3, 12, 20).requires_grad_()
    cases = {
        "two images": case("plain", "conv2", normal(rng, 2, 3, 16, 24), [3, 1]),
        "one image": case("residual", "stem", normal(rng, 1, 3, 20, 14), [2]),
        "float64": case("residual", "stem", double, [4, 0]),
        "BatchNorm and dropout": case("normalised", "norm", normal(rng, 2, 3, 14, 18), [1, 0]),
        "one lit patch": case(
            "patches", "relu", _lit_patches(rng, 2, 16, 24), [0, 0], torch.ones(2, 3, 16, 24)
        ),
        "a name with dots": case("nested", "blocks.0.conv", normal(rng, 2, 3, 12, 16), [1, 0]),
        "an unknown layer": case("plain", "relu3", normal(rng, 1, 3, 12, 12), [0]),
        "sizes that do not divide": case(
            "patches", "relu", _lit_patches(rng, 3, 15, 22), [0, 1, 3]
        ),
        "a layer as large as the image": case(
            "inplace", "relu1", normal(rng, 2, 3, 14, 14), [0, 4]
        ),
        "guided gradients requiring grad": case(
            "functional", "conv2", normal(rng, 2, 3, 12, 20), [0, 2], wanting_grad
        ),
        # Every class, for a map may be all zero.
        "without `guided`": without(
            "functional", "conv1", normal(rng, 5, 3, 12, 14), [3, 1, 0, 4, 2]
        ),
        "a network without ReLUs": without("linear", "mix", normal(rng, 2, 3, 12, 12), [1, 3]),
    }
    return refuse(vary(cases, layer="conv1"))


def covering_cases(rng: Generator) -> dict[str, Case]:
    def case(
        model: str,
        images: Tensor,
        target: list[int],
        maps: Tensor,
        share: float,
    ) -> Case:
        spec = network(rng, model, images)
        given = {"model": spec, "images": images, "target": torch.tensor(target)}
        return Case({**given, "maps": maps, "share": share})

    def maps(count: int, height: int, width: int) -> Tensor:
        """Draw maps of different loudness with a spot on one side.

        One threshold for the batch then shows, and so does a mirror image.
        """
        drawn = torch.rand(count, height, width, generator=rng)
        drawn[..., : width // 2] += 1
        return drawn * torch.linspace(0.3, 3, count)[:, None, None]

    # Off zero: what covers an image must change it.
    def photos(count: int, height: int, width: int) -> Tensor:
        return normal(rng, count, 3, height, width) + 0.8

    wanting_grad = photos(2, 14, 18).requires_grad_()
    cases = {
        "two images": case("plain", photos(2, 16, 22), [3, 1], maps(2, 4, 6), 0.2),
        "one image": case("residual", photos(1, 20, 14), [2], maps(1, 5, 4), 0.35),
        "three images": case("inplace", photos(3, 13, 17), [0, 4, 4], maps(3, 6, 8), 0.15),
        "a map as large as the image": case(
            "normalised", photos(2, 12, 15), [1, 0], maps(2, 12, 15), 0.3
        ),
        # Each pixel counts alike, whatever lies around it.
        "weights known on paper": case("linear", photos(2, 12, 16), [1, 3], maps(2, 3, 4), 0.25),
        "a map of zeros": case("plain", photos(2, 12, 14), [2, 0], torch.zeros(2, 3, 4), 0.2),
        "a map that is mostly 0": case(
            "plain", photos(2, 16, 16), [4, 1], _one_spot(rng, 2, 4, 6), 0.6
        ),
        "float64": case(
            "functional", photos(3, 15, 12).double(), [4, 2, 0], maps(3, 5, 4).double(), 0.3
        ),
        "image already requiring grad": case("plain", wanting_grad, [0, 2], maps(2, 4, 5), 0.2),
        "a map with a graph": case(
            "plain", photos(2, 14, 16), [1, 3], maps(2, 4, 4).requires_grad_(), 0.25
        ),
        "frozen parameters": case("frozen", photos(2, 12, 14), [2, 1], maps(2, 3, 5), 0.4),
        "images that the network refuses": case(
            "plain", normal(rng, 2, 4, 12, 12), [0, 1], maps(2, 3, 3), 0.2
        ),
    }
    one_map = case("plain", photos(2, 12, 12), [1, 0], maps(1, 3, 3), 0.2)
    return refuse(vary(cases, share=0.5)) | {"a map for one of two images": one_map}


def _one_spot(rng: Generator, count: int, height: int, width: int) -> Tensor:
    """Draw maps that are 0 but for one place each, left of the middle."""
    maps = torch.zeros(count, height, width)
    for one in maps:
        row, column = whole(rng, height), whole(rng, width // 2)
        one[row, column] = 0.5 + torch.rand((), generator=rng)
    return maps
