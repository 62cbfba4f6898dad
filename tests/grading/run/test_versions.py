"""A kept verdict is of this course and no other: whatever decides it is in its key."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from autograder.course.reference import ROOT
from autograder.grading.run import versions
from autograder.grading.run.versions import DECIDES, course_hash, hash_of, seed_hash


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all that decides a verdict."""
    root = tmp_path_factory.mktemp("course")
    for name in DECIDES:
        shutil.copytree(ROOT / name, root / name)
    return root


def key(root: Path) -> str:
    return hash_of((root / name for name in DECIDES), root)


def test_another_copy_of_the_course_has_the_same_key(course: Path) -> None:
    assert key(course) == course_hash()


# One file of each package, of every kind: code, words, a reference.
FILES = {
    "autograder/course": "exercise.py",
    "autograder/checks": "l11_saliency/saliency_map.md",
    "autograder/protocol": "wire.py",
    "autograder/worker": "networks.py",
    "autograder/judge": "diagnosis.py",
    "lessons/toolkit": "regions.py",
    "solutions": "l11_saliency.py",
}


def test_every_package_that_decides_is_tested() -> None:
    assert set(FILES) == set(DECIDES)


@pytest.mark.parametrize("package", FILES)
def test_one_byte_in_one_file_is_another_key(course: Path, package: str) -> None:
    before, path = key(course), course / package / FILES[package]
    whole = path.read_bytes()
    path.write_bytes(whole + b"\n")
    assert key(course) != before
    path.write_bytes(whole)
    assert key(course) == before


@pytest.mark.parametrize("package", FILES)
def test_a_file_that_comes_goes_or_moves_is_another_key(course: Path, package: str) -> None:
    before, path = key(course), course / package / "added" / "extra.py"
    path.parent.mkdir()
    path.write_text("x = 1\n")
    added = key(course)
    path = path.rename(path.with_name("moved.py"))
    assert len({before, added, key(course)}) == 3
    shutil.rmtree(path.parent)
    assert key(course) == before


def test_what_python_writes_beside_its_sources_is_no_part_of_the_key(course: Path) -> None:
    before, cache = key(course), course / "solutions" / "__pycache__"
    cache.mkdir(exist_ok=True)
    (cache / "l99_new.cpython-311.pyc").write_bytes(b"x")
    assert key(course) == before


@pytest.mark.parametrize("library", ["convlens", "python", "torch", "numpy"])
def test_another_library_is_another_key(
    course: Path, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, real = key(course), versions.versions()
    monkeypatch.setattr(versions, "versions", lambda: {**real, library: "0"})
    assert key(course) != before


def test_a_seeds_hash_tells_seeds_apart_and_does_not_tell_them() -> None:
    assert seed_hash(5) == seed_hash(5) != seed_hash(6)
    assert len(seed_hash(5)) == 16 and seed_hash(5) != format(5, "016x")
