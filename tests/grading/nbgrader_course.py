"""A course of real nbgrader with a handful of students; nbgrader runs in processes of its own."""

from __future__ import annotations

import ast
import copy
import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbconvert
from classroom import STEM, mistaken

from autograder.course.reference import read_lesson

NAMES = read_lesson(STEM).exercises
# A word at the end says whether torch came into nbgrader's process.
DRIVER = """
import atexit, sys
from nbgrader.apps import NbGraderApp
atexit.register(lambda: print("torch" if "torch" in sys.modules else "no torch"))
NbGraderApp.launch_instance(sys.argv[1:])
"""
Notebook = dict[str, Any]


@dataclass(frozen=True)
class Course:
    """A course's folder."""

    root: Path

    def nbgrader(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a command of nbgrader in the course, as an instructor does."""
        home = self.root.parent / "home"
        return subprocess.run(
            [sys.executable, "-c", DRIVER, *words],
            cwd=self.root,
            env=environment(home),
            capture_output=True,
            text=True,
        )

    def released(self) -> Notebook:
        return dict(json.loads((self.root / "release" / STEM / "lesson.ipynb").read_text()))

    def hand_in(self, student: str, notebook: Notebook, timestamp: str = "") -> None:
        folder = self.root / "submitted" / student / STEM
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "lesson.ipynb").write_text(json.dumps(notebook))
        if timestamp:
            (folder / "timestamp.txt").write_text(timestamp)

    def ask(self, query: str, *values: object) -> list[Any]:
        """Ask the gradebook, without nbgrader."""
        base = sqlite3.connect(self.root / "gradebook.db")
        try:
            rows = base.execute(query, values).fetchall()
            base.commit()
            return rows
        finally:
            base.close()

    def max_scores(self) -> dict[str, float]:
        """Points of each check cell."""
        return dict(
            self.ask(
                "SELECT cell.name, max_score FROM grade_cells "
                "JOIN base_cell cell ON cell.id = grade_cells.id"
            )
        )

    def set_max_score(self, exercise: str, points: float) -> None:
        self.ask(
            "UPDATE grade_cells SET max_score = ? WHERE id = "
            "(SELECT id FROM base_cell WHERE name = ? AND type LIKE 'GradeCell')",
            points,
            f"{STEM}-{exercise}-check",
        )

    def grades(self, student: str) -> dict[str, tuple[float | None, float | None, bool]]:
        """Automatic score, manual score and whether a person is needed, by exercise."""
        rows = self.ask(
            "SELECT cell.name, auto_score, manual_score, needs_manual_grade FROM grade "
            "JOIN base_cell cell ON cell.id = grade.cell_id "
            "JOIN submitted_notebook n ON n.id = grade.notebook_id "
            "JOIN submitted_assignment a ON a.id = n.assignment_id WHERE a.student_id = ?",
            student,
        )
        return {_exercise(name): (auto, hand, bool(needs)) for name, auto, hand, needs in rows}

    def scores(self, student: str) -> dict[str, float | None]:
        return {name: auto for name, (auto, _, _) in self.grades(student).items()}

    def comments(self, student: str) -> dict[str, str]:
        rows = self.ask(
            "SELECT cell.name, auto_comment FROM comment "
            "JOIN base_cell cell ON cell.id = comment.cell_id "
            "JOIN submitted_notebook n ON n.id = comment.notebook_id "
            "JOIN submitted_assignment a ON a.id = n.assignment_id WHERE a.student_id = ?",
            student,
        )
        return {_exercise(name): text for name, text in rows}

    def autograded(self, student: str) -> Notebook:
        path = self.root / "autograded" / student / STEM / "lesson.ipynb"
        return dict(json.loads(path.read_text()))

    def feedback(self, student: str) -> str:
        return (self.root / "feedback" / student / STEM / "lesson.html").read_text()


def environment(home: Path) -> dict[str, str]:
    """Variables of a process of nbgrader that knows nothing of this machine's owner."""
    # It calls alembic by name, which a virtual environment that is not activated hides, and its
    # templates lie beside nbconvert, also where one environment is laid over another.
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    templates = Path(nbconvert.__file__).parents[4] / "share" / "jupyter"
    told = {"HOME": home, "JUPYTER_CONFIG_DIR": home, "JUPYTER_PATH": templates, "PATH": path}
    return {**os.environ, **{name: str(value) for name, value in told.items()}}


def _exercise(cell: str) -> str:
    return cell.removesuffix("-check").partition("-")[2] or cell


def cell(notebook: Notebook, grade_id: str) -> Any:
    """The last cell of an id."""
    return [c for c in notebook["cells"] if _id(c) == grade_id][-1]


def _id(cell: Any) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def filled(released: Notebook, text: str, among: tuple[str, ...] = NAMES) -> Notebook:
    """A released notebook into which a lesson file's exercises were written."""
    notebook = copy.deepcopy(released)
    for name, code in _codes(text).items():
        if name in among:
            cell(notebook, f"{STEM}-{name}")["source"] = code
    return notebook


def _codes(text: str) -> dict[str, str]:
    """The text of each exercise in a lesson's file."""
    lines, found = text.split("\n"), {}
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name in NAMES:
            first = min([node.lineno, *(d.lineno for d in node.decorator_list)])
            found[node.name] = "\n".join(lines[first - 1 : node.end_lineno])
    return found


def with_code(released: Notebook, name: str, code: str) -> Notebook:
    """Everything right but one cell."""
    notebook = filled(released, read_lesson(STEM).bare())
    cell(notebook, f"{STEM}-{name}")["source"] = code
    return notebook


def hostile(target: Path) -> str:
    """A cell that writes a file and ends its parent, when loaded and when called."""
    return f"""
import os, signal
def saliency_map(model, images, target):
    attack()
    return images.abs().amax(dim=1)
def attack():
    try:
        open({str(target)!r}, "w").write("hacked")
    except OSError:
        pass
    os.kill(os.getppid(), signal.SIGKILL)
attack()
"""


# All is right but for what it leaves behind: the gradients of the parameters.
UNTIDY = """
def saliency_map(model, images, target):
    images = images.detach().clone().requires_grad_()
    with torch.enable_grad():
        target_logits(model(images), target).sum().backward()
    return images.grad.abs().amax(dim=1)
"""


def make_class(course: Course) -> None:
    """Hand in one of every sort."""
    released, right = course.released(), read_lesson(STEM).bare()
    solved = filled(released, right)
    course.hand_in("ada", solved, "2026-11-01 12:00:00 UTC")
    course.hand_in("bob", with_code(released, "saliency_map", UNTIDY))
    course.hand_in("cem", filled(released, mistaken("saliency_map", "mean_taken"), NAMES[:1]))
    course.hand_in("dai", with_code(released, "saliency_map", "def saliency_map(model, images:\n"))
    course.hand_in("eva", with_code(released, "saliency_map", hostile(course.root / "hacked")))
    course.hand_in("O'Neill", solved)
    course.hand_in("o'neill", released)
    # The first is right, and the copy below it is wrong: nbgrader keeps the last.
    twice = copy.deepcopy(solved)
    place = twice["cells"].index(cell(twice, f"{STEM}-saliency_map"))
    again = copy.deepcopy(twice["cells"][place]) | {"id": "again"}
    again["source"] = _codes(mistaken("saliency_map", "mean_taken"))["saliency_map"]
    twice["cells"].insert(place + 1, again)
    course.hand_in("fay", twice)
    deleted = copy.deepcopy(solved)
    deleted["cells"].remove(cell(deleted, f"{STEM}-saliency_map-check"))
    for broken, place in ((None, 0), ({"schema_version": 1}, 1), ({"points": "lots"}, 2)):
        deleted["cells"][place]["metadata"]["nbgrader"] = broken
    course.hand_in("gil", deleted)
    course.hand_in("hui", solved, "2026-12-03 12:00:00 UTC")
    long = cell(solved, f"{STEM}-saliency_box")["source"] + "\n# " + "x" * 40_000
    course.hand_in("ivo", with_code(released, "saliency_box", long))
