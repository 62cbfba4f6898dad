"""Namespaces of one child. The zygote calls these inside bubblewrap, with CAP_SYS_ADMIN there."""

from __future__ import annotations

import os

from autograder.grading.sandbox import kernel

# Of all users the child could be inside, any but 0: nothing then takes it for root.
INSIDE_UID = 1000

_NO_PROGRAMS = kernel.MS_NOSUID | kernel.MS_NODEV | kernel.MS_NOEXEC


def fork(own_pidfd: int) -> int:
    """Fork a child that is process 1 of a new pid namespace; what `os.fork` returns.

    Process 1, because the kernel then kills all the rest with it. One fork, because each costs some
    milliseconds once torch is loaded: the parent moves its *future* children to a new namespace,
    forks, and moves them back.

    Args:
        own_pidfd: a pidfd of this process.
    """
    kernel.unshare(kernel.CLONE_NEWPID)
    child = os.fork()
    if child:
        kernel.setns(own_pidfd, kernel.CLONE_NEWPID)
    return child


def enter(tmp_bytes: int) -> None:
    """Enter new namespaces of all other kinds, and stand in a private `/tmp` of this many bytes."""
    user, group = os.getuid(), os.getgid()
    kernel.unshare(
        kernel.CLONE_NEWUSER
        | kernel.CLONE_NEWNS
        | kernel.CLONE_NEWNET
        | kernel.CLONE_NEWIPC
        | kernel.CLONE_NEWUTS
        | kernel.CLONE_NEWCGROUP
    )
    # Without a map nobody is anybody, and a tmpfs cannot be written (EOVERFLOW).
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{INSIDE_UID} {user} 1")
    _write("/proc/self/gid_map", f"{INSIDE_UID} {group} 1")
    kernel.mount_tmpfs("/tmp", f"size={tmp_bytes},nr_inodes=4096,mode=700", _NO_PROGRAMS)
    # bubblewrap's /proc shows the zygote.
    kernel.mount_tmpfs("/proc", "size=4k,nr_inodes=2", _NO_PROGRAMS | kernel.MS_RDONLY)
    os.chdir("/tmp")


def _write(path: str, text: str) -> None:
    # Unbuffered: the kernel wants the map in one write, and its refusal must be heard.
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
