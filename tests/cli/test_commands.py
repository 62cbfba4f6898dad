"""The commands as a student types them, in this process."""

from __future__ import annotations

import io
import json
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

from autograder.cli.main import main
from autograder.course.reference import LessonSource, without_markers
from autograder.student.progress import Progress
from autograder.student.working_copy import WorkingCopy

STEM = "l11_saliency"


def solve(copy: WorkingCopy, source: LessonSource) -> None:
    copy.exercises(STEM).write_text(source.bare(), encoding="utf-8")


def wrong(source: LessonSource) -> str:
    return source.edited(
        "saliency_map", (("logits = model(images)", "logits = model(images).softmax(1)"),)
    )


@pytest.mark.parametrize("name", ["11", "l11", STEM, "saliency", "Saliency"])
def test_a_lesson_goes_by_number_stem_and_topic(
    name: str, copy: WorkingCopy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reset", name]) == 0
    assert "lessons/l11_saliency/exercises.py" in capsys.readouterr().out.replace("\\", "/")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["check", "salency"], "Did you mean saliency?"),
        (["check", "99"], "There is no lesson called '99'"),
        (["check", ""], "There is no lesson called ''"),
        (["check", "saliency.smoth_grad"], "Did you mean smooth_grad?"),
        (["hint", "saliency.x"], "There is no exercise in l11_saliency called 'x'"),
        (["chek"], "No such command 'chek'"),
        (["check", "--bogus"], "--bogus"),
        (["check", "saliency", "--device", "tpu"], "There is no device called 'tpu'"),
        (["check", "saliency", "--file", "nowhere.py"], "There is no file nowhere.py"),
        (["check", "saliency", "--file", "."], "cannot be read"),
        (["check", "saliency", "--watch", "--json"], "--watch goes with no other option"),
        (["check", "saliency", "--debug", "--json"], "--debug goes with neither"),
        (["show", "saliency", "cat_and_mop"], "Did you mean cat_and_map"),
        (["show", "saliency", "--file", "nowhere.py"], "There is no file nowhere.py"),
        (["solution", "saliency.saliency_map"], "has not passed yet"),
        (["submit"], "There is nothing to hand in yet"),
        (["submit", "saliency", "--out", "."], "is a folder"),
        (["submit", "saliency", "--out", "mine.7z"], "Let it end in .zip, .tar.gz or .tgz"),
        (["submit", "saliency", "--out", "mine"], "mine is no name of an archive"),
        (["submit", "saliency", "--out", "mine.tar"], "Let it end in"),
    ],
)
def test_a_mistake_gets_one_line_a_next_step_and_exit_code_2(
    words: list[str], says: str, copy: WorkingCopy, capsys: pytest.CaptureFixture[str]
) -> None:
    before = copy.exercises(STEM).read_bytes()
    assert main(words) == 2
    out, err = capsys.readouterr()
    assert says in " ".join(err.split())
    assert "Traceback" not in err
    assert out == ""
    assert copy.exercises(STEM).read_bytes() == before


