"""The tour as a page of the site, and what it is made from."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn

import autograder.tour as tours
from autograder.build.site.pages import tour as kept
from autograder.course.techniques import techniques
from autograder.tour.matrix import Cell, Row
from autograder.tour.page import Section, Survey
from lessons.toolkit.models import as_classifier
from lessons.toolkit.photos import load_photo
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.technique import Panel, Subject, Technique, make_subject


def test_the_tour_is_of_todays_sources():
    assert not kept.refresh()
    named = {path.name for path in kept.KEPT.glob("*.webp")}
    asked = {
        name
        for part in kept.PARTS
        for name in re.findall(r'src="[^"]*/([\w-]+\.webp)"', _part(part))
    }
    assert named == asked and len(named) > 60


def test_a_tour_of_other_sources_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    subject = _subject()
    panels = [Panel(subject.rgb, "<b>caption</b>", 'an "alt"'), _clear(subject)]
    new = Technique("A new one", "Is it < there?", "Yes.", "No.", "Nobody 2026", _never)
    sections = [Section("l01_autograd", new, panels, ["Measured."], "", True)]
    cells = [Cell(subject.rgb, f"“{name}”", 0.5, False) for name in ("cat", "dog")]
    survey = Survey(subject, sections, [Row(new, cells)], ["“cat” by Nobody, CC0"], {}, {})
    monkeypatch.setattr(tours, "survey", lambda **how: survey)
    (tmp_path / "gone.webp").write_bytes(b"of yesterday")
    said: list[str] = []
    assert kept.refresh(tmp_path, said.append) and said == ["Making the tour ..."]
    assert not kept.refresh(tmp_path, said.append)
    files = {path.name for path in tmp_path.glob("*.webp")}
    names = ("picture", "a-new-one-1", "a-new-one-2", "a-new-one-of-1", "a-new-one-of-2")
    assert files == {f"{name}.webp" for name in names}
    with Image.open(tmp_path / "a-new-one-2.webp") as clear:
        assert clear.mode == "RGBA"
    text = (tmp_path / "techniques.html").read_text(encoding="utf-8")
    assert '<h2 id="a-new-one" data-toc-label="A new one">' in text
    assert '<a href="lessons/l01_autograd.md">Lesson 1</a>' in text
    assert "Is it &lt; there?" in text and "&lt;b&gt;caption" in text
    comparison = (tmp_path / "side_by_side.html").read_text(encoding="utf-8")
    assert '<a href="../tour.md#a-new-one">' in comparison and "+0.50" in comparison
    (tmp_path / kept.RECORD).write_text("others")
    assert kept.refresh(tmp_path)


@pytest.mark.slow
def test_the_page_shows_every_technique_and_leads_to_its_lesson(course_site: Path):
    page = (course_site / "tour" / "index.html").read_text(encoding="utf-8")
    text = unescape(page)
    contents = page[page.index('data-md-component="toc"') : page.index("</article")]
    for stem, technique in techniques():
        section = Section(stem, technique, [], [], "", True)
        assert technique.question in text and technique.misleads in text, technique.title
        assert f'<h2 id="{section.anchor}">' in page
        assert f'href="#{section.anchor}"' in contents
        assert f'href="../lessons/{stem}/"' in page
        assert all(address in page for _, address in section.papers)
    images = re.findall(r"<img [^>]*>", page[page.index('class="tour"') :])
    assert len(images) > 50
    waiting = [image for image in images if 'loading="lazy"' in image]
    assert len(images) - len(waiting) <= 3  # the picture itself, and those of ask a class
    assert all(re.search(r'height="\d+".* width="\d+"', image) for image in images)
    assert "“cat” by Stefan van der Walt, CC0" in text
    comparison = (course_site / "tour" / "side-by-side" / "index.html").read_text(encoding="utf-8")
    assert 'href="../#grad-cam"' in comparison and "random weights" in comparison


def _part(name: str) -> str:
    return (kept.KEPT / f"{name}.html").read_text(encoding="utf-8")


def _subject() -> Subject:
    torch.manual_seed(0)
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 4))
    names = [f"class {number}" for number in range(4)]
    half = (0.5, 0.5, 0.5)
    classifier = as_classifier(network, names, Preprocess(32, 32, half, half), "small")
    return make_subject(classifier, load_photo("cat"))


def _clear(subject: Subject) -> Panel:
    return Panel(torch.cat([subject.rgb, subject.rgb[:1]]), "half there", "faint")


def _never(course: Any, subject: Subject) -> list[Panel | str]:
    raise AssertionError
