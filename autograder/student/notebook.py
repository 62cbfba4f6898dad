"""Functions for notebooks: `check`, `hint`, `solution` and `show`.

All but `show` take the exercise itself. `check(saliency_map)` asks the same child process as the
command and gives the same verdict.

It writes nothing to standard error, since nbgrader gives no points to a cell that does. A check
that does not pass raises `CheckFailed`, an AssertionError, as nbgrader's own tests do.
"""

from __future__ import annotations

import ast
import atexit
import html
import inspect
import io
import linecache
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autograder.course.catalogue import find_lesson, landed_stems, topic
from autograder.course.figures import Course, draw, waits_for
from autograder.course.mistakes import words
from autograder.course.pictures import Picture, pictures
from autograder.course.reference import read_lesson, without_markers
from autograder.course.story import figure_names
from autograder.course.student_file import definitions, join_cells
from autograder.student.check import (
    Check,
    Checked,
    Checker,
    LessonFile,
    in_background,
    reasons,
)
from autograder.student.in_kernel import lend_in_kernel
from autograder.student.pictures import picture
from autograder.student.progress import Progress, remember
from autograder.student.working_copy import WorkingCopy, is_stub
from lessons.toolkit.errors import UserError, unknown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CheckFailed", "check", "hint", "show", "solution"]


class CheckFailed(AssertionError):
    """An exercise that does not pass.

    The message is the sentence that says why.
    """

    def _render_traceback_(self) -> list[str]:
        """Return what a notebook shows in place of a traceback through our code."""
        return [str(self)]


_CHECKER: Checker | None = None


def check(exercise: Callable[..., Any] | type) -> None:
    """Check one exercise of this notebook.

    Args:
        exercise: the function or class as you have just defined it.

    Raises:
        CheckFailed: it does not pass, or is no exercise of the course; the message says why.
    """
    try:
        checked = _checked(exercise)
    except UserError as error:
        raise CheckFailed(str(error)) from None
    if checked.verdict.outcome != "passed":
        _show_picture(checked)
        raise CheckFailed(_words(checked))
    _show_passed(checked)


def hint(exercise: Callable[..., Any] | type) -> None:
    """Print the next hint for an exercise.

    There are three, from a question to nearly the code.

    Args:
        exercise: the function or class of this notebook.

    Raises:
        CheckFailed: it is no exercise of the course.
    """
    stem = _known_stem(exercise)
    hints = words(stem, exercise.__name__).hints
    progress = Progress(WorkingCopy.find().state)
    number = progress.next_hint(f"{stem}.{exercise.__name__}", len(hints))
    _save(progress)
    print(f"Hint {number + 1} of {len(hints)}: {hints[number]}")


def solution(exercise: Callable[..., Any] | type, give_up: bool = False) -> None:
    """Print the reference solution of an exercise that has passed.

    Args:
        exercise: the function or class of this notebook.
        give_up: print it even though yours has not passed yet.

    Raises:
        CheckFailed: it has not passed yet, or is no exercise of the course.
    """
    stem, name = _known_stem(exercise), exercise.__name__
    progress = Progress(WorkingCopy.find().state)
    if not give_up and not progress.of(f"{stem}.{name}").get("ever_passed"):
        raise CheckFailed(
            f"{name} has not passed yet. hint({name}) helps; "
            f"solution({name}, give_up=True) shows it anyway."
        )
    print(without_markers(read_lesson(stem).chunk(name)).rstrip("\n"))


def show(figure: str) -> Figure | None:
    """Draw a figure of a lesson with the functions of this notebook.

    Where one of them is not written yet, the reference's picture stands in.

    Args:
        figure: lesson and name, such as ``"l11_saliency.name"``.

    Returns:
        The figure; None where the reference's picture is shown.

    Raises:
        CheckFailed: there is no such figure; the message names the nearest.
    """
    stem, name = _figure(figure)
    mine = {key: value for key, value in _namespace().items() if key[:1] != "_"}
    try:
        return draw(stem, name, Course("lessons.{stem}.exercises", {stem: mine}))
    except (NotImplementedError, AttributeError) as error:
        if not (waiting := waits_for(error)):
            raise
        print(f"Drawn by the reference. Write {waiting} and run this cell again to see yours.")
        if (there := pictures(stem).get(name)) is not None:
            _display(_reference_picture(there), there)
        return None


def _figure(given: Any) -> tuple[str, str]:
    """Return stem and name of a figure."""
    if not isinstance(given, str):
        raise CheckFailed(
            'Give lesson and figure as one word, such as show("saliency.cat_and_map"). '
            "A function is tried with check(...)."
        )
    lesson, _, name = given.rpartition(".")
    known = [f"{topic(stem)}.{figure}" for stem in landed_stems() for figure in figure_names(stem)]
    try:
        stem = find_lesson(lesson)
        if name in figure_names(stem):
            return stem, name
        raise unknown("figure", name, figure_names(stem))
    except UserError as error:
        problem = error if lesson else unknown("figure", given, known)
        raise CheckFailed(str(problem)) from None


def _reference_picture(there: Picture) -> dict[str, Any]:
    words = f"the reference's picture: {there.path}"
    if there.path.suffix == ".svg":
        return {"text/plain": words, "image/svg+xml": there.path.read_text(encoding="utf-8")}
    from PIL import Image

    buffer = io.BytesIO()  # not every editor for notebooks knows WebP
    Image.open(there.path).save(buffer, "png")
    return {"text/plain": words, "image/png": buffer.getvalue()}


