"""Work is found in the cells of a notebook, whatever became of them on the way."""

from __future__ import annotations

import contextlib
import json
import random
from typing import Any

import pytest

from autograder.course.reference import read_lesson
from autograder.course.student_file import (
    BROKEN,
    OPEN,
    UNTOUCHED,
    WORKED,
    BadSubmission,
    source_of,
    standings,
    stems_in,
    work_of,
)

STEM = "l11_saliency"
ID = f"{STEM}-saliency_map"
STUB = read_lesson(STEM).stub("saliency_map")
BROKEN_CELL = "def saliency_map(model:\n    return 9\n"


def maker(result: str) -> str:
    return f"def saliency_map(model, images, target):\n    return {result}\n"


def cell(text: str, grade_id: str = "", kind: str = "code") -> dict[str, Any]:
    meta = {"nbgrader": {"grade_id": grade_id, "solution": True}} if grade_id else {}
    return {"cell_type": kind, "metadata": meta, "source": text}


def notebook(*cells: dict[str, Any]) -> bytes:
    return json.dumps({"cells": list(cells), "nbformat": 4, "metadata": {}}).encode()


@pytest.mark.parametrize(
    ("cells", "noted"),
    [
        ([cell(maker("1"), ID), cell(maker("2"), ID)], True),
        ([cell(maker("2"), ID), cell(maker("2"), ID)], False),
        ([cell(maker("2") + "# mine\n", ID), cell(maker("2"), ID)], False),
        ([cell(maker("2"), ID), cell(STUB, ID)], False),
        ([cell(STUB, ID), cell(maker("2"), ID)], False),
        ([cell(maker("2"), ID), cell(BROKEN_CELL, ID)], True),
        ([cell(maker("2"))], False),
        ([cell(maker("1")), cell(maker("2"))], True),
        ([cell(STUB, ID), cell(maker("2"))], False),
        # An id says which cell counts; what stands elsewhere was a try.
        ([cell(maker("2"), ID), cell(maker("1"))], True),
        ([cell(maker("2"), kind="markdown")], True),
        ([cell(maker("2"), ID, kind="raw")], True),
        ([cell(maker("2"), ID, kind="markdown")], True),
        ([cell(f"Look:\n```\n{maker('1')}```", kind="markdown"), cell(maker("2"))], False),
    ],
)
def test_of_several_cells_work_beats_a_stub_and_the_last_the_first(
    cells: list[dict[str, Any]], noted: bool
) -> None:
    work = work_of(notebook(*cells), "lesson.ipynb", STEM)
    assert "return 2" in work.text and work.text.count("def saliency_map") == 1
    assert bool(work.notes) == noted, work.notes
    assert stems_in(notebook(*cells), "lesson.ipynb") == [STEM]


def test_a_cell_too_large_to_read_costs_its_own_exercise() -> None:
    large = cell("x = 1\n" * 10_000, f"{STEM}-smooth_grad")
    work = work_of(notebook(cell(maker("2"), ID), large), "lesson.ipynb", STEM)
    assert "return 2" in work.text and set(work.unread) == {"smooth_grad"}


@pytest.mark.parametrize(
    ("text", "state"),
    [
        (STUB, UNTOUCHED),
        (STUB + "# a comment\n", UNTOUCHED),
        (STUB.replace("Measure how", "See how"), OPEN),
        ("def saliency_map(model, images, target):\n    raise NotImplementedError()\n", OPEN),
        ("def saliency_map(*_, **__): raise SyntaxError('no')\n", BROKEN),
        (maker("2"), WORKED),
        (STUB + maker("2"), WORKED),
        ("saliency_map = print\n", WORKED),
    ],
)
def test_how_far_an_exercise_is_can_be_told(text: str, state: int) -> None:
    assert standings(text, STEM)["saliency_map"][0] == state


# Each ends a line to `str.splitlines`; to Python only the first does.
ENDS = ["\r", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]


@pytest.mark.parametrize("end", ENDS)
def test_an_end_of_a_line_is_what_python_takes_for_one(end: str) -> None:
    quoted = "-" if end == "\r" else end
    text = f"# one {end if end != chr(13) else ''}\ns = '{quoted}'\nx = 2\nx\n{maker('s')}"
    if end == "\r":
        text = text.replace("\n", end)
    for data, name in ((text.encode(), "a.py"), (notebook(cell(text, ID)), "a.ipynb")):
        found = source_of(data, name, STEM)
        scope: dict[str, Any] = {}
        exec(found[found.index("# one") :], scope)
        assert scope["saliency_map"](1, 2, 3) == quoted


