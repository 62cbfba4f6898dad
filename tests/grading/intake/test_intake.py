"""Every shape in which work arrives becomes the same submission; what does not says why."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from reading import read_submissions
from synthetic import expectation_of

from autograder.build.notebook import notebook_bytes
from autograder.build.products import notebook
from autograder.checks import lesson
from autograder.course.catalogue import landed_stems as stems
from autograder.course.reference import read_lesson
from autograder.grading.intake.submission import Submission
from autograder.judge.expected import run_trusted
from autograder.judge.verdict import judge
from autograder.protocol.answers import Answer

STEM, OTHER = "l11_saliency", "l05_tsne"
TEXT = read_lesson(STEM).bare()


def _zip(files: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return file.getvalue()


def _tar_gz(files: dict[str, str]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(text.encode())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return file.getvalue()


def _put(path: Path, data: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data.encode() if isinstance(data, str) else data)


ARCHIVE = {f"{STEM}/exercises.py": TEXT}
SHAPES: dict[str, Callable[[Path], None]] = {
    "folder of a lesson": lambda at: _put(at / "ada" / STEM / "exercises.py", TEXT),
    "folder with a file": lambda at: _put(at / "ada" / "exercises.py", TEXT),
    "folder with a file of its own name": lambda at: _put(at / "ada" / "my work.py", TEXT),
    "folder in a folder": lambda at: _put(at / "ada" / "hw" / "week 3" / "exercises.py", TEXT),
    "whole working copy": lambda at: [
        _put(at / "ada" / "lessons" / stem / "exercises.py", text)
        for stem, text in ((STEM, TEXT), (OTHER, read_lesson(OTHER).stubs()))
    ],
    "file": lambda at: _put(at / "ada.py", TEXT),
    "file with Windows line ends and a mark": lambda at: _put(
        at / "ada.py", b"\xef\xbb\xbf" + TEXT.replace("\n", "\r\n").encode()
    ),
    "zip of convlens submit": lambda at: _put(at / "ada.zip", _zip(ARCHIVE)),
    "zip of a Mac": lambda at: _put(
        at / "ada.zip", _zip({**ARCHIVE, f"__MACOSX/{STEM}/._exercises.py": "\0\5\x16"})
    ),
    "zip in a folder, as Moodle exports it": lambda at: _put(
        at / "ada" / "submission.zip", _zip(ARCHIVE)
    ),
    "tar.gz": lambda at: _put(at / "ada.tar.gz", _tar_gz(ARCHIVE)),
    "tgz in a folder": lambda at: _put(at / "ada" / "work.tgz", _tar_gz(ARCHIVE)),
    "nbgrader's course": lambda at: _put(at / "submitted" / "ada" / STEM / "exercises.py", TEXT),
    "download renamed by a browser, beside the stubs": lambda at: [
        _put(at / "ada" / STEM / "exercises.py", read_lesson(STEM).stubs()),
        _put(at / "ada" / STEM / "exercises (1).py", TEXT),
    ],
    "shipped notebook beside the work": lambda at: [
        _put(at / "ada" / STEM / "exercises.py", TEXT),
        _put(at / "ada" / STEM / "lesson.ipynb", notebook_bytes(notebook(STEM))),
    ],
    "two files that differ in a comment": lambda at: [
        _put(at / "ada" / "a.py", TEXT),
        _put(at / "ada" / "b.py", TEXT + "# mine\n"),
    ],
    "stubs beside the work": lambda at: [
        _put(at / "ada" / "lessons" / STEM / "exercises.py", read_lesson(STEM).stubs()),
        _put(at / "ada" / STEM / "exercises.py", TEXT),
    ],
}


def _only(place: Path) -> Submission:
    (submission,) = read_submissions(place, [STEM])
    return submission


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_the_same_submission(shape: str, tmp_path: Path) -> None:
    SHAPES[shape](tmp_path)
    submission = _only(tmp_path)
    assert (submission.student, submission.sources) == ("ada", {STEM: TEXT})
    assert submission.problems == {}


@pytest.mark.parametrize("place", ["ada.ipynb", f"ada/{STEM}/lesson.ipynb", "ada/Untitled1.ipynb"])
def test_a_notebook_gives_its_solution_cells_and_not_its_outputs(
    place: str, tmp_path: Path
) -> None:
    book = json.loads(notebook_bytes(notebook(STEM, solved=True)))
    book["cells"][0]["source"] = "import os; os._exit(0)"
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "printed 31415"}]
    _put(tmp_path / place, json.dumps(book))
    source = _only(tmp_path).sources[STEM]
    assert all(f"def {name}(" in source for name in read_lesson(STEM).exercises)
    assert "_exit" not in source and "31415" not in source


@pytest.mark.parametrize("text", ["import os; os._exit(0)\n", "x = 1\n", "(((\n"])
def test_a_lone_file_is_the_one_lesson_whatever_it_holds(text: str, tmp_path: Path) -> None:
    _put(tmp_path / "ada.py", text)
    assert _only(tmp_path).sources == {STEM: text}
    (several,) = read_submissions(tmp_path, [STEM, OTHER])
    assert several.sources == {} and "No file" in several.problems[""]


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"ada/report.pdf": "%PDF"}, "holds no .py file and no notebook"),
        ({"ada.zip": _zip({"report.pdf": "%PDF"})}, "holds no .py file and no notebook"),
        ({"ada.pdf": "%PDF"}, "“ada.pdf” is not a kind of file that is graded: hand in .py"),
        ({"ada.py": read_lesson(OTHER).bare()}, "No file in the submission belongs to a lesson"),
        ({"ada.zip": "PK\3\4"}, "broken"),
        ({"ada/a.zip": _zip(ARCHIVE), "ada/b.zip": _zip(ARCHIVE)}, "archive inside"),
        ({"ada.zip": _zip({"inner.zip": "PK"})}, "archive inside"),
        ({"ada.py": ""}, "is empty"),
        ({"ada.zip": _zip(ARCHIVE), "ada.py": TEXT}, "2 submissions for one student"),
    ],
)
def test_what_cannot_be_used_says_why(
    files: dict[str, str | bytes], reason: str, tmp_path: Path
) -> None:
    for name, data in files.items():
        _put(tmp_path / name, data)
    submission = _only(tmp_path)
    assert submission.sources == {}
    assert reason in " ".join(submission.problems.values())


@pytest.mark.parametrize("place", [f"{STEM}/exercises.py", "exercises.py", f"lessons/{STEM}/x.py"])
def test_a_folder_that_is_one_students_is_one_submission(place: str, tmp_path: Path) -> None:
    _put(tmp_path / "ada" / place, TEXT)
    submission = _only(tmp_path / "ada")
    assert (submission.student, submission.sources) == ("ada", {STEM: TEXT})


def test_a_hand_out_among_the_students_makes_them_not_one(tmp_path: Path) -> None:
    for student in ("ada", "bob"):
        _put(tmp_path / student / "exercises.py", TEXT)
    _put(tmp_path / "exercises.py", read_lesson(STEM).stubs())
    found = read_submissions(tmp_path, [STEM])
    assert [submission.student for submission in found] == ["ada", "bob", "exercises"]


@pytest.mark.parametrize("stem", stems())
def test_nobody_has_worked_on_a_shipped_notebook(stem: str, tmp_path: Path) -> None:
    _put(tmp_path / "ada" / stem / "exercises.py", read_lesson(stem).bare())
    _put(tmp_path / "ada" / stem / "lesson.ipynb", notebook_bytes(notebook(stem)))
    (submission,) = read_submissions(tmp_path, [stem])
    assert submission.sources == {stem: read_lesson(stem).bare()}


def test_one_students_lessons_come_from_several_files(tmp_path: Path) -> None:
    _put(tmp_path / "ada" / "a.py", TEXT)
    _put(tmp_path / "ada" / "b.py", read_lesson(OTHER).bare())
    (submission,) = read_submissions(tmp_path, [STEM, OTHER])
    assert submission.sources == {STEM: TEXT, OTHER: read_lesson(OTHER).bare()}


def test_a_cell_that_does_not_parse_costs_its_own_exercise(tmp_path: Path) -> None:
    book = json.loads(notebook_bytes(notebook(STEM, solved=True)))
    for cell in book["cells"]:
        if cell["metadata"].get("nbgrader", {}).get("grade_id") == f"{STEM}-saliency_box":
            cell["source"] = "def saliency_box(saliency, share):\n    return max((1, 2)\n"
    _put(tmp_path / "ada.ipynb", json.dumps(book))
    source = _only(tmp_path).sources[STEM]
    verdicts = {}
    for exercise in lesson(STEM).exercises:
        expectation = expectation_of(STEM, exercise.name, 5)
        records = run_trusted(expectation.job(source, f"{STEM}.py"))
        verdicts[exercise.name] = judge(expectation, Answer("ok", tuple(records)))
    box = verdicts.pop("saliency_box")
    assert {verdict.outcome for verdict in verdicts.values()} == {"passed"}
    assert box.outcome == "error"
    assert "raised SyntaxError: '(' was never closed (line 2: `return max((1, 2)`)" in box.message
