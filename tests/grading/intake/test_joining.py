"""Work in several files of one lesson is joined, and what cannot be read is told by exercise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder.build.notebook import notebook_bytes
from autograder.build.products import notebook
from autograder.course.reference import read_lesson
from autograder.course.student_file import UNTOUCHED, WORKED, standings
from autograder.grading.intake.archives import Caps
from autograder.grading.intake.folder import read_submission

STEM, OTHER = "l11_saliency", "l05_tsne"
SOURCE = read_lesson(STEM)
NAMES = SOURCE.exercises
TEXT, STUBS = SOURCE.bare(), SOURCE.stubs()
WRONG = "def smooth_grad(*args, **keys):\n    return 7\n"


def done(*names: str, helper: str = "") -> str:
    """The lesson with these exercises solved, each with a line of its own."""
    text = "".join(
        (SOURCE.chunk(c.name) if c.name in names else SOURCE.stub(c.name)) if c.name else c.text
        for c in SOURCE.chunks
    )
    return text.replace("solutions.l", "lessons.l") + helper


def book(*names: str) -> bytes:
    """The lesson's notebook with these exercises solved."""
    table = json.loads(notebook_bytes(notebook(STEM)))
    for cell in table["cells"]:
        name = cell["metadata"].get("nbgrader", {}).get("grade_id", "").partition("-")[2]
        if name in names:
            cell["source"] = SOURCE.chunk(name)
    return json.dumps(table).encode()


def read(place: Path, files: dict[str, str | bytes], caps: Caps | None = None, stems=(STEM,)):
    for name, data in files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return read_submission(place, list(stems), caps)


FIRST, REST = NAMES[:2], NAMES[2:]
HALVES = {
    "file and notebook": {
        f"{STEM}/exercises.py": done(*FIRST),
        f"{STEM}/lesson.ipynb": book(*REST),
    },
    "notebook and file": {
        f"{STEM}/exercises.py": done(*REST),
        f"{STEM}/lesson.ipynb": book(*FIRST),
    },
    "two files": {"exercises.py": done(*FIRST), "exercises (1).py": done(*REST)},
    "two notebooks": {"lesson.ipynb": book(*FIRST), "lesson-Copy1.ipynb": book(*REST)},
    "functions alone": {
        "exercises.py": done(*FIRST),
        "more.py": "import torch\n" + "\n".join(SOURCE.chunk(name) for name in REST),
    },
    "three": {
        "exercises.py": done(NAMES[0]),
        "exercises copy.py": done(NAMES[1]),
        "lesson.ipynb": book(*REST),
    },
}


@pytest.mark.parametrize("name", HALVES)
def test_halves_are_joined_exercise_by_exercise(name: str, tmp_path: Path) -> None:
    submission = read(tmp_path, HALVES[name])
    text = submission.sources[STEM]
    assert {state for state, _ in standings(text, STEM).values()} == {WORKED}
    assert len(standings(text, STEM)) == len(NAMES)
    compile(text, "joined", "exec")
    assert not submission.problems and any("came from" in note for note in submission.notes)


@pytest.mark.parametrize(
    "copy", ["exercises (copy).py", "exercises (1).py", "Copy of exercises.py", "old/exercises.py"]
)
def test_an_untouched_copy_never_wins(copy: str, tmp_path: Path) -> None:
    for number, (mine, other) in enumerate([(TEXT, STUBS), (STUBS, TEXT)]):
        place = tmp_path / str(number)
        submission = read(place, {"exercises.py": mine, copy: other})
        assert submission.sources == {STEM: TEXT}
        assert not submission.problems and not submission.notes


def test_of_two_that_differ_the_one_without_a_mark_of_a_copy_counts(tmp_path: Path) -> None:
    other = SOURCE.replaced("smooth_grad", WRONG)
    for copy in ("exercises (1).py", "copy/exercises.py", "lesson-Copy1.py"):
        submission = read(tmp_path / copy[:4], {"exercises.py": TEXT, copy: other})
        assert submission.sources == {STEM: TEXT} and not submission.problems
        (note,) = submission.notes
        assert "`smooth_grad` differs" in note
    more = read(tmp_path / "more", {"exercises.py": done(NAMES[0]), "exercises (1).py": TEXT})
    assert {state for state, _ in standings(more.sources[STEM], STEM).values()} == {WORKED}


def test_what_a_borrowed_exercise_needs_comes_with_it(tmp_path: Path) -> None:
    mine = "import math as m\n_TWO = 2\n\n\ndef _twice(x):\n    return _TWO * x\n\n\n"
    more = f"{mine}def smooth_grad(x):\n    return _twice(m.floor(x))\n\nprint(smooth_grad(2))\n"
    text = read(tmp_path, {"exercises.py": done(NAMES[0]), "b.py": more}).sources[STEM]
    scope: dict[str, object] = {}
    exec(text, scope)
    assert scope["smooth_grad"](3.5) == 6  # type: ignore[operator]
    assert "print(" not in text


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        (f"{STEM}/lesson.ipynb", b"{", "its JSON is broken"),
        (f"{STEM}/exercises (1).py", b"\0\1", "is not text"),
        (f"{STEM}/lesson.ipynb", b" " * 2000 + b"{}", "is larger than 1000 bytes"),
    ],
)
def test_what_may_be_in_a_file_that_cannot_be_read_is_unread(
    name: str, data: bytes, words: str, tmp_path: Path
) -> None:
    caps = Caps(notebook_bytes=1000)
    half = read(tmp_path / "half", {f"{STEM}/exercises.py": done(*FIRST), name: data}, caps)
    assert set(half.problems) == {f"{STEM}.{exercise}" for exercise in REST}
    assert all(words in why for why in half.problems.values())
    alone = read(tmp_path / "alone", {name: data}, caps)
    assert not alone.sources and set(alone.problems) == {STEM} and words in alone.problems[STEM]
    whole = read(tmp_path / "whole", {f"{STEM}/exercises.py": TEXT, name: data}, caps)
    assert whole.sources == {STEM: TEXT} and not whole.problems


def test_a_lesson_that_may_lie_in_an_archive_inside_is_unread(tmp_path: Path) -> None:
    files = {f"{STEM}/exercises.py": TEXT, "rest.zip": b"PK"}
    submission = read(tmp_path / "zip", files, stems=[STEM, OTHER])
    assert set(submission.problems) == {OTHER} and "archive inside" in submission.problems[OTHER]
    assert any("left alone" in note for note in submission.notes)
    absent = read(tmp_path / "none", {f"{STEM}/exercises.py": TEXT}, stems=[STEM, OTHER])
    assert not absent.problems and not absent.notes


def test_settings_reach_every_reader(tmp_path: Path) -> None:
    large = TEXT + "#" * 400_000 + "\n"
    files: dict[str, str | bytes] = {"exercises.py": large}
    assert "is larger than 256 KiB" in read(tmp_path, files).problems[STEM]
    assert read(tmp_path, files, Caps(source_bytes=1 << 20)).sources == {STEM: large}


def test_one_function_that_does_not_parse_costs_no_other(tmp_path: Path) -> None:
    text = SOURCE.replaced("smooth_grad", "def smooth_grad(model:\n    return 1\n")
    submission = read(tmp_path, {"exercises.py": text})
    states = standings(submission.sources[STEM], STEM)
    assert [name for name, (state, _) in states.items() if state != WORKED] == ["smooth_grad"]
    assert not submission.problems and states["smooth_grad"][0] != UNTOUCHED
