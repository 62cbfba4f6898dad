"""Commands as processes of their own: Ctrl-C, full and read-only disks, watch, pytest."""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from autograder.course.reference import ROOT, LessonSource
from autograder.student.progress import Progress
from autograder.student.working_copy import WorkingCopy

STEM = "l11_saliency"
CONVLENS = [sys.executable, "-c", "from autograder.cli.main import main; main()"]
LONG = 180


class Running:
    """A command whose lines can be waited for."""

    def __init__(self, words: list[str], folder: Path) -> None:
        self.process = subprocess.Popen(
            [*CONVLENS, *words],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            # A shell starts background jobs deaf to Ctrl-C, and children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )
        self.seen: list[str] = []
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def wait_for(self, text: str) -> None:
        end = time.monotonic() + LONG
        while True:
            line = self._lines.get(timeout=max(0.1, end - time.monotonic()))
            assert line is not None, f"ended without {text!r}:\n{''.join(self.seen)}"
            self.seen.append(line)
            if text in line:
                return


@pytest.fixture
def run(copy: WorkingCopy) -> Iterator[type[Running]]:
    started: list[Running] = []

    class Here(Running):
        def __init__(self, *words: str) -> None:
            super().__init__(list(words), copy.root)
            started.append(self)

    yield Here  # type: ignore[misc]
    for one in started:
        one.process.kill()
        one.process.wait()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop", "typed", "says"),
    [
        ("breakpoint()", "p tuple(images.shape)\nc\n", "It returned a float32 tensor"),
        ("breakpoint()", "q\n", "You left the debugger."),
        ("__import__('pdb').set_trace()", "q\n", "Take the breakpoint out"),
    ],
)
def test_debug_has_a_keyboard(
    stop: str, typed: str, says: str, copy: WorkingCopy, source: LessonSource
) -> None:
    line = "logits = model(images)"
    edits = ((line, f"{stop}\n    {line}"), ("gradient.abs()", "gradient"))
    copy.exercises(STEM).write_text(source.edited("saliency_map", edits), encoding="utf-8")
    done = subprocess.run(
        [*CONVLENS, "check", "saliency", "--debug"],
        cwd=copy.root,
        input=typed,
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 1 and done.stderr == ""
    assert "saliency_map on “two images”, here in the foreground" in done.stdout
    assert "exercises.py(" in done.stdout and f"-> {line}" in done.stdout
    assert says in done.stdout and ("(2, 3, 16, 24)" in done.stdout) == ("tuple" in typed)
    # The check's own sentence, as without the breakpoint.
    assert ("with its sign" in done.stdout) == (stop == "breakpoint()")
    assert "Traceback" not in done.stdout and Progress(copy.state).standings == {}


def loop_forever(source: LessonSource) -> str:
    return source.replaced("saliency_map", "def saliency_map(**_):\n    while True: pass\n")


@pytest.mark.skipif(sys.platform == "win32", reason="signals of a POSIX terminal")
def test_ctrl_c_says_one_line_and_leaves_everything_whole(
    run: type[Running], copy: WorkingCopy, source: LessonSource
) -> None:
    text = loop_forever(source)
    copy.exercises(STEM).write_text(text, encoding="utf-8")
    running = run("check", "saliency")  # type: ignore[call-arg, arg-type]
    running.wait_for("Lesson 11")
    time.sleep(3)  # somewhere between the imports and the endless loop
    running.process.send_signal(signal.SIGINT)
    running.wait_for("Stopped.")
    assert running.process.wait(timeout=30) == 130
    assert "Traceback" not in "".join(running.seen)
    assert copy.exercises(STEM).read_text(encoding="utf-8") == text
    assert sorted(path.name for path in copy.root.rglob("*.*")) == ["exercises.py"]


@pytest.mark.slow
def test_watch_follows_the_file_through_all_that_editors_do(
    run: type[Running], copy: WorkingCopy, source: LessonSource
) -> None:
    path = copy.exercises(STEM)
    running = run("check", "saliency", "--watch")  # type: ignore[call-arg, arg-type]
    running.wait_for("`saliency_map` is not written yet.")
    running.wait_for("Watching")
    path.write_text(source.bare().replace("def smooth_grad(", "def smooth_grad(("), "utf-8")
    running.wait_for("raised SyntaxError")
    swap = path.with_suffix(".swp")
    swap.write_text(source.edited("saliency_map", (("gradient.abs()", "gradient"),)), "utf-8")
    swap.replace(path)
    running.wait_for("with its sign")
    path.write_text(loop_forever(source), encoding="utf-8")
    time.sleep(1)  # the loop runs; the next save must not wait for its deadline
    path.unlink()
    running.wait_for("There is no file")
    half = source.bare()
    with path.open("w", encoding="utf-8") as file:
        file.write(half[: len(half) // 2])
        file.flush()
        time.sleep(0.02)
        file.write(half[len(half) // 2 :])
    running.wait_for("✓ l11_saliency passes")
    assert running.process.wait(timeout=30) == 0
    assert path.read_text(encoding="utf-8") == half


@pytest.mark.slow
def test_pytest_sees_one_item_an_exercise_with_the_verdict(
    copy: WorkingCopy, source: LessonSource
) -> None:
    from xml.etree import ElementTree

    shutil.copy(ROOT / "lessons" / "conftest.py", copy.root / "lessons" / "conftest.py")
    text = source.edited("saliency_map", (("gradient.abs()", "gradient"),))
    copy.exercises(STEM).write_text(text, encoding="utf-8")
    words = ["lessons/l11_saliency", "--junitxml=report.xml", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words], cwd=copy.root, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert f"1 failed, {len(source.exercises) - 1} passed" in done.stdout
    assert "with its sign" in done.stdout and "Traceback" not in done.stdout
    cases = ElementTree.parse(copy.root / "report.xml").getroot().iter("testcase")
    found = {
        case.get("name"): {p.get("name"): p.get("value") for p in case.iter("property")}
        for case in cases
    }
    assert list(found) == list(source.exercises)
    assert found["saliency_map"]["diagnosis"] == "maximum_taken"
    assert found["smooth_grad"]["outcome"] == "passed"


def in_small_disk(copy: WorkingCopy, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script with a small disk of its own mounted on the working copy's parent."""
    unshare = shutil.which("unshare")
    if unshare is None or sys.platform != "linux":
        pytest.skip("unshare is not here")
    command = [unshare, "--mount", "--map-root-user", "true"]
    if subprocess.run(command, capture_output=True).returncode != 0:
        pytest.skip("no mount namespace can be made here")
    disk = copy.root / "disk"
    disk.mkdir()
    prelude = (
        f"set -e; mount -t tmpfs -o size=128k tmpfs {disk}; cd {disk}; mkdir -p lessons/{STEM}; "
        f"cp {copy.exercises(STEM)} lessons/{STEM}/; sum=$(cksum < lessons/{STEM}/exercises.py); "
    )
    convlens = f'convlens() {{ {sys.executable} -m autograder.cli.main "$@"; }}; set +e; '
    untouched = (
        f'; test "$sum" = "$(cksum < lessons/{STEM}/exercises.py)" && echo UNTOUCHED; '
        "find . -name '*.part'"
    )
    return subprocess.run(
        [
            unshare,
            "--mount",
            "--map-root-user",
            "sh",
            "-c",
            prelude + convlens + script + untouched,
        ],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@pytest.mark.sandbox
@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        ("head -c 1000000 /dev/zero > fill 2>/dev/null; ", "No space left on device"),
        ("mount -o remount,ro .; ", "Read-only file system"),
    ],
    ids=["full disk", "read-only disk"],
)
def test_a_disk_that_cannot_be_written_costs_neither_work_nor_verdict(
    spoil: str, says: str, copy: WorkingCopy, source: LessonSource
) -> None:
    copy.exercises(STEM).write_text(source.bare(), encoding="utf-8")
    script = (
        "convlens reset saliency; echo reset $?; convlens submit; echo submit $?; "
        "convlens check saliency.saliency_box; echo check $?"
    )
    done = in_small_disk(copy, spoil + script)
    for line in ("reset 2", "submit 2", "check 0", "1 of 1 pass", "UNTOUCHED"):
        assert line in done.stdout, done.stdout + done.stderr
    assert ".part" not in done.stdout
    assert says in done.stderr and "Progress is not saved" in done.stderr
    assert "Traceback" not in done.stderr
