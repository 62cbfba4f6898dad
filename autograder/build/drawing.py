"""Draw the figures of lessons and run their cells, when a source has changed.

Pictures lie in `lessons/STEM/pictures/`, outputs stand in `lesson.md` below their cells. With them
lies a record of what they were made from: a digest of the code and data. Tables that a lesson
measures for others to read lie there too. Versions of packages are not in the record, nor are the
bytes of the pictures, so another matplotlib is no drift.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

from autograder.build.plain_code import without_words
from autograder.course.catalogue import topic
from autograder.course.pictures import RECORD, pictures, pictures_folder, read_record
from autograder.course.reference import ROOT, earlier_stems, read_lesson
from autograder.course.story import parse, renewed
from autograder.files import write_whole
from lessons.toolkit.errors import UserError

Say = Callable[[str], None]
_SUFFIXES = (".svg", ".png", ".webp", ".maps.json")


def drawing_problems(stem: str) -> list[str]:
    """Return a line where a lesson's pictures or outputs come from other sources."""
    record = read_record(stem)
    texts = _stories(stem)
    placed = {name for text in texts.values() for name in parse(text).figures}
    mend = f"`convlens build {topic(stem)} --draw`"
    if record.get("sources") != fingerprint(stem):
        return [f"lessons/{stem}: its pictures were drawn from other sources: run {mend}"]
    if missing := sorted(placed - pictures(stem).keys()):
        return [f"lessons/{stem}: {missing[0]} has not been drawn: run {mend}"]
    if lost := [name for name in record.get("tables", []) if not _is_there(stem, name)]:
        return [f"lessons/{stem}: {lost[0]} has not been measured: run {mend}"]
    cells = {name: _cells_digest(text) for name, text in texts.items()}
    if record["cells"] != cells or record["figures"].keys() != placed or not _linked(stem, texts):
        return [f"lessons/{stem}: a cell, an output or a picture's link has changed: run {mend}"]
    return []


def _is_there(stem: str, name: str) -> bool:
    return (pictures_folder(stem) / name).is_file()


def _linked(stem: str, texts: dict[str, str]) -> bool:
    """Return whether stories link to the pictures' files, whatever their endings are."""
    files = {name: picture.path.name for name, picture in pictures(stem).items()}
    for text in texts.values():
        outputs = [cell.output for cell in parse(text).cell_blocks]
        if renewed(text, files, outputs) != text:
            return False
    return True


def draw_lessons(stems: Iterable[str], say: Say = lambda line: None) -> list[str]:
    """Draw the lessons whose sources have changed, side by side.

    Args:
        stems: the lessons to look at.
        say: is told of each figure and of the cells as they are done.

    Returns:
        A line for each lesson that was drawn.

    Raises:
        UserError: a figure or a cell fails. What was there before is left as it was.
    """
    stale = [stem for stem in stems if drawing_problems(stem)]
    with ThreadPoolExecutor(max(1, min(os.cpu_count() or 1, len(stale)))) as pool:
        return list(pool.map(lambda stem: _draw(stem, say), stale))


def _draw(stem: str, say: Say) -> str:
    record, sources, texts = read_record(stem), fingerprint(stem), _stories(stem)
    stories = {name: parse(text) for name, text in texts.items()}
    figures = sorted({name for story in stories.values() for name in story.figures})
    same = record.get("sources") == sources
    # Where no source has changed, what is there is kept: a story is edited more than its figures.
    kept = {name: record["figures"][name] for name in figures if same and name in pictures(stem)}
    ran = record["cells"] if same else {}
    missing = [name for name in figures if name not in kept]
    stale = {
        name: list(story.cells)
        for name, story in stories.items()
        if ran.get(name) != _cells_digest(texts[name])
    }
    folder = pictures_folder(stem)
    with tempfile.TemporaryDirectory() as made:
        measured = record.get("tables", [])
        again = not same or not all(_is_there(stem, name) for name in measured)
        request = {"figures": missing, "cells": stale, "tables": again}
        result = render(stem, Path(made), request, say)
        for file in [*_files(result["figures"]), *result["tables"]]:
            write_whole(folder / file, (Path(made) / file).read_bytes())
    drawn = kept | result["figures"]
    files = {name: data["file"] for name, data in drawn.items()}
    for name, story in stories.items():
        outputs = result["cells"].get(name, [cell.output for cell in story.cell_blocks])
        texts[name] = renewed(texts[name], files, outputs)
        write_whole(ROOT / "lessons" / stem / name, texts[name].encode())
    cells = {name: _cells_digest(text) for name, text in texts.items()}
    made_from = {"sources": sources, "cells": cells, "figures": dict(sorted(drawn.items()))}
    if tables := result["tables"] if again else measured:
        made_from["tables"] = tables
    write_whole(folder / RECORD, (json.dumps(made_from, indent=1) + "\n").encode())
    for path in folder.iterdir():
        if path.name.endswith(_SUFFIXES) and path.name not in _files(drawn):
            path.unlink()
    size = sum((folder / file).stat().st_size for file in files.values()) / 1000
    return (
        f"lessons/{stem}: {len(missing)} of {len(files)} figures drawn ({size:.0f} kB in all), "
        f"{sum(len(cells) for cells in stale.values())} cells run"
    )


