"""The page of a lesson, its story with exercises, figures and outputs."""

from __future__ import annotations

import html
import re
import textwrap
from dataclasses import replace
from pathlib import Path

from autograder.build.site.course import Course, SiteLesson
from autograder.build.site.figures import figure, figure_files
from autograder.build.site.links import linked
from autograder.build.site.pages.techniques import names
from autograder.build.site.words import WORDS
from autograder.course.exercise import Exercise
from autograder.course.reference import LessonSource, for_students, without_markers
from autograder.course.story import CellBlock, ExerciseBlock, FigureBlock, Prose

_FOLD = re.compile(
    r"^<details>\s*<summary>(?P<title>.*?)</summary>\n(?P<body>.*?)^</details>$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"(\]\()\.\./(l\d\d_\w+)/lesson(?:\.\w\w)?\.md")


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the page of each lesson, and its pictures in a folder of the same name."""
    files: dict[str, str | bytes | Path] = {}
    for lesson in course.lessons:
        files[f"lessons/{lesson.stem}.md"] = _page(lesson, course)
        for picture in lesson.pictures.values():
            files |= figure_files(lesson.stem, picture)
    return files


def _page(lesson: SiteLesson, course: Course) -> str:
    words = WORDS[course.language]
    others = {les.entry.number: f"{les.stem}.md" for les in course.lessons if les != lesson}
    # After the last lesson the next page is no lesson.
    hidden = "hide: [footer]\n" if lesson is course.lessons[-1] else ""
    parts = [f"---\ntitle: {lesson.story.title}\n{hidden}---\n"]
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
    text = "\n\n".join(parts)
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
        f"{points} {words['points']} · `lessons/{lesson.stem}/exercises.py`"
        f"{_search_words(lesson.story.title)}\n{{ .glance }}\n"
    )


def _search_words(name: str) -> str:
    """Return a name for the search alone, also as one may type it.

    “Grad-CAM” is looked for as gradcam, “t-SNE” as tsne.
    """
    typed = dict.fromkeys([name, re.sub(r"\W", "", name).lower()])
    return "".join(f" <sub hidden>{html.escape(word)}</sub>" for word in typed)


def _cell(cell: CellBlock, words: dict[str, str]) -> str:
    parts = [f"````python\n{cell.code}\n````"]
    if cell.output:
        settings = f'.text .output title="{words["output"]}" data-search-exclude=""'
        parts.append(f"````{{ {settings} }}\n{cell.output}\n````")
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
    known_as = [name.replace("_", " "), *names().get(f"{source.stem}.{name}", [])]
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
        f"{facts}{''.join(map(_search_words, known_as))}\n{{ .exercise-facts }}",
        # Prose says it better, and its heading has the name: code would fill the search.
        _code(source.stub(name).strip(), ' data-search-exclude=""'),
        # Neither a search nor a print shall give away what a reader did not open.
        # A <div> would do so only as far as the end of the first one inside it.
        '<section class="folded" data-search-exclude markdown="1">',
        *folded,
        "</section>",
        f"{words['check']}\n{{ .exercise-check }}",
        f"````sh\nconvlens check {source.stem}.{name}\n````",
        "</div>",
    ]
    return "\n\n".join(parts)


def _code(text: str, settings: str = "") -> str:
    return f"````{{ .python{settings} }}\n{text}\n````"


def _indent(text: str) -> str:
    return textwrap.indent(text, "    ")


def _number(value: float) -> str:
    return f"{value:g}"
