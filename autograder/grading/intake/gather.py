"""Turn a recognised class into one submission a student, the roster's order kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.grading.intake.archives import Caps
from autograder.grading.intake.hands import Hand, Layout, safe_ids
from autograder.grading.intake.people import Person
from autograder.grading.intake.roster import match
from autograder.grading.intake.staged import staged
from autograder.grading.intake.submission import Submission

NOTHING = "Nothing was handed in."


@dataclass(frozen=True)
class Seat:
    """One row of the class.

    Args:
        id: under which the student is graded; safe as a file name.
        person: what is known of them; a platform's number is among the other cells.
        hand: what they handed in, None for nothing.
    """

    id: str
    person: Person
    hand: Hand | None = None


def seats_of(hands: Iterable[Hand], roster: Sequence[Person] | None = None) -> list[Seat]:
    """Return the rows of a class: the roster's, or those who handed in.

    Args:
        hands: one a student.
        roster: the class; without one, a student is who the platform says.

    Raises:
        UserError: somebody is not on the roster, or could be two who are.
    """
    if roster is None:
        given: list[tuple[Person, Hand | None]] = [
            (Person(hand.student, hand.name), hand) for hand in hands
        ]
    else:
        given = [
            (replace(person, others=(*person.others, hand.student)) if hand else person, hand)
            for person, hand in match(hands, roster).rows
        ]
    ids = safe_ids(person.id for person, _ in given)
    return [Seat(ids[person.id], person, hand) for person, hand in given]


def gather(
    layout: Layout,
    seats: Sequence[Seat],
    read: Callable[[Path], Submission],
    caps: Caps | None = None,
) -> list[Submission]:
    """Read one submission a row.

    Who handed in nothing gets one that says so. Where a person must decide whose work it is,
    nothing is read, and nothing of it is a 0.

    Args:
        layout: what was recognised.
        seats: rows of the class.
        read: reads one submission, as `folder.read_submission` or `guarded.Reader.read`.
        caps: what one submission may hold.
    """
    found = {}
    with staged(layout, [seat.hand for seat in seats if seat.hand], caps) as places:
        for hand, place in places:
            origin = " and ".join(map(str, hand.paths)) if hand.paths else ""
            if hand.problem:
                found[hand.student] = Submission("", origin, fault=hand.problem)
            else:
                found[hand.student] = replace(read(place), origin=origin)
    nothing = Submission("", "", {}, {"": NOTHING})
    return [
        replace(found[seat.hand.student] if seat.hand else nothing, student=seat.id)
        for seat in seats
    ]
