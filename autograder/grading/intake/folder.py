"""Read one submission into a record of its lessons, running nothing of it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from autograder.course.reference import read_lesson
from autograder.course.student_file import (
    WORKED,
    BadSubmission,
    Work,
    standings,
    stems_in,
    work_of,
)
from autograder.grading.intake.archives import (
    WORK,
    Caps,
    Contents,
    Refused,
    read_container,
    without_suffix,
)
from autograder.grading.intake.joining import joined
from autograder.grading.intake.student_ids import name_of, student_id
from autograder.grading.intake.submission import Submission

MOST_VERSIONS = 8
# As Jupyter, browsers and desktops name a second file of one name.
COPY = re.compile(r"copy|kopie|copie|copia|\(\d+\)$|-checkpoint$|~$", re.IGNORECASE)


def read_submission(place: Path, stems: Sequence[str], caps: Caps | None = None) -> Submission:
    """Read one submission: a folder, an archive, a `.py` file or a notebook."""
    caps = caps or Caps()
    student, name = student_of(place), name_of(place)
    try:
        return _submission(student, name, read_container(place, caps), stems)
    except (Refused, OSError) as refusal:
        reason = str(refusal) if isinstance(refusal, Refused) else "cannot be read"
    except MemoryError:
        reason = "takes more memory than there is for one to read"
    except Exception as error:  # whatever one file can do to us, the others are still read
        fault = f"The submission could not be read ({type(error).__name__}). Look at it yourself."
        return Submission(student, name, fault=fault)
    return Submission(student, name, {}, {"": f"The submission {reason}."})


def student_of(place: Path) -> str:
    """Return the id of the student whom a submission is named for."""
    name = name_of(place)
    return student_id(name if place.is_dir() else without_suffix(name))


def _submission(student: str, origin: str, contents: Contents, stems: Sequence[str]) -> Submission:
    sources: dict[str, str] = {}
    problems: dict[str, str] = {}
    notes = [*contents.notes, *(f"{why}; it was left alone." for why in contents.left.values())]
    held = {path: _held(path, data) for path, data in contents.files.items()}
    for stem in stems:
        works: dict[PurePosixPath, Work] = {}
        unread = {
            path: f"{why}." for path, why in contents.left.items() if _could_be(path, stem, stems)
        }
        for path in sorted(contents.files, key=_order):
            # A lone file that defines nothing known may be broken from its first line.
            alone = len(contents.files) == len(stems) == 1 and not held[path]
            alone = alone and path.suffix.lower() in WORK
            if not alone and not _could_hold(path, held[path], stem, stems):
                continue
            try:
                works[path] = work_of(contents.files[path], path.name, stem)
            except BadSubmission as bad:
                unread[path] = f"“{path.name[-60:]}” {bad.reason}."
        if (count := len({work.text for work in works.values()})) > MOST_VERSIONS:
            problems[stem] = f"There are {count} different files for {stem}. Keep one."
        elif works:
            sources[stem], chosen = joined(works, stem)
            notes += chosen
            near = {path: why for path, why in unread.items() if _is_named(path, stem)}
            problems |= _unread_exercises(sources[stem], stem, works, near)
        elif unread:
            problems[stem] = next(iter(unread.values()))
    if not sources and not problems:
        problems[""] = _why_nothing(origin, contents)
    return Submission(student, origin, sources, problems, list(dict.fromkeys(notes)))


def _unread_exercises(
    text: str, stem: str, works: Mapping[PurePosixPath, Work], unread: Mapping[PurePosixPath, str]
) -> dict[str, str]:
    """Return why exercises that may be done elsewhere cannot be read."""
    whole = next(iter(unread.values()), "")
    parts = {
        name: f"“{path.name[-60:]}” {why}."
        for path, work in works.items()
        for name, why in work.unread.items()
    }
    if not whole and not parts:
        return {}
    done = {name for name, (state, _) in standings(text, stem).items() if state == WORKED}
    reasons = {name: parts.get(name, whole) for name in read_lesson(stem).exercises}
    return {f"{stem}.{name}": why for name, why in reasons.items() if why and name not in done}


def _held(path: PurePosixPath, data: bytes) -> list[str] | None:
    """Return the lessons of which a file holds exercises, None if it cannot be read."""
    try:
        return stems_in(data, path.name)
    except BadSubmission:
        return None


def _could_hold(
    path: PurePosixPath, held: list[str] | None, stem: str, stems: Sequence[str]
) -> bool:
    """Return whether a file is this lesson's.

    Its folder or name decides, else what it holds.
    """
    named = {*path.parts[:-1], path.stem}
    if stem in named:
        usual = path.stem in (stem, "exercises", "lesson") or path.suffix.lower() == ".ipynb"
        return usual or held is None or stem in held
    if named & set(stems):
        return False
    if held is None:
        return len(stems) == 1 or path.stem in ("exercises", "lesson")
    return stem in held


def _could_be(path: PurePosixPath, stem: str, stems: Sequence[str]) -> bool:
    """Return whether what was left alone may be work on a lesson, by its name."""
    return _is_named(path, stem) or not {*path.parts[:-1], path.stem} & set(stems)


def _is_named(path: PurePosixPath, stem: str) -> bool:
    """Return whether a file's place or name says that it is work on a lesson."""
    return stem in {*path.parts[:-1], path.stem} or path.stem.startswith(("exercises", "lesson"))


def _order(path: PurePosixPath) -> tuple[bool, bool, bool, str]:
    """Return the place of a file among equals.

    A copy comes last, and `exercises.py` before the notebook.
    """
    is_copy = any(map(COPY.search, (*path.parts[:-1], path.stem)))
    is_named = path.stem in ("exercises", "lesson")
    return is_copy, not is_named, path.suffix.lower() == ".ipynb", str(path)


def _why_nothing(origin: str, contents: Contents) -> str:
    if contents.left:
        return f"No lesson could be read. Left alone: {'; '.join([*contents.left.values()][:5])}."
    if not contents.files:
        return "The submission holds no .py file and no notebook."
    if set(contents.files) == {PurePosixPath(origin)} and not origin.lower().endswith(WORK):
        kinds = ".py, .ipynb, .zip, .tar.gz or a folder"
        return f"“{origin[-60:]}” is not a kind of file that is graded: hand in {kinds}."
    if not any(data.strip() for data in contents.files.values()):
        names = " and ".join(f"“{path.name}”" for path in sorted(contents.files)[:4])
        return f"{names}: there is nothing in it."
    return "No file in the submission belongs to a lesson that is graded."
