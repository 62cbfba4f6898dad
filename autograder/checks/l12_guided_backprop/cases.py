"""Cases of l12_guided_backprop."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import fresh_seed, network, normal, refuse, vary, whole
from autograder.course.exercise import Case


def rule_cases(rng: Generator) -> dict[str, Case]:
    def case(rule: str, *shape: int, dtype: torch.dtype = torch.float32) -> Case:
        x, gradient = (normal(rng, *shape, dtype=dtype) for _ in range(2))
        return Case({"rule": rule, "x": x, "gradient": gradient})

    at_zero = case("backprop", 3, 8)
    at_zero.inputs["x"][:, ::2] = 0
    guided_at_zero = case("guided", 3, 8)
    guided_at_zero.inputs["x"][:, ::2] = 0
    graphs = {rule: case(rule, 3, 7) for rule in ("backprop", "deconvnet", "guided")}
    for given in graphs.values():
        given.inputs["gradient"].requires_grad_()
        given.inputs["x"].requires_grad_()
    cases = {
        "backprop": case("backprop", 4, 9),
        "deconvnet": case("deconvnet", 5, 8),
        "guided": case("guided", 5, 8),
        "maps of two images": case("guided", 2, 3, 5, 6),
        "one number": case("backprop", 1),
        "float64": case("guided", 4, 7, dtype=torch.float64),
        "x is 0 in places": at_zero,
        "guided, where x is 0": guided_at_zero,
        **{f"{rule}, of tensors in a graph": given for rule, given in graphs.items()},
        "an unknown rule": case("saliency", 3, 3),
    }
    return vary(cases, rule="guided")


def relu_cases(rng: Generator) -> dict[str, Case]:
    def case(*shape: int, dtype: torch.dtype = torch.float32) -> Case:
        x, gradient = (normal(rng, *shape, dtype=dtype) for _ in range(2))
        return Case({"x": x, "gradient": gradient}, call="back_through")

    zeros = case(4, 6)
    zeros.inputs["x"][:, ::2] = 0
    above_six = case(3, 8)
    above_six.inputs["x"].mul_(10)
    closed = case(2, 7)
    closed.inputs["x"].abs_().neg_()
    middle = {"weights": normal(rng, 7, 7)}
    two = Case({**case(4, 7).inputs, **middle}, call="back_through_two")
    return {
        "a matrix": case(5, 9),
        "maps of two images": case(2, 3, 5, 6),
        "one number": case(1),
        "float64": case(4, 7, dtype=torch.float64),
        "x is 0 in places": zeros,
        "x far above 6": above_six,
        "closed everywhere": closed,
        "two of them in a chain": two,
    }


def redirect_cases(rng: Generator) -> dict[str, Case]:
    def case(
        form: str, rule: str, count: int = 6, skip: float = 0, dtype: torch.dtype = torch.float32
    ) -> Case:
        """Draw two layers whose ReLUs open and close about half of the time."""
        given = {
            "x": 4 * normal(rng, 3, count, dtype=dtype),  # to both ends of a ReLU6
            "first": normal(rng, count, count, dtype=dtype),
            "last": normal(rng, count, dtype=dtype),
            "skip": skip * normal(rng, count, dtype=dtype),
        }
        return Case({**given, "form": form, "rule": rule}, call="redirected")

    def refused(form: str, rule: str) -> Case:
        # Nothing is sent back: the call itself has to refuse.
        return Case({"x": normal(rng, 3, 5), "form": form, "rule": rule}, call="only_redirected")

    around = {"x": normal(rng, 3, 6), "last": 2 * normal(rng, 6)}
    cases = {
        "guided": case("a module", "guided"),
        "deconvnet": case("a function", "deconvnet"),
        "backprop": case("a method", "backprop"),
        "in place": case("in place", "guided", 8),
        "ReLU6": case("ReLU6", "guided"),
        "ReLU6, deconvnet": case("ReLU6", "deconvnet"),
        "clamp(min=0)": case("clamp", "guided", 7),
        "a shortcut around the ReLU": case("a function", "guided", skip=2),
        "a shortcut, deconvnet": case("a module", "deconvnet", 5, skip=2),
        "a shortcut to the ReLU's output": Case(
            {**around, "rule": "deconvnet"}, call="redirected_beside_a_shortcut"
        ),
        "float64": case("a function", "guided", 4, dtype=torch.float64),
        "no ReLU": refused("no ReLU", "guided"),
        "no ReLU, backprop": refused("no ReLU", "backprop"),
        "an unknown rule": refused("a module", "saliency"),
    }
    return cases


def _asked(rng: Generator, model: str, images: Tensor, target: list[int]) -> Case:
    spec = network(rng, model, images)
    inputs = {"model": spec, "images": images, "target": torch.tensor(target)}
    return Case(inputs, picture=True)


def deconvnet_cases(rng: Generator) -> dict[str, Case]:
    cases = {
        "two images": _asked(rng, "plain", normal(rng, 2, 3, 12, 18), [3, 1]),
        "one image, ReLU as a function": _asked(rng, "functional", normal(rng, 1, 3, 16, 12), [2]),
        "ReLU6": _asked(rng, "relu6", normal(rng, 2, 3, 12, 14), [1, 3]),
        "a shortcut around the ReLU": _asked(rng, "residual", normal(rng, 2, 3, 14, 18), [3, 0]),
        # Its ReLUs work in place.
        "BatchNorm and dropout": _asked(rng, "normalised", normal(rng, 2, 3, 12, 14), [1, 0]),
        "float64, requiring grad": _asked(
            rng, "nested", normal(rng, 2, 3, 14, 12, dtype=torch.float64).requires_grad_(), [4, 2]
        ),
        # Without it the way back of a deconvnet is blind to what the images hold.
        "max pooling": _asked(rng, "pooled", normal(rng, 2, 3, 12, 14), [4, 0]),
        "a network without ReLUs": _asked(rng, "linear", normal(rng, 2, 3, 12, 12), [1, 3]),
        "images that the network refuses": _asked(rng, "plain", normal(rng, 2, 4, 12, 12), [0, 1]),
    }
    return refuse(cases)


def guided_cases(rng: Generator) -> dict[str, Case]:
    afterwards = _asked(rng, "inplace", normal(rng, 2, 3, 12, 14), [1, 4])
    given = {**afterwards.inputs, "function": "guided_backprop"}
    return deconvnet_cases(rng) | {
        "frozen parameters": _asked(rng, "frozen", normal(rng, 3, 3, 12, 12), [2, 4, 4]),
        "the true gradient afterwards": Case(given, call="plain_afterwards"),
    }


def pattern_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str, channel: int, image: Tensor, rule: str) -> Case:
        spec = network(rng, model, image)
        inputs = {"model": spec, "layer": layer, "channel": channel, "image": image, "rule": rule}
        return Case(inputs, picture=True)

    def photo(height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return normal(rng, 1, 3, height, width, dtype=dtype)

    def below_zero(rule: str) -> Case:
        given = case("inplace", "conv2", 1 + whole(rng, 5), photo(12, 14), rule).inputs
        return Case(given, call="pattern_below_zero")

    first = case("plain", "conv2", 1 + whole(rng, 5), photo(12, 18), "guided")
    wanting_grad = photo(12, 14, torch.float64).requires_grad_()
    cases = {
        "the strongest unit of a convolution": first,
        "before an in-place ReLU": case("inplace", "conv2", 3, photo(12, 16), "guided"),
        "below 0, before an in-place ReLU": below_zero("guided"),
        "a ReLU that runs three times": case("residual", "relu", 3, photo(14, 16), "guided"),
        "a name with dots": case("nested", "blocks.1.conv", 2, photo(12, 16), "guided"),
        "no ReLU before the layer": case("plain", "conv1", 0, photo(12, 12), "guided"),
        "one number for each channel": case("plain", "classifier", 3, photo(12, 14), "guided"),
        "float64, requiring grad": case("functional", "conv2", 6, wanting_grad, "backprop"),
        "an unknown layer": case("plain", "conv9", 1, photo(12, 12), "guided"),
        # No ReLU stands between this layer and the image: nobody asks for the rule on the way back.
        "an unknown rule": case("plain", "conv1", 1, photo(12, 12), "saliency"),
        "a network without ReLUs": case("linear", "mix", 2, photo(12, 12), "backprop"),
        "an image that the network refuses": case(
            "plain", "conv1", 2, normal(rng, 1, 4, 12, 12), "guided"
        ),
    }
    return refuse(vary(cases, layer="conv1", channel=7, rule="deconvnet")) | {
        "a channel too many": case("plain", "conv1", 6, photo(12, 12), "guided")
    }


def shuffling_cases(rng: Generator) -> dict[str, Case]:
    def case(
        method: str, model: str, part: str, images: Tensor, target: list[int], **more: int
    ) -> Case:
        spec = network(rng, model, images)
        given = {"method": method, "model": spec, "part": part, "images": images}
        return Case({**given, "target": torch.tensor(target), **more})

    def photos(count: int, height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
        return normal(rng, count, 3, height, width, dtype=dtype)

    asked = "the true gradient"
    seed = {"seed": fresh_seed(rng)}
    wanting_grad = photos(2, 12, 14, torch.float64).requires_grad_()
    cases = {
        "the classifier": case(asked, "plain", "classifier", photos(3, 12, 16), [3, 1, 0], **seed),
        "one image, frozen parameters": case(
            asked, "frozen", "classifier", photos(1, 12, 12), [2], **seed
        ),
        "a name with dots": case(asked, "nested", "blocks.0.conv", photos(2, 12, 14), [1, 0]),
        "float64": case(asked, "plain", "conv2", photos(2, 12, 12, torch.float64), [4, 2], **seed),
        "image already requiring grad": case(asked, "plain", "classifier", wanting_grad, [2, 0]),
        "a method that ignores the network": case(
            "the images", "plain", "classifier", photos(2, 12, 12), [1, 2], **seed
        ),
        "a method that needs autograd": case(
            "one that needs autograd", "plain", "classifier", photos(2, 12, 12), [3, 0], **seed
        ),
        "a method that fails the second time": case(
            "one that fails the second time", "plain", "conv1", photos(2, 12, 12), [0, 4], **seed
        ),
        "an unknown part": case(asked, "plain", "conv9", photos(2, 12, 12), [1, 2]),
        "a part without a weight": case(asked, "plain", "relu1", photos(2, 12, 12), [1, 2]),
    }
    return refuse(vary(cases, part="conv2", seed=fresh_seed(rng)))
