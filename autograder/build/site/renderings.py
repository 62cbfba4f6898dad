"""Keep figures and cell outputs of the lessons, made again when a source changes."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from autograder.course.reference import ROOT, earlier_stems, read_lesson
from autograder.course.story import read_story
from autograder.files import write_whole
from lessons.toolkit.errors import UserError

CACHE = ROOT / ".cache" / "site"
_NOT_DRAWN_FROM = {"lesson.ipynb", "exercises.py", "tour.py"}


@dataclass(frozen=True)
class Picture:
    """A rendered figure's file, and its size in CSS pixels."""

    path: Path
    width: int
    height: int


@dataclass(frozen=True)
class Rendering:
    """Pictures and cell outputs of one lesson, made with the reference."""

    pictures: dict[str, Picture]
    outputs: tuple[str, ...]


def renderings(stems: Iterable[str], language: str = "en") -> dict[str, Rendering]:
    """Render lessons in parallel, except those whose sources did not change.

    Raises:
        UserError: a figure or a cell fails.
    """
    chosen = list(stems)
    workers = max(1, min(os.cpu_count() or 1, len(chosen)))
    with ThreadPoolExecutor(workers) as pool:
        made = pool.map(lambda stem: rendering(stem, language), chosen)
        return dict(zip(chosen, made, strict=True))


def rendering(stem: str, language: str = "en") -> Rendering:
    """Render one lesson, or take it from the cache.

    Raises:
        UserError: a figure or a cell fails.
    """
    story = read_story(stem, language)
    folder = CACHE / stem if language == "en" else CACHE / f"{stem}.{language}"
    wanted = {"figures": sorted(set(story.figures)), "cells": list(story.cells)}
    base = _fingerprint(stem)
    keys = {
        kind: hashlib.sha256((base + json.dumps(parts)).encode()).hexdigest()
        for kind, parts in wanted.items()
    }
    stale = {kind: parts for kind, parts in wanted.items() if _kept(folder, kind)[0] != keys[kind]}
    if stale:
        for kind in stale:  # a run that fails half-way must not pass for a whole one
            (folder / f"{kind}.json").unlink(missing_ok=True)
        result = _run(stem, folder, stale)
        for kind in stale:
            made = json.dumps([keys[kind], result[kind]])
            write_whole(folder / f"{kind}.json", made.encode())
    pictures = {
        name: Picture(folder / data["file"], data["width"], data["height"])
        for name, data in _kept(folder, "figures")[1].items()
    }
    return Rendering(pictures, tuple(_kept(folder, "cells")[1]))


def _kept(folder: Path, kind: str) -> tuple[str, Any]:
    """Return key and content of the last rendering, or `("", None)`."""
    try:
        key, made = json.loads((folder / f"{kind}.json").read_text(encoding="utf-8"))
        return key, made
    except (OSError, ValueError):
        return "", None


def _run(stem: str, folder: Path, request: dict[str, list[str]]) -> dict[str, Any]:
    if not any(request.values()):
        return {"figures": {}, "cells": []}
    folder.mkdir(parents=True, exist_ok=True)
    # Lessons run side by side, so each keeps to one thread. Without bytecode files `site --serve`
    # does not take a new __pycache__ for an edit.
    settings = {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg", "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "autograder.build.site.render", stem, str(folder)],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=ROOT,
        env={**os.environ, **settings},
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise UserError(lines[-1], "Mend lesson.md, figures.py or the solution, then build again.")
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result


def _fingerprint(stem: str) -> str:
    """Return a digest that changes whenever a picture or an output could."""
    digest = hashlib.sha256(_toolkit_digest())
    stems = [stem]
    folder = ROOT / "lessons" / stem
    for path in sorted(folder.glob("*")):
        if path.is_file() and path.name not in _NOT_DRAWN_FROM and path.suffix != ".md":
            digest.update(path.name.encode() + path.read_bytes())
            if path.suffix == ".py":
                stems += _course_stems(path.read_text(encoding="utf-8"))
    for needed in sorted(_with_earlier(stems)):
        digest.update(read_lesson(needed).text.encode())
    return digest.hexdigest()


def _course_stems(text: str) -> list[str]:
    known = {path.stem for path in (ROOT / "solutions").glob("l[0-9][0-9]_*.py")}
    return [stem for stem in known if f"course.{stem}" in text]


def _with_earlier(stems: Iterable[str]) -> set[str]:
    found: set[str] = set()
    waiting = list(stems)
    while waiting:
        stem = waiting.pop()
        if stem not in found:
            found.add(stem)
            waiting += earlier_stems(read_lesson(stem).stubs())
    return found


def _toolkit_digest() -> bytes:
    digest = hashlib.sha256()
    for package in ("torch", "torchvision", "matplotlib", "numpy"):
        digest.update(version(package).encode())
    for path in sorted((ROOT / "lessons" / "toolkit").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(path.name.encode() + _file_digest(path, path.stat().st_mtime_ns))
    digest.update((Path(__file__).parent / "render.py").read_bytes())
    return digest.digest()


@cache
def _file_digest(path: Path, changed: int) -> bytes:
    return hashlib.sha256(path.read_bytes()).digest()
