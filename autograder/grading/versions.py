"""What a grade depends on besides the code graded: checks, references, libraries, seed."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import version

from autograder.source import ROOT

ENGINE = ("autograder/judge", "autograder/worker", "autograder/checks/common.py")
ENGINE_FILES = ("autograder/wire.py", "autograder/record.py", "autograder/calls/models.py")


@cache
def checks_hash(stem: str) -> str:
    """A hash of all that decides a lesson's verdicts: checks, calls, reference, engine, torch."""
    paths = [ROOT / f"autograder/checks/{stem}.py", ROOT / f"solutions/{stem}.py"]
    paths += [path for path in [ROOT / f"autograder/calls/{stem}.py"] if path.exists()]
    for name in (*ENGINE, *ENGINE_FILES):
        place = ROOT / name
        paths += sorted(place.glob("*.py")) if place.is_dir() else [place]
    digest = hashlib.sha256()
    for path in paths:
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    digest.update(repr(sorted(versions().items())).encode())
    return digest.hexdigest()[:16]


def versions() -> dict[str, str]:
    """Versions that a grade is recorded with."""
    return {
        "convlens": version("convlens"),
        "python": platform.python_version(),
        "torch": version("torch"),
        "numpy": version("numpy"),
    }


def seed_hash(seed: int) -> str:
    """What may be shown of a secret seed: enough to tell two apart, slow to try out."""
    return hashlib.scrypt(str(seed).encode(), salt=b"convlens seed", n=2**14, r=8, p=1).hex()[:16]
