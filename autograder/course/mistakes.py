"""Read the words of the exercises.

They are hints, and what to say of each wrong version. All of it is text and needs no torch.

Each exercise has a Markdown file beside its checks, `checks/lNN_topic/EXERCISE.md`, that a person
can read from top to bottom:

    # saliency_map

    4 points, 20 minutes, difficulty 2 of 3. Returns one map per image, (N, H, W).

    ## Hints

    1. A question first.

    ## Mistakes

    ### `gradient.abs().amax(dim=1)`

    **no_abs** `gradient.amax(dim=1)`
    What the code does instead of what was asked.
    What to look at; a pointer, never the code.

    ## Also right

    **indexed** ...

The heading of a group is a piece of the reference that occurs once; in a mistake it is replaced
by the code beside the name. Without such code, a fenced block follows the sentences: `diff` for
several pieces, `python` for the whole exercise, `python after` for lines put after the right one.

Mistakes that any exercise can have share their words, `checks/mistakes/words.md`. An entry of that
name needs none of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from autograder.course.reference import ROOT

CHECKS = ROOT / "autograder" / "checks"
_SUMMARY = re.compile(
    r"(?P<points>[\d.]+) points?, (?P<minutes>\d+) minutes"
    r"(?:, difficulty (?P<difficulty>\d) of 3)?\. Returns (?P<returns>.+)\."
)
_ENTRY = re.compile(r"\*\*(?P<id>\w+)\*\*(?: (?P<fence>`+)(?P<code>.+?)(?P=fence))?")
_HINT = re.compile(r"\d+\. ")


class WordsError(ValueError):
    """Error of a file of words that is not in order."""


@dataclass(frozen=True)
class Wrong:
    """Wrong or other right version of an exercise, as its file has it.

    Args:
        id: a verdict's `diagnosis`; the same mistake has the same id in the whole course.
        says: one sentence, what the code does instead of what was asked.
        next_step: one sentence, what to look at.
        edits: pieces of the reference and what stands in their place.
        body: or the source of the whole exercise.
        after: or lines put after the right exercise, such as a wrapper around it.
    """

    id: str
    says: str = ""
    next_step: str = ""
    edits: tuple[tuple[str, str], ...] = ()
    body: str = ""
    after: str = ""


@dataclass(frozen=True)
class Words:
    """Words from one exercise's file.

    Args:
        points: full marks.
        minutes: how long a student is likely to take.
        difficulty: 1 is a line or two, 2 takes thought, 3 is steep; 0 where the file does not say.
        returns: what the call returns, such as "one map per image, (N, H, W)".
        hints: three, from a question to nearly the code.
        mistakes: the exercise's own wrong versions, most telling first.
        accepted: other right versions.
    """

    points: float
    minutes: int
    difficulty: int
    returns: str
    hints: tuple[str, ...]
    mistakes: tuple[Wrong, ...]
    accepted: tuple[Wrong, ...]


@cache
def words(stem: str, exercise: str) -> Words:
    """Read the words of one exercise.

    Raises:
        WordsError: its file is missing or not in order.
    """
    path = CHECKS / stem / f"{exercise}.md"
    try:
        return parse(path.read_text(encoding="utf-8"), f"{stem}/{exercise}.md")
    except FileNotFoundError as error:
        raise WordsError(f"{stem}/{exercise}.md is missing") from error


@cache
def shared_words() -> dict[str, Wrong]:
    """Read the words of the mistakes that any exercise can have, by id."""
    path = CHECKS / "mistakes" / "words.md"
    entries = list(_entries(path.read_text(encoding="utf-8").splitlines(), path.name))
    found = {entry.id: entry for entry in entries}
    if len(found) != len(entries):
        raise WordsError(f"{path.name}: an id stands there twice")
    return found


def meaning_of(stem: str, exercise: str, mistake: str) -> str | None:
    """Return the sentence of a mistake by its id.

    Return None where it has no words of its own.
    """
    for wrong in words(stem, exercise).mistakes:
        if wrong.id == mistake:
            return wrong.says
    shared = shared_words()
    if mistake in shared:
        return shared[mistake].says
    argument = mistake.removesuffix("_ignored")
    if argument != mistake:
        return shared["argument_ignored"].says.replace("{name}", argument)
    return None


def parse(text: str, where: str) -> Words:
    """Read a file of words from its text.

    Args:
        text: the Markdown.
        where: the file's name, for errors.

    Raises:
        WordsError: it is not in order; the message says where.
    """
    head, sections = _sections(text)
    summary = _SUMMARY.search(" ".join(head))
    if summary is None:
        raise WordsError(
            f"{where}: the line “4 points, 20 minutes, difficulty 2 of 3. Returns ...” is missing"
        )
    unknown = sections.keys() - {"Hints", "Mistakes", "Also right"}
    if unknown:
        raise WordsError(f"{where}: no section may be called {sorted(unknown)[0]}")
    points = float(summary["points"])
    if 4 * points % 1:
        raise WordsError(f"{where}: points are counted in quarters, and {points:g} is none")
    return Words(
        points,
        int(summary["minutes"]),
        int(summary["difficulty"] or 0),
        summary["returns"],
        tuple(_hints(sections.get("Hints", []))),
        tuple(_entries(sections.get("Mistakes", []), where, shared_words())),
        tuple(_entries(sections.get("Also right", []), where, sentences=False)),
    )


def entry(id: str, code: str) -> str:
    """Return the draft of a mistake that is another text of the whole exercise.

    Its two sentences are left to the author; the audit finds them missing.

    >>> print(entry("halved", "def twice(x):\\n    return x"))
    **halved**
    TODO: what the code does instead of what was asked.
    TODO: what to look at; a pointer, never the code.
    <BLANKLINE>
    ```python
    def twice(x):
        return x
    ```
    """
    return (
        f"**{id}**\nTODO: what the code does instead of what was asked.\n"
        f"TODO: what to look at; a pointer, never the code.\n\n```python\n{code}\n```"
    )


def with_entry(text: str, draft: str) -> str:
    """Return a file of words with one more mistake, the last of its own.

    Args:
        text: the Markdown.
        draft: as `entry` makes it.
    """
    head, also, rest = text.partition("\n## Also right")
    if "\n## Mistakes" not in head:
        head = f"{head.rstrip()}\n\n## Mistakes\n"
    return f"{head.rstrip()}\n\n{draft.strip()}\n{also}{rest}"


def _sections(text: str) -> tuple[list[str], dict[str, list[str]]]:
    """Cut a file at its second-level headings, leaving fenced code alone."""
    head: list[str] = []
    sections: dict[str, list[str]] = {}
    lines, fenced = head, False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if line.startswith("## ") and not fenced:
            lines = sections.setdefault(line[3:].strip(), [])
        else:
            lines.append(line)
    return head, sections


def _hints(lines: list[str]) -> Iterator[str]:
    hint: list[str] = []
    for line in [*lines, "0. "]:
        if match := _HINT.match(line):
            if hint:
                yield " ".join(hint)
            hint = [line[match.end() :]]
        elif line.strip():
            hint.append(line.strip())


def _entries(
    lines: list[str],
    where: str,
    known: Mapping[str, Wrong] = MappingProxyType({}),
    sentences: bool = True,
) -> Iterator[Wrong]:
    right, place = "", 0
    while place < len(lines):
        line = lines[place]
        place += 1
        if line.startswith("### "):
            right = line[4:].strip().strip("`")
            continue
        if (entry := _ENTRY.match(line)) is None:
            if line.startswith("**"):
                raise WordsError(f"{where}: {line!r} is no “**name** `code`”")
            continue
        said: list[str] = []
        while place < len(lines) and lines[place].strip() and not lines[place].startswith("```"):
            said.append(lines[place].strip())
            place += 1
        if not said and (shared := known.get(entry["id"])) is not None:
            said = [shared.says, shared.next_step]
        if sentences and len(said) != 2:
            raise WordsError(f"{where}: {entry['id']} needs two lines of words, not {len(said)}")
        while place < len(lines) and not lines[place].strip():
            place += 1
        kind, code, place = _fenced(lines, place, f"{where}: {entry['id']}")
        edits = ((right, entry["code"]),) if entry["code"] else ()
        if bool(edits) and kind:
            raise WordsError(f"{where}: {entry['id']} has code beside its name and below")
        if edits and not right:
            raise WordsError(f"{where}: {entry['id']} stands under no piece of the reference")
        says, next_step = (*said, "", "")[:2]
        yield Wrong(
            entry["id"],
            says,
            next_step,
            edits or (tuple(_pairs(code)) if kind == "diff" else ()),
            "\n".join(code) if kind == "python" else "",
            "\n".join(code) if kind == "python after" else "",
        )


def _fenced(lines: list[str], place: int, where: str) -> tuple[str, list[str], int]:
    """Read the fenced block that begins at a line.

    Returns:
        Its kind, its lines, and the place after it.
    """
    if place >= len(lines) or not lines[place].startswith("```"):
        return "", [], place
    if "```" not in lines[place + 1 :]:
        raise WordsError(f"{where} has code without an end")
    end = lines.index("```", place + 1)
    return lines[place][3:].strip(), lines[place + 1 : end], end + 1


def _pairs(code: list[str]) -> Iterator[tuple[str, str]]:
    """Read edits from a diff.

    Lines that begin with `-` are replaced by the lines with `+` after them.
    """
    old: list[str] = []
    new: list[str] = []
    for line in [*code, "-"]:
        if line.startswith("-") and (new or line == "-"):
            if old:
                yield "\n".join(old), "\n".join(new)
            old, new = [], []
        (new if line.startswith("+") else old).append(line[2:])
