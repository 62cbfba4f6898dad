"""The pages that a person writes, with what they ask for filled in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

from autograder.build.site.course import Course
from autograder.build.site.figures import figure
from autograder.build.site.pages import terminal, tour
from autograder.build.site.pages.lesson_list import cards
from autograder.course.reference import ROOT
from autograder.course.story import FigureBlock
from lessons.toolkit.errors import UserError

DOCS = ROOT / "site" / "docs"
_FIGURE = re.compile(
    r"^!\[(?P<alt>[^\]]*)\]\(\.\./\.\./lessons/(?P<stem>l\d\d_\w+)/pictures/(?P<name>\w+)\.\w+ "
    r'"(?P<caption>[^"]*)"\)$',
    re.MULTILINE,
)
_FENCED = re.compile(r"^(`{3,}.*?^`{3,}$)", re.MULTILINE | re.DOTALL)
# What stands for a comment `<!-- name -->` in a written page.
FILLINGS: dict[str, Callable[[Course], str]] = {
    "lessons": lambda course: cards(course, "lessons/"),
    "terminal": terminal.shown,
    **{f"tour: {name}": partial(tour.part, name) for name in tour.PARTS},
    "changelog": lambda course: (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"),
}


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return all files of `site/docs`, their Markdown filled in."""
    files: dict[str, str | bytes | Path] = {}
    for path in sorted(DOCS.rglob("*")):
        if path.is_file():
            name = path.relative_to(DOCS).as_posix()
            is_page = path.suffix == ".md"
            files[name] = filled(path.read_text(encoding="utf-8"), course) if is_page else path
    return files


def filled(markdown: str, course: Course) -> str:
    """Fill a page of the site's root with what it asks for.

    A picture of a lesson's folder is a figure that stands in that lesson's story as well.

    Raises:
        UserError: no such figure in a landed lesson.
    """

    def drawn(match: re.Match[str]) -> str:
        stem, name = match["stem"], match["name"]
        shown = (les for les in course.lessons if les.stem == stem and name in les.pictures)
        if (lesson := next(shown, None)) is None:
            raise UserError(
                f"A page asks for the figure {stem}.{name}, which no landed lesson shows.",
                "Name a figure of a lesson's story.",
            )
        block = FigureBlock(name, match["alt"], match["caption"])
        # Without maps: what can be touched here is the page's own to say.
        picture = replace(lesson.pictures[name], maps=None)
        return figure(block, f"lessons/{stem}", picture)

    for name, filling in FILLINGS.items():
        mark = f"<!-- {name} -->"
        if mark in markdown:
            markdown = markdown.replace(mark, filling(course))
    # What a page quotes as an example asks for nothing.
    parts = _FENCED.split(markdown)
    return "".join(part if at % 2 else _FIGURE.sub(drawn, part) for at, part in enumerate(parts))