def _known_stem(exercise: Any) -> str:
    try:
        return _stem_of(exercise)
    except UserError as error:
        raise CheckFailed(str(error)) from None


def _save(progress: Progress) -> None:
    try:
        progress.save()
    except UserError as error:
        print(f"Progress is not saved: {error.message}")


def _checked(exercise: Any) -> Checked:
    stem = _stem_of(exercise)
    copy = WorkingCopy.find()
    path = copy.exercises(stem)
    if _is_lent(stem, exercise) and path.exists():
        source, filename = copy.source(stem, path), copy.shown(path)
    else:
        source, filename = _source(stem, exercise), f"{stem}.ipynb"
    file = LessonFile(stem, source, filename, copy.earlier(source))
    run = Check(_checker(), file, (exercise.__name__,))
    try:
        (checked,) = in_background(run.__iter__)
    finally:
        run.cancel()
    _checker().prepare()
    if Path.cwd().is_relative_to(copy.root):  # else it is a grader's folder, with no progress
        remember(copy.state, [checked.verdict])
    return checked


def _checker() -> Checker:
    global _CHECKER
    if _CHECKER is None:
        _CHECKER = Checker()
        atexit.register(_CHECKER.close)
    return _CHECKER


def _stem_of(exercise: Any) -> str:
    """Return the stem of the lesson that has an exercise of this name.

    Where several have one, it is the lesson of which the notebook defines the most exercises.
    """
    name = getattr(exercise, "__name__", None)
    if not isinstance(name, str):
        raise UserError(
            f"Give the function or class itself, not {type(exercise).__name__}.",
            "Write check(saliency_map), without quotes and without calling it.",
        )
    stems = [stem for stem in landed_stems() if name in read_lesson(stem).exercises]
    if not stems:
        known = [name for stem in landed_stems() for name in read_lesson(stem).exercises]
        raise unknown("exercise", name, known)
    there = _namespace()
    return max(stems, key=lambda stem: len(there.keys() & set(read_lesson(stem).exercises)))


def _source(stem: str, exercise: Any) -> str:
    """Return the lesson as a file, built of the cells that define its exercises.

    The given code stands around them. Where `exercises.py` lends the others, the cells come after
    its text.
    """
    there = {**_namespace(), exercise.__name__: exercise}
    cells = {}
    for name in read_lesson(stem).exercises:
        thing = there.get(name)
        if thing is not None and not _is_lent(stem, thing) and (text := _cell_of(name, thing)):
            cells[name] = definitions(text)
    if exercise.__name__ not in cells:
        raise UserError(
            f"The source of {exercise.__name__} cannot be found.",
            "Run the cell that defines it once more, then this one.",
        )
    if any(_is_lent(stem, there.get(name)) for name in read_lesson(stem).exercises):
        copy = WorkingCopy.find()
        return "\n\n".join([copy.source(stem, copy.exercises(stem)), *cells.values()])
    return join_cells(cells, read_lesson(stem))


def _is_lent(stem: str, thing: Any) -> bool:
    """Return True for a function of the lesson's `exercises.py`."""
    return getattr(thing, "__module__", "") == f"lessons.{stem}.exercises"


def _namespace() -> dict[str, Any]:
    return vars(sys.modules["__main__"])


def _cell_of(name: str, thing: Any) -> str:
    """Return the whole cell, or file, that defines a function or class.

    If it is not to be found, return "". `inspect` finds no class of a notebook, so a class is
    looked up by the code of its methods.
    """
    thing = inspect.unwrap(thing) if callable(thing) else thing
    parts = [thing, *vars(thing).values()] if isinstance(thing, type) else [thing]
    codes = [inspect.unwrap(part).__code__ for part in parts if inspect.isfunction(part)]
    for code in codes:
        text = "".join(linecache.getlines(code.co_filename))
        if _defines(text, name):
            return text
    return next((cell for cell in reversed(_history()) if _defines(cell, name)), "")


def _history() -> list[str]:
    """Return the cells run so far, or [] outside IPython."""
    cells = _namespace().get("In")
    return [str(cell) for cell in cells] if isinstance(cells, list) else []


def _defines(text: str, name: str) -> bool:
    try:
        body = ast.parse(text).body
    except SyntaxError:
        return False
    return any(getattr(node, "name", None) == name for node in body)


def _words(checked: Checked) -> str:
    name = checked.verdict.exercise.partition(".")[2]
    return f"{reasons(checked)}\nStuck? hint({name}) asks a question first."


def _show_passed(checked: Checked) -> None:
    verdict = checked.verdict
    text = f"✓ {verdict.exercise} passes: {verdict.points:g} of {verdict.max_points:g} points."
    _display({"text/plain": text, "text/html": f"<strong>{html.escape(text)}</strong>"})


def _show_picture(checked: Checked) -> None:
    if (data := picture(checked)) is not None:
        _display({"text/plain": "yours, expected and their difference", "image/png": data})


def _display(bundle: dict[str, Any], size: Picture | None = None) -> None:
    """Show something below the cell, or print its words outside a notebook."""
    sized = {"width": size.width, "height": size.height} if size else {}
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        print(bundle["text/plain"])
        return
    if get_ipython() is None:
        print(bundle["text/plain"])
    else:
        display(bundle, raw=True, metadata={"image/png": sized} if sized else None)


def _is_stub(name: str, thing: Any) -> bool:
    return is_stub(_cell_of(name, thing), _stem_of(thing), name)


lend_in_kernel(_is_stub)
