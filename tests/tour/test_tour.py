"""The tour: every landed technique on one page that opens from disk and asks for nothing."""

from __future__ import annotations

import base64
import io
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch
from browser import Browser, chromium
from PIL import Image
from torch import nn

import autograder.tour as tours
from autograder.cli.main import main
from autograder.course.catalogue import landed_stems as stems
from autograder.course.figures import reference_course
from autograder.tour import Tour, techniques, tour
from autograder.tour.page import SHARED, Section, Survey, credits_of, picture, render
from lessons.toolkit.errors import UserError
from lessons.toolkit.models import Classifier, as_classifier, load_model
from lessons.toolkit.photos import PHOTOS, load_photo, photo_names
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.technique import (
    Declined,
    Panel,
    Subject,
    Technique,
    make_subject,
    rank_agreement,
)

LARGEST = 8 << 20


@pytest.fixture(scope="module")
def network() -> Classifier:
    return load_model()


@pytest.fixture(scope="module")
def subject(network: Classifier) -> Subject:
    return make_subject(network, load_photo("cat"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, network: Classifier) -> Tour:
    return tour(None, tmp_path_factory.mktemp("tour") / "tour.html", "cpu", model=network)


@pytest.fixture(scope="module")
def page(made: Tour) -> Path:
    return made.page


def _small(classes: int = 4) -> Classifier:
    """A network of a moment, with ReLU, places and classes."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 8, 3, 2, 1), nn.ReLU()]
    network = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, classes))
    names = [f"class {number}" for number in range(classes)]
    half = (0.5, 0.5, 0.5)
    return as_classifier(network, names, Preprocess(32, 32, half, half), "small")


class _Parts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.asked: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "img":
            self.images.append(dict(attrs))
        if tag == "a":
            self.links += [v or "" for k, v in attrs if k == "href"]
        else:
            self.asked += [v or "" for k, v in attrs if k in ("src", "href", "srcset", "poster")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def _read(page: Path) -> _Parts:
    parts = _Parts()
    parts.feed(page.read_text(encoding="utf-8"))
    return parts


def test_every_landed_lesson_is_on_the_tour() -> None:
    assert set(stems()) <= {stem for stem, _ in techniques()}


@pytest.mark.parametrize(("photo", "word"), [("cat", "cat"), ("coffee", "espresso")])
def test_the_top_class_is_right(photo: str, word: str) -> None:
    assert word in make_subject(load_model(), load_photo(photo)).name()


@pytest.mark.slow
def test_the_page_is_whole_small_and_asks_for_nothing(page: Path) -> None:
    text, parts = page.read_text(encoding="utf-8"), _read(page)
    assert page.stat().st_size < LARGEST
    assert all(re.match(r"data:image/(jpeg|webp);base64,", link) for link in parts.asked)
    assert "default-src 'none'" in text and "<script" not in text
    assert "url(" not in text and "@import" not in text
    for _, technique in techniques():
        assert technique.question in text or technique.question.replace("'", "&#39;") in text


@pytest.mark.slow
def test_every_picture_has_words_a_size_and_is_there_at_once(page: Path) -> None:
    for image in _read(page).images:
        assert image["alt"] and int(image["width"] or 0) > 0 and int(image["height"] or 0) > 0
        assert "loading" not in image


@pytest.mark.slow
def test_nothing_fails_on_the_default_pictures(made: Tour) -> None:
    assert made.failures == {}
    assert set(made.seconds) >= {technique.title for _, technique in techniques()}


@pytest.mark.slow
def test_papers_licences_and_makers_of_the_photos_are_on_the_page(page: Path) -> None:
    parts = _read(page)
    text = "".join(parts.text)
    assert "“cat” by Stefan van der Walt, CC0" in text
    assert "“coffee” by Rachel Michetti, CC0" in text
    outside = [link for link in parts.links if not link.startswith("#")]
    assert all(link.startswith("https://") for link in outside)
    assert "https://arxiv.org/abs/1610.02391" in outside
    assert "https://creativecommons.org/publicdomain/zero/1.0/" in outside
    inside = {link[1:] for link in parts.links if link.startswith("#")}
    assert inside == set(re.findall(r'<h2 id="([^"]+)"', page.read_text(encoding="utf-8")))


def test_every_bundled_photo_is_credited() -> None:
    assert len(credits_of(photo_names())) == len(PHOTOS)
    assert credits_of(["./cat", "mine.jpg"]) == []


def test_every_technique_links_its_paper() -> None:
    for stem, technique in techniques():
        section = Section(stem, technique, [], [], "", True)
        assert all(address.startswith("https://") for _, address in section.papers), stem


# -- the page says what was measured ---------------------------------------------------------------


def _drawn(title: str, subject: Subject) -> tuple[list[Panel], str]:
    technique = next(technique for _, technique in techniques() if technique.title == title)
    parts = technique.draw(reference_course(), subject)
    sentences = [part for part in parts if isinstance(part, str)]
    return [part for part in parts if isinstance(part, Panel)], " ".join(sentences)


def test_of_the_default_pair_each_class_gets_its_own_place(network: Classifier) -> None:
    pair = make_subject(network, load_photo("cat"), load_photo("coffee"))
    assert pair.rgb.shape == (3, 224, 448) and not pair.halved
    chosen = tours._with_second_question(reference_course(), pair, {})
    assert {"cat", "espresso"} == {
        chosen.name().split()[-1],
        chosen.name(chosen.second).split()[-1],
    }
    assert "own place (rank correlation −0." in _drawn("Grad-CAM", chosen)[1]


def test_one_face_is_one_place(subject: Subject) -> None:
    chosen = tours._with_second_question(reference_course(), subject, {})
    assert 1 <= chosen.second < tours.LIKELY
    _, sentence = _drawn("Grad-CAM", chosen)
    assert "at the same place (rank correlation +0." in sentence
    # No other likely class has a map that is less like the first's.
    lesson, network = reference_course().l14_grad_cam, subject.classifier.network
    images = subject.images.expand(tours.LIKELY, -1, -1, -1)
    maps = lesson.grad_cam(network, "head", images, subject.ranking[: tours.LIKELY])
    alike = [rank_agreement(maps[0], other) for other in maps]
    assert alike[chosen.second] == min(alike)


def test_nothing_against_a_class_is_said_and_looks_like_nothing(subject: Subject) -> None:
    panels, _ = _drawn("Grad-CAM", subject)
    against = panels[2]
    assert against.caption == f"nothing speaks against “{subject.name()}”"
    assert "plain grey" in against.alt
    torch.testing.assert_close(against.image[0], against.image[2])


def test_maps_of_zeros_are_the_photo_in_grey_and_said(tmp_path: Path) -> None:
    classifier = _small()
    torch.nn.init.zeros_(classifier.network[-1].weight)
    subject = make_subject(classifier, load_photo("cat"))
    for title in ("Saliency", "Guided backpropagation", "Grad-CAM", "Guided Grad-CAM"):
        for panel in _drawn(title, subject)[0]:
            assert "nothing" in panel.caption or panel.caption == "SmoothGrad over the photo"
            assert panel.alt.startswith("The photo in")
            torch.testing.assert_close(panel.image[0], panel.image[2])
    with pytest.raises(Declined, match="zero everywhere"):
        _drawn("SmoothGrad", subject)


@pytest.mark.parametrize("cut_all", [True, False])
def test_the_cut_out_is_judged_by_what_the_network_answers(subject: Subject, cut_all: bool) -> None:
    from lessons.l11_saliency.tour import _what_the_cut_holds

    cut = torch.full(subject.rgb.shape[1:], cut_all)
    sentence = _what_the_cut_holds(subject, cut)
    assert ("still answers “tiger cat” (39.5 %)" in sentence) == cut_all
    assert ("not all that it needs" in sentence) != cut_all


def test_feature_maps_are_the_ones_that_vary(subject: Subject) -> None:
    panels, _ = _drawn("Feature maps", subject)
    assert [panel.caption.split(":")[0] for panel in panels] == [
        "Early", "A quarter in", "Halfway", "Late",
    ]  # fmt: skip
    for panel in panels:
        # Grey lines between the channels, and no channel of one colour between them.
        tile = (panel.image.shape[1] + 3) // 4
        assert (panel.image[:, tile - 3 : tile] == 0.5).all()
        assert panel.image[:, : tile - 3, : tile - 3].std() > 0.01


def test_a_picture_without_anything_in_it_has_a_true_page(
    network: Classifier, tmp_path: Path
) -> None:
    Image.new("RGB", (300, 300), (119, 119, 119)).save(tmp_path / "grey.png")
    made = tour(tmp_path / "grey.png", tmp_path / "page.html", "cpu", model=_small())
    assert made.failures == {}
    assert "Photos:" not in made.page.read_text(encoding="utf-8")


# -- techniques that cannot, and that fail ---------------------------------------------------------


def _technique(draw: Any, heatmap: Any = None) -> Technique:
    return Technique("New", "Is it there?", "Yes.", "No.", "Nobody 2026", draw, heatmap)


def _only(monkeypatch: pytest.MonkeyPatch, *listed: Technique) -> None:
    monkeypatch.setattr(tours, "techniques", lambda: iter([("l99_new", one) for one in listed]))


def test_a_technique_may_decline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def decline(*_: Any) -> Any:
        raise Declined("needs a network with wheels")

    _only(monkeypatch, _technique(decline, decline), _technique(_draw_one))
    made = tour("cat", tmp_path / "page.html", "cpu", model=_small())
    text = made.page.read_text(encoding="utf-8")
    assert "No picture here: the technique needs a network with wheels." in text
    assert "&lt;b&gt;caption" in text and made.failures == {} and made.picture is None


def test_a_technique_that_fails_costs_its_own_section_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("shape '[1]' is invalid\nand more")

    _only(monkeypatch, _technique(fail, fail), _technique(_draw_one))
    made = tour("cat", tmp_path / "page.html", "cpu", model=_small())
    text = made.page.read_text(encoding="utf-8")
    assert "New failed here (RuntimeError: shape &#39;[1]&#39; is invalid)" in text
    assert "and more" not in text and "&lt;b&gt;caption" in text
    assert set(made.failures) == {"New", "New, compared"}


def test_ctrl_c_leaves_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    _only(monkeypatch, _technique(_draw_one), _technique(stopped))
    with pytest.raises(KeyboardInterrupt):
        tour("cat", tmp_path / "page.html", "cpu", model=_small())
    assert list(tmp_path.iterdir()) == []


def test_more_than_two_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="one picture, or two side by side, not 3"):
        tour(["cat", "coffee", "rocket"], tmp_path / "page.html")


def test_two_files_of_ones_own_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, shade in (("a.png", "red"), ("b.png", "blue")):
        Image.new("RGB", (40, 30), shade).save(name)
    _only(monkeypatch, _technique(_draw_one))
    assert main(["tour", "a.png", "b.png", "--model", "scenes", "--out", "two.html"]) == 0
    assert "Open two.html" in capsys.readouterr().out
    first = re.search(r'width="(\d+)" height="(\d+)"', Path("two.html").read_text("utf-8"))
    assert first and int(first[1]) == 2 * int(first[2])


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(chromium() is None, reason="needs chromium and chromedriver")
def test_chromium_finds_nothing_wrong_in_both_schemes_wide_and_narrow(made: Tour) -> None:
    browser = Browser(made.page.parent)
    try:
        for scheme, light in (("light", True), ("dark", False)):
            for width in (1280, 360):
                browser.open(made.page.name, scheme, width)
                assert browser.violations() == [], (scheme, width)
                assert browser.ask("document.documentElement.scrollWidth") <= width
                loaded = "[...document.images].every(i => i.complete && i.naturalWidth)"
                assert browser.ask(loaded)
                page = browser.ask("getComputedStyle(document.body).backgroundColor")
                assert page == ("rgb(255, 255, 255)" if light else "rgb(30, 33, 41)")
        asked = [url for url in browser.asked() if not url.startswith("data:")]
        assert {url.rpartition("/")[2] for url in asked} <= {made.page.name, "about:blank", "blank"}
    finally:
        browser.close()


def _draw_one(course: Any, subject: Subject) -> list[Panel | str]:
    return [Panel(subject.rgb, "<b>caption</b>", 'an "alt"'), "What was measured."]


def test_a_new_technique_joins_by_registering(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    _only(monkeypatch, _technique(_draw_one))
    out = tmp_path / "page.html"
    seen: list[Any] = []

    def progress(items: Any) -> Any:
        for item in items:
            seen.append(item)
            yield item

    made = tour("coffee", out, device="cpu", progress=progress, model=_small())
    text = out.read_text(encoding="utf-8")
    assert list(made.seconds) == ["New"] and len(seen) == 1
    assert "Is it there?" in text and "its lesson is on the way" in text
    assert "Nobody 2026" in text and "What was measured." in text
    assert "<b>caption</b>" not in text and "&lt;b&gt;caption&lt;/b&gt;" in text


def test_small_pictures_are_blown_up_and_clear_ones_stay_clear() -> None:
    small, large = picture(torch.rand(3, 7, 7)), picture(torch.rand(3, 500, 900))
    assert re.match(r"data:image/jpeg;base64,[A-Za-z0-9+/=]+$", small.uri)
    assert (small.width, small.height) == (448, 448) and (large.width, large.height) == (900, 500)
    clear = picture(torch.zeros(4, 20, 30))
    data = base64.b64decode(clear.uri.removeprefix("data:image/webp;base64,"))
    assert Image.open(io.BytesIO(data)).getpixel((5, 5))[3] == 0


def test_bad_pictures_and_places_are_one_clear_line(tmp_path: Path, subject: Subject) -> None:
    with pytest.raises(UserError, match="nothing-here"):
        tour("nothing-here.jpg", tmp_path / "a.html")
    with pytest.raises(UserError):
        render(tmp_path, Survey(subject, [], [], [], {}, {}))


def test_site_and_tour_have_one_stylesheet(page: Path) -> None:
    shared = SHARED.read_text(encoding="utf-8")
    assert "--navy: " in shared and shared in page.read_text(encoding="utf-8")
    root = Path(__file__).resolve().parents[2]
    assert "assets/stylesheets/shared.css" in (root / "site/mkdocs.yml").read_text("utf-8")
    for sheet in (
        "site/docs/assets/stylesheets/convlens.css",
        "autograder/tour/templates/tour.css",
    ):
        own = (root / sheet).read_text(encoding="utf-8")
        assert "--navy: " not in own and "figcaption {" not in own and "light-dark(" not in own
