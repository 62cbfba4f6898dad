"""`check(...)` in a real kernel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autograder.course.reference import LessonSource, without_markers
from autograder.student.notebook import CheckFailed, check
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
