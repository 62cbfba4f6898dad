"""Cases of l06_activations."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from autograder.checks.inputs import between, normal, vary, whole
from autograder.course.exercise import Case

Size = tuple[int, int]


def _coin_flips(rng: Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=rng) < 0.5


def overlay_cases(rng: Generator) -> dict[str, Case]:
    def case(
        height: int, width: int, dim: float, mask: Tensor | None = None, double: bool = False
    ) -> Case:
        kind = torch.float64 if double else torch.float32
        image = torch.rand(3, height, width, generator=rng, dtype=kind)
        if mask is None:
            mask = _coin_flips(rng, height, width)
        return Case({"image": image, "mask": mask, "dim": dim}, picture=True)

    wanting_grad = case(8, 6, 0.4)
    wanting_grad.inputs["image"].requires_grad_()
    # As high as the image has colours: a mask may be laid over rows or over colours.
    cases = {
        "a wide image": case(6, 10, 0.3),
        "a high image": case(9, 5, 0.15),
        "an image of three rows": case(3, 3, 0.5),
        "float64": case(7, 8, 0.2, double=True),
        "an empty mask": case(5, 8, 0.35, torch.zeros(5, 8, dtype=torch.bool)),
        "a mask that is full": case(8, 5, 0.25, torch.ones(8, 5, dtype=torch.bool)),
        "black outside": case(6, 7, 0.0),
        "nothing darkened": case(6, 7, 1.0),
        "image requiring grad": wanting_grad,
        "a mask of another size": case(6, 8, 0.3, _coin_flips(rng, 3, 4)),
        "a mask of one row": case(6, 8, 0.3, _coin_flips(rng, 1, 8)),
    }
    return vary(cases, dim=0.7)


def _clear(
    rng: Generator,
    maps: Tensor,
    sizes: Sequence[Size],
    quantiles: Sequence[float],
    over: Tensor | None = None,
) -> None:
    """Change maps a little until no pixel lies at a threshold.

    Right ways to write a threshold differ in their last digits.

    Args:
        rng: draws the changes.
        maps: (N, C, h, w).
        sizes: to which they are enlarged.
        quantiles: of the thresholds.
        over: (N, C, ...), of which the thresholds are quantiles, if not of the maps.
    """
    shares = torch.tensor(quantiles, dtype=torch.float64)
    for _ in range(100):
        channels = (maps if over is None else over).double().transpose(0, 1).flatten(1)
        thresholds = channels.quantile(shares, dim=1)[:, None, :, None, None]
        fine = (F.interpolate(maps.double(), size, mode="bilinear") for size in sizes)
        if all((one - thresholds).abs().min() > 1e-5 for one in fine):
            return
        maps += 0.01 * torch.rand(maps.shape, generator=rng, dtype=maps.dtype)
    raise RuntimeError("a threshold falls on a pixel each time: take another quantile")


def mask_cases(rng: Generator) -> dict[str, Case]:
    def case(
        shape: Size,
        quantile: float,
        *sizes: Size,
        others: Sequence[float] = (),
        dtype: torch.dtype = torch.float32,
    ) -> Case:
        activation = normal(rng, *shape, dtype=dtype)
        _clear(rng, activation[None, None], sizes, (quantile, *others))
        given = {"activation": activation, "size": sizes[0], "quantile": quantile}
        return Case(given, picture=True)

    def of_channel(loudness: float, quantile: float) -> Case:
        """Draw an image beside louder or quieter ones."""
        over, size = normal(rng, 6, 5, 7), (29, 22)
        activation = loudness * over[2]
        _clear(rng, activation[None, None], [size], [quantile], over[:, None])
        given = {"activation": activation, "size": size, "quantile": quantile, "over": over}
        return Case(given, picture=True)

    def flat(value: float) -> Case:
        # Four times as large: the weights are eighths, and no way to add them up rounds.
        return Case({"activation": torch.full((4, 6), value), "size": (16, 24), "quantile": 0.9})

    one_place = torch.zeros(3, 6, 8)
    one_place[1, 1 + whole(rng, 4), 1 + whole(rng, 6)] = between(rng, 1, 3)
    mostly_silent = {"activation": one_place[1].clone(), "size": (25, 34), "over": one_place}
    wanting_grad = case((4, 5), 0.75, (21, 17))
    wanting_grad.inputs["activation"].requires_grad_()
    size = (41, 30)
    cases = {
        "one map": case((5, 7), 0.8, (24, 36), size, others=[0.6]),
        "a square map": case((7, 7), 0.9, (33, 33)),
        "a map of one row": case((1, 9), 0.7, (12, 40)),
        "float64": case((6, 4), 0.85, (27, 19), dtype=torch.float64),
        "a size as large as the map": case((6, 9), 0.65, (6, 9)),
        "a threshold for the channel": of_channel(1.4, 0.9),
        "an image quieter than the others": of_channel(0.2, 0.95),
        "an image louder than the others": of_channel(3.0, 0.6),
        "a map that is mostly 0": Case({**mostly_silent, "quantile": 0.5}, picture=True),
        "a map that is 0 everywhere": flat(0.0),
        "the same everywhere": flat(2.0),
        "a map with a graph": wanting_grad,
    }
    return vary(cases, quantile=0.6, size=size)


def field_cases(rng: Generator) -> dict[str, Case]:
    def case(*layers: tuple[int, int, int, int]) -> Case:
        return Case({"layers": list(layers)})

    def drawn(count: int) -> list[tuple[int, int, int, int]]:
        """Draw layers: kernel, stride, padding, dilation."""
        return [
            (2 + whole(rng, 4), 1 + whole(rng, 3), whole(rng, 3), 1 + whole(rng, 2))
            for _ in range(count)
        ]

    kernel, stride = 3 + whole(rng, 3), 2 + whole(rng, 2)
    return {
        "two layers": case((kernel, stride, 1, 1), (3, 2, 2, 1)),
        "one layer": case((5, 1 + whole(rng, 3), 1, 1)),
        "three layers without padding": case((3, 1, 0, 1), (5, 2, 0, 1), (3, 3, 0, 1)),
        "a pooling in the middle": case((3, 1, 1, 1), (2, 2, 0, 1), (kernel, 1, 1, 1)),
        "dilated kernels": case((3, 1, 2, 2), (3, stride, 4, 4), (3, 1, 1, 1)),
        "a stride and a dilation": case((3, stride, 1, 1), (3, 1, 3, 3)),
        "kernels of one pixel": case((1, stride, 0, 1), (3, 2, 1, 1), (1, 1, 0, 1)),
        "padding after strides": case((2, 2, 0, 1), (2, 2, 0, 1), (5, 1, 2, 1)),
        "six layers": case(*drawn(6)),
        "eight layers": case(*drawn(8)),
        "no layer": case(),
    }


def box_cases(rng: Generator) -> dict[str, Case]:
    def case(row: int, column: int, field: tuple[int, int, int], image_size: Size) -> Case:
        given = {"row": row, "column": column, "field": field, "image_size": image_size}
        return Case(given)

    a, b = whole(rng, 3), whole(rng, 4)
    cases = {
        "in the middle": case(3 + a, 5 + b, (11, 4, -3), (40, 64)),
        "the first unit": case(0, 0, (9 + 2 * a, 2, -4), (30, 20)),
        "the first row": case(0, 4 + b, (15, 4, -6 - a), (50, 60)),
        "the first column": case(5 + a, 0, (13, 3, -5 - b), (40, 30)),
        "the last unit": case(7, 9, (19, 4, -7 - a), (32, 40)),
        "the bottom row of a wide image": case(5, 6 + b, (10, 5, -2), (28, 90)),
        "a field larger than the image": case(1 + a, 2, (200 + b, 8, -96), (48, 56)),
        "a field of one pixel": case(6 + a, 2 + b, (1, 1, 0), (12, 9)),
        "strides that leave gaps": case(2, 1 + a, (3, 8, 1), (30, 40)),
        "padding only": case(0, 2 + a, (3, 4, -6), (20, 24)),
        "beyond the image": case(9, 3 + b, (5, 4, 0), (30, 60)),
    }
    return vary(cases, row=6, column=2, field=(7, 3, 2), image_size=(22, 31))


def _draw(
    rng: Generator, count: int, shape: Size, size: Size, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Draw maps, of which no two values are close, and images."""
    values = torch.randperm(count * shape[0] * shape[1], generator=rng).to(dtype)
    activations = (values / 7).view(count, *shape)
    return activations, torch.rand(count, 3, *size, generator=rng, dtype=dtype)


