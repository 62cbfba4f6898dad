"""The tour of two photos: what it says and shows, made once and kept.

It lies in `site/tour` with a record of what it was made from, as the data of the interactions do.
The words are those of the page that `convlens tour` makes.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

from torch import Tensor

from autograder.build.drawing import digest, toolkit_sources
from autograder.build.site.course import Course
from autograder.build.site.words import WORDS
from autograder.build.threads import one_thread
from autograder.course.reference import ROOT
from autograder.files import write_whole

KEPT = ROOT / "site" / "tour"
RECORD = "made-from.txt"
TOUR = ROOT / "autograder" / "tour"
QUALITY = 62  # of WebP: the page and all its pictures stay below 1.2 MB
# By name: where its lessons, its pictures and the other page are.
PARTS = {
    "answer": "",
    "contents": "",
    "techniques": "",
    "photos": "",
    "side_by_side": "../",
}


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the pictures, where there are lessons to visit."""
    pictures = KEPT.glob("*.webp") if _guides() else ()
    return {f"tour/{path.name}": path for path in sorted(pictures)}


def part(name: str, course: Course) -> str:
    """Return one part of the tour as HTML."""
    if not _guides():
        return WORDS[course.language]["none"]
    html = (KEPT / f"{name}.html").read_text(encoding="utf-8")
    return f'<div class="tour">\n{html}\n</div>'


def refresh(folder: Path = KEPT, say: Callable[[str], None] = lambda line: None) -> bool:
    """Make the tour again where its sources have changed.

    Args:
        folder: where it goes.
        say: is told that it is being made.

    Returns:
        Whether it was made.
    """
    record, sources = folder / RECORD, _sources()
    if not _guides() or (record.exists() and record.read_text(encoding="utf-8") == sources):
        return False
    say("Making the tour ...")
    from autograder.tour import survey
    from autograder.tour.page import Picture, drawn_large, parts

    with one_thread():
        found = survey(device="cpu")
    pictures: dict[str, bytes] = {}

    def picture(image: Tensor, name: str) -> Picture:
        drawn, data = drawn_large(image), io.BytesIO()
        drawn.save(data, "webp", quality=QUALITY, method=6)
        pictures[f"{name}.webp"] = data.getvalue()
        return Picture(f"{{up}}tour/{name}.webp", *drawn.size)

    place = {"lessons": "{up}lessons/", "tour": "{up}tour.md", "attributes": ' loading="lazy"'}
    made = parts(found, picture, comparison="{up}tour/side-by-side.md", **place)
    for name, up in PARTS.items():
        text = str(getattr(made, name)()).replace("{up}", up)
        write_whole(folder / f"{name}.html", text.encode())
    for old in folder.glob("*.webp"):
        old.unlink()
    for name, data in pictures.items():
        write_whole(folder / name, data)
    write_whole(record, sources.encode())
    return True


def _guides() -> list[Path]:
    """Return the modules with which lessons join the tour."""
    return sorted((ROOT / "lessons").glob("l*/tour.py"))


def _sources() -> str:
    """Return a digest of the code and data that the tour is made from."""
    own = [*sorted(TOUR.glob("*.py")), TOUR / "templates" / "parts.html", Path(__file__)]
    catalogue = ROOT / "autograder" / "course" / "catalogue.py"
    references = sorted((ROOT / "solutions").glob("l*.py"))
    return digest([*toolkit_sources(), *references, *_guides(), catalogue, *own]) + "\n"
