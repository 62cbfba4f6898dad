"""Errors that a person can put right: one clear line, and what to do next."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """A mistake or a missing thing that the person at the keyboard can put right.

    Args:
        message: what is wrong, one sentence.
        next_step: what to do about it, one sentence.

    >>> raise UserError("No image at cat.jpg.", "Check the path.")
    Traceback (most recent call last):
    lessons.toolkit.errors.UserError: No image at cat.jpg. Check the path.
    """

    def __init__(self, message: str, next_step: str = "") -> None:
        self.message = message
        self.next_step = next_step
        super().__init__(f"{message} {next_step}".strip())


def nearest_names(given: str, known: Iterable[str], count: int = 3) -> list[str]:
    """Return the names most like the one given, best first.

    >>> nearest_names("saliencey", ["saliency", "hooks", "tsne"])
    ['saliency']
    """
    by_lower = {name.lower(): name for name in known}
    close = difflib.get_close_matches(given.lower(), by_lower, n=count, cutoff=0.5)
    inside = [low for low in by_lower if given and given.lower() in low and low not in close]
    return [by_lower[low] for low in [*close, *inside][:count]]


def unknown(kind: str, given: str, known: Iterable[str]) -> UserError:
    """Return the error for a name that does not exist, with the nearest that do.

    >>> unknown("lesson", "salency", ["saliency", "hooks"]).message
    "There is no lesson called 'salency'."
    """
    names = list(known)
    near = nearest_names(given, names)
    if near:
        next_step = f"Did you mean {' or '.join(near)}?"
    else:
        shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
        next_step = f"Known: {shown}."
    return UserError(f"There is no {kind} called {given!r}.", next_step)
