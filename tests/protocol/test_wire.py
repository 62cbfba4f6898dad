"""Frames survive the round trip, and no malformed one gets further than a WireError."""

from __future__ import annotations

import json
import math
import struct
import tracemalloc
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.protocol.wire import (
    PREFIX,
    Caps,
    Foreign,
    ModelSpec,
    WireError,
    decode,
    encode,
    is_plain,
    read_frame,
)

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | text
)
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(plain)
def test_plain_data_comes_back_as_it_went(value: Any) -> None:
    assert decode(encode(value)).value == value


@pytest.mark.parametrize(
    "dtype",
    [
        torch.float64,
        torch.float32,
        torch.float16,
        torch.bfloat16,
        torch.int64,
        torch.int32,
        torch.int16,
        torch.int8,
        torch.uint8,
        torch.bool,
    ],
)
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 4), (2, 3, 4)])
def test_tensors_come_back_with_dtype_and_shape(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    sent = torch.arange(math.prod(shape)).reshape(shape).to(dtype)
    came = decode(encode({"x": (sent, [sent])})).value["x"][0]
    assert came.dtype == dtype and came.shape == shape and torch.equal(came, sent)


def test_special_floats_and_models_and_notes() -> None:
    value = [math.inf, -math.inf, ModelSpec("plain", 3, "float64"), Foreign("a.B", "c")]
    assert decode(encode(value)).value == value
    assert math.isnan(decode(encode(math.nan)).value)


def test_a_kept_graph_is_noted_and_the_graph_is_not() -> None:
    sent = torch.ones(2, requires_grad=True) * 2
    came = decode(encode(sent)).value
    assert came.requires_grad and came.is_leaf


def test_strided_shared_and_subclassed_tensors_arrive_plain() -> None:
    class Liar(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            if function is torch.Tensor.numpy:
                raise RuntimeError("no")
            return super().__torch_function__(function, types, args, kwargs or {})

    base = torch.arange(12.0).reshape(3, 4)
    sent = [base.T, base[:, 1], base[:, 1], base.expand(2, 3, 4), base.as_subclass(Liar)]
    came = decode(encode(sent)).value
    assert all(type(t) is torch.Tensor for t in came)
    assert all(
        torch.equal(a, torch.Tensor.as_subclass(b, torch.Tensor))
        for a, b in zip(came, sent, strict=True)
    )


@pytest.mark.parametrize("value", [object(), {1, 2}, b"x", 1 << 64, np.float64(1), lambda: 0, 1j])
def test_what_is_not_plain_is_refused(value: Any) -> None:
    assert not is_plain(value)
    with pytest.raises(WireError):
        encode([value])


def test_a_value_that_holds_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(WireError):
        encode(loop)


def _frame(tree: Any, body: bytes = b"") -> bytes:
    header = tree if isinstance(tree, bytes) else json.dumps(tree).encode()
    return PREFIX.pack(b"CVL1", len(header), len(body)) + header + body


def _body(table: Any, data: bytes = b"") -> bytes:
    header = table if isinstance(table, bytes) else json.dumps(table).encode()
    return struct.pack("<Q", len(header)) + header + data


ENTRY = {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}
NODE = {"$tensor": "0", "device": "cpu", "graph": False}

LIES = {
    "empty": b"",
    "no mark": b"XXXX" + bytes(12),
    "header longer than the cap": PREFIX.pack(b"CVL1", 2**32 - 1, 0),
    "tensors longer than the cap": PREFIX.pack(b"CVL1", 2, 2**63) + b"{}",
    "header longer than what came": PREFIX.pack(b"CVL1", 100, 0) + b"{}",
    "bytes left over": _frame([]) + b"x",
    "not JSON": _frame(b"{"),
    "not UTF-8": _frame(b'"\xff"'),
    "NaN literal": _frame(b"NaN"),
    "deep JSON": _frame(b"[" * 100_000 + b"]" * 100_000),
    "deep value": _frame(b"[" * 40 + b"]" * 40),
    "many parts": _frame([0] * 30_000),
    "long integer": _frame(b"1" + b"0" * 5000),
    "integer of 64 bits": _frame(b"9223372036854775808"),
    "unknown tag": _frame({"$eval": "1"}),
    "untagged object": _frame({"a": 1}),
    "pair of three": _frame({"$dict": [[1, 2, 3]]}),
    "unhashable key": _frame({"$dict": [[[1], 2]]}),
    "unhashable key inside a tuple": _frame({"$dict": [[{"$tuple": [[1]]}, 2]]}),
    "tensor that did not come": _frame(NODE),
    "tensor header too long": _frame(NODE, struct.pack("<Q", 2**62)),
    "tensor header not JSON": _frame(NODE, _body(b"{{{")),
    "tensor header not a table": _frame(NODE, _body([1])),
    "unknown dtype": _frame(NODE, _body({"0": {**ENTRY, "dtype": "C64"}}, bytes(4))),
    "dtype not a string": _frame(NODE, _body({"0": {**ENTRY, "dtype": ["F32"]}}, bytes(4))),
    "shape says more": _frame(NODE, _body({"0": {**ENTRY, "shape": [2**39]}}, bytes(4))),
    "shape negative": _frame(NODE, _body({"0": {**ENTRY, "shape": [-1]}}, bytes(4))),
    "shape of booleans": _frame(NODE, _body({"0": {**ENTRY, "shape": [True]}}, bytes(4))),
    "shape overflows": _frame(NODE, _body({"0": {**ENTRY, "shape": [2**39] * 8}}, bytes(4))),
    "rank too high": _frame(NODE, _body({"0": {**ENTRY, "shape": [1] * 99}}, bytes(4))),
    "offsets outside": _frame(NODE, _body({"0": {**ENTRY, "data_offsets": [0, 8]}}, bytes(4))),
    "offsets backwards": _frame(NODE, _body({"0": {**ENTRY, "data_offsets": [4, 0]}}, bytes(4))),
    "offsets overlap": _frame([NODE], _body({"0": ENTRY, "1": ENTRY}, bytes(4))),
    "bytes unclaimed": _frame(NODE, _body({"0": ENTRY}, bytes(40))),
    "metadata": _frame(NODE, _body({"__metadata__": {"a": "b"}, "0": ENTRY}, bytes(4))),
    "too many tensors": _frame([], _body({str(i): ENTRY for i in range(5000)}, bytes(4))),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lying_frame_is_a_wire_error(name: str) -> None:
    with pytest.raises(WireError):
        decode(LIES[name])


def test_half_a_surrogate_pair_is_made_writable() -> None:
    assert decode(_frame(b'"\\ud800"')).value.encode("utf-8")


def test_a_huge_announcement_allocates_nothing() -> None:
    tracemalloc.start()
    with pytest.raises(WireError):
        read_frame(iter_reader(PREFIX.pack(b"CVL1", 10, 1 << 50)))
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def iter_reader(data: bytes):  # type: ignore[no-untyped-def]
    view = memoryview(data)
    position = 0

    def read(size: int) -> bytes:
        nonlocal position
        part = view[position : position + size]
        position += len(part)
        return bytes(part)

    return read


VALID = encode({"value": torch.arange(6.0).reshape(2, 3), "flag": torch.ones(2, dtype=torch.bool)})


@settings(max_examples=400)
@given(st.lists(st.tuples(st.integers(0, len(VALID) - 1), st.integers(0, 255)), max_size=6))
def test_flipped_bytes_decode_or_are_wire_errors(flips: list[tuple[int, int]]) -> None:
    data = bytearray(VALID)
    for place, byte in flips:
        data[place] = byte
    _decodes_or_refuses(bytes(data))


@settings(max_examples=200)
@given(st.integers(0, len(VALID)), st.binary(max_size=40))
def test_truncated_and_spliced_frames_decode_or_are_wire_errors(place: int, extra: bytes) -> None:
    _decodes_or_refuses(VALID[:place])
    _decodes_or_refuses(VALID[:place] + extra + VALID[place:])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["$tensor", "device", "graph", "$dict", "$tuple", "$float", "$model"])
            | st.text(max_size=4),
            inner,
            max_size=3,
        )
    ),
)


@settings(max_examples=400)
@given(json_values)
def test_any_json_header_decodes_or_is_a_wire_error(tree: Any) -> None:
    _decodes_or_refuses(_frame(tree))


def _decodes_or_refuses(data: bytes) -> None:
    try:
        decode(data, Caps(tensors=1 << 16))
    except WireError:
        return


def test_one_tensor_may_take_a_quarter_of_a_frame() -> None:
    most = Caps.tensor // 4
    assert decode(encode(torch.zeros(most))).value.shape == (most,)
    note = decode(encode(torch.zeros(1).expand(most + 1))).value.note
    assert note == "it takes 65 MiB, and 64 is the most"
    with pytest.raises(WireError, match="a tensor of more than 65536 bytes"):
        decode(encode(torch.zeros(1 << 15)), Caps(tensor=1 << 16))
