"""Pack an `autograder.zip` for Gradescope: scripts, course, lessons, seed."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator, Sequence
from importlib import metadata, resources

from autograder.course.reference import ROOT

SEED, SETTINGS, WISHES = "secret.seed", "settings.toml", "convlens.json"
VISIBILITIES = ("visible", "after_due_date", "after_published", "hidden")
_COURSE = ("autograder", "lessons", "solutions")
# These two come from one place and in one go.
_TORCH = ("torch", "torchvision")
_EXTRAS = ("grading",)


def packed(stems: Sequence[str], seed: int, visibility: str, settings: bytes | None) -> bytes:
    """Return the archive. It holds the secret seed and all solutions.

    Args:
        stems: lessons to grade.
        seed: of the hidden cases; the same as `convlens grade` uses gives the same points.
        visibility: when students see their tests, one of `VISIBILITIES`.
        settings: limits and caps as TOML, or None.
    """
    scripts = resources.files(__package__)
    wishes = json.dumps({"lessons": list(stems), "visibility": visibility}, indent=1)
    files = {
        "setup.sh": scripts.joinpath("setup.sh").read_bytes(),
        "run_autograder": scripts.joinpath("run_autograder.sh").read_bytes(),
        SEED: f"{seed}\n".encode(),
        WISHES: f"{wishes}\n".encode(),
        **_requirements(),
        **dict(_course()),
    }
    if settings is not None:
        files[SETTINGS] = settings
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            entry = zipfile.ZipInfo(name)  # of 1980: the same content gives the same archive
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if name in ("setup.sh", "run_autograder") else 0o600) << 16
            archive.writestr(entry, data)
    return buffer.getvalue()


def _requirements() -> dict[str, bytes]:
    """Pin what the course depends on to what is installed here.

    Torch stands apart from the rest. A verdict is then made there by the same versions as here.
    """
    pins: dict[str, list[str]] = {"torch.txt": [], "requirements.txt": []}
    for line in metadata.requires("convlens") or []:
        requirement, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([^'\"]+)['\"]", marker)
        if extra and extra[1] not in _EXTRAS:
            continue
        name = re.match(r"[A-Za-z0-9._-]+", requirement)
        assert name is not None
        # A local part, such as +cu128, names a build for this machine.
        version = metadata.version(name[0]).partition("+")[0]
        where = "torch.txt" if name[0] in _TORCH else "requirements.txt"
        pins[where].append(f"{name[0]}=={version}")
    return {name: ("\n".join(sorted(lines)) + "\n").encode() for name, lines in pins.items()}


def _course() -> Iterator[tuple[str, bytes]]:
    for package in _COURSE:
        for path in sorted((ROOT / package).rglob("*")):
            inside = path.relative_to(ROOT)
            hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
            if path.is_file() and not hidden:
                yield f"course/{inside.as_posix()}", path.read_bytes()
    # By which the course finds its own version and what it depends on.
    course = metadata.distribution("convlens")
    name = f"convlens-{course.version}.dist-info"
    # An installed package says it in the one file, a checkout's `convlens.egg-info` in the other.
    told = next(text for file in ("METADATA", "PKG-INFO") if (text := course.read_text(file)))
    yield f"course/{name}/METADATA", told.encode()
