"""Graded submissions in pytest: the grader's verdicts, and no student's code in this process."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from classroom import STEM, hand_in, looping, raising, softmax

from autograder.course.reference import ROOT, read_lesson
from autograder.grading.sandbox.probe import NONE, probe

pytestmark = [
    pytest.mark.sandbox,
    pytest.mark.slow,
    pytest.mark.skipif(probe().level == NONE, reason="this machine has no isolation"),
]
PLUGIN = "autograder.grading.pytest.plugin"


def installed() -> bool:
    """Whether the plugin is found by itself, or this copy was installed before it was there."""
    # As pytest looks: a working copy may hold the description of an older installation as well.
    found = importlib.metadata.distributions()
    return any(point.value == PLUGIN for it in found for point in it.entry_points)


def ask(*words: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    plugin = [] if installed() else ["-p", PLUGIN]
    command = [sys.executable, "-m", "pytest", *plugin, *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300)


def evil(folder: Path, sign: Path) -> str:
    """Code that leaves a sign where it runs."""
    return f"open({str(sign)!r}, 'w').write('ran')\n"


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[ElementTree.Element, Path, str]:
    folder = tmp_path_factory.mktemp("graded")
    inbox, sign = folder / "in", folder / "sign"
    hand_in(inbox, "ada", evil(folder, sign) + read_lesson(STEM).bare())
    hand_in(inbox, "cem", softmax("saliency_map"))
    hand_in(inbox, "ivo", raising(r"'\x1b[31m</failure>' + chr(0)"))
    hand_in(inbox, "ann", read_lesson(STEM).bare())
    hand_in(inbox, "hui", "")
    (inbox / "ann.py").rename(inbox / "conftest.py")
    with (inbox / "conftest.py").open("a") as file:
        file.write(evil(folder, sign))
    junit = folder / "junit.xml"
    done = ask(
        "--convlens-submission", inbox, "--convlens-lesson", "saliency", f"--junitxml={junit}"
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert sorted(path.name for path in inbox.iterdir()) == [
        "ada.py", "cem.py", "conftest.py", "hui.py", "ivo.py",
    ]  # fmt: skip
    return ElementTree.parse(junit).getroot(), sign, done.stdout


Graded = tuple[ElementTree.Element, Path, str]


def cases(graded: Graded, student: str) -> dict[str, ElementTree.Element]:
    return {
        case.attrib["name"].partition(".")[2]: case
        for case in graded[0].iter("testcase")
        if case.attrib["classname"].endswith(student)
    }


def properties(case: ElementTree.Element) -> dict[str, str]:
    return {p.attrib["name"]: p.attrib["value"] for p in case.iter("property")}


def test_one_item_an_exercise_for_each_student(graded: Graded):
    for student in ("ada", "cem", "hui", "ivo", "conftest"):
        assert tuple(cases(graded, student)) == read_lesson(STEM).exercises


def test_the_verdict_is_the_engines(graded: Graded):
    found = cases(graded, "cem")
    assert properties(found["saliency_map"])["diagnosis"] == "softmax_target"
    assert properties(found["saliency_map"])["points"] in ("0", "0.0")
    message = found["saliency_map"].find("failure").attrib["message"]
    assert "Softmax probabilities" in message and "Traceback" not in message
    assert found["smooth_grad"].find("failure") is None
    assert float(properties(found["smooth_grad"])["points"]) == 4


def test_what_cannot_be_read_is_an_error_with_its_reason_and_no_failure(graded: Graded):
    for case in cases(graded, "hui").values():
        assert case.find("failure") is None
        message = case.find("error").attrib["message"]
        assert "Not read: “hui.py” is empty." in message and "Traceback" not in message
        assert properties(case)["outcome"] == "unread"


def test_hostile_text_stays_text(graded: Graded):
    message = cases(graded, "ivo")["saliency_map"].find("failure").attrib["message"]
    assert r"\x1b[31m</failure>\x00" in message
    assert "\x1b[31m</fail" not in graded[2]


def test_no_code_of_a_student_runs_in_this_process(graded: Graded):
    # Both files run in the sandbox, where the sign cannot be written: the first for that reason.
    assert not graded[1].exists()
    assert "raised" in cases(graded, "ada")["saliency_map"].find("failure").attrib["message"]


def test_a_configuration_among_the_submissions_is_refused(tmp_path: Path):
    hand_in(tmp_path / "in", "ada", read_lesson(STEM).bare())
    log = tmp_path / "overwritten"
    (tmp_path / "in" / "pytest.ini").write_text(f"[pytest]\nlog_file = {log}\n")
    done = ask("--convlens-submission", tmp_path / "in")
    assert done.returncode == 4 and "would configure pytest" in done.stderr
    assert not log.exists()


def test_it_is_not_run_from_among_the_submissions(tmp_path: Path):
    inbox, sign = tmp_path / "in", tmp_path / "sign"
    inbox.mkdir()
    (inbox / "conftest.py").write_text(evil(tmp_path, sign))
    done = ask(f"--convlens-submission={inbox}", cwd=inbox)
    assert done.returncode == 4 and "outside the folder" in done.stderr
    assert not sign.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--convlens-submission", "/nowhere/at/all"], "There is no folder"),
        (
            ["--convlens-submission", "tests", "--convlens-lesson", "salincy"],
            "Did you mean saliency?",
        ),
        (["--convlens-submission", "lessons", "tests/judge"], "name no tests beside it"),
        (["--convlens-submission", "lessons", "--convlens-isolation", "x"], "no isolation called"),
        (["--convlens-submission", "tests", "--convlens-seed-file", "typo"], "typo cannot be read"),
    ],
)
def test_a_mistake_is_one_line(words: list[str], said: str):
    done = ask(*words)
    assert done.returncode == 4 and said in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_an_ordinary_run_is_left_alone_and_light(tmp_path: Path):
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_it(request):\n"
        "    assert 'torch' not in sys.modules\n"
        "    assert 'rich' not in sys.modules\n"
        "    assert request.config.getoption('convlens_submission') is None\n"
    )
    (tmp_path / "conftest.py").write_text("LOADED = True\n")
    done = ask("-q", tmp_path)
    assert done.returncode == 0, done.stdout


def test_a_student_who_never_ends_holds_up_nobody(tmp_path: Path):
    hand_in(tmp_path / "in", "zoe", looping())
    config = tmp_path / "limits.toml"
    config.write_text("[limits]\ncpu_factor = 0.1\n")
    done = ask(
        "--convlens-submission",
        tmp_path / "in" / "zoe.py",
        "--convlens-lesson",
        "11",
        "-n",
        "0",
        "--convlens-config",
        config,
    )
    assert done.returncode == 1
    assert f"{len(read_lesson(STEM).exercises)} failed" in done.stdout
    assert "did not finish loading" in done.stdout
