"""Cases of l09_inversion_and_style."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import between, fresh_seed, network, normal, refuse, vary
from autograder.course.exercise import Case
from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from lessons.toolkit.seeds import seeded
from solutions import l09_inversion_and_style as reference

DOUBLE = torch.float64
SILENT = "a layer that does not run"


def _seen(spec: ModelSpec, layers: list[str], images: Tensor) -> list[Tensor]:
    """Return what a network's layers give for images."""
    features = reference.features_of(build(spec), layers, images.detach())
    return [features[layer] for layer in layers]


def _grams(spec: ModelSpec, layers: list[str], images: Tensor) -> list[Tensor]:
    return [reference.gram_matrix(features) for features in _seen(spec, layers, images)]


def _differ(
    function: str, spec: ModelSpec, usual: dict[str, Any], **changes: tuple[Any, Any]
) -> dict[str, Case]:
    """Make a case for each argument, of two settings that differ in it.

    Args:
        function: what is called.
        spec: the network.
        usual: the other arguments.
        changes: for each argument its two values.
    """
    return {
        f"another {name}": Case(
            {
                "function": function,
                "model": spec,
                "usual": usual,
                "one": {name: one},
                "other": {name: other},
            },
            call="two_pictures",
        )
        for name, (one, other) in changes.items()
    }


def _weighs(
    function: str, spec: ModelSpec, usual: dict[str, Any], **weights: tuple[float, float]
) -> dict[str, Case]:
    """Make a case for each weight, of two settings and steps that overshoot nothing."""
    return _differ(function, spec, {**usual, "steps": 6, "rate": 0.02}, **weights)


def feature_loss_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str, image: Tensor) -> Case:
        spec = network(rng, model, image)
        other = normal(rng, *image.shape, dtype=image.dtype)
        (features,) = _seen(spec, [layer], other)
        inputs = {"model": spec, "layer": layer, "image": image, "features": features}
        return Case(inputs, call="feature_loss")

    # Of very different sizes: one quotient for the whole batch is not the mean of two.
    uneven = case("plain", "conv1", normal(rng, 2, 3, 12, 16))
    uneven.inputs["features"][1] *= 9
    silent = case("plain", "conv2", normal(rng, 2, 3, 12, 14))
    silent.inputs["features"][0] = 0
    same = case("residual", "conv1", normal(rng, 1, 3, 14, 12))
    exact = _seen(same.inputs["model"], ["conv1"], same.inputs["image"])[0]
    cases = {
        "two images": uneven,
        "one image": case("residual", "stem", normal(rng, 1, 3, 18, 14)),
        "in-place ReLU": case("inplace", "conv2", normal(rng, 3, 3, 12, 16)),
        "BatchNorm and dropout": case("normalised", "norm", normal(rng, 2, 3, 14, 18)),
        "a name with dots": case("nested", "blocks.0.conv", normal(rng, 2, 3, 12, 16)),
        "a ReLU that runs three times": case("residual", "relu", normal(rng, 2, 3, 16, 12)),
        "float64": case("plain", "relu1", normal(rng, 2, 3, 12, 14, dtype=DOUBLE)),
        "frozen parameters": case("frozen", "conv2", normal(rng, 2, 3, 12, 14)),
        "features that are zero everywhere": silent,
        "a perfect match": replace(same, inputs={**same.inputs, "features": exact}),
        "an unknown layer": replace(uneven, inputs={**uneven.inputs, "layer": "relu3"}),
    }
    nested = {**uneven.inputs, "model": network(rng, "nested"), "layer": "auxiliary"}
    return {**cases, SILENT: replace(uneven, inputs=nested)}


