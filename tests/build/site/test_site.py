"""The built site: complete, strict, light, and sealed."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from workshop import STEM, Workshop

from autograder.build.leaks import secret_lines
from autograder.build.site import links
from autograder.build.site.course import read_course
from autograder.build.site.figures import INK_BY_DAY, INK_BY_NIGHT, MAPS
from autograder.build.site.links import papers, unresolved
from autograder.build.site.look import loads, look_over
from autograder.build.site.pages import glossary, techniques, terminal
from autograder.build.site.write import write_pages
from autograder.cli.main import main
from autograder.course.catalogue import landed_stems
from autograder.course.mistakes import words
from autograder.course.reference import ROOT, read_lesson
from autograder.course.story import story_path
from lessons.toolkit.errors import UserError
from lessons.toolkit.plots import INK


@pytest.fixture(scope="session")
def built(sample: Workshop) -> Path:
    """The site of the sample lesson."""
    sample.ask("str(site.build_site('public'))")
    return sample.root / "public"


@pytest.fixture(scope="session")
def page(built: Path) -> str:
    return (built / "lessons" / STEM / "index.html").read_text()


@pytest.mark.slow
def test_the_courses_own_site_builds_strictly_and_has_no_fault(course_site: Path):
    assert look_over(course_site) == []


@pytest.mark.slow
def test_every_link_and_anchor_leads_somewhere(course_site: Path):
    pages = {path: path.read_text() for path in course_site.rglob("*.html")}
    ids = {path: set(re.findall(r' id="([^"]+)"', text)) for path, text in pages.items()}
    lost, count = [], 0
    for page, text in pages.items():
        base = f"/{page.relative_to(course_site).as_posix()}"
        for link in re.findall(r'<a [^>]*?href="([^"]*)"', text):
            url = urlsplit(urljoin(f"http://127.0.0.1:8000{base}", unescape(link)))
            if url.netloc != "127.0.0.1:8000":
                continue
            there = course_site / unquote(url.path).lstrip("/")
            there = there / "index.html" if there.is_dir() else there
            anchor = unquote(url.fragment)
            count += 1
            found = there.is_file() and (not anchor or anchor in ids.get(there, {anchor}))
            lost += [] if found else [f"{base}: {link}"]
    assert count > 1000 and not lost


@pytest.mark.slow
def test_no_solution_is_on_the_public_site_and_no_hint_in_its_search(course_site: Path):
    docs = json.loads((course_site / "search" / "search_index.json").read_text())["docs"]
    found = plain("\n".join(f"{doc['title']}\n{doc['text']}" for doc in docs))
    pages = "\n".join(path.read_text() for path in course_site.rglob("*.html"))
    pages, folded = re.subn(r'<section class="folded".*?</section>', "", pages, flags=re.DOTALL)
    stems = landed_stems()
    names = [(stem, name) for stem in stems for name in read_lesson(stem).exercises]
    assert folded == len(names)
    # A story, an author's example or the wrong answer of home may take a step of a solution.
    public = [terminal.WRONG]
    public += [path.read_text() for path in (ROOT / "site" / "docs").rglob("*.md")]
    public += [story_path(stem).read_text() for stem in stems]
    public = "\n".join([*public, *(read_lesson(stem).stubs() for stem in stems)])
    shown = found + plain(pages)
    secret = {line for stem in stems for line in secret_lines(stem) if line not in public}
    assert len(secret) > 800
    assert not [line for line in secret if line in shown]

    hints = "\n".join(hint for place in names for hint in words(*place).hints)
    hidden = {part for part in re.split(r"[`*$\n]+", hints) if len(part) > 25}
    assert len(hidden) > 300
    assert not [part for part in hidden if part in found and part not in public]


def plain(html: str) -> str:
    """The words of a page."""
    return unescape(re.sub(r"<[^>]*>", "", html))


@pytest.mark.slow
@pytest.mark.parametrize("stem", landed_stems())
def test_every_paper_that_a_lesson_names_is_known_and_linked(stem: str, course_site: Path):
    text = story_path(stem).read_text(encoding="utf-8").split("---", 2)[2]
    assert unresolved(text) == []
    page = (course_site / "lessons" / stem / "index.html").read_text()
    readings = page[page.index('id="readings"') :].partition("</ul>")[0]
    printed = [paper.title for paper in papers() if paper.printed]
    for entry in readings.split("<li>")[1:]:
        assert 'href="https://' in entry or any(title in entry for title in printed), entry


def test_papers_have_an_address_or_say_where_they_are_printed():
    for paper in papers():
        assert bool(paper.url) != bool(paper.printed), paper.title
        assert paper.url.startswith("https://") or not paper.url
    assert len({paper.title for paper in papers()}) == len(papers()) > 70
    story = "As Nobody and Noone (1999) say.\n\n## Readings\n\n- X, *Nothing at all*."
    assert unresolved(story) == ["Nobody and Noone (1999)", "*Nothing at all*"]


@pytest.mark.slow
def test_every_lesson_says_what_one_can_now_and_leads_on(course_site: Path):
    stems = landed_stems()
    for stem, following in zip(stems, [*stems[1:], None], strict=True):
        page = (course_site / "lessons" / stem / "index.html").read_text()
        assert 'id="you-can-now"' in page, stem
        last = page[page.index('id="you-can-now"') : page.index('id="readings"')]
        assert "?" in last, stem
        link = r'<a href="\.\./(\w+)/" class="md-footer__link md-footer__link--next'
        onward = re.search(link, page)
        assert (onward and onward[1]) == following, stem


def test_a_check_of_the_site_says_what_goes_on_and_how_it_ended(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def check(say: Callable[[str], None]) -> list[str]:
        say("Building the site ...")
        return []

    monkeypatch.setattr("autograder.build.site.make.check_site", check)
    assert main(["site", "--check"]) == 0
    out, err = capsys.readouterr()
    assert out == "The site builds, and nothing is wrong with it.\n"
    assert err == "Reading the lessons ...\nBuilding the site ...\n"
    faults = ["index.html: x.png has no alt text", "index.html: x.png is not there"]
    monkeypatch.setattr("autograder.build.site.make.check_site", lambda say: faults)
    assert main(["site", "--check"]) == 1
    assert capsys.readouterr().out.splitlines() == [*faults, "2 things are wrong."]


def test_pages_say_where_they_are_and_a_place_that_cannot_be_is_refused_in_a_line(
    workshop: Workshop, tmp_path: Path
):
    pages, file = tmp_path / "pages", tmp_path / "thesis.doc"
    file.write_text("mine")
    run = "from autograder.cli.main import main; main(['site', {!r}, {!r}])"
    done = workshop.python(run.format("--pages", str(pages)))
    assert done.stdout == f"The pages are in {pages}. Build them there: mkdocs build\n"
    for option in ("--pages", "--out"):
        done = workshop.python(run.format(option, str(file / "inside")))
        said = [line for line in done.stderr.splitlines() if not line.endswith(" ...")]
        assert said == [
            f"{file / 'inside'}: Not a directory.",
            "Check the path and its permissions.",
        ]
        assert file.read_text() == "mine"


@pytest.mark.parametrize("option", [[], ["--check"], ["--out", "site"], ["--pages", "pages"]])
def test_without_mkdocs_it_says_what_to_install(
    option: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    for name in ("mkdocs", "material", "yaml"):
        monkeypatch.setitem(sys.modules, name, None)
    for memory in (links.papers, glossary.glossary, techniques.entries):
        memory.cache_clear()
    monkeypatch.chdir(tmp_path)
    assert main(["site", *option]) == 2
    *_, said, next_step = capsys.readouterr().err.splitlines()
    assert said.startswith("The site needs ")
    assert next_step == 'Install it: pip install -e ".[site]"'


def test_every_landed_lesson_is_reached_from_home_and_index(built: Path):
    for page, link in (("index.html", f"lessons/{STEM}/"), ("lessons/index.html", f"{STEM}/")):
        assert f'href="{link}"' in (built / page).read_text()
    assert STEM not in landed_stems()


def test_the_page_holds_stub_hints_and_check(page: str):
    box = page[page.index('id="twice"') : page.index('id="Counter"')]
    order = [
        "NotImplementedError",
        "Hint 1</summary>",
        "Hint 3</summary>",
        "Check it:",
        "convlens<",
    ]
    places = [box.index(part) for part in order]
    assert places == sorted(places)
    assert "<details open" not in box


def test_a_solution_is_on_the_instructors_pages_only(workshop: Workshop, page: str):
    assert "doubled_by_adding" not in page and "BEGIN SOLUTION" not in page
    workshop.ask("str(site.build_site('public', solutions=True))")
    theirs = (workshop.root / "public" / "lessons" / STEM / "index.html").read_text()
    box = theirs[theirs.index('id="twice"') : theirs.index('id="Counter"')]
    assert box.index("The solution</summary>") < box.index("doubled_by_adding")
    found = json.loads((workshop.root / "public" / "search" / "search_index.json").read_text())
    assert not [d for d in found["docs"] if "doubled_by_adding" in d["text"]]


def test_pages_are_written_once_and_what_is_gone_is_removed(tmp_path: Path):
    folder, course = tmp_path / "pages", read_course()
    write_pages(folder, course)
    home, lost = folder / "docs" / "index.md", folder / "docs" / "lost.md"
    written = home.stat().st_mtime_ns
    lost.write_text("gone")
    write_pages(folder, course)
    assert home.stat().st_mtime_ns == written and not lost.exists()
    (tmp_path / "thesis.doc").write_text("mine")
    with pytest.raises(UserError, match="something else"):
        write_pages(tmp_path, course)
    assert (tmp_path / "thesis.doc").exists()


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["properdocs", "zensical"])
def test_another_engine_builds_the_same_pages(engine: str, course_site: Path, tmp_path: Path):
    """Material for MkDocs ends in May 2027; the pages shall outlive it."""
    pytest.importorskip(engine)
    write_pages(tmp_path, read_course())
    command = [Path(sys.executable).parent / engine, "build", "--strict", "-f", "mkdocs.yml"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    lost = []
    for page in sorted(course_site.rglob("*.html")):
        name = page.relative_to(course_site)
        other = tmp_path / "public" / name
        theirs = other.read_text() if other.is_file() else ""
        gone = marks(page.read_text(), str(name)) - marks(theirs, str(name))
        lost += [f"{name}: {mark}" for mark in gone]
    if engine == "zensical" and (done.returncode or lost):
        warnings.warn(f"Zensical loses {lost[:5]} {done.stdout[-300:]}", stacklevel=1)
        return
    assert done.returncode == 0, done.stdout + done.stderr
    assert not lost


def marks(html: str, page: str) -> set[str]:
    """What another engine may lose: anchors, links that were Markdown's, pictures and formulas."""
    article = html.partition("<article")[2].partition("</article>")[0]
    found = {unescape(text) for text in re.findall(r' (id="[^"]+|alt="[^"]+)', article)}
    links = re.findall(r'<a [^>]*href="([^"]*#[^"]*)"', article)
    found |= {urljoin(f"/{page}", unescape(link)) for link in links}
    return found | {
        f"{tag} x {article.count(tag)}" for tag in ("<math", "<details", "<img", "<abbr")
    }


