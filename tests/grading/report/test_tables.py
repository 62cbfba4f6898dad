"""Tables: clean numbers, no formulas, nothing that cannot be written."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace

import pytest

from autograder.grading.report.results import ExerciseResult, StudentResult
from autograder.grading.report.tables import (
    CSV_ENCODING,
    HEAD,
    grades_csv,
    id_cell,
    id_of,
    results,
    usage_csv,
)
from autograder.plain_text import plain_line

RECORD = {"seed_hash": "00", "isolation": "none"}


def row(student: str = "ada", points: float | None = 2.5) -> StudentResult:
    outcome = "ungraded" if points is None else "failed"
    picture = {"case": "one image", "yours": "data:image/png;base64,AA=="}
    exercises = (
        ExerciseResult("l11_saliency.saliency_map", outcome, points, 4.0, picture=picture),
        ExerciseResult("l11_saliency.saliency_box", "passed", 3.0, 3.0),
    )
    return StudentResult(student, exercises)


def cells(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


def test_grades_have_one_row_a_student_and_one_column_an_exercise():
    head, line = cells(grades_csv([row()]))
    assert tuple(head[:7]) == HEAD
    assert head[7:] == ["l11_saliency.saliency_map", "l11_saliency.saliency_box"]
    assert line == ["ada", "", "", "5.5", "7", "0", "graded", "2.5", "3"]


@pytest.mark.parametrize("outcome", ["unread", "ungraded"])
def test_work_without_a_verdict_is_empty_cells_and_says_that_it_is_not_final(outcome: str):
    one, other = row().exercises
    part = StudentResult("ada", (replace(one, outcome=outcome, points=None), other))
    none = StudentResult(
        "bob", tuple(replace(e, outcome=outcome, points=None) for e in (one, other))
    )
    _, first, second = cells(grades_csv([part, none]))
    assert first == ["ada", "", "", "3", "7", "0", outcome, "", "3"]
    whole = "unusable" if outcome == "unread" else "ungraded"
    assert second == ["bob", "", "", "", "7", "0", whole, "", ""]
    assert part.needs_person and none.needs_person


def test_an_ungraded_exercise_is_an_empty_cell_and_never_a_zero():
    assert cells(grades_csv([row(points=None)]))[1][7] == ""
    told = results([row(points=None)], RECORD)["students"][0]["exercises"][0]
    assert told["points"] is None and told["outcome"] == "ungraded"


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", "\t=1", "\r=1", " =1", "\n=1"])
def test_no_cell_starts_a_formula(name: str):
    assert cells(grades_csv([row(student=name)]))[1][0].startswith("'")


def test_an_ordinary_name_is_left_alone():
    for name in ("안젤라 kim", "ada", "student-007", "o.neill@x.edu", "march", "Ωμέγα", "nancy"):
        assert id_cell(name) == name == id_of(name)


STRANGE = [
    "0012345", "12345", "1e5", "1.5", "+49", "-1", "=cmd", "@x", "2024-03-01", "3-4", "1/2", "MAR1",
    "sept 2", "Dec-5", "TRUE", "nan", "NA", "null", "None", "inf", " ada", "ada ", "'ada", "''",
    "'", "a,b", 'a"b', "a;b", "_x", "12 345", "1_000", "½", "٣",
]  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_a_name_comes_back_from_its_cell_and_is_no_number_on_the_way(name: str):
    text = grades_csv([row(student=name)])
    assert text.encode(CSV_ENCODING).startswith(b"\xef\xbb\xbf")
    cell = cells(text)[1][0]
    assert id_of(cell) == name
    # As a spreadsheet or pandas would guess.
    assert cell[0].isalpha() or cell[0] == "'"
    with pytest.raises(ValueError):
        float(cell)


def test_no_two_names_have_one_cell():
    assert len({id_cell(name) for name in STRANGE}) == len(STRANGE)


def test_names_with_separators_stay_one_cell():
    assert cells(grades_csv([row(student='a,"b"\nc')]))[1][0] == 'a,"b" c'


def test_an_empty_class_has_tables():
    assert cells(grades_csv([])) == [list(HEAD)]
    assert cells(usage_csv([]))[0][0] == "student"


def test_results_hold_no_picture_and_are_json_with_every_field():
    told = json.loads(json.dumps(results([row()], RECORD)))
    assert told["schema"] == 3 and told["run"] == RECORD
    assert set(told["students"][0]["exercises"][0]) == {
        "id", "outcome", "points", "max_points", "diagnosis", "message", "case", "given", "note",
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    ["\x1b[31m", "\u202eevil", "\ud800", "a\nb\r\nc\x85d\u2028e", "\x00", "\u200b", "\ue000"],
)
def test_plain_lines_are_printable_one_line_and_utf8(text: str):
    plain = plain_line(f"x{text}y")
    assert plain.isprintable() and plain.encode() and len(plain.splitlines()) == 1
    assert plain[0] == "x" and plain[-1] == "y"


def test_plain_lines_are_capped():
    assert len(plain_line("A" * 10**7)) == 1000
    assert len(plain_line("\x00" * 10**6)) == 1000


def test_other_alphabets_stay_as_they_are():
    text = "안젤라 كريم Ωμέγα 👩 naïve “x” → y"
    assert plain_line(text) == text
