"""Recognise the layout in which a platform packs a class.

A form is believed when most names have it; each that has it not stays an entry of its own. Where no
form fits, every entry is a student, and that is said.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

from autograder.course.reference import solution_stems
from autograder.grading.intake import downloads, trees
from autograder.grading.intake.archives import WORK, is_archive, without_suffix
from autograder.grading.intake.forms import Found, Top
from autograder.grading.intake.hands import ONE, PLAIN, Hand, Layout
from autograder.grading.intake.listing import Listing, list_names
from autograder.grading.intake.student_ids import name_of
from autograder.plain_text import plain_line
from lessons.toolkit.errors import UserError, unknown

# Those whose names cannot be anything else come first.
PLATFORMS: Mapping[str, Callable[[Listing, Top], Found | None]] = {
    "Moodle": downloads.moodle,
    "Blackboard": downloads.blackboard,
    "Canvas": downloads.canvas,
    "nbgrader": trees.nbgrader,
    "GitHub Classroom": trees.github_classroom,
    "Google Classroom": downloads.google_classroom,
}
# By their form alone, whatever lies around them.
SIGNED = ("Moodle", "Blackboard", "Canvas", "nbgrader", "GitHub Classroom")
_WRAPPERS = 3
_SHARE = 0.6


def recognise(place: Path, platform: str | None = None, one: bool = False) -> Layout:
    """Recognise who handed in what, reading names and receipts only.

    Args:
        place: folder, zip or tar of a class, or one student's work.
        platform: one of `PLATFORMS` or "plain", where the instructor says so.
        one: whether the instructor says that it is one student's work.

    Raises:
        UserError: nothing is there, it cannot be read, or has not the layout that was named.
    """
    listing = list_names(place)
    if one or not (place.is_dir() or is_archive(place.name)):
        return _one(listing)
    if not listing.top():
        raise UserError(f"{place} is empty.", "Put one submission a student into it.")
    if platform is not None:
        return _as_named(listing, platform)
    return _signed(listing) or _unsigned(listing)


def _as_named(listing: Listing, platform: str) -> Layout:
    names = {name.lower(): name for name in (*PLATFORMS, PLAIN)}
    name = names.get(platform.lower())
    if name is None:
        raise unknown("layout", platform, names.values())
    if name == PLAIN:
        inner = listing if listing.root.is_dir() else _wrapped(listing)[-1]
        return _layout(inner, PLAIN, _plain(inner, inner.top()))
    for inner in _wrapped(listing):
        found = PLATFORMS[name](inner, inner.top())
        if found is not None and found.hands:
            return _layout(inner, name, found)
    raise UserError(
        f"{listing.root} has no name as {name} gives them.",
        "Leave the layout out to see what is recognised.",
    )


def _signed(listing: Listing) -> Layout | None:
    """Return the layout of a platform that signs its names.

    It may lie inside one folder, or in one archive.
    """
    for inner in _wrapped(listing):
        top = inner.top()
        for name in SIGNED:
            found = PLATFORMS[name](inner, top)
            if found is not None and found.share >= _SHARE:
                return _layout(inner, name, found)
    if (archive := _only_archive(listing)) is None:
        return None
    try:
        packed = list_names(archive)
    except UserError:  # a student's that is broken is read as theirs, and its row says so
        return None
    return _signed(packed)


def _unsigned(listing: Listing) -> Layout:
    """Return the layout of what no platform has signed."""
    # An archive of one folder is that folder; a folder with one folder is a class of one.
    levels = [listing] if listing.root.is_dir() else _wrapped(listing)
    inner = levels[-1]
    top = inner.top()
    found = downloads.google_classroom(inner, top)
    if found is not None and found.share >= _SHARE:
        return _layout(inner, "Google Classroom", found)
    if any(_is_one_students(level) and not downloads.copies(level.top()) for level in levels):
        return _one(listing)
    plain = _plain(inner, top)
    if not listing.root.is_dir() and len(plain.hands) == 1:
        return _one(listing)
    return _layout(inner, PLAIN, plain, doubts=_doubts(inner, top))


def _wrapped(listing: Listing) -> list[Listing]:
    """Return a listing and those of the folders in which all of it lies."""
    found = [listing]
    while len(found) <= _WRAPPERS:
        top = found[-1].top()
        if len(top) != 1 or not all(top.values()):
            break
        found.append(found[-1].inside(next(iter(top))))
    return found


def _only_archive(listing: Listing) -> Path | None:
    names = list(listing.top())
    if listing.root.is_dir() and len(names) == 1 and is_archive(names[0]):
        return listing.root / names[0]
    return None


def _is_one_students(listing: Listing) -> bool:
    """Return whether a lesson's own names lie at the top.

    Beside folders or archives of others they are a hand-out that was left among them.
    """
    stems, top = solution_stems(), listing.top()
    if any(listing.base / "lessons" / stem in listing.folders for stem in stems):
        return True
    others = [
        name
        for name, is_folder in top.items()
        if name not in stems and (is_folder or is_archive(name))
    ]
    own = {*stems, "exercises", "lesson"}
    named = [n for n, is_folder in top.items() if (n if is_folder else without_suffix(n)) in own]
    return not others and bool(named)


def _one(listing: Listing) -> Layout:
    root = listing.root
    name = name_of(root.resolve())
    name = name if root.is_dir() else without_suffix(name)
    hand = Hand(_nfc(name), _nfc(name), paths=(PurePosixPath(),), called=(name_of(root),))
    return Layout(root, ONE, "likely", (hand,))


def _plain(listing: Listing, top: Top) -> Found:
    """Take every entry for a student who is called so."""
    by_student: dict[str, tuple[str, list[str]]] = {}
    ignored = []
    for name, is_folder in top.items():
        # A grader that passes over a student's PDF would leave them without a row.
        if not is_folder and name.lower() in ("readme.txt", "readme.md", "roster.csv"):
            ignored.append(name)
            continue
        student = _nfc(name if is_folder else without_suffix(name))
        # “Lea.zip” and “lea.py” are more likely one person's than two people's.
        by_student.setdefault(student.lower(), (student, []))[1].append(name)
    hands = []
    for student, names in by_student.values():
        problem = ""
        if len(names) > 1:
            shown = " and ".join(f"“{plain_line(name, 60)}”" for name in names[:4])
            problem = f"There are {len(names)} submissions for one student: {shown}. Keep one."
        paths = tuple(listing.base / name for name in names)
        hands.append(Hand(student, student, paths=paths, called=tuple(names), problem=problem))
    return Found(hands, len(top), ignored=ignored)


def _doubts(listing: Listing, top: Top) -> list[str]:
    """Return what else the entries could be."""
    notes = []
    if copies := downloads.copies(top):
        notes.append(
            f"{len(copies)} files do not name their student (such as "
            f"“{plain_line(copies[0], 60)}”): rename them, or say --one if all is one student's."
        )
    for name in SIGNED:
        found = PLATFORMS[name](listing, top)
        if found is not None and found.matched:
            notes.append(f"{found.matched} of {len(top)} names could be {name}'s, too few.")
    if any(downloads.CANVAS.fullmatch(n) for n in top) and downloads.canvas(listing, top) is None:
        notes.append("Names like Canvas's are here, but two share a number: they are not grouped.")
    if not listing.root.is_dir() and all(n.lower().endswith(WORK) for n in top):
        notes.append("If this archive is one student's, say --one.")
    return notes


def _layout(
    listing: Listing, platform: str, found: Found, doubts: list[str] | None = None
) -> Layout:
    hands = list(found.hands)
    if found.others:
        hands += _plain(listing, dict.fromkeys(found.others, False)).hands
        shown = " and ".join(f"“{plain_line(name, 60)}”" for name in found.others[:3])
        what = "1 entry has" if len(found.others) == 1 else f"{len(found.others)} entries have"
        found.notes.append(f"{what} another form, each taken for a student: {shown}.")
    astray = listing.astray()
    if platform == PLAIN and listing.root.is_dir():
        hands += map(_astray, astray)  # whoever lies there has a row that says why
    elif astray:
        shown = plain_line(astray[0], 60)
        found.notes.append(
            f"Left alone: {len(astray)} that lead elsewhere or are no files, such as “{shown}”."
        )
    if platform == PLAIN:
        sure = "open" if doubts else "likely"
    else:
        sure = "certain" if found.certain and not found.others else "likely"
    return Layout(
        listing.root,
        platform,
        sure,  # type: ignore[arg-type]
        tuple(_kept_apart(hands)),
        tuple(found.ignored),
        (*found.notes, *(doubts or ())),
    )


def _astray(place: str) -> Hand:
    path = PurePosixPath(place)
    student = _nfc(without_suffix(path.name))
    problem = f"“{plain_line(path.name, 60)}” leads elsewhere or is no file, and was not read."
    return Hand(student, student, paths=(path,), called=(path.name,), problem=problem)


def _kept_apart(hands: list[Hand]) -> list[Hand]:
    """Mark attempts that claim one number of one student: two people, or one twice."""
    seen: dict[tuple[str, int], int] = {}
    for hand in hands:
        key = (hand.student, hand.attempt)
        seen[key] = seen.get(key, 0) + 1
    twice = {student for (student, _), count in seen.items() if count > 1}
    if not twice:
        return hands
    kept: dict[str, Hand] = {}
    apart = []
    for hand in hands:
        if hand.student not in twice:
            apart.append(hand)
        elif hand.student in kept:
            paths = (*kept[hand.student].paths, *hand.paths)
            called = (*kept[hand.student].called, *hand.called)
            kept[hand.student] = _merged(kept[hand.student], paths, called)
        else:
            kept[hand.student] = hand
    return [*apart, *kept.values()]


def _merged(hand: Hand, paths: tuple[PurePosixPath, ...], called: tuple[str, ...]) -> Hand:
    shown = " and ".join(f"“{plain_line(path.name, 60)}”" for path in paths[:4])
    problem = f"{shown} claim one student; who handed in which cannot be told. Keep one."
    return Hand(hand.student, hand.name, hand.time, 1, hand.late, paths, called, problem)


def _nfc(name: str) -> str:
    return unicodedata.normalize("NFC", name)