def invert_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str, image: Tensor, steps: int = 4, tv: float = 0.01) -> Case:
        spec = network(rng, model, image)
        (features,) = _seen(spec, [layer], image)
        settings = {"steps": steps, "rate": 0.1, "tv": tv, "seed": fresh_seed(rng)}
        size = tuple(image.shape[2:])
        return Case({"model": spec, "layer": layer, "features": features, "size": size, **settings})

    first = case("plain", "conv1", normal(rng, 2, 3, 12, 14), steps=30)
    usual = {name: value for name, value in first.inputs.items() if name != "model"}
    other = case("nested", "blocks.0.conv", normal(rng, 1, 3, 12, 14))
    seed = usual["seed"]
    cases = {
        "two images": first,
        "one image": case("residual", "stem", normal(rng, 1, 3, 14, 12)),
        "a layer that mixes colours": case("linear", "mix", normal(rng, 1, 3, 12, 12), 25, 0.0),
        "in-place ReLU": case("inplace", "conv2", normal(rng, 1, 3, 12, 16)),
        "float64": case("plain", "relu1", normal(rng, 1, 3, 12, 14, dtype=DOUBLE)),
        "a name with dots": other,
        "a size of odd numbers": case("residual", "conv1", normal(rng, 1, 3, 13, 17)),
        **_differ(
            "invert_features",
            first.inputs["model"],
            {**usual, "steps": 3},
            steps=(2, 4),
            rate=(0.02, 0.3),
            seed=(seed, seed + 1),
        ),
        **_weighs("invert_features", first.inputs["model"], usual, tv=(0.0, 3.0)),
        "no step": replace(other, inputs={**other.inputs, "steps": 0}),
        "an unknown layer": replace(other, inputs={**other.inputs, "layer": "blocks.7"}),
    }
    return {**cases, SILENT: replace(other, inputs={**other.inputs, "layer": "auxiliary"})}


def gram_cases(rng: Generator) -> dict[str, Case]:
    def case(*shape: int, dtype: torch.dtype = torch.float32, shift: float = 0.3) -> Case:
        features = normal(rng, *shape, dtype=dtype) + shift
        return Case({"features": features})

    return {
        "two images": case(2, 4, 5, 7),
        "one image": case(1, 6, 4, 4),
        "three images": case(3, 3, 6, 2),
        "more channels than places": case(2, 12, 2, 3),
        "one channel": case(2, 1, 4, 5),
        "one place": case(2, 5, 1, 1),
        "float64": case(2, 5, 4, 6, dtype=DOUBLE),
        "all zero": Case({"features": torch.zeros(2, 3, 4, 4)}),
        "a gradient through them": replace(case(2, 3, 4, 5), call="gradient_through_grams"),
    }


def _random_grams(
    rng: Generator, count: int, channels: list[int], dtype: torch.dtype = torch.float32
) -> list[Tensor]:
    made = (normal(rng, count, c, 4, 5, dtype=dtype) + 0.2 for c in channels)
    return [reference.gram_matrix(features) for features in made]


def style_loss_cases(rng: Generator) -> dict[str, Case]:
    def case(
        count: int, targets: int, channels: list[int], dtype: torch.dtype = torch.float32
    ) -> Case:
        inputs = {
            "grams": _random_grams(rng, count, channels, dtype),
            # Of other sizes, and each layer's: a relative error does not ask for them.
            "target_grams": [
                (3 + 2 * number) * gram
                for number, gram in enumerate(_random_grams(rng, targets, channels, dtype))
            ],
            "weights": [between(rng, 0.5, 2) for _ in channels],
        }
        return Case(inputs, call="style_loss")

    first = case(2, 2, [4, 6, 3])
    given = first.inputs
    return {
        "three layers": first,
        "one layer": case(1, 1, [5]),
        "one style for three images": case(3, 1, [4, 6]),
        "float64": case(2, 2, [3, 5], DOUBLE),
        "a perfect match": replace(first, inputs={**given, "target_grams": given["grams"]}),
        "a weight of zero": replace(first, inputs={**given, "weights": [1.0, 0.0, 2.0]}),
        "other weights": replace(first, inputs={**given, "weights": [3.0, 1.5, 0.25]}),
        "fewer weights than layers": replace(first, inputs={**given, "weights": [1.0, 2.0]}),
        "fewer targets than layers": replace(
            first, inputs={**given, "target_grams": given["target_grams"][:2]}
        ),
    }


