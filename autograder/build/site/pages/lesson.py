"""The page of a lesson, its story with exercises, figures and outputs."""

from __future__ import annotations

import re
import textwrap
from dataclasses import replace
from pathlib import Path

from autograder.build.site.course import Course, SiteLesson
from autograder.build.site.links import READINGS, linked
from autograder.build.site.words import WORDS
from autograder.course.exercise import Exercise
from autograder.course.pictures import Picture
from autograder.course.reference import LessonSource, for_students, without_markers
from autograder.course.story import CellBlock, ExerciseBlock, FigureBlock, Prose
from lessons.toolkit.plots import INK

# Of a plot's text and axes, at a contrast of more than 7 on the page.
INK_BY_DAY, INK_BY_NIGHT = "#4f4f4f", "#bdbdbd"
_FOLD = re.compile(
    r"^<details>\s*<summary>(?P<title>.*?)</summary>\n(?P<body>.*?)^</details>$",
    re.MULTILINE | re.DOTALL,
)
_FIRST = "search:\n  boost: 2\n"  # of what a word is found in, lessons come before guides
_LINK = re.compile(r"(\]\()\.\./(l\d\d_\w+)/lesson(?:\.\w\w)?\.md")


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the page of each lesson, and its pictures in a folder of the same name."""
    files: dict[str, str | bytes | Path] = {}
    for lesson in course.lessons:
        files[f"lessons/{lesson.stem}.md"] = _page(lesson, course)
        for picture in lesson.pictures.values():
            for name, content in _in_schemes(picture).items():
                files[f"lessons/{lesson.stem}/{name}"] = content
    return files


def _page(lesson: SiteLesson, course: Course) -> str:
    words = WORDS[course.language]
    others = {les.entry.number: f"{les.stem}.md" for les in course.lessons if les != lesson}
    # After the last lesson the next page is no lesson.
    hidden = "hide: [footer]\n" if lesson is course.lessons[-1] else ""
    parts = [f"---\ntitle: {lesson.story.title}\n{hidden}{_FIRST}---\n"]
    shown = 0
    for block in lesson.story.blocks:
        if isinstance(block, Prose):
            parts.append(_folds(_links(linked(block.text, others))))
        elif isinstance(block, CellBlock):
            parts.append(_cell(block, words))
        elif isinstance(block, FigureBlock):
            picture = lesson.pictures[block.name]
            said = replace(block, caption=linked(block.caption, others))
            parts.append(figure(said, lesson.stem, picture, lazy=shown > 0))
            shown += 1
        elif isinstance(block, ExerciseBlock):
            exercise = lesson.record.exercise(block.name)
            parts.append(_exercise(lesson.source, exercise, words, course.solutions))
    text, mark, readings = "\n\n".join(parts).partition(f"\n{READINGS}\n")
    if mark:  # the page of papers has them all, and each page loads what can be searched
        text += f'{mark}\n<div data-search-exclude markdown="1">\n{readings}\n</div>\n'
    heading = re.search(r"^# .*\n", text, re.MULTILINE)
    end = heading.end() if heading else len(text)
    return f"{text[:end]}\n{_at_a_glance(lesson, words)}\n{text[end:]}\n"


def _links(text: str) -> str:
    """Turn links between stories into links between pages."""
    return _LINK.sub(r"\1\2.md", text)


def _folds(text: str) -> str:
    """Turn folded answers into Material's, which understand maths and code.

    >>> print(_folds("<details><summary>Why?</summary>\\n\\nHence.\\n\\n</details>"))
    ??? question "Why?"
    <BLANKLINE>
        Hence.
    """

    def box(fold: re.Match[str]) -> str:
        title = fold["title"].strip().replace('"', "&quot;")
        return f'??? question "{title}"\n\n{_indent(fold["body"].strip())}'

    return _FOLD.sub(box, text)


def _at_a_glance(lesson: SiteLesson, words: dict[str, str]) -> str:
    exercises = lesson.record.exercises
    points = _number(sum(exercise.points for exercise in exercises))
    return (
        f"{lesson.story.minutes} {words['minutes']} · {len(exercises)} {words['exercises']} · "
        f"{points} {words['points']}. "
        f"{words['complete']} `lessons/{lesson.stem}/exercises.py`, {words['or']} "
        f"`convlens notebook {lesson.stem}`{_search_words(lesson)}\n{{ .glance }}\n"
    )


def _search_words(lesson: SiteLesson) -> str:
    """Return the title as one may type it, where that is not how it is written.

    “Grad-CAM” is looked for as gradcam, “t-SNE” as tsne.
    """
    typed = re.sub(r"\W", "", lesson.story.title).lower()
    hyphened = "-" in lesson.story.title
    return f' <span hidden class="search-words">{typed}</span>' if hyphened else ""


def figure(block: FigureBlock, folder: str, picture: Picture, lazy: bool = False) -> str:
    """Return the Markdown of a picture with its size, its text and its caption.

    Args:
        block: which, and its words.
        folder: where the lesson's pictures lie, as seen from the page.
        picture: its file and size.
        lazy: let the browser load it when it comes into sight.
    """
    alt = block.alt.replace("[", "\\[").replace("]", "\\]")
    size = f"width={picture.width} height={picture.height}"
    loading = " loading=lazy" if lazy else ""
    schemes = [("", picture.path.name, "")]
    if picture.path.suffix == ".svg":  # one of the two is shown, and only that one is loaded
        schemes = [
            ("#only-light", picture.path.name, " data-gallery=light"),
            ("#only-dark", _dark(picture), " data-gallery=dark"),
        ]
        loading = " loading=lazy"
    image = "".join(
        f"![{alt}]({folder}/{name}{scheme}){{ {size}{loading}{gallery} }}"
        for scheme, name, gallery in schemes
    )
    caption = f'\n<figcaption markdown="span">{block.caption}</figcaption>' if block.caption else ""
    shown = f'<figure markdown="span">\n{image}{caption}\n</figure>'
    if not block.live:
        return shown
    return f'<div class="live" data-live="{block.live}" markdown="1">\n\n{shown}\n\n</div>'


def _dark(picture: Picture) -> str:
    return f"{picture.path.stem}.dark.svg"


def _in_schemes(picture: Picture) -> dict[str, str | Path]:
    """Return a picture's files by name: a plot has one for each colour scheme."""
    if picture.path.suffix != ".svg":
        return {picture.path.name: picture.path}
    drawing = picture.path.read_text(encoding="utf-8")
    return {
        picture.path.name: drawing.replace(INK, INK_BY_DAY),
        _dark(picture): drawing.replace(INK, INK_BY_NIGHT),
    }


