"""Whatever a worker writes, the judge answers with a verdict, and soon."""

from __future__ import annotations

import json
import math
import random
import struct
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from autograder.checks import lesson
from autograder.course.catalogue import landed_stems as stems
from autograder.grading.run.examine import read_answer
from autograder.grading.sandbox.outcome import ChildResult
from autograder.judge.expected import Expectation
from autograder.judge.verdict import judge
from autograder.protocol.answers import Answer, read_record
from autograder.protocol.wire import DTYPES, PREFIX, Foreign, ModelSpec, WireError, encode

SEED = 77_003_141
TRIES = 12

WORDS = ["", "x", "\ud800", "\0", "\u202e", "a" * 5000, "l11_saliency.saliency_map: ", "returned"]
NUMBERS = [0, 1, -1, True, 2**62, -(2**62), 0.0, -0.0, math.nan, math.inf, 1e308]
SHAPES = [(), (0,), (1,), (2, 0, 3), (3, 4), (1,) * 8, (1001,), (2, 3, 16, 24)]
STATUSES = ["returned", "raised", "unsendable", "passed", 0, None, [1]]
FIELDS = [
    *("case", "status", "value", "error", "again", "plain", "effects"),
    *("printed", "note", "loaded", "has", "devices", "device"),
]


def _tensor(rng: random.Random) -> Tensor:
    dtype = rng.choice([dtype for dtype, _ in DTYPES.values()])
    tensor = torch.full(rng.choice(SHAPES), rng.choice([0.0, 1.0, 3.0])).to(dtype)
    if tensor.is_floating_point() and rng.random() < 0.5:
        tensor = torch.full_like(tensor, rng.choice([math.nan, math.inf, -math.inf, 6e4]))
    return tensor.requires_grad_(tensor.is_floating_point() and rng.random() < 0.3)


def _anything(rng: random.Random, depth: int = 0) -> Any:
    """Plain data of any kind and shape."""
    leaves: list[Callable[[], Any]] = [
        lambda: None,
        lambda: rng.choice(WORDS),
        lambda: rng.choice(NUMBERS),
        lambda: _tensor(rng),
        lambda: Foreign(rng.choice(["numpy.ndarray", "<b>", ""]), rng.choice(WORDS)),
        lambda: ModelSpec("plain", 3),
    ]
    nests: list[Callable[[], Any]] = [
        lambda: [_anything(rng, depth + 1) for _ in range(rng.randrange(4))],
        lambda: tuple(_anything(rng, depth + 1) for _ in range(rng.randrange(4))),
        lambda: {_key(rng): _anything(rng, depth + 1) for _ in range(rng.randrange(4))},
    ]
    return rng.choice(leaves if depth > 3 else leaves + nests)()


def _key(rng: random.Random) -> Any:
    return rng.choice([*WORDS, *NUMBERS, (1, "a"), None, "type", "message", "lines"])


def _mutated(rng: random.Random, value: Any) -> Any:
    """Something close to a right value: one part of it is another, or gone, or doubled."""
    if rng.random() < 0.25:
        return _anything(rng)
    if isinstance(value, Tensor):
        changes: list[Callable[[], Tensor]] = [
            lambda: value.clone(),
            lambda: value[None],
            lambda: value.flatten(),
            lambda: value.to(torch.float64),
            lambda: value.to(torch.bool),
            lambda: torch.zeros_like(value),
            lambda: value / 0 if value.is_floating_point() else ~value,
            lambda: value.detach().clone().requires_grad_(value.is_floating_point()),
        ]
        return rng.choice(changes)()
    if isinstance(value, dict) and value:
        chosen = rng.choice(list(value))
        changed = {**value, chosen: _mutated(rng, value[chosen])}
        if rng.random() < 0.3:
            changed[_key(rng)] = changed.pop(chosen)
        return changed
    if isinstance(value, list | tuple) and value:
        items = list(value)
        items[rng.randrange(len(items))] = _mutated(rng, rng.choice(items))
        return type(value)(items[: rng.randrange(1, len(items) + 1)])
    return rng.choice([value, _anything(rng)])


