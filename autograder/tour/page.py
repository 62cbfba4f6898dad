"""The tour's page: one HTML file without scripts or requests.

Style and pictures are inside it.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from torch import Tensor

from autograder.course.reference import ROOT
from autograder.files import write_whole
from autograder.tour.matrix import Row
from lessons.toolkit.photos import PHOTOS
from lessons.toolkit.technique import Panel, Subject, Technique

COLOURS = ROOT / "autograder" / "course" / "colours.css"
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
        return re.sub(r"[^a-z0-9]+", "-", self.technique.title.lower()).strip("-")

    @property
    def papers(self) -> list[tuple[str, str]]:
        """Papers as text and address, which is empty where none is given."""
        found = []
        for part in self.technique.paper.split(";"):
            link = re.fullmatch(r"\[([^\]]+)\]\((https://[^)\s]+)\)", part.strip())
            found.append((link[1], link[2]) if link else (part.strip(), ""))
        return found


@dataclass(frozen=True)
class Picture:
    """A picture inside a URI, with its size in pixels."""

    uri: str
    width: int
    height: int


def credits_of(names: Sequence[str | Path]) -> list[str]:
    """Return the credit of each bundled photo among the names.

    >>> credits_of(["china", "mine.jpg"])
    ['“china” by danielbuechele, CC BY 2.0']
    """
    known = [(str(name), PHOTOS[str(name)]) for name in names if name in PHOTOS]
    return [f"“{name}” by {photo.credit}, {photo.licence}" for name, photo in known]


def render(
    out: Path, subject: Subject, sections: list[Section], rows: list[Row], credits: list[str]
) -> None:
    """Write the page, whole or not at all.

    Args:
        out: the file.
        subject: the picture, and what the network sees in it.
        sections: the techniques, in the order of the page.
        rows: the matrix.
        credits: who made the photos.

    Raises:
        UserError: the file cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("autograder.tour"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    own = environment.loader.get_source(environment, "tour.css")[0]  # type: ignore[union-attr]
    style = COLOURS.read_text(encoding="utf-8") + own
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    ranking = [
        (subject.name(rank), subject.probability(rank))
        for rank in range(min(TOP, len(subject.ranking)))
    ]
    other = subject.other_rank()
    page = environment.get_template("tour.html").render(
        style=style,
        style_hash=digest,
        model=subject.classifier.name,
        subject=subject,
        ranking=ranking,
        second=(subject.name(other), subject.probability(other)) if other else None,
        sections=sections,
        landed=len({section.stem for section in sections if section.landed}),
        writable=sum(section.landed for section in sections),
        rows=rows,
        credits=[(credit, _licence(credit)) for credit in credits],
        picture=picture,
        percent=lambda share: f"{100 * share:.1f} %",
    )
    write_whole(out, page.encode())


def _licence(credit: str) -> str:
    """Return the address of the licence that a credit names, or nothing."""
    return next((url for name, url in LICENCES.items() if credit.endswith(name)), "")


def picture(image: Tensor) -> Picture:
    """Return a picture inside a URI: a JPEG, or a WebP where the page shows through.

    Small pictures are enlarged, so that no browser blurs them.

    Args:
        image: float (3, H, W) in [0, 1]; or (4, H, W), whose last channel says how far it covers.
    """
    from PIL import Image

    pixels = (image.detach().cpu().float().clamp(0, 1) * 255).round().byte()
    drawn = Image.fromarray(pixels.permute(1, 2, 0).contiguous().numpy())
    factor = max(1, PIXELS // max(drawn.size))
    drawn = drawn.resize((drawn.width * factor, drawn.height * factor), Image.Resampling.BICUBIC)
    kind = "jpeg" if drawn.mode == "RGB" else "webp"
    data = io.BytesIO()
    how = {"subsampling": 0} if kind == "jpeg" else {"method": 4}
    drawn.save(data, kind, quality=JPEG_QUALITY, **how)
    coded = base64.b64encode(data.getvalue()).decode()
    return Picture(f"data:image/{kind};base64,{coded}", *drawn.size)
