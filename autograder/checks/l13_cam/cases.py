"""Cases of l13_cam."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import between, network, normal, vary, whole
from autograder.course.exercise import Case

DOUBLE = torch.float64


def _shapes(rng: Generator) -> dict[str, Tensor]:
    """Draw features of many shapes, the plainest first."""
    return {
        "two images": normal(rng, 2, 6, 5, 7),
        "one image": normal(rng, 1, 5, 4, 4),
        "three images": normal(rng, 3, 4, 3, 8),
        "one channel": normal(rng, 2, 1, 6, 5),
        "one place": normal(rng, 3, 5, 1, 1),
        "float64": normal(rng, 2, 7, 6, 4, dtype=DOUBLE),
        "all zero": torch.zeros(2, 4, 3, 5),
    }


def pool_cases(rng: Generator) -> dict[str, Case]:
    in_graph = {"function": "global_average_pool", "features": normal(rng, 2, 4, 3, 5)}
    return {
        **{name: Case({"features": features}) for name, features in _shapes(rng).items()},
        "a network that learns": Case({**in_graph, "at": "features"}, call="gradient_at"),
    }


def head_cases(rng: Generator) -> dict[str, Case]:
    def case(features: Tensor, classes: int, call: str = "head") -> Case:
        channels, dtype = features.shape[1], features.dtype
        weight = normal(rng, classes, channels, dtype=dtype)
        bias = normal(rng, classes, dtype=dtype)
        return Case({"features": features, "weight": weight, "bias": bias}, call=call)

    # Before the linear layer nothing is cut off, and after it nothing either.
    cases = {
        name: case(features, 3 + number)
        for number, (name, features) in enumerate(_shapes(rng).items())
    }
    cases["one class"] = case(normal(rng, 2, 4, 5, 5), 1)
    cases["a network that learns"] = case(normal(rng, 2, 4, 3, 5), 3, "head_in_a_graph")
    return cases


def pointwise_cases(rng: Generator) -> dict[str, Case]:
    def given(features: Tensor, classes: int) -> dict[str, Tensor]:
        weight = normal(rng, classes, features.shape[1], dtype=features.dtype)
        return {"features": features, "weight": weight}

    shapes = _shapes(rng)
    square = normal(rng, 2, 4, 4, 4)  # nothing but the names tells the dimensions apart
    in_graph: dict[str, Any] = {
        "function": "pointwise_convolution",
        **given(normal(rng, 2, 4, 3, 5), 3),
    }
    return {
        **{
            name: Case(given(features, 3 + number), picture=True)
            for number, (name, features) in enumerate(shapes.items())
        },
        "as many classes as channels": Case(given(square, 4), picture=True),
        "one class": Case(given(normal(rng, 2, 5, 3, 4), 1), picture=True),
        "a network that learns": Case({**in_graph, "at": "features"}, call="gradient_at"),
        "a weight that learns": Case({**in_graph, "at": "weight"}, call="gradient_at"),
    }


def map_cases(rng: Generator) -> dict[str, Case]:
    def case(features: Tensor, classes: int, target: list[int]) -> Case:
        weight = normal(rng, classes, features.shape[1], dtype=features.dtype)
        given = {"features": features, "weight": weight, "target": torch.tensor(target)}
        return Case(given, picture=True)

    first = case(normal(rng, 3, 6, 5, 7), 4, [3, 1, 0])
    learning = case(normal(rng, 2, 4, 5, 3).requires_grad_(), 3, [2, 0])
    learning.inputs["weight"].requires_grad_()
    cases = {
        "three images": first,
        "one image": case(normal(rng, 1, 5, 4, 6), 3, [2]),
        "two images of one class": case(normal(rng, 2, 5, 4, 4), 3, [1, 1]),
        "as many classes as channels": case(normal(rng, 2, 4, 4, 6), 4, [3, 1]),
        "more images than classes": case(normal(rng, 5, 3, 3, 4), 2, [1, 0, 0, 1, 1]),
        "one place": case(normal(rng, 2, 6, 1, 1), 4, [2, 3]),
        "float64": case(normal(rng, 2, 5, 6, 4, dtype=DOUBLE), 6, [5, 0]),
        "weights that still learn": learning,
        "another target": replace(
            first, inputs={**first.inputs, "target": torch.tensor([0, 2, 2])}
        ),
    }
    return _refuse(cases, 4)


def _refuse(cases: dict[str, Case], classes: int) -> dict[str, Case]:
    """Add the first case, which has that many classes, with targets that do not fit."""
    first = next(iter(cases.values()))
    target = first.inputs["target"]
    wrong = {
        "a target shorter than the batch": target[:-1],
        "a class that is not there": torch.cat([target[:-1], torch.tensor([classes])]),
        "a class of -1": torch.cat([target[:-1], torch.tensor([-1])]),
    }
    return cases | {
        name: replace(first, inputs={**first.inputs, "target": one}) for name, one in wrong.items()
    }


def upsample_cases(rng: Generator) -> dict[str, Case]:
    def case(maps: Tensor, size: tuple[int, int]) -> Case:
        return Case({"maps": maps, "size": size}, picture=True)

    def loud(count: int, height: int, width: int) -> Tensor:
        """Draw maps of different loudness: one scale for all of them then shows."""
        return normal(rng, count, height, width) * torch.logspace(0, 1.5, count)[:, None, None]

    faint = loud(2, 3, 4)
    faint[:, 0, 0] = 1.1 * faint.amax((1, 2))  # a corner keeps its value when it is enlarged
    faint *= 8e-9 / faint[:, :1, :1]
    impulse = torch.zeros(2, 4, 5)
    impulse[0, whole(rng, 4), whole(rng, 5)] = impulse[1, 0, 4] = between(rng, 1, 3)
    nothing = loud(3, 4, 5)
    nothing[1] = -nothing[1].abs() - 0.1
    nothing[2] = 0
    cases = {
        "two maps": case(loud(2, 4, 6), (12, 21)),
        "one map": case(loud(1, 5, 4), (20, 16)),
        "one lit place": case(impulse, (16, 25)),
        "maps of nothing": case(nothing, (9, 14)),
        "maps whose largest value is 8e-9": case(faint, (8, 12)),
        "above 0 everywhere": case(loud(2, 4, 4).abs() + 1, (11, 13)),
        "already as large": case(loud(2, 6, 8), (6, 8)),
        "one place": case(loud(2, 1, 1).abs(), (5, 7)),
        "float64": case(loud(3, 3, 5).double(), (13, 10)),
        "a map with a graph": case(loud(2, 4, 3).requires_grad_(), (12, 9)),
    }
    return vary(cases, size=(17, 10))


def overlay_cases(rng: Generator) -> dict[str, Case]:
    def case(height: int, width: int, alpha: float, dtype: torch.dtype = torch.float32) -> Case:
        image = torch.rand(3, height, width, generator=rng, dtype=dtype)
        heatmap = torch.rand(height, width, generator=rng, dtype=dtype)
        return Case({"image": image, "heatmap": heatmap, "alpha": alpha}, picture=True)

    cold, hot, learning = case(5, 6, 0.7), case(6, 4, 0.4), case(7, 5, 0.55)
    cold.inputs["heatmap"].zero_()
    hot.inputs["heatmap"].fill_(1)
    learning.inputs["image"].requires_grad_()
    learning.inputs["heatmap"].requires_grad_()
    cases = {
        "a picture": case(8, 11, 0.6),
        "a square picture": case(3, 3, 0.35),
        "a map of zeros": cold,
        "a map of ones": hot,
        "the map alone": case(6, 9, 1.0),
        "the image alone": case(5, 7, 0.0),
        "float64": case(9, 6, 0.45, DOUBLE),
        "image and map with a graph": learning,
    }
    return vary(cases, alpha=0.25)


def localise_cases(rng: Generator) -> dict[str, Case]:
    def blobs(height: int, width: int, *found: tuple[int, int, int, int, float]) -> Case:
        """Draw a dim ground below 0.15, and blobs of at least `value` on it.

        Args:
            height, width: size of the map.
            found: top, left, bottom, right and value of each blob; a value of 0 cuts a hole.
        """
        heatmap = 0.15 * torch.rand(height, width, generator=rng)
        for top, left, bottom, right, value in found:
            part = heatmap[top:bottom, left:right]
            part.copy_(value * (1 + 0.1 * torch.rand(part.shape, generator=rng)))
        return Case({"heatmap": heatmap, "fraction": 0.3})

    a, b, c = whole(rng, 3), whole(rng, 4), whole(rng, 3)
    steps = torch.zeros(10, 14)
    steps[1:9, 1 : 9 + b] = 0.25
    steps[3 : 6 + a, 2 : 7 + c] = 1.0
    signed = blobs(9, 12, (2, 3, 6, 8 + c, 1.0), (7, 1, 8, 3, 1.0))
    signed.inputs["heatmap"].sub_(0.1)
    signed.inputs["heatmap"][:2, -2:] = -1.0
    loud = blobs(10, 15, (1, 8, 8, 12 + c, 1.0), (2, 1, 4, 4 + a, 3.0))
    loud.inputs["heatmap"].mul_(between(rng, 20, 60))
    faint = blobs(8, 13, (1 + a, 2, 5 + a, 9 + c, 1.0))
    faint.inputs["heatmap"].mul_(1e-3)
    single = blobs(12, 9, (4, 1 + a, 10, 6, 1.0), (1, 7, 3, 9, 1.0))
    double = Case({**single.inputs, "heatmap": single.inputs["heatmap"].double()})
    learning = blobs(9, 10, (2, 2 + b, 7, 6 + b, 1.0))
    learning.inputs["heatmap"].requires_grad_()
    cases = {
        # A speck with the highest peak, a blob with the highest sum, and the one with most pixels.
        # Each has a skirt that is bright at one fraction and dim at the other, and the ground has
        # such a border: whoever takes another of them still has two boxes for two fractions.
        "three blobs": blobs(
            17,
            22,
            (1, 2 + b, 2, 3 + b, 2.6),
            (1, 3 + b, 2, 4 + b, 1.0),
            (3 + a, 14, 7 + a, 18, 2.3),
            (3 + a, 18, 7 + a, 19, 1.0),
            (10, 9 + b, 15, 15 + b, 0.9),
            (10, 8 + b, 15, 9 + b, 0.7),
            (10, 7 + b, 15, 8 + b, 0.45),
            (16, 0, 17, 22, 1.0),
        ),
        "blobs that meet at a corner": blobs(9, 11, (1, 1, 4, 5, 1.0), (4, 5, 8, 7 + c, 1.0)),
        "a thin frame and a full blob": blobs(
            20, 24, (1, 2 + c, 11, 12 + c, 1.0), (2, 3 + c, 10, 11 + c, 0.0), (12, 8, 19, 14, 1.0)
        ),
        "two blobs of one size": blobs(
            11, 13, (1 + a, 1, 4 + a, 5, 1.0), (5, 6 + c, 9, 9 + c, 1.0)
        ),
        "values exactly at the fraction": Case({"heatmap": steps, "fraction": 0.25}),
        "more than half the map": blobs(10, 10, (1, a, 10, 8 + a, 1.0)),
        "one pixel": blobs(7, 9, (2 + a, 3 + b, 3 + a, 4 + b, 5.0)),
        "a map with values below 0": signed,
        "a loud map": loud,
        "a faint map": faint,
        "float64": double,
        "a map with a graph": learning,
        "a map of zeros": Case({"heatmap": torch.zeros(6, 8), "fraction": 0.2}),
        "nowhere above 0": Case({"heatmap": -torch.rand(5, 7, generator=rng), "fraction": 0.2}),
    }
    return vary(cases, fraction=0.6)


def step_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, images: Tensor, target: list[int], steps: int = 1, **more: Any) -> Case:
        spec = network(rng, model, images)
        given = {"model": spec, "images": images, "target": torch.tensor(target)}
        return Case({**given, "steps": steps, **more}, call="learn")

    first = case("plain", normal(rng, 3, 3, 12, 16), [3, 1, 1])
    cases = {
        "three images": first,
        "one image": case("residual", normal(rng, 1, 3, 14, 12), [2]),
        "four steps on one batch": case("plain", normal(rng, 2, 3, 12, 12), [0, 4], 4),
        "an optimiser with momentum": case(
            "inplace", normal(rng, 2, 3, 12, 14), [1, 4], 3, momentum=0.9
        ),
        "BatchNorm and dropout in eval mode": case(
            "normalised", normal(rng, 3, 3, 12, 14), [0, 2, 4], 2
        ),
        "weights known on paper": case("linear", 0.1 * normal(rng, 2, 3, 12, 12), [3, 0]),
        "float64": case("functional", normal(rng, 4, 3, 12, 16, dtype=DOUBLE), [4, 2, 0, 1], 2),
        "a network in train mode": case("residual", normal(rng, 2, 3, 12, 12), [1, 3], train=True),
    }
    # The cross-entropy leaves out a class of -100, and says nothing.
    left_out = {**first.inputs, "target": torch.tensor([3, 1, -100])}
    cases = _refuse(cases, 5) | {"a class of -100": replace(first, inputs=left_out)}
    wrong = {name: value for name, value in left_out.items() if name != "steps"}
    return cases | {"the weights after a class of -100": Case(wrong, call="refuse_to_learn")}


def accuracy_cases(rng: Generator) -> dict[str, Case]:
    def case(count: int, classes: int, dtype: torch.dtype = torch.float32) -> Case:
        """Draw logits that are right for about half of the images or more."""
        target = torch.arange(count) % classes
        target = target[torch.randperm(count, generator=rng)]
        logits = normal(rng, count, classes, dtype=dtype)
        helped = torch.rand(count, generator=rng) < 0.5
        logits[torch.arange(count)[helped], target[helped]] += 3
        return Case({"logits": logits, "target": target})

    first, absent, only, wrong = case(24, 4), case(15, 5), case(9, 3), case(12, 4)
    absent.inputs["target"][absent.inputs["target"] == whole(rng, 4)] = 4
    only.inputs["target"].fill_(whole(rng, 3))
    missed = wrong.inputs["target"]
    wrong.inputs["logits"][torch.arange(12), missed] = -20
    last = case(10, 4)
    last.inputs["target"].clamp_(max=2)
    learning = case(14, 3)
    learning.inputs["logits"].requires_grad_()
    cases = {
        "four classes": first,
        "more classes": case(40, 7),
        "one image": case(1, 3),
        "a class without images": absent,
        "the last class without images": last,
        "images of one class only": only,
        "none right": wrong,
        "float64": case(20, 6, DOUBLE),
        "logits with a graph": learning,
    }
    return _refuse(cases, 4)


def iou_cases(rng: Generator) -> dict[str, Case]:
    Box = tuple[int, int, int, int]

    def case(height: int, width: int, *pairs: tuple[Box, Box], fraction: float = 0.2) -> Case:
        """Draw a bright box on a dim ground, and an object in a box, for each image."""
        heatmaps = 0.1 * torch.rand(len(pairs), height, width, generator=rng)
        masks = torch.zeros(len(pairs), height, width, dtype=torch.bool)
        for heatmap, mask, (bright, box) in zip(heatmaps, masks, pairs, strict=True):
            top, left, bottom, right = bright
            part = heatmap[top:bottom, left:right]
            part.copy_(0.7 + 0.3 * torch.rand(part.shape, generator=rng))
            top, left, bottom, right = box
            # An object in three parts, which touches each side of its box and does not fill it.
            mask[top, left] = mask[bottom - 1, right - 1] = True
            mask[top:bottom, (left + right) // 2] = True
        return Case({"heatmaps": heatmaps, "masks": masks, "fraction": fraction})

    def drawn(count: int, height: int, width: int) -> Case:
        """Draw pairs of boxes that overlap more or less."""
        pairs = []
        for _ in range(count):
            top, left = 1 + whole(rng, 3), 1 + whole(rng, 3)
            one = (top, left, top + 3 + whole(rng, 4), left + 4 + whole(rng, 4))
            top, left = top + whole(rng, 3), left + whole(rng, 3)
            pairs.append((one, (top, left, top + 3 + whole(rng, 3), left + 4 + whole(rng, 3))))
        return case(height, width, *pairs)

    b = whole(rng, 3)
    first = drawn(5, 12, 15)
    first.inputs["heatmaps"][:, -1, -1] = 0.9  # a speck
    nothing = case(8, 9, ((1, 1, 5, 6), (2, 2, 6, 7)), ((2, 3, 6, 8), (3, 1, 7, 6)))
    nothing.inputs["heatmaps"][1] = 0
    single = drawn(4, 13, 12).inputs
    double = Case({**single, "heatmaps": single["heatmaps"].double()})
    learning = drawn(3, 11, 13)
    learning.inputs["heatmaps"].requires_grad_()
    lost = case(9, 8, ((1, 1, 5, 6), (2, 2, 6, 7)), ((2, 3, 6, 8), (3, 1, 7, 6)))
    lost.inputs["masks"][0] = False
    masks = first.inputs["masks"]
    one_mask = Case({**first.inputs, "masks": masks[:1]})
    too_many = Case({**first.inputs, "masks": torch.cat([masks, masks[:1]])})
    stages = case(14, 14, ((2, 2, 11, 12), (4, 5, 10, 10)), ((3, 1, 12, 10), (2, 3, 9, 12)))
    stages.inputs["heatmaps"][:, 5:8, 5:9] = 2.0
    cases = {
        "five images": first,
        "one image": case(10, 13, ((2, 1, 7, 8 + b), (3, 4, 9, 12))),
        "the same box": case(9, 9, ((2, 3, 7, 8), (2, 3, 7, 8)), ((1, 1, 5, 6), (1, 1, 5, 6))),
        "one box in the other": case(
            12, 10, ((1, 1, 11, 9), (4, 3, 8, 7)), ((5, 4, 8, 7), (2, 2, 11, 9))
        ),
        "boxes that do not meet": case(
            12, 14, ((0, 0, 4, 4), (7, 8, 12, 13)), ((1, 9, 5, 13), (6, 1, 11, 6))
        ),
        "boxes that touch": case(
            10, 12, ((1, 1, 5, 6), (5, 6, 9, 11)), ((2, 1, 7, 5), (2, 5, 7, 10))
        ),
        "a map of zeros beside another": nothing,
        "maps in two steps": stages,
        "float64": double,
        "a map with a graph": learning,
        "an object without a pixel": lost,
        "fewer masks than maps": one_mask,
        "more masks than maps": too_many,
    }
    return cases | {"another fraction": replace(stages, inputs={**stages.inputs, "fraction": 0.8})}
