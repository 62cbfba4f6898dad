"""Eleven places where nbgrader 0.9.6, as it comes, would give other points than were earned."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from classroom import STEM
from nbformat import from_dict
from nbgrader.utils import determine_grade
from nbgrader_course import NAMES, Course, cell, filled

from autograder.build.products import notebook
from autograder.course.catalogue import landed_stems
from autograder.course.reference import read_lesson
from autograder.grading.nbgrader.cells import exercises_of
from autograder.grading.nbgrader.release import release

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

STUDENTS = ("ada", "bob", "cem", "dai", "eva", "fay", "gil", "hui", "ivo", "O'Neill", "o'neill")
FULL = dict.fromkeys(NAMES, 3.0) | {"saliency_map": 4.0, "smooth_grad": 4.0}
OTHERS = {name: points for name, points in FULL.items() if name != "saliency_map"}


def checks(course: Course, student: str) -> dict[str, Any]:
    """Check cells of an autograded notebook, by exercise."""
    cells = course.autograded(student)["cells"]
    told = [(c, c["metadata"].get("nbgrader", {})) for c in cells]
    found = {t["grade_id"]: from_dict(c) for c, t in told if t.get("grade")}
    return {exercises_of([name])[name].partition(".")[2]: c for name, c in found.items()}


def test_the_class_gets_what_it_earned(graded: Course):
    assert graded.scores("ada") == FULL
    bob = graded.scores("bob")
    assert bob.pop("saliency_map") == 3.25
    assert bob == OTHERS
    assert graded.scores("cem") == dict.fromkeys(NAMES, 0.0)
    for student in ("dai", "eva"):
        assert graded.scores(student) == OTHERS | {"saliency_map": 0.0}
    assert not any(needs for _, _, needs in graded.grades("ada").values())


def test_1_a_release_keeps_signatures_and_docstrings(graded: Course):
    for name in NAMES:
        code = "".join(cell(graded.released(), f"{STEM}-{name}")["source"])
        assert code.endswith(read_lesson(STEM).stub(name).strip())
        assert f"def {name}(" in code and '"""' in code


def test_2_every_check_cell_holds_one_finite_number_in_its_range(graded: Course):
    for student in STUDENTS:
        scores = graded.scores(student)
        for name, check in checks(graded, student).items():
            results = [o for o in check.outputs if o.output_type == "execute_result"]
            if scores[name] is None:
                assert not results
                continue
            assert len(results) == 1
            assert not [o for o in check.outputs if o.get("name") == "stderr"]
            assert determine_grade(check) == (pytest.approx(scores[name]), FULL[name])
            assert math.isfinite(float("".join(results[0]["data"]["text/plain"])))


def test_2_what_could_not_be_read_waits_for_a_person_and_is_no_zero(graded: Course):
    assert graded.grades("ivo")["saliency_box"] == (None, None, True)
    assert graded.comments("ivo")["saliency_box"].startswith("“lesson.ipynb” has a solution cell")
    assert {n: s for n, s in graded.scores("ivo").items() if s is not None} == {
        name: points for name, points in FULL.items() if name != "saliency_box"
    }


def test_3_our_sentence_is_the_comment_and_stands_in_the_feedback(own: Course):
    sentence = own.comments("cem")["saliency_map"]
    assert "A mean was taken, not the largest magnitude over the channels." in sentence
    assert "A mean was taken, not the largest magnitude" in own.feedback("cem")
    assert own.comments("ada") == dict.fromkeys(NAMES, None)
    done = own.nbgrader("autograde", STEM, "--student", "cem", "--force")
    assert done.returncode == 0, done.stderr
    assert own.comments("cem")["saliency_map"] == sentence


def test_4_points_follow_the_gradebook(own: Course):
    own.set_max_score("saliency_map", 10)
    for student in ("ada", "bob"):
        done = own.nbgrader("autograde", STEM, "--student", student, "--force")
        assert done.returncode == 0, done.stderr
    assert own.scores("ada")["saliency_map"] == 10
    assert own.scores("bob")["saliency_map"] == 8.125
    assert determine_grade(checks(own, "bob")["saliency_map"]) == (8.125, 10)


def test_5_of_two_cells_of_one_name_the_last_counts_and_nobody_else_suffers(graded: Course):
    """nbgrader grades nobody after such a notebook: its issue 1083."""
    assert graded.scores("fay") == OTHERS | {"saliency_map": 0.0}
    assert "A mean was taken" in graded.comments("fay")["saliency_map"]
    names = [
        c["metadata"]["nbgrader"]["grade_id"]
        for c in graded.autograded("fay")["cells"]
        if c["metadata"].get("nbgrader")
    ]
    assert len(names) == len(set(names)) == 1 + 2 * len(NAMES)


def test_6_a_deleted_check_cell_has_its_score(graded: Course):
    assert "saliency_map" not in checks(graded, "gil")
    assert graded.scores("gil") == FULL  # though its metadata were spoilt too


def test_7_grading_happens_once_and_elsewhere(graded: Course, own: Course):
    said = (graded.root.parent / "autograde.log").read_text()
    assert said.count("Grading ") == 1 and "submissions of l11_saliency." in said
    assert "no torch" in said.splitlines()
    assert not (graded.root / "hacked").exists()
    again = own.nbgrader("autograde", STEM, "--force")
    assert again.returncode == 0, again.stderr
    assert "Grading " not in again.stderr
    assert {s: own.grades(s) for s in STUDENTS} == {s: graded.grades(s) for s in STUDENTS}


