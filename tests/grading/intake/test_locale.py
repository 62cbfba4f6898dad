"""Ids, origins and pages do not depend on the locale or on how accents are written."""

from __future__ import annotations

import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest

from autograder.course.reference import ROOT
from autograder.grading.intake.student_ids import student_id

NAMES = ["안젤라 kim", "José", "Ωμέγα", "x\xff", "ada", "<é>"]
CODE = (
    "import json, pathlib, sys\n"
    "from autograder.files import write_whole\n"
    "from reading import read_submissions\n"
    "from autograder.grading.report import page_of\n"
    "found = read_submissions(pathlib.Path(sys.argv[1]), ['l11_saliency'])\n"
    "for one in found:\n"
    "    write_whole(page_of(pathlib.Path(sys.argv[2]), one.student), b'x')\n"
    "print(json.dumps([[one.student, one.origin, dict(one.problems)] for one in found]))\n"
)
# Python reads C as UTF-8 unless it is told not to.
LOCALES = {
    "utf8": {"LC_ALL": "C.UTF-8"},
    "c": {"LC_ALL": "C"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
}


@pytest.mark.skipif(sys.platform == "win32", reason="names there are no bytes")
def test_every_locale_sees_the_same_students_and_writes_the_same_pages(tmp_path: Path):
    inbox = tmp_path / "in"
    inbox.mkdir()
    for name in NAMES:
        data = name.encode() if name != "x\xff" else b"x\xff"
        (Path(os.fsdecode(bytes(inbox) + b"/" + data + b".py"))).write_text("pass\n")
    said, pages = {}, {}
    for kind, variables in LOCALES.items():
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("LC_", "LANG", "PYTHON"))}
        command = [sys.executable, "-c", CODE, str(inbox), str(tmp_path / kind)]
        done = subprocess.run(
            command,
            capture_output=True,
            env={
                **plain,
                **variables,
                "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests" / "grading")]),
            },
            check=True,
        )
        said[kind] = done.stdout
        folder = tmp_path / kind / "feedback"
        pages[kind] = sorted(os.fsencode(page.name) for page in folder.iterdir())
    assert said["c"] == said["ascii"] == said["utf8"] and len(pages["c"]) == len(NAMES)
    assert pages["c"] == pages["ascii"] == pages["utf8"]
    assert {"안젤라 kim".encode(), "José".encode()} <= set(pages["ascii"])


@pytest.mark.parametrize("name", ["José", "안젤라 kim", "<José>", "é/è", "Å" * 60])
def test_one_name_is_one_id_however_its_accents_are_written(name: str):
    forms = [unicodedata.normalize(form, name) for form in ("NFC", "NFD")]
    assert forms[0] != forms[1] and student_id(forms[0]) == student_id(forms[1])
