"""Record what became of a job, by its child, the kernel and the clock.

What a child says is bytes, cut off at a cap. Its times it cannot choose, nor its status, except
"ok" and "exited", which any process can be.
"""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from typing import Any, Literal

from autograder.grading.sandbox.limits import Limits
from autograder.grading.sandbox.zygote import EXIT_MEMORY

Status = Literal[
    "ok", "timeout", "overdue", "killed", "evicted", "memory", "output", "exited", "grader_fault"
]

_LOG_TAIL = 1 << 14


@dataclass(frozen=True)
class ChildResult:
    """Outcome of one job.

    Args:
        status: `"ok"` (ended with 0, which any student code can bring about: whether the answer is
            whole is for its reader to see), `"timeout"` (of the processor), `"memory"`, `"output"`
            (over the cap), `"exited"` (another code), `"killed"` (a signal, or too many threads);
            and what may be no fault of the job's: `"overdue"` (by the wall clock, with processor
            time to spare), `"evicted"` (killed by the system within its limits), `"grader_fault"`.
        frames: what the target wrote, up to the cap; kept whatever the status.
        exit_code: of the child, None if a signal ended it.
        signal: that ended the child, None if it exited.
        cpu_seconds: processor time of the child, seconds.
        cpu_limit: how much of it there might be.
        peak_rss: most memory held at once, bytes, counting what it shares with the zygote.
        seconds: wall clock of the job, seconds.
        log: the end of standard output and error.
        reason: one sentence for a status other than `"ok"`.
        retries: how often the job was run again because the zygote had died.
    """

    status: Status
    frames: bytes = b""
    exit_code: int | None = None
    signal: int | None = None
    cpu_seconds: float = 0.0
    cpu_limit: int = 0
    peak_rss: int = 0
    seconds: float = 0.0
    log: bytes = b""
    reason: str = ""
    retries: int = 0


@dataclass
class Watch:
    """Output of a running child so far, and why it is to be killed, if it is.

    Args:
        limits: of the child.
        cpu_seconds: processor time that it may take.
        held: bytes that it began with.
    """

    limits: Limits
    cpu_seconds: int
    held: int = 0
    frames: bytearray = field(default_factory=bytearray)
    log: bytearray = field(default_factory=bytearray)
    logged: int = 0
    verdict: Status | None = None
    reason: str = ""

    def condemn(self, status: Status, reason: str) -> None:
        """Have the child killed. The first reason stays."""
        if self.verdict is None:
            self.verdict, self.reason = status, reason

    def output(self, data: bytes) -> None:
        """Take what the target wrote."""
        left = self.limits.output_bytes - len(self.frames)
        self.frames += data[:left]
        if len(data) > left:
            self.condemn("output", f"It wrote more than {self.limits.output_bytes} bytes.")

    def printed(self, data: bytes) -> None:
        """Take what came out of standard output and error."""
        self.logged += len(data)
        self.log += data
        del self.log[:-_LOG_TAIL]
        if self.logged > self.limits.log_bytes:
            self.condemn("output", f"It printed more than {self.limits.log_bytes} bytes.")

    def result(self, ended: dict[str, Any], seconds: float, retries: int) -> ChildResult:
        """Return the whole, once the zygote has reported how the child ended."""
        code = os.waitstatus_to_exitcode(ended["ended"])
        status, reason = self.verdict, self.reason
        if status is None:
            status, reason = self._judge_end(code, ended["cpu_seconds"])
        return ChildResult(
            status=status,
            frames=bytes(self.frames),
            exit_code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            cpu_seconds=ended["cpu_seconds"],
            cpu_limit=self.cpu_seconds,
            peak_rss=ended["peak_rss"],
            seconds=seconds,
            log=bytes(self.log),
            reason=reason,
            retries=retries,
        )

    def _judge_end(self, code: int, cpu_seconds: float) -> tuple[Status, str]:
        if code == 0:
            return "ok", ""
        if code == EXIT_MEMORY or (code < 0 and b"std::bad_alloc" in self.log):
            return "memory", f"It asked for more than {self.limits.memory_bytes} bytes."
        if code > 0:
            return "exited", f"It ended with exit code {code}."
        if -code in (signal.SIGKILL, signal.SIGXCPU):
            # The kernel's clock for the limit and its account of the time differ by a few ticks.
            if cpu_seconds >= 0.8 * self.cpu_seconds - 0.2:
                return "timeout", f"It used more than {self.cpu_seconds} s of processor time."
            # Its own limits end it otherwise: this machine has less memory than they allow.
            return "evicted", "The system killed it, most likely for want of memory."
        return "killed", f"It was ended by signal {-code} ({signal.strsignal(-code)})."