def test_no_mixture_of_characters_stops_the_reading() -> None:
    draw = random.Random(7)
    marks = [*ENDS, "\n", "\r\n", "\0", "\ud800", '"""', '"', "(", "\\", "\t", " ", "#", "@", "%a"]
    words = ["def saliency_map(x):", "\n    return x", "x = 1", "class A:", "import os", "return"]
    for _ in range(300):
        text = "".join(draw.choice([*marks, *words, *words]) for _ in range(draw.randrange(40)))
        text += draw.choice(["", "\ndef saliency_map(x):\n    return x\n"])
        found = work_of(notebook(cell(text, ID), cell(text)), "lesson.ipynb", STEM).text
        found.encode()
        compile(found, "lesson", "exec")
        with contextlib.suppress(BadSubmission):
            source_of(text.encode("utf-8", "replace"), "exercises.py", STEM)


STORY = """#!/usr/bin/env python
# coding: utf-8
from __future__ import annotations

# # Lesson 11

# In[1]:


import torch
from autograder import check, hint, show, solution
EPS = torch.finfo(torch.float32).eps
photo = no_such_photo()

# In[ ]:


get_ipython().run_line_magic('matplotlib', 'inline')
TABLE = {}
for n in range(2):
    TABLE[n] = n
scale = 2 * EPS

def _norm(x):
    return x + scale * TABLE[1]

# In[3]:


def saliency_map(model, images, target):
    photo = images
    return _norm(photo)

out = saliency_map(None, photo, None)

@interact(n=3)
def change(n):
    show(saliency_map(n, n, n))

show("saliency.cat_and_map")

# In[ ]:


check(saliency_map)
"""


@pytest.mark.parametrize("mark", ["# In[1]:", "# %%", "#%% load", "# %% [markdown]"])
def test_an_exported_notebook_keeps_what_its_exercises_need(mark: str) -> None:
    text = STORY.replace("# In[1]:", mark)
    found = source_of(text.encode(), "lesson.py", STEM)
    for gone in ("no_such_photo", "get_ipython", "out =", "show(", "check(s"):
        assert gone not in found
    assert "interact" not in found and "__future__" in found
    kept = {line: number for number, line in enumerate(found.split("\n")) if line}
    assert all(text.split("\n")[number] == line for line, number in kept.items())
    scope: dict[str, Any] = {}
    exec(found.replace("from autograder import", "from builtins import abs #"), scope)
    assert scope["saliency_map"](None, 1, None) > 1


@pytest.mark.parametrize("line", ["%matplotlib inline", "!pip install x", "saliency_map?", "?x"])
def test_a_magic_in_a_file_makes_it_no_worse(line: str) -> None:
    text = f"x = 1\n{line}\n{maker('x')}"
    assert source_of(text.encode(), "a.py", STEM) == text.replace(line, "")


@pytest.mark.parametrize("piece", ["\n", "#\n", "# \t", " ", "x?", "x ,", "(\n", "@\n", "def f\n"])
def test_no_file_takes_long_to_read(piece: str) -> None:
    text = piece * (60_000 // len(piece)) + f"\n{maker('2')}"
    assert "def saliency_map" in source_of(text.encode(), "a.py", STEM)


def test_an_ordinary_file_stays_as_it_is() -> None:
    text = f"import torch\ntorch.manual_seed(3)\nprint('hello')\n{maker('2')}saliency_map\n"
    assert source_of(text.encode(), "a.py", STEM) == text


def old_notebook(version: int, *sources: str) -> bytes:
    common = {"cell_type": "code", "language": "python", "outputs": [], "collapsed": False}
    cells = [{**common, "input": text} for text in sources]
    sheet = {"cells": [*cells, {"cell_type": "markdown", "source": "Mine"}]}
    table = {"nbformat": version, "metadata": {"name": "x"}, "worksheets": [sheet]}
    return json.dumps(table | ({"nbformat_minor": 0} if version == 3 else {})).encode()


@pytest.mark.parametrize("version", [2, 3])
def test_an_old_notebook_is_converted(version: int) -> None:
    data = old_notebook(version, "x = 1", maker("2"))
    assert "return 2" in source_of(data, "lesson.ipynb", STEM)
    assert stems_in(data, "lesson.ipynb") == [STEM]


@pytest.mark.parametrize(
    "table",
    [
        {"worksheets": 3, "nbformat": 3},
        {"worksheets": [{"cells": [7]}], "nbformat": 3},
        {"worksheets": [None], "nbformat": 2},
        {"worksheets": [], "nbformat": "three"},
        {"worksheets": [], "nbformat": 1},
    ],
)
def test_an_old_notebook_that_is_broken_is_refused(table: dict[str, Any]) -> None:
    with pytest.raises(BadSubmission, match=r"old format|no cells|no solution cell"):
        source_of(json.dumps(table).encode(), "lesson.ipynb", STEM)
