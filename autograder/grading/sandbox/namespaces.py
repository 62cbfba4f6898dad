"""Put one child into namespaces of its own.

The zygote calls these inside bubblewrap, with CAP_SYS_ADMIN there.
"""

from __future__ import annotations

import os

from autograder.grading.sandbox import syscalls

# Of all users the child could be inside, any but 0: nothing then takes it for root.
INSIDE_UID = 1000

_NO_PROGRAMS = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC


def fork(own_pidfd: int) -> int:
    """Fork a child that is process 1 of a new pid namespace.

    It returns as `os.fork` does.

    Process 1, because the kernel then kills all the rest with it. One fork, because each costs some
    milliseconds once torch is loaded: the parent moves its *future* children to a new namespace,
    forks, and moves them back.

    Args:
        own_pidfd: a pidfd of this process.
    """
    syscalls.unshare(syscalls.CLONE_NEWPID)
    child = os.fork()
    if child:
        syscalls.setns(own_pidfd, syscalls.CLONE_NEWPID)
    return child


def enter(tmp_bytes: int) -> None:
    """Enter new namespaces of all other kinds.

    Args:
        tmp_bytes: size of the private `/tmp`.
    """
    user, group = os.getuid(), os.getgid()
    syscalls.unshare(
        syscalls.CLONE_NEWUSER
        | syscalls.CLONE_NEWNS
        | syscalls.CLONE_NEWNET
        | syscalls.CLONE_NEWIPC
        | syscalls.CLONE_NEWUTS
        | syscalls.CLONE_NEWCGROUP
    )
    # Without a map nobody is anybody, and a tmpfs cannot be written (EOVERFLOW).
    _write("/proc/self/setgroups", "deny")
    _write("/proc/self/uid_map", f"{INSIDE_UID} {user} 1")
    _write("/proc/self/gid_map", f"{INSIDE_UID} {group} 1")
    syscalls.mount_tmpfs("/tmp", f"size={tmp_bytes},nr_inodes=4096,mode=700", _NO_PROGRAMS)
    # bubblewrap's /proc shows the zygote.
    syscalls.mount_tmpfs("/proc", "size=4k,nr_inodes=2", _NO_PROGRAMS | syscalls.MS_RDONLY)
    os.chdir("/tmp")


def _write(path: str, text: str) -> None:
    # Unbuffered: the kernel wants the map in one write, and its refusal must be heard.
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)
