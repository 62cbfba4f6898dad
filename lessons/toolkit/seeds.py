"""Draw random numbers from a seed without a trace on the global generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw torch's random numbers of a block from a seed.

    The global generator of the CPU is as before when the block ends, also by an error. Modules draw
    their first weights from it.

    Args:
        seed: the same one gives the same numbers.

    >>> with seeded(3):
    ...     first = torch.rand(2)
    >>> with seeded(3):
    ...     torch.equal(torch.rand(2), first)
    True
    """
    with torch.random.fork_rng(devices=[]):
        # Not torch.manual_seed, which also queues a seed for every GPU, with a stack trace each.
        torch.default_generator.manual_seed(seed)
        yield