def _files(figures: dict[str, Any]) -> list[str]:
    return [data[kind] for data in figures.values() for kind in ("file", "maps") if kind in data]


def render(
    stem: str, folder: Path, request: dict[str, Any], say: Say = lambda line: None
) -> dict[str, Any]:
    """Draw figures and run cells in a process of its own.

    It sees the sources as they are now, and nothing of a lesson stays behind in this one.

    Args:
        stem: the lesson.
        folder: where the pictures go.
        request: ``figures``, their names, ``cells``, lists of code by story, and ``tables``,
            whether to measure them.
        say: is told of each part as it is done.

    Returns:
        ``figures``, what `render_figure` returns, by name; ``cells``, what each printed;
        ``tables``, files.

    Raises:
        UserError: a figure or a cell fails.
    """
    # Lessons are drawn side by side, so each keeps to one thread.
    settings = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "autograder.build.render", stem, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            cwd=ROOT,
            env={**os.environ, **settings},
        )
        with process:
            assert process.stdin and process.stdout
            process.stdin.write(json.dumps(request))
            process.stdin.close()
            for line in process.stdout:
                say(f"{stem}: {line.strip()}")
        if process.returncode:
            errors.seek(0)
            lines = errors.read().strip().splitlines() or [f"exit code {process.returncode}"]
            raise UserError(lines[-1], "Mend lesson.md, figures.py or the solution, then draw.")
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result


def fingerprint(stem: str) -> str:
    """Return a digest that changes with any code or data that a lesson is drawn from.

    That is the toolkit, the lesson's `figures.py` and other data, and every reference that these
    need. Comments, docstrings and Markdown draw nothing.
    """
    folder = ROOT / "lessons" / stem
    own = sorted(path for path in folder.glob("*") if _draws(path))
    stems = [stem]
    for path in own:
        if path.suffix == ".py":
            stems += _course_stems(path.read_text(encoding="utf-8"))
    paths = toolkit_sources() + own
    paths += [ROOT / "solutions" / f"{needed}.py" for needed in sorted(_with_earlier(stems))]
    return digest(paths)


def toolkit_sources() -> list[Path]:
    """Return the code and data of the toolkit."""
    return [path for path in sorted((ROOT / "lessons" / "toolkit").rglob("*")) if _draws(path)]


def digest(paths: Iterable[Path]) -> str:
    """Return a digest of files and of their names, blind to comments and docstrings."""
    found = hashlib.sha256()
    for path in paths:
        name = path.relative_to(ROOT).as_posix()
        found.update(name.encode() + _file_digest(path, path.stat().st_mtime_ns))
    return found.hexdigest()[:16]


def _draws(path: Path) -> bool:
    """Return False for what is made, for the story and other prose, and for the tour."""
    made = path.name in {"lesson.ipynb", "exercises.py", "tour.py"} or path.suffix == ".pyc"
    return path.is_file() and not made and path.suffix != ".md" and path.name[0] != "."


def _stories(stem: str) -> dict[str, str]:
    """Return the texts of a lesson's story by file, one a language."""
    paths = sorted((ROOT / "lessons" / stem).glob("lesson*.md"))
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def _cells_digest(text: str) -> str:
    cells = [[cell.code, cell.output] for cell in parse(text).cell_blocks]
    return hashlib.sha256(json.dumps(cells).encode()).hexdigest()[:16]


def _course_stems(text: str) -> list[str]:
    known = {path.stem for path in (ROOT / "solutions").glob("l[0-9][0-9]_*.py")}
    return [stem for stem in known if f"course.{stem}" in text]


def _with_earlier(stems: Sequence[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(stems)
    while waiting:
        stem = waiting.pop()
        if stem not in found:
            found.add(stem)
            waiting += earlier_stems(read_lesson(stem).stubs())
    return found


@cache
def _file_digest(path: Path, changed: int) -> bytes:
    # Git may write other line ends on Windows.
    data = path.read_bytes().replace(b"\r\n", b"\n")
    if path.suffix == ".py":
        data = without_words(data.decode()).encode()
    return hashlib.sha256(data).digest()
