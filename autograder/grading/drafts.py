"""Draft mistakes for the course's author from what a class shares.

A draft holds a student's code, and what the course holds is run without a sandbox. So a draft lies
beside the results until a person has read it, its code is plain, and the sandbox has seen it give
the values that the class gave.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from autograder.build.inventory import IN_A_WORKER, MOST_OWN_MISTAKES
from autograder.checks import lesson
from autograder.course.mistakes import CHECKS, WordsError, entry, parse, with_entry
from autograder.course.reference import earlier_sources, read_lesson
from autograder.files import write_whole
from autograder.grading.class_run import LIMITS, open_sandbox
from autograder.grading.report.adjustments import NAME as ADJUSTMENTS
from autograder.grading.report.adjustments import adjusted, read_adjustments
from autograder.grading.report.results import LessonResult, rows
from autograder.grading.report.shared import SharedMistake, agreeing, shared_mistakes
from autograder.grading.run.examine import read_answer
from autograder.grading.run.journal import NAME as JOURNAL
from autograder.grading.run.journal import Journal, content_key, locked
from autograder.grading.sandbox.children import Sandbox
from autograder.grading.sandbox.probe import choose
from autograder.judge.expected import Expectation
from autograder.judge.fingerprint import Fingerprint, fingerprint
from autograder.judge.verdict import Verdict, judge
from lessons.toolkit.errors import UserError

FOLDER = "drafts"
# How many codes of a group are tried, the shortest first.
MOST_TRIED = 6
# Ways out of plain code; a reader's help and no wall, which is the sandbox.
_NOT_PLAIN = {"eval", "exec", "compile", "open", "globals", "locals", "vars", "getattr", "setattr"}
_NOT_PLAIN |= {"delattr", "input", "breakpoint", "print", "load", "save", "hub", "memmap", "system"}
_NOT_PLAIN |= {"fromfile", "tofile", "sys", "os", "io", "subprocess", "builtins", "importlib"}
_NOT_PLAIN |= {"modules", "ctypeslib", "loadtxt", "savetxt", "savez", "ops", "classes", "utils"}


@dataclass(frozen=True)
class Draft:
    """A mistake as the course's files of words hold it, but for its two sentences.

    Args:
        path: where it was written.
        words: the file that it is for.
        id: of the mistake.
        student: whose code it is.
        full: whether the exercise has as many own mistakes already as are read.
    """

    path: Path
    words: Path
    id: str
    student: str
    full: bool


def shared_in(out: Path) -> list[SharedMistake]:
    """Return the mistakes without a name in a folder of results.

    Raises:
        UserError: it holds none, or another grader is writing to it.
    """
    if not (out / JOURNAL).exists():
        raise UserError(
            f"There are no results in {out}.", "Name the folder that `convlens grade --out` wrote."
        )
    with locked(out), Journal(out / JOURNAL) as journal:
        results = [LessonResult.from_json(told) for _, told in journal.lessons().values()]
    table, _ = adjusted(rows(results), read_adjustments(out / ADJUSTMENTS))
    return shared_mistakes(table)


def draft(out: Path, shared: SharedMistake, id: str = "", isolation: str = "auto") -> Draft:
    """Write the draft of one mistake into the folder of results.

    Args:
        out: the folder.
        shared: the mistake.
        id: its name in the course; a mark of its own by default.
        isolation: as of `convlens grade`.

    Raises:
        UserError: the name is none or is taken, there is no sandbox, the draft is there already, or
            no student's code gives the same values when it stands alone.
    """
    stem, _, name = shared.id.partition(".")
    exercise = lesson(stem).exercise(name)
    words = CHECKS / stem / f"{name}.md"
    public = Expectation(stem, exercise)
    taken = {mistake.id for mistake in public.mistakes} | {w.id for w in exercise.words.accepted}
    if id and (not id.isidentifier() or id in taken):
        raise UserError(
            f"“{id}” cannot be the id of a new mistake of {shared.id}.",
            "Take letters, digits and underscores, and a name that is not there yet.",
        )
    wanted = Fingerprint(shared.form, shared.numbers)
    own = {mistake.id for mistake in exercise.words.mistakes}
    candidates = []
    for student, code in islice(_plain(shared), MOST_TRIED):
        called = id or f"unnamed_{content_key(code)[:6]}"
        path = out / FOLDER / f"{shared.id}.{called}.md"
        if path.exists():
            raise UserError(
                f"{path} is there already, perhaps with sentences in it; nothing was written.",
                "Go on from it, move it away, or give another name with --id.",
            )
        candidates.append((student, code, called, path))
    with open_sandbox(choose(isolation), LIMITS, [stem]) as sandbox:
        for student, code, called, path in candidates:
            text = entry(called, code)
            if not _loads(words, text):
                continue
            found, verdict = _tried(sandbox, public, code)
            if verdict.diagnosis in own:
                raise UserError(
                    f"The course has a name for what the code of {student} does by now: "
                    f"{verdict.diagnosis}.",
                    "Grade again: then class.html counts it.",
                )
            if found is not None and _agree(found, wanted, max(exercise.rtol, exercise.atol)):
                write_whole(path, f"{text}\n".encode())
                full = len(exercise.words.mistakes) >= MOST_OWN_MISTAKES
                return Draft(path, words, called, student, full)
    raise UserError(
        f"No student's code gives these values of {shared.id} when it stands alone in the "
        "reference's file, or none is plain enough to be put into the course.",
        "Look at class.html, and write the mistake in your own words of code.",
    )


def _plain(shared: SharedMistake) -> Iterator[tuple[str, str]]:
    """Yield student and code of each example that needs nothing but mathematics.

    The code is written anew from its tree: without comments, docstrings and odd characters.
    """
    for student, code in shared.examples:
        try:
            tree = ast.parse(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
        if not all(map(_is_plain, ast.walk(tree))):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
                node.body = node.body[1:] or [ast.Pass()]
        yield student, "\n\n\n".join(map(ast.unparse, tree.body))


def _is_plain(node: ast.AST) -> bool:
    match node:
        case ast.Import():
            return all(map(_is_known, (alias.name for alias in node.names)))
        case ast.ImportFrom():
            names = {alias.name for alias in node.names}
            return _is_known(node.module or "") and not _NOT_PLAIN & names
        case ast.Name():
            return node.id not in _NOT_PLAIN and not node.id.startswith("__")
        case ast.Attribute():
            return node.attr not in _NOT_PLAIN and not node.attr.startswith("_")
    return True


def _is_known(module: str) -> bool:
    return any(module == name or module.startswith(f"{name}.") for name in IN_A_WORKER)


def _loads(words: Path, text: str) -> bool:
    """Check whether the course reads a draft where an author will put it."""
    try:
        parse(with_entry(words.read_text(encoding="utf-8"), text), words.name)
    except WordsError:
        return False
    return True


def _tried(sandbox: Sandbox, public: Expectation, code: str) -> tuple[Fingerprint | None, Verdict]:
    """Return what the sandbox makes of the reference with this code in it."""
    exercise, stem = public.exercise, public.stem
    source = read_lesson(stem).replaced(exercise.name, code)
    earlier = earlier_sources(source, lambda other: read_lesson(other).bare())
    payload = public.payload(source, f"{stem}.py", earlier)
    answer = read_answer(sandbox.run(payload, exercise.deadline), len(public.cases))
    verdict = judge(public, answer)
    return fingerprint(public, answer, verdict), verdict


def _agree(one: Fingerprint, other: Fingerprint, tolerance: float) -> bool:
    """Check whether two answers agree, as those of a class do."""
    alike = one.form == other.form
    return alike and len(agreeing([one.numbers, other.numbers], tolerance)) == 1
