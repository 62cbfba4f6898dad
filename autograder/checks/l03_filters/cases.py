"""Cases of l03_filters."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import between, constant, network, normal, refuse, vary, whole
from autograder.course.exercise import Case


def bank(rng: Generator, *shape: int) -> Tensor:
    """Draw filters of very different loudness, none of them around zero."""
    loudness = torch.logspace(-3, 1, shape[0])[torch.randperm(shape[0], generator=rng)]
    mean = torch.randn(shape[0], 1, 1, 1, generator=rng)
    return loudness[:, None, None, None] * (normal(rng, *shape) + 0.7 * mean)


def silent(rng: Generator, *shape: int) -> Tensor:
    """Draw filters of which the second is zero."""
    weight = bank(rng, *shape)
    weight[1] = 0
    return weight


def grey_cases(rng: Generator) -> dict[str, Case]:
    def case(weight: Tensor) -> Case:
        return Case({"weight": weight})

    return {
        "five filters": case(bank(rng, 5, 3, 4, 6)),
        "one filter": case(bank(rng, 1, 3, 5, 5)),
        "a filter of zeros": case(silent(rng, 4, 3, 3, 3)),
        "negative weights alone": case(-bank(rng, 4, 3, 3, 5).abs()),
        "a constant filter": case(constant(rng, 1, 3, 4, 4)),
        "very quiet filters": case(1e-9 * normal(rng, 3, 3, 4, 5)),
        "filters that read eight channels": case(bank(rng, 3, 8, 2, 3)),
        "float64": case(bank(rng, 3, 3, 5, 4).double()),
        "weights that require grad": case(bank(rng, 3, 3, 3, 4).requires_grad_()),
    }


def grid_cases(rng: Generator) -> dict[str, Case]:
    def case(weight: Tensor, columns: int, padding: int = 1) -> Case:
        return Case({"weight": weight, "columns": columns, "padding": padding}, picture=True)

    cases = {
        "the last row not full": case(bank(rng, 7, 3, 3, 5), 4),
        "full rows": case(bank(rng, 6, 3, 5, 4), 2),
        "no padding": case(bank(rng, 5, 3, 4, 3), 3, 0),
        "a filter of zeros": case(silent(rng, 4, 3, 3, 4), 3),
        "filters that read one channel": case(bank(rng, 5, 1, 4, 3), 3),
        "more columns than filters": case(bank(rng, 3, 3, 4, 5), 5),
        "one column": case(bank(rng, 4, 3, 3, 5), 1),
        "one filter": case(bank(rng, 1, 3, 6, 4), 1, 2),
        "float64": case(bank(rng, 5, 3, 3, 4).double(), 3),
        "weights that require grad": case(bank(rng, 4, 3, 5, 3).requires_grad_(), 3),
        "no columns": case(bank(rng, 4, 3, 3, 3), 0),
        "filters of a deeper layer": case(bank(rng, 4, 6, 3, 3), 2),
    }
    return vary(cases, columns=3, padding=3)


def response_cases(rng: Generator) -> dict[str, Case]:
    def case(image: Tensor, kernel: Tensor, stride: int = 1, padding: int = 0) -> Case:
        given = {"image": image, "kernel": kernel, "stride": stride, "padding": padding}
        return Case(given, picture=True)

    def photo(channels: int, height: int, width: int) -> Tensor:
        """Draw an image that is not zero on average, so that its edge is seen."""
        return normal(rng, channels, height, width) + 1.5

    asking = photo(3, 8, 9).requires_grad_()
    cases = {
        "a colour image": case(photo(3, 9, 14), normal(rng, 3, 3, 4)),
        "stride and padding": case(photo(3, 11, 8), normal(rng, 3, 3, 3), 2, 1),
        "an even kernel": case(photo(3, 10, 12), normal(rng, 3, 6, 6), 2, 2),
        "places left over at the end": case(photo(3, 12, 10), normal(rng, 3, 3, 2), 4),
        "an image of the kernel's size": case(photo(3, 4, 5), normal(rng, 3, 4, 5)),
        "one channel": case(photo(1, 8, 7), normal(rng, 1, 3, 3)),
        "five channels": case(photo(5, 7, 8), normal(rng, 5, 2, 3), 1, 2),
        "float64": case(photo(3, 9, 7).double(), normal(rng, 3, 2, 3, dtype=torch.float64)),
        "image and kernel that require grad": case(asking, normal(rng, 3, 3, 2).requires_grad_()),
        "a grey kernel for a colour image": case(photo(3, 8, 8), normal(rng, 1, 3, 3)),
    }
    return vary(cases, stride=3, padding=2)


def striped(rng: Generator, *shape: int) -> Tensor:
    """Draw filters with stripes of any direction under noise, in slices of any sign."""
    count, channels, height, width = shape
    angle = math.pi * (0.05 + 0.9 * torch.rand(count, 1, 1, 1, generator=rng))
    across = torch.arange(width) * angle.sin() + torch.arange(height)[:, None] * angle.cos()
    phase = 2 * math.pi * torch.rand(count, 1, 1, 1, generator=rng)
    factor = normal(rng, count, channels, 1, 1)
    return factor * torch.sin(1.1 * across + phase) + 0.2 * normal(rng, *shape)


def orientation_cases(rng: Generator) -> dict[str, Case]:
    def case(weight: Tensor) -> Case:
        return Case({"weight": weight})

    # A slope without noise, whose direction is known on paper.
    slopes = torch.linspace(0.3, 2.8, 5) + between(rng, 0, 0.2)
    places = torch.arange(5.0)
    plane = places * slopes.sin()[:, None, None] + places[:, None] * slopes.cos()[:, None, None]
    flat = striped(rng, 4, 3, 5, 4)
    flat[[0, 2]] = torch.tensor([0.0, between(rng, 0.5, 2)])[:, None, None, None]
    opposed = striped(rng, 4, 2, 5, 6)
    opposed[:, 1] = -opposed[:, 0] + 0.1 * opposed[:, 1]
    return {
        "six filters": case(striped(rng, 6, 3, 5, 7)),
        "slopes known on paper": case(plane[:, None]),
        "upright stripes": case(normal(rng, 2, 3, 1, 5).expand(2, 3, 4, 5).clone()),
        "one filter": case(striped(rng, 1, 3, 6, 6)),
        "two constant filters among others": case(flat),
        "two colours against each other": case(opposed),
        "filters of 2x2": case(striped(rng, 5, 3, 2, 2)),
        "filters of 1x1": case(striped(rng, 3, 4, 1, 1)),
        "large filters": case(striped(rng, 4, 3, 11, 11)),
        "float64": case(striped(rng, 4, 3, 3, 4).double()),
        "weights that require grad": case(striped(rng, 3, 3, 4, 3).requires_grad_()),
    }


def slice_cases(rng: Generator) -> dict[str, Case]:
    def case(weight: Tensor, filter: int) -> Case:
        return Case({"weight": weight, "filter": filter})

    def deep(*shape: int) -> Tensor:
        """Draw filters whose slices are of different loudness too."""
        return bank(rng, *shape) * torch.logspace(-1, 0, shape[1])[:, None, None]

    cases = {
        "a deeper layer": case(deep(6, 5, 3, 4), 2 + whole(rng, 3)),
        "the first filter": case(deep(4, 4, 3, 3), 0),
        "the last filter": case(deep(4, 7, 2, 3), 3),
        "as many filters as channels": case(deep(5, 5, 4, 3), 1 + whole(rng, 4)),
        "a filter of zeros": case(silent(rng, 3, 4, 3, 3), 1),
        "filters of 1x1": case(deep(4, 8, 1, 1), 2),
        "one channel": case(deep(3, 1, 5, 4), 1),
        "float64": case(deep(3, 4, 3, 2).double(), 1),
        "weights that require grad": case(deep(3, 4, 2, 3).requires_grad_(), 2),
        "a filter that the layer does not have": case(deep(4, 6, 3, 3), 4),
    }
    return vary(cases, filter=1)


def tuning_cases(rng: Generator) -> dict[str, Case]:
    def case(
        model: str, layer: str, angles: Tensor, wavelength: float, size: int, like: Tensor | None
    ) -> Case:
        given = {"model": network(rng, model, like), "layer": layer, "angles": angles}
        return Case({**given, "wavelength": wavelength, "size": size})

    def angles(count: int) -> Tensor:
        return math.pi * torch.rand(count, generator=rng)

    double = angles(3).double()
    cases = {
        "four directions": case("plain", "conv1", angles(4), 5.5, 22, None),
        "one direction": case("plain", "pool", angles(1), 6.0, 24, None),
        "a name with dots": case("nested", "blocks.0.conv", angles(3), 4.3, 20, None),
        "before an in-place ReLU": case("inplace", "conv2", angles(3), 6.4, 26, None),
        "a ReLU that runs three times": case("residual", "relu", angles(3), 5.0, 24, None),
        "maps of three by three places": case("patches", "patch", angles(3), 7.0, 12, None),
        "weights known on paper": case("linear", "mix", angles(3), 4.0, 16, None),
        "BatchNorm and dropout": case("normalised", "norm", angles(3), 3.7, 18, None),
        "float64": case("functional", "conv2", double, 8.0, 20, double),
        "angles in float64, a model in float32": case("frozen", "relu1", double, 5.0, 16, None),
        "a layer the model does not have": case("plain", "conv9", angles(2), 5.0, 16, None),
    }
    return refuse(vary(cases, layer="relu2", wavelength=3.5, size=15))
