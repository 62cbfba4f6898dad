"""The kinds of pages: each module makes one, and `KINDS` lists them all.

A module has `pages(course)`, which returns files by their place in the site: text or
bytes, or the path of a file to copy.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from autograder.build.site.course import Course
from autograder.build.site.pages import (
    assets,
    commands,
    glossary,
    lesson,
    lesson_list,
    models,
    paper_list,
    techniques,
    terminal,
    toolkit,
    tour,
    written,
    wrong,
)

Files = dict[str, str | bytes | Path]

KINDS: tuple[Callable[[Course], Files], ...] = (
    written.pages,
    lesson_list.pages,
    lesson.pages,
    techniques.pages,
    glossary.pages,
    commands.pages,
    toolkit.pages,
    models.pages,
    paper_list.pages,
    wrong.pages,
    terminal.pages,
    tour.pages,
    assets.pages,
)
