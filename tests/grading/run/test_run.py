"""A run as a whole: what it leaves, what it does on the second time, what the command says."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from classroom import (
    STEM,
    OwnSandbox,
    files_of,
    grade_here,
    hand_in,
    looping,
    mixed_class,
    small_class,
)
from jsonschema import Draft202012Validator
from rich.console import Console

from autograder.cli import grade as command
from autograder.cli import grade_screen as terminal
from autograder.cli.main import main
from autograder.course.reference import ROOT, read_lesson
from autograder.grading import class_run as run
from autograder.grading.class_run import LIMITS, Request
from autograder.grading.run.engine import Progress
from autograder.grading.run.journal import NAME
from autograder.grading.sandbox.probe import LADDER, NONE, probe
from autograder.judge.verdict import Outcome
from lessons.toolkit.errors import UserError


@pytest.fixture(scope="module")
def inbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_class(tmp_path_factory.mktemp("in"))


@pytest.fixture(scope="module")
def out(inbox: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    grade_here(inbox, folder)
    return folder


def results(out: Path) -> dict[str, Any]:
    found = json.loads((out / "results.json").read_text("utf-8"))
    return {student["student"]: student for student in found["students"]}


def test_every_student_has_a_row_with_the_known_score(out: Path):
    with (out / "grades.csv").open(encoding="utf-8-sig") as file:
        grades = {
            row["student"]: (row["score"] and float(row["score"]), row["status"])
            for row in csv.DictReader(file)
        }
    assert grades == {
        "ada": (17, "graded"),
        "bob": (0, "graded"),
        "cem": (13, "graded"),
        "eva": (results(out)["eva"]["score"], "graded"),
        "hui": ("", "unusable"),
    }
    assert 14 <= grades["eva"][0] < 17


def test_results_are_as_their_schema_says(out: Path):
    schema = json.loads((ROOT / "autograder/grading/report/results.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    results = json.loads((out / "results.json").read_text())
    assert list(Draft202012Validator(schema).iter_errors(results)) == []
    results["students"][0]["exercises"][0]["points"] = float("-1")
    assert list(Draft202012Validator(schema).iter_errors(results))
    described = schema["$defs"]["exercise"]["properties"]
    assert set(described["outcome"]["enum"]) == {
        *get_args(Outcome),
        "unread",
        "ungraded",
        "missing",
    }
    assert set(schema["$defs"]["run"]["properties"]["isolation"]["enum"]) == set(LADDER.values())


def test_the_record_names_all_that_a_grade_depends_on(inbox: Path, out: Path):
    record = json.loads((out / "results.json").read_text("utf-8"))["run"]
    assert {"versions", "seed_hash", "isolation", "limits", "course"} <= set(record)
    assert "torch" in record["versions"]
    for student, row in results(out).items():
        (made,) = row["lessons"].values()
        digest = hashlib.sha256((inbox / f"{student}.py").read_bytes()).hexdigest()
        assert made["sha256"] == ("" if student == "hui" else digest)
        assert made["origin"] == f"{student}.py" and made["course"] == record["course"]
        assert made["seed_hash"] == record["seed_hash"]


def test_usage_counts_what_was_run(out: Path):
    with (out / "usage.csv").open(encoding="utf-8-sig") as file:
        assert [row["student"] for row in csv.DictReader(file)] == sorted(results(out))


def test_a_second_run_asks_nobody_and_changes_nothing(inbox: Path, out: Path):
    before, sandbox = files_of(out), OwnSandbox()
    grade_here(inbox, out, sandbox)
    assert sandbox.jobs == 0 and files_of(out) == before


def test_a_journal_cut_anywhere_ends_in_the_same_report(inbox: Path, out: Path, tmp_path: Path):
    draw = random.Random(3)
    whole = (out / NAME).read_bytes()
    for number in range(3):
        again = tmp_path / str(number)
        again.mkdir()
        (again / NAME).write_bytes(whole[: draw.randrange(1, len(whole))])
        (again / ".results.json.part").write_text('{"students": [')
        ended = grade_here(inbox, again)
        assert files_of(again) == files_of(out)
        assert "damaged" in ended.notices[0]


def test_a_run_without_threads_ends(inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    submit, calls = ThreadPoolExecutor.submit, []

    def submit_once(pool: ThreadPoolExecutor, *call: Any) -> Any:
        if calls:
            raise RuntimeError("can't start new thread")
        calls.append(call)
        return submit(pool, *call)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submit_once)
    monkeypatch.setattr(run, "Sandbox", lambda *_, **__: OwnSandbox())
    with pytest.raises(RuntimeError, match="new thread"):
        run.grade(Request(inbox, tmp_path, [STEM], 5, workers=2))


def test_a_sandbox_that_does_not_start_ends_the_run_in_one_line(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def start(*_: Any, **__: Any) -> None:
        raise UserError("The sandbox does not start: why.", "Do this.")

    monkeypatch.setattr(run, "Sandbox", start)
    with pytest.raises(UserError, match="does not start: why"):
        run.grade(Request(inbox, tmp_path, [STEM], 5, workers=3))
    assert not (tmp_path / "results.json").exists()


def graded(tmp_path: Path, stem: str, source: str) -> dict[str, Any]:
    """Results of one student's file of a lesson, by exercise."""
    hand_in(tmp_path / "in", "ada", source)
    request = Request(tmp_path / "in", tmp_path / "out", [stem], 5, workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "Sandbox", lambda *_, **__: OwnSandbox())
        (row,) = run.grade(request).rows
    return {result.id.partition(".")[2]: result for result in row.exercises}


