"""Make student ids that are safe as file names, as cells and on a page."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from pathlib import Path, PurePosixPath

LONGEST = 80
SAFE = re.compile(r"\w[\w.@+-]*(?: [\w.@+-]+)*", re.UNICODE)
# Letters to Unicode, and nothing to the eye: a second "ada" would look like the first.
BLANK = re.compile("[\u115f\u1160\u3164\uffa0]")
# Devices to Windows, with any suffix: pages of these names cannot be copied there.
RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)(?:\..*)?", re.IGNORECASE)


def name_of(place: Path) -> str:
    """Return a file's name, the same under every locale.

    A name is bytes, of UTF-8 wherever people mean letters by them. What a process takes them for
    depends on its locale.
    """
    return as_utf8(place.name)


def as_utf8(name: str) -> str:
    """Return a name that this process was given as every other would read it."""
    return os.fsencode(name).decode("utf-8", "surrogateescape")


def on_disk(folder: Path, place: PurePosixPath | str) -> Path:
    """Return where a place lies that is named by `as_utf8`."""
    return folder / os.fsdecode(str(place).encode("utf-8", "surrogateescape"))


def student_id(name: str) -> str:
    """Return the id that a submission is graded under.

    An ordinary name, in any alphabet, stays as it is. Any other keeps its letters and digits and
    gets a short hash, so that two strange names stay two.

    >>> student_id("안젤라 kim")
    '안젤라 kim'
    >>> student_id("../../x")
    'x-9cdf6a50'
    """
    # One name, however its accents are written.
    plain = unicodedata.normalize("NFC", name)
    is_strange = plain.endswith(".") or RESERVED.fullmatch(plain) or BLANK.search(plain)
    if SAFE.fullmatch(plain) and len(plain.encode()) <= LONGEST and not is_strange:
        return plain
    kept = re.sub(r"\W+", "_", BLANK.sub("_", plain), flags=re.UNICODE).strip("_")
    while len(kept.encode()) > LONGEST - 20:
        kept = kept[:-1]
    digest = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    return f"{kept or 'student'}-{digest}"
