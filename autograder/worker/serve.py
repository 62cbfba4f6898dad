"""Answer jobs by running a student's file.

The file is loaded and called on each case, and what happened is written as it happens. Jobs are
made in `autograder.protocol.job`, answers read in `autograder.protocol.answers`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
import threading
import time
from collections.abc import Callable
from functools import cache
from types import ModuleType
from typing import Any, BinaryIO

import torch

from autograder.protocol.answers import DONE, Record, ran_out_of_memory
from autograder.protocol.job import Job, read_job
from autograder.protocol.wire import WireError, encode, read_frame
from autograder.worker.load import describe_error, load
from autograder.worker.observe import CappedText, observe, seed_global_generators


def answer(
    job: Job,
    write: Callable[[bytes], Any],
    change: Callable[[ModuleType], None] | None = None,
) -> None:
    """Run one job and write its frames.

    There is one for the loading, one for each case as it ends, and a last one.

    Args:
        job: what to load and call.
        write: takes each frame.
        change: what is done to the loaded lesson before it is called; for trusted code.
    """
    student = _load(job, write)
    if student is not None:
        if change is not None:
            change(student)
        for case in job["cases"]:
            write(_answer_case(student, call_of(job, case), case, job))
    write(DONE)


def _load(job: Job, write: Callable[[bytes], Any]) -> ModuleType | None:
    output = CappedText()
    seed_global_generators()
    try:
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(output):
            student = load(job["stem"], job["source"], job["filename"], job.get("earlier"))
    except BaseException as error:  # SystemExit and KeyboardInterrupt are the student's too
        write(_frame({"loaded": False, "error": describe_error(error, job["filename"])}))
        return None
    write(_frame({"loaded": True, "has": hasattr(student, job["exercise"])}))
    return student if hasattr(student, job["exercise"]) else None


def call_of(job: Job, case: dict[str, Any]) -> Callable[..., Any]:
    """Return how a case is called: ``call(student, **inputs)``.

    The lesson may have a call of that name; else it is the exercise with these arguments.
    """
    by_lesson = getattr(_calls(job["stem"]), case["call"], None)
    return by_lesson or (lambda student, **inputs: getattr(student, job["exercise"])(**inputs))


@cache
def _calls(stem: str) -> ModuleType | None:
    try:
        return importlib.import_module(f"autograder.worker.calls.{stem}")
    except ModuleNotFoundError:
        return None


def _answer_case(
    student: ModuleType, call: Callable[..., Any], case: dict[str, Any], job: Job
) -> bytes:
    filename = job["filename"]
    try:
        device, briefly = job.get("device", "cpu"), job.get("briefly", False)
        record = observe(student, call, case["inputs"], filename, device, briefly)
        return _frame({**record, "case": case["name"]})
    except (MemoryError, RuntimeError) as error:
        # What the student's code keeps may leave too little for our own lines: that costs this
        # case and no other. Any other error of ours is ours.
        described = describe_error(error, filename)
        if not ran_out_of_memory(described["type"], described["message"]):
            raise
        return _frame({"case": case["name"], "status": "raised", "error": described})


def _frame(record: Record) -> bytes:
    try:
        return encode(record)
    except WireError as error:
        # Something of the result would not fold; the judge is told what.
        kept = {key: record[key] for key in ("case", "seconds", "printed") if key in record}
        return encode({**kept, "status": "unsendable", "note": str(error)})


def run_job(read_fd: int, write_fd: int) -> None:
    """Answer the one job that waits on a pipe.

    A sandboxed child runs this.

    Args:
        read_fd, write_fd: descriptors of the pipes.
    """
    with os.fdopen(read_fd, "rb") as source:
        job = read_job(source.read)
    if not job:
        return
    with os.fdopen(write_fd, "wb", buffering=0) as sink:
        answer(job, sink.write)


def main() -> None:
    """Answer jobs from standard input until it closes.

    A student's own check runs this.
    """
    source, sink = _private_streams()
    _limit_memory()
    os.environ["MPLBACKEND"] = "agg"  # as in grading: a figure opens no window
    threading.Thread(target=_end_with_parent, args=(os.getppid(),), daemon=True).start()

    def write(data: bytes) -> None:
        sink.write(data)
        sink.flush()

    write(encode({"ready": True}))
    while (frame := read_frame(source.read)) is not None:
        answer(frame.value, write)


def _private_streams() -> tuple[BinaryIO, BinaryIO]:
    """Return the worker's own standard input and output.

    Student code that reads or prints meets the null device.
    """
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.stdin = io.StringIO()
    return source, sink


def _end_with_parent(parent: int) -> None:
    """End this process when its parent is gone.

    A closed terminal must not leave an endless loop behind.
    """
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


def _limit_memory() -> None:
    """Cap data memory where the system can.

    A huge allocation then fails, and not the machine.
    """
    limit = int(os.environ.get("CONVLENS_MEMORY_LIMIT", 0))
    if not limit:
        return
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))


if __name__ == "__main__":
    # The networks of a check are tiny: a second thread costs more in waiting than it brings.
    torch.set_num_threads(1)
    main()