def test_cells_show_what_they_print(page: str):
    assert "Output</span>" in page
    output = page[page.index("Output</span>") :]
    assert "width 3\ntensor([2., 2.])" in re.sub(r"<[^>]*>", "", output)[:200]


def test_pictures_are_drawn_by_the_reference_with_text_and_size(page: str, built: Path):
    images = re.findall(r"<img [^>]*>", page)
    assert [re.search(r'src="([^"]*)"', image)[1] for image in images] == [
        "bars.svg#only-light",
        "bars.dark.svg#only-dark",
        "noise.1.webp",
        "noise.2.webp",
    ]
    assert 'alt="Two bars: the left one is twice as tall as the right one"' in images[0]
    for image in images:
        width, height = (
            int(re.search(rf'{side}="(\d+)"', image)[1]) for side in ("width", "height")
        )
        assert 100 < height <= width < 900
    assert ['alt="noise"' in images[2], 'alt="twice"' in images[3]] == [True, True]
    assert all('loading="lazy"' in image for image in images)
    day, night = ((built / "lessons" / STEM / f"bars{n}.svg").read_text() for n in ("", ".dark"))
    assert INK_BY_DAY in day and INK_BY_NIGHT in night and INK not in day + night
    assert (built / "lessons" / STEM / "noise.1.webp").read_bytes()[8:12] == b"WEBP"


