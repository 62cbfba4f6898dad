from __future__ import annotations

import random
import sys
import warnings
from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from autograder.judge.expected import restored_globals
from autograder.protocol.wire import Foreign, ModelSpec, decode, encode
from autograder.worker.load import load
from autograder.worker.observe import observe


def careless(student: ModuleType) -> dict[str, object]:
    return {"torch": torch.rand(3), "numpy": float(np.random.rand()), "random": random.random()}


def test_a_draw_from_the_global_generators_is_the_same_in_every_process():
    values = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        np.random.seed(seed)
        random.seed(seed)
        record = observe(ModuleType("student"), careless, {}, "exercises.py")
        assert record["effects"] == ["global_rng"]
        assert not torch.equal(record["value"]["torch"], record["again"]["torch"])
        values.append(record["value"])
    assert torch.equal(values[0].pop("torch"), values[1].pop("torch"))
    assert values[0] == values[1]


def test_a_module_with_other_parameters_is_seen_and_stops_nothing():
    def replaced(student: ModuleType, model: nn.Module) -> None:
        model.classifier = nn.Identity()

    record = observe(ModuleType("student"), replaced, {"model": ModelSpec("plain", 1)}, "mine.py")
    assert record["status"] == "returned"
    assert "modules_replaced" in record["effects"]


def test_a_warning_is_nothing_that_was_printed():
    def warned(student: ModuleType) -> None:
        print("mine")
        warnings.warn("torch's", stacklevel=1)
        print("not mine either", file=sys.stderr)

    assert (
        observe(ModuleType("student"), warned, {}, "mine.py")["printed"] == "mine\n"
    )  # once: of the first call


class Marked(torch.Tensor):
    """A plain subclass."""


class Refusing(torch.Tensor):
    """A subclass that answers no function of torch."""

    @classmethod
    def __torch_function__(cls, *_: object, **__: object) -> None:
        raise RuntimeError("no")


def nested() -> torch.Tensor:
    with warnings.catch_warnings(action="ignore"):
        return torch.nested.nested_tensor([torch.ones(2), torch.ones(3)])


def jagged() -> torch.Tensor:
    parts = [torch.ones(2), torch.ones(3)]
    return torch.nested.nested_tensor(parts, layout=torch.jagged)


def quantised() -> torch.Tensor:
    with warnings.catch_warnings(action="ignore"):
        return torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.quint8)


def fake() -> torch.Tensor:
    with FakeTensorMode():
        return torch.ones(2)


def batched() -> torch.Tensor:
    kept: list[torch.Tensor] = []
    torch.vmap(lambda row: kept.append(row) or row)(torch.ones(2, 3))
    return kept[0]


ODD = {
    nested: "nested",
    jagged: "nested",
    quantised: "quint8",
    fake: "FakeTensor",
    batched: "Tensor",
    lambda: torch.eye(2).to_sparse(): "sparse_coo",
    lambda: torch.eye(2).to_sparse_csr(): "sparse_csr",
    lambda: torch.ones(2, device="meta"): "meta",
    lambda: torch.ones(2) * 1j: "complex64",
    lambda: torch.ones(2).to(torch.float8_e5m2): "float8_e5m2",
    lambda: torch.ones(1).expand(1 << 40): "MiB",
}


@pytest.mark.parametrize("make", ODD)
@pytest.mark.parametrize("inside", [False, True])
def test_a_tensor_that_cannot_be_sent_is_named(make: Callable[[], torch.Tensor], inside: bool):
    def call(student: ModuleType) -> object:
        return {"a": [make(), 1]} if inside else make()

    record = observe(ModuleType("student"), call, {}, "mine.py")
    assert record["status"] == "returned", record
    value = decode(encode(record)).value["value"]
    note = value["a"][0] if inside else value
    assert isinstance(note, Foreign) and ODD[make] in note.note, note


@pytest.mark.parametrize("kind", [Marked, Refusing, nn.Parameter])
def test_the_values_of_a_subclass_are_read(kind: type):
    def call(student: ModuleType) -> object:
        return torch.ones(2).as_subclass(kind) if kind is not nn.Parameter else kind(torch.ones(2))

    record = observe(ModuleType("student"), call, {}, "mine.py")
    value = decode(encode(record)).value["value"]
    assert type(value) is torch.Tensor and value.detach().tolist() == [1, 1]


def test_what_a_file_sets_for_all_of_torch_is_undone_before_each_case():
    right = "def f(model, images):\n    return model(images)\n"
    sets = "import torch\ntorch.set_default_dtype(torch.float64)\ntorch.set_grad_enabled(False)\n"
    inputs = {"model": ModelSpec("plain", 1), "images": torch.ones(1, 3, 16, 16)}
    records = []
    with restored_globals(()):
        for source in (right, sets + right):
            module = load("l00_none", source, "mine.py")
            call = lambda student, **inputs: student.f(**inputs)  # noqa: E731
            records.append(observe(module, call, dict(inputs), "mine.py"))
    for record in records:
        assert torch.equal(record["value"], records[0]["value"]) and record["effects"] == []


def test_a_call_that_sets_them_is_still_seen():
    def call(student: ModuleType) -> None:
        torch.set_default_dtype(torch.float64)

    with restored_globals(()):
        assert observe(ModuleType("student"), call, {}, "mine.py")["effects"] == ["default_dtype"]
