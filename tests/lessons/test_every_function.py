"""Every public function of every lesson at the edges of what it may be given.

Functions are found by what they take. One that comes new is tried at once; if it takes something of
another name, `VALUES` is the place to give it a value.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.course.reference import solution_stems
from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from solutions.l11_saliency import saliency_map
from solutions.l12_guided_backprop import guided_backprop

VALUES: dict[str, Any] = {
    "layer": "blocks.0.conv",
    "layers": ["blocks.0.conv"],
    "channel": 1,
    "samples": 2,
    "noise": 0.1,
    "rule": "guided",
    "maps": torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(2)),
    "share": 0.3,
    "angles": torch.linspace(0, 3, 4),
    "wavelength": 5.0,
    "k": 1,
    "labels": torch.tensor([0, 1]),
    "batch_size": 2,
    "window": 6,
    "stride": 5,
    "size": (12, 16),
    "steps": 2,
    "rate": 0.5,
    "l2": 0.01,
    "max_steps": 3,
    "epsilon": 0.1,
    "octaves": 2,
    "octave_scale": 1.2,
    # Of other weights than the model's: that one is shared by all tests.
    "optimiser": torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1),
}

# Of lesson 12, which puts a method to a test.
VALUES |= {"method": guided_backprop, "part": "classifier"}

# Of lesson 9, whose descents compare features and Gram matrices of one layer.
_FEATURES = torch.rand(1, 6, 1, 1, generator=torch.Generator().manual_seed(4))
_PICTURE = torch.rand(1, 3, 14, 18, generator=torch.Generator().manual_seed(5))
VALUES |= {
    "features": _FEATURES,
    "content_features": _FEATURES,
    "target_grams": [_FEATURES.flatten(2) @ _FEATURES.flatten(2).mT],
    "textures": torch.cat([_PICTURE, _PICTURE.flip(1)]),
    **dict.fromkeys(("texture", "style", "styled", "content"), _PICTURE),
    "content_layer": "blocks.0.conv",
    "style_layers": ["blocks.0.conv"],
    "content_weight": 1.0,
    "style_weight": 2.0,
    "tv": 0.1,
    "seed": 0,
}

# Of lesson 15, which compares maps of the images' size, and two networks.
VALUES |= {
    "maps": torch.rand(2, 14, 18, generator=torch.Generator().manual_seed(2)),
    "saliency": torch.rand(14, 18, generator=torch.Generator().manual_seed(6)),
    "mask": torch.rand(14, 18, generator=torch.Generator().manual_seed(7)) > 0.5,
    "methods": {"saliency": saliency_map},
    "other": torch.tensor([1]),
    "window": 6,
    "stride": 5,
}

# One draws by dtype, and some take steps whose size is not that of the gradient.
_NOT_TO_THE_LAST_BIT = ("smooth_grad", "class_portrait", "invert_features", "synthesise_texture")
_NOT_TO_THE_LAST_BIT += ("transfer_style",)


_PLAIN_NUMBERS = ("_by_layer", "comparison", "find_the_shortcut")


def found() -> dict[str, Callable[..., Any]]:
    """Functions that take a model, by lesson and name."""
    functions = {}
    for stem in solution_stems():
        module = importlib.import_module(f"solutions.{stem}")
        for name, value in vars(module).items():
            own = inspect.isfunction(value) and value.__module__ == module.__name__
            if own and "model" in inspect.signature(value).parameters:
                functions[f"{stem}.{name}"] = value
    return functions


FUNCTIONS = found()


def taking(*names: str) -> list[str]:
    return [
        path
        for path, function in FUNCTIONS.items()
        if set(names) & set(inspect.signature(function).parameters)
    ]


@functools.cache
def network(name: str = "nested", dtype: str = "float32") -> nn.Module:
    return build(ModelSpec(name, seed=3, dtype=dtype))


@functools.cache
def untrained(dtype: torch.dtype) -> nn.Module:
    return build(ModelSpec("nested", seed=8, dtype="float64")).to(dtype)


def images(count: int = 2, height: int = 14, width: int = 18) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def has_batch(path: str) -> bool:
    """Whether a function takes several images at once."""
    return "images" in inspect.signature(FUNCTIONS[path]).parameters


def call(path: str, **given: Any) -> Any:
    """Call a function with ordinary arguments, and these instead."""
    parameters = inspect.signature(FUNCTIONS[path]).parameters
    if not has_batch(path) and "images" in given and "target" in given:
        given["target"] = given["target"][:1]
    target = torch.tensor([3, 1] if has_batch(path) else [3])
    usual = {"model": network(), "images": images(), "target": target, **VALUES}
    first = given.get("images", usual["images"])[:1]
    usual |= {"image": first, "start": first, "codes": first[..., :5, :6]}
    usual["generator"] = build(ModelSpec("painter", seed=3, dtype="float64")).to(first.dtype)
    usual["untrained"] = untrained(first.dtype)
    usual["others"] = usual["images"]
    values = {**usual, **given}
    values = {name: _as_dtype(value, values["images"].dtype) for name, value in values.items()}
    needed = [n for n, p in parameters.items() if p.default is p.empty or n in given]
    missing = [name for name in needed if name not in values]
    assert not missing, f"{path} takes {missing}: give them a value in VALUES"
    return FUNCTIONS[path](**{name: values[name] for name in needed})


def _as_dtype(value: Any, dtype: torch.dtype) -> Any:
    if isinstance(value, list):
        return [_as_dtype(item, dtype) for item in value]
    return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


def tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor | bool):
        return [torch.as_tensor(value)]
    if isinstance(value, int | float):
        return [torch.tensor(value, dtype=torch.float64)]
    if isinstance(value, nn.Module):
        return [parameter.detach() for parameter in value.parameters()]
    if isinstance(value, str):
        return []
    parts = value.values() if isinstance(value, dict) else value
    return [tensor for part in parts for tensor in tensors(part)]


BAD_TARGETS = {
    "shorter": torch.tensor([3]),
    "longer": torch.tensor([3, 1, 0]),
    "empty": torch.tensor([], dtype=torch.long),
    "float": torch.tensor([3.0, 1.0]),
    "bool": torch.tensor([True, False]),
    "int32": torch.tensor([3, 1], dtype=torch.int32),
    "a column": torch.tensor([[3], [1]]),
    "a number in a tensor": torch.tensor(3),
    "one-hot": torch.eye(5)[:2],
    "a class too large": torch.tensor([3, 5]),
    "a negative class": torch.tensor([-1, 3]),
    "a list": [3, 1],
    "a number": 3,
    "nothing": None,
}


@pytest.mark.parametrize("bad", BAD_TARGETS)
@pytest.mark.parametrize("path", taking("target"))
def test_a_target_that_does_not_fit_is_refused_in_one_sentence(path: str, bad: str) -> None:
    if bad == "shorter" and not has_batch(path):
        return  # for one image one class is right
    with pytest.raises(
        ValueError, match=r"^`target` (is a long tensor of shape \([12],\)|has classes)"
    ):
        call(path, target=BAD_TARGETS[bad])


def traced() -> nn.Module:
    with warnings.catch_warnings(action="ignore"):
        return torch.jit.trace(network(), images())


SILENT: dict[str, Callable[[], tuple[nn.Module, str]]] = {
    "in training only": lambda: (network(), "auxiliary"),
    "traced": lambda: (traced(), "blocks.0.conv"),
}


@pytest.mark.parametrize("why", SILENT)
@pytest.mark.parametrize("path", taking("layer", "layers"))
def test_a_layer_that_does_not_run_is_named(path: str, why: str) -> None:
    model, layer = SILENT[why]()
    with pytest.raises(ValueError, match=f"^layer '{layer}' did not run in this pass"):
        call(path, model=model, layer=layer, layers=[layer])


@pytest.mark.slow
@pytest.mark.parametrize("path", taking("layer", "layers"))
def test_of_a_compiled_model_the_result_is_right_or_there_is_none(path: str) -> None:
    torch.compiler.reset()
    model = torch.compile(network(), backend="eager")
    model(images())
    expected = tensors(call(path))
    try:
        result = tensors(call(path, model=model))
    except ValueError as error:
        assert "did not run in this pass" in str(error)
    else:
        for one, other in zip(expected, result, strict=True):
            torch.testing.assert_close(one, other)


@pytest.mark.parametrize("path", FUNCTIONS)
def test_no_image_gives_an_empty_result_or_a_sentence(path: str) -> None:
    if not has_batch(path):
        return  # one image, as its docstring says, or none
    try:
        result = call(path, images=images(0), target=torch.tensor([], dtype=torch.long))
    except ValueError as error:
        assert "at least one image" in str(error) or "one of each" in str(error)
    else:
        assert all(len(tensor) == 0 for tensor in tensors(result))


@pytest.mark.parametrize("path", FUNCTIONS)
def test_tensors_from_inference_mode_are_welcome(path: str) -> None:
    expected = tensors(call(path))
    with torch.inference_mode():
        target = torch.tensor([3, 1] if has_batch(path) else [3])
        given = {"images": images(), "target": target}
        inside = call(path, **given)
    outside = call(path, **given)
    with torch.no_grad():
        without_grad = call(path, **given)
    for result in (inside, outside, without_grad):
        for one, other in zip(expected, tensors(result), strict=True):
            torch.testing.assert_close(one, other)
            assert not other.requires_grad
    assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


@pytest.mark.parametrize("path", FUNCTIONS)
def test_each_dtype_is_kept(path: str) -> None:
    exact = tensors(call(path, model=network(dtype="float64"), images=images().double()))
    for dtype in (torch.float32, torch.bfloat16):
        model = build(ModelSpec("nested", seed=3, dtype="float64")).to(dtype)
        results = tensors(call(path, model=model, images=images().to(dtype)))
        for right, result in zip(exact, results, strict=True):
            if not right.is_floating_point():  # a count
                continue
            if not path.endswith(_PLAIN_NUMBERS):  # they have no dtype
                assert (right.dtype, result.dtype) == (torch.float64, dtype)
            assert result.isfinite().all()
            # One draws by dtype, and one takes steps whose size is not that of the gradient.
            if dtype == torch.float32 and not path.endswith(_NOT_TO_THE_LAST_BIT):
                torch.testing.assert_close(result.double(), right, rtol=1e-3, atol=1e-5)
