"""The notebook is nbgrader's: valid, stable, and released by the real nbgrader."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbgrader.nbgraderformat import MetadataValidator, reads
from workshop import STEM, Workshop

from autograder.build import products as build
from autograder.course.catalogue import landed_stems


def source_notebook(sample: Workshop) -> str:
    notebook = sample.ask(f"build.notebook_bytes(build.notebook('{STEM}', solved=True)).decode()")
    assert isinstance(notebook, str)
    return notebook


def by_grade_id(notebook: Any) -> dict[str, Any]:
    cells = (cell for cell in notebook["cells"] if "nbgrader" in cell["metadata"])
    return {cell["metadata"]["nbgrader"]["grade_id"]: cell for cell in cells}


@pytest.fixture(scope="module")
def notebooks(sample: Workshop) -> dict[str, str]:
    texts = {"student": (sample.lesson / "lesson.ipynb").read_text()}
    texts["source"] = source_notebook(sample)
    for stem in landed_stems():
        for solved in (False, True):
            name = f"{stem} {'source' if solved else 'student'}"
            texts[name] = build.notebook_bytes(build.notebook(stem, solved)).decode()
    return texts


def test_every_notebook_is_valid_for_jupyter_and_nbgrader(notebooks: dict[str, str]):
    for text in notebooks.values():
        notebook = reads(text, as_version=4)
        nbformat.validate(notebook)
        MetadataValidator().validate_nb(notebook)
        ids = [cell["id"] for cell in notebook["cells"]]
        assert len(set(ids)) == len(ids)
        assert all(cell.get("outputs", []) == [] for cell in notebook["cells"])
        assert len(text) < 300_000 and "base64" not in text


def test_the_cells_stand_in_the_order_of_the_story(notebooks: dict[str, str]):
    notebook = json.loads(notebooks["student"])
    assert [cell["id"] for cell in notebook["cells"]] == [
        "story-0", "given", "figure-1", "story-2", "twice", "twice-check", "cell-4", "expected-4",
        "story-5", "Counter", "Counter-check", "figure-7", "story-8",
    ]  # fmt: skip


def test_expected_output_is_folded_below_its_cell(notebooks: dict[str, str]):
    cells = {cell["id"]: cell for cell in json.loads(notebooks["student"])["cells"]}
    assert cells["expected-4"]["cell_type"] == "markdown"
    text = "".join(cells["expected-4"]["source"])
    assert text.startswith("<details><summary>Expected output</summary>\n\n````text\nwidth 3\n")


def test_solution_and_check_cells_are_nbgraders(notebooks: dict[str, str]):
    cells = by_grade_id(json.loads(notebooks["student"]))
    assert list(cells) == [
        f"{STEM}-given",
        f"{STEM}-twice", f"{STEM}-twice-check",
        f"{STEM}-Counter", f"{STEM}-Counter-check",
    ]  # fmt: skip
    given = cells[f"{STEM}-given"]
    assert given["metadata"]["nbgrader"]["locked"] and not given["metadata"]["editable"]
    assert "WIDTH = 3" in "".join(given["source"])
    twice = cells[f"{STEM}-twice"]["metadata"]["nbgrader"]
    assert twice["solution"] and not twice["grade"] and not twice["locked"]
    check = cells[f"{STEM}-Counter-check"]
    assert "".join(check["source"]) == "check(Counter)"
    assert (
        check["metadata"]["nbgrader"] | {"grade": True, "locked": True, "points": 1.5}
        == (check["metadata"]["nbgrader"])
    )


def test_the_solved_notebook_runs_from_top_to_bottom(sample: Workshop):
    cells = [c for c in json.loads(source_notebook(sample))["cells"] if c["cell_type"] == "code"]
    code = "\n\n".join("".join(cell["source"]) for cell in cells)
    future = "from __future__ import annotations\n"
    tools = "import autograder\nchecked = []\n"
    tools += "autograder.check = lambda exercise: checked.append(exercise.__name__)\n"
    end = "\nprint(checked, Counter(2).show(torch.ones(3)), show('l90_sample.bars') is not None)"
    done = sample.python(future + tools + code.replace(future, "") + end)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['twice', 'Counter'] 5 True"


def test_a_picture_before_its_exercise_is_the_references(sample: Workshop):
    stub = "def twice(x):\n    raise NotImplementedError('l90_sample.twice: not written yet')\n"
    for before in (stub, ""):
        done = sample.python(before + "from autograder import show\nshow('l90_sample.bars')")
        assert done.returncode == 0, done.stderr
        assert "Drawn by the reference. Write twice and run this cell again" in done.stdout
        assert str(sample.lesson / "pictures" / "bars.svg") in done.stdout


def test_nbgrader_releases_it(sample: Workshop, tmp_path: Path):
    source = tmp_path / "source" / STEM
    source.mkdir(parents=True)
    (source / "lesson.ipynb").write_text(source_notebook(sample))
    # nbgrader calls alembic by name, which a virtual environment that is not activated hides.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    command = ["generate_assignment", STEM, "--course-dir", str(tmp_path), "--create"]
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", *command],
        cwd=tmp_path,
        env={
            **os.environ,
            "PATH": path,
            "JUPYTER_CONFIG_DIR": str(tmp_path),
            "HOME": str(tmp_path),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    released = (tmp_path / "release" / STEM / "lesson.ipynb").read_text()
    ours = by_grade_id(json.loads((sample.lesson / "lesson.ipynb").read_text()))
    theirs = by_grade_id(json.loads(released))
    assert list(ours) == list(theirs)
    for grade_id, cell in theirs.items():
        mine = cell["metadata"]["nbgrader"]
        assert mine["schema_version"] == 3 and len(mine["checksum"]) == 32
        # The same stub, but for the message of the exception, which stock nbgrader cannot vary.
        first = "".join(ours[grade_id]["source"]).partition("raise NotImplementedError")[0]
        assert "".join(cell["source"]).startswith(first)
    assert "SOLUTION" not in released and "doubled_by_adding" not in released
