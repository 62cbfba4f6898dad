"""`convlens update`: new stubs come in, no line of the student's goes."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest

from autograder.build import stubs
from autograder.build.stubs import exercise_label, exercises_text
from autograder.cli.main import main
from autograder.course.mistakes import Words
from autograder.course.reference import ROOT, LessonSource, cut, without_markers
from autograder.student.merge import merge_stubs
from autograder.student.working_copy import WorkingCopy

STEM = "l11_saliency"

OLD = '''"""A lesson."""

import torch

SCALE = 2


def helper(x):
    return x


def first(x):
    """Old words."""
    ### BEGIN SOLUTION
    return x + 1
    ### END SOLUTION


def second(x):
    """Second."""
    ### BEGIN SOLUTION
    return x + 2
    ### END SOLUTION


class Third:
    """A class."""

    def __init__(self, x):
        """Old words."""
        ### BEGIN SOLUTION
        self.x = x
        ### END SOLUTION
'''

MINE = (
    without_markers(OLD)
    .replace("import torch\n", "import torch\nimport math  # mine\n")
    .replace("    return x + 1\n", "    y = my_helper(x)  # a comment of mine\n    return y\n")
    .replace("def first", "def my_helper(x):\n    return math.floor(x) + 1\n\n\ndef first")
)


@pytest.fixture(autouse=True)
def same_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give every exercise of these lessons, which stand in no file, the same words."""
    some = Words(2.0, 15, 1, "x", ("1", "2", "3"), (), ())
    monkeypatch.setattr(stubs, "words", lambda stem, name: some)


def merged(new: str, mine: str, folder: Path) -> tuple[str, list[str]]:
    path = folder / "exercises.py"
    path.write_text(mine, encoding="utf-8")
    merge = merge_stubs(path, cut(new, STEM))
    text = merge.data.decode()
    ast.parse(text)
    return text, merge.notes


def test_what_is_up_to_date_stays_byte_for_byte(tmp_path: Path) -> None:
    text, notes = merged(OLD, MINE, tmp_path)
    assert (text, notes) == (MINE, [])


def test_a_new_description_comes_in_around_the_students_code(tmp_path: Path) -> None:
    new = OLD.replace('"""Old words."""', '"""New words.\n\n    On three lines.\n    """')
    text, notes = merged(new, MINE, tmp_path)
    assert "Old words" not in text and text.count("On three lines.") == 2
    assert "    y = my_helper(x)  # a comment of mine\n    return y\n" in text
    assert notes == [
        "`first` has a new description; your code is kept.",
        "`Third` has a new description; your code is kept.",
    ]
    without = [line for line in MINE.splitlines() if "Old words" not in line]
    assert all(line in text.splitlines() for line in without)


def test_a_new_signature_is_told_and_the_students_function_is_kept(tmp_path: Path) -> None:
    text, notes = merged(OLD.replace("def first(x)", "def first(x, power=1)"), MINE, tmp_path)
    assert text == MINE
    assert len(notes) == 1 and "it is now `def first(x, power=1)`" in notes[0]


def test_new_exercises_stubs_and_given_code_come_in_their_places(tmp_path: Path) -> None:
    new = (
        OLD.replace("import torch\n", "import torch\nfrom torch import nn\n")
        .replace("SCALE = 2", "SCALE = 3")
        .replace("    return x\n", "    return 2 * x\n", 1)
        .replace(
            "def second(x):",
            'def between(x):\n    """New."""\n    ### BEGIN SOLUTION\n    return 0\n'
            "    ### END SOLUTION\n\n\ndef second(x):",
        )
    )
    text, notes = merged(new, MINE, tmp_path)
    assert "from torch import nn" in text and "import math  # mine" in text
    assert "SCALE = 3" in text and "SCALE = 2" not in text
    assert "return 2 * x" in text and "def my_helper" in text
    assert text.index("def first") < text.index("def between") < text.index("def second")
    assert 'NotImplementedError("l11_saliency.between' in text
    assert len(notes) == 4


