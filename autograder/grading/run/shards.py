"""Cut a class into parts for machines that know nothing of each other."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from autograder.grading.intake.submission import Submission
from lessons.toolkit.errors import UserError


@dataclass(frozen=True)
class Shard:
    """One part of a class: the `number`th of `count`, from 1.

    A student's part hangs on nothing but their id. By place in a list, one late submission would
    move everybody behind it to another machine, which has none of their verdicts.

    >>> Shard(1, 2).holds("ada"), Shard(2, 2).holds("ada")
    (True, False)
    """

    number: int
    count: int

    @classmethod
    def read(cls, text: str) -> Self:
        """Read a shard as a person writes it.

        Raises:
            UserError: no such part.

        >>> Shard.read("2/8")
        Shard(number=2, count=8)
        """
        found = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
        number, count = map(int, found.groups()) if found else (0, 0)
        if not 1 <= number <= count:
            raise UserError(f"“{text}” is no part of a class.", "Write 1/8 for the first of eight.")
        return cls(number, count)

    def holds(self, student: str) -> bool:
        """Return whether a student is in this part."""
        digest = hashlib.sha256(student.casefold().encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8]) % self.count == self.number - 1

    def of(self, submissions: Iterable[Submission]) -> list[Submission]:
        """Return the submissions of this part, in their order."""
        return [one for one in submissions if self.holds(one.student)]