def _answer(rng: random.Random, expectation: Expectation) -> tuple[dict[Any, Any], ...]:
    loading = rng.choice([{"loaded": True, "has": True}] * 6 + [{"has": _anything(rng)}])
    if rng.random() < 0.1:
        loading = {"error": _mutated(rng, {"type": "E", "message": "m", "lines": [[1, "x"]]})}
    records = []
    for record in expectation.records.values():
        changed = {key: record[key] for key in record if key not in ("devices", "device")}
        for _ in range(rng.randrange(3)):
            field = rng.choice(FIELDS)
            changed[field] = _mutated(rng, changed.get(field))
        if rng.random() < 0.2:
            changed["status"] = rng.choice(STATUSES)
        records.append(changed)
    rng.shuffle(records)
    return (loading, *records)


@pytest.mark.parametrize("stem", stems())
def test_any_records_get_a_verdict(stem: str) -> None:
    rng = random.Random(stem)
    for exercise in lesson(stem).exercises:
        expectation = Expectation(stem, exercise, SEED)
        for _ in range(TRIES):
            records = []
            for record in _answer(rng, expectation):
                try:
                    records.append(read_record(encode(record)))
                except WireError:
                    continue
            status = rng.choice(["ok", "ok", "ok", "timeout", "memory", "output", "died"])
            verdict = judge(expectation, Answer(status, tuple(records)))
            assert 0 <= verdict.points <= exercise.points
            if verdict.points == exercise.points:
                assert verdict.outcome == "passed"


def _frame(tree: Any, dtype: str, shape: list[int], size: int) -> bytes:
    table = {"0": {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}
    inner = json.dumps(table).encode()
    body = struct.pack("<Q", len(inner)) + inner + bytes(size)
    header = json.dumps(tree).encode()
    return PREFIX.pack(b"CVL1", len(header), len(body)) + header + body


def _dict(**items: Any) -> dict[str, Any]:
    return {"$dict": [[key, value] for key, value in items.items()]}


TENSOR = {"$tensor": "0", "device": "cpu", "graph": False}
MANY = [TENSOR] * 10_000
LOADED = encode({"loaded": True, "has": True})
RETURNED = {"case": "one image", "status": "returned"}
# Each once took hours to print, or gigabytes to rebuild.
AMPLIFIERS = {
    "a bool tensor ten thousand times": LOADED
    + _frame(_dict(**RETURNED, value=MANY), "BOOL", [1 << 22], 1 << 22),
    "a case that is tensors": LOADED + _frame(_dict(case=MANY), "U8", [999], 999),
    "a key that is a tensor": LOADED
    + _frame({"$dict": [[{"$tuple": [TENSOR]}, 1]]}, "U8", [999], 999),
    "an error type that is tensors": _frame(
        _dict(loaded=False, error=_dict(type=MANY, message=MANY, lines=[])), "U8", [999], 999
    ),
    "a tensor for a truth": _frame(_dict(loaded=True, has=TENSOR), "U8", [999], 999),
    "more frames than cases": LOADED + encode([[]] * 15_000) * 500,
}


@pytest.mark.parametrize("name", AMPLIFIERS)
def test_a_small_frame_is_small_work(name: str) -> None:
    exercise = lesson("l11_saliency").exercises[0]
    expectation = Expectation("l11_saliency", exercise, SEED)
    answer = read_answer(ChildResult("ok", AMPLIFIERS[name]), len(expectation.cases))
    assert len(answer.records) <= 1 + len(expectation.cases)
    # A bound on what the records can hold, not on time: every value in them came over the wire.
    assert sum(_weight(record) for record in answer.records) < len(AMPLIFIERS[name])
    assert judge(expectation, answer).points == 0


def _weight(value: Any) -> int:
    if isinstance(value, Tensor):
        return value.numel() * value.element_size()
    if isinstance(value, dict):
        return sum(map(_weight, value.values()))
    return sum(map(_weight, value)) if isinstance(value, list | tuple) else 1
