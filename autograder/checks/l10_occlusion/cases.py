"""Cases of l10_occlusion."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import between, network, normal, refuse, vary, whole
from autograder.course.exercise import Case


def position_cases(rng: Generator) -> dict[str, Case]:
    def case(size: int, window: int, stride: int) -> Case:
        return Case({"size": size, "window": window, "stride": stride})

    # Drawn so that the steps come out even, or leave a rest.
    window, stride, steps = 4 + whole(rng, 3), 3 + whole(rng, 2), 3 + whole(rng, 3)
    even = window + steps * stride
    cases = {
        "the stride leaves a rest": case(even + 1 + whole(rng, stride - 1), window, stride),
        # Steps longer: with a wrong last window, or none, the side shows all the same.
        "the stride divides": case(even + 2 * stride, window, stride),
        "one short of the next step": case(even + stride - 1, window, stride),
        "windows side by side": case(3 * window, window, window),
        "gaps between the windows": case(5 * window + 3, window, 2 * window),
        "one pixel at a time": case(window + 5 + whole(rng, 4), window, 1),
        "windows of one pixel": case(7 + whole(rng, 3), 1, 2),
        "a window as long as the side": case(even, even, stride),
        "a window one shorter than the side": case(even, even - 1, stride),
        "a stride longer than the side": case(even, window, even + 3),
        "a window longer than the side": case(window, window + 1, stride),
        "a window without a pixel": case(even, 0, stride),
        "a stride of 0": case(even, window, 0),
        "a stride below 0": case(even, window, -stride),
    }
    return vary(cases, size=even + 4 * stride, window=window + 2 * stride, stride=stride + 2)


def occlude_cases(rng: Generator) -> dict[str, Case]:
    def case(
        image: Tensor, top: int, left: int, window: int, fill: float | Tensor, call: str = ""
    ) -> Case:
        given = {"image": image, "top": top, "left": left, "window": window, "fill": fill}
        return Case(given, call, picture=not call)

    def image(height: int = 10, width: int = 13, dtype: torch.dtype = torch.float32) -> Tensor:
        return normal(rng, 3, height, width, dtype=dtype)

    row, column, number = whole(rng, 3), whole(rng, 3), between(rng, 2, 3)
    cases = {
        "a window in the middle": case(image(), 1 + row, 3 + column, 6, number),
        "a tall image": case(image(14, 9), 8, 1, 3, -number),
        "at the first pixel": case(image(), 0, 0, 4, number),
        "at the last pixel": case(image(), 6, 9, 4, number),
        "sticking out at the bottom right": case(image(), 7 + row, 10 + column, 5, number),
        "sticking out at the top left": case(image(), -2, -3, 5, number),
        "beyond the top": case(image(), -6, 3, 5, number),
        "nothing to cover": case(image(), 3, 13 + column, 4, number, call="covered_apart"),
        "larger than the image": case(image(5, 6), -1, -2, 9, number),
        "a colour": case(image(), 1 + row, 3, 5, normal(rng, 3, 1, 1)),
        "another picture": case(image(), 2, 2 + column, 6, image()),
        "a picture in grey": case(image(), 2 + row, 2, 6, normal(rng, 10, 13)),
        "a fill in float64": case(image(), 1, 4 + column, 5, normal(rng, 3, 1, 1).double()),
        "a fill that requires grad": case(image(), 4, 2, 5, normal(rng, 3, 1, 1).requires_grad_()),
        "float64": case(image(8, 8, torch.float64), 2, 3, 4, number),
        "an image that requires grad": case(image().requires_grad_(), 3, 2, 4, number),
    }
    return vary(cases, top=4, left=1, window=2, fill=-number - 1)


def fill_cases(rng: Generator) -> dict[str, Case]:
    def case(images: Tensor, radius: int) -> Case:
        # Of each colour its own: one for all three then shows.
        mean = tuple(between(rng, 0.35, 0.6) for _ in range(3))
        std = tuple(between(rng, 0.15, 0.35) for _ in range(3))
        return Case({"images": images, "mean": mean, "std": std, "radius": radius}, picture=True)

    flat = normal(rng, 1, 3, 1, 1).expand(1, 3, 8, 10).clone()
    cases = {
        "two images": case(normal(rng, 2, 3, 10, 14) + 0.5, 2),
        "one image": case(normal(rng, 1, 3, 12, 9), 1),
        "as sharp as before": case(normal(rng, 2, 3, 8, 8), 0),
        "a blur wider than the image": case(normal(rng, 3, 3, 6, 9) - 0.5, 11),
        "one colour": case(flat, 3),
        "float64": case(normal(rng, 2, 3, 9, 11, dtype=torch.float64), 3),
        "an image that requires grad": case(normal(rng, 1, 3, 8, 12).requires_grad_(), 2),
    }
    return vary(cases, mean=(0.2, 0.7, 0.5), std=(0.4, 0.1, 0.2), radius=4)


def _case(
    rng: Generator,
    model: str,
    images: Tensor,
    target: list[int],
    window: int,
    stride: int,
    fill: float | Tensor | None = None,
    call: str = "",
    **more: Any,
) -> Case:
    """Make a call of one of the three exercises that cover an image window by window."""
    given = {"model": network(rng, model, images), "images": images}
    given |= {"target": torch.tensor(target), "window": window, "stride": stride, **more}
    return Case(given if fill is None else {**given, "fill": fill}, call=call, picture=not call)


def _photos(rng: Generator, count: int, height: int, width: int) -> Tensor:
    """Draw images off zero, some louder: what covers a place must change it."""
    loud = torch.linspace(0.6, 1.6, count)[:, None, None, None]
    return (normal(rng, count, 3, height, width) + 0.8) * loud


def drops_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, *given: Any, **more: Any) -> Case:
        return _case(rng, model, *given, **more)

    number = between(rng, 1.5, 2.5)
    wanting_grad = _photos(rng, 2, 12, 13).requires_grad_()
    cases = {
        "two images": case("plain", _photos(rng, 2, 12, 16), [3, 1], 4, 4, number),
        "one image": case("residual", _photos(rng, 1, 14, 12), [2], 6, 4, -number),
        "a rest at the end": case("inplace", _photos(rng, 3, 13, 12), [0, 4, 4], 6, 5, number),
        "a colour in float64": case(
            "plain", _photos(rng, 2, 12, 12), [1, 0], 5, 4, normal(rng, 3, 1, 1).double()
        ),
        "a picture for each image": case(
            "functional", _photos(rng, 2, 12, 14), [4, 2], 6, 4, 2 * normal(rng, 2, 3, 12, 14)
        ),
        "one picture for all images": case(
            "plain", _photos(rng, 2, 12, 12), [0, 3], 6, 6, 2 * normal(rng, 1, 3, 12, 12)
        ),
        "BatchNorm and dropout": case("normalised", _photos(rng, 2, 12, 15), [1, 3], 7, 4, number),
        "float64": case("plain", _photos(rng, 2, 12, 12).double(), [2, 4], 6, 3, number),
        "weights known on paper": case("linear", _photos(rng, 2, 12, 12), [1, 3], 6, 6, 0.0),
        "without a fill": case("frozen", _photos(rng, 2, 12, 12), [0, 2], 6, 6),
        "a window as large as the image": case(
            "plain", _photos(rng, 2, 12, 12), [1, 4], 12, 5, number
        ),
        "gaps between the windows": case("plain", _photos(rng, 1, 13, 15), [3], 3, 5, number),
        "an image that requires grad": case("functional", wanting_grad, [0, 2], 6, 6, number),
        "images in a call": case(
            "plain", _photos(rng, 1, 12, 12), [2], 4, 4, call="drops_in_full_calls", batch_size=5
        ),
        "more images than a call takes": case(
            "linear",
            _photos(rng, 5, 12, 13),
            [2, 0, 1, 4, 3],
            12,
            1,
            call="drops_in_full_calls",
            batch_size=2,
        ),
        "a window that does not fit": case("plain", _photos(rng, 2, 12, 16), [3, 1], 14, 4, 0.0),
    }
    return refuse(vary(cases, window=6, stride=3, fill=-number))


def map_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, *given: Any, **more: Any) -> Case:
        return _case(rng, model, *given, **more)

    number = between(rng, 1.5, 2.5)
    wanting_grad = _photos(rng, 2, 12, 13).requires_grad_()
    cases = {
        "two images": case("plain", _photos(rng, 2, 12, 16), [3, 1], 4, 2, number),
        "one image": case("residual", _photos(rng, 1, 14, 12), [2], 6, 4, -number),
        "windows side by side": case("plain", _photos(rng, 2, 12, 12), [4, 0], 4, 4, number),
        "a rest at the end": case("inplace", _photos(rng, 3, 13, 12), [0, 4, 4], 6, 5, number),
        "gaps between the windows": case("plain", _photos(rng, 1, 13, 15), [3], 3, 5, number),
        "a picture for each image": case(
            "functional", _photos(rng, 2, 12, 14), [4, 2], 6, 4, 2 * normal(rng, 2, 3, 12, 14)
        ),
        "one picture for all images": case(
            "plain", _photos(rng, 2, 12, 12), [0, 3], 6, 6, 2 * normal(rng, 1, 3, 12, 12)
        ),
        "float64": case("plain", _photos(rng, 2, 12, 12).double(), [2, 4], 6, 3, number),
        "weights known on paper": case("linear", _photos(rng, 2, 12, 12), [1, 3], 6, 3, 0.0),
        "without a fill": case("normalised", _photos(rng, 2, 12, 12), [0, 2], 6, 6),
        "a window as large as the image": case(
            "plain", _photos(rng, 2, 12, 12), [1, 4], 12, 5, number
        ),
        "an image that requires grad": case("functional", wanting_grad, [0, 2], 6, 6, number),
        "images in a call": case(
            "plain", _photos(rng, 1, 12, 12), [2], 4, 4, call="map_in_full_calls", batch_size=5
        ),
        "a window that does not fit": case("plain", _photos(rng, 2, 12, 16), [3, 1], 14, 4, 0.0),
    }
    return refuse(vary(cases, window=6, stride=3, fill=-number))


def stand_in_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, *given: Any, **more: Any) -> Case:
        return _case(rng, model, *given, **more)

    number = between(rng, 1.5, 2.5)
    wanting_grad = _photos(rng, 2, 12, 13).requires_grad_()
    cases = {
        "two images": case("plain", _photos(rng, 2, 12, 16), [3, 1], 4, 4, number),
        "one image": case("residual", _photos(rng, 1, 14, 12), [2], 6, 4, -number),
        "a rest at the end": case("inplace", _photos(rng, 3, 13, 12), [0, 4, 4], 6, 5, number),
        "a picture for each image": case(
            "functional", _photos(rng, 2, 12, 14), [4, 2], 6, 4, 2 * normal(rng, 2, 3, 12, 14)
        ),
        "one picture for all images": case(
            "plain", _photos(rng, 2, 12, 12), [0, 3], 6, 6, 2 * normal(rng, 1, 3, 12, 12)
        ),
        "a colour in float64": case(
            "plain", _photos(rng, 2, 12, 12), [1, 0], 5, 4, normal(rng, 3, 1, 1).double()
        ),
        "float64": case("plain", _photos(rng, 2, 12, 12).double(), [2, 4], 6, 3, number),
        "windows that add up": case("linear", _photos(rng, 2, 12, 12), [1, 3], 6, 6, 0.0),
        "without a fill": case("normalised", _photos(rng, 2, 12, 12), [0, 2], 6, 6),
        "an image that requires grad": case("functional", wanting_grad, [0, 2], 6, 6, number),
        "images in a call": case(
            "plain",
            _photos(rng, 1, 12, 12),
            [2],
            4,
            4,
            call="stand_ins_in_full_calls",
            batch_size=5,
        ),
        "a window that does not fit": case("plain", _photos(rng, 2, 12, 16), [3, 1], 14, 4, 0.0),
    }
    return refuse(vary(cases, window=6, stride=3, fill=-number))