def test_who_has_handed_in_no_earlier_lesson_loses_nothing(tmp_path: Path):
    told = graded(tmp_path, "l04_neighbours", read_lesson("l04_neighbours").bare())
    assert {name for name, one in told.items() if one.points < one.max_points} == set()


MEAN, SUM = "activation_gradients.mean(dim=(2, 3))", "activation_gradients.sum(dim=(2, 3))"


def test_a_wrong_function_costs_its_own_points_and_not_those_of_what_calls_it(tmp_path: Path):
    told = graded(
        tmp_path,
        "l14_grad_cam",
        read_lesson("l14_grad_cam").edited("channel_weights", ((MEAN, SUM),)),
    )
    assert told["channel_weights"].diagnosis == "sum_taken"
    for name in ("grad_cam", "counterfactual"):
        assert told[name].outcome == "passed" and told[name].points == told[name].max_points
        assert told[name].message.startswith(f"`{name}` itself is right: it passes with a right")


def test_what_calls_a_wrong_function_is_judged_by_its_own_lines(tmp_path: Path):
    source = read_lesson("l14_grad_cam").edited("channel_weights", ((MEAN, SUM),))
    source = source.replace("return F.relu(torch", "return 2 * F.relu(torch", 1)
    told = graded(tmp_path, "l14_grad_cam", source)["grad_cam"]
    assert told.diagnosis == "off_by_a_factor" and told.points == 0


def test_a_mistake_of_its_own_is_named_though_what_it_calls_is_wrong_too(tmp_path: Path):
    source = read_lesson("l14_grad_cam").edited("channel_weights", ((MEAN, SUM),))
    product = "return guided.detach() * enlarged"
    source = source.replace(product, product.replace("*", "+"))
    told = graded(tmp_path, "l14_grad_cam", source)["guided_grad_cam"]
    assert told.diagnosis == "added" and told.points == 0
    assert "(Judged with a right version of `grad_cam`, " in told.message


def test_an_error_of_its_own_is_what_is_told(tmp_path: Path):
    crash = "def grad_cam(model, layer, images, target):\n    return nothing\n"
    source = read_lesson("l14_grad_cam").replaced("grad_cam", crash).replace(MEAN, SUM)
    message = graded(tmp_path, "l14_grad_cam", source)["grad_cam"].message
    assert "NameError: name 'nothing' is not defined" in message


PEEK = """
def grad_cam(model, layer, images, target):
    import inspect
    text = inspect.getsource(channel_weights)
    {how}
"""


@pytest.mark.parametrize("how", ["raise ValueError(text)", "print(text)", "return {text: 1}"])
def test_what_is_lent_is_quoted_nowhere(tmp_path: Path, how: str):
    source = read_lesson("l14_grad_cam").replaced("grad_cam", PEEK.format(how=how))
    source = source.replace(MEAN, "None")
    told = graded(tmp_path, "l14_grad_cam", source)
    assert told["grad_cam"].points == 0
    for result in told.values():
        assert "mean(dim" not in result.message and not result.picture


def test_a_file_that_does_not_load_is_one_sentence_whatever_needs_what(tmp_path: Path):
    source = read_lesson("l14_grad_cam").bare() + "\nnothing\n"
    told = graded(tmp_path, "l14_grad_cam", source)
    assert len({result.message for result in told.values()}) == 1


def test_results_are_not_written_among_the_submissions(inbox: Path):
    with pytest.raises(UserError, match="lies inside"):
        run.grade(Request(inbox, inbox / "out", [STEM], 5))
    assert not (inbox / "out").exists()


