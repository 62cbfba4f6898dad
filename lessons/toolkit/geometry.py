"""Read kernels, strides and paddings off a network while it runs."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import torch
from torch import Tensor, nn

from lessons.toolkit.efficientnet import SameConv2d
from lessons.toolkit.passes import stopped_at

_Layer = tuple[int, int, int, int]
_KINDS = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d)


def layers_on_the_way(network: nn.Module, layer: str, size: tuple[int, int]) -> list[_Layer]:
    """List what lies between the image and a layer, in the order in which it runs.

    Args:
        network: a chain, shortcuts that pass their input on unchanged included. It is left as it
            was.
        layer: dotted name of a part of it whose output is `(N,C,h,w)`.
        size: height and width of the images.

    Returns:
        Kernel, stride, padding before the first row, and dilation of each convolution and pooling.

    Raises:
        AttributeError: there is no such layer.
        ValueError: the layer did not run, a kernel is not square, or the strides do not explain the
            size of the layer's map, as where branches of the network have strides of their own.

    >>> network = nn.Sequential(nn.Conv2d(3, 4, 3, stride=2, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    >>> layers_on_the_way(network, "2", (16, 16))
    [(3, 2, 1, 1), (2, 2, 0, 1)]
    """
    found: list[_Layer] = []

    def note(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        found.append(_layer(module, inputs[0].shape[-2]))

    parameter = next(network.parameters())
    images = torch.zeros(1, 3, *size, device=parameter.device, dtype=parameter.dtype)
    with ExitStack() as hooks:
        for module in network.modules():
            if isinstance(module, _KINDS):
                hooks.enter_context(module.register_forward_hook(note))
        # After `note`: the layer may itself be a convolution.
        with stopped_at(network.get_submodule(layer)) as maps:
            network(images)
    if not maps:
        raise ValueError(f"layer {layer!r} did not run in this pass: choose one that does.")
    jump = 1
    for _, stride, _, _ in found:
        jump *= stride
    if not (maps[0].dim() == 4 and abs(maps[0].shape[-2] - size[0] / jump) < 0.5 * size[0] / jump):
        raise ValueError(f"The way to layer {layer!r} is no chain: it has branches with strides.")
    return found


def _layer(module: nn.Module, rows: int) -> _Layer:
    """Return kernel, stride, padding and dilation of a module that got so many rows."""
    kernel, stride, padding, dilation = (
        _one(getattr(module, name, 1)) for name in ("kernel_size", "stride", "padding", "dilation")
    )
    if isinstance(module, SameConv2d):
        padding, _ = module._padding(rows, kernel, stride)
    return kernel, stride, padding, dilation


def _one(value: Any) -> int:
    """Return the number of both axes."""
    numbers = {value} if isinstance(value, int) else set(value)
    if len(numbers) != 1:
        raise ValueError("a kernel, stride, padding or dilation that differs from axis to axis")
    return int(numbers.pop())
