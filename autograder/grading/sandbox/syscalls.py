"""The few Linux calls that Python 3.11 lacks, each by ctypes and each raising OSError."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mmap.restype = _libc.mremap.restype = _libc.malloc.restype = ctypes.c_void_p

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

_MADV_HUGEPAGE = 14
_MADV_COLLAPSE = 25  # since Linux 6.1
_READ, _READ_WRITE, _READ_EXECUTE = 1, 1 | 2, 1 | 4
_PRIVATE_MEMORY = 0x02 | 0x20  # MAP_PRIVATE | MAP_ANONYMOUS
_FIXED = 1 | 2  # MREMAP_MAYMOVE | MREMAP_FIXED
_FAILED = ctypes.c_void_p(-1).value

_CAPABILITY_VERSION_3 = 0x20080522


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


def collapse(begin: int, length: int) -> None:
    """Gather private memory into huge pages, where the kernel can; less than all is no harm."""
    _libc.madvise(ctypes.c_void_p(begin), ctypes.c_size_t(length), _MADV_COLLAPSE)


def replace_by_huge_page(page: int, length: int, executable: bool) -> bool:
    """Put a copy in private memory, on one huge page, in the place of a read-only page of a file.

    Args:
        page: address, a multiple of the length.
        length: of a huge page, bytes.
        executable: whether code lies there. It may be the code that runs: the kernel changes one
            for the other in one step, and the bytes are the same.

    Returns:
        Whether it was done; all is as it was where the kernel has no huge page to give.
    """
    size = ctypes.c_size_t(length)
    # Twice the length holds one stretch that begins at a multiple of it.
    reserved = _libc.mmap(None, ctypes.c_size_t(2 * length), _READ_WRITE, _PRIVATE_MEMORY, -1, None)
    if reserved == _FAILED:
        return False
    copy = -(-reserved // length) * length
    _libc.madvise(ctypes.c_void_p(copy), size, _MADV_HUGEPAGE)
    ctypes.memmove(copy, page, length)
    done = (
        _libc.madvise(ctypes.c_void_p(copy), size, _MADV_COLLAPSE) == 0
        and _libc.mprotect(ctypes.c_void_p(copy), size, _READ_EXECUTE if executable else _READ) == 0
        and _libc.mremap(ctypes.c_void_p(copy), size, size, _FIXED, ctypes.c_void_p(page)) == page
    )
    # What moved away left a gap, which may be unmapped with the rest.
    _libc.munmap(ctypes.c_void_p(reserved), ctypes.c_size_t(2 * length))
    return done


def fill_heap(each: int) -> None:
    """Take memory of every small size from the C library's heap, and never give it back.

    Args:
        each: bytes a size.
    """
    for power in range(17, 10, -1):
        for _ in range(4):
            _libc.malloc(ctypes.c_size_t(1 << power))
    for size in range(1032, 8, -16):
        for _ in range(each // size):
            _libc.malloc(ctypes.c_size_t(size))
