"""Every export is a file that its platform takes back: its rules, its order, no false 0."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from xml.etree import ElementTree

import pytest
from gradescope_format import GRADESCOPE
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from autograder.grading.exports.blackboard import fill_blackboard
from autograder.grading.exports.canvas import fill_canvas
from autograder.grading.exports.gradescope import results_json
from autograder.grading.exports.junit import junit_xml
from autograder.grading.exports.marks import Mark, marks, number
from autograder.grading.exports.moodle import fill_moodle
from autograder.grading.intake.people import Person
from autograder.grading.report.results import ExerciseResult, StudentResult
from lessons.toolkit.errors import UserError


def row(
    student: str, points: float | None, status: str = "graded", message: str = "Good."
) -> StudentResult:
    stem, person = "l11_saliency", PEOPLE_BY_ID.get(student)
    outcome = "ungraded" if points is None else "passed" if points == 4 else "failed"
    first = ExerciseResult(f"{stem}.saliency_map", outcome, points, 4.0, message=message)
    second = ExerciseResult(f"{stem}.saliency_box", "passed", 3.0, 3.0, message=message)
    exercises = [first, second]
    if status in ("unusable", "missing"):
        unread = "unread" if status == "unusable" else status
        why = f"This is why it is {status}."
        exercises = [replace(e, outcome=unread, points=None, message=why) for e in exercises]
    found = StudentResult(student, tuple(exercises), person=asdict(person) if person else {})
    assert found.status == status
    return found


PEOPLE_BY_ID = {
    person.id: person
    for person in (
        Person("1001", "Lovelace, Ada", "ada@uni.de", ("101", "Group, 1")),
        Person("1002", "Müller, Jürgen", "jm@uni.de", ("102", "Group, 1")),
        Person("1003", "김민수", "minsu@uni.kr", ("103", "Group, 1")),
        Person("1004", "O'Neill, Sean", "sean@uni.ie", ("104", "Group, 1")),
        Person("1005", '=cmd() "x", y', "eve@uni.de", ("105", "Group, 1")),
        Person("1006", "Not There", "no@uni.de", ("106", "Group, 1")),
    )
}
ROWS = [
    row("1001", 4.0),
    row("1002", 2.25),
    row("1003", None, "ungraded"),
    row("1004", 0.0, "unusable"),
    row("1005", 0.0),
    row("1006", 1.0),
]
MARKS = marks(ROWS)


def table(data: bytes, mark: str = ",", encoding: str = "utf-8-sig") -> list[list[str]]:
    return list(csv.reader(io.StringIO(data.decode(encoding), newline=""), delimiter=mark))


def others(rows: list[list[str]], at: int) -> list[list[str]]:
    return [line[:at] + line[at + 1 :] for line in rows]


def test_points_that_are_not_final_are_none_and_lateness_is_in_the_rest() -> None:
    assert [mark.points for mark in MARKS] == [7.0, 5.25, None, None, 3.0, 4.0]
    late = replace(ROWS[0], made_from={"l11_saliency": {"factor": 0.9}})
    assert (marks([late])[0].points, late.lost) == (6.3, 0.7)
    given = replace(row("1003", None, "ungraded").exercises[0], given=2.0)
    by_hand = replace(ROWS[2], exercises=(given, ROWS[2].exercises[1]))
    assert marks([by_hand])[0].points == 5.0
    assert number(-0.0) == "0" and number(7.0) == "7" and number(1 / 3) == "0.33"


CANVAS = '''Student,ID,SIS User ID,SIS Login ID,Section,Notes,Quiz (41),Saliency (42),Final Score
,,,,,,,Manual Posting,
    Points Possible,,,,,,10.00,7.00,(read only)
"Lovelace, Ada",101,1001,ada,"A, B",,9.00,,88.1
"Müller, Jürgen",102,1002,jm,A,"said ""hi""",8.00,1.00,70.0
김민수,103,1003,minsu,A,,7.00,3.00,70.0
"O'Neill, Sean",104,1004,sean,A,,,,
"=""=cmd() """"x"""", y""",105,1005,eve,A,,,EX,
"Elsewhere, Ann",199,1999,ann,B,,5.00,6.00,50.0
"Student, Test",200,,teststudent,A,,,,
'''


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_canvas_keeps_all_but_one_column(ends: str, encoding: str) -> None:
    export = CANVAS.replace("\n", ends).encode(encoding)
    filled = fill_canvas(export, MARKS, "Saliency")
    before, after = table(export), table(filled.data)
    assert others(after, 7) == others(before, 7)
    assert [line[7] for line in after] == [
        "Saliency (42)", "Manual Posting", "7.00", "7", "5.25", "", "", "EX", "6.00", "",
    ]  # fmt: skip
    assert (filled.filled, filled.unknown) == (2, ["Not There"])
    assert filled.empty == ["김민수", "O'Neill, Sean"]
    assert filled.untouched == ["Elsewhere, Ann", "Student, Test"]
    assert filled.lines()[2] == "Not in the file (1): Not There" and "“EX”" in filled.lines()[-1]
    assert filled.data.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
    assert filled.data.count(b"\r\n") == (len(before) if ends == "\r\n" else 0)


def test_canvas_is_byte_for_byte_what_it_was_where_nothing_is_filled() -> None:
    assert fill_canvas(CANVAS.encode(), [], "Saliency").data == CANVAS.encode()


def test_canvas_with_names_in_two_columns_and_decimal_commas() -> None:
    text = (
        "LastName;FirstName;ID;SIS Login ID;Section;Saliency (42)\n"
        "    Points Possible;;;;;7,00\nLovelace;Ada;101;ada;A;\nMüller;Jürgen;102;jm;A;\n"
    )
    filled = fill_canvas(text.encode(), MARKS)
    assert [line[5] for line in table(filled.data, ";")][2:] == ["7", "5,25"]
    assert filled.column == "Saliency (42)"


def test_canvas_by_names_where_no_id_is_known() -> None:
    found = marks([replace(row, person={"name": row.name}) for row in ROWS])
    text = CANVAS.replace(",1001,", ",x1,").replace(",1002,", ",x2,").replace(",1003,", ",x3,")
    text = text.replace(",1004,", ",x4,").replace(",1005,", ",x5,")
    filled = fill_canvas(text.encode(), found, "Saliency")
    assert [line[7] for line in table(filled.data)][3:6] == ["7", "5.25", ""]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (None, "2 columns could be filled. Name one: .Quiz"),
        ("Salience", "Did you mean .Saliency"),
        ("Final Score", "no column for points is called"),
        ("Quiz", "has 10 points, these lessons 7. Set it to 7 there, or ask for scaling"),
    ],
)
def test_canvas_asks_which_column(column: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        fill_canvas(CANVAS.encode(), MARKS, column)


def test_canvas_scales_where_it_is_asked_to() -> None:
    filled = fill_canvas(CANVAS.encode(), MARKS, "Quiz", scale=True)
    assert [line[6] for line in table(filled.data)][3:5] == ["10", "7.5"]


MOODLE_HEADS = {
    "en": ["First name", "Last name", "ID number", "Email address", "Assignment: Saliency (Real)"],
    "de": ["Vorname", "Nachname", "ID-Nummer", "E-Mail-Adresse", "Aufgabe: Saliency (Punkte)"],
    "ko": ["이름", "성", "학번", "이메일 주소", "과제: Saliency (실제)"],
}
PEOPLE = [
    ["Ada", "Lovelace", "1001", "ada@uni.de"],
    ["Jürgen", "Müller", "1002", "jm@uni.de"],
    ["민수", "김", "1003", "minsu@uni.kr"],
    ["Sean", "O'Neill", "1004", "sean@uni.ie"],
    ["'=cmd()", 'x"', "1005", "eve@uni.de"],
    ["Ann", "Elsewhere", "1999", "ann@uni.de"],
]


def written(rows: Sequence[Sequence[str]], mark: str, encoding: str = "utf-8") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=mark, lineterminator="\n").writerows(rows)
    return text.getvalue().encode(encoding)


@pytest.mark.parametrize("language", MOODLE_HEADS)
@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("comma", [True, False])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4, 5, 6], [5, 4, 3, 6, 0, 2, 1]])
@pytest.mark.parametrize("key", [2, 3])
def test_moodle_gradebook(
    language: str, mark: str, comma: bool, order: list[int], key: int
) -> None:
    """Whatever the language, the separator, the decimals and the order; by number or address."""
    total = ["80,50" if comma else "80.50"] * 6
    earlier = ["-", "1,5" if comma else "1.5", "-", "-", "-", "2"]
    rows = [[*MOODLE_HEADS[language], "Course total", "Last downloaded from this course"]]
    for person, grade, summed in zip(PEOPLE, earlier, total, strict=True):
        cells = [cell if at in (0, 1, key) else "" for at, cell in enumerate(person)]
        rows.append([*cells, grade, summed, "1764374400"])
    export = written([[line[at] for at in order] for line in rows], mark)
    filled = fill_moodle(export, MARKS, MOODLE_HEADS[language][4])
    at = order.index(4)
    before, after = table(export, mark), table(filled.data, mark)
    assert others(after, at) == others(before, at)
    half = "5,25" if comma else "5.25"
    assert [line[at] for line in after[1:]] == ["7", half, "", "", "3", "2"]
    assert filled.unknown == ["Not There"] and len(filled.untouched) == 1
    assert "must have 7 points" in filled.lines()[-1]


@pytest.mark.parametrize("joined", [True, False])
def test_moodle_by_names_where_no_key_is_known(joined: bool) -> None:
    found = marks([replace(row, person={"name": row.name}) for row in ROWS])
    rows = [["Abteilung", "Nom", "Prénom", "Saliency"]]
    rows += [["Physik", last, first, ""] for first, last, _, _ in PEOPLE]
    if joined:
        rows = [[a, f"{c} {b}", d] for a, b, c, d in rows]
    after = table(fill_moodle(written(rows, ";"), found, "Saliency").data, ";")
    assert [line[-1] for line in after[1:4]] == ["7", "5.25", ""]


@pytest.mark.parametrize("comma", [True, False])
def test_moodle_worksheet_needs_no_column(comma: bool) -> None:
    """Participants' numbers are those of the submissions that Moodle packs."""
    full = "7,00" if comma else "7.00"
    rows = [
        ["Bezeichner", "Vollständiger Name", "Status", "Bewertung", "Bestwertung",
         "Bewertung kann geändert werden", "Zuletzt geändert", "Feedback als Kommentar"],
        ["Teilnehmer/in101", "Ada Lovelace", "Abgegeben", "", full, "Ja", "-", ""],
        ["Teilnehmer/in102", "Müller, Jürgen", "Abgegeben", "", full, "Ja", "-", ""],
        ["Teilnehmer/in103", "김 민수", "Abgegeben", "", full, "Ja", "-", ""],
        ["Teilnehmer/in199", "Ann", "Keine Abgabe", "", full, "Ja", "-", ""],
    ]  # fmt: skip
    filled = fill_moodle(written(rows, ","), MARKS)
    after = table(filled.data)
    assert [line[3] for line in after[1:]] == ["7", "5,25" if comma else "5.25", "", ""]
    assert others(after, 3) == others([list(line) for line in rows], 3)
    other = [[*line[:4], "10,00", *line[5:]] if n else line for n, line in enumerate(rows)]
    with pytest.raises(UserError, match="has 10 points, these lessons 7"):
        fill_moodle(written(other, ","), MARKS)
    scaled = fill_moodle(written(other, ","), MARKS, scale=True)
    assert [line[3] for line in table(scaled.data)[1:3]] == ["10", "7,5"]


def test_points_that_equal_a_number_are_no_key() -> None:
    found = [Mark((str(n),), "", float(n), 7.0) for n in (1, 2, 3)]
    rows = [["Name", "ID", "Saliency", "Quiz"], ["a", "3", "-", "1"], ["b", "2", "-", "1"],
            ["c", "1", "-", "3"]]  # fmt: skip
    after = table(fill_moodle(written(rows, ","), found, "Saliency").data)
    assert [line[2] for line in after[1:]] == ["3", "2", "1"]


def test_points_of_many_are_no_key_either() -> None:
    """A column of points that repeats two students' numbers knows fewer than theirs does."""
    found = [Mark((str(n),), "", 1.0, 7.0) for n in (1, 2, 3)]
    rows = [["Name", "ID", "Saliency", "Quiz"]]
    rows += [[f"n{n}", str(n), "", str(n % 3 + 1)] for n in (1, 2, 14, 15, 16, 17)]
    after = table(fill_moodle(written(rows, ","), found, "Saliency").data)
    assert [line[2] for line in after[1:]] == ["1", "1", "", "", "", ""]


def test_a_key_of_two_lines_is_nobodys() -> None:
    rows = [["Student", "ID", "SIS User ID", "S (1)"], ["Ada", "101", "1001", "5"]]
    rows += [["Ada", "108", "1001", "6"], ["Jürgen", "102", "1002", ""]]
    found = [Mark(("1001",), "", 7.0, 7.0), Mark(("1002",), "", 5.0, 7.0)]
    filled = fill_canvas(written(rows, ","), found)
    assert [line[3] for line in table(filled.data)[1:]] == ["5", "6", "5"]
    assert filled.unknown == ["1001"] and len(filled.untouched) == 2


def test_a_number_of_another_kind_is_nobodys() -> None:
    rows = [["Student", "ID", "SIS User ID", "SIS Login ID", "S (1)"]]
    rows += [
        ["Ada", "1003", "1001", "x", ""],
        ["Bo", "7", "1002", "y", ""],
        ["Cy", "8", "", "cy", ""],
    ]
    found = [Mark((key,), "", 5.0, 7.0) for key in ("1001", "1002", "8", "cy")]
    filled = fill_canvas(written(rows, ","), found)
    assert [line[4] for line in table(filled.data)[1:]] == ["5", "5", "5"]
    assert filled.unknown == ["8"]  # Canvas's own number of Cy, who is there by their login


def test_a_moodle_gradebook_of_one_item_needs_no_column() -> None:
    rows = [["Nom", "Numéro", "Département", "Devoir", "Dernier téléchargement"]]
    rows += [["Ada", "1001", "", "-", "1764374400"], ["Jürgen", "1002", "", "-", "1764374400"]]
    after = table(fill_moodle(written(rows, ";"), MARKS).data, ";")
    assert [line[3] for line in after[1:]] == ["7", "5.25"]


def test_a_quote_that_is_never_closed_swallows_nobody() -> None:
    with pytest.raises(UserError, match="is not a gradebook exported from Canvas"):
        fill_canvas(b'Student,ID,S (1)\nBo,1001,\n"Ada,1002,\nCy,1003,\n', MARKS)


BLACKBOARD_HEAD = [
    "Last Name", "First Name", "Username", "Student ID", "Last Access", "Availability",
    "Saliency [Total Pts: 7 Score] |4711", "Quiz [Total Pts: 10 Score] |4712",
    "Total [Total Pts: up to 24 Score] |4713",
]  # fmt: skip


@pytest.mark.parametrize(
    ("mark", "encoding"), [("\t", "utf-16-le"), ("\t", "utf-16-be"), (",", "utf-8")]
)
def test_blackboard(mark: str, encoding: str) -> None:
    begins = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff", "utf-8": b"\xef\xbb\xbf"}
    text = io.StringIO()
    writer = csv.writer(text, delimiter=mark, quoting=csv.QUOTE_ALL, lineterminator="\r\n")
    writer.writerow(BLACKBOARD_HEAD)
    for first, last, key, mail in PEOPLE:
        name = mail.partition("@")[0]
        writer.writerow([last, first, name, key, "", "Yes", "Needs Grading", "1.00", "2"])
    export = begins[encoding] + text.getvalue().encode(encoding)
    filled = fill_blackboard(export, MARKS, "Saliency")
    assert filled.data.startswith(begins[encoding])
    decode = "utf-16" if "16" in encoding else "utf-8-sig"
    before, after = table(export, mark, decode), table(filled.data, mark, decode)
    assert others(after, 6) == others(before, 6)
    assert [line[6] for line in after[1:]] == ["7", "5.25", "", "", "3", "Needs Grading"]
    assert filled.unknown == ["Not There"] and filled.untouched == ["Elsewhere Ann"]
    assert fill_blackboard(export, [], "Saliency").data == export
    with pytest.raises(UserError, match="no column for points is called “Total”"):
        fill_blackboard(export, MARKS, "Total")
    with pytest.raises(UserError, match="has 10 points, these lessons 7"):
        fill_blackboard(export, MARKS, "Quiz")


@pytest.mark.parametrize("fill", [fill_canvas, fill_moodle, fill_blackboard])
@pytest.mark.parametrize(
    "data",
    [b"", b"hello", b"a,b\n", b"\xff\xfe\x00", b"\x00" * 50, b"PK\x03\x04\x00\x00", b'"a,b\nc,d\n',
     "name,size\nJürgen,3\nAnn,4\n".encode(), "n;ü\n1;2\n".encode("cp1252")],
)  # fmt: skip
def test_another_file_is_refused_in_one_line(fill, data: bytes) -> None:
    with pytest.raises(UserError, match="is not a ") as refused:
        fill(data, MARKS, "Saliency")
    assert "\n" not in str(refused.value) and len(str(refused.value)) < 250


@pytest.mark.parametrize("message", ["Good.", "<b>한</b>\x1b[31m \ud800 =1+1"])
def test_gradescope(message: str) -> None:
    told = json.loads(results_json(row("ada", 2.25, message=message)))
    Draft202012Validator(GRADESCOPE).validate(told)
    assert told["score"] == 5.25 == sum(test["score"] for test in told["tests"])
    assert [test["status"] for test in told["tests"]] == ["failed", "passed"]
    made_from = {"l11_saliency": {"factor": 0.9, "late": "1 day late."}}
    late = json.loads(results_json(replace(row("ada", 4.0), made_from=made_from)))
    Draft202012Validator(GRADESCOPE).validate(late)
    assert (late["score"], late["output"]) == (6.3, "1 day late.")


@pytest.mark.parametrize("status", ["ungraded", "unusable", "missing"])
def test_gradescope_gets_no_file_that_would_be_a_zero(status: str) -> None:
    with pytest.raises(UserError, match="would not be final"):
        results_json(row("ada", None if status == "ungraded" else 0.0, status))


def test_gradescope_gets_a_total_that_a_person_gave() -> None:
    told = json.loads(results_json(replace(ROWS[2], given=6.0, note="On paper.")))
    Draft202012Validator(GRADESCOPE).validate(told)
    assert (told["score"], told["output"]) == (6.0, "On paper.")
    assert ["score" in test for test in told["tests"]] == [False, True]


# Of junit-10.xsd, which Jenkins and pytest check against: attributes (needed, allowed), children.
JUNIT = {
    "testsuites": ((), ("name", "time", "tests", "failures", "errors"), ("testsuite",)),
    "testsuite": (
        ("name", "tests", "failures", "errors"),
        ("name", "tests", "failures", "errors", "skipped", "time", "timestamp"),
        ("properties", "testcase", "system-out", "system-err"),
    ),
    "properties": ((), (), ("property",)),
    "property": (("name", "value"), ("name", "value"), ()),
    "testcase": (
        ("name",),
        ("name", "time", "classname", "group"),
        ("skipped", "failure", "system-out", "system-err"),
    ),
    "skipped": ((), ("type", "message"), ()),
    "failure": ((), ("type", "message"), ()),
    "system-out": ((), (), ()),
}


def follows_junit(element: ElementTree.Element) -> None:
    needed, allowed, children = JUNIT[element.tag]
    assert set(needed) <= set(element.keys()) <= set(allowed)
    for child in element:
        assert child.tag in children
        follows_junit(child)


def test_junit() -> None:
    names = ["Müller, Jürgen", '=cmd() "x" <&>', "김민수\x07\ud800", "]]>"]
    rows = [row(names[0], 4.0), row(names[1], 2.25, message="Wrong <b>\x1b[1m & so on")]
    rows += [row(names[2], None, "ungraded"), row(names[3], 0.0, "unusable")]
    root = ElementTree.fromstring(junit_xml(rows))
    follows_junit(root)
    suites = list(root)
    assert [suite.get("name") for suite in suites] == [*names[:2], "김민수\\x07\\ud800", "]]>"]
    assert [(s.get("tests"), s.get("failures"), s.get("skipped")) for s in suites] == [
        ("2", "0", "0"), ("2", "1", "0"), ("2", "0", "1"), ("2", "0", "2"),
    ]  # fmt: skip
    assert root.attrib == {"tests": "8", "failures": "1", "errors": "0"}
    scores = [
        [p.get("value") for p in suite.iter("property") if p.get("name") == "score"]
        for suite in suites
    ]
    assert scores == [["7"], ["5.25"], [], []]
    failure = root.find(".//failure")
    assert failure is not None and failure.get("message") == "Wrong <b>\\x1b[1m & so on"


WORDS = st.text("abü김'\",;=+-@ _0", min_size=1, max_size=8)


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(WORDS, min_size=2, max_size=8),
    points=st.lists(st.one_of(st.none(), st.integers(0, 28)), min_size=8, max_size=8),
    here=st.lists(st.booleans(), min_size=8, max_size=8),
    order=st.randoms(use_true_random=False),
    mark=st.sampled_from([",", ";", "\t"]),
    platform=st.sampled_from(["canvas", "moodle", "blackboard"]),
)
def test_everybody_gets_their_own_points(names, points, here, order, mark, platform) -> None:
    """Nobody gets another's points, no line is lost, nothing else is touched."""
    found = [
        Mark((f"s{n:03}", f"u{n}@x.y"), name, None if p is None else p / 4, 7.0)
        for n, (name, p) in enumerate(zip(names, points, strict=False))
    ]
    listed = [n for n in range(len(names)) if here[n]] or [0]
    order.shuffle(listed)
    if platform == "canvas":
        rows = [["Student", "ID", "SIS User ID", "Saliency (7)", "x"]]
        rows.append(["    Points Possible", "", "", "7.00", ""])
        rows += [[names[n], f"{n + 1}", f"s{n:03}", "", ""] for n in listed]
        export = written(rows, mark)
        filled = fill_canvas(export, found, "Saliency")
    elif platform == "moodle":
        rows = [["Nome", "Indirizzo email", "Compito", "Saliency", "Commento"]]
        rows += [[names[n], f"u{n}@x.y", "sì", "-", "testo"] for n in listed]
        export = written(rows, mark)
        filled = fill_moodle(export, found, "Saliency")
    else:
        rows = [["Last Name", "Username", "Student ID", "Saliency [Total Pts: 7 Score] |7", "N"]]
        rows += [[names[n], f"s{n:03}", "", "", ""] for n in listed]
        export = b"\xff\xfe" + written(rows, mark, "utf-16-le")
        filled = fill_blackboard(export, found)
    decode = "utf-16" if platform == "blackboard" else "utf-8"
    after = table(filled.data, mark, decode)
    assert others(after, 3) == others(rows, 3)
    cells = [line[3] for line in after[-len(listed) :]]
    wanted = [found[n].points for n in listed]
    assert [float(cell) if cell else None for cell in cells] == wanted
    absent = [names[n] for n in range(len(names)) if n not in listed]
    assert sorted(filled.unknown) == sorted(absent) and not filled.untouched
