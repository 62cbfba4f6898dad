"""`check(...)` in a real kernel."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from autograder.course.reference import LessonSource, without_markers
from autograder.student.notebook import CheckFailed, check, show
from autograder.student.progress import Progress
from autograder.student.working_copy import WorkingCopy

STEM = "l11_saliency"


def run_cells(texts: list[str], folder: Path) -> list[list[Any]]:
    """The outputs of each cell, run one after another in one kernel."""
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    cells = [nbformat.v4.new_code_cell(text) for text in texts]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(
        notebook, allow_errors=True, timeout=300, resources={"metadata": {"path": str(folder)}}
    ).execute()
    return [cell.outputs for cell in notebook.cells]


@pytest.mark.slow
def test_a_kernel_shows_verdicts_and_nothing_on_standard_error(
    copy: WorkingCopy, source: LessonSource
) -> None:
    right = without_markers(source.chunk("saliency_map"))
    given = source.given() + "\nfrom autograder.student.notebook import check"
    a_class = (
        "class smooth_grad:\n    def __new__(cls, model, images, target, samples, noise, seed=0):\n"
        "        return None\n"
    )
    cells = {
        "given": given,
        "right": f"%matplotlib inline\n{right}\nsaliency_map",
        "passes": "check(saliency_map)",
        "wrong": right.replace("gradient.abs()", "gradient"),
        "fails": "check(saliency_map)",
        "stub": source.stub("smooth_grad"),
        "not written": "check(smooth_grad)",
        "a class": a_class,
        "class": "check(smooth_grad)",
        "a name": "check('saliency_map')",
        "a stranger": "check(len)",
        "in one cell": f"{right}\ncheck(saliency_map)",
        "exits": "def saliency_map(**_):\n    import os; os._exit(0)",
        "survives": "check(saliency_map)",
    }
    outputs = dict(zip(cells, run_cells(list(cells.values()), copy.root), strict=True))
    everything = [output for group in outputs.values() for output in group]
    assert not [o for o in everything if o.output_type == "stream" and o.name == "stderr"]

    (shown,) = outputs["passes"]
    assert "saliency_map passes: 4 of 4 points" in shown.data["text/html"]
    picture, failure = outputs["fails"]
    assert "image/png" in picture.data
    assert "with its sign" in failure.evalue
    assert "autograder" not in "".join(failure.traceback)
    assert "not written yet" in outputs["not written"][-1].evalue
    assert "returned None" in outputs["class"][-1].evalue
    assert "Give the function or class itself" in outputs["a name"][-1].evalue
    assert "There is no exercise called 'len'" in outputs["a stranger"][-1].evalue
    assert "passes" in outputs["in one cell"][-1].data["text/plain"]
    assert "ended its process" in outputs["survives"][-1].evalue
    errors = [output for output in everything if output.output_type == "error"]
    assert {error.ename for error in errors} == {"CheckFailed"}
    assert Progress(copy.state).of(f"{STEM}.saliency_map").get("ever_passed")


def test_a_failed_check_is_an_assertion_as_nbgrader_expects(copy: WorkingCopy) -> None:
    def saliency_map() -> None:
        """Not of the course's own making."""

    saliency_map.__code__ = compile("0", "nowhere", "eval")
    with pytest.raises(AssertionError, match="cannot be found"):
        check(saliency_map)
    assert issubclass(CheckFailed, AssertionError)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (check, "Give lesson and figure as one word"),
        ("l11_saliency.flickr", "There is no figure called 'flickr'. Did you mean flicker?"),
        ("saliency.nothing", "There is no figure called 'nothing'"),
        ("salency.flicker", "There is no lesson called 'salency'. Did you mean saliency?"),
        ("flicker", "There is no figure called 'flicker'. Did you mean saliency.flicker"),
    ],
)
def test_a_figure_that_is_not_there_is_one_sentence(given: Any, says: str) -> None:
    with pytest.raises(CheckFailed, match=re.escape(says)):
        show(given)


@pytest.mark.slow
def test_a_notebook_uses_the_file_beside_it_until_it_has_its_own(
    copy: WorkingCopy, source: LessonSource
) -> None:
    text = source.replaced("smooth_grad", source.stub("smooth_grad"))
    copy.exercises(STEM).write_text(text, encoding="utf-8")
    own = "def saliency_map(model, images, target):\n    return images.sum(1)\n"
    cells = {
        "given": source.given() + "\nfrom autograder import check, hint, show, solution",
        "stub": source.stub("saliency_map"),
        "check": "check(saliency_map)",
        "drawn": f'show("{STEM}.flicker")',
        "waits": f'show("{STEM}.smooth_wall")',
        "own": own,
        "check own": "check(saliency_map)",
        "stub again": source.stub("smooth_grad"),
        "not written": "check(smooth_grad)",
    }
    folder = copy.exercises(STEM).parent
    outputs = dict(zip(cells, run_cells(list(cells.values()), folder), strict=True))
    said = {name: "".join(o.get("text", "") for o in group) for name, group in outputs.items()}
    assert said["given"].startswith("From exercises.py, until they are written here: saliency_map,")
    assert said["stub"] == "Still a stub here, so exercises.py's own is used: saliency_map.\n"
    assert "passes: 4 of 4" in outputs["check"][-1].data["text/plain"]
    assert said["drawn"] == "" and "image/png" in outputs["drawn"][-1].data
    assert said["waits"].startswith("Drawn by the reference. Write smooth_grad and run")
    picture = outputs["waits"][-1]
    assert "image/png" in picture.data and picture.metadata["image/png"]["width"] > 300
    assert said["own"] == "" and "values below 0" in outputs["check own"][-1].evalue
    assert said["stub again"] == ""
    assert "`smooth_grad` is not written yet" in outputs["not written"][-1].evalue


@pytest.mark.slow
def test_a_graders_copy_of_a_notebook_is_lent_nothing(
    copy: WorkingCopy, source: LessonSource
) -> None:
    copy.exercises(STEM).write_text(source.bare(), encoding="utf-8")
    elsewhere = copy.root / "submitted" / "ada" / STEM
    elsewhere.mkdir(parents=True)
    cells = [
        source.given() + "\nfrom autograder import check, hint, show, solution",
        source.stub("saliency_map"),
        "check(saliency_map)",
    ]
    *quiet, last = run_cells(cells, elsewhere)
    assert quiet == [[], []] and "not written yet" in last[-1].evalue