def test_a_grid_has_its_titles_and_its_words_as_text_and_its_maps_as_data(page: str, built: Path):
    grid = page[page.index('<figure class="panels"') :]
    grid = grid[: grid.index("</figure>")]
    text = " ".join(re.sub("<[^>]*>", " ", grid).split())
    assert text == "A square of coloured noise, and one of its channels beside it noise twice"
    assert 'style="--columns: 2; --phone: 2"' in grid
    data = built / MAPS / f"{STEM}.noise.js"
    name, _, values = data.read_text().partition(" = ")
    assert name == f'live.data["{STEM}.noise"]' and len(json.loads(values)["maps"]) == 1
    assert f'data-live="heatmaps" data-of="{STEM}.noise"' in page


def test_home_shows_a_figure_of_a_lesson(built: Path):
    home = (built / "index.html").read_text()
    assert re.search(rf'<img [^>]*src="lessons/{STEM}/bars.svg#only-light" width="\d+"', home)
    assert "<figcaption>" in home and "pictures/" not in home


def test_home_cannot_ask_for_a_figure_that_no_lesson_shows(workshop: Workshop):
    workshop.edit(workshop.home, "pictures/bars.", "pictures/stars.")
    (line,) = workshop.ask("site.check_site()")
    assert f"the figure {STEM}.stars, which no landed lesson shows" in line


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("lesson.md", "noise.webp", "nose.webp", "no function called nose"),
        ("lesson.md", "## Readings", "[gone](gone.md)", "gone.md"),
        ("lesson.md", "## Readings", "[gone](#gone)", "gone"),
        ("../../site/docs/about.md", "# About", "![A cat](lost.png)\n\n# About", "lost.png"),
    ],
)
def test_a_mistake_in_a_lesson_stops_the_build(
    workshop: Workshop, file: str, old: str, new: str, says: str
):
    workshop.edit(workshop.lesson / file, old, new)
    (line,) = workshop.ask("site.check_site()")
    assert says in line


