"""Generate what students open from one source: `exercises.py` and `lesson.ipynb`.

The source is `solutions/lNN_topic.py`, `lessons/lNN_topic/lesson.md` and the checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from autograder import checks
from autograder.build.drawing import Say, draw_lessons, drawing_problems
from autograder.build.inventory import name_problems
from autograder.build.notebook import (
    Notebook,
    is_untouched_notebook,
    notebook_bytes,
    notebook_version,
    source_notebook,
    student_notebook,
)
from autograder.build.stubs import (
    exercises_text,
    given_text,
    is_untouched,
    version,
)
from autograder.course.catalogue import landed_stems
from autograder.course.reference import (
    ROOT,
    SourceError,
    earlier_stems,
    read_lesson,
)
from autograder.course.story import figure_names, read_story, story_problems
from autograder.files import write_whole
from lessons.toolkit.errors import UserError, unknown


@dataclass(frozen=True)
class Product:
    """One generated file.

    Args:
        path: where it lies.
        data: what it should hold.
        stem: the lesson it belongs to.
    """

    path: Path
    data: bytes
    stem: str

    @property
    def name(self) -> str:
        """Path from the repository's root, with forward slashes."""
        return self.path.relative_to(ROOT).as_posix()


def run(
    stems: Iterable[str] | None = None,
    check: bool = False,
    draw: bool = False,
    say: Say = lambda line: None,
) -> list[str]:
    """Generate the students' files of the landed lessons.

    Args:
        stems: which lessons; all that have landed when None.
        check: write nothing, and say what is wrong or differs.
        draw: draw the lessons first whose pictures or outputs come from other sources.
        say: is told of each figure as it is drawn.

    Returns:
        One line for each difference (`check`), or for each file written or left alone because it
        holds a student's work; and for each lesson drawn, or drawn from other sources. Empty when
        everything is as it should be.

    Raises:
        UserError: an unknown lesson; without `check`, also a source that is not in order. Nothing
            is written then.
    """
    chosen = _chosen(stems)
    problems = [f"lessons/{stem}/lesson.md: {p}" for stem in chosen for p in lesson_problems(stem)]
    if problems and check:
        return problems
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise UserError(f"{problems[0]}{more}.", "`convlens build --check` lists all of it.")
    drawn = draw_lessons(chosen, say) if draw and not check else []
    report = _difference if check else _write
    lines = [line for product in products(chosen) if (line := report(product))]
    if check or not draw:
        drawn = [line for stem in chosen for line in drawing_problems(stem)]
    return [*drawn, *lines]


def lesson_problems(stem: str) -> list[str]:
    """Return what is wrong with the sources of a landed lesson, one line each."""
    try:
        source = read_lesson(stem)
    except (SourceError, SyntaxError) as error:
        return [f"solutions/{stem}.py: {error}"]
    if found := list(name_problems(checks.lesson(stem), source)):
        return found
    return story_problems(read_story(stem), source.exercises, figure_names(stem), landed_stems())


def products(stems: Iterable[str]) -> Iterator[Product]:
    """Yield the generated files of these lessons.

    With them come the given files of later lessons that they need.
    """
    there = landed_stems()
    given: set[str] = set()
    for stem in stems:
        folder = ROOT / "lessons" / stem
        source = read_lesson(stem)
        yield Product(folder / "exercises.py", exercises_text(source).encode(), stem)
        yield Product(folder / "lesson.ipynb", notebook_bytes(notebook(stem)), stem)
        given.update(s for s in earlier_stems(source.stubs()) if s not in there)
    for stem in sorted(given):
        path = ROOT / "lessons" / stem / "exercises.py"
        yield Product(path, given_text(read_lesson(stem)).encode(), stem)


def notebook(stem: str, solved: bool = False) -> Notebook:
    """Return the notebook of a landed lesson.

    Args:
        stem: the lesson.
        solved: return nbgrader's source version, with solutions.
    """
    make = source_notebook if solved else student_notebook
    return make(read_lesson(stem), read_story(stem), checks.lesson(stem))


def _chosen(stems: Iterable[str] | None) -> list[str]:
    there = landed_stems()
    chosen = there if stems is None else list(stems)
    for stem in chosen:
        if stem not in there:
            raise unknown("landed lesson", stem, there)
    return chosen


def _state(product: Product) -> str:
    """Compare a generated file with the one on disk.

    Returns:
        ``missing``, ``same``, ``begun`` (work on the newest version), ``work`` (on an older) or
        ``stale``.
    """
    if not product.path.exists():
        return "missing"
    data = product.path.read_bytes()
    if data == product.data:
        return "same"
    text = data.decode("utf-8", errors="replace")
    if product.path.suffix == ".ipynb":
        untouched, base = is_untouched_notebook(text), notebook_version(text)
        newest = notebook_version(product.data.decode())
    else:
        untouched, base = is_untouched(text), version(text)
        newest = version(product.data.decode())
    if untouched:
        return "stale"
    return "begun" if base == newest else "work"


def _difference(product: Product) -> str:
    state = _state(product)
    if state == "same":
        return ""
    says = {
        "missing": "is missing",
        "stale": "is not what its sources give: run `convlens build`",
        "begun": "has been edited by hand: its source is the solution and lesson.md",
        "work": "has been edited by hand, and its sources have changed since",
    }
    return f"{product.name} {says[state]}"


def _write(product: Product) -> str:
    state = _state(product)
    if state == "begun":
        return ""
    if state == "work":
        merge = f"`convlens update {product.stem}` merges the new version into it"
        return f"{product.name} left alone: it holds your work; {merge}"
    changed = write_whole(product.path, product.data)
    return f"{product.name} written" if changed else ""
