"""One sandbox a rung and module, so that a test could meet what another left behind."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from autograder.grading.sandbox import landlock
from autograder.grading.sandbox.children import ChildResult, Sandbox
from autograder.grading.sandbox.probe import LADDER, Isolation, probe

FOUND = probe()  # now, before any test bends the probe
INSIDE = Path(__file__).parent / "inside"
# The third needs a machine of its own; see `test_other_user`.
RUNGS = tuple(os.environ.get("CONVLENS_RUNGS", "namespaces landlock").split())


def open_sandbox(rung: str, **options: Any) -> Sandbox:
    """Start a sandbox on one rung, without torch unless asked: torch takes two seconds."""
    skip_without(rung)
    options = {"target": "targets:run_source", "import_from": [INSIDE], "preload": []} | options
    return Sandbox(isolation=Isolation(LADDER[rung]), **options)


def skip_without(rung: str) -> None:
    """Skip a test whose rung this machine does not have."""
    if rung == "namespaces" and FOUND.level != LADDER[rung]:
        pytest.skip(" ".join(FOUND.reasons))
    if rung == "user" and FOUND.level != LADDER[rung]:
        pytest.skip(f"another isolation is better here: {FOUND.level}")
    if rung == "landlock" and landlock.abi() < landlock.LOWEST_ABI:
        pytest.skip("this kernel has no Landlock, or an old one")


@pytest.fixture(scope="module", params=RUNGS)
def sandbox(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A sandbox on each rung that isolates."""
    with open_sandbox(request.param) as opened:
        yield opened


@pytest.fixture(scope="module")
def bare() -> Iterator[Sandbox]:
    """A sandbox without isolation: where an attack must work, or its test shows nothing."""
    with open_sandbox("none") as opened:
        yield opened


@pytest.fixture
def attack() -> Callable[..., ChildResult]:
    """Run source in a child; what it may need of the test goes in as `given`."""

    def run(sandbox: Sandbox, source: str, seconds: float = 30.0, **given: Any) -> ChildResult:
        return sandbox.run(f"given = {given!r}\n{source}".encode(), seconds)

    return run


def processes_called(name: str) -> list[int]:
    """Processes of this machine whose main thread has this name."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                if (directory / "comm").read_text().strip() == name:
                    found.append(int(directory.name))
            except OSError:
                continue
    return found


def descendants(root: int) -> dict[int, str]:
    """Process -> state letter, of all that descend from a process."""
    parents: dict[int, tuple[int, str]] = {}
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                state, parent = (directory / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            parents[int(directory.name)] = (int(parent), state)
    below: dict[int, str] = {}
    grown = True
    while grown:
        more = {
            pid: state
            for pid, (parent, state) in parents.items()
            if pid not in below and (parent == root or parent in below)
        }
        below |= more
        grown = bool(more)
    return below


def open_descriptors() -> int:
    """How many descriptors this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))
