"""Whatever is handed in becomes one record, and nothing that reading it does is large."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from reading import read_submissions

from autograder.course.reference import read_lesson
from autograder.course.student_file import Work
from autograder.grading.intake.archives import Caps
from autograder.grading.intake.folder import read_submission
from autograder.grading.intake.guarded import Reader
from autograder.grading.intake.student_ids import student_id
from lessons.toolkit.errors import UserError

STEM = "l11_saliency"
NAME = f"{STEM}/exercises.py"
WRONG = b"def saliency_map(model, images, target):\n    return images[:, 0]\n"
TRIES = 400


def _zip(method: int) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr(NAME, WRONG * 20)
        archive.writestr("readme.txt", b"x")
    return file.getvalue()


def _tar(kind: int) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=kind) as archive:
        entry = tarfile.TarInfo("안" * 40 + f"/{NAME}")  # long, and not ASCII: extended headers
        entry.size, entry.mtime = len(WRONG), 1.5
        archive.addfile(entry, io.BytesIO(WRONG))
    return file.getvalue()


def _notebook() -> bytes:
    marks = {"grade": False, "grade_id": f"{STEM}-saliency_map", "locked": False, "solution": True}
    cell = {
        "cell_type": "code",
        "id": "a",
        "metadata": {"nbgrader": marks},
        "outputs": [],
        "source": ["%matplotlib inline\n", WRONG.decode(), "saliency_map"],
    }
    return json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}).encode()


SEEDS = {
    "stored.zip": _zip(zipfile.ZIP_STORED),
    "deflated.zip": _zip(zipfile.ZIP_DEFLATED),
    "bzip2.zip": _zip(zipfile.ZIP_BZIP2),
    "lzma.zip": _zip(zipfile.ZIP_LZMA),
    "pax.tar": _tar(tarfile.PAX_FORMAT),
    "gnu.tar": _tar(tarfile.GNU_FORMAT),
    "gnu.tar.gz": gzip.compress(_tar(tarfile.GNU_FORMAT)),
    "notebook.ipynb": _notebook(),
    "utf16.ipynb": _notebook().decode().encode("utf-16"),
    "source.py": read_lesson(STEM).stubs().encode(),
    "latin.py": b"# -*- coding: koi8-r -*-\n# \xff\xfe\n" + WRONG,
}


def _mutated(rng: random.Random, data: bytes) -> bytes:
    """A few bytes changed, a piece cut out, doubled, moved or put in."""
    changed = bytearray(data)
    for _ in range(rng.randrange(1, 6)):
        here, there = (rng.randrange(len(changed) + 1) for _ in range(2))
        here, there = min(here, there), min(max(here, there), here + 40)
        match rng.randrange(6):
            case 0 if here < len(changed):
                changed[here] = rng.randrange(256)
            case 1:
                del changed[here:there]
            case 2:
                changed[here:here] = changed[here:there] * rng.randrange(1, 9)
            case 3:
                changed[here:there] = rng.randbytes(there - here)
            case 4:
                changed[here:there] = rng.choice([b"\0", b"\xff", b"9", b"[", b'"']) * rng.choice(
                    [1, 8, 64, 512]
                )
            case 5:
                del changed[rng.randrange(len(changed) + 1) :]
    return bytes(changed)


@pytest.mark.parametrize("name", SEEDS)
def test_any_bytes_become_a_record(name: str, tmp_path: Path) -> None:
    rng = random.Random(name)
    place = tmp_path / name
    for _ in range(TRIES):
        place.write_bytes(_mutated(rng, SEEDS[name]))
        submission = read_submission(place, [STEM, "l02_hooks"])
        assert submission.sources or submission.problems
        assert not submission.fault  # that is for what we did not foresee


def _tar_header(kind: bytes, size: int) -> bytes:
    entry = tarfile.TarInfo("p")
    entry.type, entry.size = kind, size
    return entry.tobuf(tarfile.GNU_FORMAT)


def _central_directory(entries: int) -> bytes:
    """A zip of nothing but a directory, which lists a million files."""
    numbers = (20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0)
    directory = (struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", *numbers) + b"a") * entries
    return directory + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 65535, 65535, len(directory), 0, 0)


def _cells(source: str, extra: str = "") -> bytes:
    notebook = json.loads(_notebook())
    notebook["cells"][0]["source"] = source
    return json.dumps(notebook).encode().replace(b'"cells": [', b'"cells": [' + extra.encode())


def _zeros(method: int) -> bytes:
    """A gigabyte in a few hundred bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive, archive.open(NAME, "w") as member:
        for _ in range(256):
            member.write(bytes(4 << 20))
    return file.getvalue()


