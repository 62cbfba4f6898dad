"""The frames that pass between a worker and its judge.

A frame holds *plain data*: None, bool, int, float, str, list, tuple, dict, tensors, a model named
by registry and seed, or a note that something else came back. The judge reads frames that hostile
code may have written. So every length, depth, dtype and shape is checked before anything is
allocated, and nothing is ever unpickled.

Layout: ``b"CVL1"``, header length (u32), tensor length (u64), header (JSON), tensors (safetensors).
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

MAGIC = b"CVL1"
PREFIX = struct.Struct("<4sIQ")

DTYPES = {
    "F64": (torch.float64, 8),
    "F32": (torch.float32, 4),
    "F16": (torch.float16, 2),
    "BF16": (torch.bfloat16, 2),
    "I64": (torch.int64, 8),
    "I32": (torch.int32, 4),
    "I16": (torch.int16, 2),
    "I8": (torch.int8, 1),
    "U8": (torch.uint8, 1),
    "BOOL": (torch.bool, 1),
}
SENDABLE = {dtype for dtype, _ in DTYPES.values()}


class WireError(ValueError):
    """A frame that is malformed, too large, or not what it says it is."""


@dataclass(frozen=True)
class ModelSpec:
    """A network by registry name and seed.

    It crosses the wire as a few words, never as weights.

    Args:
        name: a name of `autograder.worker.networks`.
        seed: seeds the weights.
        dtype: ``"float32"`` or ``"float64"``.
    """

    name: str
    seed: int = 0
    dtype: str = "float32"


@dataclass(frozen=True)
class Foreign:
    """A note on a value that is not plain data: its type, and a few words about it."""

    kind: str
    note: str = ""


@dataclass(frozen=True)
class Caps:
    """Limits of one frame, in bytes and counts.

    A frame holds a result twice, because a check calls twice, and what the call left behind: so one
    tensor may take a quarter of what all may.
    """

    header: int = 1 << 20
    tensors: int = 256 << 20
    tensor: int = 64 << 20
    count: int = 4096
    rank: int = 8
    depth: int = 16
    nodes: int = 20_000


@dataclass(frozen=True)
class Frame:
    """One decoded frame: its value, and the devices its tensors were sent from.

    Tensors arrive on the CPU. One that was sent with a graph arrives as a leaf that requires grad.
    """

    value: Any
    devices: frozenset[str] = frozenset()


def encode(value: Any) -> bytes:
    """Encode plain data as one frame.

    Args:
        value: plain data; a tensor may require grad (noted) and sit on any device (noted).

    Returns:
        The frame's bytes.

    Raises:
        WireError: for anything that is not plain data.

    >>> decode(encode({"map": torch.ones(2), "k": (1, None)})).value["k"]
    (1, None)
    """
    tensors: dict[str, torch.Tensor] = {}
    tree = _fold(value, tensors)
    if sum(map(_size, tensors.values())) > Caps.tensors:
        raise WireError(f"more than {Caps.tensors >> 20} MiB of tensors")
    header = json.dumps(tree, allow_nan=False, separators=(",", ":")).encode()
    body = save_tensors({name: _copy(t) for name, t in tensors.items()}) if tensors else b""
    return PREFIX.pack(MAGIC, len(header), len(body)) + header + body


def decode(data: bytes | bytearray | memoryview, caps: Caps | None = None) -> Frame:
    """Decode one frame that may come from hostile code.

    Args:
        data: exactly one frame.
        caps: what is accepted.

    Raises:
        WireError: whatever is wrong with it. No other exception leaves this function.
    """
    caps = caps or Caps()
    header_size, body_size = read_prefix(bytes(data[: PREFIX.size]), caps)
    if len(data) != PREFIX.size + header_size + body_size:
        raise WireError("the frame is shorter or longer than it announces")
    header = bytes(data[PREFIX.size : PREFIX.size + header_size])
    body = bytes(data[PREFIX.size + header_size :])
    try:
        tree = json.loads(header, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise WireError("the header is not JSON") from error
    tensors = _checked_tensors(body, caps) if body else {}
    return _Unfolder(tensors, caps).frame(tree)


def read_prefix(prefix: bytes, caps: Caps | None = None) -> tuple[int, int]:
    """Check a frame's first 16 bytes.

    Returns:
        The sizes of its header and of its tensors, in bytes.

    Raises:
        WireError: they are no prefix, or announce more than `caps` allows.
    """
    caps = caps or Caps()
    if len(prefix) != PREFIX.size:
        raise WireError("the frame ends inside its prefix")
    magic, header_size, body_size = PREFIX.unpack(prefix)
    if magic != MAGIC:
        raise WireError("the frame does not begin with its mark")
    if header_size > caps.header:
        raise WireError(f"the header announces {header_size} bytes")
    if body_size > caps.tensors:
        raise WireError(f"the tensors announce {body_size} bytes")
    return header_size, body_size


def read_frame(read: Callable[[int], bytes], caps: Caps | None = None) -> Frame | None:
    """Read one frame from a stream.

    Args:
        read: ``read(n)`` returns up to n bytes, and none at the end of the stream.
        caps: what is accepted.

    Returns:
        The frame, or None where the stream ends between frames.

    Raises:
        WireError: the frame is malformed, too large or not whole.
    """
    prefix = read_exactly(read, PREFIX.size)
    if not prefix:
        return None
    header_size, body_size = read_prefix(prefix, caps)
    rest = read_exactly(read, header_size + body_size)
    return decode(prefix + rest, caps)


def read_exactly(read: Callable[[int], bytes], size: int) -> bytes:
    """Read ``size`` bytes, or fewer at the end of the stream."""
    parts = []
    while size:
        part = read(min(size, 1 << 20))
        if not part:
            break
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def is_plain(value: Any) -> bool:
    """Return True if a value can cross the wire as it is."""
    try:
        _fold(value, {})
    except WireError:
        return False
    return True


def why_unsendable(tensor: torch.Tensor) -> str:
    """Return why a tensor cannot cross the wire, in a few words, or ``""`` if it can.

    >>> why_unsendable(torch.zeros(2, dtype=torch.complex64))
    'its dtype is complex64'
    """
    if tensor.is_nested:
        return "it is nested: its parts differ in shape"
    if tensor.device.type == "meta":
        return "it has no values, being on the device meta"
    if tensor.layout != torch.strided:
        return f"its layout is {str(tensor.layout).removeprefix('torch.')}"
    if tensor.is_quantized or tensor.dtype not in SENDABLE:
        return f"its dtype is {str(tensor.dtype).removeprefix('torch.')}"
    if _size(tensor) > Caps.tensor:  # known before anything is copied, long before a deadline
        needed = math.ceil(_size(tensor) / (1 << 20))
        return f"it takes {needed} MiB, and {Caps.tensor >> 20} is the most"
    return ""


def _fold(value: Any, tensors: dict[str, torch.Tensor], depth: int = 0) -> Any:
    if depth > Caps.depth:
        raise WireError("the value is nested too deeply, or holds itself")
    kind = type(value)
    if value is None or kind in (bool, int, str):
        if kind is int and abs(value) >= 1 << 63:
            raise WireError("an integer of more than 63 bits")
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": str(value)}
    if isinstance(value, torch.Tensor):
        return _fold_tensor(value, tensors)
    if kind in (list, tuple):
        items = [_fold(item, tensors, depth + 1) for item in value]
        return items if kind is list else {"$tuple": items}
    if kind is dict:
        pairs = [
            [_fold(key, tensors, depth + 1), _fold(item, tensors, depth + 1)]
            for key, item in value.items()
        ]
        return {"$dict": pairs}
    if kind is ModelSpec:
        return {"$model": [value.name, value.seed, value.dtype]}
    if kind is Foreign:
        return {"$foreign": [value.kind[:200], value.note[:500]]}
    raise WireError(f"{kind.__module__}.{kind.__qualname__} is not plain data")


def _fold_tensor(value: torch.Tensor, tensors: dict[str, torch.Tensor]) -> Any:
    if note := why_unsendable(value):
        return {"$foreign": ["torch.Tensor", note]}
    name = str(len(tensors))
    tensors[name] = value
    return {"$tensor": name, "device": value.device.type, "graph": bool(value.requires_grad)}


def _size(tensor: torch.Tensor) -> int:
    """Return the bytes that a tensor takes once sent. A view by `expand` holds less than that."""
    return tensor.numel() * tensor.element_size()


def _copy(tensor: torch.Tensor) -> torch.Tensor:
    """Return a copy without subclass, graph, or storage shared with another tensor."""
    with torch.no_grad():
        plain = torch.Tensor.as_subclass(tensor.detach(), torch.Tensor)
        return plain.cpu().clone(memory_format=torch.contiguous_format)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _checked_tensors(body: bytes, caps: Caps) -> dict[str, torch.Tensor]:
    """Read the tensors of a safetensors blob.

    Every announcement is checked before any tensor is built.
    """
    if len(body) < 8:
        raise WireError("the tensors end inside their length")
    (size,) = struct.unpack("<Q", body[:8])
    if size > min(len(body) - 8, caps.header):
        raise WireError("the tensors' own header is longer than they are")
    try:
        table = json.loads(body[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise WireError("the tensors' own header is not JSON") from error
    if not isinstance(table, dict) or len(table) > caps.count:
        raise WireError("the tensors' own header is not a table of at most so many tensors")
    for entry in table.values():
        _check_entry(entry, len(body) - 8 - size, caps)
    try:
        return load_tensors(body)
    except (SafetensorError, ValueError, KeyError, RuntimeError, OverflowError) as error:
        raise WireError("the tensors cannot be read") from error


def _check_entry(entry: Any, room: int, caps: Caps) -> None:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise WireError("a tensor without dtype, shape and offsets")
    dtype, shape, offsets = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise WireError(f"a tensor of dtype {str(dtype)[:20]}")
    if not _naturals(shape) or len(shape) > caps.rank:
        raise WireError("a tensor whose shape is not a few natural numbers")
    if not _naturals(offsets) or len(offsets) != 2 or not offsets[0] <= offsets[1] <= room:
        raise WireError("a tensor outside the bytes that came")
    if math.prod(shape) * DTYPES[dtype][1] != offsets[1] - offsets[0]:
        raise WireError("a tensor whose shape and bytes differ")
    if offsets[1] - offsets[0] > caps.tensor:
        raise WireError(f"a tensor of more than {caps.tensor} bytes")


def _naturals(value: Any) -> bool:
    return isinstance(value, list) and all(type(n) is int and 0 <= n < 1 << 40 for n in value)


def _is_key(value: Any) -> bool:
    """Return True for a number, a word, or a tuple of these.

    These are quick to hash, to compare and to name.
    """
    if isinstance(value, tuple):
        return all(_is_key(item) for item in value)
    return isinstance(value, str | int | float | bool | None)


class _Unfolder:
    """Rebuild the value of one frame, counting nodes and depth on the way."""

    def __init__(self, tensors: dict[str, torch.Tensor], caps: Caps) -> None:
        self.tensors = tensors
        self.caps = caps
        self.nodes = 0
        self.devices: set[str] = set()

    def frame(self, tree: Any) -> Frame:
        return Frame(self.value(tree, 0), frozenset(self.devices))

    def value(self, node: Any, depth: int) -> Any:
        self.nodes += 1
        if depth > self.caps.depth or self.nodes > self.caps.nodes:
            raise WireError("the value is nested too deeply or has too many parts")
        if isinstance(node, int) and not isinstance(node, bool) and abs(node) >= 1 << 63:
            raise WireError("an integer of more than 63 bits")
        if isinstance(node, str):
            # JSON may smuggle half a surrogate pair, which no report could be written with.
            return node.encode("utf-8", "replace").decode("utf-8")
        if node is None or isinstance(node, bool | int | float):
            return node
        if isinstance(node, list):
            return [self.value(item, depth + 1) for item in node]
        return self._tagged(node, depth)

    def _tagged(self, node: dict[str, Any], depth: int) -> Any:
        match node:
            case {"$tensor": str(name), "device": str(device), "graph": bool(graph)}:
                return self._tensor(name, device, graph)
            case {"$tuple": list(items)}:
                return tuple(self.value(item, depth + 1) for item in items)
            case {"$dict": list(pairs)}:
                return self._dict(pairs, depth)
            case {"$float": "nan" | "inf" | "-inf" as text}:
                return float(text)
            case {"$model": [str(name), int(seed), str(dtype)]}:
                return ModelSpec(name, seed, dtype)
            case {"$foreign": [str(kind), str(note)]}:
                return Foreign(kind[:200], note[:500])
        raise WireError("a part of the header that no writer writes")

    def _tensor(self, name: str, device: str, graph: bool) -> torch.Tensor:
        # Each once, as writers do: what a few words repeat must not become many copies.
        if (tensor := self.tensors.pop(name, None)) is None:
            raise WireError("a tensor that did not come, or that is there twice")
        self.devices.add(device[:20])
        if tensor.dtype == torch.bool:
            # A byte other than 0 or 1 in a bool tensor is undefined behaviour: rebuild it.
            return tensor.view(torch.uint8) != 0
        return tensor.requires_grad_(graph and tensor.is_floating_point())

    def _dict(self, pairs: list[Any], depth: int) -> dict[Any, Any]:
        result = {}
        for pair in pairs:
            if not isinstance(pair, list) or len(pair) != 2:
                raise WireError("a dict entry that is not a pair")
            key = self.value(pair[0], depth + 1)
            if not _is_key(key):
                raise WireError("a dict key that is not plain")
            try:
                result[key] = self.value(pair[1], depth + 1)
            except TypeError as error:
                raise WireError("a dict key that cannot be hashed") from error
        return result
