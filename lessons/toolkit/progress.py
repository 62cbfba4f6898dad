"""Show how far long work has come."""

from __future__ import annotations

from collections.abc import Iterator


def shown_steps(count: int, title: str) -> Iterator[int]:
    """Count the steps of long work, with a bar for whoever waits at a terminal.

    What is over within two seconds shows none, and neither does work that writes to a file. Put
    ``with contextlib.suppress(KeyboardInterrupt):`` around the loop, and Ctrl-C ends it with what
    is there so far.

    Args:
        count: number of steps.
        title: what is made, in a few words.

    Yields:
        0, 1, ..., count - 1.

    >>> list(shown_steps(3, "picture"))
    [0, 1, 2]
    """
    try:
        from tqdm import tqdm
    except ModuleNotFoundError:  # where student code is graded there is no tqdm
        yield from range(count)
        return
    yield from tqdm(range(count), desc=title, unit="step", delay=2, leave=False, disable=None)
