"""Pages: nothing of a submission runs in them, nothing hidden stands on them, all can read them."""

from __future__ import annotations

import base64
import hashlib
import io
import re
import sys
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import torch
from classroom import (
    HOSTILE_TEXT,
    SHOUT,
    STEM,
    OwnSandbox,
    grade_here,
    hand_in,
    raising,
    small_class,
)
from torch import Tensor

from autograder.checks import lesson
from autograder.course.catalogue import landed_stems
from autograder.course.mistakes import shared_words, words
from autograder.course.reference import ROOT, read_lesson
from autograder.grading.report import write_pages
from autograder.grading.report.classroom import difficulties, histogram, meaning
from autograder.grading.report.page import number, prose
from autograder.grading.report.results import ExerciseResult, StudentResult
from autograder.grading.run.lacking import explained
from autograder.judge.expected import Expectation
from autograder.judge.seeds import PUBLIC_SEED
from autograder.judge.words import SIDE_EFFECTS
from autograder.plain_text import plain_line

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "build" / "site"))
from browser import Browser, chromium

SEED = 5
RECORD: dict[str, Any] = {
    "versions": {"convlens": "0.1.0"},
    "seed_hash": "5eed",
    "isolation": "none",
    "isolation_reasons": [SHOUT],
    "limits": {"cpu_factor": 1.0, "memory_bytes": 2**30},
    "course": "abc",
}
MADE = {STEM: {"origin": SHOUT, "sha256": "", "course": "abc", "isolation": "none"}}
NAMES = [exercise.name for exercise in lesson(STEM).exercises]


def hostile_row(student: str, status: str = "graded") -> StudentResult:
    """A row whose every text is an attack; as `collect` would hand it on, made plain or not."""
    outcomes = ["failed", "error", "timeout", status if status != "graded" else "ungraded"]
    texts = [SHOUT, HOSTILE_TEXT, "`" + SHOUT + "`", plain_line(HOSTILE_TEXT)]
    exercises = tuple(
        ExerciseResult(
            id=f"{STEM}.{name}",
            outcome=outcome,
            points=None if outcome in ("ungraded", "unread") else 1.0,
            max_points=4.0,
            diagnosis=SHOUT if outcome == "failed" else None,
            message=text,
            case=SHOUT,
        )
        for name, outcome, text in zip(NAMES[:4], outcomes, texts, strict=True)
    )
    exercises = (replace(exercises[0], given=0.5, note=SHOUT), *exercises[1:])
    unnamed = {exercises[0].id: {"form": "0", "numbers": [1.0], "code": f"{HOSTILE_TEXT}</pre>"}}
    return StudentResult(student, exercises, MADE, notes=(SHOUT,), unnamed=unnamed)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("hostile")
    rows = [hostile_row("ada"), hostile_row("한 글#?&", "ungraded"), hostile_row("kim", "unread")]
    write_pages(out, rows, RECORD)
    return out


@pytest.fixture(scope="module")
def real(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real")
    inbox = small_class(folder / "in")
    hand_in(inbox, "jan", raising("str(images.flatten().tolist()) + str(model(images))"))
    grade_here(inbox, folder / "out", seed=SEED)
    grade_here(inbox, folder / "other", seed=SEED + 1)
    return folder


def pages(out: Path) -> dict[str, str]:
    found = {p.relative_to(out).as_posix(): p.read_text("utf-8") for p in out.rglob("*.html")}
    assert len(found) > 3
    return found


def test_every_student_has_a_page_and_the_class_has_one(real: Path):
    assert sorted(pages(real / "out")) == [
        "class.html",
        *(
            f"feedback/{student}/index.html"
            for student in ("ada", "bob", "cem", "eva", "hui", "jan")
        ),
    ]


def test_no_element_comes_from_a_submission(hostile: Path):
    for name, text in pages(hostile).items():
        tags = {tag.lower() for tag in re.findall(r"<([a-zA-Z][\w-]*)", text)}
        assert not tags & {"script", "img", "iframe", "object", "embed", "form", "link", "a "}, name
        assert text.count("</style>") == 1 and " onerror=" not in re.sub(r">[^<]*<", "><", text)


def test_code_of_a_submission_is_shown_as_text(hostile: Path):
    code = re.search(r"<pre tabindex=\"0\"><code>(.*?)</code></pre>", pages(hostile)["class.html"])[
        1
    ]
    assert code.startswith("&lt;script&gt;") and len(unescape(code)) == 120


def test_the_policy_allows_this_style_and_nothing_else(hostile: Path):
    for text in pages(hostile).values():
        policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1])
        style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        assert policy == (
            f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; "
            "base-uri 'none'; form-action 'none'"
        )
        assert text.index("Content-Security-Policy") < text.index("<title>")
        assert " style=" not in text.partition("</style>")[2]