def _patch_case(activations: Tensor, images: Tensor, field: tuple[int, int, int], k: int) -> Case:
    return Case({"activations": activations, "images": images, "field": field, "k": k})


def patch_cases(rng: Generator) -> dict[str, Case]:
    field = (7, 4, -1)

    def case(count: int, k: int, shape: Size = (4, 6), size: Size = (16, 24), **how: Any) -> Case:
        return _patch_case(*_draw(rng, count, shape, size, **how), field, k)

    one_rules = case(5, 3)
    one_rules.inputs["activations"][3] += 100
    equal = case(6, 3)
    # Three images have the same maximum, and one of them has it twice.
    for image in (4, 1, 5):
        equal.inputs["activations"][image, 1 + whole(rng, 2), whole(rng, 3)] = 90
    equal.inputs["activations"][1, 3, 3 + whole(rng, 3)] = 90
    below = case(4, 2)
    below.inputs["activations"].sub_(200)
    corners = case(4, 4)
    for image, (row, column) in enumerate(((0, 0), (0, 5), (3, 0), (3, 5))):
        corners.inputs["activations"][image, row, column] += 100
    wanting_grad = case(3, 2)
    for name in ("activations", "images"):
        wanting_grad.inputs[name].requires_grad_()
    lost = case(3, 2)
    cases = {
        "five images": case(5, 3),
        "one image": case(1, 1),
        "more patches than images": case(3, 8),
        "the strongest units all in one image": one_rules,
        "equal scores": equal,
        "activations below zero": below,
        "units in the four corners": corners,
        "high images": case(4, 2, (7, 3), (28, 12)),
        "float64": case(4, 3, dtype=torch.float64),
        "tensors with a graph": wanting_grad,
        "maps for two of three images": Case(
            {**lost.inputs, "activations": lost.inputs["activations"][:2]}
        ),
        "no patch": case(3, 0),
    }
    return vary(cases, k=2, field=(5, 4, 2))


