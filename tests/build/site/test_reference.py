"""The generated pages say what their sources say, link to what is there, and give nothing away."""

from __future__ import annotations

import hashlib
import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest
import typer
from click import Context

from autograder.build.leaks import secret_lines
from autograder.build.site.course import Course, read_course
from autograder.build.site.pages import (
    commands,
    glossary,
    models,
    paper_list,
    techniques,
    wrong,
)
from autograder.build.site.write import SETTINGS
from autograder.course.mistakes import shared_words, words
from autograder.course.reference import ROOT
from lessons.toolkit.photos import PHOTOS

COMPARISON = ROOT / "lessons" / "l15_debugging" / "pictures" / "comparison.json"


@pytest.fixture(scope="module")
def course() -> Course:
    return read_course()


@pytest.fixture(scope="module")
def page(course: Course) -> str:
    return str(techniques.pages(course)["techniques.md"])


def rows(page: str, first: str) -> list[list[str]]:
    """Cells of the table whose head begins with a word."""
    _, table = page.split(f"| {first} |", 1)
    lines = table.split("\n\n")[0].splitlines()[2:]
    return [line.strip("| ").split(" | ") for line in lines]


# The map of techniques


def test_each_number_of_the_comparison_is_the_one_that_was_measured(page: str):
    measured = {m["name"]: m for m in json.loads(COMPARISON.read_text())["methods"]}
    names = {f"{e.name}": e.measured["name"] for e in techniques.entries() if e.measured}
    found = {}
    for cells in rows(page, "technique"):
        name = names[re.match(r"\[(.+?)\]", cells[0])[1]]
        number = [
            [float(part.replace("−", "-")) for part in cell.split(" <br>")] for cell in cells[5:7]
        ]
        found[name] = number
        photo, scenes = measured[name]["photo"], measured[name]["scenes"]
        assert number[0] == [photo["two classes"], scenes["two classes"]], name
        assert number[1] == [photo["random weights"], scenes["random weights"]], name
        hit = float(cells[7].removesuffix("\u00a0%")) / 100
        assert hit == pytest.approx(scenes["pointing game"], abs=0.0051), name
        time = 0.0 if cells[8] == "< 0.01" else float(cells[8])
        assert time == pytest.approx(photo["time"], abs=0.01), name
    assert found.keys() == measured.keys()


def test_a_change_of_the_data_changes_the_page(page: str, monkeypatch: pytest.MonkeyPatch):
    changed = json.loads(COMPARISON.read_text())
    changed["methods"][0]["photo"]["two classes"] = 0.123
    monkeypatch.setattr(techniques, "data", lambda: changed)
    techniques.entries.cache_clear()
    try:
        (entry, *_) = [e for e in techniques.entries() if e.measured]
        assert techniques.cells(entry)[5].startswith("+0.123 ")
        assert "+0.123" not in page
    finally:
        monkeypatch.undo()
        techniques.entries.cache_clear()


def test_the_map_shows_every_technique_once_and_leads_to_its_heading(page: str, course: Course):
    exercises = {
        f"lessons/{lesson.stem}.md#{each.name}"
        for lesson in course.lessons
        for each in lesson.record.exercises
    }
    shown = [entry for entry in techniques.entries() if entry.on_map]
    for kind in ("wide", "narrow"):
        (drawing,) = re.findall(rf'<figure class="drawing map {kind}".*?</figure>', page)
        links = re.findall(r'<a href="([^"]+)" class="technique"', drawing)
        assert sorted(links) == sorted(entry.page for entry in shown)
        assert set(links) <= exercises
    told = {(stem, technique.title) for stem, technique in techniques.techniques()}
    text = techniques.RECORDS.read_text()
    unnamed = {title for _, title in told if f"tour: {title}\n" not in text}
    assert unnamed == {"SmoothGrad"}  # on the tour it cuts an object out; the map says what it is


def test_nothing_of_the_map_lies_over_something_else(page: str):
    for drawing in re.findall(r"<figure class=\"drawing map.*?</figure>", page):
        width = float(re.search(r'viewBox="0 0 (\d+)', drawing)[1])
        boxes = [
            tuple(float(n) for n in found)
            for found in re.findall(
                r'<rect x="([\d.]+)" y="([\d.]+)" width="([\d.]+)" height="([\d.]+)"', drawing
            )
        ]
        assert len(boxes) > 20 and all(x + w <= width for x, _, w, _ in boxes)
        for x, text in re.findall(r'<text class="asks" x="([\d.]+)"[^>]*>([^<]*)', drawing):
            assert float(x) + techniques.text_width(text) <= width, text
        for number, (x, y, w, h) in enumerate(boxes):
            for a, b, c, d in boxes[number + 1 :]:
                assert x + w <= a or a + c <= x or y + h <= b or b + d <= y


