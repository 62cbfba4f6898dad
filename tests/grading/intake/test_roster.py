"""Who is in the class decides the rows: everybody on the roster, nobody else, each once."""

from __future__ import annotations

import csv
import io
import unicodedata
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.grading.intake.hands import Hand
from autograder.grading.intake.late import Due, due
from autograder.grading.intake.people import People, Person, orders
from autograder.grading.intake.roster import match, parse_roster, read_roster
from lessons.toolkit.errors import UserError

CLASS = [
    ("1001", "Ada Lovelace", "ada@uni.de", "A", "lovelace-ada"),
    ("1002", "Müller, Jürgen", "j.mueller@uni.de", "A", "jmu"),
    ("1003", "김민수", "minsu@uni.kr", "B", "kimms"),
    ("1004", "Sean O'Neill", "SEAN@uni.ie", "B", "sean42"),
    ("1005", '=cmd() "Bobby", Tables', "bob@uni.de", "B", "bob"),
    ("0006", "Anna Maria de la Cruz", "anna@uni.es", "B", "amc"),
]
HEAD = ["id", "name", "email", "section", "github"]


def roster_bytes(mark: str = ",", encoding: str = "utf-8", order: list[int] | None = None) -> bytes:
    order = order or list(range(len(HEAD)))
    text = io.StringIO()
    writer = csv.writer(text, delimiter=mark, lineterminator="\r\n")
    writer.writerows([[line[at] for at in order] for line in (HEAD, *CLASS)])
    return text.getvalue().encode(encoding)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("order", [[0, 1, 2, 3, 4], [4, 2, 0, 3, 1]])
def test_a_roster_is_read_as_it_comes(mark: str, encoding: str, order: list[int]) -> None:
    people = parse_roster(roster_bytes(mark, encoding, order))
    assert [(p.id, p.name, p.email) for p in people] == [line[:3] for line in CLASS]
    assert all(set(p.others) == set(line[3:]) for p, line in zip(people, CLASS, strict=True))


@pytest.mark.parametrize(
    "head",
    [
        "Matrikelnummer;Vorname;Nachname;E-Mail-Adresse",
        "학번;First name;Last name;이메일",
        "Student ID;given name;SURNAME;Mail",
    ],
)
def test_columns_are_known_in_other_languages(head: str) -> None:
    (person,) = parse_roster(f"{head}\n7;Ada;Lovelace;a@b.c\n".encode())
    assert person == Person("7", "Ada Lovelace", "a@b.c", ())


def test_a_gradebook_of_canvas_is_a_roster() -> None:
    text = 'Student,ID,SIS User ID,SIS Login ID,Section\n    Points Possible,,,,\n"Lovelace, Ada",'
    (person,) = parse_roster(f"{text}101,1001,ada,A\n".encode())
    assert (person.id, person.name) == ("101", "Lovelace, Ada") and "1001" in person.others


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"name,email\nAda,a@b.c\n", "has no column of ids; its columns are .name., .email."),
        (b"id,name\n1,Ada\n1,Bob\n", "Rows 2 and 3 of roster.csv have one id"),
        (b"id,name\n1,Ada\n,Bob\n", "Row 3 of roster.csv has no id"),
        ("id,name\n1,Jürgen\n".encode("cp1252"), "is not UTF-8"),
    ],
)
def test_a_roster_that_cannot_be_used_says_why(data: bytes, said: str) -> None:
    with pytest.raises(UserError, match=said):
        parse_roster(data)


def test_a_roster_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_roster(tmp_path / "roster.csv")


@pytest.mark.parametrize(
    ("hand", "whose"),
    [
        (Hand("1001"), "1001"),
        (Hand("0006"), "0006"),
        (Hand("lovelace-ada"), "1001"),  # another column
        (Hand("sean@UNI.ie"), "1004"),
        (Hand("j.mueller"), "1002"),  # before the @
        (Hand("1234567", "Ada Lovelace"), "1001"),  # Moodle
        (Hand("101", "lovelaceada"), "1001"),  # Canvas
        (Hand("102", "müllerjürgen"), "1002"),
        (Hand("103", "ONeill Sean"), "1004"),  # Moodle drops the apostrophe
        (Hand("Jürgen Müller", "Jürgen Müller"), "1002"),
        (Hand("김민수", "김민수"), "1003"),
        (Hand("민수 김", "민수 김"), "1003"),
        (Hand("de la Cruz, Anna Maria"), "0006"),
        (
            Hand("9", unicodedata.normalize("NFD", "Jürgen Müller")),
            "1002",
        ),  # accents apart from their letters
    ],
)
def test_a_hand_in_finds_its_person(hand: Hand, whose: str) -> None:
    matched = match([hand], parse_roster(roster_bytes()))
    assert [(person.id, found) for person, found in matched.rows if found] == [(whose, hand)]
    assert len(matched.rows) == len(CLASS) and len(matched.missing) == len(CLASS) - 1


@pytest.mark.parametrize(
    ("hands", "said"),
    [
        ([Hand("1oo1", "Ada Lovelaec")], r"“1oo1” \(Ada Lovelaec\) is not on .*nearest: 1001, Ada"),
        ([Hand("zzz")], r"“zzz” is not on the roster\."),
        ([Hand("1001"), Hand("7", "Lovelace Ada")], "are both 1001"),
        ([Hand("1001", "Jürgen Müller")], "could be 1001 or 1002"),  # numbers of two kinds
        ([Hand("A")], "could be 1001 or 1002"),  # a section is nobody's name
    ],
)
def test_strangers_are_refused_by_name(hands: list[Hand], said: str) -> None:
    with pytest.raises(UserError, match=said):
        match(hands, parse_roster(roster_bytes()))


