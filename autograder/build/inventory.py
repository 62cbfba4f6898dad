"""Check that a lesson is complete, without running an exercise.

This is the first half of the audit. The rules are those that an author would otherwise learn by
breaking them. Each problem is one sentence that says what is missing and where.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from torch import Tensor

from autograder.course.catalogue import LESSONS
from autograder.course.exercise import Case, Exercise, Lesson
from autograder.course.mistakes import shared_words, words
from autograder.course.reference import ROOT, LessonSource
from autograder.course.story import figure_names, read_story, story_path, story_problems
from autograder.judge.seeds import PUBLIC_SEED, secret_generator
from autograder.protocol.wire import ModelSpec

HINTS = 3
HARDEST = 3
# What `convlens new` leaves wherever an author has something to write.
TO_DO = re.compile(r'TODO: ([^"\]]+)')
MOST_OWN_MISTAKES = 12
# What a sandboxed worker has, and a reference may therefore import.
IN_A_WORKER = {
    *("__future__", "collections", "contextlib", "copy", "dataclasses", "enum", "functools"),
    *("itertools", "math", "operator", "random", "types", "typing", "warnings"),
    *("torch", "numpy", "lessons.toolkit", "solutions"),
}
LONGEST_SUMMARY = 80

# What a rung of the ladder looks at -> what a docstring of the exercise or of its module must say.
TOLD: dict[str, re.Pattern[str]] = {
    "detached": re.compile(r"\bdetached\b", re.IGNORECASE),
    "dtype": re.compile(r"\bdtype\b"),
    "caller's tensors": re.compile(r"caller's\s+tensors"),
    "`.grad`": re.compile(r"`\.grad`|``\.grad``"),
}


def lesson_inventory(record: Lesson, source: LessonSource) -> Iterator[str]:
    """Yield what is missing in a lesson, or there without a place.

    Args:
        record: its checks.
        source: its reference.
    """
    stem = record.stem
    yield from name_problems(record, source)
    yield from _imports(stem, source)
    for exercise in record.exercises:
        yield from _words(exercise)
        if exercise.name in source.exercises:
            yield from _docstrings(exercise, source)
    yield from _lesson_files(stem, source)
    yield from to_do(_texts(stem))
    yield from (line for line in to_do([ROOT / "README.md"]) if stem in line)


def to_do(paths: Iterable[Path]) -> Iterator[str]:
    """Yield a sentence for each line that `convlens new` left to an author."""
    for path in paths:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for what in TO_DO.findall(line):
                place = f"{path.relative_to(ROOT).as_posix()}:{number}"
                yield f"{place} lacks {what.rstrip(' .|')}"


def _texts(stem: str) -> list[Path]:
    """Return every file of a lesson that a person writes."""
    checks, lesson = ROOT / "autograder" / "checks" / stem, ROOT / "lessons" / stem
    return [
        ROOT / "solutions" / f"{stem}.py",
        *sorted(checks.glob("*.py")),
        *sorted(checks.glob("*.md")),
        *sorted(lesson.glob("*.md")),
        *(path for path in sorted(lesson.glob("*.py")) if path.name != "exercises.py"),
        *sorted((ROOT / "tests" / "lessons" / stem).glob("*.py")),
    ]


def name_problems(record: Lesson, source: LessonSource) -> Iterator[str]:
    """Yield what stands in the checks and not in the reference, or the reverse."""
    stem = record.stem
    names = tuple(exercise.name for exercise in record.exercises)
    for name in source.exercises:
        if name not in names:
            yield f"{stem}.{name} has a solution and no check"
    for name in names:
        if name not in source.exercises:
            yield f"{stem}.{name} has a check and no solution"
    order = tuple(name for name in source.exercises if name in names)
    if order != tuple(name for name in names if name in source.exercises):
        yield f"{stem}: checks and solutions are in different orders"
    for exercise in record.exercises:
        if exercise.stem != stem:
            yield f"{stem}.{exercise.name} is declared as an exercise of {exercise.stem}"


def _words(exercise: Exercise) -> Iterator[str]:
    """Yield what is wrong with the words of one exercise."""
    told, where = exercise.words, f"{exercise.stem}.{exercise.name}"
    if len(told.hints) != HINTS or not all(told.hints):
        yield f"{where} does not have {HINTS} hints"
    if told.minutes <= 0:
        yield f"{where} has no minutes"
    if not 1 <= told.difficulty <= HARDEST:
        yield f"{where} does not say its difficulty, 1 to {HARDEST}"
    if len(told.mistakes) > MOST_OWN_MISTAKES:
        count = len(told.mistakes)
        yield f"{where} has {count} mistakes of its own; at most {MOST_OWN_MISTAKES} are read"
    ids = [wrong.id for wrong in (*told.mistakes, *told.accepted)]
    for twice in sorted({name for name in ids if ids.count(name) > 1}):
        yield f"{where} has two versions called {twice}"
    shared = shared_words()
    for wrong in told.mistakes:
        if wrong.id in shared and wrong.says != shared[wrong.id].says:
            yield f"{where}: {wrong.id} is shared by all exercises and has words of its own here"
        if not (wrong.edits or wrong.body or wrong.after):
            yield f"{where}: {wrong.id} has no code"


def _imports(stem: str, source: LessonSource) -> Iterator[str]:
    """Yield what a reference imports that a worker does not have."""
    for module, line in _imported(ast.parse(source.text)):
        known = any(module == name or module.startswith(f"{name}.") for name in IN_A_WORKER)
        if not known:
            yield f"solutions/{stem}.py:{line} imports {module}, which no worker has"
        elif module == "solutions":
            yield f"solutions/{stem}.py:{line}: write `from solutions.lNN_topic import ...`"
        elif module.startswith("lessons.toolkit."):
            yield from _toolkit_imports(stem, module)


def _toolkit_imports(stem: str, module: str) -> Iterator[str]:
    """Yield what a toolkit module imports at its top level and no worker has."""
    path = ROOT / (module.replace(".", "/") + ".py")
    top = ast.Module(
        [n for n in ast.parse(path.read_text(encoding="utf-8")).body if _is_import(n)], []
    )
    for imported, _ in _imported(top):
        if imported.split(".")[0] in ("sklearn", "skimage", "scipy", "PIL", "matplotlib"):
            yield f"solutions/{stem}.py imports {module}, which imports {imported} at its top level"


def _is_import(node: ast.stmt) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "lessons.toolkit":
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or "", node.lineno


def _docstrings(exercise: Exercise, source: LessonSource) -> Iterator[str]:
    """Yield the faults of an exercise's docstring.

    Its summary must be one clause, and it must say what the cases test.
    """
    where = f"{exercise.stem}.{exercise.name}"
    module = ast.get_docstring(ast.parse(source.text)) or ""
    (node,) = ast.parse(source.chunk(exercise.name)).body
    assert isinstance(node, ast.FunctionDef | ast.ClassDef)
    own = ast.get_docstring(node) or ""
    summary = own.partition("\n")[0]
    if len(summary) >= LONGEST_SUMMARY:
        yield f"{where}: the summary of its docstring has {len(summary)} characters"
    if re.match(r"(The|A|An|What|How|Which|Where)\b", summary):
        yield f"{where}: its docstring begins with {summary.split()[0]!r}; begin with the verb"
    cases = exercise.inputs(secret_generator(PUBLIC_SEED, where))
    for what in _tested(cases):
        if not TOLD[what].search(own) and not TOLD[what].search(module):
            yield f"{where}: cases test that results keep to “{what}”, and no docstring says so"


def _tested(cases: dict[str, Case]) -> set[str]:
    """Return the promises that these cases test."""
    found = {"detached"}
    values = [value for case in cases.values() for value in case.inputs.values()]
    floats = {v.dtype for v in values if isinstance(v, Tensor) and v.is_floating_point()}
    if floats:
        found.add("caller's tensors")
    if len(floats) > 1:
        found.add("dtype")
    if any(isinstance(value, ModelSpec) for value in values):
        found.add("`.grad`")
    return found


def _lesson_files(stem: str, source: LessonSource) -> Iterator[str]:
    """Yield what is missing beside the checks.

    That is story, figures, tour, title and README row.
    """
    folder = ROOT / "lessons" / stem
    entry = next((lesson for lesson in LESSONS if lesson.stem == stem), None)
    if entry is None:
        yield f"{stem} is not in the catalogue, autograder/course/catalogue.py"
        return
    if not story_path(stem).exists():
        yield f"lessons/{stem}/lesson.md is missing"
        return
    landed = [lesson.stem for lesson in LESSONS if lesson.landed]
    problems = story_problems(read_story(stem), source.exercises, figure_names(stem), landed)
    yield from (f"lessons/{stem}/lesson.md: {problem}" for problem in problems)
    alone = sum(words(stem, name).minutes for name in source.exercises)
    if entry.minutes < alone:
        yield f"lessons/{stem}/lesson.md says {entry.minutes} minutes; its exercises take {alone}"
    if not figure_names(stem):
        yield f"lessons/{stem}/figures.py draws nothing"
    if not (folder / "tour.py").exists():
        yield f"lessons/{stem}/tour.py is missing: the lesson is not in the tour"
    tests = ROOT / "tests" / "lessons"
    if tests.exists() and not list((tests / stem).glob("test_*_reference.py")):
        yield f"tests/lessons/{stem}/ has no test of the reference"
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    if f"| {entry.number:02} {entry.title} |" not in readme:
        yield f"README.md has no row “| {entry.number:02} {entry.title} | ...”"
