"""Bind one child to its share of the machine."""

from __future__ import annotations

import os
import resource
from dataclasses import dataclass

MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """Limits of one child.

    How much processor time a job may take is not here: `Sandbox.run` is told for each.

    Args:
        cpu_factor: multiplies that processor time, for a machine slower than most.
        wall_factor: wall clock at most, in terms of that processor time. It only ends what waits:
            on a busy machine a right answer takes long and needs no more of the processor.
        memory_bytes: address space on top of what the zygote has mapped before the fork, and memory
            held on top of what the zygote holds.
        tmp_bytes: size of the private `/tmp` (namespaces only; under Landlock nothing is writable).
        file_bytes: size of one file.
        open_files: descriptors open at once.
        threads: threads at once; more, and the child is killed. Processes: always one.
        output_bytes: what the target may write to its pipe.
        log_bytes: what may come out of standard output and error; the last 16 KiB are kept.

    >>> Limits().threads
    64
    """

    cpu_factor: float = 1.0
    wall_factor: float = 10.0
    memory_bytes: int = 2048 * MIB
    tmp_bytes: int = 64 * MIB
    file_bytes: int = 64 * MIB
    open_files: int = 128
    threads: int = 64
    output_bytes: int = 256 * MIB
    log_bytes: int = 64 * MIB


def address_space(statm: int) -> int:
    """Return the bytes this process has mapped.

    Args:
        statm: descriptor of its open `/proc/self/statm`, because a zygote under Landlock cannot
            open the file any more.
    """
    pages = int(os.pread(statm, 64, 0).split()[0])
    return pages * resource.getpagesize()


def in_use(status: bytes) -> tuple[int, int]:
    """Return the number of threads and the own bytes of a process.

    Args:
        status: the content of its `/proc/PID/status`.

    What it maps and never touches does not count, nor do pages of its libraries' files.

    >>> in_use(b"RssAnon:\\t  8 kB\\nRssFile:\\t 900 kB\\nRssShmem:\\t 2 kB\\nThreads:\\t3\\n")
    (3, 10240)
    """
    fields = dict(line.split(b":", 1) for line in status.splitlines() if b":" in line)
    # A process that has ended tells no sizes.
    anonymous, shared, threads = (
        int(fields.get(name, b"0").split()[0]) for name in (b"RssAnon", b"RssShmem", b"Threads")
    )
    return threads, 1024 * (anonymous + shared)


def apply(limits: Limits, mapped: int, cpu_seconds: int) -> None:
    """Bind this process and its threads to the limits that the kernel keeps.

    Args:
        limits: of this child.
        mapped: bytes mapped before any student code ran.
        cpu_seconds: processor time of this job.
    """
    # Address space, not data: shared anonymous memory and stacks count as well.
    space = mapped + limits.memory_bytes
    for kind, most in (
        (resource.RLIMIT_AS, space),
        (resource.RLIMIT_CPU, cpu_seconds),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_NOFILE, limits.open_files),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_MEMLOCK, 0),
        (resource.RLIMIT_MSGQUEUE, 0),
    ):
        _, ceiling = resource.getrlimit(kind)
        allowed = most if ceiling == resource.RLIM_INFINITY else min(most, ceiling)
        resource.setrlimit(kind, (allowed, allowed))
