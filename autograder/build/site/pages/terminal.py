"""A check of a wrong answer as a picture of the terminal, made by running it."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from functools import cache
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from autograder.build.drawing import toolkit_sources
from autograder.build.site.course import Course
from autograder.course.reference import ROOT
from autograder.files import write_whole
from lessons.toolkit.errors import UserError

STEM, NAME, PLACE = "l11_saliency", "saliency_map", "assets/terminal.svg"
KEPT = ROOT / ".cache" / "terminal.json"
COLUMNS = 46  # so that a phone shows letters of 11 pixels
# A gradient of the right shape that asks the wrong thing.
WRONG = """
def saliency_map(model, images, target):
    images = images.clone().requires_grad_(True)
    probabilities = model(images).softmax(1)
    chosen = probabilities[range(len(target)), target].sum()
    return torch.autograd.grad(chosen, images)[0].abs().amax(1)
"""
_DARK = TerminalTheme(
    (30, 33, 41),
    (226, 228, 233),
    [
        (30, 33, 41),
        (255, 138, 128),
        (126, 217, 160),
        (255, 203, 107),
        (140, 200, 238),
        (199, 146, 234),
        (137, 221, 255),
        (226, 228, 233),
    ],
)


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the picture, where the lesson has landed."""
    return {PLACE: drawn(said())} if _landed(course) else {}


def shown(course: Course) -> str:
    """Return answer and picture as Markdown, the picture's words as its text."""
    if not _landed(course):
        return ""
    picture = drawn(said())
    width, height = (float(n) for n in re.findall(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', picture)[0])
    words = " ".join(Text.from_ansi(said()).plain.split()).replace('"', "“")
    return (
        f'<div class="pair" markdown="1">\n\n````python\n{WRONG.strip()}\n````\n\n'
        f'<img class="terminal off-glb" src="{PLACE}" width="{width:.0f}" height="{height:.0f}" '
        f'loading="lazy" alt="Terminal: convlens check saliency.{NAME}. {words}">\n\n</div>'
    )


@cache
def said() -> str:
    """Return what the terminal says of the wrong answer, with its colours.

    It is kept beside a digest of all that it depends on: to check takes as long as all other pages.

    Raises:
        UserError: the check names no mistake, or does not run.
    """
    code, words = ROOT / "autograder", ROOT / "autograder" / "checks" / STEM
    solution = ROOT / "solutions" / f"{STEM}.py"
    sources = [
        *sorted(code.rglob("*.py")),
        *sorted(words.glob("*.md")),
        *toolkit_sources(),
        solution,
    ]
    made_from = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    try:
        kept: dict[str, str] = json.loads(KEPT.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        kept = {}
    if kept.get("from") != made_from:
        kept = {"from": made_from, "said": _checked()}
        with contextlib.suppress(UserError):  # where the course may not be written to
            write_whole(KEPT, json.dumps(kept).encode())
    return kept["said"]


def _checked() -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "exercises.py"
        file.write_text(f"import torch\n\n{WRONG}", encoding="utf-8")
        command = [sys.executable, "-m", "autograder.cli.main", "check", f"{STEM}.{NAME}"]
        settings = {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [*command, "--file", str(file)],
            cwd=ROOT,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
        )
    if done.returncode != 1 or NAME not in done.stdout:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise UserError(f"The check for the home page does not run: {last}.", f"Try {command}.")
    # Mark and sentence, then the next command: no path of this machine, no expected number.
    lines = done.stdout.rstrip().splitlines()
    first = next(number for number, line in enumerate(lines) if NAME in line and "✗" in line)
    end = next(n for n in range(first + 1, len(lines)) if not lines[n].startswith("  "))
    return "\n".join([*lines[first:end], "", lines[-1]])


def drawn(text: str) -> str:
    """Return what a terminal said as SVG, in the reader's own fonts."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "dim"), f"convlens check saliency.{NAME}"))
    console.print(Text.from_ansi(text))
    svg = console.export_svg(title="", theme=_DARK, unique_id="terminal")
    # Rich asks another host for its font; a picture may not, and the page's is as good.
    svg = re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    return svg.replace("Fira Code, monospace", "ui-monospace, DejaVu Sans Mono, monospace")


def _landed(course: Course) -> bool:
    return any(lesson.stem == STEM for lesson in course.lessons)
