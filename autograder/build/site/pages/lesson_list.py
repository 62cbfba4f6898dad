"""The list of lessons: a card each, with number, question, picture and minutes."""

from __future__ import annotations

import html
import io
from functools import cache
from pathlib import Path

from PIL import Image

from autograder.build.site.course import Course, SiteLesson
from autograder.build.site.words import WORDS
from autograder.course.pictures import Picture

WIDTH = 640


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the page that lists the landed lessons, by parts."""
    words = WORDS[course.language]
    parts = [f"# {words['lessons']}", words["intro"]]
    for name, lessons in course.parts():
        parts += [f"## {name}", _grid(lessons, "", words)]
    made: dict[str, str | bytes | Path] = {"lessons/index.md": "\n\n".join(parts) + "\n"}
    for lesson in course.lessons:
        picture = _shown(lesson)
        is_drawing = picture.path.suffix == ".svg"
        made[_small(lesson)] = picture.path if is_drawing else _reduced(picture.path)
    return made


def cards(course: Course, folder: str) -> str:
    """Return the cards of all landed lessons.

    Args:
        course: the lessons.
        folder: put before each link.
    """
    words = WORDS[course.language]
    return _grid(list(course.lessons), folder, words) if course.lessons else words["none"]


def _grid(lessons: list[SiteLesson], folder: str, words: dict[str, str]) -> str:
    inside = "\n".join(_card(lesson, folder, words) for lesson in lessons)
    return f'<ul class="cards" markdown="1">\n{inside}\n</ul>'


def _card(lesson: SiteLesson, folder: str, words: dict[str, str]) -> str:
    picture = _shown(lesson)
    title = f"{lesson.entry.number}. {html.escape(lesson.story.title)}"
    image = (
        f'<img src="{_small(lesson).removeprefix("" if folder else "lessons/")}" alt="" '
        f'class="off-glb" loading="lazy" width="{picture.width}" height="{picture.height}">'
    )
    question = f"<span>{html.escape(lesson.question)}</span> " if lesson.question else ""
    facts = f"{lesson.story.minutes} min · {len(lesson.record.exercises)} {words['exercises']}"
    return (
        f'<li markdown="span">{image}[{title}]({folder}{lesson.stem}.md) '
        f"{question}<small>{facts}</small></li>"
    )


def _shown(lesson: SiteLesson) -> Picture:
    return next(iter(lesson.pictures.values()))


def _small(lesson: SiteLesson) -> str:
    suffix = _shown(lesson).path.suffix
    return f"lessons/{lesson.stem}/card{suffix if suffix == '.svg' else '.webp'}"


@cache
def _reduced(path: Path) -> bytes:
    """Return a picture as wide as its card on a screen of two dots a pixel."""
    with Image.open(path) as picture:
        picture.thumbnail((WIDTH, WIDTH))
        data = io.BytesIO()
        # Method 6 takes fifty times as long for 2 % less.
        picture.save(data, "webp", quality=80, method=5)
    return data.getvalue()
