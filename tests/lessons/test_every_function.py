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

VALUES: dict[str, Any] = {
    "layer": "blocks.0.conv",
    "layers": ["blocks.0.conv"],
    "channel": 1,
    "samples": 2,
    "noise": 0.1,
    "rule": "guided",
    "maps": torch.rand(2, 4, 5, generator=torch.Generator().manual_seed(2)),
    "share": 0.3,
    "rate": 0.05,
    "max_steps": 3,
    "epsilon": 0.1,
    "octaves": 2,
    "octave_scale": 1.2,
    "steps": 1,
}


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


def images(count: int = 2, height: int = 14, width: int = 18) -> Tensor:
    return torch.randn(count, 3, height, width, generator=torch.Generator().manual_seed(1))


def call(path: str, **given: Any) -> Any:
    """Call a function with ordinary arguments, and these instead."""
    parameters = inspect.signature(FUNCTIONS[path]).parameters
    if "image" in parameters and "images" in given:
        given["image"] = given["images"][:1]
        if "target" in given:
            given["target"] = given["target"][:1]
    usual = {"model": network(), "images": images(), "target": torch.tensor([3, 1]), **VALUES}
    usual["image"] = usual["images"][:1]
    if "image" in parameters:
        usual["target"] = usual["target"][:1]
    values = {**usual, **given}
    needed = [n for n, p in parameters.items() if p.default is p.empty or n in given]
    missing = [name for name in needed if name not in values]
    assert not missing, f"{path} takes {missing}: give them a value in VALUES"
    return FUNCTIONS[path](**{name: values[name] for name in needed})


def tensors(value: Any) -> list[Tensor]:
    if isinstance(value, Tensor | bool):
        return [torch.as_tensor(value)]
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
    count = 1 if "image" in inspect.signature(FUNCTIONS[path]).parameters else 2
    if count == 1 and bad == "shorter":
        return  # one class fits one image
    with pytest.raises(
        ValueError, match=rf"^`target` (is a long tensor of shape \({count},\)|has classes)"
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
    if "image" in inspect.signature(FUNCTIONS[path]).parameters:
        return  # one image, as its docstring says
    try:
        result = call(path, images=images(0), target=torch.tensor([], dtype=torch.long))
    except ValueError as error:
        assert "at least one image" in str(error) or "one of each" in str(error)
    else:
        assert all(len(tensor) == 0 for tensor in tensors(result))


@pytest.mark.parametrize("path", FUNCTIONS)
def test_tensors_from_inference_mode_are_welcome(path: str) -> None:
    expected = call(path)
    with torch.inference_mode():
        given = {"images": images(), "target": torch.tensor([3, 1])}
        inside = call(path, **given)
    outside = call(path, **given)
    with torch.no_grad():
        without_grad = call(path, **given)
    for result in (inside, outside, without_grad):
        for one, other in zip(tensors(expected), tensors(result), strict=True):
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
            assert (right.dtype, result.dtype) == (torch.float64, dtype)
            assert result.isfinite().all()
            if dtype == torch.float32 and not path.endswith("smooth_grad"):  # it draws by dtype
                torch.testing.assert_close(result.double(), right, rtol=1e-3, atol=1e-5)
