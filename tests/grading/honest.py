"""Right work as students really hand it in: in many shapes, with many imports at its top."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from classroom import STEM

from autograder.build.products import notebook
from autograder.course.reference import for_students, read_lesson, without_markers

# What stands at the top of the file, or in a cell before the first exercise.
IMPORTS = {
    "as given": "",
    "pyplot": "import matplotlib.pyplot as plt\nplt.rcParams['figure.figsize'] = (4, 4)\n",
    "a backend": "import matplotlib\nmatplotlib.use('TkAgg')\nimport matplotlib.pyplot as plt\n",
    "the course's packages": (
        "import numpy as np\nfrom PIL import Image\nimport scipy.ndimage\nimport torchvision\n"
        "from skimage import filters\nfrom sklearn.manifold import TSNE\nfrom tqdm import tqdm\n"
    ),
    "packages that are not there": (
        "import cv2\nimport pandas as pd\nimport seaborn.objects as so\n"
        "from plotly import express\n"
    ),
    "the notebook's own": "from autograder import check, hint, show, solution\n",
}

Shape = Callable[[Path, str, str], None]


def _cells(header: str) -> dict[str, Any]:
    """A notebook with the reference's cells, and the header in the first of them."""
    made = notebook(STEM)
    source = read_lesson(STEM)
    first = True
    for cell in made["cells"]:
        ids = cell["metadata"].get("nbgrader", {})
        if ids.get("solution"):
            name = ids["grade_id"].removeprefix(f"{STEM}-")
            text = for_students(without_markers(source.chunk(name))).strip()
            cell["source"] = f"{header}{text}" if first else text
            first = False
    return made


def _python(header: str, source: str | None = None) -> str:
    """A lesson's file with the header after its docstring and its `from __future__`."""
    text = read_lesson(STEM).bare() if source is None else source
    future = "from __future__ import annotations\n"
    before, found, after = text.partition(future)
    assert found
    return before + found + header + after


def _script(header: str, mark: str) -> str:
    """What an export of a notebook to Python makes of it."""
    parts = ["#!/usr/bin/env python", "# coding: utf-8", ""]
    for number, cell in enumerate(_cells(header)["cells"]):
        text = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append("\n".join(f"# {line}" for line in text.splitlines()))
        else:
            parts.append(mark.format(number=number))
            parts.append(text)
        if number == 1:
            parts.append("get_ipython().run_line_magic('matplotlib', 'inline')")
    return "\n\n\n".join(parts) + "\n"


def folder(inbox: Path, student: str, header: str) -> None:
    """`ada/l11_saliency/exercises.py`."""
    place = inbox / student / STEM / "exercises.py"
    place.parent.mkdir(parents=True)
    place.write_text(_python(header), encoding="utf-8")


def zipped(inbox: Path, student: str, header: str) -> None:
    """`ada.zip`, with a folder in a folder."""
    with zipfile.ZipFile(inbox / f"{student}.zip", "w") as archive:
        archive.writestr(f"work/lessons/{STEM}/exercises.py", _python(header))


def tarred(inbox: Path, student: str, header: str) -> None:
    """`ada.tar.gz`."""
    data = _python(header).encode()
    with tarfile.open(inbox / f"{student}.tar.gz", "w:gz") as archive:
        entry = tarfile.TarInfo(f"{STEM}/exercises.py")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))


def windows(inbox: Path, student: str, header: str) -> None:
    """`ada.py` with a byte-order mark and Windows line ends."""
    text = _python(header).replace("\n", "\r\n")
    (inbox / f"{student}.py").write_bytes(b"\xef\xbb\xbf" + text.encode())


def cells(inbox: Path, student: str, header: str) -> None:
    """`ada.ipynb`."""
    (inbox / f"{student}.ipynb").write_text(json.dumps(_cells(header)), encoding="utf-8")


def bare_cells(inbox: Path, student: str, header: str) -> None:
    """A notebook that lost its metadata, with an empty copy of each cell before it."""
    made = _cells(header)
    stubs = [dict(cell) for cell in notebook(STEM)["cells"] if "solution" in str(cell["metadata"])]
    made["cells"] = [
        {"cell_type": c["cell_type"], "metadata": {}, "source": c["source"], "outputs": []}
        for c in [*stubs, *made["cells"]]
    ]
    (inbox / f"{student}.ipynb").write_text(json.dumps(made), encoding="utf-8")


def exported(inbox: Path, student: str, header: str) -> None:
    """A notebook exported as Python by Jupyter."""
    (inbox / f"{student}.py").write_text(_script(header, "# In[{number}]:"), encoding="utf-8")


def percent(inbox: Path, student: str, header: str) -> None:
    """A notebook exported as Python by an editor."""
    (inbox / f"{student}.py").write_text(_script(header, "# %%"), encoding="utf-8")


def halves(inbox: Path, student: str, header: str) -> None:
    """Half of the work in the file and half in the notebook."""
    place = inbox / student / STEM
    place.mkdir(parents=True)
    source = read_lesson(STEM)
    names = list(source.exercises)
    text = source.bare()
    for name in names[: len(names) // 2]:
        whole = for_students(without_markers(source.chunk(name)))
        assert whole in text
        text = text.replace(whole, source.stub(name))
    (place / "exercises.py").write_text(_python(header, text), encoding="utf-8")
    made = _cells(header)
    stubs = {f"{STEM}-{name}": source.stub(name) for name in names[len(names) // 2 :]}
    for cell in made["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if grade_id in stubs:
            cell["source"] = stubs[grade_id].strip()
    (place / "lesson.ipynb").write_text(json.dumps(made), encoding="utf-8")


def copies(inbox: Path, student: str, header: str) -> None:
    """A browser's second download beside the stubs."""
    place = inbox / student / STEM
    place.mkdir(parents=True)
    (place / "exercises.py").write_text(read_lesson(STEM).stubs(), encoding="utf-8")
    (place / "exercises (1).py").write_text(_python(header), encoding="utf-8")


SHAPES: dict[str, Shape] = {
    shape.__name__: shape
    for shape in (
        *(folder, zipped, tarred, windows, cells, bare_cells, exported, percent, halves, copies),
    )
}


def hand_in_honestly(inbox: Path, count: int) -> list[str]:
    """Write a class of right work in every shape with every sort of import; return who it is."""
    inbox.mkdir(parents=True, exist_ok=True)
    shapes, imports = list(SHAPES), list(IMPORTS)
    students = []
    for number in range(count):
        # Ten and six share a factor: the second count moves on once a round of the first.
        shape = shapes[number % len(shapes)]
        header = imports[(number + number // len(shapes)) % len(imports)]
        student = f"{number:03}-{shape}-{header.replace(' ', '-').replace(chr(39), '')}"
        # A line of their own, so that no two files are one to the cache.
        SHAPES[shape](inbox, student, f"{IMPORTS[header]}MINE = {number}\n")
        students.append(student)
    return students
