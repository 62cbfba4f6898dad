"""The few Linux calls that Python 3.11 lacks, each by ctypes and each raising OSError."""

from __future__ import annotations

import ctypes
import os
import re

_libc = ctypes.CDLL(None, use_errno=True)

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC = 1, 2, 4, 8

PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38

_MADV_COLLAPSE = 25  # since Linux 6.1
_HUGE = 2 << 20

_CAPABILITY_VERSION_3 = 0x20080522

_PRIVATE_MEMORY = re.compile(r"^([0-9a-f]+)-([0-9a-f]+) rw-p \S+ \S+ 0 *(?:\[heap\])?$", re.M)


class _CapabilityHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


def checked(name: str, result: int) -> int:
    """The result of a C call, or the OSError that its errno stands for."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def syscall(name: str, number: int, *arguments: object) -> int:
    """A system call that the C library does not wrap."""
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
    """Give up every capability; with `PR_SET_NO_NEW_PRIVS` and no exec they cannot come back."""
    header = _CapabilityHeader(_CAPABILITY_VERSION_3, 0)
    nothing = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits each
    checked("capset", _libc.capset(ctypes.byref(header), nothing))


def collapse_memory(maps: int) -> None:
    """Gather this process's private memory into huge pages, where the kernel can.

    A fork copies, and the end of a child frees, one entry a page: with torch's 75,000 small pages
    that is more than half of what a child costs.

    Args:
        maps: open `/proc/self/maps`.
    """
    os.lseek(maps, 0, os.SEEK_SET)
    text = b""
    while part := os.read(maps, 1 << 16):
        text += part
    for start, end in _PRIVATE_MEMORY.findall(text.decode(errors="replace")):
        first = -(-int(start, 16) // _HUGE) * _HUGE
        last = int(end, 16) // _HUGE * _HUGE
        if first < last:  # refused or partly done is no harm
            length = ctypes.c_size_t(last - first)
            _libc.madvise(ctypes.c_void_p(first), length, _MADV_COLLAPSE)
