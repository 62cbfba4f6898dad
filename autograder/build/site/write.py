"""The first step, which writes the pages and the settings of the engine."""

from __future__ import annotations

import json
from pathlib import Path

from autograder.build.site.course import Course
from autograder.build.site.pages import KINDS
from autograder.build.site.pages.glossary import abbreviations
from autograder.course.reference import ROOT
from autograder.files import write_whole
from lessons.toolkit.errors import UserError

SETTINGS = ROOT / "site" / "mkdocs.yml"
THEME = ROOT / "site" / "theme"
_ABBREVIATIONS = "      glossary: {}  # the glossary's abbreviations\n"
_LESSONS = "      # the lessons, by parts\n"


def write_pages(folder: Path, course: Course) -> None:
    """Write the project that an engine builds, `mkdocs.yml` and `docs`.

    Files that are there already with the same content are left alone, so that a server which
    watches them sees what has changed. What is no longer part of the site is removed.

    Args:
        folder: where; made when it is not there.
        course: what the pages are made from.

    Raises:
        UserError: a page asks for what is not there, or the folder holds something else.
    """
    settings, docs = folder / "mkdocs.yml", folder / "docs"
    if folder.exists() and any(folder.iterdir()) and not settings.exists():
        raise UserError(
            f"{folder} holds something else than pages of this site.",
            "Name a new or an empty folder.",
        )
    files: dict[Path, bytes] = {settings: _settings(course).encode()}
    for kind in KINDS:
        for name, content in kind(course).items():
            if isinstance(content, Path):
                content = content.read_bytes()
            files[docs / name] = content.encode() if isinstance(content, str) else content
    for path in sorted(THEME.rglob("*")):
        if path.is_file():
            files[folder / "theme" / path.relative_to(THEME)] = path.read_bytes()
    for path, data in files.items():
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, data)
    for path in docs.rglob("*"):
        if path.is_file() and path not in files:
            path.unlink()


def _settings(course: Course) -> str:
    """Return `site/mkdocs.yml` with the lessons in its navigation."""
    text = SETTINGS.read_text(encoding="utf-8")
    if _LESSONS not in text:
        raise UserError(f"{SETTINGS.name} has no place for the lessons.", f"Put back:\n{_LESSONS}")
    lines = []
    for part, lessons in course.parts():
        lines.append(f"      - {json.dumps(part)}:\n")
        for lesson in lessons:
            title = json.dumps(f"{lesson.entry.number}. {lesson.story.title}", ensure_ascii=False)
            lines.append(f"          - {title}: lessons/{lesson.stem}.md\n")
    known = json.dumps(abbreviations(), ensure_ascii=False)
    text = text.replace(_ABBREVIATIONS, f"      glossary: {known}\n")
    return text.replace(_LESSONS, "".join(lines))
