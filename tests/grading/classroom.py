"""A class of students as files: perfect ones, stubs, known mistakes, broken and hostile ones."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from unittest.mock import patch

from synthetic import textual_mistakes

from autograder.course.reference import read_lesson
from autograder.grading import class_run as run
from autograder.grading.class_run import Request, Run
from autograder.grading.sandbox.children import ChildResult
from autograder.judge.expected import restored_globals, wrong_source
from autograder.protocol.job import read_job
from autograder.worker.serve import answer

STEM = "l11_saliency"
SHOUT = "<script>document.title='ran'</script><img src=x onerror=\"document.title='ran'\">"
HOSTILE_TEXT = (
    f"{SHOUT}</style></p>\\x1b[31mred\\x1b]0;title\\x07 \\u202egpj.exe =cmd() " + "A" * 10_000
)


def mistaken(exercise: str, mistake: str) -> str:
    """A lesson file in whose one exercise a known mistake is made."""
    return wrong_source(read_lesson(STEM), exercise, textual_mistakes(STEM, exercise)[mistake])


def softmax(exercise: str) -> str:
    """A lesson file that asks about a probability; the course makes this mistake by a wrapper."""
    call = {"saliency_map": "model(images)", "smooth_grad": "model(noisy)"}[exercise]
    return read_lesson(STEM).edited(exercise, ((call, f"{call}.softmax(1)"),))


def raising(message: str) -> str:
    """A lesson file whose saliency_map raises; `message` is the source of a string expression."""
    body = f"def saliency_map(model, images, target):\n    raise ValueError({message})\n"
    return read_lesson(STEM).replaced("saliency_map", body)


def looping() -> str:
    """A lesson file that never ends loading."""
    return read_lesson(STEM).bare() + "\nwhile True:\n    pass\n"


def hand_in(folder: Path, student: str, text: str) -> None:
    """One `.py` file."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{student}.py").write_text(text, encoding="utf-8", errors="surrogatepass")


def mixed_class(folder: Path) -> Path:
    """Every sort of submission, one each."""
    source = read_lesson(STEM)
    hand_in(folder, "ada", source.bare())
    hand_in(folder, "bob", source.stubs())
    hand_in(folder, "cem", softmax("saliency_map"))
    hand_in(folder, "dai", softmax("saliency_map") + "\n# my own\n")
    hand_in(folder, "eva", mistaken("saliency_map", "mean_taken"))
    hand_in(folder, "fay", softmax("smooth_grad"))
    hand_in(folder, "gil", "def saliency_map(model, images, target:\n    return 1\n")
    hand_in(folder, "hui", "")
    hand_in(folder, "ivo", raising(repr(HOSTILE_TEXT).replace("\\\\", "\\")))
    hand_in(folder, "jan", raising("str(images.flatten()[:8].tolist())"))
    hand_in(folder, "안젤라 kim", source.bare())
    hand_in(folder, "<script>alert(1)<", source.stubs())
    hand_in(folder, "=cmd('x')", source.stubs())
    (folder / "kim.zip").write_bytes(b"PK\x03\x04 not a zip")
    for suffix in ("a", "b"):
        name = "lea.zip" if suffix == "a" else "Lea.zip"
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr(f"{STEM}/exercises.py", source.bare())
    with zipfile.ZipFile(folder / "mia.zip", "w") as archive:
        archive.writestr(f"{STEM}/exercises.py", source.bare())
        archive.writestr("../../escape.py", "print('out')")
    return folder


class OwnSandbox:
    """A worker in this process, for work that we wrote ourselves; counts its jobs.

    Args:
        fault: what a sandbox that is out of order says.
    """

    def __init__(self, fault: str = "") -> None:
        self.fault = fault
        self.jobs = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def stop(self) -> None:
        """Nothing is under way elsewhere."""

    def run(self, payload: bytes, seconds: float) -> ChildResult:
        """Answer one job."""
        self.jobs += 1
        if self.fault:
            return ChildResult("grader_fault", reason=self.fault)
        frames: list[bytes] = []
        with restored_globals(()):
            answer(read_job(io.BytesIO(payload).read), frames.append)
        return ChildResult("ok", b"".join(frames))


def grade_here(
    submissions: Path,
    out: Path,
    sandbox: OwnSandbox | None = None,
    seed: int = 5,
    stems: Sequence[str] = (STEM,),
    **asked: Any,
) -> Run:
    """A whole run with one worker in this process."""
    sandbox = sandbox or OwnSandbox()
    request = Request(submissions, out, stems, seed, workers=1, **asked)
    with patch.object(run, "Sandbox", lambda *_, **__: sandbox):
        return run.grade(request)


def files_of(out: Path) -> dict[str, bytes]:
    """What a run leaves, but for the journal and what the machine's speed decides."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and not path.name.startswith(("journal.", "usage.csv", ".lock"))
    }


def small_class(folder: Path) -> Path:
    """Work that is safe to run in this process."""
    source = read_lesson(STEM)
    hand_in(folder, "ada", source.bare())
    hand_in(folder, "bob", source.stubs())
    hand_in(folder, "cem", softmax("saliency_map"))
    hand_in(folder, "eva", mistaken("saliency_box", "most_salient_region"))
    hand_in(folder, "hui", "")
    return folder
