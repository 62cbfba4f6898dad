"""One source: what is generated, when it is written, and what is never overwritten."""

from __future__ import annotations

import json

from workshop import STEM, Workshop

from autograder.build import products as build


def test_the_courses_own_files_are_what_their_sources_give():
    assert build.run(check=True) == []


def test_build_writes_what_check_asks_for(workshop: Workshop):
    exercises, notebook = workshop.lesson / "exercises.py", workshop.lesson / "lesson.ipynb"
    given = workshop.root / "lessons" / "l89_given" / "exercises.py"
    first, wrote, then = workshop.ask("[build.run(check=True), build.run(), build.run(check=True)]")
    assert [line.split()[1:] for line in first] == [["is", "missing"]] * 3
    assert [line.split()[1] for line in wrote] == ["written"] * 3
    assert then == []
    assert "raise NotImplementedError" in exercises.read_text()
    assert json.loads(notebook.read_text())["nbformat"] == 4
    # Lesson 89 has not landed: its code is given, and nobody is asked to write it.
    assert "return x * 0.5" in given.read_text()
    assert "from lessons.l89_given.exercises import halve" in exercises.read_text()


def test_check_writes_nothing(workshop: Workshop):
    workshop.ask("build.run(check=True)")
    there = sorted(path.name for path in workshop.lesson.iterdir())
    assert there == ["figures.py", "lesson.md", "pictures"]


def test_a_second_build_changes_no_byte(workshop: Workshop):
    assert len(workshop.ask("build.run()")) == 3
    before = {path: path.read_bytes() for path in workshop.lesson.rglob("*.*")}
    assert workshop.ask("build.run(draw=True)") == []
    assert {path: path.read_bytes() for path in workshop.lesson.rglob("*.*")} == before


def test_untouched_files_follow_their_source(workshop: Workshop):
    workshop.ask("build.run()")
    workshop.edit(workshop.solution, "Every value twice as large.", "Each value, doubled.")
    stale = workshop.ask("build.run(check=True)")
    assert len(stale) == 2 and all("is not what its sources give" in line for line in stale)
    wrote = workshop.ask("build.run()")
    assert [line.split()[1] for line in wrote] == ["written"] * 2
    assert "Each value, doubled." in (workshop.lesson / "exercises.py").read_text()


def test_a_students_work_is_never_overwritten(workshop: Workshop):
    workshop.ask("build.run()")
    exercises, notebook = workshop.lesson / "exercises.py", workshop.lesson / "lesson.ipynb"
    workshop.edit(exercises, "# YOUR CODE HERE", "return 2 * x")
    workshop.edit(notebook, "# YOUR CODE HERE", "return 2 * x")
    mine = exercises.read_bytes(), notebook.read_bytes()
    # Work on the newest version is nothing to talk about.
    assert workshop.ask("build.run()") == []
    workshop.edit(workshop.solution, "Every value twice as large.", "Each value, doubled.")
    said = workshop.ask("build.run()")
    assert len(said) == 2
    for line in said:
        assert "left alone: it holds your work" in line and f"`convlens update {STEM}`" in line
    assert (exercises.read_bytes(), notebook.read_bytes()) == mine


def test_a_file_without_our_header_counts_as_work(workshop: Workshop):
    exercises = workshop.lesson / "exercises.py"
    exercises.write_text("def twice(x):\n    return 2 * x\n")
    assert any("holds your work" in line for line in workshop.ask("build.run()"))
    assert exercises.read_text() == "def twice(x):\n    return 2 * x\n"


def test_a_notebook_that_was_run_is_not_work_yet(workshop: Workshop):
    workshop.ask("build.run()")
    path = workshop.lesson / "lesson.ipynb"
    notebook = json.loads(path.read_text())
    for cell in notebook["cells"]:
        cell["source"] = "".join(cell["source"])  # Jupyter may save it so
        if cell["cell_type"] == "code":
            cell["execution_count"] = 1
    path.write_text(json.dumps(notebook))
    assert workshop.ask("build.run()") == [f"lessons/{STEM}/lesson.ipynb written"]


def test_a_lesson_out_of_order_is_refused_and_nothing_is_written(workshop: Workshop):
    workshop.edit(workshop.lesson / "lesson.md", "noise.webp", "nose.webp")
    (line,) = workshop.ask("build.run(check=True)")
    assert line == f"lessons/{STEM}/lesson.md: figures.py has no function called nose"
    done = workshop.python("import autograder.build.products as build; build.run()")
    assert done.returncode != 0 and "UserError" in done.stderr and "nose" in done.stderr
    assert not (workshop.lesson / "exercises.py").exists()


def test_unbalanced_markers_are_named(workshop: Workshop):
    workshop.edit(
        workshop.solution,
        "return doubled_by_adding\n    ### END SOLUTION",
        "return doubled_by_adding",
    )
    (line,) = workshop.ask("build.run(check=True)")
    assert "is not balanced" in line


def test_an_unknown_lesson_gets_the_nearest_names(workshop: Workshop):
    done = workshop.python("import autograder.build.products as build; build.run(['l90_simple'])")
    assert "Did you mean l90_sample?" in done.stderr


def test_a_solution_alone_has_not_landed(sample: Workshop):
    assert sample.ask("build.landed_stems()") == [STEM]
