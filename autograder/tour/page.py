"""The tour's page: one HTML file without scripts or requests.

Style and pictures are inside it.
"""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from torch import Tensor

from autograder.files import write_whole
from lessons.toolkit.technique import Panel, Subject, Technique

TOP = 5
JPEG_QUALITY = 90
PIXELS = 448


@dataclass(frozen=True)
class Section:
    """One technique with its panels drawn.

    `landed` says that a student can already write it.
    """

    stem: str
    technique: Technique
    panels: list[Panel]
    landed: bool

    @property
    def number(self) -> int:
        """Number of the lesson."""
        return int(self.stem[1:3])

    @property
    def topic(self) -> str:
        """Name of the lesson on the command line."""
        return self.stem[4:]


def render(out: Path, subject: Subject, sections: list[Section]) -> None:
    """Write the page, whole or not at all.

    Args:
        out: the file.
        subject: the picture, and what the network sees in it.
        sections: the techniques, in the order of the page.

    Raises:
        UserError: the file cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("autograder.tour"), autoescape=True, undefined=StrictUndefined
    )
    style = environment.loader.get_source(environment, "tour.css")[0]  # type: ignore[union-attr]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    ranking = [
        (subject.name(rank), float(subject.probabilities[subject.ranking[rank]]))
        for rank in range(min(TOP, len(subject.ranking)))
    ]
    page = environment.get_template("tour.html").render(
        style=style,
        style_hash=digest,
        model=subject.classifier.name,
        photo=data_uri(subject.rgb),
        ranking=ranking,
        sections=sections,
        data_uri=data_uri,
    )
    write_whole(out, page.encode())


def data_uri(image: Tensor) -> str:
    """Return a picture as a JPEG inside a URI.

    Small pictures are enlarged, so that no browser blurs them.

    Args:
        image: float (3, H, W) in [0, 1].
    """
    from PIL import Image

    pixels = (image.detach().cpu().float().clamp(0, 1) * 255).round().byte()
    picture = Image.fromarray(pixels.permute(1, 2, 0).numpy())
    factor = max(1, PIXELS // max(picture.size))
    picture = picture.resize(
        (picture.width * factor, picture.height * factor), Image.Resampling.BICUBIC
    )
    data = io.BytesIO()
    picture.save(data, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
