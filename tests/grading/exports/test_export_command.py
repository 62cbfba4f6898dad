"""`convlens export`: each platform once, from a folder of results to the file it takes in."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from test_exports import CANVAS, MOODLE_HEADS, PEOPLE, ROWS, table, written

from autograder.cli.export import export
from autograder.cli.main import main
from autograder.course.reference import ROOT
from autograder.grading.report import tables


@pytest.fixture
def graded(tmp_path: Path) -> Path:
    """A folder of results with everybody's identity, one of them late."""
    made = {"l11_saliency": {"origin": "x", "factor": 0.9, "late": "1 day late."}}
    told = tables.results([replace(ROWS[0], made_from=made), *ROWS[1:]], {})
    folder = tmp_path / "graded"
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


def blackboard() -> bytes:
    head = ["Last Name", "First Name", "Username", "Student ID"]
    rows = [[*head, "Saliency [Total Pts: 7 Score] |4711"]]
    rows += [[last, first, mail, key, ""] for first, last, key, mail in PEOPLE]
    return b"\xff\xfe" + written(rows, "\t", "utf-16-le")


def moodle() -> bytes:
    rows = [[*MOODLE_HEADS["de"]], *([*person, "-"] for person in PEOPLE)]
    rows[6][4] = "2,5"
    return written(rows, ";")


@pytest.mark.parametrize(
    ("platform", "export", "words", "mark", "encoding", "at", "numbers"),
    [
        ("canvas", CANVAS.encode(), ["--column", "saliency"], ",", "utf-8", 7,
         ["6.3", "5.25", "", "", "EX", "6.00", ""]),
        ("moodle", moodle(), [], ";", "utf-8", 4, ["6,3", "5,25", "", "", "3", "2,5"]),
        ("blackboard", blackboard(), [], "\t", "utf-16", 4, ["6.3", "5.25", "", "", "3", ""]),
    ],
)  # fmt: skip
def test_a_table_is_filled_and_everybody_named(
    platform: str,
    export: bytes,
    words: list[str],
    mark: str,
    encoding: str,
    at: int,
    numbers: list[str],
    graded: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    given, out = tmp_path / "export", tmp_path / "filled"
    given.write_bytes(export)
    command = ["export", platform, str(graded), str(given), "--out", str(out), *words]
    assert main(command) == 1  # of this class, one is not in the table, and two have no number
    said = capsys.readouterr().out
    assert "Not in the file (1): Not There" in said
    empty = next(line for line in said.splitlines() if line.startswith("Left empty"))
    assert "(2)" in empty and "김" in empty and "O'Neill" in empty
    after = table(out.read_bytes(), mark, encoding)
    assert [row[at] for row in after[-len(numbers) :]] == numbers
    assert given.read_bytes() == export
    assert main([*command[:5], str(given), *words]) == 2
    assert given.read_bytes() == export


def test_a_gradescope_result_and_a_junit_file(
    graded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "results.json"
    assert main(["export", "gradescope", str(graded), "1001", "--out", str(out)]) == 0
    told = json.loads(out.read_text())
    assert (told["score"], told["output"]) == (6.3, "1 day late.")
    out.unlink()
    assert main(["export", "gradescope", str(graded), "1003", "--out", str(out)]) == 2
    assert not out.exists() and "would not be final" in capsys.readouterr().err
    assert main(["export", "junit", str(graded), "--out", str(tmp_path / "a.xml")]) == 0
    suites = ElementTree.parse(tmp_path / "a.xml").getroot()
    assert [suite.get("name") for suite in suites] == [row.student for row in ROWS]


def test_what_is_no_folder_of_results_is_refused(
    graded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = "is no folder of results"
    for folder in (tmp_path, tmp_path / "nowhere"):
        assert main(["export", "junit", str(folder), "--out", str(tmp_path / "x")]) == 2
        assert said in capsys.readouterr().err
    told = json.loads((graded / "results.json").read_text())
    (graded / "results.json").write_text(json.dumps({**told, "schema": 1}))
    assert main(["export", "junit", str(graded), "--out", str(tmp_path / "x")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_adjustments_that_no_run_has_read_are_not_passed_over(
    graded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["export", "junit", str(graded), "--out", str(tmp_path / "x.xml")]
    line = "1003,l11_saliency.saliency_map,3,On paper."
    (graded / "adjustments.csv").write_text(f"student,exercise,points,note\n{line}\n")
    assert main(words) == 2
    assert "was changed after the last run" in capsys.readouterr().err
    first = replace(ROWS[2].exercises[0], given=3.0, note="On paper.")
    given = replace(ROWS[2], exercises=(first, ROWS[2].exercises[1]))
    rows = [given if row.student == "1003" else row for row in ROWS]
    (graded / "results.json").write_text(json.dumps(tables.results(rows, {})))
    assert main(words) == 0
    assert 'value="6"' in (tmp_path / "x.xml").read_text()


def test_every_command_of_the_page_does_what_it_says(
    graded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (ROOT / "site" / "docs" / "platforms.md").read_text(encoding="utf-8")
    commands = [
        shlex.split(line)[1:]
        for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
        for line in block.splitlines()
    ]
    monkeypatch.chdir(graded.parent)
    rows = [["Bezeichner", "Name", "Bewertung", "Bestwertung", "Letzte", "Feedback"]]
    rows += [[f"Teilnehmer/in10{n}", "", "", "7,00", "ja", ""] for n in (1, 2)]
    for name, data in {
        "gradebook.csv": CANVAS.encode(),
        "worksheet.csv": written(rows, ","),
        "grades.csv": moodle(),
        "gc_course.xls": blackboard(),
    }.items():
        Path(name).write_bytes(data)
    told = set()
    for words in commands:
        out = Path(words[words.index("--out") + 1])
        out.unlink(missing_ok=True)
        assert words[0] == "export" and main(words) in (0, 1), words
        assert out.stat().st_size > 0
        told.add(words[1])
    assert told == {
        command.name or command.callback.__name__ for command in export.registered_commands
    }
