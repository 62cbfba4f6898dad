"""What student code may do to its process, and what the student is then told."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from autograder.course.reference import LessonSource, read_lesson
from autograder.judge.verdict import Verdict
from autograder.student.check import Check, Checker, LessonFile

STEM = "l11_saliency"
pytestmark = pytest.mark.usefixtures("hurry")


def check(checker: Checker, text: str, *names: str) -> list[Verdict]:
    file = LessonFile(STEM, text, "lessons/l11_saliency/exercises.py")
    return [checked.verdict for checked in Check(checker, file, names or None)]


def with_body(source: LessonSource, body: str) -> str:
    """The solved lesson, but for the first exercise."""
    lines = "".join(f"    {line}\n" for line in body.splitlines())
    text = (
        f"def saliency_map(model, images, target):\n    import ctypes, os, subprocess, sys\n{lines}"
    )
    return source.replaced("saliency_map", text)


BAD_BODIES = {
    "endless loop": ("while True:\n    pass", "timeout", "stopped after 3 s while on “two images”"),
    "endless sleep": ("import time; time.sleep(60)", "timeout", "stopped after 9 s"),
    "recursion": ("return saliency_map(model, images, target)", "error", "RecursionError"),
    "exit()": ("exit()", "error", "ended the program with SystemExit (line"),
    "os._exit": ("os._exit(3)", "error", "its exit code was 3"),
    "segmentation fault": ("ctypes.string_at(0)", "error", "crashed in native code"),
    "10 GB tensor": ("return torch.ones(10 << 30, dtype=torch.uint8)", "error", "more memory"),
    "10 GB string": ("return 'x' * (10 << 30)", "error", "more memory"),
    "a result of 160 MB": ("return torch.empty(40_000_000)", "failed", "takes 153 MiB, and 64 is"),
    "a result of 16 TB": ("return torch.ones(1).expand(4 << 40)", "failed", "MiB, and 64 is"),
    "many results": (
        "return [torch.empty(1 << 22)] * 9 if len(images) == 2 else 0",  # one case is enough
        "error",
        "more than 256 MiB",
    ),
    "prints 100 MB": ("for _ in range(100): print('x' * 1_000_000)", "failed", "returned None"),
    "writes to its pipe": ("os.write(1, b'x' * 5_000_000); return 1", "failed", "not a tensor"),
    "reads the keyboard": ("return input()", "error", "EOFError"),
    "killed by the system": ("os.kill(os.getpid(), 9)", "error", "asked for more memory"),
    "closes everything": ("os.closerange(0, 100)", "error", "ended its process"),
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_code_gets_a_fitting_outcome_and_the_next_exercise_is_checked(
    name: str, checker: Checker, source: LessonSource
) -> None:
    body, outcome, says = BAD_BODIES[name]
    first, second = check(checker, with_body(source, body), "saliency_map", "saliency_box")
    assert (first.outcome, first.points) == (outcome, 0)
    assert says in first.message
    assert "Traceback" not in first.message and "autograder" not in first.message
    assert second.outcome == "passed"


BAD_FILES = {
    "syntax error": ("def f(:\n", "does not load: it raised SyntaxError", "(line 1: `def f(:`)"),
    "import error": (
        "import not_there\nnot_there.f()\n",
        "ModuleNotFoundError",
        "(line 2: `not_there.f()`)",
    ),
    "exit": ("import sys; sys.exit(0)\n", "ended the program with SystemExit", "(line 1"),
    "not a word of it": ("x = 1\n", "There is no `saliency_map` in your file", "reset"),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_does_not_load_says_so_for_every_exercise(name: str, checker: Checker) -> None:
    text, *says = BAD_FILES[name]
    verdicts = check(checker, text)
    assert len(verdicts) == 5
    assert all(verdict.points == 0 for verdict in verdicts)
    assert [part for part in says if part not in verdicts[0].message] == [], verdicts[0].message


def test_a_file_that_never_ends_loading_is_loaded_once(
    checker: Checker, source: LessonSource
) -> None:
    checker.take().wait_ready()
    started = time.perf_counter()
    verdicts = check(checker, source.bare() + "\nwhile True:\n    pass\n")
    assert {verdict.outcome for verdict in verdicts} == {"timeout"}
    assert "did not finish loading in time" in verdicts[0].message
    assert verdicts[0].seconds == verdicts[-1].seconds  # one answer for all four
    assert time.perf_counter() - started < 120


def test_what_student_code_started_ends_with_it(
    checker: Checker, source: LessonSource, tmp_path: Path
) -> None:
    note = tmp_path / "pid"
    body = (
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"open({str(note)!r}, 'w').write(str(child.pid))\n"
        "while True: pass"
    )
    (verdict,) = check(checker, with_body(source, body), "saliency_map")
    assert verdict.outcome == "timeout"
    assert_gone(int(note.read_text()))


def assert_gone(pid: int) -> None:
    for _ in range(100):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return
        time.sleep(0.1)
    raise AssertionError(f"process {pid} is still there")


def test_a_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    import subprocess
    import sys

    script = (
        "from autograder.student.process import Worker\n"
        "worker = Worker(); worker.wait_ready(); print(worker._process.pid, flush=True)\n"
        "job = dict(stem='l11_saliency', exercise='f', source='while True: pass', filename='f.py',"
        " cases=[])\n"
        "worker.send(job); print('sent', flush=True); input()"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert parent.stdout.readline() == "sent\n"
    parent.kill()
    parent.wait()
    assert_gone(pid)


def test_an_exercise_that_calls_a_failing_one_is_judged_by_its_own_lines(checker: Checker) -> None:
    right = read_lesson("l14_grad_cam")
    mean = "activation_gradients.mean(dim=(2, 3))"
    text = right.edited("channel_weights", ((mean, mean.replace("mean", "sum")),))
    file = LessonFile("l14_grad_cam", text, "exercises.py")
    (checked,) = Check(checker, file, ("grad_cam",))
    assert checked.verdict.outcome == "passed"
    assert checked.verdict.message.startswith("`grad_cam` itself is right")


def test_an_exercise_that_calls_an_unwritten_one_is_judged_by_its_own_lines(
    checker: Checker,
) -> None:
    lesson, earlier = read_lesson("l04_neighbours"), read_lesson("l02_hooks")

    def checked(text: str) -> Verdict:
        others = {"l02_hooks": earlier.stubs()}
        file = LessonFile("l04_neighbours", text, "exercises.py", others)
        (found,) = Check(checker, file, ("embed",))
        return found.verdict

    helper = "`l02_hooks.capture_activation`"
    right = checked(lesson.bare())
    assert (right.outcome, right.points) == ("passed", right.max_points)
    assert right.message.endswith(f"a right version of {helper}. Write {helper} next.")
    wrong = checked(
        lesson.edited("embed", (("activation.mean(dim=(2, 3))", "activation.amax((2, 3))"),))
    )
    assert wrong.outcome == "failed" and helper in wrong.message
    assert checked(lesson.stubs()).message == "`embed` is not written yet."


def test_a_memory_limit_that_is_no_number_is_a_user_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lessons.toolkit.errors import UserError

    monkeypatch.setenv("CONVLENS_MEMORY_LIMIT", "4 GB")
    with pytest.raises(UserError, match="not a number of bytes"):
        Checker()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="only /proc tells processor time")
def test_a_busy_machine_makes_right_code_no_timeout(checker: Checker, source: LessonSource) -> None:
    """It waits longer than its deadline, and has had little of the processor."""
    waits = source.bare() + "\nimport time\n\ntime.sleep(4)\n"
    (told,) = check(checker, waits, "saliency_map")
    assert told.outcome == "passed"
