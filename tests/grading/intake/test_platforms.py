"""Each platform's download, as it comes, is the class it was: nobody merged, split or lost."""

from __future__ import annotations

import io
import re
import tarfile
import unicodedata
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder.grading.intake.archives import WORK, Caps
from autograder.grading.intake.folder import read_submission
from autograder.grading.intake.gather import gather, seats_of
from autograder.grading.intake.hands import (
    ONE,
    PLAIN,
    Hand,
    Layout,
    attempt_of,
    chosen,
    expect_class,
    expect_one,
    safe_ids,
)
from autograder.grading.intake.people import Person
from autograder.grading.intake.platforms import recognise
from autograder.grading.intake.staged import staged
from lessons.toolkit.errors import UserError

STEM = "l11_saliency"
Tree = dict[str, str]
KINDS = ("folder", "zip", "tar.gz")


def build(at: Path, tree: Tree, kind: str = "folder") -> Path:
    """Lay a tree of texts out as a folder, a zip or a tar; return its path."""
    if kind == "folder":
        for name, text in tree.items():
            place = at / "class" / name
            if name.endswith("/"):
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, encoding="utf-8")
        return at / "class"
    place = at / f"class.{kind}"
    at.mkdir(parents=True, exist_ok=True)
    if kind == "zip":
        with zipfile.ZipFile(place, "w") as archive:
            for name, text in tree.items():
                archive.writestr(name, text)
    else:
        with tarfile.open(place, "w:gz") as tar:
            for name, text in tree.items():
                entry = tarfile.TarInfo(name)
                entry.size = len(text.encode())
                tar.addfile(entry, io.BytesIO(text.encode()))
    return place


def handed_in(layout: Layout, hands: list[Hand] | None = None) -> dict[str, dict[str, str]]:
    """Return each student's files as they called them, and what stands in their work."""
    hands = chosen(layout.hands)[0] if hands is None else hands
    found = {}
    with staged(layout, hands) as places:
        for hand, place in places:
            files = [place] if place.is_file() else [p for p in place.rglob("*") if p.is_file()]
            root = place.parent if place.is_file() else place
            assert hand.student not in found
            found[hand.student] = {
                p.relative_to(root).as_posix(): p.read_text(encoding="utf-8") * (p.suffix in WORK)
                for p in files
            }
    return found


