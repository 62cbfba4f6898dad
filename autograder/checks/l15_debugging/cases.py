"""Cases of l15_debugging."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import between, fresh_seed, network, normal, refuse, vary, whole
from autograder.course.exercise import Case
from autograder.worker.networks import build


def correlation_cases(rng: Generator) -> dict[str, Case]:
    def case(a: Tensor, b: Tensor) -> Case:
        return Case({"a": a, "b": b})

    def related(*shape: int, like: float) -> tuple[Tensor, Tensor]:
        a = normal(rng, *shape)
        return a, like * a + (1 - abs(like)) * normal(rng, *shape)

    a, b = related(8, 9, like=0.5)
    bent = normal(rng, 6, 7)
    one_far_off = related(7, 6, like=0.6)
    one_far_off[1][whole(rng, 7), whole(rng, 6)] = 60.0
    return {
        "two maps": case(*related(7, 9, like=0.4)),
        "maps that are mostly 0": case(a.relu(), b.relu()),
        "values in steps": case(a.round(), (2 * b).round()),
        "one value far off": case(*one_far_off),
        "the same order, other values": case(bent, bent.exp()),
        "the order turned round": case(bent, -(bent**3)),
        "nearly opposite": case(*related(5, 8, like=-0.7)),
        "three dimensions": case(*related(3, 4, 5, like=0.3)),
        "float64": case(*(x.double() for x in related(6, 6, like=0.5))),
        "a map requiring grad": case(related(5, 7, like=0.2)[0].requires_grad_(), bent[:5]),
        "a map that is the same everywhere": case(bent, torch.full_like(bent, 0.5)),
        "two maps of one number": case(*[torch.full_like(bent, between(rng, 0, 1))] * 2),
        "maps of two shapes": case(bent, normal(rng, 7, 6)),
    }


def cascade_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, dtype: torch.dtype = torch.float32, **given: Any) -> Case:
        images = normal(rng, 2, 3, 12, 12, dtype=dtype)
        spec = network(rng, model, images)
        return Case({"model": spec, "seed": fresh_seed(rng), "images": images, **given}, "cascade")

    cases = {
        "two convolutions and a classifier": case("plain"),
        "BatchNorm and dropout": case("normalised"),
        "layers within layers": case("nested"),
        "float64": case("functional", torch.float64),
        "only the layers that are named": case("plain", parts=["conv1", "classifier"]),
        "whole blocks": case("nested", parts=["stem", "blocks", "classifier"]),
        "frozen parameters": case("frozen"),
        "train mode": case("functional", train=True),
        "parameters of containers": case("plain", framed=True),
        "an unknown layer": case("plain", parts=["conv1", "conv3"]),
    }
    return vary(cases, seed=fresh_seed(rng))


def pointing_cases(rng: Generator) -> dict[str, Case]:
    def aimed(tolerance: float, *offsets: tuple[int, int]) -> Case:
        """Draw maps whose peaks lie below and right of an object's lower right corner.

        Args:
            tolerance: in pixels.
            offsets: rows and columns from the corner to each peak; below 0 inside the object.
        """
        maps = torch.rand(len(offsets), 17, 22, generator=rng)
        masks = torch.zeros(maps.shape, dtype=torch.bool)
        for one, mask, (down, right) in zip(maps, masks, offsets, strict=True):
            row, column = 7 + whole(rng, 4), 8 + whole(rng, 6)
            mask[row - 4 : row + 1, column - 5 : column + 1] = True
            one[row + down, column + right] = 2.0 + between(rng, 0, 9)
        return Case({"maps": maps, "masks": masks, "tolerance": tolerance})

    near, far = [(1, 1), (0, 2), (-1, -2), (2, 0)], [(4, 4), (0, 5), (3, 4)]
    first = aimed(2.5, *near, *far, (2, 2))
    maps = torch.rand(4, 9, 12, generator=rng)
    # Two peaks of one height: in three maps the first lies off the object and the second on it,
    # in one it is the other way round.
    twice, masks = maps.clone(), torch.zeros(maps.shape, dtype=torch.bool)
    masks[:, 5:8, 3:7] = True
    pairs = [((1, 9), (6, 5)), ((2, 4), (6, 5)), ((6, 4), (8, 10)), ((0, 0), (6, 5))]
    for one, (first_peak, second_peak) in zip(twice, pairs, strict=True):
        one[first_peak] = one[second_peak] = 3.0
    corner = torch.zeros(maps.shape, dtype=torch.bool)
    corner[:, :, :2] = corner[:, 7:, :] = True  # an L: its box is the picture
    parts = torch.zeros(maps.shape, dtype=torch.bool)
    parts[:, :2, :2] = parts[:, 7:, 9:] = True
    peaked = maps.clone()
    for one, (row, column) in zip(peaked, [(1, 10), (4, 5), (8, 3), (0, 1)], strict=True):
        one[row, column] = 4.0
    silent = maps.clone()
    silent[[0, 2]] = 0
    everywhere = torch.ones(maps.shape, dtype=torch.bool)
    cases = {
        "eight maps": first,
        "no tolerance": aimed(0, (0, 0), (-2, -1), (0, 1), (1, 0), (1, 1)),
        "one map": aimed(3, (2, 1)),
        "a tolerance to the pixel": aimed(2, (0, 2), (2, 0), (1, 2), (2, 2), (0, 3)),
        "diagonal neighbours": aimed(1.5, (1, 1), (1, 2), (2, 1), (2, 2), (1, 0)),
        "two peaks of one height": Case({"maps": twice, "masks": masks, "tolerance": 0}),
        "an object in the shape of an L": Case({"maps": peaked, "masks": corner, "tolerance": 1}),
        "an object of two parts": Case({"maps": peaked, "masks": parts, "tolerance": 2}),
        "maps of zeros": Case({"maps": silent, "masks": everywhere, "tolerance": 1}),
        "float64": Case(
            {"maps": peaked.double(), "masks": corner.flip(2), "tolerance": 2.0},
        ),
        "maps requiring grad": Case(
            {"maps": peaked.clone().requires_grad_(), "masks": masks, "tolerance": 4}
        ),
        "masks of another size": Case({"maps": peaked, "masks": masks[:, :6], "tolerance": 1}),
        "one mask for four maps": Case({"maps": peaked, "masks": masks[:1], "tolerance": 1}),
    }
    return vary(cases, tolerance=5)


def curve_cases(rng: Generator) -> dict[str, Case]:
    """Return cases of a network, an image and a map, for two exercises."""

    def case(model: str, image: Tensor, saliency: Tensor, steps: int, **given: Any) -> Case:
        target = torch.tensor([whole(rng, 5)])
        inputs = {"model": network(rng, model, image), "image": image, "saliency": saliency}
        return Case({**inputs, "target": target, "steps": steps, "fill": 0.0, **given})

    def photo(height: int, width: int) -> Tensor:  # off zero: what covers it must change it
        return normal(rng, 1, 3, height, width) + 0.8

    def heat(height: int, width: int) -> Tensor:
        return torch.rand(height, width, generator=rng)

    cases = {
        "ten steps": case("plain", photo(12, 14), heat(12, 14), 10),
        "one step": case("residual", photo(12, 13), heat(12, 13), 1),
        "steps that do not divide": case("inplace", photo(13, 12), heat(13, 12), 7),
        "more pictures than fit at once": case("plain", photo(12, 12), heat(12, 12), 36),
        "equal values": case("functional", photo(12, 12), (3 * heat(12, 12)).round(), 6),
        "a map of zeros": case("plain", photo(12, 13), torch.zeros(12, 13), 5),
        "a signed map": case("plain", photo(14, 12), normal(rng, 14, 12), 8),
        "weights known on paper": case("linear", photo(12, 12), heat(12, 12), 6),
        "filled with a number": case("plain", photo(12, 14), heat(12, 14), 5, fill=-1.5),
        "filled with a picture": case(
            "residual", photo(12, 14), heat(12, 14), 6, fill=normal(rng, 1, 3, 12, 14)
        ),
        "BatchNorm and dropout": case("normalised", photo(12, 12), heat(12, 12), 4),
        "float64": case("plain", photo(12, 12).double(), heat(12, 12).double(), 5),
        "image requiring grad": case("plain", photo(12, 12).requires_grad_(), heat(12, 12), 4),
        "a map of another size": case("plain", photo(12, 12), heat(6, 6), 4),
        "a map that lies on its side": case("plain", photo(12, 14), heat(14, 12), 4),
    }
    return _no_such_class(refuse(vary(cases, steps=7, fill=0.9)))


def _no_such_class(cases: dict[str, Case]) -> dict[str, Case]:
    """Add the first case with classes that its network does not have."""
    first = next(iter(cases.values()))

    def asked(number: int) -> Case:
        target = first.inputs["target"].clone()
        target[-1] = number
        return replace(first, inputs={**first.inputs, "target": target})

    return cases | {"a class that is not there": asked(5), "a class of -1": asked(-1)}


def insertion_cases(rng: Generator) -> dict[str, Case]:
    """Return the cases that tell insertion from what is nearly it."""
    left_out = ("more pictures than fit at once", "one step", "a signed map", "a map of zeros")
    return {name: case for name, case in curve_cases(rng).items() if name not in left_out}


def comparison_cases(rng: Generator) -> dict[str, Case]:
    def case(
        model: str,
        height: int,
        width: int,
        *methods: str,
        double: bool = False,
        call: str = "compare",
    ) -> Case:
        image = normal(rng, 1, 3, height, width, dtype=torch.float64 if double else torch.float32)
        spec, untrained = network(rng, model, image), network(rng, model, image)
        target = whole(rng, 5)
        mask = torch.zeros(height, width, dtype=torch.bool)
        mask[3 + whole(rng, 3) : 9, 2 + whole(rng, 4) : width - 3] = True
        given = {"model": spec, "untrained": untrained, "image": image, "mask": mask}
        classes = {"target": torch.tensor([target]), "other": torch.tensor([(target + 2) % 5])}
        return Case({**given, **classes, "methods": list(methods)}, call)

    wanting_grad = case("functional", 12, 12, "gradient", "bands")
    wanting_grad.inputs["image"].requires_grad_()
    return {
        "two methods": case("plain", 12, 14, "gradient", "bands"),
        "a map that asks no network": case("plain", 12, 15, "brightness", "gradient"),
        "a map of zeros": case("inplace", 12, 12, "nothing", "gradient"),
        "BatchNorm and dropout": case("normalised", 12, 13, "gradient"),
        "float64": case("residual", 13, 12, "bands", "gradient", double=True),
        "image requiring grad": wanting_grad,
        "three methods in their order": case(
            "plain", 12, 12, "gradient", "brightness", "bands", call="compare_and_look_around"
        ),
        "no method": case("plain", 12, 12),
        "a method that raises an error": case("plain", 12, 12, "gradient", "broken"),
    }


def window_cases(rng: Generator) -> dict[str, Case]:
    def case(maps: Tensor, window: int) -> Case:
        return Case({"maps": maps, "window": window}, picture=True)

    def hills(count: int, height: int, width: int) -> Tensor:
        """Draw noise, a broad hill, and a single pixel above all else."""
        maps = torch.rand(count, height, width, generator=rng)
        for one in maps:
            row, column = whole(rng, height - 4), whole(rng, width - 4)
            one[row : row + 4, column : column + 4] += 2
            one[whole(rng, height), whole(rng, width)] += 5
        return maps

    border = torch.rand(2, 9, 11, generator=rng)
    border[0, :, -1] += 3
    border[1, -1] += 3
    equal = torch.zeros(2, 8, 10)
    equal[:, 1:3, 2:4] = equal[:, 5:7, 5:7] = 1 + between(rng, 0, 1)
    cases = {
        "three maps": case(hills(3, 14, 18), 4),
        "one map": case(hills(1, 16, 12), 5),
        "a window of one pixel": case(hills(3, 9, 12), 1),
        "as high as the map": case(hills(2, 8, 13), 8),
        "at the border": case(border, 3),
        "two windows with the same sum": case(equal, 2),
        "a map of zeros": case(torch.zeros(2, 7, 9), 3),
        "float64": case(hills(2, 12, 15).double(), 6),
        "maps requiring grad": case(hills(2, 13, 10).requires_grad_(), 4),
    }
    return vary(cases, window=6)


def shortcut_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, count: int, height: int, width: int, window: int, **given: Any) -> Case:
        """Draw pictures with a loud spot, and maps that are brightest there."""
        dtype = given.pop("dtype", torch.float32)
        images, others = (
            0.25 * normal(rng, count, 3, height, width, dtype=dtype)
            + 0.3 * normal(rng, count, 3, 1, 1, dtype=dtype)
            for _ in range(2)
        )
        maps = 0.5 * torch.rand(count, height, width, generator=rng, dtype=dtype)
        for image, one in zip(images, maps, strict=True):
            row, column = whole(rng, height - window + 1), whole(rng, width - window + 1)
            spot = (slice(row, row + window), slice(column, column + window))
            image[:, *spot] += 3 * normal(rng, 3, 1, 1, dtype=dtype)
            one[spot] += 1
        spec = network(rng, model, images)
        with torch.no_grad():
            target = build(spec)(images).argmax(1)
        target[: count // 4] = torch.randint(5, (count // 4,), generator=rng)
        inputs = {"model": spec, "images": images, "target": target, "others": others}
        return Case({**inputs, "maps": maps, "window": window, **given})

    wanting_grad = case("linear", 9, 12, 13, 4)
    for name in ("images", "others", "maps"):
        wanting_grad.inputs[name].requires_grad_()
    first = case("linear", 16, 12, 16, 4)
    cases = {
        "sixteen images": first,
        "twelve images": case("linear", 12, 14, 13, 6),
        "one image": case("linear", 1, 12, 12, 4),
        "half of the picture": case("linear", 12, 12, 14, 9),
        "one pixel": case("linear", 10, 12, 12, 1),
        "BatchNorm and dropout": case("normalised", 10, 12, 14, 5),
        "float64": case("linear", 11, 13, 12, 4, dtype=torch.float64),
        "images requiring grad": wanting_grad,
    }
    fewer = {name: first.inputs[name][:-1] for name in ("others", "maps")}
    short = {
        f"too few {name}": replace(first, inputs={**first.inputs, name: value})
        for name, value in fewer.items()
    }
    none = {name: first.inputs[name][:0] for name in ("images", "target", "others", "maps")}
    short["no image"] = replace(first, inputs={**first.inputs, **none})
    # So large a window leaves little of any picture: no mistake has the same shares with both.
    return _no_such_class(refuse(vary(cases, window=12))) | short
