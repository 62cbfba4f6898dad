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
    assert any("convlens audit shift" in step.text for step in steps() if step.kind == "sh")
    # What an author copies from the guide keeps the house's rules too.
    for arguments in ("check .", "format --check ."):
        done = bench.run(f"ruff {arguments}")
        assert done.returncode == 0, done.stdout
    assert bench.run("doctest solutions/l16_shift.py").stdout == ""
    assert bench.run("convlens build --check shift").returncode == 0


def test_the_guide_shows_every_file_that_is_made(bench: Bench) -> None:
    shown = {step.title for step in steps() if step.title}
    (catalogue, new, *_) = [step for step in steps() if step.kind in ("sh", "diff")]
    follow(bench, catalogue)
    before = bench.files()
    follow(bench, new)
    made = {path for path in bench.files() - before if "__pycache__" not in path}
    assert made == shown - {"README.md", catalogue.title}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stem", "names"),
    [("l10_occlusion", []), ("l08_fooling_and_dreams", ["b_deep_dream", "a_step"])],
)
def test_what_is_made_runs_and_the_audit_lists_what_is_left(
    bench: Bench, stem: str, names: list[str]
) -> None:
    done = bench.run(" ".join(["convlens new", stem, *names]))
    assert done.returncode == 0 and f"convlens audit {stem}" in done.stdout
    for command in ("ruff check .", "ruff format --check .", f"convlens build {stem}"):
        done = bench.run(command)
        assert done.returncode == 0, done.stdout + done.stderr
    done = bench.run(f"convlens audit {stem}")
    assert done.returncode == 1 and done.stderr == ""
    problems = [line.strip() for line in done.stdout.splitlines()[1:]]
    places = [line.partition(" lacks ")[0].partition(":") for line in problems]
    todo = [
        (path.relative_to(bench.root).as_posix(), ":", str(number))
        for path in bench.root.rglob("*.*")
        if stem in str(path) or path.name == "README.md"
        if path.suffix in (".py", ".md") and path.name != "exercises.py"
        for number, line in enumerate(path.read_text().splitlines(), 1)
        for _ in range(line.count("TODO: "))
    ]
    assert sorted(places) == sorted(todo)


def test_the_readmes_row_stands_in_order_and_once(bench: Bench) -> None:
    readme = bench.root / "README.md"
    rows = [line for line in readme.read_text().splitlines() if line[:4] != "| 10"]
    readme.write_text("\n".join(rows) + "\n")
    assert bench.run("convlens new l10_occlusion").returncode == 0
    numbers = [int(n) for n in re.findall(r"^\| (\d\d) ", readme.read_text(), re.MULTILINE)]
    assert numbers == sorted(set(numbers)) and 10 in numbers
    assert [line for line in readme.read_text().splitlines() if line[:4] != "| 10"] == rows


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("l10_oclusion", ["called 'l10_oclusion'", "l10_occlusion", "course/catalogue.py"]),
        ("l99_nothing", ["called 'l99_nothing'", "course/catalogue.py"]),
        ("../l10_occlusion", ["called '../l10_occlusion'"]),
        ("l10_occlusion for", ["'for' cannot be the name"]),
        ("l10_occlusion a/b", ["'a/b' cannot be the name"]),
        ("l10_occlusion a b a", ["'a' is named twice"]),
    ],
)
def test_what_cannot_be_made_is_refused_in_a_line(
    bench: Bench, words: str, says: list[str]
) -> None:
    before = bench.files()
    done = bench.run(f"convlens new {words}")
    assert done.returncode == 2 and done.stdout == "" and "Traceback" not in done.stderr
    assert all(text in done.stderr for text in says)
    assert {path for path in bench.files() - before if "__pycache__" not in path} == set()


def test_nothing_is_overwritten(bench: Bench) -> None:
    mine = bench.root / "lessons" / "l10_occlusion" / "lesson.md"
    mine.parent.mkdir()
    mine.write_text("mine")
    done = bench.run("convlens new l10_occlusion")
    assert (
        done.returncode == 2 and "lessons/l10_occlusion/lesson.md is there already" in done.stderr
    )
    assert mine.read_text() == "mine"
    assert not (bench.root / "solutions" / "l10_occlusion.py").exists()