def test_a_page_asks_nothing_of_anyone(real: Path):
    for text in pages(real / "out").values():
        assert set(re.findall(r'src="(.{10})', text)) <= {"data:image"}
        assert "http" not in re.sub(r"http-equiv", "", text)


def test_a_failure_shows_its_sentence_hint_command_and_picture(real: Path):
    text = pages(real / "out")["feedback/cem/index.html"]
    assert "Softmax probabilities were used" in text
    assert lesson(STEM).exercise("saliency_map").hints[0].split("`")[0] in unescape(text)
    assert "convlens check saliency.saliency_map" in text
    assert text.count('src="data:image/png;base64,') == 3
    assert "<strong>13</strong> of 17 points" in text


def test_a_passed_exercise_shows_no_hint(real: Path):
    text = pages(real / "out")["feedback/ada/index.html"]
    assert "Hint" not in text and "data:image" not in text.partition("</head>")[2]


def test_a_file_that_does_not_load_says_so_once(real: Path):
    text = pages(real / "out")["feedback/hui/index.html"]
    assert text.count("hui.py” is empty") == 1


def test_a_crash_gets_the_command_and_no_hint_about_the_idea(real: Path):
    text = pages(real / "out")["feedback/jan/index.html"]
    assert "convlens check saliency.saliency_map" in text and 'class="hint"' not in text
    assert 'class="hint"' in pages(real / "out")["feedback/cem/index.html"]


def pictures(text: str) -> list[str]:
    return re.findall(r'src="(data:[^"]*)"', text)


def test_pictures_are_of_public_cases_whatever_the_seed(real: Path):
    one, other = pages(real / "out"), pages(real / "other")
    assert pictures(one["feedback/cem/index.html"])
    for name in one:
        assert pictures(one[name]) == pictures(other[name])


def test_the_picture_of_expected_values_is_the_public_reference(real: Path):
    from PIL import Image

    from lessons.toolkit.plots import colour

    _, shown, _ = pictures(pages(real / "out")["feedback/cem/index.html"])
    image = Image.open(io.BytesIO(base64.b64decode(shown.partition(",")[2])))
    expected = Expectation(STEM, lesson(STEM).exercise("saliency_map")).records["two images"]
    drawn = [(255 * colour(value)).round().byte() for value in expected["value"]]
    pixels = torch.tensor(list(image.get_flattened_data())).view(*image.size[::-1], 3)
    assert any(torch.equal(pixels.permute(2, 0, 1), one) for one in drawn)


def _pixels(seed: int) -> Tensor:
    """The first case's image under a seed."""
    expectation = Expectation(STEM, lesson(STEM).exercise("saliency_map"), seed)
    return next(iter(expectation.cases.values())).inputs["images"].flatten()[:6]


def test_no_hidden_number_stands_in_a_report(real: Path):
    raw = (real / "out" / "results.json").read_text("utf-8")
    told = [f"{value:.4f}".lstrip("-")[:-1] for value in _pixels(PUBLIC_SEED).tolist()]
    assert all(number in raw for number in told)  # the attack did reach the sentence
    expectation = Expectation(STEM, lesson(STEM).exercise("saliency_map"), SEED)
    case = next(iter(expectation.cases))
    hidden = _pixels(SEED).tolist()
    hidden += expectation.records[case]["value"].flatten()[:200].tolist()
    secret = {f"{value:.4f}".lstrip("-")[:-1] for value in hidden if abs(value) > 0.01}
    for name, text in {**pages(real / "out"), "results.json": raw}.items():
        visible = re.sub(r'src="data:[^"]*"|<style>.*?</style>', "", text, flags=re.DOTALL)
        assert [number for number in secret - set(told) if number in visible] == [], name


BYTES = "images.flatten()[:6].numpy().tobytes()"
SPELL = f"''.join(chr(97 + b // 16) + chr(97 + b % 16) for b in {BYTES})"
SPELLERS = {
    "message": f"    raise ValueError({SPELL})\n",
    "class": f"    raise type({SPELL}, (Exception,), {{}})('no')\n",
    "returned": f"    return type({SPELL}, (), {{}})()\n",
    "key": f"    return {{{SPELL}: images}}\n",
    "stub": f"    raise NotImplementedError('l11_saliency.' + {SPELL} + ': not written yet')\n",
    # Says something only where it is not on the public inputs.
    "choosy": f"    if {SPELL} != PUBLIC: raise ValueError({SPELL})\n    return images[:, 0]\n",
}