def texture_cases(rng: Generator) -> dict[str, Case]:
    def case(
        model: str, layers: list[str], texture: Tensor, size: tuple[int, int], steps: int = 3
    ) -> Case:
        inputs = {"model": network(rng, model, texture), "layers": layers, "texture": texture}
        settings = {"size": size, "steps": steps, "seed": fresh_seed(rng), "rate": 0.1, "tv": 0.01}
        return Case({**inputs, **settings})

    def stripes(count: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
        """Draw bars of colours: few places differ, so that statistics say much."""
        bars = normal(rng, count, 3, 1, 4, dtype=dtype).repeat(1, 1, height, width // 4 + 1)
        return bars[..., :width].contiguous()

    first = case("plain", ["conv1", "conv2"], stripes(1, 16, 20), (14, 18), steps=24)
    usual = {name: value for name, value in first.inputs.items() if name != "model"}
    other = case("nested", ["stem.relu", "blocks.0.conv"], stripes(1, 12, 12), (12, 14))
    seed = usual["seed"]
    few = {**usual, "steps": 3}
    spec = first.inputs["model"]
    without = _differ("synthesise_texture", spec, few, layers=(["conv1", "conv2"], ["conv2"]))
    cases = {
        "two layers": first,
        "one layer": case("residual", ["stem"], stripes(1, 14, 12), (16, 12), steps=24),
        "in-place ReLU": case("inplace", ["conv1", "relu2"], stripes(1, 12, 16), (12, 12)),
        "larger than the texture": case("plain", ["relu1"], stripes(1, 12, 12), (21, 17)),
        "float64": case("plain", ["relu1"], stripes(1, 12, 14, DOUBLE), (12, 16)),
        "names with dots": other,
        "a texture requiring grad": replace(
            other, inputs={**other.inputs, "texture": stripes(1, 12, 16).requires_grad_()}
        ),
        **_differ(
            "synthesise_texture",
            spec,
            few,
            steps=(2, 4),
            rate=(0.02, 0.3),
            seed=(seed, seed + 1),
            layers=(["conv1", "conv2"], ["conv1"]),
        ),
        "without the first layer": without["another layers"],
        **_weighs("synthesise_texture", spec, usual, tv=(0.0, 3.0)),
        "an unknown layer": replace(other, inputs={**other.inputs, "layers": ["blocks.7"]}),
    }
    silent = {**other.inputs, "layers": ["stem.relu", "auxiliary"]}
    return {**cases, SILENT: replace(other, inputs=silent)}


def distance_cases(rng: Generator) -> dict[str, Case]:
    def case(
        height: int, width: int, window: int, share: float = 0.6, dtype: torch.dtype = torch.float32
    ) -> Case:
        texture = torch.rand(3, height, width, generator=rng, dtype=dtype)
        patch = torch.rand(3, window, window, generator=rng, dtype=dtype)
        counts = torch.rand(window, window, generator=rng, dtype=dtype)
        known = counts * (torch.rand(window, window, generator=rng) < share)
        known[0, -1] = 0.4
        inputs = {"texture": texture, "patch": patch, "known": known}
        return Case(inputs, picture=True)

    fits = case(9, 12, 3, share=1)
    fits.inputs["patch"].copy_(fits.inputs["texture"][:, 4:7, 6:9])
    rubbish = case(10, 8, 5)
    rubbish.inputs["patch"][:, rubbish.inputs["known"] == 0] = 50
    return {
        "a wide texture": case(10, 14, 5),
        "a high texture": case(15, 9, 3),
        "a patch of one pixel": case(6, 8, 1, share=1),
        "a patch as large as the texture": case(7, 7, 7),
        "all of the patch is known": case(9, 11, 3, share=1),
        "one place is known": case(8, 10, 3, share=0),
        "a patch of the texture itself": fits,
        "rubbish where nothing is known": rubbish,
        "float64": case(9, 12, 5, dtype=DOUBLE),
        "a texture requiring grad": replace(
            fits, inputs={**fits.inputs, "texture": torch.rand(3, 9, 9).requires_grad_()}
        ),
    }


def fast_style_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, content_layer: str, style_layers: list[str], styled: Tensor) -> Case:
        spec, dtype = network(rng, model, styled), styled.dtype
        content = normal(rng, *styled.shape, dtype=dtype)
        style = 2 * normal(rng, 1, 3, 13, 15, dtype=dtype)
        inputs = {
            "model": spec,
            "styled": styled,
            "content_features": _seen(spec, [content_layer], content)[0],
            "target_grams": _grams(spec, style_layers, style),
            "content_layer": content_layer,
            "style_layers": style_layers,
            "content_weight": between(rng, 0.5, 1),
            "style_weight": between(rng, 2, 3),
            "tv": between(rng, 0.2, 0.4),
        }
        return Case(inputs, call="fast_style_loss")

    first = case("plain", "conv2", ["conv1", "relu1"], normal(rng, 2, 3, 12, 16))
    # Of very different sizes: one quotient for the whole batch is not the mean of two.
    first.inputs["content_features"][1] *= 5
    cases = {
        "two images": first,
        "one image": case("residual", "conv1", ["stem"], normal(rng, 1, 3, 14, 12)),
        "one layer for both": case("plain", "relu1", ["relu1"], normal(rng, 2, 3, 12, 12)),
        "in-place ReLU": case("inplace", "conv2", ["conv1", "conv2"], normal(rng, 3, 3, 12, 14)),
        "names with dots": case(
            "nested", "blocks.1", ["stem.relu", "blocks.0.conv"], normal(rng, 2, 3, 12, 16)
        ),
        "three style layers in float64": case(
            "plain", "relu2", ["conv1", "conv2", "relu1"], normal(rng, 2, 3, 12, 14, dtype=DOUBLE)
        ),
    }
    cases = vary(cases, content_weight=0.0, style_weight=0.0, tv=0.0)
    nested = {**cases["names with dots"].inputs, "content_layer": "auxiliary"}
    return {**cases, SILENT: replace(first, inputs=nested)}


def transfer_cases(rng: Generator) -> dict[str, Case]:
    def case(
        model: str, content_layer: str, style_layers: list[str], size: tuple[int, int], **given: Any
    ) -> Case:
        dtype = given.pop("dtype", torch.float32)
        content = normal(rng, 1, 3, *size, dtype=dtype)
        other_size = given.pop("other_size", (13, 15))
        style = (1.5 * normal(rng, 1, 3, 1, 1) + normal(rng, 1, 3, *other_size)).to(dtype)
        inputs = {
            "model": network(rng, model, content),
            "content": content,
            "style": style,
            "content_layer": content_layer,
            "style_layers": style_layers,
        }
        usual = {"content_weight": 1.0, "style_weight": 2.0, "steps": 3, "rate": 0.1, "tv": 0.01}
        return Case({**inputs, **usual, **given})

    # Both pictures of one size: who exchanges them meets no error, but the other picture.
    first = case("plain", "conv2", ["conv1", "relu1"], (14, 16), other_size=(14, 16), steps=40)
    usual = {name: value for name, value in first.inputs.items() if name != "model"}
    other = case("nested", "blocks.1", ["stem.relu", "blocks.0.conv"], (12, 14))
    wanting = {name: other.inputs[name].clone().requires_grad_() for name in ("content", "style")}
    cases = {
        "two style layers": first,
        "one style layer": case("residual", "conv1", ["stem"], (12, 15), steps=40),
        "in-place ReLU": case("inplace", "relu2", ["conv1", "conv2"], (12, 12)),
        "float64": case("plain", "conv2", ["relu1"], (12, 14), dtype=DOUBLE),
        "names with dots": other,
        "pictures requiring grad": replace(other, inputs={**other.inputs, **wanting}),
        "style alone": case(
            "plain", "conv2", ["conv1"], (12, 12), content_weight=0.0, style_weight=1.0, steps=40
        ),
        **_differ(
            "transfer_style",
            first.inputs["model"],
            {**usual, "steps": 3},
            steps=(2, 4),
            rate=(0.02, 0.3),
            content_layer=("conv1", "conv2"),
            style_layers=(["conv1"], ["conv2"]),
        ),
        **_weighs(
            "transfer_style",
            first.inputs["model"],
            usual,
            content_weight=(0.0, 30.0),
            style_weight=(0.0, 30.0),
            tv=(0.0, 3.0),
        ),
        "no step": replace(other, inputs={**other.inputs, "steps": 0}),
        "an unknown layer": replace(other, inputs={**other.inputs, "content_layer": "blocks.7"}),
    }
    silent = {**other.inputs, "style_layers": ["stem.relu", "auxiliary"]}
    return {**cases, SILENT: replace(other, inputs=silent)}


def _weights(rng: Generator, module: torch.nn.Module, dtype: torch.dtype) -> dict[str, Tensor]:
    """Draw weights of a module, of a size that keeps signals alive."""
    drawn = {}
    for name, weight in module.state_dict().items():
        spread = weight[0].numel() ** -0.5 if weight.dim() > 1 else 0.3
        start = 1.0 if name.endswith("norm.weight") else 0.0
        drawn[name] = (start + spread * normal(rng, *weight.shape)).to(dtype)
    return drawn


def styler_cases(rng: Generator) -> dict[str, Case]:
    def case(
        images: Tensor, width: int = 3, blocks: int = 1, scale: float = 1, call: str = "paint"
    ) -> Case:
        with seeded(0):
            styler = reference.FastStyler(width, blocks)
        weights = _weights(rng, styler, images.dtype)
        weights["leave.weight"] *= scale
        inputs = {"images": images, "width": width, "blocks": blocks, "weights": weights}
        return Case(inputs, call=call, picture=True)

    def mirrored(kernel: int, stride: int, height: int, width: int) -> Case:
        weights = _weights(rng, torch.nn.Conv2d(4, 2, kernel, stride), torch.float32)
        images = normal(rng, 2, 4, height, width)
        inputs = {"images": images, "kernel": kernel, "stride": stride, "weights": weights}
        return Case(inputs, call="convolve")

    return {
        "two images": case(normal(rng, 2, 3, 16, 20)),
        "one image": case(normal(rng, 1, 3, 20, 16), width=2),
        "two residual blocks": case(normal(rng, 2, 3, 16, 16), blocks=2),
        "a size that four does not divide": case(normal(rng, 2, 3, 17, 22)),
        "the smallest size": case(normal(rng, 1, 3, 13, 13)),
        "float64": case(normal(rng, 1, 3, 16, 18, dtype=DOUBLE)),
        "strong last weights": case(normal(rng, 1, 3, 16, 16), scale=9),
        "in training": case(normal(rng, 2, 3, 16, 16), call="paint_in_a_graph"),
        "convolve with a kernel of 3": mirrored(3, 1, 5, 7),
        "convolve with a kernel of 9": mirrored(9, 1, 8, 6),
        "convolve with a stride of 2": mirrored(3, 2, 8, 7),
        "convolve with a kernel of 1": mirrored(1, 1, 4, 5),
    }


def code_loss_cases(rng: Generator) -> dict[str, Case]:
    def case(
        model: str, target: list[int], size: tuple[int, int], dtype: torch.dtype = torch.float32
    ) -> Case:
        codes = normal(rng, len(target), 3, *size, dtype=dtype)
        inputs = {
            "model": network(rng, model, codes),
            "generator": network(rng, "painter", codes),
            "codes": codes,
            "target": torch.tensor(target),
            "l2": between(rng, 0.3, 0.6),
        }
        return Case(inputs, call="code_loss")

    cases = {
        "two codes": case("plain", [3, 1], (4, 5)),
        "one code": case("residual", [2], (5, 4)),
        "in-place ReLU": case("inplace", [4, 0, 2], (4, 4)),
        "BatchNorm and dropout": case("normalised", [1, 3], (4, 6)),
        "float64": case("plain", [0, 4], (4, 4), DOUBLE),
        "frozen parameters": case("frozen", [2, 2], (5, 5)),
    }
    return refuse(vary(cases, l2=0.0))


def nearest_cases(rng: Generator) -> dict[str, Case]:
    def case(
        model: str, layers: list[str], count: int, textures: int, dtype: torch.dtype = torch.float32
    ) -> Case:
        """Draw textures of some colours, and images of the same in another arrangement."""
        kinds = normal(rng, textures, 3, 1, 5, dtype=dtype).repeat(1, 1, 15, 4)
        kinds += 0.3 * normal(rng, textures, 3, 15, 20, dtype=dtype)
        chosen = torch.randint(textures, (count,), generator=rng)
        images = kinds[chosen].roll(3, 3)[..., :13, :15] + 0.3 * normal(
            rng, count, 3, 13, 15, dtype=dtype
        )
        inputs = {"model": network(rng, model, images), "layers": layers}
        return Case({**inputs, "images": images, "textures": kinds})

    first = case("plain", ["conv1", "conv2"], 12, 4)
    # Louder and fainter textures: what is near is a matter of their own size.
    first.inputs["textures"].mul_(torch.tensor([0.4, 1.0, 1.7, 0.7]).view(4, 1, 1, 1))
    twins = case("plain", ["relu1"], 3, 2)
    twins.inputs["textures"][1] = twins.inputs["textures"][0]
    nested = {**first.inputs, "model": network(rng, "nested"), "layers": ["stem.conv", "auxiliary"]}
    return {
        "twelve images": first,
        "one image": case("residual", ["stem"], 1, 3),
        "one layer": case("plain", ["conv2"], 9, 5),
        "one texture": case("inplace", ["conv1"], 3, 1),
        "two that are alike": twins,
        "in-place ReLU": case("inplace", ["conv1", "conv2"], 8, 4),
        "names with dots": case("nested", ["stem.conv", "blocks.0.conv"], 8, 4),
        "float64": case("plain", ["conv1"], 6, 3, DOUBLE),
        "an unknown layer": replace(first, inputs={**first.inputs, "layers": ["relu7"]}),
        SILENT: replace(first, inputs=nested),
    }
