"""Join several files of one lesson into one, exercise by exercise."""

from __future__ import annotations

import ast
from collections.abc import Collection, Mapping
from pathlib import PurePosixPath

from autograder.course.student_file import UNTOUCHED, WORKED, Work, shape, standings


def joined(works: Mapping[PurePosixPath, Work], stem: str) -> tuple[str, list[str]]:
    """Return the text of a lesson, and notes on what was chosen.

    The file in which most is done counts, and of equals the first. From the others comes what is
    further there: work beats a stub.

    Args:
        works: the files, in the order in which they are preferred.
        stem: the lesson.
    """
    states = {path: standings(work.text, stem) for path, work in works.items()}

    def done(path: PurePosixPath) -> list[int]:
        ranks = sorted((state for state, _ in states[path].values()), reverse=True)
        return [ranks.count(WORKED), sum(ranks)]

    main = max(works, key=done)  # the first of equals
    text, notes = works[main].text, [_of_file(main, note) for note in works[main].notes]
    best = dict(states[main])
    for path, work in works.items():
        further = {
            name
            for name, (state, _) in states[path].items()
            if state > max(UNTOUCHED, best.get(name, (UNTOUCHED, ""))[0])
        }
        differing = [
            name
            for name, (state, code) in states[path].items()
            if state == WORKED and best.get(name, (WORKED, code)) != (WORKED, code)
            if name not in further
        ]
        if further:
            text += f"\n\n{_parts(work.text, further, set(states[path]), text)}"
            best |= {name: states[path][name] for name in further}
            notes.append(
                f"{_listed(further)} came from “{path.name}”, the rest from “{main.name}”."
            )
            notes += [_of_file(path, note) for note in work.notes]
        if differing:
            notes.append(
                f"{_listed(differing)} differs in “{path.name}” and “{main.name}”: "
                f"the latter was graded."
            )
    return text, list(dict.fromkeys(notes))


def _of_file(path: PurePosixPath, note: str) -> str:
    return f"“{path.name[-60:]}”: {note}"


def _listed(names: Collection[str]) -> str:
    return " and ".join(f"`{name}`" for name in sorted(names))


def _parts(text: str, wanted: Collection[str], exercises: Collection[str], there: str) -> str:
    """Return the statements that some exercises of a file need and `there` lacks."""
    known = {shape(node) for node in ast.parse(there).body}
    lines, kept = text.split("\n"), []
    for node in ast.parse(text).body:
        name = getattr(node, "name", "")
        if isinstance(node, ast.Expr) or (name in exercises and name not in wanted):
            continue
        if isinstance(node, ast.ImportFrom) and node.module == "__future__":
            continue
        if name in wanted or shape(node) not in known:
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", []))])
            kept += lines[first - 1 : node.end_lineno]
    return "\n".join(kept) + "\n"
