"""Pack numbers and pictures small enough to be read by a script on a page."""

from __future__ import annotations

import base64
import io
import zlib

import torch
from torch import Tensor

from lessons.toolkit.plots import BRIGHTNESS


def packed(values: Tensor) -> str:
    """Pack a tensor's bytes, row by row, as text.

    A page unpacks it with the browser's own `DecompressionStream`. Compressed before it becomes
    text, it is as small on its way as its entropy allows, and smaller in an archive.

    >>> len(packed(torch.zeros(1000, dtype=torch.int8))) < 40
    True
    """
    data = values.detach().cpu().contiguous().numpy()
    little = data.astype(data.dtype.newbyteorder("<"), copy=False)
    return base64.b64encode(zlib.compress(little.tobytes(), 9)).decode()


def rounded(values: Tensor, largest: int) -> tuple[Tensor, Tensor]:
    """Round each row to whole numbers of a step of its own.

    Args:
        values: (N, K).
        largest: the whole number that the largest magnitude of a row becomes.

    Returns:
        The numbers, (N, K), and the steps, (N,).

    >>> rounded(torch.tensor([[1.0, -2.0, 0.5]]), 4)
    (tensor([[ 2., -4.,  1.]]), tensor([0.5000]))
    """
    step = values.abs().amax(1) / largest
    step = torch.where(step > 0, step, 1)
    return (values / step[:, None]).round(), step


def grey_picture(rgb: Tensor, quality: int) -> str:
    """Write a picture in grey, as it lies below a map: all colour is the map's.

    Args:
        rgb: (3, H, W) in [0, 1].
        quality: as `picture` takes it.
    """
    grey = torch.einsum("c,chw->hw", torch.tensor(BRIGHTNESS), rgb.detach().cpu().float())
    return picture(grey.expand(3, -1, -1), quality)


def picture(rgb: Tensor, quality: int) -> str:
    """Write a picture as an address that holds all of it.

    Args:
        rgb: (3, H, W) in [0, 1].
        quality: of WebP, 0 to 100, where 100 keeps every pixel as it is.
    """
    from PIL import Image

    pixels = (rgb.permute(1, 2, 0) * 255).round().byte().numpy()
    file = io.BytesIO()
    exact = quality == 100
    Image.fromarray(pixels).save(file, "WEBP", quality=quality, lossless=exact, method=6)
    return "data:image/webp;base64," + base64.b64encode(file.getvalue()).decode()
