"""Limits and caps from a file replace the defaults; a mistake in it is one clear line."""

from __future__ import annotations

import tomllib
from dataclasses import asdict
from pathlib import Path

import pytest

from autograder.course.reference import ROOT
from autograder.grading.class_run import LIMITS
from autograder.grading.intake.archives import Caps
from autograder.grading.run.settings import read_settings
from autograder.grading.sandbox.limits import Limits
from lessons.toolkit.errors import UserError


def _read(tmp_path: Path, text: str) -> tuple[Limits, Caps]:
    path = tmp_path / "grade.toml"
    path.write_text(text)
    return read_settings(path, Limits(), Caps())


def test_no_file_keeps_the_defaults() -> None:
    assert read_settings(None, Limits(threads=3), Caps()) == (Limits(threads=3), Caps())


def test_a_file_replaces_what_it_names(tmp_path: Path) -> None:
    text = "[limits]\nmemory_bytes = 100\ncpu_factor = 2\n[caps]\nentries = 7\n"
    limits, caps = _read(tmp_path, text)
    assert limits == Limits(memory_bytes=100, cpu_factor=2)
    assert caps == Caps(entries=7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[limits]\nmemory = 1\n", "memory_bytes"),
        ("[limit]\n", "limits"),
        ("[caps]\nentries = 0\n", "positive whole number"),
        ("[caps]\nentries = 1.5\n", "positive whole number"),
        ("[caps]\nentries = true\n", "positive whole number"),
        ("[limits]\ncpu_factor = 'x'\n", "positive number"),
        ("[limits\n", "not TOML"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UserError, match=words):
        _read(tmp_path, text)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot be read"):
        read_settings(tmp_path / "no.toml", Limits(), Caps())


def test_the_settings_on_the_sites_page_are_the_defaults(tmp_path: Path):
    page = (ROOT / "site" / "docs" / "grading.md").read_text()
    file = tmp_path / "shown.toml"
    file.write_text(page[page.index("[limits]") : page.index("```", page.index("[limits]"))])
    shown = tomllib.loads(file.read_text())
    assert shown["limits"] == asdict(LIMITS) and shown["caps"] == asdict(Caps())
    assert read_settings(file, Limits(), Caps()) == (LIMITS, Caps())
