"""The child process that runs a student's code: started, asked, timed, and killed when it must be.

It needs pipes and nothing else of the system, so it is the same on Linux, macOS and Windows. This
module imports no torch of its own: a caller starts a `Worker` first and imports torch meanwhile.
"""

from __future__ import annotations

import contextlib
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

from autograder.course.reference import ROOT
from lessons.toolkit.errors import UserError

if TYPE_CHECKING:
    from autograder.judge.verdict import Answer

# When a frame arrived, and its bytes; None at the end of the stream; an error for a bad frame.
Arrival = tuple[float, bytes] | Exception | None
START_SECONDS = 180.0
MEMORY_LIMIT = 4 << 30
OUT_OF_MEMORY = re.compile(
    r"can't allocate memory|not enough memory|out of memory|Cannot allocate memory", re.IGNORECASE
)


class Worker:
    """One child process; it answers jobs until it is closed or has to be killed.

    Args:
        device: where the student's tensors will be put. A GPU's driver maps more memory than any
            student asks for, so there the memory limit is left out.

    Raises:
        UserError: `CONVLENS_MEMORY_LIMIT` is not a number, or no process can be started.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._ready = False
        self._frames: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
        self._killed = False
        try:
            self._process = subprocess.Popen(
                # -P: a file of the student's called `torch.py` must not stand in for torch.
                [sys.executable, "-P", "-m", "autograder.worker.serve"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(device),
                **_own_group(),
            )
        except OSError as error:
            raise UserError(
                f"No process for your code can be started ({error.strerror}).",
                "Close other programs, or run `convlens doctor`.",
            ) from error
        self._reader: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """Whether the child still runs and may be asked again."""
        return not self._killed and self._process.poll() is None

    def wait_ready(self) -> None:
        """Wait until the child has imported what it needs.

        Raises:
            UserError: it ended before that, or took more than three minutes.
        """
        if self._ready:
            return
        self._start_reading()
        item = self._next(time.perf_counter() + START_SECONDS)
        if not isinstance(item, tuple):
            raise UserError(
                f"The process for your code did not start: {self._last_words()}",
                "Run `convlens doctor`.",
            )
        self._ready = True

    def send(self, job: dict[str, Any]) -> None:
        """Send a job as soon as the child is ready; `collect` takes its answer."""
        from autograder.protocol.wire import encode

        self.wait_ready()
        self._sent = time.perf_counter()
        data = encode({**job, "device": self.device})
        try:
            assert self._process.stdin is not None
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError:  # it died meanwhile; collect() finds the end of its stream
            return

    def collect(self, deadline: float, most_records: int) -> Answer:
        """The answer to the job just sent.

        Args:
            deadline: seconds for loading the file, and again for all cases together.
            most_records: how many frames an honest answer has at most.
        """
        from autograder.judge.expected import read_record
        from autograder.judge.verdict import Answer
        from autograder.protocol.wire import WireError

        records: list[dict[str, Any]] = []
        status, note, limit = "", "", self._sent + deadline
        while not status:
            item = self._next(limit)
            if isinstance(item, tuple):
                arrived, data = item
                try:
                    record = read_record(data, self.device.partition(":")[0])
                except WireError as error:
                    item = error
                else:
                    if record.get("done"):
                        status = "ok"
                    elif len(records) >= most_records:
                        status = "output"
                    else:
                        records.append(record)
                        limit = arrived + deadline if len(records) == 1 else limit
                    continue
            if isinstance(item, queue.Empty):
                status = "timeout"
            elif item is None:
                status, note = "died", self._how_it_ended()
            else:
                status, note = "output", str(item)
        if status != "ok":
            self.kill()
        status, records = _without_memory_errors(status, records)
        return Answer(status, tuple(records), note, time.perf_counter() - self._sent)

    def kill(self) -> None:
        """End the child at once, and on POSIX everything it started."""
        self._killed = True
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """End the child and give its pipes back."""
        self.kill()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        if self._reader is not None:
            self._reader.join(timeout=5)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()

    def _start_reading(self) -> None:
        if self._reader is None:
            self._reader = threading.Thread(target=self._read, daemon=True)
            self._reader.start()

    def _read(self) -> None:
        from autograder.protocol.wire import PREFIX, WireError, read_exactly, read_prefix

        assert self._process.stdout is not None
        read = self._process.stdout.read
        try:
            while prefix := read_exactly(read, PREFIX.size):
                size = sum(read_prefix(prefix))
                frame = prefix + read_exactly(read, size)
                self._frames.put((time.perf_counter(), frame))
        except WireError as error:
            self._frames.put(error)
        except (OSError, ValueError):  # closed under us
            pass
        self._frames.put(None)

    def _next(self, limit: float) -> Arrival:
        try:
            return self._frames.get(timeout=max(0.0, limit - time.perf_counter()))
        except queue.Empty as error:
            return error

    def _last_words(self) -> str:
        """The last line a child wrote before its streams were closed to it."""
        self.kill()
        assert self._process.stderr is not None
        lines = self._process.stderr.read(20_000).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it gave no reason")

    def _how_it_ended(self) -> str:
        """How a child ended that ended itself, in a few words."""
        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "it closed its pipe"
        if code in (-11, -10, -7, 0xC0000005, 0xC00000FD):
            return "it crashed in native code, or recursed without end"
        if code == -9:
            return "the system killed it, most likely for its use of memory"
        if code < 0:
            return f"it was ended by signal {-code}"
        return f"its exit code was {code}"


def _environment(device: str) -> dict[str, str]:
    limit = os.environ.get("CONVLENS_MEMORY_LIMIT", str(MEMORY_LIMIT))
    if not limit.isdecimal():
        raise UserError(
            f"CONVLENS_MEMORY_LIMIT is {limit!r}, which is not a number of bytes.",
            "Set it to 4000000000, or unset it.",
        )
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "CONVLENS_MEMORY_LIMIT": limit if device == "cpu" else "0",
    }


def _own_group() -> dict[str, Any]:
    """Ctrl-C is for the parent alone, which then ends the child."""
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}


def _without_memory_errors(
    status: str, records: list[dict[str, Any]]
) -> tuple[str, list[dict[str, Any]]]:
    """Tell a failed allocation, which arrives as some exception, by its own status."""
    for number, record in enumerate(records):
        error = record.get("error")
        if not isinstance(error, dict):
            continue
        kind, message = str(error.get("type")), str(error.get("message"))
        if kind in ("MemoryError", "OutOfMemoryError") or OUT_OF_MEMORY.search(message):
            return "memory", records[:number]
    return status, records
