"""Turn lessons into pages for MkDocs Material, as Markdown text.

Nothing is written to disk.
"""

from __future__ import annotations

import html
import re
import textwrap

from autograder.course.exercise import Exercise, Lesson
from autograder.course.pictures import Picture
from autograder.course.reference import LessonSource, for_students, without_markers
from autograder.course.story import CellBlock, ExerciseBlock, FigureBlock, Prose, Story

_FOLD = re.compile(
    r"^<details>\s*<summary>(?P<title>.*?)</summary>\n(?P<body>.*?)^</details>$",
    re.MULTILINE | re.DOTALL,
)
_LINK = re.compile(r"(\]\()\.\./(l\d\d_\w+)/lesson(?:\.\w\w)?\.md")

# What the builder itself says on a page, by language.
WORDS = {
    "en": {
        "exercise": "Exercise",
        "point": "point",
        "points": "points",
        "minutes": "minutes",
        "about": "about",
        "difficulty": "difficulty {} of 3",
        "stub": "Stub",
        "solution": "Solution",
        "show": "Show the solution",
        "hint": "Hint",
        "check": "Check it:",
        "output": "Output",
        "complete": "Complete",
        "or": "or open the notebook:",
        "exercises": "exercises",
        "column": "Exercises",
        "instructors": "For instructors",
        "grading": "Grading",
        "platforms": "Platforms",
        "authors": "Write a lesson",
        "architecture": "Architecture",
        "home": "Home",
        "lesson": "Lesson",
        "lessons": "Lessons",
        "time": "Time",
        "none": "None has landed yet.",
        "intro": "Each lesson asks you to write the functions that it needs, and checks them.",
    }
}


def lesson_page(
    source: LessonSource,
    story: Story,
    record: Lesson,
    pictures: dict[str, Picture],
    language: str = "en",
) -> str:
    """Return the page of one lesson.

    Args:
        source: its reference solution.
        story: its text.
        record: its exercises.
        pictures: of its figures; they stand in a folder named as the lesson.
        language: of the words around the story.
    """
    words = WORDS[language]
    parts = [f"---\ntitle: {story.title}\n---"]
    shown = 0
    for block in story.blocks:
        if isinstance(block, Prose):
            parts.append(_folds(_links(block.text)))
        elif isinstance(block, CellBlock):
            parts.append(_cell(block, words))
        elif isinstance(block, FigureBlock):
            picture = pictures[block.name]
            parts.append(figure(block, source.stem, picture, lazy=shown > 0))
            shown += 1
        elif isinstance(block, ExerciseBlock):
            parts.append(_exercise(source, record.exercise(block.name), words))
    parts.insert(1, "")
    text = "\n\n".join(parts)
    heading = re.search(r"^# .*\n", text, re.MULTILINE)
    end = heading.end() if heading else len(text)
    return f"{text[:end]}\n{_at_a_glance(source.stem, story, record, words)}\n{text[end:]}\n"


def lesson_index(lessons: list[tuple[str, Story, Lesson]], language: str = "en") -> str:
    """Return the page that lists the landed lessons."""
    words = WORDS[language]
    title = words["lessons"]
    return f"# {title}\n\n{words['intro']}\n\n{lesson_table(lessons, language)}\n"


def lesson_table(
    lessons: list[tuple[str, Story, Lesson]], language: str = "en", folder: str = ""
) -> str:
    """Return a table of the landed lessons: number, title, exercises, minutes.

    Args:
        lessons: stem, story and exercises of each.
        language: of the headings.
        folder: put before each link.
    """
    words = WORDS[language]
    if not lessons:
        return words["none"]
    head = f"| | {words['lesson']} | {words['column']} | {words['time']} |\n|--:|---|---|--:|"
    rows = [
        f"| {int(stem[1:3])} | [{story.title}]({folder}{stem}.md) | "
        + ", ".join(f"`{exercise.name}`" for exercise in record.exercises)
        + f" | {story.minutes} min |"
        for stem, story, record in lessons
    ]
    return "\n".join([head, *rows])


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


def _at_a_glance(stem: str, story: Story, record: Lesson, words: dict[str, str]) -> str:
    points = _number(sum(exercise.points for exercise in record.exercises))
    count = f"{len(record.exercises)} {words['exercises']}"
    return (
        f"{story.minutes} {words['minutes']} · {count} · {points} {words['points']}. "
        f"{words['complete']} `lessons/{stem}/exercises.py`, {words['or']} "
        f"`convlens notebook {stem}`\n{{ .glance }}\n"
    )


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
    image = f"![{alt}]({folder}/{picture.path.name}){{ {size}{loading} }}"
    caption = f'\n<figcaption markdown="span">{block.caption}</figcaption>' if block.caption else ""
    return f'<figure markdown="span">\n{image}{caption}\n</figure>'


def _cell(cell: CellBlock, words: dict[str, str]) -> str:
    parts = [f"````python\n{cell.code}\n````"]
    if cell.output:
        parts.append(f'````{{ .text .output title="{words["output"]}" }}\n{cell.output}\n````')
    return "\n\n".join(parts)


def _exercise(source: LessonSource, exercise: Exercise, words: dict[str, str]) -> str:
    name = exercise.name
    solution = without_markers(for_students(source.chunk(name))).strip()
    shown = f'??? success "{words["show"]}"\n\n{_indent(_code(solution))}'
    facts = (
        f"{_number(exercise.points)} {words['point' if exercise.points == 1 else 'points']} · "
        f"{words['about']} {exercise.minutes} {words['minutes']} · "
        f"{words['difficulty'].format(exercise.difficulty)}"
    )
    hints = [
        f'??? question "{words["hint"]} {number}"\n\n{_indent(hint)}'
        for number, hint in enumerate(exercise.hints, 1)
    ]
    parts = [
        f'<div class="exercise" id="exercise-{name}" markdown="1">',
        f'<p class="exercise-title"><strong>{words["exercise"]} <code>{html.escape(name)}</code>'
        f"</strong> <span>{facts}</span></p>",
        f'=== "{words["stub"]}"\n\n{_indent(_code(source.stub(name).strip()))}',
        f'=== "{words["solution"]}"\n\n{_indent(shown)}',
        *hints,
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
