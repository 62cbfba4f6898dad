"""The house rules: lint, format, types, who may import whom, no trace of a machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

LONGEST_SUMMARY = 79
NO_VERB = {"The", "A", "An", "What", "How", "Which", "Where", "Whether"}


def _run(*command: str) -> None:
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-2000:]


@pytest.mark.parametrize("arguments", [("check", "."), ("format", "--check", ".")])
def test_ruff_finds_nothing(arguments: tuple[str, ...]) -> None:
    _run(str(BIN / "ruff"), *arguments)


def test_no_room_of_the_tests_is_passed_over(pytestconfig: pytest.Config) -> None:
    patterns = pytestconfig.getini("norecursedirs")
    rooms = {part for file in (ROOT / "tests").rglob("test_*.py") for part in file.parent.parts}
    rooms -= set(ROOT.parts)
    assert "build" in rooms
    assert not [room for room in rooms for mark in patterns if fnmatch(room, mark)]


@pytest.mark.slow
def test_the_examples_in_docstrings_say_what_comes_back() -> None:
    rooms = ("solutions", "lessons/toolkit", "autograder")
    _run(
        sys.executable, "-m", "pytest", "-q", "--doctest-modules", "-p", "no:cacheprovider", *rooms
    )


@pytest.mark.slow
def test_types_hold() -> None:
    _run(str(BIN / "mypy"))


def test_imports_stay_in_their_rooms() -> None:
    _run(str(BIN / "lint-imports"))


def test_the_worker_meets_no_solution_at_run_time() -> None:
    code = (
        "import sys, autograder.worker.serve, autograder.worker.networks\n"
        "rooms = ('solutions', 'autograder.checks', 'autograder.judge', 'autograder.grading')\n"
        "rooms += ('sklearn', 'scipy', 'skimage', 'matplotlib')\n"
        "bad = [m for m in sys.modules if m.startswith(rooms)]\n"
        "assert not bad, bad"
    )
    _run(sys.executable, "-c", code)


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [ROOT / name for name in listed.stdout.split("\0") if name]


def test_no_registry_host_and_no_path_of_a_machine_is_committed() -> None:
    # Written in pieces, so that this file does not find itself.
    forbidden = re.compile(
        "|".join(["/wo" + "rk/", "files.python" + "hosted", "registry.np" + "mjs"])
    )
    found = []
    for path in _tracked():
        if path.suffix in {".py", ".md", ".toml", ".yml", ".ipynb", ".txt", ".json", ""}:
            text = path.read_text(encoding="utf-8", errors="ignore") if path.is_file() else ""
            found += [f"{path.relative_to(ROOT)}: {m[0]}" for m in forbidden.finditer(text)]
    assert not found


def _summary_faults(text: str) -> list[str]:
    """Return the docstring summaries of a module that break the rule, with line and reason."""
    found = []
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, functions | ast.ClassDef | ast.Module):
            continue
        paragraph = " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())
        summary = re.split(r"(?<=[.!?]) ", paragraph)[0]
        reasons = {
            f"{len(summary)} characters": len(summary) > LONGEST_SUMMARY,
            "a semicolon": ";" in summary,
            "no verb first": isinstance(node, functions) and summary.split(" ")[0] in NO_VERB,
        }
        line = 1 if isinstance(node, ast.Module) else node.lineno
        found += [f"{line}: {reason}: {summary}" for reason, holds in reasons.items() if holds]
    return found


def test_docstring_summaries_are_one_short_clause() -> None:
    globs = ("autograder/**/*.py", "lessons/toolkit/*.py", "lessons/*/figures.py")
    found = []
    for path in sorted(p for glob in (*globs, "lessons/*/tour.py") for p in ROOT.glob(glob)):
        name = path.relative_to(ROOT).as_posix()
        faults = _summary_faults(path.read_text(encoding="utf-8"))
        found += [f"{name}:{fault}" for fault in faults]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("docstring", "faults"),
    [
        ("Return it.", 0),
        ("Return it. The rest; of it.", 0),
        ("Return it; or not.", 1),
        ("The thing.", 1),
        ("Whether it holds; not otherwise.", 2),
        (f"Return {'x' * 80}.", 1),
    ],
)
def test_a_summary_that_breaks_the_rule_is_found(docstring: str, faults: int) -> None:
    assert len(_summary_faults(f'def f():\n    """{docstring}"""\n')) == faults
