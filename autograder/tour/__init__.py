"""The tour: one self-contained page with every technique on one picture."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from autograder.course.catalogue import landed_stems as stems
from autograder.course.figures import reference_course
from autograder.course.techniques import techniques
from autograder.files import write_whole
from autograder.tour.matrix import Row, compare, draw_matrix, with_random_network
from autograder.tour.own_model import from_file, names_a_file
from autograder.tour.page import Section, Survey, credits_of, render
from lessons.toolkit.device import choose_device
from lessons.toolkit.errors import UserError
from lessons.toolkit.models import DEFAULT_MODEL, Classifier, load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.technique import (
    Declined,
    Panel,
    Subject,
    Technique,
    make_subject,
    rank_agreement,
)

Track = Callable[[Iterable[Any]], Iterable[Any]]
# Side by side, because in a photo of one thing the maps of all likely classes lie at one place.
DEFAULT_PHOTOS = ("cat", "coffee")
MOST_PHOTOS = 2
LIKELY = 10  # of these classes the second question is chosen


@dataclass
class Tour:
    """What a tour has made.

    Args:
        page: the HTML file.
        picture: the matrix as a PNG file; None where nothing could be compared.
        seconds: what each step took, by the technique's title.
        failures: what a technique raised that it should not have, by its title.
    """

    page: Path
    picture: Path | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)


def tour(
    images: str | Path | Sequence[str | Path] | None,
    out: Path,
    device: str = "auto",
    progress: Track = iter,
    model: str | Classifier = DEFAULT_MODEL,
) -> Tour:
    """Draw every technique on one picture: a page, and the matrix beside it.

    A technique that does not apply to the network becomes a sentence on the page, and so does one
    that fails.

    Args:
        images: a bundled photo's name or a file; two of them stand side by side; two photos that
            show how questions differ when None.
        out: the page to write; written whole or not at all, as is the picture beside it.
        device: "auto", "cuda", "mps" or "cpu".
        progress: wraps the list of steps, as tqdm does.
        model: who looks: a name of the registry, a `Classifier`, or `file.py:function`, whose
            function returns one.

    Raises:
        UserError: no such image, model or device, too many images, or a file cannot be written.
    """
    found = survey(images, device, progress, model)
    made = Tour(out, None, found.seconds, found.failures)
    if found.rows:
        made.picture = out.with_name(f"{out.stem}-matrix.png")
        write_whole(made.picture, draw_matrix(found.subject, found.rows, found.credits))
    render(out, found)
    return made


def survey(
    images: str | Path | Sequence[str | Path] | None = None,
    device: str = "auto",
    progress: Track = iter,
    model: str | Classifier = DEFAULT_MODEL,
) -> Survey:
    """Run every technique on one picture, and compare their maps.

    Arguments and errors are those of `tour`, without the file.
    """
    names = [images] if isinstance(images, str | Path) else list(images or DEFAULT_PHOTOS)
    if len(names) > MOST_PHOTOS:
        raise UserError(
            f"A tour takes one picture, or two side by side, not {len(names)}.",
            "Name one or two, and make a tour of each of the others.",
        )
    photos = [load_photo(name) for name in names]
    course = reference_course()
    seconds: dict[str, float] = {}
    failures: dict[str, str] = {}
    subject = make_subject(_classifier(model, device), *photos)
    subject = _with_second_question(course, subject, failures)
    listed = list(techniques())
    compared = [technique for _, technique in listed if technique.heatmap]
    untrained = with_random_network(subject)
    sections: list[Section] = []
    rows: list[Row] = []
    for step in progress([*listed, *compared]):
        started = time.perf_counter()
        if isinstance(step, Technique):
            if row := _row(course, subject, untrained, step, failures):
                rows.append(row)
            title = f"{step.title}, compared"
        else:
            stem, technique = step
            sections.append(_section(course, subject, stem, technique, failures))
            title = technique.title
        seconds[title] = time.perf_counter() - started
    return Survey(subject, sections, rows, credits_of(names), seconds, failures)


def _classifier(model: str | Classifier, device: str) -> Classifier:
    place = choose_device(device)
    if isinstance(model, str) and not names_a_file(model):
        return load_model(model, place)
    classifier = from_file(model) if isinstance(model, str) else model
    classifier.network.to(place)
    return classifier


def _with_second_question(course: Any, subject: Subject, failures: dict[str, str]) -> Subject:
    """Choose the likely class whose map is least like the first's."""
    count = min(LIKELY, len(subject.ranking))
    network, target = subject.classifier.network, subject.ranking[:count]
    images = subject.images.expand(count, -1, -1, -1)
    try:
        try:
            maps = course.l14_grad_cam.grad_cam(network, subject.layer, images, target)
        except Declined:
            maps = course.l11_saliency.saliency_map(network, images, target)
        like = [rank_agreement(maps[0], other) for other in maps]
    except Exception as error:
        failures["The second question"] = _named(error)
        return subject
    known = {rank: value for rank, value in enumerate(like) if rank and value is not None}
    return replace(subject, second=min(known, key=known.__getitem__)) if known else subject


def _section(
    course: Any, subject: Subject, stem: str, technique: Technique, failures: dict[str, str]
) -> Section:
    drawn: Sequence[Panel | str] = ()
    instead = ""
    try:
        drawn = technique.draw(course, subject)
    except Declined as error:
        instead = f"No picture here: the technique {error}."
    except Exception as error:  # one technique's fault must not cost the page
        failures[technique.title] = _named(error)
        instead = (
            f"{technique.title} failed here ({_named(error)}). That is a fault of ConvLens, not of "
            "the picture."
        )
    panels = [part for part in drawn if isinstance(part, Panel)]
    sentences = [part for part in drawn if isinstance(part, str)]
    return Section(stem, technique, panels, sentences, instead, stem in stems())


def _row(
    course: Any,
    subject: Subject,
    untrained: Subject | None,
    technique: Technique,
    failures: dict[str, str],
) -> Row | None:
    try:
        return compare(course, subject, untrained, technique)
    except Declined:  # its section says so
        return None
    except Exception as error:
        failures[f"{technique.title}, compared"] = _named(error)
        return None


def _named(error: Exception) -> str:
    return f"{type(error).__name__}: {(str(error).splitlines() or ['no words'])[0]}"


__all__ = ["Subject", "Technique", "Tour", "survey", "techniques", "tour"]
