"""Hold what the recognisers of single platforms share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from autograder.grading.intake.hands import Hand

Top = Mapping[str, bool]  # entry by name, True for a folder


@dataclass
class Found:
    """What one platform's form explains of a folder.

    Args:
        hands: of the entries that have the form.
        matched: how many entries that are.
        others: entries that could be work and have it not.
        ignored: entries that are no work.
        notes: what a person should know.
        certain: whether nothing else has this form.
    """

    hands: list[Hand]
    matched: int
    others: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    certain: bool = True

    @property
    def share(self) -> float:
        """Return the part of the entries that have the form."""
        return self.matched / max(1, self.matched + len(self.others))


def beginning(names: Sequence[str]) -> str:
    """Return what all names begin with.

    >>> beginning(["hw1-ada", "hw1-adam"])
    'hw1-ada'
    """
    first, last = min(names), max(names)
    for count, (a, b) in enumerate(zip(first, last, strict=False)):
        if a != b:
            return first[:count]
    return min(first, last, key=len)
