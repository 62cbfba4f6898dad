"""What nbgrader runs in place of its own steps, for the notebooks of lessons.

They run in its process, which may be a Jupyter server: nothing here imports torch or runs anything
that a student wrote.
"""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import ClearSolutions, DeduplicateIds, Execute, SaveAutoGrades

from autograder.course.reference import stub_line
from autograder.grading.nbgrader.cells import CHECK, exercises_of
from autograder.grading.nbgrader.gradebook import Results, score, write_scores
from autograder.grading.nbgrader.verdicts import results_of

Pair = tuple[NotebookNode, dict[str, Any]]
KEY = "convlens"
WORDS = {
    "passed": "✓ passed",
    "failed": "not right yet",
    "not_attempted": "not attempted",
    "error": "error",
    "timeout": "stopped",
    "unread": "not read: a person will look at it",
    "ungraded": "not graded yet: a person will look at it",
}
PANELS = ("yours", "expected", "difference")


class NamedStubs(ClearSolutions):
    """Put the stub of `exercises.py` in the place of a solution: it names its exercise."""

    def preprocess_cell(self, cell: NotebookNode, resources: dict[str, Any], index: int) -> Pair:
        """Clear one cell."""
        stock: dict[str, str] = self.code_stub  # type: ignore[has-type]
        for exercise in exercises_of([f"{_name(cell)}{CHECK}"]).values():
            self.code_stub = {**stock, "python": stub_line(*exercise.split("."))}
        try:
            return super().preprocess_cell(cell, resources, index)
        finally:
            self.code_stub = stock


class Mend(DeduplicateIds):
    """Give each cell the metadata that the gradebook has for it, the last of several of one name.

    nbgrader clears what it says of the others, takes that for an old format and grades nobody any
    more. Whatever else a student does to metadata ends here too.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> Pair:
        """Mend one notebook."""
        if not _check_cells(resources):
            return super().preprocess(nb, resources)
        true = _metadata(resources)
        for cell in reversed(nb.cells):
            told = true.pop(_name(cell), None)
            cell.metadata.pop("nbgrader", None)
            if told is not None:
                cell.metadata["nbgrader"] = told
        return nb, resources


class LookUp(Execute):
    """Write what grading says below the check cells, and run nothing of a lesson."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any], *rest: Any) -> Pair:
        """Fill one notebook."""
        cells = _check_cells(resources)
        if not cells:
            return super().preprocess(nb, resources, *rest)
        results = _results(self, resources)
        there = {_name(cell) for cell in nb.cells if utils.is_solution(cell)}
        for cell in nb.cells:
            exercise, most = cells.get(_name(cell), ("", 0.0))
            if exercise and utils.is_grade(cell) and cell.cell_type == "code":
                lost = _name(cell).removesuffix(CHECK) not in there
                cell.outputs = _outputs(results[exercise], most, lost)
        return nb, resources


class SaveVerdicts(SaveAutoGrades):
    """Save what grading says; nbgrader reads it off a cell's output, and fails open."""

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> Pair:
        """Save the grades of one notebook."""
        cells = _check_cells(resources)
        self.trusted = bool(cells)
        nb, resources = super().preprocess(nb, resources)
        if cells:
            results = _results(self, resources)
            where = resources["nbgrader"]
            with Gradebook(where["db_url"]) as gradebook:
                names = where["notebook"], where["assignment"], where["student"]
                write_scores(gradebook.find_submission_notebook(*names), results)
                gradebook.db.commit()
        return nb, resources

    def _add_score(self, cell: NotebookNode, resources: dict[str, Any]) -> None:
        if self.trusted is False or utils.is_solution(cell) or cell.cell_type != "code":
            super()._add_score(cell, resources)
            return
        # A code cell that was not run has no output, which nbgrader takes for full marks.
        grade = self.gradebook.find_grade(
            _name(cell), self.notebook_id, self.assignment_id, self.student_id
        )
        grade.auto_score, grade.needs_manual_grade = None, True
        self.gradebook.db.commit()


def _check_cells(resources: dict[str, Any]) -> dict[str, tuple[str, float]]:
    """Return exercise and points of each check cell of a notebook, as the gradebook has them."""
    where = resources["nbgrader"]
    with Gradebook(where["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(where["notebook"], where["assignment"])
        points = {cell.name: float(cell.max_score) for cell in notebook.grade_cells}
    return {cell: (name, points[cell]) for cell, name in exercises_of(points).items()}


def _metadata(resources: dict[str, Any]) -> dict[str, NotebookNode]:
    """Return what nbgrader says of each cell of a notebook, by its name.

    A locked cell's checksum depends on its points. Where somebody has changed these in the
    gradebook it is put right there, or nbgrader would refuse every submission.
    """
    where = resources["nbgrader"]
    found = {}
    with Gradebook(where["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(where["notebook"], where["assignment"])
        graded = [*notebook.grade_cells, *notebook.task_cells]
        points = {cell.name: cell.max_score for cell in graded}
        solutions = {cell.name for cell in notebook.solution_cells}
        tasks = {cell.name for cell in notebook.task_cells}
        for cell in notebook.source_cells:
            told = NotebookNode(
                grade_id=cell.name,
                grade=cell.name in points and cell.name not in tasks,
                solution=cell.name in solutions,
                task=cell.name in tasks,
                locked=cell.locked,
                schema_version=3,
                cell_type=cell.cell_type,
            )
            if cell.name in points:
                told["points"] = points[cell.name]
            if cell.locked:
                whole = {"source": cell.source, "cell_type": cell.cell_type}
                cell.checksum = utils.compute_checksum(
                    NotebookNode(whole, metadata=NotebookNode(nbgrader=told))
                )
            found[cell.name] = NotebookNode(told, checksum=cell.checksum)
        gradebook.db.commit()
    return found


def _results(preprocessor: Any, resources: dict[str, Any]) -> Results:
    """Look the results up once for both steps of a notebook."""
    if KEY not in resources:
        where = resources["nbgrader"]
        exercises = [name for name, _ in _check_cells(resources).values()]
        stems = sorted({exercise.partition(".")[0] for exercise in exercises})
        converter = preprocessor.parent.parent
        resources[KEY] = results_of(converter, where["student"], where["assignment"], stems)
    return resources[KEY]


def _outputs(result: Any, most: float, lost: bool) -> list[NotebookNode]:
    """Return the outputs of a check cell: words, pictures, and the number that nbgrader reads.

    Args:
        result: of the exercise.
        most: points of the cell.
        lost: the solution's cell is gone, and with it the place for the sentence.
    """
    points = score(result, most)
    number = "" if points is None else f"{points:g} of {most:g} points"
    partly = result["outcome"] == "failed" and bool(points)
    word = "partly right" if partly else WORDS[result["outcome"]]
    text = f"{word}: {number}" if number else word
    if lost and result["message"]:
        text = f"{text}\n{result['message']}"
    found = [new_output("stream", name="stdout", text=f"{text}\n")]
    for panel in PANELS:
        _, _, data = result["picture"].get(panel, "").partition("base64,")
        if data:
            shown = {"image/png": data, "text/plain": panel}
            found.append(new_output("display_data", shown))
    if points is not None:
        found.append(new_output("execute_result", {"text/plain": f"{points:.6f}"}))
    return found


def _name(cell: NotebookNode) -> str:
    told = cell.metadata.get("nbgrader")
    return str(told.get("grade_id", "")) if isinstance(told, dict) else ""
