"""Restrict by Landlock what this process and its children open, reach and signal.

By ctypes, because the `landlock` package (1.0.0.dev5, 2025) knows the file system only: neither TCP
(ABI 4) nor the scope of signals (ABI 6), which is what keeps a child from killing its zygote. It
also takes the errno of an earlier call for a failure of this one.
"""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterable

from autograder.grading.sandbox import syscalls

# Before ABI 3 (Linux 6.2) a file that may be read may also be truncated.
LOWEST_ABI = 3

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION_FLAG = 1
_RULE_PATH_BENEATH = 1

_WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 1, 1 << 2, 1 << 3
_NET_BIND_AND_CONNECT = 0b11
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11


class _Ruleset(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _layout_ = "ms"  # named since Python 3.14; for these two fields it is the C layout
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def abi() -> int:
    """Return the kernel's Landlock version, 0 where there is none."""
    try:
        return syscalls.syscall("landlock_create_ruleset", _CREATE_RULESET, None, 0, _VERSION_FLAG)
    except OSError:
        return 0


def restrict(readable: Iterable[str], writable: Iterable[str] = ()) -> None:
    """Give up, for good, all files but these, all TCP, and signals to other families.

    Args:
        readable: files, or directories with all they hold.
        writable: files that may be written too, such as `/dev/null`.
    """
    version = abi()
    ruleset = _create(version, fs=_file_rights(version))
    try:
        for path in readable:
            _allow(ruleset, path, _READ_FILE | _READ_DIR)
        for path in writable:
            _allow(ruleset, path, _READ_FILE | _WRITE_FILE)
        _enforce(ruleset)
    finally:
        os.close(ruleset)


def isolate_signals() -> None:
    """Signal nobody but this process from here on.

    The zygote is then out of reach (from ABI 6 on).
    """
    version = abi()
    if version < 6:
        return  # the seccomp filter says it too
    ruleset = _create(version, fs=0)
    try:
        _enforce(ruleset)
    finally:
        os.close(ruleset)


def _file_rights(version: int) -> int:
    rights = (1 << 13) - 1
    if version >= 2:
        rights |= 1 << 13  # move a file to another directory
    if version >= 3:
        rights |= 1 << 14  # truncate
    if version >= 5:
        rights |= 1 << 15  # ioctl of devices
    return rights


def _create(version: int, fs: int) -> int:
    attributes = _Ruleset(fs=fs)
    size = 8
    if version >= 4:
        attributes.net = _NET_BIND_AND_CONNECT
        size = 16
    if version >= 6:
        attributes.scoped = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS
        size = 24
    return syscalls.syscall(
        "landlock_create_ruleset", _CREATE_RULESET, ctypes.byref(attributes), size, 0
    )


def _allow(ruleset: int, path: str, rights: int) -> None:
    descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
            rights &= ~_READ_DIR
        rule = _PathBeneath(rights, descriptor)
        syscalls.syscall(
            "landlock_add_rule", _ADD_RULE, ruleset, _RULE_PATH_BENEATH, ctypes.byref(rule), 0
        )
    finally:
        os.close(descriptor)


def _enforce(ruleset: int) -> None:
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    syscalls.syscall("landlock_restrict_self", _RESTRICT_SELF, ruleset, 0)