def test_equal_files_are_graded_once(tmp_path: Path):
    for student in ("ada", "bea", "cia"):
        hand_in(tmp_path / "in", student, read_lesson(STEM).bare())
    sandbox = OwnSandbox()
    graded = grade_here(tmp_path / "in", tmp_path / "out", sandbox)
    assert sandbox.jobs == 5 and [row.score for row in graded.rows] == [17, 17, 17]


def test_a_fault_of_the_grader_is_never_a_zero_and_is_tried_again(inbox: Path, tmp_path: Path):
    broken = grade_here(inbox, tmp_path, OwnSandbox(fault="The zygote is gone."))
    ada = next(row for row in broken.rows if row.student == "ada")
    assert ada.status == "ungraded" and "zygote is gone" in ada.reason
    assert {exercise.points for exercise in ada.exercises} == {None}
    mended = grade_here(inbox, tmp_path)
    assert {row.student: row.score for row in mended.rows}["ada"] == 17


def test_half_a_surrogate_pair_and_strange_file_names_sink_nothing(tmp_path: Path):
    inbox = small_class(tmp_path / "in")
    stem, name = STEM, "saliency_map"
    cell = {
        "cell_type": "code",
        "metadata": {"nbgrader": {"solution": True, "grade_id": f"{stem}-{name}"}},
        "source": "def saliency_map(model, images, target):\n    return '\ud800'\n",
    }
    (inbox / "sur.ipynb").write_text(json.dumps({"cells": [cell], "nbformat": 4}))
    Path(str(inbox / "n") + "\udcff\n.zip").write_bytes(b"PK")
    graded = grade_here(inbox, tmp_path / "out")
    assert {row.student: row.score for row in graded.rows}["ada"] == 17
    sur = next(row for row in graded.rows if row.student == "sur")
    assert sur.status == "graded" and sur.score == 0
    assert len(results(tmp_path / "out")) == 7


def test_what_cannot_be_read_beside_the_work_costs_none_of_it(
    tmp_path: Path,
):
    inbox = tmp_path / "in"
    hand_in(inbox / "ada", "exercises", read_lesson(STEM).bare())
    (inbox / "ada" / "more.zip").write_bytes(b"PK")
    request = Request(inbox, tmp_path / "out", ["l02_hooks", STEM], 5, workers=1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "Sandbox", lambda *_, **__: OwnSandbox())
        (row,) = run.grade(request).rows
    outcomes = {exercise.id.partition(".")[0]: exercise.outcome for exercise in row.exercises}
    # It may hold the other lesson.
    assert outcomes == {"l02_hooks": "unread", STEM: "passed"}
    assert row.status == "unread" and row.score == 17 and "more.zip" in row.reason


