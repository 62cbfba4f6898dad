"""Name what a grade depends on besides the code graded."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from autograder.course.reference import ROOT

# Whole packages and not the files that happen to matter today: whoever adds an import to a
# reference or a judge must not have to remember this list.
DECIDES = (
    "autograder/course",
    "autograder/checks",
    "autograder/protocol",
    "autograder/worker",
    "autograder/judge",
    "lessons/toolkit",
    "solutions",
)
NOT_SOURCE = {"__pycache__"}


@cache
def course_hash() -> str:
    """Hash all that decides a verdict: exercises, references, toolkit, engine, torch."""
    return hash_of((ROOT / name for name in DECIDES), ROOT)


def hash_of(packages: Iterable[Path], root: Path) -> str:
    """Hash the files of whole packages, their names and the versions of libraries.

    Args:
        packages: folders below `root`; every file in them counts.
        root: names are relative to it, so that another copy of the course gives the same.
    """
    digest = hashlib.sha256()
    for package in packages:
        for path in sorted(package.rglob("*")):
            if path.is_file() and not NOT_SOURCE.intersection(path.parts):
                digest.update(path.relative_to(root).as_posix().encode() + b"\0")
                digest.update(hashlib.sha256(path.read_bytes()).digest())
    digest.update(repr(sorted(versions().items())).encode())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Return the versions that a grade is recorded with."""
    return {
        "convlens": version("convlens"),
        "python": platform.python_version(),
        "torch": version("torch"),
        "numpy": version("numpy"),
    }


def seed_hash(seed: int) -> str:
    """Hash a secret seed: enough to tell two apart, slow to try out."""
    return hashlib.scrypt(str(seed).encode(), salt=b"convlens seed", n=2**14, r=8, p=1).hex()[:16]