def test_lessons_need_what_their_stories_say(course: Course):
    needs = {lesson.entry.number: techniques.needed(lesson) for lesson in course.lessons}
    assert needs[1] == [] and needs[3] == [2] and needs[8] == [1, 2, 7]
    assert needs[15] == [10, 11, 12, 13, 14]


# Reference


def test_each_word_has_a_korean_term_and_a_place(course: Course):
    words_of = glossary.glossary()
    headings = {}
    for lesson in course.lessons:
        names = {each.name for each in lesson.record.exercises}
        headings[lesson.stem] = names
    for word in words_of:
        assert re.search(r"[가-힣]", word.ko), word.term
        stem, _, place = word.at.partition(".")
        assert stem in headings and (not place or place in headings[stem]), word.term
    assert len({word.anchor for word in words_of}) == len(words_of) > 50
    assert glossary.abbreviations()["Grad-CAM"] == "gradient-weighted class activation map"


def test_commands_are_those_of_the_program(course: Course):
    from autograder.cli.main import app

    text = str(commands.pages(course)[commands.PLACE])
    program: Any = typer.main.get_command(app)
    for name, command in program.commands.items():
        part = text.partition(f"## `convlens {name}`\n")[2].partition("\n## ")[0]
        assert part, name
        for option in command.get_params(Context(command)):
            if option.param_type_name == "option" and not option.hidden:
                assert option.opts[-1] in part, (name, option.name)


def test_models_and_photos_are_those_that_ship(course: Course):
    text = str(models.pages(course)[models.PLACE])
    for file in sorted(models.FOLDER.glob("*.safetensors")):
        sha = hashlib.sha256(file.read_bytes()).hexdigest()
        assert f"`{file.stem}`" in text and f"`{sha[:12]}`" in text
        assert file.stem in models.CARDS
    for name, photo in PHOTOS.items():
        assert f"| `{name}` | {photo.credit} | {photo.licence} |" in text


def test_papers_lead_back_to_the_lessons_that_read_them(course: Course):
    text = str(paper_list.pages(course)[paper_list.PLACE])
    (line,) = [line for line in text.splitlines() if "Sanity Checks for Saliency Maps" in line]
    assert "https://arxiv.org/abs/1810.03292" in line and "l15_debugging.md#readings" in line


# Instructors


def test_every_mistake_is_told_and_no_solution(course: Course):
    text = str(wrong.pages(course)[wrong.PLACE])
    plain = text.replace("\\", "")
    for lesson in course.lessons:
        for exercise in lesson.record.exercises:
            anchor = f"{{ #{lesson.stem}-{exercise.name} }}"
            part = plain.partition(anchor)[2].partition("\n### ")[0]
            for mistake in words(lesson.stem, exercise.name).mistakes:
                assert f"`{mistake.id}`" in part, (lesson.stem, exercise.name)
                if mistake.id not in shared_words():
                    assert mistake.says.replace("\\", "") in part
                for right, _ in mistake.edits:
                    assert len(right) < 12 or right not in part, (mistake.id, right)
        lines = {line.strip("-* `") for line in plain.splitlines()}
        assert not lines & set(secret_lines(lesson.stem))
        # A line that is no more than a name, such as an exercise's own, is public.
        secret = [line for line in secret_lines(lesson.stem) if re.search(r"\W", line)]
        assert secret and not [line for line in secret if line in plain]


def test_the_threats_are_those_of_the_attacks():
    attacks = runpy.run_path(str(ROOT / "tests" / "attacks" / "catalogue.py"))["ATTACKS"]
    text = (ROOT / "site" / "docs" / "threats.md").read_text()
    table = text.partition("## While it runs")[2].partition("## ")[0]
    told = {line.split(" | ")[0].strip("| ") for line in table.splitlines() if " | " in line}
    assert told - {"what it tries"} == {attack.kind for attack in attacks}


def test_the_changelog_is_the_repositorys_and_names_this_version():
    version = re.search(r'^version = "(.*)"', (ROOT / "pyproject.toml").read_text(), re.M)[1]
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.M)


def test_pages_of_the_reference_are_in_the_navigation():
    settings = SETTINGS.read_text()
    for module in (commands, glossary, models, paper_list, techniques, wrong):
        assert f": {module.PLACE}\n" in settings
    assert Path(ROOT / "site" / "docs" / "threats.md").exists()
