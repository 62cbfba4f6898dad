"""The tour: every landed technique on one page that opens from disk and asks for nothing."""

from __future__ import annotations

import re
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import autograder.tour as tours
from autograder.course.catalogue import landed_stems as stems
from autograder.tour import techniques, tour
from autograder.tour.page import Section, data_uri, render
from lessons.toolkit.errors import UserError
from lessons.toolkit.models import load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.technique import Panel, Subject, Technique, make_subject

LARGEST = 8 << 20


@pytest.fixture(scope="module")
def subject() -> Subject:
    return make_subject(load_model(), load_photo("cat"))


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("tour") / "tour.html"
    tour(None, out, device="cpu")
    return out


class _Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))
        self.links += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "poster")]


def test_every_landed_lesson_is_on_the_tour() -> None:
    assert set(stems()) <= {stem for stem, _ in techniques()}


@pytest.mark.parametrize(("photo", "word"), [("cat", "cat"), ("coffee", "espresso")])
def test_the_top_class_is_right(photo: str, word: str) -> None:
    assert word in make_subject(load_model(), load_photo(photo)).name()


@pytest.mark.slow
def test_the_page_is_whole_small_and_asks_for_nothing(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    parts = _Parts()
    parts.feed(text)
    assert page.stat().st_size < LARGEST
    assert all(link.startswith("data:image/jpeg;base64,") for link in parts.links)
    assert "default-src 'none'" in text and "<script" not in text
    assert "url(" not in text and "@import" not in text
    assert all(image.get("alt") for image in parts.images)
    for _, technique in techniques():
        assert technique.question in text or technique.question.replace("'", "&#39;") in text


@pytest.mark.slow
def test_no_panel_is_blank(page: Path, subject: Subject) -> None:
    from autograder.course.figures import reference_course

    for stem, technique in techniques():
        for panel in technique.draw(reference_course(), subject):
            assert panel.image.shape[0] == 3, stem
            assert torch.isfinite(panel.image).all()
            assert panel.image.std() > 0.01, (technique.title, panel.caption)


@pytest.mark.slow
@pytest.mark.browser
def test_chromium_opens_it_from_disk_in_both_schemes(page: Path, tmp_path: Path) -> None:
    looks = []
    for scheme in ("0", "1"):
        shot = tmp_path / f"{scheme}.png"
        subprocess.run(
            [
                *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic"),
                *("--no-first-run", "--disable-background-networking", "--disable-sync"),
                *("--disable-component-update", f"--user-data-dir={tmp_path / scheme}"),
                *("--window-size=900,700", f"--blink-settings=preferredColorScheme={scheme}"),
                *(f"--screenshot={shot}", page.as_uri()),
            ],
            check=True,
            capture_output=True,
            timeout=120,
        )
        looks.append(Image.open(shot).convert("L").getpixel((5, 5)))
    dark, light = looks
    assert isinstance(dark, int) and isinstance(light, int)
    assert dark < 60 < 200 < light


def _draw_one(course: Any, subject: Subject) -> list[Panel]:
    return [Panel(subject.rgb, "<b>caption</b>", 'an "alt"')]


def test_a_new_technique_joins_by_registering(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    new = Technique("New", "Is it there?", "Yes.", "No.", "Nobody 2026", _draw_one)
    monkeypatch.setattr(tours, "techniques", lambda: iter([("l99_new", new)]))
    out = tmp_path / "page.html"
    seen: list[Any] = []

    def progress(items: Any) -> Any:
        for item in items:
            seen.append(item)
            yield item

    seconds = tour("coffee", out, device="cpu", progress=progress)
    text = out.read_text(encoding="utf-8")
    assert list(seconds) == ["New"] and len(seen) == 1
    assert "Is it there?" in text and "its lesson is on the way" in text
    assert "<b>caption</b>" not in text and "&lt;b&gt;caption&lt;/b&gt;" in text


def test_small_pictures_are_blown_up_and_large_ones_kept() -> None:
    small, large = data_uri(torch.rand(3, 7, 7)), data_uri(torch.rand(3, 500, 900))
    assert re.match(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+$", small)
    assert len(large) > len(small)


def test_bad_pictures_and_places_are_one_clear_line(tmp_path: Path, subject: Subject) -> None:
    with pytest.raises(UserError, match="nothing-here"):
        tour("nothing-here.jpg", tmp_path / "a.html")
    with pytest.raises(UserError):
        render(tmp_path, subject, list[Section]())
