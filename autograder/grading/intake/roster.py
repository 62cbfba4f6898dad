"""Read the list of a class, and give every hand in to whose it is."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autograder.grading.intake.hands import Hand
from autograder.grading.intake.people import People, Person, all_names, folded
from autograder.plain_text import plain_line
from lessons.toolkit.errors import UserError, nearest_names

# What the columns are called, in the languages that were asked for; any order.
COLUMNS = {
    "id": "id|student id|studentid|student number|id number|number|matriculation number|"
    "matrikelnummer|matrikel|studentennummer|numéro d'étudiant|número de id|numero di matricola|"
    "학번|学号|学籍番号|netid|username|user|login|benutzername",
    "name": "name|full name|student|student name|vollständiger name|nom complet|nombre completo|"
    "이름|성명|姓名|氏名",
    "first": "first name|firstname|given name|vorname|prénom|nombre|nome|이름(first)|名",
    "last": "last name|lastname|surname|family name|nachname|nom|apellido|apellido(s)|cognome|姓",
    "email": "email|e-mail|email address|e-mail address|mail|e-mail-adresse|emailadresse|"
    "adresse de courriel|dirección de correo|이메일|邮箱|メールアドレス",
}
_ALIASES = {alias: kind for kind, aliases in COLUMNS.items() for alias in aliases.split("|")}
_SHOWN = 8


@dataclass(frozen=True)
class Matched:
    """A class by its roster.

    Args:
        rows: every person in the roster's order, with what they handed in, or None.
    """

    rows: tuple[tuple[Person, Hand | None], ...]

    @property
    def missing(self) -> list[Person]:
        """Return those who handed in nothing."""
        return [person for person, hand in self.rows if hand is None]


def read_roster(path: Path) -> list[Person]:
    """Read a roster: id, name, e-mail and any other column, in any order.

    Raises:
        UserError: it cannot be read, has no column of ids, or names one id twice.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"The roster {path} cannot be read.", "Check the path.") from error
    return parse_roster(data, path.name)


def parse_roster(data: bytes, called: str = "roster.csv") -> list[Person]:
    """Read a roster's bytes."""
    lines = list(csv.reader(io.StringIO(_text(data, called), newline=""), delimiter=_comma(data)))
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    if not lines:
        raise UserError(f"{called} is empty.", "Write a line `id,name,email`, then one a student.")
    kinds = _kinds(lines[0], called)
    persons: list[Person] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines[1:], 2):
        cells = {kind: line[at].strip() for kind, at in kinds.items() if at < len(line)}
        person = _person(cells, [c.strip() for i, c in enumerate(line) if i not in kinds.values()])
        if folded(line[0]) == "points possible":  # a gradebook of Canvas is a roster too
            continue
        if not person.id:
            raise UserError(f"Row {number} of {called} has no id.", "Every row needs one.")
        first = seen.setdefault(folded(person.id), number)
        if first != number:
            shown = plain_line(person.id, 60)
            raise UserError(
                f"Rows {first} and {number} of {called} have one id, “{shown}”.",
                "Give each student their own.",
            )
        persons.append(person)
    return persons


def _text(data: bytes, called: str) -> str:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{called} is not UTF-8, so its names cannot be read for certain.",
            "Save it as “CSV UTF-8”.",
        ) from error


def _comma(data: bytes) -> str:
    head = data.replace(b"\0", b"").splitlines()[0] if data.strip() else b""
    return max(",;\t", key=lambda mark: head.count(mark.encode()))


def _kinds(head: Sequence[str], called: str) -> dict[str, int]:
    kinds: dict[str, int] = {}
    # A column named `id` is one, whatever else could be: a user name serves where there is none.
    for at, cell in enumerate(head):
        kind = _ALIASES.get(folded(cell))
        if kind is not None and (kind not in kinds or (kind == "id" and folded(cell) == "id")):
            kinds[kind] = at
    if "id" not in kinds:
        shown = ", ".join(f"“{plain_line(cell, 40)}”" for cell in head[:_SHOWN])
        raise UserError(
            f"{called} has no column of ids; its columns are {shown}.", "Name one of them `id`."
        )
    return kinds


def _person(cells: dict[str, str], others: list[str]) -> Person:
    parts = [cells.get("first", ""), cells.get("last", "")]
    name = cells.get("name") or " ".join(part for part in parts if part)
    found = tuple(cell for cell in others if cell)
    return Person(cells.get("id", ""), name, cells.get("email", ""), found)


def match(hands: Iterable[Hand], roster: Sequence[Person], called: str = "the roster") -> Matched:
    """Give every hand in to the person on the roster whose it is.

    Args:
        hands: one a student.
        roster: the class; everybody on it gets a row.

    Raises:
        UserError: somebody is not on it, could be two who are, or two are one who is.
    """
    people = People(roster)
    given: dict[str, Hand] = {}
    troubles: list[str] = []
    for hand in hands:
        found = people.find(hand.student, hand.name)
        who = _who(hand)
        if not found:
            near = nearest_names(hand.student, all_names(roster), 1) or nearest_names(
                hand.name, all_names(roster), 1
            )
            hint = f" (nearest: {_with_id(near[0], roster)})" if near else ""
            troubles.append(f"{who} is not on {called}{hint}.")
        elif len(found) > 1:
            ids = " or ".join(plain_line(person.id, 40) for person in found[:4])
            troubles.append(f"{who} could be {ids}.")
        elif (other := given.get(found[0].id)) is not None:
            troubles.append(f"{_who(other)} and {who} are both {plain_line(found[0].id, 40)}.")
        else:
            given[found[0].id] = hand
    if troubles:
        more = f" And {len(troubles) - _SHOWN} more." if len(troubles) > _SHOWN else ""
        raise UserError(
            " ".join(troubles[:_SHOWN]) + more,
            "Add a column to the roster with the id that the platform uses, "
            "or take the entry out of the folder.",
        )
    return Matched(tuple((person, given.get(person.id)) for person in roster))


def _who(hand: Hand) -> str:
    name = f" ({plain_line(hand.name, 60)})" if hand.name not in ("", hand.student) else ""
    return f"“{plain_line(hand.student, 60)}”{name}"


def _with_id(near: str, roster: Sequence[Person]) -> str:
    person = next(person for person in roster if near in (person.id, person.name))
    name = f", {plain_line(person.name, 60)}" if person.name else ""
    return f"{plain_line(person.id, 60)}{name}"