def test_two_of_one_name_are_never_guessed() -> None:
    people = [Person("1", "Kim Min"), Person("2", "Min Kim"), Person("3", "Bo")]
    with pytest.raises(UserError, match="could be 1 or 2"):
        match([Hand("77", "Kim Min")], people)
    assert match([Hand("2", "Kim Min")], people).rows[1][1] is not None


def test_orders_start_at_each_word() -> None:
    assert orders("Kim  Min-su") == {"kimminsu", "minsukim"}
    assert orders(" - ") == set()


IDS = st.text("abAB01ü김-_.", min_size=1, max_size=5)


@settings(max_examples=100, deadline=None)
@given(
    ids=st.lists(IDS, min_size=1, max_size=8, unique_by=lambda text: text.casefold()),
    names=st.lists(st.sampled_from(["Kim Min", "Min Kim", "Ada L", "Bo"]), min_size=8, max_size=8),
    here=st.sets(st.integers(0, 7)),
)
def test_everybody_has_one_row_and_their_own_work(
    ids: list[str], names: list[str], here: set[int]
) -> None:
    people = [Person(key, name) for key, name in zip(ids, names, strict=False)]
    hands = [Hand(person.id, person.name) for i, person in enumerate(people) if i in here]
    matched = match(hands, people)
    assert [person for person, _ in matched.rows] == people
    assert [hand for _, hand in matched.rows if hand] == hands
    assert all(hand is None or hand.student == person.id for person, hand in matched.rows)
    assert all(People(people).find(person.id) == [person] for person in people)


BERLIN = ZoneInfo("Europe/Berlin")
RULE = Due(datetime(2026, 11, 30, 23, 59, tzinfo=BERLIN), 0.1, 0.5, timedelta(minutes=15))


@pytest.mark.parametrize(
    ("time", "days", "factor"),
    [
        (datetime(2026, 11, 30, 23, 59, tzinfo=BERLIN), 0, 1.0),
        (datetime(2026, 11, 30, 22, 59, tzinfo=UTC), 0, 1.0),
        (datetime(2026, 12, 1, 0, 14), 0, 1.0),  # without a zone: the deadline's; within the grace
        (datetime(2026, 12, 1, 0, 15), 1, 0.9),
        (datetime(2026, 12, 1, 23, 59), 1, 0.9),
        (datetime(2026, 12, 2, 0, 0), 2, 0.8),
        (datetime(2026, 12, 24), 24, 0.5),
    ],
)
def test_days_after_the_deadline(time: datetime, days: int, factor: float) -> None:
    late = RULE.of(Hand("ada", time=time))
    assert (late.days, late.factor) == (days, factor)
    assert bool(late.why) == (days > 0)  # what is taken away is said
    assert late.factor == factor


def test_a_day_has_24_hours_when_clocks_change() -> None:
    rule = Due(datetime(2026, 10, 24, 12, tzinfo=BERLIN), 0.1)
    assert rule.of(Hand("a", time=datetime(2026, 10, 25, 11, tzinfo=BERLIN))).days == 1
    assert rule.of(Hand("a", time=datetime(2026, 10, 25, 11, 30, tzinfo=BERLIN))).days == 2


def test_times_without_a_zone_take_the_one_that_is_given() -> None:
    rule = replace(RULE, zone=ZoneInfo("Asia/Seoul"))
    assert rule.of(Hand("a", time=datetime(2026, 12, 1, 7, 0))).days == 0


def test_what_only_the_platform_knows_costs_nothing_by_itself() -> None:
    assert RULE.of(Hand("a", late=True)).factor == 1.0
    assert "by how much is for you to judge" in RULE.of(Hand("a", late=True)).why
    assert "not known" in RULE.of(Hand("a")).why
    assert RULE.of(Hand("a", late=False)).why == ""


def test_what_lateness_costs_is_one_sentence() -> None:
    told = RULE.of(Hand("a", time=datetime(2026, 12, 24))).why
    assert told == "24 days late, which takes 50% of the points, the most there is."
    assert Due(RULE.when).of(Hand("a", time=datetime(2026, 12, 2, 1))).why == (
        "2 days late, which costs nothing."
    )


def test_a_deadline_is_written_with_its_zone() -> None:
    assert due("2026-11-30T23:59+01:00").when.utcoffset() == timedelta(hours=1)
    assert due("2026-11-30", "Europe/Berlin").when == datetime(2026, 11, 30, 23, 59, 59, 0, BERLIN)
    assert due("2026-07-01 12:00", "Europe/Berlin").when.utcoffset() == timedelta(hours=2)
    with pytest.raises(UserError, match="no time zone"):
        due("2026-11-30T23:59")
    for text, zone in (("soon", ""), ("2026-11-30", "Middle/Earth"), ("2026-13-01", "UTC")):
        with pytest.raises(UserError, match="no deadline"):
            due(text, zone)
    with pytest.raises(UserError, match="shares from 0 to 1"):
        Due(RULE.when, per_day=10)
