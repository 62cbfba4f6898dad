"""Find a person by what platforms know of them.

A number, an address, a name in either order.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Person:
    """One row of a list of people.

    Args:
        id: by which their grades are kept.
        name: as the list writes it, "Ada Lovelace" or "Lovelace, Ada".
        email: address, or "".
        others: every other cell: a platform's number, a user name, a section.
    """

    id: str
    name: str = ""
    email: str = ""
    others: tuple[str, ...] = ()


@dataclass
class People:
    """A list of people, and the ways to find one in it.

    Ways are tried from the surest: id, another cell, address, the part of it before the “@”, name.
    The first that finds anybody decides; where it finds several, nobody is found.
    """

    persons: Sequence[Person]
    _ways: list[dict[str, set[int]]] = field(init=False)

    def __post_init__(self) -> None:
        ids, cells, addresses, locals_, names = ways = [dict[str, set[int]]() for _ in range(5)]
        for number, person in enumerate(self.persons):
            _add(ids, number, person.id)
            for cell in person.others:
                _add(cells, number, cell)
            _add(addresses, number, person.email)
            _add(locals_, number, person.email.partition("@")[0] if "@" in person.email else "")
            for name in orders(person.name):
                names.setdefault(name, set()).add(number)
        self._ways = ways

    def find(self, key: str, name: str = "", email: str = "") -> list[Person]:
        """Return whom a platform's student may be: one person, several, or none.

        An id that finds one person while the name is another's finds both: ids of two kinds can be
        equal by chance.

        Args:
            key: the platform's id, or whatever stands in its place.
            name: as the platform shows it, "" where it shows none.
            email: address, where the platform gives it.
        """
        by_key = self._by_key(key, email)
        by_name = self._by_name(name)
        if len(by_key) == 1 and by_name and not by_key & by_name:
            by_key |= by_name
        return [self.persons[number] for number in sorted(by_key or by_name)]

    def _by_key(self, key: str, email: str) -> set[int]:
        ids, cells, addresses, locals_, _ = self._ways
        for way, wanted in (
            (ids, key),
            (cells, key),
            (addresses, email or key),
            (locals_, key),
        ):
            if found := way.get(folded(wanted)):
                return set(found)
        return self._by_name(key)

    def _by_name(self, name: str) -> set[int]:
        found: set[int] = set()
        for order in orders(name):
            found |= self._ways[4].get(order, set())
        return found


def _add(way: dict[str, set[int]], number: int, cell: str) -> None:
    if key := folded(cell):
        way.setdefault(key, set()).add(number)


def folded(cell: str) -> str:
    """Return a cell without its case, composition of letters and space around it."""
    return unicodedata.normalize("NFC", cell.strip().casefold())


def orders(name: str) -> set[str]:
    """Return a name's letters from each of its words on, whatever their order.

    >>> sorted(orders("O'Neill, Ada"))
    ['adaoneill', 'oneillada']
    """
    words = ["".join(filter(str.isalnum, word)) for word in _words(name)]
    words = [word for word in words if word]
    return {"".join(words[start:] + words[:start]) for start in range(len(words))}


def _words(name: str) -> list[str]:
    # Platforms drop punctuation and case, and some systems take letters apart from their accents.
    return folded(unicodedata.normalize("NFKC", name)).replace(",", " ").split()


def all_names(persons: Iterable[Person]) -> list[str]:
    """Return ids and names, to look for one that was misspelt."""
    return [text for person in persons for text in (person.id, person.name) if text]
