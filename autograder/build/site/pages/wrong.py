"""What students get wrong, for instructors, in sentences and without code."""

from __future__ import annotations

import re
from pathlib import Path

from autograder.build.site.course import Course, SiteLesson
from autograder.course.exercise import Exercise
from autograder.course.mistakes import Wrong, shared_words

PLACE = "instructors/mistakes.md"
SHARED = "in-any-exercise"


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the mistakes that checks know, by lesson and exercise.

    Only what such a mistake is said to be stands there, which a student who made it reads as well.
    Neither the wrong code nor what stands in its place does.
    """
    parts = [
        "---\ntitle: What students get wrong\nsearch:\n  exclude: true\n---",
        "# What students get wrong",
        "Checks know wrong versions of each exercise and name the one that they meet. Here is what "
        "they say, by lesson; the word in front is the one in `results.json` and on the class's "
        "page. The code of neither answer is shown, so the page may be shared.",
        f"## In any exercise {{ #{SHARED} }}",
        _list(list(shared_words().values())),
        *(_lesson(lesson) for lesson in course.lessons),
    ]
    return {PLACE: "\n\n".join(parts) + "\n"}


def _lesson(lesson: SiteLesson) -> str:
    title = f"## {lesson.entry.number}. {lesson.story.title} {{ #{lesson.stem} }}"
    return "\n\n".join([title, *(_exercise(lesson, each) for each in lesson.record.exercises)])


def _exercise(lesson: SiteLesson, exercise: Exercise) -> str:
    name = exercise.name
    heading = f"### [`{name}`](../lessons/{lesson.stem}.md#{name}) {{ #{lesson.stem}-{name} }}"
    own = list(dict.fromkeys(exercise.words.mistakes))
    known = shared_words()
    told = [wrong for wrong in own if wrong.id not in known]
    also = [f"[`{wrong.id}`](#{wrong.id})" for wrong in own if wrong.id in known]
    parts = [heading, _list(told, lesson.stem, name)] if told else [heading]
    if also:
        parts.append(f"Also: {', '.join(dict.fromkeys(also))}.")
    if not told and not also:
        parts.append(f"Only what can go wrong [in any exercise](#{SHARED}).")
    return "\n\n".join(parts)


def _list(mistakes: list[Wrong], *place: str) -> str:
    return "\n".join(f"- {_said(wrong, place)}" for wrong in mistakes)


def _said(wrong: Wrong, place: tuple[str, ...]) -> str:
    anchor = "" if place else f'<a id="{wrong.id}"></a>'
    said = f"{_plain(wrong.says)} *{_plain(wrong.next_step)}*"
    return f"{anchor}`{wrong.id}` {said}"


def _plain(text: str) -> str:
    """Return a sentence with its names written out, and nothing taken for a tag.

    A formula stands as it is typed: to set one or two, the page would load 120 kB of KaTeX.
    """
    text = re.sub(r"\{(\w+)\}", r"(\1)", text)
    text = re.sub(r"\$([^$]+)\$", r"`\1`", text).replace(r"\cdot", "·")
    return re.sub(r"(`[^`]*`)|([*_<])", lambda m: m[1] or f"\\{m[2]}", text)
