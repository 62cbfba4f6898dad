"""What nbgrader runs in place of its own steps, for the notebooks of lessons.

They run in its process, which may be a Jupyter server: nothing here imports torch or runs anything
that a student wrote.
"""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook
from nbgrader.preprocessors import ClearSolutions, DeduplicateIds, Execute, SaveAutoGrades

from autograder.course.reference import stub_line
from autograder.grading.nbgrader.cells import CHECK, exercises_of
from autograder.grading.nbgrader.gradebook import Results, write_scores
from autograder.grading.nbgrader.metadata import true_metadata
from autograder.grading.nbgrader.outputs import outputs
from autograder.grading.nbgrader.verdicts import results_of

Pair = tuple[NotebookNode, dict[str, Any]]
KEY = "convlens"


class NamedStubs(ClearSolutions):
    """Put the stub of `exercises.py`, which names its exercise, where a solution was."""

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
    """Give each cell the metadata that the gradebook has for it.

    Of several of one name the last has it. nbgrader clears that of the others, takes the rest for
    an old format and grades nobody any more. What else a student does to metadata ends here too.
    """

    def preprocess(self, nb: NotebookNode, resources: dict[str, Any]) -> Pair:
        """Mend one notebook."""
        if not _check_cells(resources):
            return super().preprocess(nb, resources)
        true = true_metadata(resources["nbgrader"])
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
                cell.outputs = outputs(results[exercise], most, lost)
        return nb, resources


class SaveVerdicts(SaveAutoGrades):
    """Save what grading says.

    nbgrader reads it off a cell's output, and fails open.
    """

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
    """Return exercise and points of each check cell, as the gradebook has them."""
    where = resources["nbgrader"]
    with Gradebook(where["db_url"]) as gradebook:
        notebook = gradebook.find_notebook(where["notebook"], where["assignment"])
        points = {cell.name: float(cell.max_score) for cell in notebook.grade_cells}
    return {cell: (name, points[cell]) for cell, name in exercises_of(points).items()}


def _results(preprocessor: Any, resources: dict[str, Any]) -> Results:
    """Look the results up once for both steps of a notebook."""
    if KEY not in resources:
        where = resources["nbgrader"]
        exercises = [name for name, _ in _check_cells(resources).values()]
        stems = sorted({exercise.partition(".")[0] for exercise in exercises})
        converter = preprocessor.parent.parent
        resources[KEY] = results_of(converter, where["student"], where["assignment"], stems)
    return resources[KEY]


def _name(cell: NotebookNode) -> str:
    told = cell.metadata.get("nbgrader")
    return str(told.get("grade_id", "")) if isinstance(told, dict) else ""
