"""Calculate with half-precision tensors where torch cannot."""

from __future__ import annotations

import torch
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """Return float16 and bfloat16 as float32, and every other tensor as it is.

    Quantiles, distances and decompositions are not there in half precision, and a square of 300
    overflows.

    >>> full_precision(torch.ones(2, dtype=torch.float16)).dtype
    torch.float32
    """
    return x.float() if x.dtype in (torch.float16, torch.bfloat16) else x
