"""The networks and photos of the course, their makers and licences."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

from autograder.build.site.course import Course
from autograder.course.reference import ROOT
from lessons.toolkit import efficientnet
from lessons.toolkit.photos import PHOTOS
from lessons.toolkit.weights import FOLDER

PLACE = "reference/models.md"
CARDS = {
    "scenes": "MODEL_CARD.md",
    "scenes_watermarked": "MODEL_CARD.md",
    "vgg_scenes": "VGG_CARD.md",
    "scene_codes": "CODES_CARD.md",
    "styler_glass": "STYLER_CARD.md",
}


def pages(course: Course) -> dict[str, str | bytes | Path]:
    """Return the page of models, photos and licences."""
    licence = (ROOT / "LICENSE").read_text(encoding="utf-8").partition("\n")[0]
    parts = [
        "---\ntitle: Models and licences\n---",
        "# Models and licences",
        f"The course itself is under the {licence}. All of what it needs comes with the "
        "installation; nothing is downloaded unless you name a network of torchvision.",
        "## Networks",
        _table(("network", "weights", "SHA-256", "licence", "from"), [_imagenet(), *_own(licence)]),
        "A file whose checksum is wrong is not loaded.",
        "## Model cards",
        *_cards(),
        "## Photos",
        "CC BY asks for the name wherever a photo is shown: the tour prints it.",
        _table(("photo", "by", "licence", "comes with"), _photos()),
    ]
    return {PLACE: "\n\n".join(parts) + "\n"}


def checksums() -> dict[str, str]:
    """Return the checksum of each weight file of the course."""
    lines = (FOLDER / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    return {file.lstrip("*"): sha for sha, file in (line.split() for line in lines if line.strip())}


def _imagenet() -> tuple[str, ...]:
    name = efficientnet.WEIGHTS_PACKAGE.replace("_", "-")
    package = distribution(name)  # its field of the licence says UNKNOWN, and its file says which
    licence = (package.read_text("LICENSE") or "").partition("\n")[0].strip()
    return (
        "`efficientnet_lite0`",
        "ImageNet, 1,000 classes",
        f"`{efficientnet.WEIGHTS_SHA256[:12]}`",
        licence or "not stated by the package",
        f"`{name}` {package.version}",
    )


def _own(licence: str) -> list[tuple[str, ...]]:
    return [
        (f"`{name}`", _size(name), f"`{sha[:12]}`", licence, "trained for this course")
        for name, sha in ((file.partition(".")[0], sha) for file, sha in checksums().items())
    ]


def _size(name: str) -> str:
    told: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    count = told.get("parameters")
    size = f"{(FOLDER / f'{name}.safetensors').stat().st_size / 1e6:.2f} MB"
    return f"{count:,} parameters, {size}" if count else size


def _cards() -> list[str]:
    by_file = defaultdict(list)
    for name, file in CARDS.items():
        by_file[file].append(f"`{name}`")
    found = []
    for file, names in by_file.items():
        text = (FOLDER / file).read_text(encoding="utf-8").partition("\n")[2].strip()
        found.append(f"### {' and '.join(names)}\n\n{re.sub(r'^#', '###', text, flags=re.M)}")
    return found


def _photos() -> list[tuple[str, ...]]:
    return [
        (f"`{name}`", photo.credit, photo.licence, f"`{photo.distribution}`")
        for name, photo in PHOTOS.items()
    ]


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
