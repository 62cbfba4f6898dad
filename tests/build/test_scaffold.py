"""`convlens new`, and the author's guide followed word for word in a copy of the course."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from workshop import CACHES, ROOT, Workshop

GUIDE = ROOT / "site" / "docs" / "authors.md"
# A file's own fences are shorter than those around it.
BLOCK = re.compile(
    r"^(?P<ticks>`{3,})(?P<kind>\w+)(?: title=\"(?P<title>[^\"]+)\")?\n(?P<text>.*?)^(?P=ticks)$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Step:
    """One fenced block of the guide."""

    kind: str
    title: str
    text: str


def steps() -> list[Step]:
    found = BLOCK.finditer(GUIDE.read_text(encoding="utf-8"))
    return [Step(block["kind"], block["title"] or "", block["text"]) for block in found]


class Bench(Workshop):
    """A copy of the course without any lesson, in which an author works."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("autograder", "lessons", "solutions", "tests/lessons"):
            shutil.copytree(ROOT / name, root / name, ignore=CACHES)
        for name in ("README.md", "pyproject.toml", "tests/conftest.py", "tests/workshop.py"):
            shutil.copy(ROOT / name, root / name)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command of the guide, which finds its modules in the copy."""
        program, *words = command.split()
        module = {"convlens": "autograder.cli.main"}.get(program, program)
        environment = {**os.environ, "PYTHONPATH": str(self.root)}
        line = [sys.executable, "-m", module, *words]
        return subprocess.run(
            line, cwd=self.root, env=environment, capture_output=True, text=True, timeout=300
        )

    def files(self) -> set[str]:
        return {path.relative_to(self.root).as_posix() for path in self.root.rglob("*.*")}


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path / "copy")


def follow(bench: Bench, step: Step) -> None:
    """Do what one block of the guide says."""
    if step.kind == "sh":
        for command in step.text.splitlines():
            done = bench.run(command)
            assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    elif step.kind == "diff":
        lines = step.text.splitlines(keepends=True)
        old, new = ("".join(line[2:] for line in lines if line[0] == mark) for mark in "-+")
        bench.edit(bench.root / step.title, old, new)
    elif step.title:
        path = bench.root / step.title
        assert path.exists(), f"`convlens new` made no {step.title}"
        path.write_text(step.text, encoding="utf-8")


@pytest.mark.slow
def test_the_guide_leads_from_nothing_to_a_green_audit(bench: Bench) -> None:
    for step in steps():
        follow(bench, step)
    assert "convlens audit shift" in steps()[-2].text
