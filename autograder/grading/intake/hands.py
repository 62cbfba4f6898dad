"""Say who handed in what, as plain records, before anything of it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Literal

from autograder.grading.intake.archives import is_archive
from autograder.grading.intake.student_ids import student_id
from autograder.plain_text import plain_line
from lessons.toolkit.errors import UserError

ONE = "one student"
PLAIN = "plain"
Sure = Literal["certain", "likely", "open"]
Attempt = Literal["first", "last"] | int


@dataclass(frozen=True)
class Hand:
    """One attempt of one student, as its platform packed it.

    Args:
        student: id that the platform uses, word for word; the name where it has no id.
        name: of the student, as far as the platform says it.
        time: when it was handed in; without a zone where the platform does not say it.
        attempt: 1 for the first.
        late: what the platform says; None where it says nothing.
        paths: files and folders, relative to the layout's root.
        called: what the student called each of them.
        problem: why nobody can tell whose work it is, or how to read it; then a person decides.
    """

    student: str
    name: str = ""
    time: datetime | None = None
    attempt: int = 1
    late: bool | None = None
    paths: tuple[PurePosixPath, ...] = ()
    called: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class Layout:
    """What was recognised in a folder or an archive.

    Args:
        root: the folder or the archive.
        platform: its name, or "plain", or "one student".
        sure: "certain" by the form of the names, "likely", or "open" where it could be another.
        hands: every attempt of every student, in order.
        ignored: files that are no work of a student's, such as receipts.
        notes: what a person should know before grading starts.
    """

    root: Path
    platform: str
    sure: Sure
    hands: tuple[Hand, ...]
    ignored: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def students(self) -> list[str]:
        """Return the students' ids, each once, in order."""
        return list(dict.fromkeys(hand.student for hand in self.hands))

    def sentence(self) -> str:
        """Return what to say before grading starts.

        >>> Layout(Path("hw1"), "Canvas", "certain", (Hand("7"), Hand("8", late=True))).sentence()
        'hw1 is a download of Canvas: 2 students, 1 of them late.'
        """
        where = plain_line(self.root.name or str(self.root), 80)
        if self.platform == ONE:
            return " ".join([f"{where} is the work of one student.", *self.notes])
        count = len(self.students)
        parts = [_counted(count, "student")]
        if again := len(self.hands) - count:
            parts.append(_counted(again, "earlier attempt"))
        if late := sum(bool(hand.late) for hand in _one_each(self.hands, "last")):
            parts.append(f"{late} of them late")
        if unclear := sum(bool(hand.problem) for hand in self.hands):
            parts.append(f"{unclear} for a person to look at")
        if self.ignored:
            parts.append(f"{_counted(len(self.ignored), 'file')} ignored (such as {self._ignored})")
        what = {
            PLAIN: "is read as one entry a student",
            "nbgrader": "is a course of nbgrader",
        }.get(self.platform, f"is a download of {self.platform}")
        doubt = {"certain": "", "likely": ", most likely", "open": ", for want of a sign"}[
            self.sure
        ]
        return " ".join([f"{where} {what}{doubt}: {', '.join(parts)}.", *self.notes])

    @property
    def _ignored(self) -> str:
        return f"“{plain_line(self.ignored[0], 60)}”"


def chosen(hands: Iterable[Hand], attempt: Attempt = "last") -> tuple[list[Hand], list[str]]:
    """Return one attempt of each student, and who has none of that number.

    Args:
        hands: of a layout.
        attempt: "last", "first", or a number from 1.
    """
    hands = list(hands)
    found = _one_each(hands, attempt)
    have = {hand.student for hand in found}
    return found, [student for student in _students(hands) if student not in have]


def attempt_of(text: str) -> Attempt:
    """Return the attempt that a word or a number names.

    Raises:
        UserError: it is neither.
    """
    word = text.strip().lower()
    if word == "last":
        return "last"
    if word == "first":
        return "first"
    if word.isdecimal() and int(word) > 0:
        return int(word)
    raise UserError(f"There is no attempt “{plain_line(text, 40)}”.", "Say last, first, 1, 2, ...")


def _one_each(hands: Sequence[Hand], attempt: Attempt) -> list[Hand]:
    found: dict[str, Hand] = {}
    for hand in hands:
        known = found.get(hand.student)
        if isinstance(attempt, int):
            better = hand.attempt == attempt
        else:
            wants = max if attempt == "last" else min
            better = known is None or wants(known.attempt, hand.attempt) == hand.attempt
        if better:
            found[hand.student] = hand
    return list(found.values())


def safe_ids(students: Iterable[str]) -> dict[str, str]:
    """Return an id of each student that is safe as a file name, no two alike.

    >>> safe_ids(["ada", "Ada", "O'Neill"])
    {'ada': 'ada', 'Ada': 'Ada-99a563ab', "O'Neill": 'O_Neill-009ccbf8'}
    """
    found: dict[str, str] = {}
    taken: set[str] = set()
    for student in students:
        if student in found:
            continue
        safe = student_id(student)
        if safe.casefold() in taken:  # their pages would be one file on some disks
            digest = hashlib.sha256(student.encode("utf-8", "surrogatepass")).hexdigest()
            safe = f"{safe}-{digest[:8]}"
        found[student] = safe
        taken.add(safe.casefold())
    return found


def expect_class(layout: Layout) -> None:
    """Raise where a class is expected and one student's work is found.

    A single file that is no archive can be nothing else.
    """
    root = layout.root
    if layout.platform == ONE and (root.is_dir() or is_archive(root.name)):
        raise UserError(
            f"{layout.root} is the work of one student, not a class.",
            "Say --one to grade it alone, or name the folder that holds all students.",
        )


def expect_one(layout: Layout) -> Hand:
    """Return the one student's work.

    Raises:
        UserError: it is a class.
    """
    if len(layout.hands) != 1:
        count = _counted(len(layout.students), "student")
        raise UserError(
            f"{layout.root} is a class of {count} ({layout.platform}), not the work of one.",
            "Grade a class with `convlens grade FOLDER --out GRADED`; "
            "say --one where it is one student's after all.",
        )
    return layout.hands[0]


def _students(hands: Iterable[Hand]) -> list[str]:
    return list(dict.fromkeys(hand.student for hand in hands))


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
