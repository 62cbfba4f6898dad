"""The words of the course, with their Korean terms and where each is introduced."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from pathlib import Path

from autograder.build.site.course import Course
from autograder.course.catalogue import course_lesson
from autograder.course.reference import ROOT

WORDS = ROOT / "site" / "glossary.yml"
PLACE = "reference/glossary.md"


@dataclass(frozen=True)
class Word:
    """A word of the glossary.

    Args:
        term: in English.
        ko: in Korean.
        at: the lesson that introduces it, and after a dot where on its page.
        says: what it means.
        abbr: what it stands for, of an abbreviation.
    """

    term: str
    ko: str
    at: str
    says: str
    abbr: str = ""

    @property
    def anchor(self) -> str:
        """Return the name of its heading."""
        return re.sub(r"\W+", "-", self.term.lower())


@cache
def glossary() -> tuple[Word, ...]:
    """Return all words, in the order of the alphabet."""
    import yaml  # comes with MkDocs

    words = [Word(**record) for record in yaml.safe_load(WORDS.read_text(encoding="utf-8"))]
    return tuple(sorted(words, key=lambda word: word.term.lower()))


def abbreviations() -> dict[str, str]:
    """Return what each abbreviation stands for."""
    return {word.term: word.abbr for word in glossary() if word.abbr}


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the glossary."""
    landed = {lesson.stem for lesson in course.lessons}
    parts = [
        "---\ntitle: Glossary\n---",
        "# Glossary",
        "The words of the course, in English and Korean, each with the lesson that introduces it.",
    ]
    for letter, words in groupby(glossary(), lambda word: word.term[0].upper()):
        parts.append(f"## {letter}")
        parts += [_entry(word, landed) for word in words]
    return {PLACE: "\n\n".join(parts) + "\n"}


def _entry(word: Word, landed: set[str]) -> str:
    stem, _, place = word.at.partition(".")
    entry = course_lesson(stem)
    where = f"Lesson {entry.number}, {entry.title}"
    if stem in landed:
        where = f"[{where}](../lessons/{stem}.md{'#' + place if place else ''})"
    abbr = f"Short for {word.abbr}. " if word.abbr else ""
    return (
        f'### {word.term} <span lang="ko">{word.ko}</span> {{ #{word.anchor} .word }}\n\n'
        f"{abbr}{word.says} {where}."
    )
