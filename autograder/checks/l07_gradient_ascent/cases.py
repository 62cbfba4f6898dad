"""Cases of l07_gradient_ascent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import between, fresh_seed, network, normal, refuse, vary, whole
from autograder.course.exercise import Case
from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import CLASSES, build
from solutions.l07_gradient_ascent import blurred, filter_pattern

DOUBLE = torch.float64


def total_variation_cases(rng: Generator) -> dict[str, Case]:
    def case(image: Tensor) -> Case:
        return Case({"image": image})

    # The three channels are flat, far from each other: only neighbours in place may count.
    flat = torch.tensor([0.0, 5.0, -3.0]).view(1, 3, 1, 1).expand(1, 3, 4, 6).clone()
    slope = {"function": "total_variation"}
    return {
        "two images": case(normal(rng, 2, 3, 8, 11)),
        "one image": case(normal(rng, 1, 3, 9, 5)),
        "float64": case(normal(rng, 1, 3, 6, 7, dtype=DOUBLE)),
        "a step between two flat halves": case(normal(rng, 1, 3, 1, 2).repeat_interleave(4, 3)),
        "three flat channels": case(flat),
        "one row": case(normal(rng, 1, 3, 1, 9)),
        "one column": case(normal(rng, 1, 3, 7, 1)),
        "as part of an objective": Case(
            {"image": normal(rng, 1, 3, 5, 7), **slope}, call="with_gradient"
        ),
    }


def ascent_step_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, image: Tensor, target: list[int], rate: float, l2: float) -> Case:
        given = {"model": network(rng, model, image), "image": image}
        return Case({**given, "target": torch.tensor(target), "rate": rate, "l2": l2})

    def rate() -> float:
        return between(rng, 20, 60)

    cases = {
        "three images": case("plain", normal(rng, 3, 3, 14, 18), [3, 1, 0], rate(), 1e-3),
        "one image": case("residual", normal(rng, 1, 3, 16, 12), [2], rate(), 2e-3),
        "in-place ReLU": case("inplace", normal(rng, 2, 3, 12, 16), [0, 4], rate(), 1e-3),
        "BatchNorm and dropout": case("normalised", normal(rng, 2, 3, 14, 18), [1, 4], 9.0, 3e-3),
        "a linear network": case("linear", normal(rng, 2, 3, 12, 14), [3, 0], 0.2, 0.1),
        "no penalty": case("plain", normal(rng, 2, 3, 12, 16), [1, 2], rate(), 0.0),
        "float64": case("plain", normal(rng, 2, 3, 14, 12, dtype=DOUBLE), [4, 2], rate(), 1e-3),
        "frozen parameters": case("frozen", normal(rng, 2, 3, 12, 12), [2, 1], rate(), 1e-3),
        "image requiring grad": case(
            "functional", normal(rng, 2, 3, 12, 16).requires_grad_(), [0, 2], rate(), 1e-3
        ),
    }
    cases = vary(cases, rate=7.0, l2=0.02)
    short = {**cases["three images"].inputs, "target": torch.tensor([3, 1])}
    return cases | {"a target shorter than the batch": Case(short)}


def normalise_gradient_cases(rng: Generator) -> dict[str, Case]:
    def case(gradient: Tensor) -> Case:
        return Case({"gradient": gradient})

    sizes = torch.tensor([1e-3, 1.0, 1e3]).view(3, 1, 1, 1)
    some_zero = normal(rng, 3, 3, 6, 8)
    some_zero[0] = 0
    return {
        "three gradients of other sizes": case(normal(rng, 3, 3, 8, 11) * sizes),
        "one gradient": case(normal(rng, 1, 3, 6, 9) * 0.02),
        "one place of many": case(torch.zeros(1, 3, 5, 6).index_fill(3, torch.tensor(2), 4.0)),
        "a tiny gradient": case(normal(rng, 2, 3, 7, 6) * 1e-9),
        "a gradient of zeros": case(torch.zeros(1, 3, 5, 4)),
        "zeros beside others": case(some_zero),
        "float64": case(normal(rng, 2, 3, 5, 8, dtype=DOUBLE) * 30),
        "feature maps": case(normal(rng, 2, 8, 4, 5)),
        "gradient requiring grad": case(normal(rng, 2, 3, 6, 5).requires_grad_()),
    }


def _torn(rng: Generator, start: Tensor) -> tuple[ModelSpec, Tensor]:
    """Find a linear network, and a class that other questions lead away from.

    What raises all logits together, or that of the class predicted at `start`, lowers its logit. So
    a climb that asks for one of these cannot arrive.
    """
    while True:
        spec = network(rng, "linear", start)
        model = build(spec)
        weight = next(model.parameters()).detach()[:, :, 0, 0]
        with torch.no_grad():
            predicted = int(model(start).argmax())
        size = weight.norm(dim=1)
        others = (weight @ weight.sum(0), weight @ weight[predicted])
        against = (others[0] < -0.05 * size) & (others[1] < -0.05 * size)
        if against.any() and size[predicted] > 0.3:
            return spec, against.nonzero()[0]


def _sure(rng: Generator, start: Tensor) -> tuple[ModelSpec, Tensor]:
    """Find a linear network, and the class that it is already sure of at `start`."""
    while True:
        spec = network(rng, "linear", start)
        with torch.no_grad():
            logits = build(spec)(start)[0]
        first, second = logits.topk(2).values
        # Beyond what float32 tells from certainty: a softmax has no slope left.
        if first - second > 120:
            return spec, logits.argmax()[None]


PLAIN: dict[str, Any] = {
    "l2": 0.0,
    "blur_every": 0,
    "blur_width": 1.0,
    "small_pixels": 0.0,
    "small_gradients": 0.0,
    "jitter": 0,
}


def class_image_cases(rng: Generator) -> dict[str, Case]:
    start = 0.3 * normal(rng, 1, 3, 14, 18)
    target = torch.tensor([whole(rng, CLASSES)])
    seed = fresh_seed(rng)
    common = {"model": network(rng, "plain"), "target": target, "start": start}
    first = {**common, "steps": 6, "rate": 30.0, **PLAIN, "seed": seed}

    def climb(model: ModelSpec, target: Tensor, start: Tensor, **changed: Any) -> Case:
        return Case({**first, "model": model, "target": target, "start": start, **changed})

    def named(model: str, start: Tensor, **changed: Any) -> Case:
        return climb(network(rng, model, start), target, start, **changed)

    def differ(beside: dict[str, Any] | None = None, **changes: tuple[Any, Any]) -> Case:
        """Make two climbs that differ in one argument."""
        ((name, (one, other)),) = changes.items()
        given = {**first, **(beside or {})}
        del given[name]
        settings = {"function": "class_image", "one": {name: one}, "other": {name: other}}
        return Case({**given, **settings}, call="two")

    # At the left pixels are large and a patch's ReLU is shut; at the right they are small, and a
    # gradient comes through.
    halves = torch.cat([torch.full((1, 3, 12, 8), -2.0), torch.full((1, 3, 12, 12), 0.2)], 3)
    halves = halves + 0.02 * normal(rng, 1, 3, 12, 20)
    small = {"model": network(rng, "patches"), "target": torch.tensor([0]), "start": halves}
    small |= {"steps": 2, "rate": 1.0, "l2": 1e-5}
    grey = torch.zeros(1, 3, 12, 14)
    torn, against = _torn(rng, 0.1 * start)
    bright = 0.5 + 0.1 * normal(rng, 1, 3, 20, 24)
    sure, known = _sure(rng, bright)
    cases = {
        "six steps": Case(first),
        "a network that adds up colours": climb(torn, against, 0.1 * start, rate=0.1),
        "a class that the network is sure of": climb(sure, known, bright, rate=0.1),
        "from a blank image": named("residual", grey, rate=20.0),
        "in-place ReLU": named("inplace", start),
        "BatchNorm and dropout": named("normalised", start, rate=10.0),
        "frozen parameters": named("frozen", start),
        "float64": named("plain", normal(rng, 1, 3, 12, 16, dtype=DOUBLE)),
        "a start requiring grad": named("functional", start.clone().requires_grad_()),
        "no step": Case(
            {**first, "start": start.clone().requires_grad_(), "steps": 0, "jitter": 3},
            call="no_step",
        ),
        "jitter, with a step too small to see": Case(
            {**first, "steps": 1, "rate": 1e-9, "jitter": 5, "climbs": 4}, call="moves"
        ),
        "jitter, with steps too small to see": Case(
            {**first, "steps": 16, "rate": 1e-9, "jitter": 3, "climbs": 1}, call="moves"
        ),
        "another number of steps": differ(steps=(2, 8)),
        "another rate": differ(rate=(3.0, 30.0)),
        "another l2": differ(l2=(0.0, 5e-3)),
        "blur and no blur": differ(blur_every=(0, 1)),
        "blur now and then": differ(blur_every=(3, 1)),
        "the first blur": differ({"blur_every": 3, "rate": 1e-9}, steps=(2, 3)),
        "another width of the blur": differ({"blur_every": 2}, blur_width=(0.6, 2.0)),
        "small pixels": differ(small, small_pixels=(0.0, 0.4)),
        "small gradients": differ(small, small_gradients=(0.0, 0.3)),
        "small gradients and jitter": differ(
            {**small, "steps": 1, "small_gradients": 0.3, "jitter": 6}, seed=(seed, seed + 1)
        ),
        "jitter and none": differ(jitter=(0, 4)),
        "another seed": differ({"jitter": 4}, seed=(seed, seed + 1)),
        "watched": Case({**first, "function": "class_image"}, call="watched"),
    }
    return cases | {"no target": Case({**first, "target": target[:0]})}


def _uneven(rng: Generator, layer: str, channel: int, size: tuple[int, int]) -> ModelSpec:
    """Find a network in which a channel's gradient is rough at any noise.

    A step that is blurred after its size was set is then far too small.
    """
    while True:
        spec = network(rng, "residual")
        model, sizes = build(spec), []
        for seed in range(3):
            start = filter_pattern(model, layer, channel, size, 0, 0.0, seed=seed)
            step = filter_pattern(model, layer, channel, size, 1, 1.0, seed=seed) - start
            sizes.append(float(blurred(step, 1.5).square().mean()) ** 0.5)
        # Zero is the step of a channel that nothing excites.
        if min(sizes) > 0.05 and max(sizes) < 0.5:
            return spec


def filter_pattern_cases(rng: Generator) -> dict[str, Case]:
    seed = fresh_seed(rng)

    def case(model: str, layer: str, channel: int, size: tuple[int, int], **changed: Any) -> Case:
        given = {"model": network(rng, model), "layer": layer, "channel": channel, "size": size}
        settings = {"steps": 8, "rate": 0.1, "blur_width": 0.0, "seed": seed}
        return climbed({**given, **settings, **changed})

    def climbed(inputs: Mapping[str, Any]) -> Case:
        return Case(inputs, call="with_its_first_step")

    def differ(**changes: tuple[Any, Any]) -> Case:
        ((name, (one, other)),) = changes.items()
        # Where a gradient is the same everywhere, there is nothing to blur.
        given = dict(rough if name == "blur_width" else first.inputs)
        del given[name]
        settings = {"function": "filter_pattern", "one": {name: one}, "other": {name: other}}
        return Case({**given, **settings}, call="two")

    def lively(model: str, layer: str, size: tuple[int, int], **changed: Any) -> Case:
        """Ask for the channel that answers most to the noise: its ReLU is open."""
        inputs = {**case(model, layer, 0, size).inputs, **changed}
        kept = []
        network = build(inputs["model"])
        noise = 0.1 * torch.randn(1, 3, *size, generator=torch.Generator().manual_seed(seed))
        hook = network.get_submodule(layer).register_forward_hook(lambda *given: kept.append(given))
        with torch.no_grad(), hook:
            network(noise)
        means = kept[-1][2][0].flatten(1).mean(1)
        return climbed({**inputs, "channel": int(means.argmax())})

    def shut(model: str, layer: str, size: tuple[int, int]) -> Case:
        """Ask for the channel of the lowest bias, which a ReLU shuts."""
        inputs = case(model, layer, 0, size).inputs
        bias = dict(build(inputs["model"]).named_parameters())[f"{layer}.bias"]
        return climbed({**inputs, "channel": int(bias.argmin())})

    first = shut("inplace", "conv1", (12, 16))
    channel = first.inputs["channel"]
    double = network(rng, "plain", torch.ones(1, dtype=DOUBLE))
    rough = case("residual", "conv2", 1, (16, 20)).inputs
    rough = {**rough, "model": _uneven(rng, "conv2", 1, (16, 20))}
    cases = {
        "before an in-place ReLU": first,
        "a layer within a layer": shut("nested", "stem.conv", (14, 18)),
        "BatchNorm and dropout": lively("normalised", "norm", (14, 14)),
        "after a ReLU": lively("plain", "relu1", (16, 12), steps=10),
        "frozen parameters": lively("frozen", "conv2", (13, 17)),
        "a layer that runs twice": lively("residual", "relu", (14, 18)),
        "logits as a layer": case("plain", "classifier", 4, (12, 12)),
        "float64": climbed({**case("plain", "conv2", 5, (12, 15)).inputs, "model": double}),
        "one step, blurred": climbed({**rough, "steps": 1, "rate": 0.02, "blur_width": 1.5}),
        "no step": Case({**first.inputs, "steps": 0}),
        "another channel": differ(channel=(channel, (channel + 3) % 6)),
        "another layer": differ(layer=("conv1", "conv2")),
        "another number of steps": differ(steps=(2, 12)),
        "another rate": differ(rate=(0.02, 0.2)),
        "blurred gradients": differ(blur_width=(0.0, 1.5)),
        "another seed": differ(seed=(seed, seed + 1)),
        "another size": climbed({**first.inputs, "size": (12, 20)}),
        "an unknown layer": Case({**first.inputs, "layer": "blocks.7"}),
        "an unknown channel": Case({**first.inputs, "channel": 6}),
    }
    return refuse(cases)


def fourier_image_cases(rng: Generator) -> dict[str, Case]:
    def case(height: int, width: int, decay: float = 1.5, count: int = 1, **given: Any) -> Case:
        spectrum = normal(rng, count, 3, height, width // 2 + 1, 2, **given)
        spectrum = 0.1 * spectrum.to(torch.float64).to(spectrum.dtype)
        inputs = {"spectrum": spectrum, "size": (height, width), "decay": decay}
        return Case(inputs, picture=True)

    first = case(10, 12)
    slow = torch.zeros(1, 3, 8, 6, 2)
    slow[:, :, 0, 1, 0] = 0.5  # one wave from left to right, and nothing else
    mean = torch.zeros(1, 3, 8, 4, 2)
    mean[:, :, 0, 0, 0] = torch.tensor([0.05, -0.2, 0.1])
    cases = {
        "ten by twelve": first,
        "an odd width": case(8, 11),
        "taller than wide": case(15, 6),
        "three pictures": case(8, 10, count=3),
        "all waves alike": case(9, 12, decay=0.0),
        "float64": case(8, 9, 1.0, dtype=DOUBLE),
        "one wave": Case({"spectrum": slow, "size": (8, 11), "decay": 1.5}, picture=True),
        "the mean alone": Case({"spectrum": mean, "size": (8, 6), "decay": 1.5}, picture=True),
        "as the start of a climb": Case(
            {**case(6, 8).inputs, "function": "fourier_image"}, call="with_gradient"
        ),
        "a spectrum of another size": Case({**first.inputs, "size": (10, 16)}),
    }
    return vary(cases, decay=0.7)


def class_portrait_cases(rng: Generator) -> dict[str, Case]:
    seed = fresh_seed(rng)
    size = (14, 18)
    target = torch.tensor([whole(rng, CLASSES)])
    first = {"model": network(rng, "plain"), "target": target, "size": size}
    first |= {"steps": 10, "rate": 0.03, "fade": 2.0, "seed": seed}

    def case(model: str, size: tuple[int, int], **changed: Any) -> Case:
        return Case({**first, "model": network(rng, model), "size": size, **changed})

    def differ(**changes: tuple[Any, Any]) -> Case:
        ((name, (one, other)),) = changes.items()
        given = dict(first)
        del given[name]
        settings = {"function": "class_portrait", "one": {name: one}, "other": {name: other}}
        return Case({**given, **settings}, call="two")

    grey = torch.full((1, 3, 20, 24), 0.5)
    torn, against = _torn(rng, grey)
    sure, known = _sure(rng, grey)
    double = network(rng, "plain", torch.ones(1, dtype=DOUBLE))
    cases = {
        "ten steps": Case(first),
        "a network that adds up colours": Case(
            {**first, "model": torn, "target": against, "size": (20, 24)}
        ),
        "a class that the network is sure of": Case(
            {**first, "model": sure, "target": known, "size": (20, 24)}
        ),
        "in-place ReLU": case("inplace", (12, 16)),
        "BatchNorm and dropout": case("normalised", (16, 14)),
        "frozen parameters": case("frozen", (13, 15)),
        "float64": Case({**first, "model": double}),
        "another number of steps": differ(steps=(2, 14)),
        "another rate": differ(rate=(0.002, 0.04)),
        "more fading": differ(fade=(0.0, 15.0)),
        "another seed": differ(seed=(seed, seed + 1)),
        "another size": case("residual", (12, 20)),
        "a model that takes the negative": Case(
            {**first, "negative": True}, call="of_the_negative"
        ),
        "watched": Case({**first, "function": "class_portrait"}, call="watched"),
    }
    return cases | {"no target": Case({**first, "target": target[:0]})}
