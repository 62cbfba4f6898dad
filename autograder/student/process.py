"""Run a student's code in a child process.

The child is started, asked, timed, and killed when it must be. It needs pipes and nothing else of
the system, so it is the same on Linux, macOS and Windows. This module imports no torch of its own:
a caller starts a `Worker` first and imports torch meanwhile.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from autograder.course.reference import ROOT
from lessons.toolkit.errors import UserError

if TYPE_CHECKING:
    from autograder.protocol.answers import Answer
    from autograder.protocol.job import Job

# What the child wrote next; None at the end of its stream; the exception where time ran out.
Arrival = bytes | queue.Empty | None
START_SECONDS = 180.0
MEMORY_LIMIT = 4 << 30
CHUNK = 1 << 16
# Who waits for what never comes is stopped after so many deadlines.
WALL_FACTOR = 3.0
LEAST_WAIT = 0.2


class Worker:
    """Child process that answers jobs until it is closed or killed.

    Args:
        device: where the student's tensors will be put. A GPU's driver maps more memory than any
            student asks for, so there the memory limit is left out.

    Raises:
        UserError: `CONVLENS_MEMORY_LIMIT` is not a number, or no process can be started.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        self._ready = False
        self._said: queue.SimpleQueue[Arrival] = queue.SimpleQueue()
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
        """Check whether the child still runs and may be asked again."""
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
        if not isinstance(item, bytes):
            raise UserError(
                f"The process for your code did not start: {self._last_words()}",
                "Run `convlens doctor`.",
            )
        self._ready = True

    def send(self, job: Job) -> None:
        """Send a job as soon as the child is ready.

        Then `collect` takes its answer.
        """
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

    def collect(self, deadline: float, cases: int) -> Answer:
        """Read the answer to the job just sent.

        Args:
            deadline: seconds for loading the file and all cases together: of the processor where
                the system tells them, so that a busy machine does not make right code too slow.
            cases: how many were asked for.
        """
        from autograder.protocol.answers import AnswerReader

        reader = AnswerReader(cases, self.device.partition(":")[0])
        limit, patience = self._sent + deadline, self._sent + WALL_FACTOR * deadline
        spent = self._cpu_seconds()
        ended = note = ""
        while not reader.ended and not ended:
            item = self._next(limit)
            if isinstance(item, bytes):
                reader.feed(item)
            elif item is None:
                ended, note = self._how_it_ended()
            elif (left := deadline - self._cpu_seconds() + spent) > 0 and limit < patience:
                limit = min(limit + max(left, LEAST_WAIT), patience)
            else:
                seconds = WALL_FACTOR * deadline if limit >= patience else deadline
                ended, note = "timeout", f"{seconds:g} s"
        answer = reader.answer(ended, note, time.perf_counter() - self._sent)
        if answer.status != "ok":
            self.kill()
        return answer

    def _cpu_seconds(self) -> float:
        """Return the processor time that the child has had.

        It is infinite where the system does not tell.
        """
        try:
            fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except (OSError, ValueError, IndexError, AttributeError):
            return math.inf

    def kill(self) -> None:
        """End the child at once, and on POSIX everything it started."""
        self._killed = True
        if hasattr(os, "killpg"):
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(OSError):
            self._process.kill()

    def close(self) -> None:
        """End the child and close its pipes."""
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
        from autograder.protocol.wire import read_frame

        assert self._process.stdout is not None
        stdout = cast(io.BufferedReader, self._process.stdout)
        with contextlib.suppress(OSError, ValueError):  # closed under us
            if read_frame(stdout.read) is not None:
                self._said.put(b"")  # it is ready
            while data := stdout.read1(CHUNK):
                self._said.put(data)
        self._said.put(None)

    def _next(self, limit: float) -> Arrival:
        try:
            return self._said.get(timeout=max(0.0, limit - time.perf_counter()))
        except queue.Empty as error:
            return error

    def _last_words(self) -> str:
        """Return the last line that a child wrote to standard error."""
        self.kill()
        assert self._process.stderr is not None
        lines = self._process.stderr.read(20_000).decode(errors="replace").split("\n")
        return next((line.strip() for line in reversed(lines) if line.strip()), "it gave no reason")

    def _how_it_ended(self) -> tuple[str, str]:
        """Return a status and a few words on how a child ended by itself."""
        from autograder.protocol.answers import describe_exit

        try:
            code = self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            return "died", "it closed its pipe"
        # Nobody here has killed it, so it was the system, most likely for its use of memory.
        return ("memory", "") if code == -9 else ("died", describe_exit(code))


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
    """Return the options that keep Ctrl-C from the child.

    It reaches the parent alone, which then ends the child.
    """
    if sys.platform == "win32":
        return {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    return {"start_new_session": True}
