from __future__ import annotations

import random
from types import ModuleType

import numpy as np
import torch

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
