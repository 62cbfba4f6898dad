"""Make the few Linux calls that Python 3.11 lacks, each raising OSError."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38

_CAPABILITY_VERSION_3 = 0x20080522


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def checked(name: str, result: int) -> int:
    """Return the result of a C call, or raise the OSError of its errno."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def syscall(name: str, number: int, *arguments: object) -> int:
    """Make a system call that the C library does not wrap."""
    # Every argument travels as a long: a plain int would leave the register's upper half undefined.
    wide = [ctypes.c_long(word) if isinstance(word, int) else word for word in arguments]
    return checked(name, _libc.syscall(ctypes.c_long(number), *wide))


def unshare(flags: int) -> None:
    """Leave namespaces for new ones."""
    checked("unshare", _libc.unshare(flags))


def setns(descriptor: int, flags: int) -> None:
    """Enter namespaces of the process that a pidfd stands for."""
    checked("setns", _libc.setns(descriptor, flags))


def mount_tmpfs(target: str, options: str, flags: int) -> None:
    """Mount an empty memory file system over a directory."""
    source = b"tmpfs"
    result = _libc.mount(source, target.encode(), source, ctypes.c_ulong(flags), options.encode())
    checked(f"mount {target}", result)


def prctl(option: int, value: int, pointer: object = None) -> int:
    """Change one attribute of this process."""
    result = _libc.prctl(option, ctypes.c_ulong(value), pointer, None, None)
    return checked("prctl", result)


def drop_capabilities() -> None:
    """Give up every capability.

    With `PR_SET_NO_NEW_PRIVS` and no exec they cannot come back.
    """
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits each
    checked("capset", _libc.capset(ctypes.byref(header), nothing))