def _cell(cell: CellBlock, words: dict[str, str]) -> str:
    parts = [f"````python\n{cell.code}\n````"]
    if cell.output:
        parts.append(f'````{{ .text .output title="{words["output"]}" }}\n{cell.output}\n````')
    return "\n\n".join(parts)


def _exercise(
    source: LessonSource, exercise: Exercise, words: dict[str, str], solutions: bool
) -> str:
    name = exercise.name
    facts = (
        f"{_number(exercise.points)} {words['point' if exercise.points == 1 else 'points']} · "
        f"{words['about']} {exercise.minutes} {words['minutes']} · "
        f"{words['difficulty'].format(exercise.difficulty)}"
    )
    folded = [
        f'??? question "{words["hint"]} {number}"\n\n{_indent(hint)}'
        for number, hint in enumerate(exercise.hints, 1)
    ]
    if solutions:
        text = without_markers(for_students(source.chunk(name))).strip()
        folded.append(f'??? success "{words["show"]}"\n\n{_indent(_code(text))}')
    parts = [
        '<div class="exercise" markdown="1">',
        f"### {words['exercise']} `{name}` {{ #{name} }}",
        f"{facts}\n{{ .exercise-facts }}",
        _code(source.stub(name).strip()),
        # Neither a search nor a print shall give away what a reader did not open.
        '<div class="folded" data-search-exclude markdown="1">',
        *folded,
        "</div>",
        f"{words['check']}\n{{ .exercise-check }}",
        f"````sh\nconvlens check {source.stem}.{name}\n````",
        "</div>",
    ]
    return "\n\n".join(parts)


def _code(text: str) -> str:
    return f"````python\n{text}\n````"


def _indent(text: str) -> str:
    return textwrap.indent(text, "    ")


def _number(value: float) -> str:
    return f"{value:g}"
