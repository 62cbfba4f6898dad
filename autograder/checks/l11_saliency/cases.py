"""Cases of l11_saliency."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import (
    between,
    constant,
    fresh_seed,
    network,
    normal,
    refuse,
    vary,
    whole,
)
from autograder.course.exercise import Case


def saliency_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, images: Tensor, target: list[int]) -> Case:
        spec = network(rng, model, images)
        inputs = {"model": spec, "images": images, "target": torch.tensor(target)}
        return Case(inputs, picture=True)

    wide = normal(rng, 2, 3, 16, 24)
    cases = {
        "two images": case("plain", wide, [3, 1]),
        "one image": case("plain", normal(rng, 1, 3, 20, 14), [2]),
        "in-place ReLU": case("inplace", normal(rng, 3, 3, 12, 12), [0, 4, 4]),
        "BatchNorm and dropout": case("normalised", normal(rng, 2, 3, 14, 18), [1, 0]),
        "float64": case("residual", normal(rng, 2, 3, 16, 16, dtype=torch.float64), [4, 2]),
        "weights known on paper": case("linear", normal(rng, 2, 3, 12, 16), [1, 3]),
        "a constant image": case("plain", constant(rng, 1, 3, 12, 14), [4]),
        "image already requiring grad": case(
            "functional", normal(rng, 2, 3, 12, 16).requires_grad_(), [0, 2]
        ),
    }
    return refuse(cases)


def smooth_cases(rng: Generator) -> dict[str, Case]:
    # Each image has a multiple of 16 values: only then does torch draw the same numbers for all
    # copies at once as for one copy after the other, and both ways are right.
    def case(model: str, images: Tensor, target: list[int], samples: int, noise: float) -> Case:
        inputs = {
            "model": network(rng, model, images),
            "images": images,
            "target": torch.tensor(target),
            "samples": samples,
            "noise": noise,
            "seed": fresh_seed(rng),
        }
        return Case(inputs, picture=True)

    def contrasts(count: int, height: int, width: int) -> Tensor:
        """Draw images of different ranges.

        One range for the whole batch then shows.
        """
        contrast = torch.linspace(0.5, 3.0, count)[:, None, None, None]
        return normal(rng, count, 3, height, width) * contrast

    flat = torch.cat([contrasts(1, 16, 16), constant(rng, 1, 3, 16, 16)])
    cases = {
        "two images, 4 copies": case("plain", contrasts(2, 16, 24), [3, 1], 4, 0.15),
        "one image, 12 copies": case("inplace", contrasts(1, 16, 12), [2], 12, 0.3),
        "three images, one copy": case("residual", contrasts(3, 16, 16), [4, 0, 4], 1, 0.1),
        "BatchNorm and dropout": case("normalised", contrasts(2, 16, 16), [1, 0], 4, 0.2),
        "float64": case("functional", contrasts(2, 16, 20).double(), [0, 3], 3, 0.15),
        # Loud enough that the class a copy is taken for changes from copy to copy.
        "weights known on paper": case("linear", contrasts(2, 12, 16), [1, 3], 8, 0.6),
        "a constant image beside another": case("plain", flat, [2, 4], 6, 0.25),
        "image already requiring grad": case(
            "functional", contrasts(1, 16, 16).requires_grad_(), [1], 2, 0.2
        ),
    }
    return refuse(vary(cases, samples=5, noise=0.4, seed=fresh_seed(rng)))


def box_cases(rng: Generator) -> dict[str, Case]:
    def blobs(height: int, width: int, *boxes: tuple[int, int, int, int, float]) -> Case:
        """Draw noise below 0.1 with blobs above it.

        The quantile separates exactly the two.

        Args:
            height, width: size of the map.
            boxes: top, left, bottom, right and value of each blob; a value of 0 cuts a hole.
        """
        saliency = 0.1 * torch.rand(height, width, generator=rng)
        inside = torch.zeros(height, width, dtype=torch.bool)
        for top, left, bottom, right, value in boxes:
            region = saliency[top:bottom, left:right]
            region.copy_(value + 0.1 * torch.rand(region.shape, generator=rng))
            inside[top:bottom, left:right] = value > 0
        quantile = (saliency.numel() - int(inside.sum()) - 0.5) / (saliency.numel() - 1)
        return Case({"saliency": saliency, "quantile": round(quantile, 6)})

    a, b, c = whole(rng, 3), whole(rng, 4), whole(rng, 3)
    steps = torch.zeros(14, 18)
    steps[2 + a : 10 + a, 4 : 13 + b] = 1.0
    steps[4 + a : 6 + a, 6 : 9 + c] = 2.0
    mostly_zero = torch.zeros(10, 13)
    mostly_zero[3 : 6 + a, 2:9] = torch.rand(3 + a, 7, generator=rng)
    high = blobs(10, 20, (3, 4 + b, 9, 12 + c, 1.0), (1, 1, 3, 2, 1.0))
    cases = {
        # A speck with the highest peak, a blob with the highest sum, and the one with most pixels.
        "three blobs": blobs(
            18,
            26,
            (1, 2 + b, 2, 3 + b, 30.0),
            (5 + a, 17, 7 + a, 20, 9.0),
            (11, 13 + b, 16, 21 + b, 1.0),
        ),
        "blobs that meet at a corner": blobs(9, 11, (1, 1, 4, 5, 1.0), (4, 5, 8, 7 + c, 1.0)),
        "a thin frame and a full blob": blobs(
            20, 24, (1, 2 + c, 11, 12 + c, 1.0), (2, 3 + c, 10, 11 + c, 0.0), (12, 8, 19, 14, 1.0)
        ),
        "the largest blob first": blobs(12, 15, (1, 1, 6, 7 + b, 1.0), (8, 9 + c, 11, 13, 1.0)),
        "two steps": Case({"saliency": steps, "quantile": 0.8}),
        "mostly zero": Case({"saliency": mostly_zero, "quantile": 0.4}),
        "more than half the map": blobs(12, 12, (1, a // 2, 12, 10 + a // 2, 1.0)),
        "one pixel": blobs(7, 9, (2 + a, 3 + b, 3 + a, 4 + b, 5.0)),
        "float64, never near zero": Case(
            {
                "saliency": high.inputs["saliency"].double() + 50.0,
                "quantile": high.inputs["quantile"],
            }
        ),
    }
    return vary(cases, quantile=0.5)


def segmentation_cases(rng: Generator) -> dict[str, Case]:
    def scene(height: int, width: int) -> dict[str, Tensor]:
        inside = torch.zeros(height, width, dtype=torch.bool)
        inside[height // 4 : height * 3 // 4, width // 3 : width * 2 // 3] = True
        colours = torch.rand(3, 2, generator=rng)
        image = torch.where(inside, colours[:, :1, None], 1 - colours[:, :1, None])
        image = (image + 0.2 * torch.rand(3, height, width, generator=rng)).clamp(0, 1)
        saliency = torch.rand(height, width, generator=rng) + 0.8 * inside
        return {"image": image, "saliency": saliency}

    stepped = scene(18, 22)
    stepped["saliency"] = (stepped["saliency"] * 5).round() / 5
    double = {name: tensor.double() for name, tensor in scene(14, 20).items()}
    cases = {
        "usual quantiles": Case({**scene(20, 28), "foreground": 0.9, "background": 0.4}),
        "other quantiles": Case({**scene(24, 18), "foreground": 0.8, "background": 0.5}),
        "a square picture": Case({**scene(16, 16), "foreground": 0.9, "background": 0.2}),
        "a map in steps": Case({**stepped, "foreground": 0.85, "background": 0.25}),
        "float64, default quantiles": Case(double),
    }
    return vary(cases, foreground=0.7, background=0.1)


def lift_cases(rng: Generator) -> dict[str, Case]:
    def case(count: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> Case:
        """Draw maps of different loudness, and a box of its own on each for the object."""
        loudness = torch.logspace(-2, 1, count)[torch.randperm(count, generator=rng)]
        saliency = torch.rand(count, height, width, generator=rng, dtype=dtype)
        masks = torch.zeros(count, height, width, dtype=torch.bool)
        for mask in masks:
            top, left = whole(rng, height // 2), whole(rng, width // 2)
            mask[top : top + 2 + whole(rng, 4), left : left + 3 + whole(rng, 4)] = True
        saliency = saliency + 2 * masks * torch.rand(count, 1, 1, generator=rng)
        return Case({"saliency": saliency * loudness[:, None, None].to(dtype), "masks": masks})

    even = case(2, 8, 9)
    even.inputs["saliency"][:] = between(rng, 0.2, 3)
    on_it = case(3, 10, 7)
    on_it.inputs["saliency"].mul_(on_it.inputs["masks"])
    beside = case(2, 9, 11)
    beside.inputs["saliency"].mul_(~beside.inputs["masks"])
    everywhere = case(2, 6, 8)
    everywhere.inputs["masks"][:] = True
    nothing = case(3, 8, 8)
    nothing.inputs["saliency"][1] = 0
    wanting_grad = case(2, 9, 8)
    wanting_grad.inputs["saliency"].requires_grad_()
    lost = case(2, 7, 9)
    lost.inputs["masks"][1] = False
    return {
        "three maps": case(3, 12, 17),
        "one map": case(1, 16, 10),
        "the same everywhere": even,
        "all of it on the object": on_it,
        "none of it on the object": beside,
        "an object that fills the picture": everywhere,
        "a map that is 0 everywhere": nothing,
        "float64": case(4, 9, 12, torch.float64),
        "a map with a graph": wanting_grad,
        "an object without a pixel": lost,
    }
