"""Read a class by its platform's layout, one submission a student."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from autograder.grading.intake.archives import Caps
from autograder.grading.intake.hands import Attempt, Hand, Layout, chosen, safe_ids
from autograder.grading.intake.people import Person
from autograder.grading.intake.roster import match
from autograder.grading.intake.staged import staged
from autograder.grading.intake.student_ids import name_of
from autograder.grading.intake.submission import Submission


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


@dataclass(frozen=True)
class Classroom:
    """A class as it was read.

    Args:
        layout: what was recognised.
        seats: rows of the class.
        submissions: one a row, in the same order.
        without: students who have no attempt of the number that was asked for.
    """

    layout: Layout
    seats: Sequence[Seat]
    submissions: Sequence[Submission]
    without: Sequence[str] = ()


def read_class(
    layout: Layout,
    read: Callable[[Path], Submission],
    attempt: Attempt = "last",
    roster: Sequence[Person] | None = None,
    caps: Caps | None = None,
) -> Classroom:
    """Read one attempt of every student.

    Args:
        layout: what was recognised.
        read: reads one submission, as `folder.read_submission` or `guarded.Reader.read`.
        attempt: which one.
        roster: the class; without one, a student is who the platform says.
        caps: what one submission may hold.

    Raises:
        UserError: somebody is not on the roster, or could be two who are; an archive is broken.
    """
    hands, without = chosen(layout.hands, attempt)
    seats = seats_of(hands, roster)
    return Classroom(layout, seats, gather(layout, seats, read, caps), without)


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
            names = [path.as_posix() if path.parts else name_of(layout.root) for path in hand.paths]
            origin = " and ".join(names)
            if hand.problem:
                found[hand.student] = Submission("", origin, problems={"": hand.problem})
            else:
                found[hand.student] = replace(read(place), origin=origin)
    nothing = Submission("", "", missing=True)
    return [
        replace(found[seat.hand.student] if seat.hand else nothing, student=seat.id)
        for seat in seats
    ]
