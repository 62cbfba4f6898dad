from __future__ import annotations

import random
import sys
import warnings
from types import ModuleType

import numpy as np
import torch
from torch import nn

from autograder.protocol.wire import ModelSpec
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
