"""The tour's page: one HTML file without scripts or requests.

Style and pictures are inside it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from torch import Tensor

from autograder.course.reference import ROOT
from autograder.files import write_whole
from autograder.tour.matrix import Row
from lessons.toolkit.photos import PHOTOS
from lessons.toolkit.technique import Panel, Subject, Technique

SHARED = ROOT / "autograder" / "course" / "shared.css"
TOP = 5
JPEG_QUALITY = 90
PIXELS = 448
LICENCES = {
    "CC0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CC BY 2.0": "https://creativecommons.org/licenses/by/2.0/",
}


@dataclass(frozen=True)
class Section:
    """One technique with its panels drawn.

    Args:
        stem: its lesson.
        technique: its words.
        panels: its pictures.
        sentences: what was measured on this picture.
        instead: why there are no pictures.
        landed: a student can already write it.
    """

    stem: str
    technique: Technique
    panels: list[Panel]
    sentences: list[str]
    instead: str
    landed: bool

    @property
    def number(self) -> int:
        """Number of the lesson."""
        return int(self.stem[1:3])

    @property
    def topic(self) -> str:
        """Name of the lesson on the command line."""
        return self.stem[4:]

    @property
    def anchor(self) -> str:
        """Name of its place on the page."""
        return anchor_of(self.technique)

    @property
    def papers(self) -> list[tuple[str, str]]:
        """Papers as text and address, which is empty where none is given."""
        found = []
        for part in self.technique.paper.split(";"):
            link = re.fullmatch(r"\[([^\]]+)\]\((https://[^)\s]+)\)", part.strip())
            found.append((link[1], link[2]) if link else (part.strip(), ""))
        return found


def anchor_of(technique: Technique) -> str:
    """Return the name of a technique's place on the page."""
    return re.sub(r"[^a-z0-9]+", "-", technique.title.lower()).strip("-")


@dataclass(frozen=True)
class Survey:
    """All that a tour shows, before it is a page.

    Args:
        subject: the picture, and what the network sees in it.
        sections: the techniques, in the order of the page.
        rows: the matrix.
        credits: who made the photos.
        seconds: what each step took, by the technique's title.
        failures: what a technique raised that it should not have, by its title.
    """

    subject: Subject
    sections: list[Section]
    rows: list[Row]
    credits: list[str]
    seconds: dict[str, float]
    failures: dict[str, str]


@dataclass(frozen=True)
class Picture:
    """A picture inside a URI, with its size in pixels."""

    uri: str
    width: int
    height: int


Draw = Callable[[Tensor, str], Picture]


def credits_of(names: Sequence[str | Path]) -> list[str]:
    """Return the credit of each bundled photo among the names.

    >>> credits_of(["china", "mine.jpg"])
    ['“china” by danielbuechele, CC BY 2.0']
    """
    known = [(str(name), PHOTOS[str(name)]) for name in names if name in PHOTOS]
    return [f"“{name}” by {photo.credit}, {photo.licence}" for name, photo in known]


def render(out: Path, survey: Survey) -> None:
    """Write the page that stands alone, whole or not at all.

    Raises:
        UserError: the file cannot be written.
    """
    own = Path(__file__).parent / "templates" / "tour.css"
    style = SHARED.read_text(encoding="utf-8") + own.read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    context = words_of(survey, lambda image, name: picture(image))
    page = _templates().get_template("tour.html").render(**context, style=style, style_hash=digest)
    write_whole(out, page.encode())


def parts(survey: Survey, picture: Draw, **place: str) -> Any:
    """Return what a tour consists of, each part as a function that returns its HTML.

    They are `answer`, `contents`, `techniques`, `side_by_side` and `photos`, and well-formed.

    Args:
        survey: what was measured.
        picture: makes a picture of a tensor and a name.
        place: ``lessons``, where their stories lie, ``tour`` and ``comparison``, pages that hold
            the techniques and the matrix, and ``attributes``, more of each picture.
    """
    return _templates().get_template("parts.html").make_module(words_of(survey, picture, **place))


def words_of(survey: Survey, picture: Draw, **place: str) -> dict[str, Any]:
    """Return what templates name, with the arguments of `parts`."""
    subject, other = survey.subject, survey.subject.other_rank()
    likely = range(min(TOP, len(subject.ranking)))
    landed = [section for section in survey.sections if section.landed]
    return {
        "model": subject.classifier.name,
        "subject": subject,
        "ranking": [(subject.name(rank), subject.probability(rank)) for rank in likely],
        "second": (subject.name(other), subject.probability(other)) if other else None,
        "sections": survey.sections,
        "landed": len({section.stem for section in landed}),
        "writable": len(landed),
        "rows": survey.rows,
        "credits": [(credit, _licence(credit)) for credit in survey.credits],
        "picture": picture,
        "percent": lambda share: f"{100 * share:.1f} %",
        "anchor_of": anchor_of,
        **dict.fromkeys(("lessons", "tour", "comparison", "attributes"), ""),
        **place,
    }


def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("autograder.tour"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _licence(credit: str) -> str:
    """Return the address of the licence that a credit names, or nothing."""
    return next((url for name, url in LICENCES.items() if credit.endswith(name)), "")


def picture(image: Tensor) -> Picture:
    """Return a picture inside a URI: a JPEG, or a WebP where the page shows through.

    Args:
        image: float (3, H, W) in [0, 1]; or (4, H, W), whose last channel says how far it covers.
    """
    drawn = drawn_large(image)
    kind = "jpeg" if drawn.mode == "RGB" else "webp"
    data = io.BytesIO()
    how = {"subsampling": 0} if kind == "jpeg" else {"method": 4}
    drawn.save(data, kind, quality=JPEG_QUALITY, **how)
    coded = base64.b64encode(data.getvalue()).decode()
    return Picture(f"data:image/{kind};base64,{coded}", *drawn.size)


def drawn_large(image: Tensor) -> Any:
    """Return a PIL image, enlarged where it is small.

    Args:
        image: as `picture` takes it.
    """
    from PIL import Image

    pixels = (image.detach().cpu().float().clamp(0, 1) * 255).round().byte()
    drawn = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    factor = max(1, PIXELS // max(drawn.size))
    return drawn.resize((drawn.width * factor, drawn.height * factor), Image.Resampling.BICUBIC)
