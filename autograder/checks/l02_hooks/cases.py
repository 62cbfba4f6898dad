"""Cases of l02_hooks."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import network, normal, refuse, vary, whole
from autograder.course.exercise import Case
from autograder.protocol.wire import ModelSpec


def layer_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str, images: Tensor) -> Case:
        return Case({"model": network(rng, model, images), "layer": layer, "images": images})

    double = normal(rng, 2, 3, 13, 16, dtype=torch.float64)
    cases = {
        "two images": case("plain", "conv1", normal(rng, 2, 3, 14, 18)),
        "one image": case("plain", "pool", normal(rng, 1, 3, 16, 12)),
        "a name with dots": case("nested", "blocks.0.conv", normal(rng, 2, 3, 12, 16)),
        "before an in-place ReLU": case("inplace", "conv1", normal(rng, 3, 3, 12, 15)),
        "a ReLU that runs three times": case("residual", "relu", normal(rng, 2, 3, 16, 12)),
        "a layer without height and width": case("plain", "classifier", normal(rng, 3, 3, 12, 12)),
        "float64": case("normalised", "norm", double),
        "image already requiring grad": case(
            "plain", "relu1", normal(rng, 2, 3, 12, 14).requires_grad_()
        ),
        "images the model cannot take": case("plain", "conv1", normal(rng, 1, 4, 9, 9)),
        "a layer the model does not have": case("plain", "conv9", normal(rng, 1, 3, 12, 12)),
    }
    return refuse(vary(cases, layer="relu2"))


def activation_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layers: list[str], images: Tensor, call: str = "") -> Case:
        spec = network(rng, model, images)
        return Case({"model": spec, "layers": layers, "images": images}, call=call)

    double = normal(rng, 2, 3, 13, 16, dtype=torch.float64)
    cases = {
        "two layers": case("plain", ["conv1", "relu2"], normal(rng, 2, 3, 14, 18)),
        "one image": case("plain", ["pool"], normal(rng, 1, 3, 16, 12)),
        "in-place ReLU": case("inplace", ["conv1", "relu1", "conv2"], normal(rng, 3, 3, 12, 15)),
        "names with dots": case(
            "nested", ["blocks.0.conv", "blocks.1", "stem"], normal(rng, 2, 3, 12, 16)
        ),
        "a ReLU that runs three times": case(
            "residual", ["relu", "conv2"], normal(rng, 2, 3, 16, 12)
        ),
        "BatchNorm and dropout": case("normalised", ["norm", "dropout"], normal(rng, 2, 3, 14, 12)),
        "float64": case("functional", ["conv2", "classifier"], double),
        "image already requiring grad": case(
            "inplace", ["conv1"], normal(rng, 2, 3, 12, 14).requires_grad_()
        ),
        "a model in train mode": case(
            "plain", ["relu1"], normal(rng, 2, 3, 12, 12), "capture_in_train_mode"
        ),
        "beside a hook of the caller": case(
            "plain", ["relu1"], normal(rng, 1, 3, 12, 14), "capture_beside_a_hook"
        ),
        "images the model cannot take": case("plain", ["conv1", "relu1"], normal(rng, 1, 4, 9, 9)),
        "a layer the model does not have": case(
            "plain", ["conv1", "conv9"], normal(rng, 1, 3, 12, 12)
        ),
    }
    return refuse(cases)


def recorder_cases(rng: Generator) -> dict[str, Case]:
    def one(call: str, model: str, layers: list[str], images: Tensor) -> Case:
        spec = network(rng, model, images)
        return Case({"model": spec, "layers": layers, "images": images}, call=call)

    def several(call: str, model: str, layers: list[str], *counts: int) -> Case:
        passes = [normal(rng, count, 3, 12, 14) for count in counts]
        spec = network(rng, model, passes[0])
        return Case({"model": spec, "layers": layers, "passes": passes}, call=call)

    double = normal(rng, 2, 3, 13, 16, dtype=torch.float64)
    unknown = {"model": ModelSpec("plain", whole(rng, 1 << 30)), "layers": ["conv1", "conv9"]}
    cases = {
        "one pass": one("record_one_pass", "plain", ["conv1", "relu2"], normal(rng, 2, 3, 14, 18)),
        "in-place ReLU, one image": one(
            "record_one_pass", "inplace", ["conv1", "conv2"], normal(rng, 1, 3, 12, 15)
        ),
        "names with dots": one(
            "record_one_pass", "nested", ["blocks.0.conv", "blocks.1"], normal(rng, 2, 3, 12, 16)
        ),
        "a ReLU that runs three times": one(
            "record_one_pass", "residual", ["relu", "conv2"], normal(rng, 2, 3, 16, 12)
        ),
        "float64": one("record_one_pass", "normalised", ["norm", "dropout"], double),
        "a backward pass in the block": one(
            "record_and_go_back", "plain", ["conv1", "relu2"], normal(rng, 2, 3, 12, 14)
        ),
        "passes before and after the block": several(
            "record_between", "inplace", ["conv1", "relu2"], 1, 3, 2
        ),
        "two passes in one block": several("record_two_passes", "plain", ["conv1"], 3, 2),
        "one recorder, two blocks": several("record_two_blocks", "plain", ["conv1"], 3, 2),
        "an exception in the block": one(
            "record_interrupted", "plain", ["conv1", "relu1"], normal(rng, 2, 3, 12, 12)
        ),
        "beside a hook of the caller": one(
            "record_beside_a_hook", "plain", ["relu1"], normal(rng, 1, 3, 12, 14)
        ),
        "a model in train mode": one(
            "record_in_train_mode", "plain", ["relu1"], normal(rng, 2, 3, 12, 12)
        ),
        "a layer the model does not have": Case(unknown, call="record_unknown"),
    }
    return refuse(cases)


def grid_cases(rng: Generator) -> dict[str, Case]:
    def case(activation: Tensor, columns: int) -> Case:
        return Case({"activation": activation, "columns": columns}, picture=True)

    def loud_and_quiet(channels: int, height: int, width: int) -> Tensor:
        """Draw channels of different loudness around different levels.

        Each needs a scale of its own.
        """
        loudness = torch.logspace(-3, 1, channels)[torch.randperm(channels, generator=rng)]
        level = torch.randn(channels, 1, 1, generator=rng) * loudness[:, None, None]
        return level + loudness[:, None, None] * normal(rng, channels, height, width)

    sparse = loud_and_quiet(6, 5, 8).relu()
    sparse[[1, 4]] = 0.0
    level = loud_and_quiet(5, 4, 3)
    level[2] = 1.5 + torch.rand(1, generator=rng)
    cases = {
        "the last row not full": case(loud_and_quiet(7, 4, 6), 4),
        "full rows": case(loud_and_quiet(6, 6, 5), 2),
        "silent channels": case(sparse, 4),
        "a constant channel that is not zero": case(level, 2),
        "more columns than channels": case(loud_and_quiet(3, 4, 5), 5),
        "one column": case(loud_and_quiet(4, 3, 7), 1),
        "one channel": case(loud_and_quiet(1, 6, 4), 1),
        "float64": case(loud_and_quiet(5, 3, 4).double(), 3),
        "an activation with a graph": case(loud_and_quiet(4, 5, 3).requires_grad_(), 3),
    }
    return vary(cases, columns=3)


def ablation_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str, channel: int, images: Tensor) -> Case:
        spec = network(rng, model, images)
        inputs = {"model": spec, "layer": layer, "channel": channel, "images": images}
        return Case(inputs)

    double = normal(rng, 2, 3, 13, 16, dtype=torch.float64)
    wide, asking = normal(rng, 3, 3, 12, 15), normal(rng, 2, 3, 12, 14).requires_grad_()
    cases = {
        "two images": case("plain", "conv2", 2 + whole(rng, 5), normal(rng, 2, 3, 14, 18)),
        "one image": case("plain", "conv1", 1 + whole(rng, 4), normal(rng, 1, 3, 16, 12)),
        "before an in-place ReLU": case("inplace", "conv1", 1 + whole(rng, 4), wide),
        "the first channel": case("normalised", "norm", 0, normal(rng, 2, 3, 14, 12)),
        "a name with dots": case(
            "nested", "blocks.0.conv", 1 + whole(rng, 4), normal(rng, 2, 3, 12, 16)
        ),
        "a ReLU that runs three times": case(
            "residual", "relu", 1 + whole(rng, 4), normal(rng, 2, 3, 16, 12)
        ),
        "a layer that hands on its input": case(
            "nested", "entry", 1 + whole(rng, 2), normal(rng, 2, 3, 12, 16)
        ),
        "a layer without height and width": case(
            "plain", "classifier", 1 + whole(rng, 3), normal(rng, 3, 3, 12, 12)
        ),
        "float64": case("functional", "conv1", 1 + whole(rng, 4), double),
        "image already requiring grad": case("plain", "conv2", 1 + whole(rng, 5), asking),
        "images the model cannot take": case("plain", "conv1", 0, normal(rng, 1, 4, 9, 9)),
        "a layer the model does not have": case("plain", "conv9", 0, normal(rng, 1, 3, 9, 9)),
        "a channel the layer does not have": case("plain", "conv1", 6, normal(rng, 1, 3, 9, 9)),
    }
    return refuse(vary(cases, layer="conv1", channel=1))


def gradient_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str, images: Tensor, target: list[int], call: str = "") -> Case:
        spec, classes = network(rng, model, images), torch.tensor(target)
        inputs = {"model": spec, "layer": layer, "images": images, "target": classes}
        return Case(inputs, call=call)

    double = normal(rng, 2, 3, 13, 16, dtype=torch.float64)
    cases = {
        "two images": case("plain", "conv1", normal(rng, 2, 3, 14, 18), [3, 1]),
        "one image": case("plain", "pool", normal(rng, 1, 3, 16, 12), [2]),
        "in-place ReLU": case("inplace", "conv1", normal(rng, 3, 3, 12, 15), [0, 4, 4]),
        "a name with dots": case("nested", "blocks.0.conv", normal(rng, 2, 3, 12, 16), [1, 0]),
        "a block with a shortcut around the next": case(
            "nested", "blocks.0", normal(rng, 2, 3, 16, 12), [2, 4]
        ),
        "a ReLU that runs three times": case("residual", "relu", normal(rng, 2, 3, 16, 12), [0, 3]),
        "BatchNorm and dropout": case("normalised", "norm", normal(rng, 2, 3, 14, 12), [4, 0]),
        "float64": case("functional", "conv1", double, [1, 2]),
        "frozen parameters": case(
            "plain", "conv1", normal(rng, 2, 3, 12, 14), [3, 0], "gradients_of_frozen"
        ),
        "image already requiring grad": case(
            "plain", "conv2", normal(rng, 2, 3, 12, 14).requires_grad_(), [1, 4]
        ),
        "images the model cannot take": case("plain", "conv1", normal(rng, 1, 4, 9, 9), [0]),
        "a layer the model does not have": case("plain", "conv9", normal(rng, 1, 3, 9, 9), [0]),
    }
    return refuse(vary(cases, layer="relu2"))


def flip_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str, images: Tensor) -> Case:
        return Case({"model": network(rng, model, images), "layer": layer, "images": images})

    def loud(count: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Draw images of one colour each, under noise.

        They are so loud that no bias decides the answer.
        """
        colours = normal(rng, count, 3, 1, 1, dtype=dtype)
        return 30 * (colours + normal(rng, count, 3, height, width, dtype=dtype))

    asking, noise = loud(4, 12, 14).requires_grad_(), 30 * normal(rng, 6, 3, 16, 12)
    cases = {
        "twelve images": case("plain", "conv1", loud(12, 14, 18)),
        "one image": case("plain", "relu1", loud(1, 16, 12)),
        "before an in-place ReLU": case("inplace", "conv1", loud(8, 12, 15)),
        "a name with dots": case("nested", "blocks.0", loud(8, 12, 16)),
        "a ReLU that runs three times": case("residual", "relu", noise),
        "BatchNorm and dropout": case("normalised", "norm", loud(8, 14, 12)),
        "float64": case("functional", "conv2", loud(5, 13, 16, torch.float64)),
        "image already requiring grad": case("plain", "conv2", asking),
        "images the model cannot take": case("plain", "conv1", normal(rng, 1, 4, 9, 9)),
        "a layer the model does not have": case("plain", "conv9", normal(rng, 1, 3, 12, 12)),
    }
    return refuse(vary(cases, layer="relu2"))