@pytest.fixture
def inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command, with work that is safe to run in this process."""
    monkeypatch.setattr(run, "Sandbox", lambda *_, **__: OwnSandbox())
    monkeypatch.setattr(run, "choose", lambda _: run.Isolation(NONE))
    monkeypatch.setattr("autograder.grading.sandbox.probe.choose", lambda _: run.Isolation(NONE))


def ask(inbox: Path, out: Path, *more: str) -> int:
    return main(["grade", str(inbox), "--out", str(out), "--lesson", "11", "--workers", "1", *more])


def test_the_command_ends_with_1_where_a_person_is_needed(
    inside: None, inbox: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    assert ask(inbox, tmp_path / "out") == 1
    said = capsys.readouterr()
    assert "5 students: 4 graded, 1 unusable." in said.out
    assert "hui: “hui.py” is empty." in said.out
    assert "ran unprotected" in said.out
    assert "different checks." in said.err
    assert (tmp_path / "out" / ".seed").exists()


def test_a_new_seed_is_told_and_a_typo_makes_none(
    inside: None, inbox: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    seed, typo = tmp_path / "secret.seed", tmp_path / "secrt.seed"
    ask(inbox, tmp_path / "out", "--seed-file", str(seed))
    assert f"A secret seed was made: {seed}. Keep it" in capsys.readouterr().err
    ask(inbox, tmp_path / "out", "--seed-file", str(seed))
    assert "seed was made" not in capsys.readouterr().err
    for words in (["--seed-file", str(typo)], []):
        assert ask(inbox, tmp_path / "out", *words) == 2
        said = capsys.readouterr().err
        assert "There is no seed file" in said and "--seed-file" in said
        assert not typo.exists() and not (tmp_path / "out" / ".seed").exists()


def test_what_comes_first_is_said_before_torch_is_there(tmp_path: Path):
    hand_in(tmp_path / "in", "ada", read_lesson(STEM).bare())
    code = (
        "import sys\n"
        "from rich.console import Console\n"
        "from autograder.cli.main import main\n"
        "first = Console.print\n"
        "def stop(console, text, **_):\n"
        "    first(console, text)\n"
        "    sys.exit(3 if 'torch' in sys.modules else 4)\n"
        "Console.print = stop\n"
        "sys.exit(main(['grade', sys.argv[1], '--out', sys.argv[2]]))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "in"), str(tmp_path / "out")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.stderr == f"Reading {tmp_path / 'in'}.\n" and done.returncode == 4
    assert not (tmp_path / "out").exists()


def test_help_says_how_the_command_ends(capsys: pytest.CaptureFixture[str]):
    assert main(["grade", "--help"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in ("0 when all is graded", "1 when somebody", "2 on a mistake", "130 after Ctrl-C"):
        assert words in said
    page = " ".join((ROOT / "site" / "docs" / "grading.md").read_text("utf-8").split())
    assert "--again timeout" in page and "| 130 | it was stopped" in page


def test_the_command_ends_with_0_where_all_is_graded_and_speaks_json(
    inside: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    hand_in(tmp_path / "in", "ada", read_lesson(STEM).bare())
    assert ask(tmp_path / "in", tmp_path / "out", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["students"] == [{"student": "ada", "score": 17, "status": "graded", "reason": ""}]
    assert told["max_score"] == 17 and told["lessons"] == [STEM]


@pytest.mark.parametrize(
    "words",
    [
        ["/nowhere/at/all", "--out", "OUT"],
        ["IN"],
        ["IN", "--out", "OUT", "--lesson", "salincy"],
        ["IN", "--out", "OUT", "--isolation", "namespace"],
        ["IN", "--out", "OUT", "--workers", "0"],
        ["IN", "--out", "IN/hui.py"],
    ],
)
def test_the_command_ends_with_2_on_a_mistake_and_leaves_nothing(
    inbox: Path, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
):
    places = {"IN": str(inbox), "OUT": str(tmp_path / "out"), "IN/hui.py": str(inbox / "hui.py")}
    assert main(["grade", *(places.get(word, word) for word in words)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) <= 4
    assert not (tmp_path / "out").exists()


def test_ctrl_c_keeps_what_is_done_and_says_so(
    inside: None,
    inbox: Path,
    out: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    class Pressed(terminal.RunScreen):
        def report(self, progress: Progress) -> None:
            super().report(progress)
            if progress.done == 5:
                raise KeyboardInterrupt

    monkeypatch.setattr(terminal, "RunScreen", Pressed)
    (tmp_path / ".seed").write_text("5")
    assert ask(inbox, tmp_path) == command.STOPPED
    assert "5 of 20 checks are kept: the same command goes on" in capsys.readouterr().err
    assert not (tmp_path / "results.json").exists()
    monkeypatch.undo()
    grade_here(inbox, tmp_path)
    assert (tmp_path / "grades.csv").read_text() == (out / "grades.csv").read_text()


def test_a_log_hears_of_a_long_run_now_and_then(monkeypatch: pytest.MonkeyPatch):
    now = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: now[0])
    console = Console(file=io.StringIO(), width=100)
    with terminal.RunScreen(console) as screen:
        for done in range(101):
            now[0] += 10.0
            screen.report(Progress(total=120, remembered=20, done=done))
    said = console.file.getvalue()
    assert said.startswith("120 different checks, 20 of them known already.")
    assert "51 of 100 checks, 8 min left." in said
    assert 20 < len(said.splitlines()) < 40


@pytest.mark.sandbox
@pytest.mark.slow
@pytest.mark.skipif(probe().level == NONE, reason="this machine has no isolation")
def test_a_mixed_class_in_the_sandbox(tmp_path: Path):
    inbox = mixed_class(tmp_path / "in")
    hand_in(inbox, "zoe", looping())
    limits = replace(LIMITS, cpu_factor=0.2)
    graded = run.grade(Request(inbox, tmp_path / "out", [STEM], 5, workers=2, limits=limits))
    scores = {row.student: row.score for row in graded.rows}
    status = {row.student: row.status for row in graded.rows}
    assert {name for name in scores if scores[name] == 17} == {"ada", "mia", "안젤라 kim"}
    assert {name for name in status if status[name] == "unusable"} == {"hui", "kim", "Lea"}
    assert {scores[name] for name in ("cem", "dai", "eva", "fay", "ivo", "jan")} == {13}
    zoe = next(row for row in graded.rows if row.student == "zoe")
    assert {exercise.outcome for exercise in zoe.exercises} == {"timeout"} and zoe.score == 0
    told = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["students"]
    assert all(text.isprintable() for row in told for text in (row["student"], row["origin"]))
    assert all(e["message"].isprintable() for row in told for e in row["exercises"])