def test_8_a_student_is_their_folder(graded: Course):
    assert graded.scores("O'Neill") == FULL
    assert graded.scores("o'neill") == dict.fromkeys(NAMES, 0.0)
    assert {name for (name,) in graded.ask("SELECT id FROM student")} == set(STUDENTS)


def test_9_nothing_is_run_and_what_is_wrong_is_shown_as_a_picture(graded: Course):
    for student in STUDENTS:
        for each in graded.autograded(student)["cells"]:
            if not each["metadata"].get("nbgrader", {}).get("grade"):
                assert not each.get("outputs")
    shown = [
        "".join(output["data"]["text/plain"])
        for output in checks(graded, "cem")["saliency_map"].outputs
        if output.output_type == "display_data" and "image/png" in output["data"]
    ]
    assert shown == ["yours", "expected", "difference"]


def test_10_late_work_is_late_for_nbgrader(own: Course):
    """Its own step reads the time and takes off what the course says."""
    late = "SELECT late_submission_penalty FROM submitted_notebook n JOIN submitted_assignment a "
    late += "ON a.id = n.assignment_id WHERE a.student_id = ?"
    assert own.ask(late, "hui") == [(None,)]
    words = ("--force", "--LateSubmissionPlugin.penalty_method=zero", "--student")
    for student, penalty in (("hui", sum(FULL.values())), ("ada", None)):
        done = own.nbgrader("autograde", STEM, *words, student)
        assert done.returncode == 0, done.stderr
        assert own.ask(late, student) == [(penalty,)]
        assert own.scores(student) == FULL


def test_11_cells_have_their_lessons_name_though_every_notebook_is_called_lesson(own: Course):
    named: list[str] = []
    for stem in landed_stems():
        told = [c["metadata"].get("nbgrader") for c in notebook(stem, solved=True)["cells"]]
        named += [t["grade_id"] for t in told if t]
    assert len(set(named)) == len(named)
    other = "l10_occlusion"
    release(own.root, [other])
    folder = own.root / "submitted" / "ada" / other
    folder.mkdir()
    text = (own.root / "release" / other / "lesson.ipynb").read_text()
    (folder / "lesson.ipynb").write_text(text)
    done = own.nbgrader("autograde", other)
    assert done.returncode == 0, done.stderr
    scores = own.scores("ada")
    assert {name: scores[name] for name in NAMES} == FULL
    assert {s for n, s in scores.items() if n not in NAMES} == {0.0}
    assert len(scores) == len(NAMES) + len(read_lesson(other).exercises)


def test_points_given_by_hand_survive_a_second_run(own: Course):
    own.ask("UPDATE grade SET manual_score = 2.5 WHERE auto_score BETWEEN 3.1 AND 3.3")
    own.ask("UPDATE comment SET manual_comment = 'Mine.' WHERE auto_comment LIKE '%A mean was%'")
    assert own.grades("bob")["saliency_map"] == (3.25, 2.5, False)
    done = own.nbgrader("autograde", STEM, "--force")
    assert done.returncode == 0, done.stderr
    # nbgrader asks its author to look again.
    assert own.grades("bob")["saliency_map"] == (3.25, 2.5, True)
    assert own.nbgrader("generate_feedback", STEM, "--force").returncode == 0
    assert "Mine." in own.feedback("cem")


def test_what_was_not_graded_is_asked_for_again_and_our_trouble_is_no_zero(own: Course):
    for path in (own.root / "graded" / "verdicts").iterdir():
        told = json.loads(path.read_text())
        for result in told.values():
            result |= {"outcome": "ungraded", "points": None, "message": "The machine was busy."}
        path.write_text(json.dumps(told))
    seed = own.root / "graded" / ".seed"
    kept = seed.read_text()
    seed.write_text("?")
    done = own.nbgrader("autograde", STEM, "--student", "ada", "--force")
    assert done.returncode == 1 and "does not hold one whole number" in done.stderr
    assert own.scores("ada") == FULL, "what stood there stays"
    seed.write_text(kept)
    done = own.nbgrader("autograde", STEM, "--student", "ada", "--force")
    assert done.returncode == 0 and "Grading 1 submissions" in done.stderr
    assert own.scores("ada") == FULL


def test_a_cell_of_the_instructors_own_in_a_lesson_is_for_a_person(own: Course):
    """It was not run; nbgrader takes a cell without output for full marks."""
    path = own.root / "source" / "week" / "lesson.ipynb"
    made = notebook(STEM, solved=True)
    extra = {"grade": True, "grade_id": "mine", "locked": True, "points": 2, "schema_version": 3}
    made["cells"].append(
        {
            "cell_type": "code", "id": "mine", "execution_count": None, "outputs": [],
            "metadata": {"nbgrader": {**extra, "solution": False, "task": False}},
            "source": ["assert saliency_map is not None"],
        }
    )  # fmt: skip
    path.parent.mkdir()
    path.write_text(json.dumps(made))
    assert own.nbgrader("generate_assignment", "week").returncode == 0
    released = json.loads((own.root / "release" / "week" / "lesson.ipynb").read_text())
    folder = own.root / "submitted" / "kim" / "week"
    folder.mkdir(parents=True)
    solved = filled(released, read_lesson(STEM).bare())
    (folder / "lesson.ipynb").write_text(json.dumps(solved))
    done = own.nbgrader("autograde", "week")
    assert done.returncode == 0, done.stderr
    grades = own.grades("kim")
    assert grades.pop("mine") == (None, None, True)
    assert {name: auto for name, (auto, _, _) in grades.items()} == FULL
