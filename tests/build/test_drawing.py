"""Pictures and outputs: drawn once, drawn again when a source changes, and true."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from workshop import STEM, Workshop

from autograder.build.drawing import render
from autograder.course.catalogue import landed_stems
from autograder.course.story import read_story, same_output


def drift(workshop: Workshop) -> list[str]:
    imports = "__import__('autograder.build.drawing', fromlist=['drawing'])"
    found = workshop.ask(f"{imports}.drawing_problems('{STEM}')")
    assert isinstance(found, list)
    return found


def drawn(workshop: Workshop) -> dict[str, int]:
    workshop.ask("build.run(draw=True)")
    return {path.name: path.stat().st_mtime_ns for path in workshop.lesson.glob("pictures/*")}


def test_a_drawn_lesson_is_complete(sample: Workshop):
    assert drift(sample) == []
    record = json.loads((sample.lesson / "pictures" / "drawn.json").read_text())
    assert list(record["figures"]) == ["bars", "noise"]
    for data in record["figures"].values():
        assert (sample.lesson / "pictures" / data["file"]).stat().st_size > 500
        assert 100 < data["height"] <= data["width"] < 900
    assert "panels" not in record["figures"]["bars"]
    assert record["figures"]["noise"]["panels"]["titles"] == ["noise", "twice"]
    maps = json.loads((sample.lesson / "pictures" / "noise.maps.json").read_text())["maps"]
    assert [(one["height"], one["step"]) for one in maps] == [(3, 0.015748)]
    story = (sample.lesson / "lesson.md").read_text()
    assert "```output\nwidth 3\ntensor([2., 2.])\n```" in story


@pytest.mark.parametrize(
    "file",
    ["lessons/l90_sample/figures.py", "lessons/toolkit/regions.py", "solutions/l89_given.py"],
)
def test_another_line_of_a_source_is_drift(workshop: Workshop, file: str):
    assert drift(workshop) == []
    path = workshop.root / file
    path.write_bytes(path.read_bytes() + b"\nOTHER = 1\n")
    (line,) = drift(workshop)
    assert "drawn from other sources" in line and "`convlens build sample --draw`" in line


def test_prose_words_versions_and_line_ends_are_no_drift(workshop: Workshop):
    story = workshop.lesson / "lesson.md"
    workshop.edit(story, "Which of them", "Which one of them")
    for path in (workshop.lesson / "figures.py", workshop.root / "lessons/toolkit/plots.py"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"# other words\r\n")
    (workshop.root / "lessons/toolkit/weights/OTHER_CARD.md").write_text("Other words.")
    other = "import importlib.metadata as m, matplotlib, torch; m.version = lambda name: '99'; "
    other += "matplotlib.__version__ = torch.__version__ = '99'; "
    code = f"from autograder.build.drawing import drawing_problems as p; print(p('{STEM}'))"
    assert workshop.python(other + code).stdout == "[]\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("torch.ones(2)", "torch.ones(1)"),
        ("tensor([2., 2.])", "tensor([3., 3.])"),
        ("pictures/noise.webp", "pictures/noise.png"),
    ],
)
def test_a_cell_an_output_or_a_link_is_drift_and_draws_no_figure(
    workshop: Workshop, old: str, new: str
):
    before = drawn(workshop)
    workshop.edit(workshop.lesson / "lesson.md", old, new)
    (line,) = drift(workshop)
    assert "`convlens build sample --draw`" in line
    after = drawn(workshop)
    assert drift(workshop) == []
    assert {k: v for k, v in after.items() if k != "drawn.json"} == {
        k: v for k, v in before.items() if k != "drawn.json"
    }
    text = (workshop.lesson / "lesson.md").read_text()
    assert "tensor([2.])" in text if "ones(1)" in text else "tensor([2., 2.])" in text
    assert "pictures/noise.webp" in text


def test_maps_that_are_gone_are_missed(workshop: Workshop):
    assert drift(workshop) == []
    (workshop.lesson / "pictures" / "noise.maps.json").unlink()
    (line,) = drift(workshop)
    assert "noise has not been drawn" in line
    drawn(workshop)
    assert drift(workshop) == []


def test_a_figure_that_left_the_story_leaves_the_folder(workshop: Workshop):
    story = workshop.lesson / "lesson.md"
    text = story.read_text()
    story.write_text(re.sub(r"!\[A square[^\n]*\n", "", text))
    assert list(drawn(workshop)) == ["bars.svg", "drawn.json"] and drift(workshop) == []


def test_a_table_is_measured_with_the_figures_and_missed_when_it_is_gone(workshop: Workshop):
    figures = workshop.lesson / "figures.py"
    measured = "lambda course: {'name': course.l90_sample.twice.__name__}"
    figures.write_text(figures.read_text() + f"\nTABLES = {{'names': {measured}}}\n")
    table = workshop.lesson / "pictures" / "names.json"
    for _ in range(2):
        assert "names.json" in drawn(workshop) and drift(workshop) == []
        assert json.loads(table.read_text()) == {"name": "twice"}
        table.unlink()
        (line,) = drift(workshop)
        assert "names.json has not been measured" in line


@pytest.mark.parametrize(
    ("file", "old", "new", "says"),
    [
        ("lesson.md", "twice(torch.ones(2))", "WIDTH / 0", "cell 1 fails: line 2: ZeroDivision"),
        ("figures.py", "course.l90_sample.twice(picture[0])", "nothing", "figure noise: NameError"),
    ],
)
def test_what_cannot_be_drawn_is_said_and_nothing_is_written(
    workshop: Workshop, file: str, old: str, new: str, says: str
):
    workshop.edit(workshop.lesson / file, old, new)
    before = {path: path.read_bytes() for path in workshop.lesson.rglob("*.*")}
    done = workshop.python("import autograder.build.products as b; b.run(draw=True)")
    assert "UserError" in done.stderr and says in done.stderr
    assert {path: path.read_bytes() for path in workshop.lesson.rglob("*.*")} == before


# Of every third lesson. Of all of them it is known that no source and no output has changed since
# they were drawn (`test_build`), which is when their cells ran.
@pytest.mark.slow
@pytest.mark.parametrize("stem", landed_stems()[::3])
def test_the_outputs_of_the_stories_are_what_their_cells_print(stem: str, tmp_path: Path):
    story = read_story(stem)
    request = {"figures": [], "cells": {"lesson.md": list(story.cells)}}
    made = render(stem, tmp_path, request)["cells"]["lesson.md"]
    for cell, output in zip(story.cell_blocks, made, strict=True):
        assert same_output(cell.output, output), f"{cell.output}\n\n{output}"