def test_a_figure_that_is_not_drawn_stops_the_build(workshop: Workshop):
    next(workshop.lesson.glob("pictures/noise.*")).unlink()
    (line,) = workshop.ask("site.check_site()")
    assert f"lessons/{STEM}: the figure noise has not been drawn" in line


def test_a_folded_answer_is_folded_on_the_page(page: str):
    fold = page[page.index('<summary>Why "squares') :].partition("</details>")[0]
    assert "Because of this:" in fold and "folded: not run" in re.sub(r"<[^>]*>", "", fold)


def test_nothing_is_wrong_with_the_sample(built: Path):
    assert look_over(built) == []


@pytest.mark.parametrize(
    ("extra", "says"),
    [
        (
            '<script src="https://cdn.example/a.js"></script>',
            "would ask another host for https://cdn",
        ),
        ('<link rel="stylesheet" href="//fonts.example/a.css">', "another host for http://fonts"),
        ('<p style="background: url(https://example.org/a.png)">', "another host"),
        ('<link rel="stylesheet" href="away.css">', "another host for https://example.org/f.woff2"),
        ('<img src="bars.svg" width="1" height="1">', "no alt text"),
        ('<img src="bars.svg" alt="Two bars">', "no width and height"),
        ('<img src="lost.svg" alt="Two bars" width="1" height="1">', "lost.svg is not there"),
    ],
)
def test_a_fault_of_a_page_is_seen(tmp_path: Path, extra: str, says: str):
    (tmp_path / "bars.svg").write_text("<svg/>")
    (tmp_path / "away.css").write_text("@font-face{src:url(https://example.org/f.woff2)}")
    (tmp_path / "index.html").write_text(f"<html><body>{extra}</body></html>")
    (line,) = look_over(tmp_path)
    assert says in line


