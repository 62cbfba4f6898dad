"""Recognise what a platform's own download of an assignment looks like.

The forms are those that the platforms' pages show and their source code writes:
https://github.com/instructure/canvas-lms/blob/master/lib/content_zipper.rb
https://github.com/moodle/moodle/blob/main/mod/assign/classes/downloader.php
https://help.blackboard.com/Learn/Instructor/Original/Grade/Download_Assignments
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from autograder.grading.intake.archives import WORK, is_archive
from autograder.grading.intake.forms import Found, Top, beginning
from autograder.grading.intake.hands import Hand
from autograder.grading.intake.listing import Listing
from autograder.plain_text import plain_line
from lessons.toolkit.errors import UserError

CANVAS = re.compile(
    r"(?:(?P<name>(?!LATE_|anon_)\w*?)_)?(?:(?P<late>LATE)_)?"
    r"(?:(?P<user>\d+|anon_[A-Za-z0-9]+)_(?P<file>\d{3,})_(?P<called>.+)"
    r"|(?P<writer>\d+|anon_[A-Za-z0-9]+)_(?P<typed>text|link)\.html)",
    re.DOTALL,
)
MOODLE = re.compile(
    r"(?P<name>.+?)(?:_(?P<id>\d+))?_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<called>.*))?",
    re.DOTALL,
)
BLACKBOARD = re.compile(
    r"(?P<head>.+)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<called>.+)|\.txt)", re.DOTALL
)
GOOGLE = re.compile(r"(?P<name>\S.*?) - (?P<called>.*\S)", re.DOTALL)
COPY_OF = re.compile(r"(?:Copy of|Kopie von|Copie de|Copia de|Cópia de) (?P<rest>.+)")
NUMBERED = re.compile(r"(?P<stem>.+?) ?\((?P<number>\d+)\)(?P<suffix>\.[^.]+)?")
_RECEIPT_NAME = re.compile(r"^Name:\s*(?P<name>.*?)\s*\((?P<user>[^()]+)\)\s*$", re.MULTILINE)
_RECEIPT_BYTES = 65_536


def canvas(listing: Listing, top: Top) -> Found | None:
    """Recognise `lastfirst_[LATE_]user_file_name.ext`.

    Canvas packs each student's last attempt alone, so all files of a student are one.
    """
    found: dict[tuple[str, str], list[tuple[str, re.Match[str]]]] = {}
    others, numbers = [], []
    for name, is_folder in top.items():
        match = None if is_folder else CANVAS.fullmatch(name)
        # Its names are in lower case; `hw_3_123_Ada.py` of a class of files is nobody's number.
        if match is None or (match["name"] or "") != (match["name"] or "").lower():
            others.append(name)
            continue
        numbers.append(match["file"] or name)
        user = match["user"] or match["writer"]
        found.setdefault((user, match["name"] or ""), []).append((name, match))
    users = Counter(user for user, _ in found)
    # A number that two files or two names share was given by no platform.
    if len(set(numbers)) < len(numbers) or any(count > 1 for count in users.values()):
        return None
    hands, ignored = [], []
    for (user, shown), entries in found.items():
        uploads = [(name, match) for name, match in entries if match["called"]]
        ignored += [name for name, match in entries if uploads and match["typed"]]
        kept = uploads or entries
        hands.append(
            Hand(
                student=user,
                name=shown or user,
                late=any(match["late"] for _, match in entries),
                paths=tuple(listing.base / name for name, _ in kept),
                called=tuple(match["called"] or f"{match['typed']}.html" for _, match in kept),
            )
        )
    return _found(hands, top, others, ignored)


def moodle(listing: Listing, top: Top) -> Found | None:
    """Recognise `Full Name_1234567_assignsubmission_file_`, with folders or without.

    The number is the one of its grading worksheet. A text typed into the page is no work where a
    file was handed in too.
    """
    found: dict[tuple[str, str], list[tuple[str, re.Match[str]]]] = {}
    others = []
    for name in top:
        match = MOODLE.fullmatch(name)
        if match is None:
            others.append(name)
        else:
            found.setdefault((match["name"].strip(), match["id"] or ""), []).append((name, match))
    hands, ignored = [], []
    for (shown, number), entries in found.items():
        files = [entry for entry in entries if entry[1]["kind"] == "file"]
        ignored += [name for name, match in entries if files and match["kind"] != "file"]
        kept = files or entries
        hands.append(
            Hand(
                student=number or shown,
                name=shown,
                paths=tuple(listing.base / name for name, _ in kept),
                called=tuple(_called_in_moodle(match, top[name]) for name, match in kept),
            )
        )
    return _found(hands, top, others, ignored)


def _called_in_moodle(match: re.Match[str], is_folder: bool) -> str:
    return "" if is_folder else match["called"] or match["kind"]


def blackboard(listing: Listing, top: Top) -> Found | None:
    """Recognise `Title_user_attempt_YYYY-MM-DD-hh-mm-ss_name.ext` and its receipts.

    A receipt has no name after the time; it says who the student is. The times have no zone.

    Raises:
        UserError: several assignments lie in one folder, or users cannot be told from titles.
    """
    found: dict[tuple[str, str], list[tuple[str, str | None]]] = {}
    others = []
    for name, is_folder in top.items():
        match = None if is_folder else BLACKBOARD.fullmatch(name)
        if match is None:
            others.append(name)
        else:
            found.setdefault((match["head"], match["time"]), []).append((name, match["called"]))
    if not found:
        return None
    receipts = {
        listing.base / name: head
        for (head, _), entries in found.items()
        for name, called in entries
        if called is None
    }
    told = {}
    for place, text in listing.read(dict.fromkeys(receipts, _RECEIPT_BYTES)).items():
        if line := _RECEIPT_NAME.search(text.decode("utf-8-sig", "replace")):
            told[receipts[place]] = (line["user"], line["name"])
    users = _users({head for head, _ in found}, told)
    hands, ignored, attempts = [], [], Counter[str]()
    for (head, time), entries in sorted(found.items(), key=lambda item: item[0][1]):
        uploads = [(name, called) for name, called in entries if called is not None]
        ignored += [name for name, called in entries if uploads and called is None]
        kept = uploads or entries
        attempts[head] += 1
        hands.append(
            Hand(
                student=users[head],
                name=told.get(head, (users[head], users[head]))[1],
                time=_moment(time),
                attempt=attempts[head],
                paths=tuple(listing.base / name for name, _ in kept),
                called=tuple(called or name for name, called in kept),
            )
        )
    return _found(hands, top, others, sorted(ignored))


def _users(heads: set[str], told: dict[str, tuple[str, str]]) -> dict[str, str]:
    """Return the user of each `Title_user`.

    Both may hold underscores. A receipt says the user; else the title is what all have in common.
    """
    titles = {
        head.removesuffix(f"_{told[head][0]}")
        for head in told
        if head.endswith(f"_{told[head][0]}")
    }
    users = {head: told[head][0] for head in told}
    silent = sorted(head for head in heads if head not in told)
    for head in list(silent):
        title = max((t for t in titles if head.startswith(f"{t}_")), key=len, default=None)
        if title is not None:
            users[head] = head[len(title) + 1 :]
            silent.remove(head)
    if silent:
        common = beginning(silent)
        title = common[: common.rfind("_")] if "_" in common else ""
        titles.add(title)
        users.update({head: head[len(title) :].removeprefix("_") for head in silent})
        if len({users[head].rsplit("_", 1)[-1] for head in silent}) < len(silent):
            raise UserError(
                f"{_quoted(silent[:2])} could be one student's or two's: the receipts are missing.",
                "Keep the .txt files that Blackboard packs beside the work.",
            )
    if len(titles) > 1 or len(set(users.values())) < len(users):
        raise UserError(
            f"Here are the files of several Blackboard assignments: {_quoted(sorted(titles)[:3])}.",
            "Put each into a folder of its own.",
        )
    return users


def google_classroom(listing: Listing, top: Top) -> Found | None:
    """Recognise `Full Name - name.ext`, with `Copy of` and `(1)` as Drive adds them.

    A file that does not name its student is an entry of its own.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    others = []
    for name, is_folder in top.items():
        copy = COPY_OF.fullmatch(name)
        match = None if is_folder else GOOGLE.fullmatch(copy["rest"] if copy else name)
        if match is None or not (is_archive(name) or name.lower().endswith(WORK)):
            others.append(name)
        else:
            found.setdefault(match["name"], []).append((name, match["called"]))
    if len(top) < 2 or not found:
        return None
    hands = []
    for student, entries in found.items():
        called = [_without_number(file) for _, file in entries]
        problem = ""
        if len(set(called)) < len(called):
            names = _quoted([name for name, _ in entries][:4])
            problem = (
                f"{names} are of two students of one name, or of one twice. Keep one of a name."
            )
        paths = tuple(listing.base / name for name, _ in entries)
        hands.append(Hand(student, student, paths=paths, called=tuple(called), problem=problem))
    return _found(hands, top, others, [], certain=False)


def copies(top: Top) -> list[str]:
    """Return the files `name (1).ext` and `Copy of name.ext` beside their `name.ext`."""
    found = []
    for name, is_folder in top.items():
        copy = COPY_OF.fullmatch(name)
        plain = copy["rest"] if copy else _without_number(name)
        if not is_folder and plain != name and _without_number(plain) in map(_without_number, top):
            found.append(name)
    return found


def _without_number(name: str) -> str:
    match = NUMBERED.fullmatch(name)
    return f"{match['stem']}{match['suffix'] or ''}" if match else name


def _found(
    hands: list[Hand], top: Top, others: list[str], ignored: list[str], certain: bool = True
) -> Found | None:
    if not hands:
        return None
    # What is neither a folder nor work was put there by hand: a list, a note, a gradebook.
    work = [n for n in others if top[n] or is_archive(n) or n.lower().endswith(WORK)]
    ignored = [*ignored, *(name for name in others if name not in work)]
    return Found(hands, len(top) - len(others), work, ignored, certain=certain)


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d-%H-%M-%S")
    except ValueError:
        return None


def _quoted(names: Iterable[Any]) -> str:
    return " and ".join(f"“{plain_line(str(name), 60)}”" for name in names)
