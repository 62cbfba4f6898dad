"""Where the units of a layer look, against where their map is drawn."""

from __future__ import annotations

import math
from contextlib import ExitStack

import torch
from torch import Tensor, nn

from lessons.toolkit.passes import stopped_at

_NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm)


def unit_offset(network: nn.Module, layer: nn.Module, size: tuple[int, int]) -> tuple[float, float]:
    """Measure how far from the middle of its cell a layer's unit looks.

    A map of h x w places that is enlarged to a picture gives each place a cell of H/h x W/w pixels.
    Its unit need not look at the middle of that cell: an odd kernel with stride 2 and the same
    padding on all sides looks half a pixel too far up and left, and each stride doubles it.

    Where a unit looks is the centre of gravity of its receptive field, each pixel counted by the
    squares of the weights on all ways from it to the unit. That is what its squared gradient would
    be on average if the signs on the ways were random. Kernels whose places weigh the same give the
    middle of the receptive field.

    The measurement is three forward passes. Each kernel gives way to the mean square of the layer's
    kernels, place by place, and each norm to nothing, so that a unit gives a weighted mean of the
    pixels that it sees. The pixels are their own coordinates.

    Args:
        network: takes images `(N,3,H,W)`. It is left as it was.
        layer: a part of it whose output is `(N,C,h,w)`.
        size: height and width of the images that the map is laid over.

    Returns:
        Pixels down and pixels right, mean over the units. Positive: the units look further down or
        right than the middle of their cells. Move a map by it and it lies where its units look.

    Raises:
        ValueError: the layer has no output `(N,C,h,w)`, or its units do not see a part of the
            picture each.

    >>> convolution = nn.Conv2d(3, 4, kernel_size=3, stride=2, padding=1)
    >>> nn.init.ones_(convolution.weight).shape
    torch.Size([4, 3, 3, 3])
    >>> [round(pixels, 3) for pixels in unit_offset(convolution, convolution, (64, 48))]
    [-0.5, -0.5]
    """
    height, width = size
    rows, columns = _maps(network, layer, _ones(height, width)).shape[-2:]
    down = _centres(network, layer, _stretched(height), width)
    right = _centres(network, layer, _stretched(width), height, turned=True)
    return _mean_offset(down, rows, height), _mean_offset(right, columns, width)


def moved_maps(maps: Tensor, offset: tuple[float, float]) -> Tensor:
    """Move enlarged maps by an offset, so that they lie where their units look.

    Args:
        maps: float (N, H, W), as large as the picture.
        offset: pixels down and right, as from `unit_offset`; fractions blend between pixels.

    Returns:
        float (N, H, W). What comes in from beyond an edge is the edge's own value.

    >>> moved_maps(torch.tensor([[[0.0, 1.0, 3.0, 4.0]]]), (0, 1)).round()
    tensor([[[0., 0., 1., 3.]]])
    """
    down, right = offset
    height, width = maps.shape[1:]
    rows = (
        torch.arange(height, device=maps.device, dtype=maps.dtype) + 0.5 - down
    ) * 2 / height - 1
    columns = (
        torch.arange(width, device=maps.device, dtype=maps.dtype) + 0.5 - right
    ) * 2 / width - 1
    y, x = torch.meshgrid(rows, columns, indexing="ij")
    places = torch.stack([x, y], dim=-1).expand(len(maps), -1, -1, -1)
    return nn.functional.grid_sample(
        maps[:, None], places, padding_mode="border", align_corners=False
    )[:, 0]


def _stretched(pixels: int) -> int:
    """Return a multiple so long that units in its middle hardly see a border."""
    return pixels * max(3, math.ceil(640 / pixels))


def _mean_offset(centres: Tensor, places: int, pixels: int) -> float:
    """Return the offset in a picture from the centres in a stretched one.

    The units in its middle tell where all others look.
    """
    if len(centres) < max(3, 2 * places) or not centres.isfinite().all():
        raise ValueError("Each unit of the layer sees the whole picture: ask a layer before.")
    middle = len(centres) // 2
    step = float(centres[middle + 1] - centres[middle - 1]) / 2
    if abs(step - round(step)) < 0.1:  # strides are whole numbers, but for rounding and borders
        step = round(step)
    first = float(centres[middle]) - middle * step
    return first + step * (places - 1) / 2 - pixels / 2


def _centres(
    network: nn.Module, layer: nn.Module, length: int, across: int, turned: bool = False
) -> Tensor:
    """Return where the units in each row look, in pixels from the top.

    Or, `turned`, those in each column, in pixels from the left.

    A pooling that keeps the largest takes the last pixel of its window where the coordinates rise,
    and the first where they fall: the mean of the two is the window's middle. A picture of ones
    tells by what all the weights multiply.
    """
    ones = _ones(length, across)
    rising = ones * ((torch.arange(length) + 0.5) / length)[:, None]
    pictures = torch.cat([ones, rising, ones - rising])
    maps = _maps(network, layer, pictures.transpose(2, 3) if turned else pictures)
    lines = maps.double().mean(dim=(1, 2) if turned else (1, 3))
    return length * (lines[1] + lines[0] - lines[2]) / (2 * lines[0])


def _ones(height: int, width: int) -> Tensor:
    return torch.ones(1, 3, height, width)


def _maps(network: nn.Module, layer: nn.Module, pictures: Tensor) -> Tensor:
    """Return the layer's output for pictures `(N,3,H,W)`, all weights made plain."""
    parameter = next(network.parameters())
    # So small that no activation saturates, a smooth one is a line, and a gate does not move.
    pictures = 1e-9 * pictures.to(parameter.device, _precision(parameter))
    with ExitStack() as hooks:
        for module in network.modules():
            if isinstance(module, _NORMS):
                hooks.callback(module.register_forward_hook(_pass_on).remove)
        with stopped_at(layer) as outputs:  # what follows may not take this size
            torch.func.functional_call(network, _plain_weights(network), (pictures,))
    if not outputs:
        raise ValueError("The layer did not run in this pass: choose one that does.")
    if not isinstance(outputs[0], Tensor) or outputs[0].dim() != 4:
        raise ValueError("The layer's output is no map (N,C,h,w): choose a convolution's layer.")
    return outputs[0]


def _pass_on(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return inputs[0]


def _precision(parameter: Tensor) -> torch.dtype:
    return torch.promote_types(parameter.dtype, torch.float32)


def _plain_weights(network: nn.Module) -> dict[str, Tensor]:
    """Return one kernel of sum 1 for all channels of each layer, and no bias.

    By name of the parameter.
    """
    weights: dict[str, Tensor] = {}
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            weight = module.weight.detach().to(_precision(module.weight))
            kernel = weight.square().mean(dim=(0, 1))
            plain = kernel / (kernel.sum() * weight.shape[1])
            weights[f"{name}.weight"] = plain.expand_as(weight)
            if module.bias is not None:
                weights[f"{name}.bias"] = weight.new_zeros(module.bias.shape)
    return weights