def test_the_labels_of_all_exercises_count_a_new_one(tmp_path: Path) -> None:
    old = cut(OLD, STEM)
    mine = exercises_text(old).replace("def second", "# mine\ndef second")
    new = OLD.replace("def second(x):", "def also(x):\n    ### BEGIN SOLUTION\n    return 0\n    "
                      "### END SOLUTION\n\n\ndef second(x):")  # fmt: skip
    text, _ = merged(new, mine, tmp_path)
    names = cut(new, STEM).exercises
    for name in ("first", "also", "Third"):
        assert f"{exercise_label(STEM, name, names)}\n" in text
    assert "# mine\ndef second" in text  # whose label no longer stands right above it


def test_an_untouched_stub_takes_the_new_signature(tmp_path: Path) -> None:
    before = exercises_text(cut(OLD, STEM))
    new = cut(OLD.replace("def second(x)", "def second(x, y)"), STEM)
    path = tmp_path / "exercises.py"
    path.write_text(before, encoding="utf-8")
    assert merge_stubs(path, new).data.decode() == exercises_text(new)


def test_a_file_that_does_not_parse_is_left_alone(
    copy: WorkingCopy, capsys: pytest.CaptureFixture[str]
) -> None:
    copy.exercises(STEM).write_text("def f(:\n", encoding="utf-8")
    assert main(["update", "saliency"]) == 2
    assert "line 1 has a syntax error" in capsys.readouterr().err
    assert copy.exercises(STEM).read_text(encoding="utf-8") == "def f(:\n"


def test_update_says_what_changed_and_keeps_the_version_before(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy.exercises(STEM)
    mine = source.bare().replace("def saliency_box", "def mine():\n    pass\n\n\ndef saliency_box")
    old = mine.replace("Measure how sensitive the target logit", "Old words of the target logit")
    path.write_text(old, encoding="utf-8")
    assert main(["update", "saliency"]) == 0
    out = capsys.readouterr().out
    assert "`saliency_map` has a new description; your code is kept." in out
    assert path.read_text(encoding="utf-8") == mine
    (kept,) = (copy.state / "backup").iterdir()
    assert kept.read_text(encoding="utf-8") == old
    assert main(["update", "saliency"]) == 0
    assert "up to date" in capsys.readouterr().out


def test_a_notebook_gets_new_stubs_and_missing_cells_and_keeps_the_rest(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    if not (ROOT / "lessons" / STEM / "lesson.md").exists():
        pytest.skip("the lesson's story has not landed")
    assert main(["notebook", "saliency", "--no-browser"]) == 0
    path = copy.notebook(STEM)
    fresh = json.loads(path.read_bytes())
    mine = json.loads(path.read_bytes())
    cells = {c["metadata"].get("nbgrader", {}).get("grade_id"): c for c in mine["cells"]}
    written = ["def saliency_map(model, images, target):\n", "    return 'mine'\n"]
    cells[f"{STEM}-saliency_map"]["source"] = written
    cells[f"{STEM}-saliency_box"]["source"][1] = "def saliency_box(old):\n"  # below its label
    begun = cells[f"{STEM}-saliency_segmentation"]["source"]
    begun.insert(-1, "    seeds = None  # begun\n")  # above the stub's own line
    own = {"cell_type": "code", "id": "own", "metadata": {}, "source": "print('mine')"}
    gone = cells[f"{STEM}-smooth_grad"], cells[f"{STEM}-smooth_grad-check"]
    mine["cells"] = [own, *(cell for cell in mine["cells"] if cell not in gone)]
    path.write_text(json.dumps(mine), encoding="utf-8")
    capsys.readouterr()
    assert main(["update", "saliency"]) == 0
    out = capsys.readouterr().out
    assert "`saliency_box` has a new stub. Run its cell again." in out
    assert "`smooth_grad` is a new exercise, at the end" in out
    assert "saliency_segmentation" not in out and "is new" not in out
    after = json.loads(path.read_bytes())["cells"]
    assert after[0] == own
    found = {c["metadata"].get("nbgrader", {}).get("grade_id"): c["source"] for c in after}
    assert found[f"{STEM}-saliency_map"] == written
    assert found[f"{STEM}-saliency_segmentation"] == begun
    wanted = {c["metadata"].get("nbgrader", {}).get("grade_id"): c for c in fresh["cells"]}
    for name in ("saliency_box", "smooth_grad", "smooth_grad-check", "given"):
        assert found[f"{STEM}-{name}"] == wanted[f"{STEM}-{name}"]["source"]