def test_help_names_every_command_and_does_not_wait_for_torch(
    capsys: pytest.CaptureFixture[str],
) -> None:
    import subprocess
    import sys

    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    students = {
        "tour",
        "lessons",
        "check",
        "hint",
        "solution",
        "reset",
        "submit",
        "notebook",
        "show",
    }
    others = {"update", "doctor", "new", "build", "audit", "site", "grade", "release", "export"}
    for command in students | others:
        assert f"  {command} " in out
    code = (
        "import sys; from autograder.cli.main import main; main(['--help']); "
        "main(['lessons']); sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0


def test_json_holds_exactly_the_promised_fields(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    copy.exercises(STEM).write_text(wrong(source), encoding="utf-8")
    assert main(["check", "saliency", "--json"]) == 1
    out, err = capsys.readouterr()
    assert err == ""
    table = json.loads(out)
    assert list(table) == ["lesson", "device", "exercises"]
    assert (table["lesson"], table["device"]) == (STEM, "cpu")
    names = [entry["id"] for entry in table["exercises"]]
    assert names == [f"{STEM}.{name}" for name in source.exercises]  # in the lesson's order
    fields = ["id", "outcome", "points", "max_points", "diagnosis", "also", "message", "seconds"]
    fields.append("printed")
    assert all(list(entry) == fields for entry in table["exercises"])
    first, *others = table["exercises"]
    assert (first["outcome"], first["diagnosis"]) == ("failed", "softmax_target")
    assert {entry["outcome"] for entry in others} == {"passed"}
    assert all(entry["diagnosis"] is None for entry in others)


def test_a_failure_reads_sentence_numbers_picture_next_command(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    copy.exercises(STEM).write_text(wrong(source), encoding="utf-8")
    assert main(["check", "11.saliency_map"]) == 1
    out = capsys.readouterr().out
    order = [
        "Softmax probabilities were used",
        "yours ",
        "0 of 1 pass",
        ".png",
        "Next: convlens hint saliency.saliency_map",
    ]
    places = [out.index(part) for part in order]
    assert places == sorted(places)
    picture = copy.state / "pictures" / f"{STEM}.saliency_map.png"
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_wrong_function_comes_before_one_that_nobody_has_begun(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    text = source.replaced("saliency_map", source.stub("saliency_map"))
    copy.exercises(STEM).write_text(text.replace("return share / area", "return share"), "utf-8")
    assert main(["check", "saliency"]) == 1
    assert "Next: convlens hint saliency.saliency_lift" in capsys.readouterr().out


def test_passing_is_remembered_and_opens_the_solution(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    solve(copy, source)
    assert main(["check", "saliency"]) == 0
    assert "5 of 5 pass, 17 of 17 points" in capsys.readouterr().out
    assert main(["lessons"]) == 0
    assert "5/5" in capsys.readouterr().out
    assert main(["solution", "saliency.saliency_map"]) == 0
    shown = capsys.readouterr().out
    assert "torch.autograd.grad" in shown and "SOLUTION" not in shown
    copy.exercises(STEM).write_text(source.stubs(), encoding="utf-8")
    assert main(["check", "saliency.saliency_map"]) == 1
    assert not Progress(copy.state).passes(f"{STEM}.saliency_map")
    assert main(["solution", "saliency.saliency_map"]) == 0  # once passed is enough


def test_giving_up_shows_the_solution(
    copy: WorkingCopy, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["solution", "saliency.smooth_grad", "--give-up"]) == 0
    assert capsys.readouterr().out.startswith("@with_autograd\ndef smooth_grad(")


def test_hints_come_one_by_one_and_the_last_stays(
    copy: WorkingCopy, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = []
    for _ in range(4):
        assert main(["hint", "saliency.smooth_grad"]) == 0
        shown.append(capsys.readouterr().out)
    assert [text.split(" for ")[0] for text in shown] == [
        "Hint 1 of 3",
        "Hint 2 of 3",
        "Hint 3 of 3",
        "Hint 3 of 3",
    ]
    assert len(set(shown)) == 3


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"exercises": {"x": 3}}', b"\xff\xfe"])
def test_a_damaged_progress_file_costs_the_ticks_only(
    damage: bytes, copy: WorkingCopy, capsys: pytest.CaptureFixture[str]
) -> None:
    copy.state.mkdir()
    (copy.state / "progress.json").write_bytes(damage)
    assert main(["lessons"]) == 0
    assert "0/5" in capsys.readouterr().out


def test_reset_of_one_exercise_keeps_the_rest_and_a_copy(
    copy: WorkingCopy, source: LessonSource
) -> None:
    mine = source.bare() + "\n\nMINE = 1\n"
    path = copy.exercises(STEM)
    path.write_text(mine, encoding="utf-8")
    assert main(["reset", "saliency.smooth_grad"]) == 0
    text = path.read_text(encoding="utf-8")
    assert 'NotImplementedError("l11_saliency.smooth_grad' in text
    assert text.count("NotImplementedError(") == 1 and "MINE = 1" in text
    (kept,) = (copy.state / "backup").iterdir()
    assert kept.read_text(encoding="utf-8") == mine


def test_a_reset_exercise_no_longer_counts_as_passing(
    copy: WorkingCopy, source: LessonSource
) -> None:
    solve(copy, source)
    assert main(["check", "saliency.saliency_box"]) == 0
    assert main(["reset", "saliency"]) == 0
    progress = Progress(copy.state)
    assert not progress.passes(f"{STEM}.saliency_box")
    assert progress.of(f"{STEM}.saliency_box").get("ever_passed")


def test_reset_mends_the_exercise_whose_syntax_is_broken(
    copy: WorkingCopy, source: LessonSource
) -> None:
    path = copy.exercises(STEM)
    path.write_text(source.bare().replace("def smooth_grad(", "def smooth_grad(("), "utf-8")
    assert main(["reset", "saliency.smooth_grad"]) == 0
    text = path.read_text(encoding="utf-8")
    compile(text, "exercises.py", "exec")
    assert text.count("def smooth_grad(") == 1 and text.count("NotImplementedError(") == 1


def test_a_missing_file_is_written_by_reset(
    copy: WorkingCopy, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copy.exercises(STEM)
    before = path.read_bytes()
    path.unlink()
    assert main(["check", "saliency"]) == 2
    assert "convlens reset saliency" in capsys.readouterr().err
    assert main(["reset", "saliency"]) == 0
    assert path.read_bytes() == before


def test_submit_packs_what_was_worked_on_and_the_same_work_the_same_way(
    copy: WorkingCopy, source: LessonSource
) -> None:
    solve(copy, source)
    assert main(["submit", "--out", "a.zip", "--no-check"]) == 0
    assert main(["submit", "--out", "b.zip", "--no-check"]) == 0
    assert Path("a.zip").read_bytes() == Path("b.zip").read_bytes()
    with zipfile.ZipFile("a.zip") as archive:
        assert archive.namelist() == [f"{STEM}/exercises.py"]
        assert archive.read(f"{STEM}/exercises.py").decode() == source.bare()


@pytest.mark.parametrize("name", ["mine.tar.gz", "MINE.TGZ"])
def test_a_tar_is_a_tar(name: str, copy: WorkingCopy, source: LessonSource) -> None:
    solve(copy, source)
    assert main(["submit", "--out", name, "--no-check"]) == 0
    with tarfile.open(name, "r:gz") as archive:
        (member,) = archive.getmembers()
        file = archive.extractfile(member)
        assert member.name == f"{STEM}/exercises.py" and file is not None
        assert file.read().decode() == source.bare()
    before = Path(name).read_bytes()
    assert main(["submit", "--out", name, "--no-check", "--replace"]) == 0
    assert Path(name).read_bytes() == before


def test_no_archive_is_overwritten_in_silence(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    def submit(*words: str) -> int:
        return main(["submit", "--no-check", *words])

    solve(copy, source)
    assert submit() == 0 and submit() == 0  # the same work: the same archive
    assert "submission.zip, which held this work already" in capsys.readouterr().out
    first = Path("submission.zip").read_bytes()
    copy.exercises(STEM).write_text(wrong(source), encoding="utf-8")
    assert submit() == 0
    assert "Hand in submission-2.zip" in capsys.readouterr().out
    assert submit("--out", "submission.zip") == 2
    assert "--replace" in capsys.readouterr().err
    assert Path("submission.zip").read_bytes() == first
    assert submit("--replace") == 0
    assert Path("submission.zip").read_bytes() == Path("submission-2.zip").read_bytes()


def test_submit_checks_the_bytes_that_it_packs(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    solve(copy, source)
    progress = Progress(copy.state)
    for name in source.exercises:
        progress.note(f"{STEM}.{name}", "passed", 4.0, 4.0)
    progress.save()
    copy.exercises(STEM).write_text(wrong(source), encoding="utf-8")  # after the last check
    as_notebook(copy.notebook(STEM), solved_cells(source))
    assert main(["submit"]) == 0
    out = capsys.readouterr().out
    assert "4 of 5 pass, 13 of 17 points" in out and "not yet: saliency.saliency_map" in out
    assert "lesson.ipynb holds work too, and is not packed: exercises.py counts." in out
    assert not Progress(copy.state).passes(f"{STEM}.saliency_map")


def test_another_file_leaves_the_lessons_progress_alone(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("homework.py").write_text(source.bare(), encoding="utf-8")
    assert main(["check", "saliency.saliency_box", "--file", "homework.py"]) == 0
    assert "stays as it was" in capsys.readouterr().out
    assert Progress(copy.state).of(f"{STEM}.saliency_box") == {}
    solve(copy, source)
    assert main(["check", "saliency.saliency_box", "--file", str(copy.exercises(STEM))]) == 0
    assert Progress(copy.state).passes(f"{STEM}.saliency_box")


def printing(source: LessonSource) -> str:
    line = "logits = model(images)"
    says = f'print("shape\\x1b[2J", tuple(images.shape)); {line}'
    return source.edited("saliency_map", ((line, says), ("gradient.abs()", "gradient")))


def test_what_was_printed_on_the_failing_case_is_shown(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    copy.exercises(STEM).write_text(printing(source), encoding="utf-8")
    assert main(["check", "saliency.saliency_map"]) == 1
    out = capsys.readouterr().out
    assert "It printed on “two images”:\n  | shape\\x1b[2J (2, 3, 16, 24)\n" in out
    assert main(["check", "saliency.saliency_map", "--json"]) == 1
    (told,) = json.loads(capsys.readouterr().out)["exercises"]
    assert told["printed"] == ["shape\\x1b[2J (2, 3, 16, 24)"]


def test_an_exceptions_text_does_nothing_to_the_terminal(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "logits = model(images)"
    edit = (line, 'raise ValueError("\\x1b[2J\\x1b[1Aall is well")')
    copy.exercises(STEM).write_text(source.edited("saliency_map", (edit,)), encoding="utf-8")
    assert main(["check", "saliency.saliency_map"]) == 1
    out = capsys.readouterr().out
    assert "\x1b" not in out and "ValueError: \\x1b[2J\\x1b[1Aall is well" in out


def stopping(source: LessonSource) -> str:
    line = "logits = model(images)"
    stop = ((line, f"breakpoint()\n    {line}"), ("gradient.abs()", "gradient"))
    return source.edited("saliency_map", stop)


def test_a_breakpoint_in_a_check_is_one_sentence_that_names_debug(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    copy.exercises(STEM).write_text(stopping(source), encoding="utf-8")
    assert main(["check", "saliency.saliency_map"]) == 1
    out = capsys.readouterr().out
    assert "stopped at a breakpoint" in out
    assert "`convlens check saliency.saliency_map --debug`" in out
    assert "BdbQuit" not in out and "(Pdb)" not in out


def test_debug_shows_the_students_own_traceback(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    text = source.edited("saliency_box", (("torch.quantile(saliency, quantile)", "nothing"),))
    copy.exercises(STEM).write_text(text, encoding="utf-8")
    assert main(["check", "saliency.saliency_box", "--debug"]) == 1
    out = capsys.readouterr().out
    assert "NameError: name 'nothing' is not defined" in out
    files = re.findall(r'File "([^"]*)"', out)
    assert files and all(Path(file).name == "exercises.py" for file in files)


@pytest.mark.slow
def test_show_runs_cells_and_draws_figures_with_the_students_functions(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    text = source.edited("saliency_map", (("gradient.abs()", "gradient.abs().mul(2)"),))
    stub = source.stub("smooth_grad")
    text = text.replace(without_markers(source.chunk("smooth_grad")).strip(), stub.strip())
    copy.exercises(STEM).write_text(text, encoding="utf-8")
    assert main(["show", "saliency"]) == 0
    out = capsys.readouterr().out
    shown = Path(re.search(r"cat_and_map: (\S+)", out)[1])  # type: ignore[index]
    assert shown.read_bytes().startswith(b"\x89PNG") and copy.state in shown.resolve().parents
    assert "the steepest slope is 0.64" in out and "the steepest slope is 0.32" in out
    assert "in lesson.md, by the reference" in out
    assert "smooth_wall waits for smooth_grad, which is not written yet" in out
    drawn = re.search(r"smooth_wall waits.*\n  drawn by the reference: (\S+)", out)
    assert drawn and Path(drawn[1]).is_file()
    copy.exercises(STEM).write_text("import torch\n1 / 0\n", encoding="utf-8")
    assert main(["show", "saliency", "flicker"]) == 2
    assert "does not load: ZeroDivisionError" in capsys.readouterr().err


def as_notebook(path: Path, cells: dict[str, str]) -> None:
    path.write_text(
        json.dumps(
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "metadata": {"nbgrader": {"grade_id": f"{STEM}-{name}", "solution": True}},
                        "source": text,
                    }
                    for name, text in cells.items()
                ],
                "nbformat": 4,
                "metadata": {},
            }
        ),
        encoding="utf-8",
    )


def solved_cells(source: LessonSource) -> dict[str, str]:
    return {name: without_markers(source.chunk(name)) for name in source.exercises}


def test_a_notebook_is_checked_by_name_and_when_only_it_was_worked_on(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    cells = solved_cells(source)
    cells["saliency_box"] = "def saliency_box(saliency, quantile=0.95):\n    return nothing\n"
    as_notebook(Path("mine.ipynb"), cells)
    assert main(["check", "--file", "mine.ipynb"]) == 1
    out = capsys.readouterr().out
    assert "4 of 5 pass" in out
    assert "NameError" in out and "(`return nothing`)" in out  # no line of a file nobody sees
    as_notebook(copy.notebook(STEM), solved_cells(source))
    assert main(["check", "saliency", "--json"]) == 0
    copy.exercises(STEM).write_text(wrong(source), encoding="utf-8")
    assert main(["check", "saliency.saliency_map", "--json"]) == 1  # the Python file counts again
    capsys.readouterr()
    named = f"lessons/{STEM}/lesson.ipynb"
    assert main(["check", named]) == 0  # the very file that was named
    assert "holds work too" not in capsys.readouterr().out
    assert main(["check", "saliency.saliency_map"]) == 1
    assert f"For the notebook: convlens check {named}" in capsys.readouterr().out


def test_a_plain_file_elsewhere_tells_its_lesson_by_its_functions(
    copy: WorkingCopy, source: LessonSource
) -> None:
    Path("homework.py").write_text(source.bare(), encoding="utf-8")
    assert main(["check", "--file", "homework.py", "--json"]) == 0
    Path("other.py").write_text("x = 1\n", encoding="utf-8")
    assert main(["check", "--file", "other.py"]) == 2


def test_progress_that_cannot_be_saved_does_not_cost_the_verdict(
    copy: WorkingCopy, source: LessonSource, capsys: pytest.CaptureFixture[str]
) -> None:
    solve(copy, source)
    copy.state.write_text("a file where the folder should be", encoding="utf-8")
    assert main(["check", "saliency.saliency_box"]) == 0
    out, err = capsys.readouterr()
    assert "1 of 1 pass" in out
    assert "Progress is not saved" in err


def test_ctrl_c_is_answered_while_a_check_has_the_streams_redirected(
    copy: WorkingCopy, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_args: object, **_options: object) -> int:
        # As the reference's run does, in another thread, when the signal comes.
        monkeypatch.setattr("sys.stderr", io.StringIO())
        raise KeyboardInterrupt

    monkeypatch.setattr("autograder.cli.main.app", stopped)
    assert main(["check", "saliency"]) == 130
    assert capsys.readouterr().err == "Stopped.\n"