def zipped(text: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{STEM}/exercises.py", text)
    return file.getvalue()


CANVAS = {
    "lovelaceada_101_50001_exercises.py": "ada",
    "müllerjürgen_LATE_102_50002_exercises-1.py": "jürgen",
    "김민수_103_50003_lesson.ipynb": "minsu",
    "oneillsean_104_50004_exercises.py": "sean",
    "oneillsean_104_50005_notes_2_1000_b.py": "sean too",
    "smithann_105_text.html": "<p>see e-mail</p>",
    "smithann_105_50006_exercises.py": "ann",
    "typistonly_106_text.html": "def f(): ...",
}


@pytest.mark.parametrize("kind", KINDS)
def test_canvas(kind: str, tmp_path: Path) -> None:
    layout = recognise(build(tmp_path, CANVAS, kind))
    assert (layout.platform, layout.sure) == ("Canvas", "certain")
    assert sorted(layout.students) == ["101", "102", "103", "104", "105", "106"]
    by_id = {hand.student: hand for hand in layout.hands}
    assert by_id["102"].late is True and by_id["101"].late is False
    assert by_id["102"].name == "müllerjürgen"
    work = handed_in(layout)
    assert work["101"] == {"exercises.py": "ada"}
    assert work["104"] == {"exercises.py": "sean", "notes_2_1000_b.py": "sean too"}
    assert work["105"] == {"exercises.py": "ann"}
    assert list(work["106"]) == ["text.html"]  # a row that says why, not a missing student
    assert layout.ignored == ("smithann_105_text.html",)
    assert "6 students, 1 of them late, 1 file ignored" in layout.sentence()


def test_canvas_without_names_for_blind_grading(tmp_path: Path) -> None:
    tree = {"anon_aB3x9_50001_a.py": "one", "LATE_anon_zz777_50002_a.py": "two"}
    layout = recognise(build(tmp_path, tree))
    assert layout.platform == "Canvas"
    assert [(h.student, h.late) for h in layout.hands] == [
        ("anon_zz777", True),
        ("anon_aB3x9", False),
    ]


def test_numbers_in_file_names_are_no_canvas(tmp_path: Path) -> None:
    tree = {f"lab_3_100_{who}.py": who for who in ("ada", "bob", "cy")}
    layout = recognise(build(tmp_path, tree))
    assert layout.platform == PLAIN and len(layout.students) == 3
    assert layout.sure == "open" and "like Canvas's" in layout.sentence()


def test_capitals_are_no_canvas(tmp_path: Path) -> None:
    tree = {f"Lab_{number}_12{number}_work.py": "x" for number in range(3)}
    assert recognise(build(tmp_path, tree)).platform == PLAIN


def test_two_files_of_one_name_stay_two(tmp_path: Path) -> None:
    tree = {"x_101_50001_a.py": "one", "x_101_50002_a.py": "two", "y_102_50003_a.py": "three"}
    assert set(handed_in(recognise(build(tmp_path, tree)))["101"].values()) == {"one", "two"}


MOODLE = {
    "Ada Lovelace_1234567_assignsubmission_file_/exercises.py": "ada",
    "Kim Minsu_1234568_assignsubmission_file_/l11_saliency/lesson.ipynb": "kim one",
    "Kim Minsu_1234569_assignsubmission_file_/exercises.py": "kim two",
    "Müller, Jürgen_1234570_assignsubmission_file/deep/er/exercises.py": "jürgen",
    "Müller, Jürgen_1234570_assignsubmission_onlinetext/onlinetext.html": "<p>hello</p>",
    "안젤라 김_1234571_assignsubmission_onlinetext_/onlinetext.html": "<p>only this</p>",
    "=cmd()_1234572_assignsubmission_file_/a.py": "formula",
}


@pytest.mark.parametrize("kind", KINDS)
def test_moodle(kind: str, tmp_path: Path) -> None:
    layout = recognise(build(tmp_path, MOODLE, kind))
    assert (layout.platform, layout.sure) == ("Moodle", "certain")
    names = {hand.student: hand.name for hand in layout.hands}
    assert names == {
        "1234567": "Ada Lovelace",
        "1234568": "Kim Minsu",
        "1234569": "Kim Minsu",
        "1234570": "Müller, Jürgen",
        "1234571": "안젤라 김",
        "1234572": "=cmd()",
    }
    work = handed_in(layout)
    assert work["1234568"] == {"l11_saliency/lesson.ipynb": "kim one"}
    assert work["1234569"] == {"exercises.py": "kim two"}
    assert work["1234570"] == {"deep/er/exercises.py": "jürgen"}
    assert list(work["1234571"]) == ["onlinetext.html"]
    assert len(layout.ignored) == 1 and "1 file ignored" in layout.sentence()


def test_moodle_without_folders(tmp_path: Path) -> None:
    tree = {
        "Ada Lovelace_1234567_assignsubmission_file_exercises.py": "a",
        "Ada Lovelace_1234567_assignsubmission_file_more_stuff.py": "b",
        "Ada Lovelace_1234567_assignsubmission_onlinetext_onlinetext.html": "c",
        "Participant_77_assignsubmission_file_x.py": "blind",
        "Default group_assignsubmission_file_y.py": "group",
    }
    layout = recognise(build(tmp_path, tree))
    assert layout.platform == "Moodle"
    assert handed_in(layout) == {
        "1234567": {"exercises.py": "a", "more_stuff.py": "b"},
        "77": {"x.py": "blind"},
        "Default group": {"y.py": "group"},
    }


def receipt(user: str, name: str) -> str:
    return f"Name: {name} ({user})\nAssignment: Homework_1\nDate Submitted: Friday\n"


BLACKBOARD = {
    "Homework_1_ada_l_attempt_2026-11-02-10-00-00.txt": receipt("ada_l", "Ada Lovelace"),
    "Homework_1_ada_l_attempt_2026-11-02-10-00-00_exercises.py": "first",
    "Homework_1_ada_l_attempt_2026-11-03-11-30-00.txt": receipt("ada_l", "Ada Lovelace"),
    "Homework_1_ada_l_attempt_2026-11-03-11-30-00_exercises.py": "second",
    "Homework_1_l_attempt_2026-11-02-12-00-00.txt": receipt("l", "Jürgen Müller"),
    "Homework_1_l_attempt_2026-11-02-12-00-00_my_file_v2.py": "other",
    "Homework_1_s123_attempt_2026-11-02-13-00-00.txt": receipt("s123", "Kim, Minsu"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_blackboard(kind: str, tmp_path: Path) -> None:
    layout = recognise(build(tmp_path, BLACKBOARD, kind))
    assert (layout.platform, layout.sure) == ("Blackboard", "certain")
    hands = {(hand.student, hand.attempt): hand for hand in layout.hands}
    assert set(hands) == {("ada_l", 1), ("ada_l", 2), ("l", 1), ("s123", 1)}
    assert hands["ada_l", 2].time == datetime(2026, 11, 3, 11, 30)
    assert hands["ada_l", 2].name == "Ada Lovelace" and hands["l", 1].name == "Jürgen Müller"
    assert handed_in(layout)["ada_l"] == {"exercises.py": "second"}
    assert handed_in(layout)["l"] == {"my_file_v2.py": "other"}
    first, without = chosen(layout.hands, "first")
    assert handed_in(layout, first)["ada_l"] == {"exercises.py": "first"} and not without
    second, without = chosen(layout.hands, 2)
    assert [hand.student for hand in second] == ["ada_l"] and without == ["l", "s123"]
    assert len(layout.ignored) == 3
    assert "3 students, 1 earlier attempt, 3 files ignored" in layout.sentence()


def test_blackboard_without_receipts(tmp_path: Path) -> None:
    time = "attempt_2026-11-02-10-00-00"
    tree = {f"Homework 1_{user}_{time}_a.py": user for user in ("ada", "adam", "b_c")}
    assert set(recognise(build(tmp_path, tree)).students) == {"ada", "adam", "b_c"}
    doubtful = {f"Lab_{user}_{time}_a.py": user for user in ("1_ada", "2_ada", "1_bob", "2_bob")}
    with pytest.raises(UserError, match="receipts are missing"):
        recognise(build(tmp_path / "b", doubtful))


def test_two_blackboard_assignments_are_refused(tmp_path: Path) -> None:
    tree = {}
    for title in ("HW 1", "HW 2"):
        tree[f"{title}_ada_attempt_2026-11-02-10-00-00.txt"] = receipt("ada", "Ada")
        tree[f"{title}_ada_attempt_2026-11-02-10-00-00_a.py"] = title
    for place in (build(tmp_path, tree), build(tmp_path / "lone", tree, "zip").parent):
        with pytest.raises(UserError, match=r"several Blackboard assignments.*folder of its own"):
            recognise(place)


@pytest.mark.parametrize("kind", KINDS)
def test_google_classroom(kind: str, tmp_path: Path) -> None:
    tree = {
        "Ada Lovelace - exercises.py": "ada",
        "Ada Lovelace - lesson (1).ipynb": "ada too",
        "Copy of 김민수 - exercises.py": "minsu",
        "O'Neill, Sean - exercises (2).py": "sean",
        "Jürgen Müller - exercises.py": "j one",
        "Jürgen Müller - exercises (1).py": "j two",
        "exercises.py": "nobody",
    }
    layout = recognise(build(tmp_path, tree, kind))
    assert (layout.platform, layout.sure) == ("Google Classroom", "likely")
    work = handed_in(layout)
    assert work["Ada Lovelace"] == {"exercises.py": "ada", "lesson.ipynb": "ada too"}
    assert work["김민수"] == {"exercises.py": "minsu"}
    assert work["O'Neill, Sean"] == {"exercises.py": "sean"}
    assert work["exercises"] == {"exercises.py": "nobody"}
    problems = {hand.student: hand.problem for hand in layout.hands if hand.problem}
    assert list(problems) == ["Jürgen Müller"]  # two namesakes or one twice: a person decides
    assert "another form" in layout.sentence()


def test_files_that_name_nobody_are_said(tmp_path: Path) -> None:
    tree = {"exercises.py": "a", "exercises (1).py": "b", "exercises (2).py": "c"}
    layout = recognise(build(tmp_path, tree))
    assert (layout.platform, layout.sure, len(layout.students)) == (PLAIN, "open", 3)
    assert "2 files do not name their student" in layout.sentence()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("parent", ["", "hw1-submissions/"])
def test_github_classroom(kind: str, parent: str, tmp_path: Path) -> None:
    tree = {}
    for user in ("ada-lovelace", "ada-l", "Bob42"):
        tree[f"{parent}hw1-{user}/.git/HEAD"] = "ref: refs/heads/main"
        tree[f"{parent}hw1-{user}/{STEM}/exercises.py"] = user
    layout = recognise(build(tmp_path, tree, kind))
    assert (layout.platform, layout.sure) == ("GitHub Classroom", "certain")
    assert set(layout.students) == {"ada-lovelace", "ada-l", "Bob42"}
    assert handed_in(layout)["ada-l"][f"{STEM}/exercises.py"] == "ada-l"
    assert "the assignment is “hw1”" in layout.sentence()


def test_the_folder_of_clones_says_what_the_assignment_is(tmp_path: Path) -> None:
    users = ("kim-ada", "kim-bo")  # or “hw1-kim” would be the assignment
    tree = {f"hw1-submissions/hw1-{user}/.git/HEAD": "ref" for user in users}
    assert recognise(build(tmp_path, tree)).students == list(users)


NBGRADER = {
    "nbgrader_config.py": "c = get_config()",
    "source/l11_saliency/lesson.ipynb": "{}",
    "submitted/O'Neill/l11_saliency/lesson.ipynb": "oneill",
    "submitted/O'Neill/l11_saliency/timestamp.txt": "2026-11-02 10:00:00.123456 UTC\n",
    "submitted/ada/l11_saliency/lesson.ipynb": "ada",
    "submitted/ada/l11_saliency/timestamp.txt": "2026-11-02 10:00:00 Europe/Berlin",
    "submitted/Ada/l05_tsne/lesson.ipynb": "another Ada",
}


@pytest.mark.parametrize("kind", KINDS)
def test_nbgrader(kind: str, tmp_path: Path) -> None:
    layout = recognise(build(tmp_path, NBGRADER, kind))
    assert layout.platform == "nbgrader"
    hands = {hand.student: hand for hand in layout.hands}
    assert set(hands) == {"O'Neill", "ada", "Ada"}
    assert hands["O'Neill"].time == datetime(2026, 11, 2, 10, 0, 0, 123456, UTC)
    assert hands["ada"].time is not None
    assert hands["ada"].time.astimezone(UTC) == datetime(2026, 11, 2, 9, tzinfo=UTC)
    assert hands["Ada"].time is None
    assert handed_in(layout)["Ada"]["l05_tsne/lesson.ipynb"] == "another Ada"
    safe = safe_ids(layout.students)
    assert len({name.casefold() for name in safe.values()}) == 3


def test_nbgraders_submitted_folder_itself(tmp_path: Path) -> None:
    build(tmp_path, NBGRADER)
    layout = recognise(tmp_path / "class" / "submitted")
    assert layout.platform == "nbgrader" and len(layout.students) == 3


def test_who_fetched_and_handed_in_nothing_is_not_there(tmp_path: Path) -> None:
    course = build(tmp_path, NBGRADER)
    (course / "submitted" / "nobody").mkdir()
    layout = recognise(course)
    assert len(layout.students) == 3 and "Without any file: nobody." in layout.sentence()


def test_a_student_called_submitted_hides_nobody(tmp_path: Path) -> None:
    tree = {"submitted/exercises.py": "x", "bob/exercises.py": "y"}
    with pytest.raises(UserError, match="entries are the students"):
        recognise(build(tmp_path, tree))


@pytest.mark.parametrize("kind", KINDS)
def test_plain(kind: str, tmp_path: Path) -> None:
    tree = {
        "ada/exercises.py": "ada",
        "zoe/exercises.py": "another",
        "Kim, Minsu/hw/week 3/exercises.py": "minsu",
        "O'Neill.py": "sean",
        "김민수.ipynb": "{}",
        "bob.pdf": "%PDF",
        "eve.py": "e",
        "eve.ipynb": "{}",
        "README.txt": "how I sorted them",
    }
    layout = recognise(build(tmp_path, tree, kind))
    assert layout.platform == PLAIN
    work = handed_in(layout)
    assert set(work) == {"ada", "zoe", "Kim, Minsu", "O'Neill", "김민수", "bob.pdf", "eve"}
    assert work["zoe"] == {"exercises.py": "another"}
    assert [h.student for h in layout.hands if h.problem] == ["eve"]
    assert "bob.pdf" in layout.students and layout.ignored == ("README.txt",)


def test_letters_composed_in_two_ways_are_one_student(tmp_path: Path) -> None:
    taken_apart = unicodedata.normalize("NFD", "Jürgen")
    tree = {f"{taken_apart}/exercises.py": "x", "ada/exercises.py": "y"}
    assert recognise(build(tmp_path, tree)).students == ["Jürgen", "ada"]


ONES: dict[str, Tree] = {
    "lesson's folder": {f"{STEM}/exercises.py": "x"},
    "working copy": {f"lessons/{STEM}/exercises.py": "x", "README.md": ""},
    "file": {"exercises.py": "x"},
    "both": {"exercises.py": "x", "lesson.ipynb": "{}"},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", ONES)
def test_one_students_work_is_not_a_class(shape: str, kind: str, tmp_path: Path) -> None:
    layout = recognise(build(tmp_path, ONES[shape], kind))
    assert (layout.platform, layout.students) == (ONE, ["class"])
    with pytest.raises(UserError, match="--one"):
        expect_class(layout)
    with staged(layout, [expect_one(layout)]) as [(_, place)]:
        assert place == layout.root


def test_a_class_is_not_one_students_work(tmp_path: Path) -> None:
    layout = recognise(build(tmp_path, CANVAS, "zip"))
    with pytest.raises(UserError, match=r"a class of 6 students \(Canvas\).*convlens grade"):
        expect_one(layout)
    assert recognise(layout.root, one=True).platform == ONE


@pytest.mark.parametrize("tree", [CANVAS, MOODLE, BLACKBOARD], ids=["canvas", "moodle", "bb"])
def test_the_class_archive_alone_in_a_folder_or_in_a_wrapper(tree: Tree, tmp_path: Path) -> None:
    alone = recognise(build(tmp_path / "a", tree, "zip").parent)
    wrapped = recognise(build(tmp_path / "b", {f"hw 1/{n}": t for n, t in tree.items()}, "zip"))
    deep = recognise(build(tmp_path / "c", {f"x/y/{n}": t for n, t in tree.items()}))
    plain = recognise(build(tmp_path / "d", tree))
    assert handed_in(alone) == handed_in(wrapped) == handed_in(deep) == handed_in(plain)


def test_an_archive_inside_the_class_archive_is_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "submissions.zip", "w") as archive:
        for number, who in enumerate(("ada", "bob"), 101):
            archive.writestr(f"{who}_{number}_{number}00_work.zip", zipped("x = 1\n"))
    layout = recognise(tmp_path / "submissions.zip")
    with staged(layout, chosen(layout.hands)[0]) as places:
        found = {hand.student: read_submission(place, [STEM]) for hand, place in places}
    assert {student: dict(sub.sources) for student, sub in found.items()} == {
        "101": {STEM: "x = 1\n"},
        "102": {STEM: "x = 1\n"},
    }


ROSTER = [
    Person("s1", "Lovelace, Ada", "ada@uni.de"),
    Person("s2", "Jürgen Müller", "jm@uni.de"),
    Person("O'Neill", "Sean O'Neill", "sean@uni.ie"),
    Person("s4", "Nobody Came", "no@uni.de"),
]


def test_attempts_are_named() -> None:
    assert [attempt_of(text) for text in ("last", "First", "3")] == ["last", "first", 3]
    for text in ("0", "-1", "latest", "²"):
        with pytest.raises(UserError, match="last, first"):
            attempt_of(text)


def test_a_class_with_its_roster_has_a_row_for_everybody(tmp_path: Path) -> None:
    tree = {
        "lovelaceada_101_50001_exercises.py": "x = 1\n",
        "müllerjürgen_LATE_102_50002_lesson.pdf": "%PDF",
        "oneillsean_104_50004_exercises.py": "x = 4\n",
    }
    layout = recognise(build(tmp_path, tree, "zip"))
    seats = seats_of(chosen(layout.hands)[0], ROSTER)
    found = gather(layout, seats, lambda place: read_submission(place, [STEM]))
    assert [(s.student, dict(s.sources)) for s in found] == [
        ("s1", {STEM: "x = 1\n"}),
        ("s2", {}),
        ("O_Neill-009ccbf8", {STEM: "x = 4\n"}),
        ("s4", {}),
    ]
    assert "no .py file and no notebook" in found[1].problems[""]
    assert found[3].missing and not found[3].problems
    assert found[0].origin == "lovelaceada_101_50001_exercises.py"
    assert seats[0].person.others == ("101",)  # which Canvas's gradebook has
    with pytest.raises(UserError, match="not on the roster"):
        seats_of(chosen(layout.hands)[0], ROSTER[1:])


def test_what_a_person_must_decide_is_read_by_nobody(tmp_path: Path) -> None:
    tree = {"eve.py": "x = 1\n", "eve.ipynb": "{}", "ada.py": "x = 2\n"}
    layout = recognise(build(tmp_path, tree))
    seats = seats_of(chosen(layout.hands)[0])
    found = gather(layout, seats, lambda place: read_submission(place, [STEM]))
    assert [bool(submission.problems) for submission in found] == [False, True]
    assert "2 submissions for one student" in found[1].problems[""] and not found[1].sources


def test_a_broken_archive_costs_its_own_student_alone(tmp_path: Path) -> None:
    place = build(tmp_path, {"x_101_50001_work.zip": "PK broken", "y_102_50002_a.py": "x = 2\n"})
    for root in (place, build(tmp_path / "b", {"ada.zip": "PK broken"})):
        layout = recognise(root)
        seats = seats_of(chosen(layout.hands)[0])
        found = gather(layout, seats, lambda place: read_submission(place, [STEM]))
        assert "broken" in found[0].problems[""] and not found[0].sources
        assert all(submission.sources for submission in found[1:])


def test_names_without_the_mark_of_utf8_are_read_as_it(tmp_path: Path) -> None:
    names = ["Jürgen Müller_1_assignsubmission_file_/a.py", "김민수_2_assignsubmission_file_/a.py"]
    place = build(tmp_path, dict.fromkeys(names, "x"), "zip")
    data = re.sub(rb"(PK\x03\x04..)..", rb"\1\0\0", place.read_bytes(), flags=re.DOTALL)
    place.write_bytes(re.sub(rb"(PK\x01\x02....)..", rb"\1\0\0", data, flags=re.DOTALL))
    with zipfile.ZipFile(place) as archive:
        assert archive.namelist() != names
    layout = recognise(place)
    assert [hand.name for hand in layout.hands] == ["Jürgen Müller", "김민수"]
    assert handed_in(layout) == {"1": {"a.py": "x"}, "2": {"a.py": "x"}}


@pytest.mark.parametrize("name", ["../../evil.py", "/etc/evil.py", "a\\..\\..\\evil.py"])
def test_nothing_is_written_outside(name: str, tmp_path: Path) -> None:
    tree = {f"x_101_50001_{PurePosixPath(name).name}": "in", name: "out", "y_102_50002_a.py": "y"}
    layout = recognise(build(tmp_path / "in", tree, "zip"))
    with staged(layout, chosen(layout.hands)[0]) as places:
        inside = {p for _, place in places for p in place.rglob("*")}
        assert all(p.resolve().is_relative_to(place.parent) for p in inside for _, place in places)
        assert "out" not in {p.read_text() for p in inside if p.is_file()}
    assert not list(tmp_path.rglob("evil.py"))


@pytest.mark.parametrize("kind", ["zip", "tar.gz"])
def test_nothing_leaves_a_students_folder(kind: str, tmp_path: Path) -> None:
    tree = {"ada/exercises.py": "in", "ada/../../../../evil.py": "out", "bob/exercises.py": "b"}
    layout = recognise(build(tmp_path, tree, kind))
    assert handed_in(layout) == {"ada": {"exercises.py": "in"}, "bob": {"exercises.py": "b"}}
    assert "evil.py" in layout.sentence()


def test_a_submission_over_its_cap_is_a_persons_to_decide(tmp_path: Path) -> None:
    tree = {"x_101_50001_a.py": "1" * 60, "x_101_50002_b.py": "2" * 60, "y_102_50003_a.py": "3"}
    layout = recognise(build(tmp_path, tree, "zip"))
    with staged(layout, chosen(layout.hands)[0], Caps(unpacked_bytes=100)) as places:
        problems = {hand.student: hand.problem for hand, _ in places}
    assert problems == {"101": "The submission holds more bytes than one may.", "102": ""}


def test_an_entry_that_claims_anothers_number_is_told_apart_by_a_person(tmp_path: Path) -> None:
    layout = recognise(build(tmp_path, {**CANVAS, "101.py": "who is this?"}))
    problems = {hand.student: hand.problem for hand in layout.hands if hand.problem}
    assert list(problems) == ["101"] and "claim one student" in problems["101"]
    assert len(layout.students) == 6


def test_an_archive_of_one_folder_of_ones_own_names_is_one_students(tmp_path: Path) -> None:
    tree = {"src/my_work.py": "x", "README.md": "read me"}
    assert recognise(build(tmp_path, tree, "zip")).platform == ONE


def test_links_are_not_followed(tmp_path: Path) -> None:
    secret = tmp_path / "secret.py"
    secret.write_text("secret")
    place = build(tmp_path, CANVAS)
    (place / "x_107_50009_a.py").symlink_to(secret)
    layout = recognise(place)
    assert "secret" not in str(handed_in(layout))
    assert (
        "Left alone: 1 that lead" in layout.sentence() and "x_107_50009_a.py" in layout.sentence()
    )


def test_what_the_instructor_names_is_used_or_refused(tmp_path: Path) -> None:
    place = build(tmp_path, CANVAS)
    assert recognise(place, platform="canvas").platform == "Canvas"
    assert len(recognise(place, platform="plain").students) == len(CANVAS)
    with pytest.raises(UserError, match="no name as Moodle"):
        recognise(place, platform="moodle")
    with pytest.raises(UserError, match="no layout called"):
        recognise(place, platform="canvass")
    with pytest.raises(UserError, match="is empty"):
        recognise(build(tmp_path / "e", {"x/": ""}) / "x")
    with pytest.raises(UserError, match="There is no folder"):
        recognise(tmp_path / "nowhere")
    (tmp_path / "broken.zip").write_bytes(b"PK\3\4")
    with pytest.raises(UserError, match="cannot be read"):
        recognise(tmp_path / "broken.zip")


# Names that people have, and that break programs.
LETTERS = "abzAZüßéŁ김민수田中 -'’.,_0\"=+@&()"
NAMES = st.text(LETTERS, min_size=1, max_size=12).filter(lambda name: name.strip(" .") == name)
CLASS = st.lists(
    st.tuples(NAMES, st.booleans(), st.integers(1, 3)), min_size=3, max_size=7
)  # name, late, files


def canvas_tree(people: list[tuple[str, bool, int]]) -> tuple[Tree, dict[str, set[str]]]:
    tree: Tree = {}
    expected: dict[str, set[str]] = {}
    for number, (name, late, files) in enumerate(people, 101):
        # As its source writes them: lower case, letters and digits, no `_12_` inside.
        shown = re.sub(r"_(\d+)_", r"\1", name).lower()
        prefix = re.sub(r"\W", "", f"{shown}{'_LATE' if late else ''}_{number}")
        if re.search(r"_\d+(_LATE)?_\d+$", prefix):
            prefix = re.sub(r"_(\d+)((?:_LATE)?_\d+)$", r"\1\2", prefix)
        expected[str(number)] = set()
        for file in range(files):
            text = f"{number} {file}"
            tree[f"{prefix}_{70000 + 10 * number + file}_my_file_{file}.py"] = text
            expected[str(number)].add(text)
    return tree, expected


def moodle_tree(people: list[tuple[str, bool, int]]) -> tuple[Tree, dict[str, set[str]]]:
    tree: Tree = {}
    expected: dict[str, set[str]] = {}
    for number, (name, flat, files) in enumerate(people, 101):
        clean = re.sub(r"[&<>\"`|':\\/]", "", name.replace("_", " ")).strip(" .") or "x"
        expected[str(number)] = set()
        for file in range(files):
            text = f"{number} {file}"
            between = "_" if flat else "_/deep/"
            tree[f"{clean}_{number}_assignsubmission_file{between}f_{file}.py"] = text
            expected[str(number)].add(text)
    return tree, expected


def blackboard_tree(people: list[tuple[str, bool, int]]) -> tuple[Tree, dict[str, set[str]]]:
    tree: Tree = {}
    expected: dict[str, set[str]] = {}
    for number, (name, _, files) in enumerate(people):
        user = f"{re.sub(r'[^a-z0-9_.]', '', name.lower())}_{number}"
        expected[user] = set()
        for attempt in range(files):
            head = f"My_lab 1_{user}_attempt_2026-11-{attempt + 1:02}-10-00-00"
            tree[f"{head}.txt"] = receipt(user, name)
            text = f"{number} {attempt}"
            tree[f"{head}_a_{attempt}.py"] = text
            expected[user] = {text}  # the last
    return tree, expected


def google_tree(people: list[tuple[str, bool, int]]) -> tuple[Tree, dict[str, set[str]]]:
    tree: Tree = {}
    expected: dict[str, set[str]] = {}
    for number, (name, copy, files) in enumerate(people):
        # Drive has only the name; two of one name are another test's.
        # A name that ends like the mark between name and file cannot be told from it.
        shown = re.sub(r"/|\s-|-$", "", f"{number}{name}".strip()).strip(" -")
        expected[shown] = set()
        for file in range(files):
            text = f"{number} {file}"
            tree[f"{'Copy of ' if copy else ''}{shown} - f{file} v.py"] = text
            expected[shown].add(text)
    return tree, expected


def plain_tree(people: list[tuple[str, bool, int]]) -> tuple[Tree, dict[str, set[str]]]:
    tree: Tree = {}
    expected: dict[str, set[str]] = {}
    for number, (name, _, files) in enumerate(people):
        student = unicodedata.normalize("NFC", f"{name}{number}")
        expected[student] = {f"{number} {file}" for file in range(files)}
        for file in range(files):
            tree[f"{name}{number}/deep/f{file}.py"] = f"{number} {file}"
    return tree, expected


Maker = Callable[[list[tuple[str, bool, int]]], tuple[Tree, dict[str, set[str]]]]
MAKERS: dict[str, Maker] = {
    "Canvas": canvas_tree,
    "Moodle": moodle_tree,
    "Blackboard": blackboard_tree,
    "Google Classroom": google_tree,
    PLAIN: plain_tree,
}


@pytest.mark.parametrize("platform", MAKERS)
@settings(max_examples=15, deadline=None)
@given(people=CLASS, kind=st.sampled_from(KINDS))
def test_nobody_is_merged_lost_or_doubled(
    platform: str,
    people: list[tuple[str, bool, int]],
    kind: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    tree, expected = MAKERS[platform](people)
    layout = recognise(build(tmp_path_factory.mktemp("p"), tree, kind))
    assert layout.platform == platform
    found = {student: set(files.values()) for student, files in handed_in(layout).items()}
    assert found == expected
    assert len(set(safe_ids(found).values())) == len(expected)
    paths = [path for hand in layout.hands for path in hand.paths]
    assert len(paths) == len(set(paths))
