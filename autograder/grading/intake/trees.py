"""Recognise classes that come as trees of folders: nbgrader, GitHub Classroom."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import PurePosixPath
from zoneinfo import ZoneInfo

from autograder.grading.intake.forms import Found, Top, beginning
from autograder.grading.intake.hands import Hand
from autograder.grading.intake.listing import Listing
from autograder.plain_text import plain_line
from lessons.toolkit.errors import UserError

# https://nbgrader.readthedocs.io/en/stable/user_guide/philosophy.html
COURSE = {"submitted", "source", "release", "autograded", "feedback", "exchange", "data"}
_STAMP = re.compile(r"(\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(?:\.\d+)?)\s*([A-Za-z_/+:\-\d]*)")


def nbgrader(listing: Listing, top: Top) -> Found | None:
    """Recognise `submitted/<student>/<assignment>/`, or `submitted` itself.

    The student's id is the folder's name, word for word, as in the gradebook's database.
    """
    is_course = (listing.base.name or listing.root.resolve().name) == "submitted"
    if top.get("submitted", False):
        is_course = True
        _refuse_if_mixed(listing, top)
        listing = listing.inside("submitted")
        top = listing.top()
    stamps = {
        file: 200
        for file in listing.files
        if file.name == "timestamp.txt" and file.parent.parent.parent == listing.base
    }
    stamped = {stamp.parent.parent.name for stamp in stamps}
    students = [name for name, is_folder in top.items() if is_folder]
    if not is_course:
        students = [name for name in students if name in stamped]
    # nbgrader makes a folder for whoever fetches an assignment.
    held = {file.relative_to(listing.base).parts[0] for file in listing.below(listing.base)}
    empty = [name for name in students if name not in held]
    students = [name for name in students if name in held]
    if not students:
        return None
    texts = listing.read(stamps)
    unread = 0
    hands = []
    for name in students:
        own = [texts[stamp] for stamp in stamps if stamp.parent.parent.name == name]
        times = [_time(text.decode("utf-8", "replace")) for text in own]
        unread += times.count(None)
        known = [time for time in times if time is not None]
        # A late part makes the whole late: who hands in several lessons is not early by one.
        latest = max(known, key=lambda time: time.replace(tzinfo=time.tzinfo or UTC), default=None)
        hands.append(Hand(name, name, latest, paths=(listing.base / name,), called=(name,)))
    notes = [f"{unread} timestamps could not be read."] if unread else []
    if empty:
        notes.append(f"Without any file: {', '.join(plain_line(name, 60) for name in empty[:5])}.")
    others = [name for name in top if name not in (*students, *empty)]
    return Found(hands, len(students), others, notes=notes, certain=bool(stamped))


def github_classroom(listing: Listing, top: Top) -> Found | None:
    """Recognise clones named `<assignment>-<user>`, each with its `.git`."""
    folders = [name for name, is_folder in top.items() if is_folder]
    clones = [name for name in folders if listing.base / name / ".git" in listing.folders]
    # A worktree's or submodule's is a file.
    clones += [n for n in folders if listing.base / n / ".git" in listing.files and n not in clones]
    if not clones or (len(clones) == 1 and len(top) == 1 and not listing.base.parts):
        return None
    prefix = _assignment(clones, (listing.base.name or listing.root.resolve().name))
    hands = [
        Hand(name[len(prefix) :], name[len(prefix) :], paths=(listing.base / name,), called=(name,))
        for name in clones
    ]
    others = [name for name in top if name not in clones and top[name]]
    ignored = [name for name in top if name not in clones and not top[name]]
    what = (
        f"the assignment is “{plain_line(prefix[:-1], 60)}”" if prefix else "no common assignment"
    )
    notes = [f"By the clones' names, {what}; when a clone was pushed is not read."]
    return Found(hands, len(clones), others, ignored, notes, certain=bool(prefix))


def _assignment(clones: list[str], parent: str) -> str:
    """Return the beginning that all names share, up to its dash."""
    named = f"{parent.removesuffix('-submissions')}-"
    if parent.endswith("-submissions") and all(n.startswith(named) and n != named for n in clones):
        return named
    common = beginning(clones) if len(clones) > 1 else ""
    return common[: common.rfind("-") + 1]


def _time(text: str) -> datetime | None:
    """Return what `timestamp.txt` says: date, time and the name of a zone."""
    found = _STAMP.search(text)
    if found is None:
        return None
    try:
        time = datetime.fromisoformat(found[1])
        if found[2] in ("UTC", "GMT", "Z", "+00:00"):
            return time.replace(tzinfo=UTC)
        return time.replace(tzinfo=ZoneInfo(found[2])) if found[2] else time
    except (ValueError, OSError):  # an abbreviation such as CST names several zones
        return None


def _refuse_if_mixed(listing: Listing, top: Top) -> None:
    """Raise if a folder “submitted” lies beside other submissions.

    A student who is called that must not hide all the others.
    """
    strangers = [name for name, is_folder in top.items() if is_folder and name not in COURSE]
    if strangers:
        where = listing.root / PurePosixPath(listing.base)
        raise UserError(
            f"{where} holds a folder “submitted” and, beside it, “{plain_line(strangers[0], 60)}”.",
            "Name the folder whose entries are the students.",
        )
