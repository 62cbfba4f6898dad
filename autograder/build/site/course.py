"""The lessons that pages are made from, with stories and pictures."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from autograder import checks
from autograder.build.products import lesson_problems
from autograder.course.catalogue import CourseLesson, course_lesson, landed_stems, topic
from autograder.course.exercise import Lesson
from autograder.course.pictures import Picture, pictures
from autograder.course.reference import ROOT, LessonSource, read_lesson
from autograder.course.story import Story, read_story, story_path
from lessons.toolkit.errors import UserError


@dataclass(frozen=True)
class SiteLesson:
    """A landed lesson.

    Args:
        entry: its line of the catalogue.
        source: its reference.
        story: its text.
        record: its exercises.
        pictures: those of its figures, by name.
        question: what it asks, from the README's table; empty where no row is there.
    """

    entry: CourseLesson
    source: LessonSource
    story: Story
    record: Lesson
    pictures: dict[str, Picture]
    question: str

    @property
    def stem(self) -> str:
        """Name of its files and of its page."""
        return self.entry.stem


@dataclass(frozen=True)
class Course:
    """What all pages are made from.

    Args:
        lessons: those that have landed, in order.
        language: of the pages.
        solutions: show them, for instructors.
    """

    lessons: tuple[SiteLesson, ...]
    language: str = "en"
    solutions: bool = False

    def parts(self) -> Iterator[tuple[str, list[SiteLesson]]]:
        """Yield the parts of the course that have lessons, with these."""
        names = dict.fromkeys(lesson.entry.part for lesson in self.lessons)
        for name in names:
            yield name, [lesson for lesson in self.lessons if lesson.entry.part == name]


def read_course(language: str = "en", solutions: bool = False) -> Course:
    """Read the landed lessons that have a story in a language.

    Raises:
        UserError: one of them is not in order, or a figure has not been drawn.
    """
    read_lesson.cache_clear()  # `serve` stays alive while solutions are edited
    stems = [stem for stem in landed_stems() if story_path(stem, language).exists()]
    for stem in stems:
        if problems := lesson_problems(stem):
            where = f"lessons/{stem}/lesson.md"
            raise UserError(f"{where}: {problems[0]}.", "`convlens build --check` lists all.")
    asked = _questions()
    found = []
    for stem in stems:
        story, entry = read_story(stem, language), course_lesson(stem)
        drawn, source = _drawn(stem, story), read_lesson(stem)
        question = asked.get(entry.number, "")
        found.append(SiteLesson(entry, source, story, checks.lesson(stem), drawn, question))
    return Course(tuple(found), language, solutions)


def _questions() -> dict[int, str]:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.exists() else ""
    rows = re.findall(r"^\| (\d\d) [^|]+ \| ([^|]+) \|$", text, re.MULTILINE)
    return {int(number): question for number, question in rows}


def _drawn(stem: str, story: Story) -> dict[str, Picture]:
    there = pictures(stem)
    for name in story.figures:
        if name not in there:
            raise UserError(
                f"lessons/{stem}: the figure {name} has not been drawn.",
                f"`convlens build {topic(stem)} --draw` draws it.",
            )
    return {name: there[name] for name in story.figures}