def test_no_hidden_input_leaves_spelt_in_letters(tmp_path: Path):
    def spelt(seed: int) -> str:
        data = _pixels(seed).numpy().tobytes()
        return "".join(chr(97 + byte // 16) + chr(97 + byte % 16) for byte in data)

    for name, body in SPELLERS.items():
        body = body.replace("PUBLIC", repr(spelt(PUBLIC_SEED)))
        source = f"def saliency_map(model, images, target):\n{body}"
        hand_in(tmp_path / "in", name, read_lesson(STEM).replaced("saliency_map", source))
    grade_here(tmp_path / "in", tmp_path / "out", seed=SEED)
    written = pages(tmp_path / "out") | {
        name: (tmp_path / "out" / name).read_text() for name in ("results.json", "grades.csv")
    }
    for name, text in written.items():
        assert spelt(SEED)[:12] not in text, name
    for name in ("message", "class"):  # what is said on public inputs may be read
        assert spelt(PUBLIC_SEED)[:12] in written[f"feedback/{name}/index.html"]
    choosy = written["feedback/choosy/index.html"]
    assert "ValueError" not in choosy  # it is what it is on the public inputs: a wrong value


def test_pages_are_the_same_for_every_run(real: Path, tmp_path: Path):
    grade_here(real / "in", tmp_path / "again", seed=SEED)
    assert pages(tmp_path / "again") == pages(real / "out")


def test_an_ungraded_student_reads_that_it_is_not_their_fault(tmp_path: Path):
    inbox = small_class(tmp_path / "in")
    grade_here(inbox, tmp_path / "out", OwnSandbox(fault="No fork at /srv/secret: 0.12345."))
    text = pages(tmp_path / "out")["feedback/ada/index.html"]
    assert "no fault of yours" in " ".join(text.split()) and "/srv/secret" not in text
    assert "/srv/secret" in pages(tmp_path / "out")["class.html"]


def test_the_class_page_counts_each_known_mistake(real: Path):
    text = pages(real / "out")["class.html"]
    assert "softmax target: Softmax probabilities were used" in text
    assert "1</b> × <code>saliency_box</code>" in text
    assert 'class="h5">1</td>' in text


def test_a_class_without_isolation_is_told(hostile: Path, real: Path):
    assert "ran unprotected" in pages(hostile)["class.html"]
    assert "ran unprotected" not in pages(real / "out")["class.html"]


def test_an_empty_class_has_a_page(tmp_path: Path):
    write_pages(tmp_path, [], {**RECORD, "isolation": "landlock"})
    assert "0 students" in (tmp_path / "class.html").read_text()


def test_prose_marks_names_and_escapes_the_rest():
    assert prose("`a<b` & `c") == "<code>a&lt;b</code> &amp; `c"
    assert prose("```<i>") == "<code></code>`&lt;i&gt;"
    assert prose("") == ""


def test_points_are_clean():
    assert [number(value) for value in (0.0, 10.0, 2.5, 3.333)] == ["0", "10", "2.5", "3.33"]


needs_browser = pytest.mark.skipif(chromium() is None, reason="needs chromium and chromedriver")


@pytest.fixture(scope="module")
def browser(hostile: Path, real: Path) -> Iterator[Browser]:
    (hostile / "real").symlink_to(real / "out")
    opened = Browser(hostile)
    yield opened
    opened.close()


def addresses(hostile: Path) -> list[str]:
    return [
        quote(name) for name in [*pages(hostile), *(f"real/{n}" for n in pages(hostile / "real"))]
    ]


@pytest.mark.browser
@pytest.mark.slow
@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_in_chromium_nothing_runs_nothing_is_asked_and_axe_is_silent(
    browser: Browser, hostile: Path, scheme: str
):
    browser.asked()
    browser.driver.get_log("browser")
    for page in addresses(hostile):
        for width in (1280, 390):
            browser.open(page, scheme, width)
            assert browser.driver.title.endswith("ConvLens")
            assert browser.ask("document.scripts.length") == 0
            assert browser.ask("document.documentElement.scrollWidth <= innerWidth")
            loud = [e for e in browser.driver.get_log("browser") if "favicon" not in e["message"]]
            assert loud == []
            assert browser.violations() == [], (page, width)
    asked = {url.partition("?")[0] for url in browser.asked()}
    ours = {browser.home + page for page in addresses(hostile)}
    assert {u for u in asked if u.startswith("http")} <= ours | {browser.home + "favicon.ico"}


@pytest.mark.browser
@pytest.mark.slow
@needs_browser
def test_in_chromium_the_policy_holds_where_escaping_would_fail(browser: Browser, hostile: Path):
    text = (hostile / "class.html").read_text("utf-8")
    for name, head in [("closed", text), ("open", re.sub(r"<meta http-equiv[^>]*>", "", text))]:
        (hostile / f"{name}.htm").write_text(head.replace("<main>", f"<main>{SHOUT}"), "utf-8")
    browser.open("open.htm")
    assert browser.driver.title == "ran"
    browser.open("closed.htm")
    assert browser.driver.title.endswith("ConvLens")
    browser.driver.get_log("browser")


def test_what_nobody_tried_is_not_called_hard(tmp_path: Path):
    def row(student: str, outcome: str) -> StudentResult:
        tried = ExerciseResult(f"{STEM}.{NAMES[0]}", outcome, 0.0, 4.0)
        untried = ExerciseResult(f"{STEM}.{NAMES[1]}", "not_attempted", 0.0, 4.0)
        return StudentResult(student, (tried, untried))

    rows = [row("ada", "failed"), row("bob", "not_attempted")]
    assert [hard.id for hard in difficulties(rows)] == [f"{STEM}.{NAMES[0]}"]
    write_pages(tmp_path, rows, RECORD)
    assert "Hardest exercises" in (tmp_path / "class.html").read_text()
    write_pages(tmp_path, [row("bob", "not_attempted")], RECORD)
    assert "Hardest exercises" not in (tmp_path / "class.html").read_text()


def test_a_meaning_names_what_stands_in_the_reference():
    told = meaning(f"{STEM}.saliency_map", "mean_taken")
    assert told == "A mean was taken, not the largest magnitude over the channels."
    for stem in landed_stems():
        for exercise in lesson(stem).exercises:
            for mistake in exercise.anchored:
                assert "{name}" not in meaning(f"{stem}.{exercise.name}", mistake.id)


def test_no_meaning_says_its_mistakes_name_again_or_itself_twice():
    """Every id that a verdict can carry, in every exercise of the course."""
    ladder = (ROOT / "autograder" / "judge" / "ladder.py").read_text("utf-8")
    codes = set(re.findall(r'"([a-z]+(?:_[a-z]+)+)"', ladder)) | {*SIDE_EFFECTS, *shared_words()}
    told = 0
    for stem in landed_stems():
        for exercise in lesson(stem).exercises:
            head = re.search(r"def \w+\((.*?)\)", read_lesson(stem).chunk(exercise.name), re.DOTALL)
            own = {f"{name}_ignored" for name in re.findall(r"\b[a-z_]+(?=:)", head[1])}
            own |= {mistake.id for mistake in words(stem, exercise.name).mistakes}
            for mistake in codes | own:
                says = meaning(f"{stem}.{exercise.name}", mistake)
                plain = re.sub(r"[\W_]+", " ", says).strip().casefold()
                assert plain != mistake.replace("_", " "), (exercise.name, mistake)
                sentences = [part for part in re.split(r"(?<=[.:?])\s", says.casefold()) if part]
                assert len(set(sentences)) == len(sentences), (mistake, says)
                told += bool(says)
    assert told > 1000


def test_what_has_no_points_counts_in_no_picture_of_the_class():
    def row(student: str, outcome: str, points: float | None) -> StudentResult:
        tried = ExerciseResult(f"{STEM}.{NAMES[0]}", outcome, points, 4.0)
        return StudentResult(student, (tried,))

    rows = [row("ada", "passed", 4.0), row("bob", "unread", None), row("cem", "ungraded", None)]
    (hard,) = difficulties(rows)
    assert (hard.graded, hard.passed, hard.share) == (1, 1, 1.0)
    assert [bar.count for bar in histogram(rows)] == [0] * 9 + [1]


def test_what_was_not_read_or_was_stopped_is_listed_for_a_person_with_its_reason(tmp_path: Path):
    def row(student: str, outcome: str, why: str) -> StudentResult:
        points = None if outcome == "unread" else 0.0
        first = ExerciseResult(f"{STEM}.{NAMES[0]}", outcome, points, 4.0, message=why)
        other = ExerciseResult(f"{STEM}.{NAMES[1]}", "passed", 4.0, 4.0)
        return StudentResult(student, (first, other))

    missing = explained("It does not load: it raised ModuleNotFoundError: No module named 'cv2'.")
    rows = [row("ada", "timeout", "It was stopped."), row("bob", "unread", "“x.py” is torn.")]
    rows.append(row("cia", "error", missing))
    assert all(one.needs_person for one in rows)
    assert not row("dia", "error", "It raised ValueError.").needs_person
    write_pages(tmp_path, rows, RECORD)
    text = (tmp_path / "class.html").read_text("utf-8")
    for reason in ("It was stopped.", "“x.py” is torn."):
        assert f"{STEM}.{NAMES[0]}: {reason}" in text
    assert "“x.py” is torn." in (tmp_path / "feedback" / "bob" / "index.html").read_text("utf-8")
