"""What a function fetches from its device: whole tensors, not single numbers.

On a GPU each such copy waits for all work that is under way, and what is computed from it then runs
on the CPU. The calls that fetch are the same on a CPU, where they cost nothing, so that they are
seen here on every machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

TORCH = str(Path(torch.__file__).parent)
FETCH = {"cpu", "numpy", "tolist", "__array__"}


class Downloads(TorchFunctionMode):
    """Names of the calls in a block that fetch a tensor of more than one number to the CPU.

    Args:
        counts: whether a call in this file is to be noted; others are the caller's own.
        on_gpu: leave out tensors that are on the CPU already, such as what a seed has drawn.
    """

    def __init__(
        self, counts: Callable[[str], bool] = lambda file: True, on_gpu: bool = False
    ) -> None:
        super().__init__()
        self.counts, self.on_gpu = counts, on_gpu
        self.found: list[str] = []

    def __torch_function__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        given = args[0] if args else None
        if isinstance(given, Tensor) and given.numel() > 1 and not (self.on_gpu and given.is_cpu):
            to_cpu = (_is_cpu(value, given) for value in (*args[1:], *kwargs.values()))
            if name in FETCH or (name == "to" and any(to_cpu)):
                frame = _caller()
                if self.counts(frame.f_code.co_filename):
                    file = Path(frame.f_code.co_filename).name
                    self.found.append(f"{name} in {file}, line {frame.f_lineno}")
        return func(*args, **kwargs)


def _is_cpu(value: object, tensor: Tensor) -> bool:
    """Check whether an argument of `to` sends a tensor to the CPU.

    On the CPU a word does, and a device may be that of another tensor.
    """
    if isinstance(value, str):
        return value.startswith("cpu")
    return isinstance(value, torch.device) and value.type == "cpu" and not tensor.is_cpu


def _caller() -> FrameType:
    """Return the frame of the innermost code that is neither PyTorch's nor this file's."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and (
        frame.f_code.co_filename == __file__ or frame.f_code.co_filename.startswith(TORCH)
    ):
        frame = frame.f_back
    assert frame is not None
    return frame