def _endless_tar(pax: bool = False) -> bytes:
    """An entry that is said to be larger than any disk, and that is not there."""
    entry = tarfile.TarInfo("notes.bin")
    entry.size = 0 if pax else 10**20
    if pax:
        entry.pax_headers = {"size": str(10**20)}
        return entry.tobuf(tarfile.PAX_FORMAT) + bytes(1024)
    return entry.tobuf(tarfile.GNU_FORMAT) + bytes(1024)


def _sparse_tar(kind: str) -> bytes:
    """Notebooks that are all hole."""
    data = b""
    for number in range(200):
        entry = tarfile.TarInfo(f"{number}.ipynb")
        if kind == "gnu":
            entry.type = tarfile.GNUTYPE_SPARSE
            head = bytearray(entry.tobuf(tarfile.GNU_FORMAT))
            head[483:495] = b"%011o\0" % (32 << 20)
            head[148:156] = b" " * 8
            head[148:156] = b"%06o\0 " % sum(head[:512])
            data += head
        else:
            entry.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
            data += entry.tobuf(tarfile.PAX_FORMAT)
    return data + bytes(1024)


# Each of these once ended the run, hung it, or took gigabytes or minutes.
BOMBS: dict[str, Callable[[], bytes]] = {
    "bzip2.zip": lambda: _zeros(zipfile.ZIP_BZIP2),
    "lzma.zip": lambda: _zeros(zipfile.ZIP_LZMA),
    "endless.tar.gz": lambda: gzip.compress(_endless_tar()),
    "endless-pax.tar": lambda: _endless_tar(pax=True),
    "sparse.tar": lambda: _sparse_tar("gnu"),
    "sparse-pax.tar": lambda: _sparse_tar("pax"),
    "f-strings.ipynb": lambda: _cells('x = f"' + "{1}" * 80_000 + '"'),
    "nested.ipynb": lambda: _cells("x = 1\n", "[" * 900 + "]" * 900 + "," + "[[]]," * 700_000),
    "digits.tar": lambda: _tar_header(tarfile.XHDTYPE, 4 << 20) + b"1" * (4 << 20),
    "zeros.tar.gz": lambda: gzip.compress(
        _tar_header(tarfile.XHDTYPE, 100 << 20) + bytes(100 << 20), 1
    ),
    "long-name.tar": lambda: _tar_header(tarfile.GNUTYPE_LONGNAME, 8 << 20) + b"a" * (8 << 20),
    "directory.zip": lambda: _central_directory(1_000_000),
    "undefined.py": lambda: b"# coding: undefined\n\xff\n" + WRONG,
    "large.py": lambda: WRONG + b"x = 1\n" * 50_000,
    "cell.ipynb": lambda: _cells("x = 1\n" * 1_000_000),
    "parts.ipynb": lambda: _cells("x = 1\n", "[]," * 2_000_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_a_reason(name: str, tmp_path: Path) -> None:
    place = tmp_path / name
    place.write_bytes(BOMBS[name]())
    with Reader([STEM], Caps(), seconds=20) as reader:
        submission = reader.read(place)
        assert reader.read(place) == submission
    assert "to read" not in submission.problems.get("", "")  # refused, not stopped
    told = " ".join(submission.problems.values())
    if name == "undefined.py":  # an odd encoding, but its letters can be read
        assert submission.sources
    else:
        assert not submission.sources and told and "a person" not in told


def test_a_folder_is_read_up_to_a_cap(tmp_path: Path) -> None:
    place = tmp_path / "sparse"
    place.mkdir()
    for number in range(40):
        with (place / f"{number}.ipynb").open("wb") as file:
            file.truncate(4 << 20)
    submission = read_submission(place, [STEM], Caps(unpacked_bytes=32 << 20))
    assert "more bytes than a submission may" in submission.problems[""]


def test_many_versions_of_a_lesson_are_not_parsed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "many.zip"
    with zipfile.ZipFile(place, "w") as archive:
        for number in range(50):
            archive.writestr(f"{number}/{NAME}", WRONG + b"# %d\n" % number)
    monkeypatch.setattr("autograder.grading.intake.folder.joined", lambda *_: pytest.fail("parsed"))
    assert "50 different files" in read_submission(place, [STEM]).problems[STEM]


def test_what_nobody_foresaw_costs_one_submission(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autograder.grading.intake import folder as intake

    def broken(data: bytes, name: str, stem: str) -> Work:
        if b"evil" in data:
            raise ZeroDivisionError
        return Work(data.decode())

    monkeypatch.setattr(intake, "work_of", broken)
    (tmp_path / "ada.py").write_bytes(WRONG)
    (tmp_path / "eve.py").write_bytes(WRONG + b"# evil\n")
    ada, eve = read_submissions(tmp_path, [STEM])
    assert ada.sources and not eve.sources
    assert "ZeroDivisionError" in eve.fault and not eve.problems


def test_a_student_called_submitted_hides_nobody(tmp_path: Path) -> None:
    for student in ("ada", "submitted"):
        (tmp_path / student / STEM).mkdir(parents=True)
        (tmp_path / student / NAME).write_bytes(WRONG)
    with pytest.raises(UserError, match="beside it, “ada”"):
        read_submissions(tmp_path, [STEM])
    course = tmp_path / "course"
    for folder in ("submitted/ada/hw", "source", "release", ".git"):
        (course / folder).mkdir(parents=True)
    (course / "submitted" / "ada" / "hw" / f"{STEM}.py").write_bytes(WRONG)
    assert [s.student for s in read_submissions(course, [STEM])] == ["ada"]


@pytest.mark.parametrize("name", ["con", "NUL", "aux.txt", "COM1", "ada\u3164", "\u3164", "a."])
def test_a_name_that_some_system_cannot_hold_gets_another(name: str) -> None:
    found = student_id(name)
    assert found != name and found.isprintable() and "\u3164" not in found
    assert found.rpartition("-")[2] and student_id("condor") == "condor"


def test_names_that_no_disk_confuses_stay_two(tmp_path: Path) -> None:
    for student in ("Straße", "strasse", "ADA", "ada"):
        (tmp_path / f"{student}.py").write_bytes(WRONG)
    found = read_submissions(tmp_path, [STEM])
    assert len({submission.student.casefold() for submission in found}) == len(found) == 3
    unread = [submission for submission in found if not submission.sources]
    assert [submission.student for submission in unread] == ["ADA"]
    assert "“ADA.py” and “ada.py”" in unread[0].problems[""]


def test_what_breaks_the_reader_costs_one_submission(tmp_path: Path) -> None:
    places = [tmp_path / f"{name}.py" for name in ("ada", "bob", "cem")]
    for place in places:
        place.write_bytes(WRONG)
    places[1].unlink()
    os.mkfifo(places[1])  # nobody ever writes: not a file, and no reason to wait
    with Reader([STEM], Caps(), seconds=20) as reader:
        ada, bob, cem = map(reader.read, places)
    assert ada.sources == cem.sources == {STEM: WRONG.decode()}
    assert "not a file" in bob.problems[""]


@pytest.mark.parametrize("trouble", ["hang", "memory", "death"])
def test_a_broken_reader_is_replaced(
    trouble: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "broken"
    actions = {"hang": "sleep 60", "memory": "exit 1", "death": "kill -9 $$"}
    script.write_text(f"#!/bin/sh\n{actions[trouble]}\n")
    script.chmod(0o700)
    (tmp_path / "ada.py").write_bytes(WRONG)
    with Reader([STEM], Caps(), seconds=2) as reader:
        with monkeypatch.context() as patch:
            patch.setattr("autograder.grading.intake.guarded.sys.executable", str(script))
            broken = reader.read(tmp_path / "ada.py")
        assert broken.student == "ada" and "to read" in broken.problems[""]
        monkeypatch.setattr(reader, "_seconds", 20)
        assert reader.read(tmp_path / "ada.py").sources