def stream_cases(rng: Generator) -> dict[str, Case]:
    def case(
        counts: Sequence[int], k: int, dtype: torch.dtype = torch.float32, field: Any = (6, 3, -1)
    ) -> Case:
        activations, images = _draw(rng, sum(counts), (4, 5), (12, 15), dtype)
        parts = zip(activations.split(list(counts)), images.split(list(counts)), strict=True)
        batches = [(one.clone(), other.clone()) for one, other in parts]
        return Case({"batches": batches, "field": field, "k": k})

    def set_scores(batches: Case, *scores: float) -> Case:
        """Give the images of a stream these scores, at units of their own."""
        left = list(scores)
        for activations, _ in batches.inputs["batches"]:
            for one in activations:
                one.clamp_(max=0)
                one[whole(rng, 4), whole(rng, 5)] = left.pop(0)
        return batches

    wanting_grad = case([2, 1, 2], 2)
    for pair in wanting_grad.inputs["batches"]:
        for tensor in pair:
            tensor.requires_grad_()
    odd = case([2, 2, 3], 2)
    odd.inputs["batches"][1] = (odd.inputs["batches"][1][0][:1], odd.inputs["batches"][1][1])
    cases = {
        "four batches": set_scores(case([2, 3, 3, 2], 4), 3, 9, 8, 1, 7, 2, 4, 5, 6, 0.5),
        "one batch": case([5], 3),
        "batches of one image": case([1] * 6, 3),
        "the strongest come first": set_scores(case([3, 2, 2], 3), 9, 8, 7, 3, 2, 1, 4),
        "the strongest come last": set_scores(case([2, 2, 3], 3), 1, 2, 3, 4, 7, 9, 8),
        "equal scores": set_scores(case([2, 2, 2], 3), 5, 7, 7, 5, 5, 7),
        "more patches than images": case([2, 1, 2], 9),
        "float64": case([2, 3], 3, torch.float64),
        "tensors with a graph": wanting_grad,
        "no batch": Case({"batches": [], "field": (6, 3, -1), "k": 3}),
        "a batch with a map too few": odd,
    }
    return vary(cases, k=2, field=(4, 3, 1))


def iou_cases(rng: Generator) -> dict[str, Case]:
    def case(
        shape: tuple[int, int, int, int], size: Size, quantile: float, double: bool = False
    ) -> Case:
        kind = torch.float64 if double else torch.float32
        activations = normal(rng, *shape, dtype=kind)
        masks = torch.zeros(shape[0], *size, dtype=torch.bool)
        for mask in masks:
            top, left = whole(rng, size[0] // 2), whole(rng, size[1] // 2)
            mask[top : top + 3 + whole(rng, 6), left : left + 3 + whole(rng, 6)] = True
        return Case({"activations": activations, "masks": masks, "quantile": quantile})

    def clear(drawn: Case, *others: float) -> Case:
        activations, masks = drawn.inputs["activations"], drawn.inputs["masks"]
        size = (masks.shape[-2], masks.shape[-1])
        _clear(rng, activations, [size], [drawn.inputs["quantile"], *others])
        return drawn

    loud = case((4, 5, 4, 5), (17, 22), 0.9)
    loud.inputs["activations"][1] *= 6
    empty = case((3, 4, 5, 4), (16, 15), 0.8)
    empty.inputs["masks"][1] = False
    nowhere = case((2, 3, 4, 4), (14, 18), 0.8)
    nowhere.inputs["masks"][:] = False
    silent = case((2, 3, 4, 6), (18, 20), 0.7)
    nothing = case((2, 3, 5, 4), (16, 19), 0.75)
    for drawn in (silent, nothing):
        drawn.inputs["activations"][:, 1] = 0
    nothing.inputs["masks"][:] = False
    wanting_grad = clear(case((2, 4, 5, 5), (18, 16), 0.75))
    wanting_grad.inputs["activations"].requires_grad_()
    lost = case((2, 3, 4, 4), (12, 12), 0.8)
    cases = {
        "four images": clear(case((4, 6, 5, 7), (22, 27), 0.8), 0.55),
        "one image": clear(case((1, 5, 6, 4), (25, 18), 0.85)),
        "twenty images": clear(case((20, 3, 3, 4), (10, 13), 0.9)),
        "one image louder than the others": clear(loud),
        "masks as large as the maps": clear(case((3, 4, 8, 9), (8, 9), 0.65)),
        "an image without the concept": clear(empty),
        "the concept nowhere": clear(nowhere),
        "a silent channel": silent,
        "a silent channel, the concept nowhere": nothing,
        "float64": clear(case((3, 4, 4, 6), (19, 23), 0.8, double=True)),
        "activations with a graph": wanting_grad,
        "a mask for one of two images": Case({**lost.inputs, "masks": lost.inputs["masks"][:1]}),
    }
    return vary(cases, quantile=0.55)
