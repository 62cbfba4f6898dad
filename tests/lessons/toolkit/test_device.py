"""The device asked for, the best there is, or one line that says what there is."""

from __future__ import annotations

import pytest
import torch

from lessons.toolkit.device import available_devices, choose_device
from lessons.toolkit.errors import UserError


def machine_with(monkeypatch: pytest.MonkeyPatch, cuda: int = 0, mps: bool = False) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "best"), [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda")]
)
def test_auto_takes_the_fastest(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, best: str
) -> None:
    machine_with(monkeypatch, cuda, mps)
    assert choose_device() == choose_device("auto") == torch.device(best)
    assert available_devices()[-1] == "cpu"


def test_the_device_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    machine_with(monkeypatch, cuda=2)
    for name in ("cpu", "cuda", "cuda:0", "cuda:1"):
        assert choose_device(name) == torch.device(name)


@pytest.mark.parametrize(
    ("cuda", "asked", "there"),
    [
        (0, "cuda", "It has: cpu."),
        (0, "cuda:0", "It has: cpu."),
        (0, "mps", "It has: cpu."),
        (2, "mps", "It has: cuda, cpu."),
        (2, "cuda:2", "It has: cuda, cpu."),
        (0, "cpu:1", "It has: cpu."),
    ],
)
def test_a_device_that_is_not_there(
    monkeypatch: pytest.MonkeyPatch, cuda: int, asked: str, there: str
) -> None:
    machine_with(monkeypatch, cuda)
    with pytest.raises(UserError, match=f"no {asked} ") as error:
        choose_device(asked)
    assert error.value.next_step == there


@pytest.mark.parametrize("name", ["gpu", "coda", "", "cuda:", "cuda:x", "cuda:-1"])
def test_a_name_that_is_no_device(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    machine_with(monkeypatch, cuda=1)
    with pytest.raises(UserError, match="no device called"):
        choose_device(name)


@pytest.mark.gpu
def test_auto_takes_this_gpu() -> None:
    assert choose_device().type == "cuda"
