"""Read from the gradebook what nbgrader's metadata of a notebook should be."""

from __future__ import annotations

from collections.abc import Mapping

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Gradebook


def true_metadata(where: Mapping[str, str]) -> dict[str, NotebookNode]:
    """Return what nbgrader says of each cell of a notebook, by its name.

    A locked cell's checksum depends on its points. Where somebody has changed these in the
    gradebook it is put right there, or nbgrader would refuse every submission.
    """
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
