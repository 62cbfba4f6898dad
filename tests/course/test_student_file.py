from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder.course import student_file
from autograder.course.reference import LessonSource
from autograder.course.student_file import BadSubmission, definitions, source_of, stems_in

STEM = "l11_saliency"


def cell(text: str, grade_id: str, solution: bool = True) -> dict[str, object]:
    meta = {"nbgrader": {"grade_id": grade_id, "solution": solution, "schema_version": 3}}
    return {"cell_type": "code", "metadata": meta, "source": text.splitlines(keepends=True)}


def notebook(*cells: object) -> bytes:
    return json.dumps({"cells": list(cells), "nbformat": 4, "metadata": {}}).encode()


@pytest.mark.parametrize(
    "data",
    [
        "# é\nx = 1\n".encode(),
        b"\xef\xbb\xbf" + "# é\nx = 1\n".encode(),
        "# é\nx = 1\n".encode("utf-16"),
        "# é\nx = 1\n".encode("latin-1"),
        "# é\r\nx = 1\r\n".encode(),
        "# é\rx = 1\r".encode(),
    ],
    ids=["utf-8", "mark", "utf-16", "latin-1", "windows", "old mac"],
)
def test_every_honest_encoding_is_read(data: bytes) -> None:
    assert source_of(data, "exercises.py", STEM) == "# é\nx = 1\n"


def test_a_declared_encoding_is_believed() -> None:
    data = "# -*- coding: cp1251 -*-\n# Ж\n".encode("cp1251")
    assert "Ж" in source_of(data, "exercises.py", STEM)


@pytest.mark.parametrize(
    ("data", "name", "reason"),
    [
        (b"", "exercises.py", "is empty"),
        (b" \n\t\n", "exercises.py", "is empty"),
        (b"\x00\x01\x02", "exercises.py", "is not text"),
        (b"x = 1", "exercises.txt", "is neither"),
        (b"", "lesson.ipynb", "is empty"),
        (b"{", "lesson.ipynb", "its JSON is broken"),
        (b"[" * 100_000, "lesson.ipynb", "its JSON is broken"),
        (b"[]", "lesson.ipynb", "has no cells"),
        (b'{"worksheets": []}', "lesson.ipynb", "an old format that cannot"),
        (b'{"cells": {}}', "lesson.ipynb", "has no cells"),
        (b'{"cells": [1, null, {"metadata": 3}]}', "lesson.ipynb", "no solution cell"),
        (b'{"cells": [{}' + b",{}" * 30_000 + b"]}", "lesson.ipynb", "has 30001 cells"),
    ],
)
def test_each_broken_file_has_its_reason(data: bytes, name: str, reason: str) -> None:
    with pytest.raises(BadSubmission) as caught:
        source_of(data, name, STEM)
    assert reason in caught.value.reason


def test_a_notebook_gives_its_solution_cells_in_the_given_code(source: LessonSource) -> None:
    data = notebook(
        cell("def saliency_box(saliency, quantile):\n    return 7\n", f"{STEM}-saliency_box"),
        cell("def saliency_map():\n    return 1\n", f"{STEM}-saliency_map"),
        cell("raise SystemExit", f"{STEM}-given", solution=False),
        cell("raise SystemExit", f"{STEM}-saliency_map-check", solution=False),
        cell("raise SystemExit", "l02_hooks-capture_activations"),
        {"cell_type": "code", "source": "raise SystemExit", "metadata": {}},
    )
    text = source_of(data, "lesson.ipynb", STEM)
    assert "SystemExit" not in text
    assert "import torch" in text
    assert text.index("def saliency_map") < text.index("def saliency_box")
    assert "smooth_grad" not in text
    compile(text, "lesson", "exec")
    assert stems_in(data, "lesson.ipynb") == ["l02_hooks", STEM]


@pytest.mark.parametrize(
    ("name", "most"), [("a.py", "LARGEST_SOURCE"), ("a.ipynb", "LARGEST_NOTEBOOK")]
)
def test_a_file_that_is_too_large_is_refused(
    name: str, most: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(student_file, most, 100)
    (tmp_path / name).write_bytes(b"x" * 101)
    with pytest.raises(BadSubmission, match="is too large"):
        student_file.read_bytes(tmp_path / name)


def test_only_what_belongs_to_a_notebook_is_dropped_from_a_cell() -> None:
    text = (
        "%load_ext autoreload\n"
        "import math\n"
        "def f(x):\n"
        "    print(x)\n"
        "    return (x\n"
        "            % 2)\n"
        "f(3)\n"
        "y = 2; print(y)\n"
        "!ls\n"
    )
    kept = definitions(text)
    scope: dict[str, object] = {}
    exec(kept, scope)
    assert scope["y"] == 2
    assert "\nf(3)" not in kept and "autoreload" not in kept
    assert kept.splitlines()[2] == "def f(x):"  # lines keep their numbers


def test_a_cell_with_a_syntax_error_is_left_for_the_worker_to_tell() -> None:
    assert definitions("def f(:\n  pass") == "def f(:\n  pass"
