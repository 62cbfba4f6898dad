"""Make the files of a new lesson, which run and say in a line what goes there."""

from __future__ import annotations

import keyword
from collections.abc import Iterable, Sequence

from jinja2 import Environment, PackageLoader, StrictUndefined

from autograder.course.catalogue import LESSONS, CourseLesson, course_lesson
from autograder.course.reference import ROOT
from autograder.files import write_whole
from lessons.toolkit.errors import UserError, unknown

CATALOGUE = "autograder/course/catalogue.py"
# From the head of README's table of lessons on, each row begins with a number.
_README_HEAD = "|---|---|\n"


def scaffold(stem: str, exercises: Sequence[str] = ()) -> list[str]:
    """Write every file of a new lesson, and its row in the README.

    Args:
        stem: a lesson of the catalogue.
        exercises: names of its functions, in order; one called `example` when empty.

    Returns:
        Paths of what was written, as people write them.

    Raises:
        UserError: the catalogue has no such lesson, a name is no function's, or one of the files is
            there already. Nothing is written then.
    """
    lesson = _lesson(stem)
    names = tuple(exercises) or ("example",)
    _check_names(names)
    files = _files(lesson, names)
    there = [name for name in files if (ROOT / name).exists()]
    if there:
        more = f" (and {len(there) - 1} more)" if len(there) > 1 else ""
        raise UserError(
            f"{there[0]} is there already{more}; nothing was written.",
            "Go on from it, or move it away first.",
        )
    written = [name for name, text in files.items() if write_whole(ROOT / name, text.encode())]
    return [*written, *_readme_row(lesson)]


def _lesson(stem: str) -> CourseLesson:
    try:
        return course_lesson(stem)
    except KeyError:
        error = unknown("lesson in the catalogue", stem, [lesson.stem for lesson in LESSONS])
        place = f"The catalogue is `PARTS` in {CATALOGUE}; a new lesson goes there first."
        raise UserError(error.message, f"{error.next_step} {place}") from None


def _check_names(names: Iterable[str]) -> None:
    seen: set[str] = set()
    for name in names:
        if not name.isidentifier() or keyword.iskeyword(name) or name.startswith("_"):
            raise UserError(
                f"{name!r} cannot be the name of an exercise.",
                "Write it as a function's: letters, digits and underscores.",
            )
        if name in seen:
            raise UserError(f"The exercise {name!r} is named twice.", "Each needs its own name.")
        seen.add(name)


def _files(lesson: CourseLesson, names: Sequence[str]) -> dict[str, str]:
    """Return the text of every file by its path."""
    environment = Environment(
        loader=PackageLoader("autograder.build"),
        undefined=StrictUndefined,
        autoescape=False,  # Python and Markdown, not HTML
    )
    stem, title = lesson.stem, lesson.title
    about = {"stem": stem, "number": lesson.number, "title": title, "topic": title.lower()}

    def text(template: str, **more: str) -> str:
        made = environment.get_template(f"{template}.jinja").render(about, exercises=names, **more)
        return made.rstrip() + "\n"

    checks, tests = f"autograder/checks/{stem}", f"tests/lessons/{stem}"
    return {
        f"solutions/{stem}.py": text("solution.py"),
        f"{checks}/__init__.py": text("checks.py"),
        f"{checks}/cases.py": text("cases.py"),
        **{f"{checks}/{name}.md": text("words.md", name=name) for name in names},
        f"lessons/{stem}/lesson.md": text("lesson.md"),
        f"lessons/{stem}/figures.py": text("figures.py"),
        f"lessons/{stem}/tour.py": text("tour.py"),
        f"{tests}/test_{stem[:3]}_reference.py": text("test_reference.py"),
    }


def _readme_row(lesson: CourseLesson) -> list[str]:
    """Write the lesson's row into the README's table where it has none, in order."""
    path = ROOT / "README.md"
    text = path.read_text(encoding="utf-8")
    before, head, after = text.partition(_README_HEAD)
    rows, _, rest = after.partition("\n\n")
    lines = rows.splitlines()
    start = f"| {lesson.number:02} "
    if not head or any(line.startswith(start) for line in lines):
        return []
    row = f"{start}{lesson.title} | TODO: the question of {lesson.stem} |"
    table = "\n".join(sorted([*lines, row]))
    write_whole(path, f"{before}{head}{table}\n\n{rest}".encode())
    return [path.name]