def test_a_link_that_is_clicked_is_no_request(tmp_path: Path):
    (tmp_path / "index.html").write_text('<a href="https://arxiv.org/abs/1312.6034">paper</a>')
    assert look_over(tmp_path) == []


def test_what_a_page_loads_is_known(built: Path):
    page = built / "lessons" / STEM / "index.html"
    local, away = loads(page, built)
    names = {path.name for path in local}
    assert {"convlens.css", "pages.js", "bars.svg", "noise.1.webp"} <= names
    assert not any("katex" in name for name in names) and away == []


def test_the_check_on_home_is_run_again_only_when_its_sources_have_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    runs: list[int] = []
    monkeypatch.setattr(terminal, "KEPT", tmp_path / "kept.json")
    monkeypatch.setattr(terminal, "_checked", lambda: runs.append(1) or f"run {len(runs)}")
    said = terminal.said.__wrapped__  # as another process would ask
    assert [said(), said()] == ["run 1", "run 1"]
    kept = json.loads(terminal.KEPT.read_text())
    terminal.KEPT.write_text(json.dumps({**kept, "from": "other sources"}))
    assert [said(), said()] == ["run 2", "run 2"]
    terminal.KEPT.write_text("half of a fi")
    assert said() == "run 3"


@pytest.fixture
def served(workshop: Workshop) -> Iterator[Served]:
    """The sample's site as a person serves it, in a process of its own."""
    server = Served(workshop)
    yield server
    server.process.kill()
    server.process.communicate()


class Served:
    """`convlens site` on a free port, and what it says."""

    def __init__(self, workshop: Workshop) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.process = self.start(workshop)

    def start(self, workshop: Workshop) -> subprocess.Popen[str]:
        """Start it, on the same port."""
        return subprocess.Popen(
            [sys.executable, "-m", "autograder.cli.main", "site", "--port", str(self.port)],
            cwd=workshop.root,
            env={**os.environ, "PYTHONPATH": str(workshop.root), "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Tests that run in the background of a shell would hand on that Ctrl-C is ignored.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def line(self) -> str:
        """The next line of its output."""
        return self.process.stdout.readline().strip()

    def page(self, name: str) -> str:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/{name}") as answer:
            return answer.read().decode()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals of a POSIX terminal")
def test_the_site_is_served_and_follows_its_sources(workshop: Workshop, served: Served):
    address = f"http://127.0.0.1:{served.port}/"
    assert served.line() == f"The site is at {address} and follows its sources. Ctrl-C ends."
    assert "<h1" in served.page("")

    taken = served.start(workshop).communicate()
    assert taken[0] == "" and taken[1].splitlines()[-2:] == [
        f"Port {served.port} cannot be served: Address already in use.",
        f"Name another one: convlens site --port {served.port + 1}",
    ]

    story = workshop.lesson / "lesson.md"
    whole = story.read_text()
    story.write_text(whole.replace("noise.webp", "noi.webp"))
    assert served.line().startswith(f"The site stays as it was. lessons/{STEM}/lesson.md: ")
    assert "NotImplementedError" in served.page(f"lessons/{STEM}/")
    story.write_text(whole.replace("## Readings", "And a sentence.\n\n## Readings"))
    assert re.fullmatch(r"The site has followed an edit, in [\d.]+ s\.", served.line())
    assert "And a sentence." in served.page(f"lessons/{STEM}/")

    served.process.send_signal(signal.SIGINT)
    out, err = served.process.communicate(timeout=30)
    assert served.process.returncode == 130 and out == ""
    told = err.splitlines()
    assert told[:3] == ["Reading the lessons ...", "Writing the pages ...", "Building the site ..."]
    assert told[-1] == "Stopped." and not [line for line in told if "Traceback" in line]
