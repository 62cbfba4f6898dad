"""The devices on which networks run."""

from __future__ import annotations

import re

import torch

from lessons.toolkit.errors import UserError, unknown


def choose_device(name: str = "auto") -> torch.device:
    """Return the device of that name, or the fastest one there is.

    Args:
        name: "auto", "cuda", "cuda:1", "mps" or "cpu". "auto" takes the first of cuda, mps and cpu
            that is there.

    Raises:
        UserError: there is no such device on this machine.

    >>> choose_device("cpu")
    device(type='cpu')
    """
    present = available_devices()
    if name == "auto":
        return torch.device(present[0])
    parts = re.fullmatch(r"(cuda|mps|cpu)(?::(\d+))?", name)
    if parts is None:
        raise unknown("device", name, ["auto", "cuda", "mps", "cpu"])
    kind, number = parts.groups()
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if kind not in present or int(number or 0) >= count:
        raise UserError(
            f"This machine has no {name} that PyTorch can use.", f"It has: {', '.join(present)}."
        )
    return torch.device(name)


def available_devices() -> list[str]:
    """Return the kinds of device that PyTorch can use here, fastest first.

    "cpu" is always the last.
    """
    devices = ["cpu"]
    if torch.backends.mps.is_available():
        devices.insert(0, "mps")
    if torch.cuda.is_available():
        devices.insert(0, "cuda")
    return devices
