"""The tour: one self-contained page with every technique on one picture."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import lessons
from autograder.course.catalogue import landed_stems as stems
from autograder.course.figures import reference_course
from autograder.tour.page import Section, render
from lessons.toolkit.device import choose_device
from lessons.toolkit.models import DEFAULT_MODEL, load_model
from lessons.toolkit.photos import DEFAULT_PHOTO, load_photo
from lessons.toolkit.technique import Subject, Technique, make_subject

Track = Callable[[Iterable[Any]], Iterable[Any]]


def techniques() -> Iterator[tuple[str, Technique]]:
    """Yield every registered technique with its lesson's stem, in the lessons' order."""
    for stem in sorted(path.parent.name for path in Path(lessons.__path__[0]).glob("l*/tour.py")):
        module = importlib.import_module(f"lessons.{stem}.tour")
        for technique in module.TECHNIQUES:
            yield stem, technique


def tour(
    image: str | Path | None,
    out: Path,
    device: str = "auto",
    progress: Track = iter,
    model: str = DEFAULT_MODEL,
) -> dict[str, float]:
    """Draw every technique on one picture and write the page.

    Args:
        image: a bundled photo's name or a file; the travelling photo when None.
        out: the page to write; written whole or not at all.
        device: "auto", "cuda", "mps" or "cpu".
        progress: wraps the list of techniques, as tqdm does.
        model: which classifier looks.

    Returns:
        Seconds that each technique took, by title.

    Raises:
        UserError: no such image, model or device, or the page cannot be written.
    """
    photo = load_photo(image or DEFAULT_PHOTO)
    classifier = load_model(model, choose_device(device))
    subject = make_subject(classifier, photo)
    course = reference_course()
    sections: list[Section] = []
    seconds: dict[str, float] = {}
    for stem, technique in progress(list(techniques())):
        started = time.perf_counter()
        sections.append(Section(stem, technique, technique.draw(course, subject), stem in stems()))
        seconds[technique.title] = time.perf_counter() - started
    render(out, subject, sections)
    return seconds


__all__ = ["Subject", "Technique", "techniques", "tour"]
