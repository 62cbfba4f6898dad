"""Reports of others' graders that concern reading, each handed in here and graded for real.

Where points went missing there, none do here; or the page says why a person must look.
"""

from __future__ import annotations

import copy
import io
import json
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from reading import read_submissions

from autograder.build.notebook import notebook_bytes
from autograder.build.products import notebook
from autograder.course.reference import read_lesson
from autograder.grading.class_run import Request, grade
from autograder.grading.report.results import StudentResult

pytestmark = [pytest.mark.sandbox, pytest.mark.slow]

STEM = "l11_saliency"
SOURCE = read_lesson(STEM)
TEXT = SOURCE.bare()
BOX = f"{STEM}-saliency_box"
WRONG = "def saliency_box(*_):\n    return None\n"


def solved() -> dict[str, Any]:
    return json.loads(notebook_bytes(notebook(STEM, solved=True)))


def grade_id(cell: dict[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def changed(change: Callable[[dict[str, Any]], object], which: str = STEM) -> bytes:
    """The solved notebook with some cells changed."""
    book = solved()
    for cell in book["cells"]:
        if grade_id(cell).startswith(which) and not grade_id(cell).endswith("-given"):
            change(cell)
    return json.dumps(book).encode()


def copied(later: str, earlier: str = "") -> bytes:
    book = solved()
    place = next(n for n, cell in enumerate(book["cells"]) if grade_id(cell) == BOX)
    other = copy.deepcopy(book["cells"][place])
    other["source"] = earlier or later
    book["cells"][place]["source"] = later
    book["cells"].insert(place, other)
    return json.dumps(book).encode()


def without_metadata() -> bytes:
    book = solved()
    book["metadata"] = {}
    for cell in book["cells"]:
        cell["metadata"] = {}
    return json.dumps(book).encode()


def without_checks() -> bytes:
    book = solved()
    book["cells"] = [cell for cell in book["cells"] if not grade_id(cell).endswith("-check")]
    return json.dumps(book).encode()


def dead_kernel(cell: dict[str, Any]) -> None:
    if cell["cell_type"] == "code":
        error = {"output_type": "error", "ename": "DeadKernel", "evalue": "\0", "traceback": ["\0"]}
        cell["outputs"] = [error]


def with_ends(end: str) -> bytes:
    def change(cell: dict[str, Any]) -> None:
        cell["source"] = "".join(cell["source"]).replace("\n", end)

    return changed(change)


def kind(name: str) -> bytes:
    return changed(lambda cell: cell.update(cell_type=name), BOX)


def of_format_3() -> bytes:
    with warnings.catch_warnings(action="ignore"):
        book = nbformat.convert(nbformat.reads(json.dumps(solved()), 4), 3)
    return json.dumps(book).encode()


def exported() -> bytes:
    """What `jupyter nbconvert --to script` writes."""
    nbconvert = pytest.importorskip("nbconvert")
    # Beside the package, not where this Python is, for environments in layers.
    templates = Path(nbconvert.__file__).parents[4] / "share/jupyter/nbconvert/templates"
    exporter = nbconvert.PythonExporter(extra_template_basedirs=[str(templates)])
    return exporter.from_notebook_node(nbformat.reads(json.dumps(solved()), 4))[0].encode()


def zipped(*files: tuple[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive, warnings.catch_warnings(action="ignore"):
        for name, data in files:
            archive.writestr(name, data)
    return file.getvalue()


RIGHT = SOURCE.chunk("saliency_box")
HOMELY = (
    "import cv2\nimport pandas as pd, einops\nfrom captum.attr import Saliency\n"
    "import torchvision, sklearn.manifold, scipy.ndimage, skimage.filters\nfrom tqdm import tqdm\n"
    "from PIL import Image\nfrom IPython.display import display\nimport matplotlib\n"
    "matplotlib.use('TkAgg')\nimport matplotlib.pyplot as plt\n"
    "from autograder import check, hint, show\n"
)
FULL = "full marks"

# Each report: the files handed in, and what becomes of them: full marks, with a note where its
# words are given; else the one exercise that costs, or the words of why nothing could be read.
REPORTS: dict[str, tuple[str, Callable[[], bytes], str, str]] = {
    "nbgrader 1083: a copied cell, the later one right": (
        "a.ipynb",
        lambda: copied(RIGHT, WRONG),
        FULL,
        "several cells that differ",
    ),
    "nbgrader 108: the same cell twice": ("b.ipynb", lambda: copied(RIGHT), FULL, ""),
    "nbgrader 424: metadata lost": ("c.ipynb", without_metadata, FULL, ""),
    "nbgrader 908: a cell turned into Markdown": (
        "d.ipynb",
        lambda: kind("markdown"),
        FULL,
        "of the kind markdown",
    ),
    "nbgrader 1941: a cell turned raw": ("e.ipynb", lambda: kind("raw"), FULL, "of the kind raw"),
    "nbgrader 1682: check cells deleted": ("f.ipynb", without_checks, FULL, ""),
    "nbgrader 427: the kernel died": ("g.ipynb", lambda: changed(dead_kernel), FULL, ""),
    "nbgrader 883: an old format": ("h.ipynb", of_format_3, FULL, ""),
    "nbgrader 1876, otter 905: modules missing": (
        "i.py",
        lambda: TEXT.replace("import torch\n", HOMELY + "import torch\n", 1).encode(),
        FULL,
        "",
    ),
    "grader-service 190: NUL in an output": ("j.ipynb", lambda: changed(dead_kernel), FULL, ""),
    "grader-service 190: NUL in a cell": (
        "k.ipynb",
        lambda: changed(lambda cell: cell.update(source=RIGHT + "# \0"), BOX),
        "saliency_box",
        "",
    ),
    "grader-service 190: NUL in a file": ("l.py", lambda: b"\0" + TEXT.encode(), "is not text", ""),
    "otter 380: Latin-1": ("m.py", lambda: (TEXT + "# é\n").encode("latin-1"), FULL, ""),
    "otter 524: UTF-16": ("n.py", lambda: TEXT.encode("utf-16"), FULL, ""),
    "otter 527: a mark and Windows line ends": (
        "o.py",
        lambda: b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode(),
        FULL,
        "",
    ),
    "carriage returns in cells": ("p.ipynb", lambda: with_ends("\r"), FULL, ""),
    "Windows line ends in cells": ("q.ipynb", lambda: with_ends("\r\n"), FULL, ""),
    "a notebook exported as a script": ("r.py", exported, FULL, ""),
    "a file with one syntax error": (
        "s.py",
        lambda: SOURCE.replaced("saliency_box", WRONG.replace(":", "", 1)).encode(),
        "saliency_box",
        "",
    ),
    "half in the file and half in the notebook": (
        "t.zip",
        lambda: zipped(
            (f"{STEM}/exercises.py", SOURCE.stubs().encode()),
            (f"{STEM}/lesson.ipynb", json.dumps(solved()).encode()),
        ),
        FULL,
        "",
    ),
    "a file that is in its archive twice": (
        "u.zip",
        lambda: zipped(("exercises.py", WRONG.encode()), ("exercises.py", TEXT.encode())),
        FULL,
        "there twice",
    ),
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> dict[str, StudentResult]:
    """One run over all reports."""

    inbox = tmp_path_factory.mktemp("in")
    for name, make, *_ in REPORTS.values():
        (inbox / name).write_bytes(make())
    run = grade(Request(inbox, tmp_path_factory.mktemp("out"), [STEM], 5, workers=1))
    return {row.student: row for row in run.rows}


@pytest.mark.parametrize("report", REPORTS)
def test_what_cost_points_elsewhere_costs_none_here(
    report: str, rows: dict[str, StudentResult], tmp_path: Path
) -> None:
    name, make, ends, noted = REPORTS[report]
    row = rows[name.partition(".")[0]]
    (tmp_path / name).write_bytes(make())
    (submission,) = read_submissions(tmp_path, [STEM])
    assert bool(noted) == bool(submission.notes) and noted in " ".join(submission.notes)
    lost = {e.id.partition(".")[2]: e.message for e in row.exercises if e.points != e.max_points}
    if ends == FULL:
        assert not lost and not submission.problems
    elif ends in SOURCE.exercises:
        assert set(lost) == {ends} and "SyntaxError" in lost[ends]
    else:
        assert row.status == "unusable" and ends in " ".join(submission.problems.values())
