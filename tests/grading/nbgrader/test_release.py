"""`convlens release` makes a course that nbgrader takes for its own; a second run loses nothing."""

from __future__ import annotations

import ast
import importlib.util
import json
from pathlib import Path

import pytest
from classroom import STEM
from nbgrader_course import NAMES, Course, cell, filled

from autograder.build.leaks import leaks
from autograder.build.products import notebook
from autograder.cli.main import main
from autograder.course.reference import read_lesson
from autograder.grading.nbgrader.release import CALL, CONFIG, Wishes, release
from lessons.toolkit.errors import UserError

pytestmark = [pytest.mark.slow]


def source(course: Course) -> Path:
    return course.root / "source" / STEM / "lesson.ipynb"


def test_what_is_released_is_our_own_notebook(handed_in: Course):
    ours, theirs = notebook(STEM)["cells"], handed_in.released()["cells"]
    assert ["".join(c["source"]) for c in ours] == ["".join(c["source"]) for c in theirs]
    for name in NAMES:
        code = "".join(cell(handed_in.released(), f"{STEM}-{name}")["source"])
        made = ast.parse(code).body[0]
        true = ast.parse(read_lesson(STEM).chunk(name)).body[0]
        assert isinstance(made, ast.FunctionDef) and isinstance(true, ast.FunctionDef)
        assert ast.unparse(made.args) == ast.unparse(true.args)
        assert ast.get_docstring(made) == ast.get_docstring(true)
        assert f'"{STEM}.{name}: not written yet"' in code


def test_no_solution_and_no_hidden_value_is_released(handed_in: Course):
    folder = handed_in.root / "release"
    texts = {path: path.read_text() for path in folder.rglob("*") if path.is_file()}
    assert [path.name for path in texts] == ["lesson.ipynb"]
    assert not [found for text in texts.values() for found in leaks(text, STEM)]
    assert leaks(source(handed_in).read_text(), STEM), "the same search finds the source's"


def test_the_gradebook_knows_cells_points_and_the_due_date(handed_in: Course):
    told = notebook(STEM)["cells"]
    checks = [c["metadata"]["nbgrader"] for c in told if c["metadata"].get("nbgrader")]
    assert handed_in.max_scores() == {c["grade_id"]: c["points"] for c in checks if c["grade"]}
    assert handed_in.ask("SELECT name, duedate FROM assignment") == [
        (STEM, "2026-11-20 18:00:00.000000")
    ]


def test_a_second_run_keeps_what_was_changed_and_handed_in(
    fresh: Course, capsys: pytest.CaptureFixture[str]
):
    first = {p: p.read_bytes() for p in fresh.root.rglob("*") if p.suffix in (".ipynb", ".py")}
    assert main(["release", str(fresh.root), "--lesson", "saliency"]) == 0
    assert "nothing to change" in capsys.readouterr().out
    assert first == {p: p.read_bytes() for p in first}
    # As formgrader and a database's editor change them.
    fresh.ask("UPDATE assignment SET duedate = '2027-01-01 08:00:00.000000'")
    fresh.set_max_score("smooth_grad", 9)
    (fresh.root / CONFIG).write_text((fresh.root / CONFIG).read_text() + "# mine\n")
    command = ["release", str(fresh.root), "--lesson", "11", "--points", "11.saliency_map=6"]
    assert main(command) == 0
    said = capsys.readouterr().out
    assert "smooth_grad keeps its 9 points; the lesson has 4." in said
    assert "due 2027-01-01 08:00 UTC" in said
    scores = fresh.max_scores()
    assert scores[f"{STEM}-smooth_grad-check"] == 9 and scores[f"{STEM}-saliency_map-check"] == 6
    assert (fresh.root / CONFIG).read_text().endswith("# mine\n")
    assert len(list(fresh.root.glob("submitted/*/*/lesson.ipynb"))) > 8
    assert main([*command[:4]]) == 0
    assert "saliency_map keeps its 6 points" in capsys.readouterr().out


def test_a_source_that_was_edited_stays_and_is_released(fresh: Course):
    edited = json.loads(source(fresh).read_text())
    edited["cells"][0]["source"] = ["# My own introduction\n"]
    source(fresh).write_text(json.dumps(edited))
    said = release(fresh.root, [STEM])
    assert "was edited by hand; its cells stay as they are." in said[0]
    assert "".join(fresh.released()["cells"][0]["source"]) == "# My own introduction\n"


@pytest.mark.sandbox
def test_nbgrader_validates_what_a_student_has(fresh: Course):
    path = fresh.root / "release" / STEM / "lesson.ipynb"
    failing = fresh.nbgrader("validate", str(path))
    assert failing.returncode == 0 and "VALIDATION FAILED ON 5 CELL(S)" in failing.stdout
    assert "is not written yet" in failing.stdout
    path.write_text(json.dumps(filled(fresh.released(), read_lesson(STEM).bare())))
    passing = fresh.nbgrader("validate", str(path))
    assert "Success! Your notebook passes all the tests." in passing.stdout, passing.stdout


def test_what_cannot_be_is_said_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "thesis.docx").write_text("")
    with pytest.raises(UserError, match="holds something else"):
        release(tmp_path, [STEM])
    (tmp_path / CONFIG).write_text("c = get_config()\n")
    with pytest.raises(UserError, match="of another course") as refused:
        release(tmp_path, [STEM])
    assert CALL in refused.value.next_step
    (tmp_path / CONFIG).write_text(f"{CALL}\n1 / 0\n")
    with pytest.raises(UserError, match="does not load: ZeroDivisionError"):
        release(tmp_path, [STEM])
    with pytest.raises(UserError, match="“soon” is no date"):
        release(tmp_path / "new", [STEM], Wishes(due={STEM: "soon"}))
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match="nbgrader is not installed here") as missing:
        release(tmp_path / "new", [STEM])
    assert missing.value.next_step == 'pip install "convlens[nbgrader]"'
    assert not (tmp_path / "new").exists()


def test_the_command_asks_for_names_and_values(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    course = str(tmp_path / "new")
    for words, said in (
        (["--lesson", "salience"], "salience"),
        (["--due", "saliency"], "names no value"),
        (["--points", "saliency=3"], "is a whole lesson"),
        (["--points", "saliency.saliency_map=many"], "is no number of points"),
    ):
        assert main(["release", course, *words]) == 2
        assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
