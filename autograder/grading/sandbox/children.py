"""Run jobs in children of a zygote, with clocks and caps kept from outside.

A zygote that dies is replaced, and its job is run once more.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import math
import os
import select
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, Self

from autograder.grading.sandbox import bubblewrap, other_user, seccomp, whitelist, zygote
from autograder.grading.sandbox.limits import Limits, in_use
from autograder.grading.sandbox.outcome import ChildResult, Watch
from autograder.grading.sandbox.probe import LADDER, Isolation, choose
from lessons.toolkit.errors import UserError

ENVIRONMENT = {
    "HOME": "/tmp",
    "TMPDIR": "/tmp",
    "MPLCONFIGDIR": "/tmp",
    "MPLBACKEND": "agg",
    # No programs: imports that would ask gcc or ldconfig where a library is go on without.
    "PATH": "/nonexistent",
    "LANG": "C.UTF-8",
    # One thread, or a fork of the zygote hangs.
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    # The first optimizer step imports torch's compiler, which wants a folder that is there already.
    "TORCHINDUCTOR_CACHE_DIR": "/tmp",
    "TORCHINDUCTOR_COMPILE_THREADS": "1",
    # Each arena reserves 64 MiB of the address space that is limited.
    "MALLOC_ARENA_MAX": "2",
    # A set of strings has one order: the same submission gets the same score.
    "PYTHONHASHSEED": "0",
}

# What nearly every child needs. Each MiB held makes each fork slower, so what a lesson alone needs
# is imported by its calls.
PRELOAD = ("torch", "numpy.random", "safetensors.torch", "autograder.worker.ahead")

_BOOTSTRAP = (
    "import sys; fd = int(sys.argv[1]); sys.path[:] = sys.argv[2:]; del sys.argv[1:];"
    "from autograder.grading.sandbox.zygote import main; main(fd)"
)
_START_SECONDS = 120.0
_GRACE_SECONDS = 30.0
_TICK_SECONDS = 0.05
_CHUNK = 1 << 16
_PIPE_BYTES = 1 << 20


class _ZygoteLost(Exception):
    """Raised where the zygote died or could not isolate a child.

    It is a fault of ours, never of the job.
    """


class Sandbox:
    """Run jobs one after the other, each in a fresh child of one sandboxed zygote.

    Args:
        target: `"module:function"`, called in the child as `function(read_fd, write_fd)`: it reads
            its job to the end of the first and writes its answer to the second.
        isolation: from `choose`; the best there is when None.
        limits: of each child.
        preload: modules that the zygote imports once, besides the target's.
        distributions: installed distributions that a child may import, with what they depend on.
        import_from: further directories a child may import from, whole.

    Raises:
        UserError: the isolation cannot be had, or the zygote does not start.

    >>> with Sandbox("autograder.worker.serve:run_job") as sandbox:  # doctest: +SKIP
    ...     sandbox.run(job, seconds=10.0).status
    'ok'
    """

    def __init__(
        self,
        target: str,
        *,
        isolation: Isolation | None = None,
        limits: Limits | None = None,
        preload: Sequence[str] = PRELOAD,
        distributions: Sequence[str] = whitelist.DISTRIBUTIONS,
        import_from: Sequence[Path] = (),
    ) -> None:
        self.isolation = isolation or choose()
        self.limits = limits or Limits()
        self._target = target
        self._preload = list(preload)
        self._distributions = tuple(distributions)
        self._import_from = [Path(path) for path in import_from]
        self._lock = threading.Lock()
        self._resources = contextlib.ExitStack()
        self._control: socket.socket | None = None
        self._held = 0
        self._stopped = False
        self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def run(self, payload: bytes, seconds: float) -> ChildResult:
        """Run one job in a fresh child and wait for its end, which comes in any case.

        Args:
            payload: bytes that the target reads.
            seconds: processor time it may take, times the limits' `cpu_factor`; the kernel counts
                whole seconds.

        Returns:
            What became of it. A job whose zygote dies is run once more in a new one; if that dies
            as well, the status is `"grader_fault"`.
        """
        with self._lock:
            reason = ""
            for attempt in range(2):
                if self._stopped:
                    break
                try:
                    if self._control is None:
                        self._start()
                    if self._stopped:
                        break
                    return self._run_once(payload, seconds, attempt)
                except _ZygoteLost as lost:
                    reason = str(lost)
                    self.close()
                except BaseException:
                    # A child may be running still: Ctrl-C ends it with its zygote.
                    self.close()
                    raise
            reason = "The run was stopped." if self._stopped else reason
            return ChildResult("grader_fault", reason=reason, retries=1)

    def close(self) -> None:
        """End the zygote and whatever it forked. `run` would start a new one."""
        self._control = None
        self._resources.close()

    def stop(self) -> None:
        """End the job under way, from another thread.

        Its `run` returns `"grader_fault"` at once, and so does every later one.
        """
        self._stopped = True
        if (control := self._control) is not None:
            with contextlib.suppress(OSError):
                control.shutdown(socket.SHUT_RDWR)

    def _start(self) -> None:
        """Start a zygote, configure it and wait until it is ready."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(_START_SECONDS)
        with contextlib.ExitStack() as stack, tempfile.TemporaryFile() as errors:
            with theirs:
                config, process = self._open_process(stack, theirs, errors)
            stack.callback(_end, process)
            stack.callback(ours.close)  # first of all: hanging up is what ends a zygote
            try:
                ours.send(json.dumps(config).encode())
                answer, descriptors = _receive(ours)
            except (_ZygoteLost, OSError) as lost:
                errors.seek(0)
                said = errors.read().decode(errors="replace")
                raise _will_not_start(said or str(lost)) from lost
            for descriptor in descriptors:
                stack.callback(_kill_and_close, descriptor)
            if "broken" in answer:
                raise _will_not_start(answer["broken"])
            self._control = ours
            self._held = int(answer["held"])
            self._resources = stack.pop_all()

    def _open_process(
        self, stack: contextlib.ExitStack, theirs: socket.socket, errors: BinaryIO
    ) -> tuple[dict[str, Any], subprocess.Popen[bytes]]:
        rung = next(name for name, level in LADDER.items() if level == self.isolation.level)
        listed = whitelist.build(self._import_from, self._distributions)
        path, readable = listed.sys_path, listed.readable
        rights: dict[str, Any] = {}
        if rung == "namespaces":
            path = listed.housed_path
        elif rung == "landlock":
            shelf = stack.enter_context(tempfile.TemporaryDirectory(prefix="convlens-worker-"))
            path = listed.stage(Path(shelf))
            readable = [*readable, path[0], *bubblewrap.DEVICES, "/proc/cpuinfo"]
        elif rung == "user":
            shelf = stack.enter_context(tempfile.TemporaryDirectory(prefix="convlens-worker-"))
            # The course itself is closed to that user.
            ours = {whitelist.COURSE, *(place.resolve() for place in self._import_from)}
            path = listed.stage(Path(shelf), copied=ours)
            rights = other_user.AS_THAT_USER
        config = {
            "rung": rung,
            # Under namespaces a child could find them in a frame, and they name this machine.
            "readable": readable if rung == "landlock" else [],
            "writable": ["/dev/null"],
            "filter": _filter(rung),
            "limits": asdict(self.limits),
            "preload": self._preload,
            "target": self._target,
        }
        # No site, no user site, no current directory on the path, no bytecode written.
        python = ["-S", "-s", "-P", "-B", "-c", _BOOTSTRAP, str(theirs.fileno()), *path]
        if rung == "namespaces":
            arguments = bubblewrap.command(listed, ENVIRONMENT, python)
        else:
            arguments = [str(listed.python), *python]
        process = subprocess.Popen(
            arguments,
            env=ENVIRONMENT,
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            pass_fds=(theirs.fileno(),),
            start_new_session=True,
            **rights,
        )
        return config, process

    def _run_once(self, payload: bytes, seconds: float, retries: int) -> ChildResult:
        control = self._control
        assert control is not None
        most = seconds * self.limits.cpu_factor
        cpu_seconds = math.ceil(most)
        begin = time.monotonic()
        with contextlib.ExitStack() as stack:
            output, log = self._send(stack, control, payload, cpu_seconds)
            control.settimeout(_GRACE_SECONDS)
            answer, descriptors = _receive(control)
            for descriptor in descriptors:
                stack.callback(_kill_and_close, descriptor)
            if "started" not in answer:
                raise _ZygoteLost(f"No child could be shut in: {answer.get('fault', '')}")
            watch = Watch(self.limits, cpu_seconds, self._held)
            end = begin + most * self.limits.wall_factor
            _follow(watch, control, (output, log), descriptors[0], end)
            ended, _ = _receive(control)
            _drain(output, watch.output)
            _drain(log, watch.printed)
        return watch.result(ended, time.monotonic() - begin, retries)

    def _send(
        self, stack: contextlib.ExitStack, control: socket.socket, payload: bytes, cpu_seconds: int
    ) -> tuple[int, int]:
        """Hand a job over, and return the reading ends of its output and its log."""
        with contextlib.ExitStack() as sent:
            job = _sealed(payload)
            sent.callback(os.close, job)
            readers, writers = [], []
            for _ in range(2):
                reader, writer = os.pipe()
                stack.callback(os.close, reader)
                sent.callback(os.close, writer)
                os.set_blocking(reader, False)
                readers.append(reader)
                writers.append(writer)
            with contextlib.suppress(OSError):  # a user may have only so much pipe memory
                fcntl.fcntl(writers[0], fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
            try:
                socket.send_fds(control, [b"%d" % cpu_seconds], [job, *writers])
            except OSError as error:
                raise _ZygoteLost(f"The zygote is gone: {error}.") from error
        return readers[0], readers[1]


def _filter(rung: str) -> str:
    if rung == "none":
        return ""
    # Modes close files to a user, but every user may write to `/tmp`.
    return seccomp.compiled(read_only=rung == "user").hex()


_F_ADD_SEALS = 1033
_SEAL_ALL = 0x1 | 0x2 | 0x4 | 0x8  # seal, shrink, grow, write


def _sealed(payload: bytes) -> int:
    """Return a descriptor that a child can read, and nothing else."""
    job = os.memfd_create("job", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    with open(job, "wb", buffering=0, closefd=False) as file:
        view = memoryview(payload)
        while view:
            view = view[file.write(view) :]
    os.lseek(job, 0, os.SEEK_SET)
    # Sealed, the child cannot grow it: that memory would count against nobody.
    fcntl.fcntl(job, _F_ADD_SEALS, _SEAL_ALL)
    return job


def _follow(
    watch: Watch, control: socket.socket, pipes: tuple[int, int], child: int, end: float
) -> None:
    """Read what a child says until the zygote reports its death, and end it in time.

    Args:
        watch: takes what it says.
        control: where the zygote reports.
        pipes: reading ends of its output and of its log.
        child: its pidfd.
        end: when it has waited too long, by the monotonic clock.
    """
    takers = dict(zip(pipes, (watch.output, watch.printed), strict=True))
    poll = select.poll()
    poll.register(control.fileno(), select.POLLIN)
    # Most children end soon, and what they said is read then: to read along takes time from them.
    if poll.poll(1000 * max(0.001, min(_TICK_SECONDS, end - time.monotonic()))):
        return
    for descriptor in takers:
        poll.register(descriptor, select.POLLIN)
    process = _process_of(child)
    condemned_at = next_look = 0.0
    while True:
        now = time.monotonic()
        if now >= end:
            watch.condemn("overdue", "It did not end in time, with processor time to spare.")
        if watch.verdict and not condemned_at:
            condemned_at = now
            _kill(child)
        if condemned_at and now - condemned_at > _GRACE_SECONDS:
            raise _ZygoteLost("The zygote did not report a killed child.")
        for descriptor, _ in poll.poll(1000 * max(0.001, min(_TICK_SECONDS, end - now))):
            if descriptor == control.fileno():
                return
            data = os.read(descriptor, _CHUNK)
            if data:
                takers[descriptor](data)
            else:
                poll.unregister(descriptor)
        if now + _TICK_SECONDS < end and now >= next_look:
            next_look = now + _TICK_SECONDS
            _look_at(process, watch)


def _drain(descriptor: int, take: Any) -> None:
    # Under "none" a process may be left that writes on: what is there now is all we take.
    with contextlib.suppress(BlockingIOError):
        for _ in range(2 * _PIPE_BYTES // _CHUNK):
            data = os.read(descriptor, _CHUNK)
            if not data:
                return
            take(data)


def _receive(control: socket.socket) -> tuple[dict[str, Any], list[int]]:
    try:
        message, descriptors, _, _ = socket.recv_fds(control, zygote.MESSAGE_BYTES, 1)
    except OSError as error:
        raise _ZygoteLost(f"The zygote does not answer: {error}.") from error
    if not message:
        raise _ZygoteLost("The zygote hung up, as one does that is killed for want of memory")
    return json.loads(message), descriptors


def _process_of(pidfd: int) -> str:
    """Return the directory of a process, by our own /proc."""
    text = Path(f"/proc/self/fdinfo/{pidfd}").read_text()
    pid = next(line.split()[1] for line in text.splitlines() if line.startswith("Pid:"))
    return f"/proc/{pid}"


def _look_at(process: str, watch: Watch) -> None:
    """Condemn a child over the limits that the kernel does not keep itself.

    These are threads as root, and memory for mappings given back.
    """
    limits = watch.limits
    try:
        threads, memory = in_use(Path(process, "status").read_bytes())
    except OSError:
        return  # it has ended
    if threads > limits.threads:
        watch.condemn("killed", f"It started more than {limits.threads} threads.")
    # With slack: the limit of address space comes first, and ends in an error that can be read.
    if memory - watch.held > 1.125 * limits.memory_bytes:
        watch.condemn("memory", f"It held more than {limits.memory_bytes} bytes.")


def _kill(pidfd: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)


def _kill_and_close(pidfd: int) -> None:
    _kill(pidfd)
    os.close(pidfd)


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _will_not_start(detail: str) -> UserError:
    last = (detail.strip().splitlines() or ["no reason given"])[-1]
    return UserError(
        f"The sandbox does not start: {last}.", "Run `convlens doctor`; it says what is missing."
    )
