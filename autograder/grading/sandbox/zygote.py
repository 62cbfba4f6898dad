"""Run the zygote: one thread with everything imported that forks a child a job.

It reads its orders from a socket of the grader, whose end is also its end: no grader, no zygote, no
child. It starts inside bubblewrap or restricts itself by Landlock. One thread, because threads do
not survive a fork: a child that finds torch's pool without its threads waits forever. So imports
run on one thread, and a zygote that finds itself with a second one says that it is broken.

Orders: a first message configures; each later one is a job, its processor seconds, with three
descriptors (payload, output, log). Answers: ready (with a pidfd), then for each job started (with
a pidfd) and ended, or fault.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from autograder.grading.sandbox import landlock, limits, namespaces, seccomp, syscalls

# A message of the control socket holds paths and a small program, never a payload.
MESSAGE_BYTES = 1 << 20
EXIT_MEMORY = 86

_PAYLOAD, _OUTPUT, _SETUP = 3, 4, 5
_HIGH = 64

Target = Callable[[int, int], Any]


def main(control_fd: int) -> None:
    """Configure from the first message, then fork a child a job until the hang-up."""
    control = socket.socket(fileno=control_fd)
    config = json.loads(control.recv(MESSAGE_BYTES))
    # Made now, so that no child has to make them.
    config["limits"] = limits.Limits(**config["limits"])
    config["filter"] = bytes.fromhex(config["filter"])
    # Opened now: under Landlock the zygote could not open them later.
    statm = os.open("/proc/self/statm", os.O_RDONLY)
    status = os.open("/proc/self/status", os.O_RDONLY)
    try:
        if config["rung"] == "landlock":
            syscalls.drop_capabilities()
            landlock.restrict(config["readable"], config["writable"])
            syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        elif config["rung"] == "user":
            syscalls.drop_capabilities()
            # Its own user's processes could else read its memory and take over its descriptors.
            syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
            syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
        target = _prepare(config["preload"], config["target"])
        held = _settle(status)
    except BaseException:
        _say(control, {"broken": traceback.format_exc()})
        return
    mapped = limits.address_space(statm)
    own = os.pidfd_open(os.getpid())
    _say(control, {"ready": True, "held": held}, own)
    while True:
        # Three descriptors are expected; no more are taken.
        message, descriptors, _, _ = socket.recv_fds(control, MESSAGE_BYTES, 3)
        if not message:
            return
        _one_job(control, config, target, descriptors, mapped, own, int(message))


def _prepare(preload: list[str], target: str) -> Target:
    # Found by writing to it, which the zygote may not; torch asks for it at its import.
    tempfile.tempdir = "/tmp"
    for name in preload:
        importlib.import_module(name)
    module, _, function = target.partition(":")
    found = getattr(importlib.import_module(module), function)
    if "torch" in sys.modules:
        torch = sys.modules["torch"]
        torch.set_num_threads(1)
        # Reads /proc/cpuinfo once; a child has no /proc.
        torch.backends.cpu.get_cpu_capability()
    return found


def _settle(status: int) -> int:
    """Make the fork safe and cheap, and return the bytes that this process holds."""
    # What the collector never visits, it never copies in a child.
    gc.collect()
    gc.freeze()
    threads, held = limits.in_use(os.pread(status, 1 << 14, 0))
    if threads != 1:
        raise RuntimeError(f"the zygote has {threads} threads after its imports; a fork needs 1")
    return held


def _one_job(
    control: socket.socket,
    config: dict[str, Any],
    target: Target,
    descriptors: list[int],
    mapped: int,
    own: int,
    cpu_seconds: int,
) -> None:
    setup_read, setup_write = os.pipe()
    namespaced = config["rung"] == "namespaces"
    child = namespaces.fork(own) if namespaced else os.fork()
    if child == 0:
        _child(config, target, [*descriptors, setup_write], mapped, cpu_seconds)
    for descriptor in (*descriptors, setup_write):
        os.close(descriptor)
    # One byte says that the child is isolated. Anything else is trouble: no student code has run.
    word = b""
    while part := os.read(setup_read, 4096):
        word += part
    os.close(setup_read)
    if word != b".":
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        _say(control, {"fault": word.decode(errors="replace") or "the child died at its setup"})
        return
    pidfd = os.pidfd_open(child)
    _say(control, {"started": True}, pidfd)
    _until_dead_or_alone(pidfd, control)
    os.close(pidfd)
    _, status, usage = os.wait4(child, 0)
    if config["rung"] == "none":
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child, signal.SIGKILL)
    seconds = usage.ru_utime + usage.ru_stime
    _say(control, {"ended": status, "cpu_seconds": seconds, "peak_rss": usage.ru_maxrss * 1024})


def _until_dead_or_alone(pidfd: int, control: socket.socket) -> None:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    # While a job runs the grader says nothing, so a word here is its hanging up.
    poll.register(control.fileno(), select.POLLIN)
    ready = [descriptor for descriptor, _ in poll.poll()]
    if pidfd not in ready:
        signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        os._exit(0)


def _say(control: socket.socket, message: dict[str, Any], *descriptors: int) -> None:
    # A grader that is gone is noticed by the next reading.
    with contextlib.suppress(OSError):
        socket.send_fds(control, [json.dumps(message).encode()[:MESSAGE_BYTES]], descriptors)


def _child(
    config: dict[str, Any], target: Target, descriptors: list[int], mapped: int, cpu_seconds: int
) -> NoReturn:
    """Isolate this process, run the target, leave.

    Nothing returns to the zygote's code.
    """
    try:
        _keep_only(*descriptors)
        _isolate(config, mapped, cpu_seconds)
        os.write(_SETUP, b".")
    except BaseException:
        os.write(_SETUP, traceback.format_exc().encode())
        os._exit(1)
    os.close(_SETUP)
    os._exit(_run(target))


def _keep_only(payload: int, output: int, log: int, setup: int) -> None:
    """Keep descriptors 0 to 5: null, log, log, payload, output, setup. Close the rest."""
    # First out of the way of the numbers they are to have.
    moved = [os.dup2(fd, _HIGH + i) for i, fd in enumerate((payload, output, setup, log))]
    null = os.open(os.devnull, os.O_RDONLY)
    for number, source in zip(range(6), (null, moved[3], moved[3], *moved[:3]), strict=True):
        os.dup2(source, number)
    os.closerange(6, os.sysconf("SC_OPEN_MAX"))


def _isolate(config: dict[str, Any], mapped: int, cpu_seconds: int) -> None:
    bounds = config["limits"]
    if config["rung"] == "namespaces":
        namespaces.enter(bounds.tmp_bytes)
    elif config["rung"] == "landlock":
        landlock.isolate_signals()
    elif config["rung"] == "none":
        os.setsid()
    os.umask(0o077)
    limits.apply(bounds, mapped, cpu_seconds)
    if config["rung"] != "none":
        syscalls.drop_capabilities()
        syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    # Should the zygote be killed before anybody knows of this child. A change of rights undoes it.
    syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
    if config["rung"] != "none":
        seccomp.install(config["filter"])


def _run(target: Target) -> int:
    try:
        target(_PAYLOAD, _OUTPUT)
        code = 0
    except BaseException as error:
        with contextlib.suppress(BaseException):
            traceback.print_exc()
        code = EXIT_MEMORY if _is_out_of_memory(error) else 1
    with contextlib.suppress(BaseException):
        sys.stdout.flush()
        sys.stderr.flush()
    return code


def _is_out_of_memory(error: BaseException) -> bool:
    return isinstance(error, MemoryError) or "can't allocate memory" in str(error)
