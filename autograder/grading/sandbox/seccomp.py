"""Allow a child the system calls that Python and torch need, and no others.

A list of allowed calls, not of denied ones: next year's calls are then denied as well. What is not
named answers ENOSYS, for which the C library has a second way (clone3 falls back to clone, whose
flags can be read here). What a person would call forbidden answers EPERM.

One process: clone must ask for a thread, so there is no fork, no exec, no daemon and no fork bomb.

The grader compiles the filter with libseccomp (through pyseccomp: its last release is of 2021, but
it is no more than libseccomp's own interface). The child loads the bytes and needs neither.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
from functools import cache
from typing import Any

from autograder.grading.sandbox import syscalls

ALLOWED = """
read write readv writev pread64 pwrite64 preadv preadv2 pwritev pwritev2 close close_range lseek
sendfile open openat creat fstat stat lstat newfstatat fstatat64 statx statfs fstatfs access
faccessat faccessat2 getdents getdents64 getcwd chdir fchdir umask readlink readlinkat rename
renameat renameat2 mkdir mkdirat rmdir link linkat unlink unlinkat symlink symlinkat ftruncate
fallocate fadvise64 fsync fdatasync flock dup dup2 dup3 pipe pipe2 select pselect6 poll ppoll
epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait eventfd eventfd2 timerfd_create
timerfd_settime timerfd_gettime mmap munmap mremap mprotect madvise msync mincore brk membarrier
get_mempolicy futex futex_waitv set_robust_list get_robust_list rseq set_tid_address arch_prctl
restart_syscall exit exit_group wait4 waitid sched_yield sched_getaffinity sched_getparam
sched_getscheduler sched_get_priority_max sched_get_priority_min getcpu getpriority rt_sigaction
rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack pause alarm
getitimer setitimer timer_create timer_settime timer_gettime timer_delete timer_getoverrun
nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time times getpid getppid gettid
getpgrp getpgid getsid getuid geteuid getgid getegid getresuid getresgid getgroups getrlimit
setrlimit getrusage uname sysinfo getrandom capget
"""

# What changes a folder, or a file by its path.
CHANGES = """
creat rename renameat renameat2 mkdir mkdirat rmdir link linkat unlink unlinkat symlink symlinkat
"""
_OPENS = {"open": 1, "openat": 2}  # call -> where its flags stand
_WAYS_TO_WRITE = (os.O_WRONLY, os.O_RDWR, os.O_CREAT, os.O_TRUNC)
_TO_WRITE = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC

# Landlock does not watch metadata, so modes, owners, times and sizes by path are among these.
FORBIDDEN = """
fork vfork execve execveat socket socketpair connect bind listen accept accept4 sendto sendmsg
ptrace process_vm_readv process_vm_writev process_madvise kcmp pidfd_open pidfd_getfd
pidfd_send_signal rt_sigqueueinfo rt_tgsigqueueinfo tkill setpriority sched_setaffinity
sched_setscheduler sched_setattr mount umount2 pivot_root chroot unshare setns move_mount
open_tree fsopen fsmount fsconfig mount_setattr io_uring_setup io_uring_enter io_uring_register
bpf perf_event_open userfaultfd keyctl add_key request_key setuid setgid setreuid setregid
setresuid setresgid setgroups setsid setpgid capset seccomp personality chmod fchmod fchmodat
chown fchown lchown fchownat utime utimes futimesat utimensat truncate setxattr lsetxattr
fsetxattr mknod mknodat memfd_create memfd_secret shmget shmat shmctl semget msgget mq_open
init_module finit_module delete_module kexec_load reboot swapon swapoff acct quotactl syslog
settimeofday clock_settime adjtimex open_by_handle_at name_to_handle_at fanotify_init
inotify_init1 vhangup
"""

_CLONE_THREAD = 0x00010000
_CLONE_NAMESPACES = (
    syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWCGROUP
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
    | syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWNET
    | 0x80  # CLONE_NEWTIME
)
# Owners of files get signals (F_SETOWN, F_SETSIG), so fcntl and ioctl are lists too.
_FCNTL = (
    fcntl.F_DUPFD,
    fcntl.F_DUPFD_CLOEXEC,
    fcntl.F_GETFD,
    fcntl.F_SETFD,
    fcntl.F_GETFL,
    fcntl.F_SETFL,
    fcntl.F_GETLK,
    fcntl.F_SETLK,
    fcntl.F_SETLKW,
)
_IOCTL = (0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451)  # TCGETS WINSZ FIONREAD FIONBIO (N)CLEX
_PRCTL = (3, 15, 16, 21, 39, 0x53564D41)  # dumpable? name, seccomp? no_new_privs? name of a mapping

# The child's own pid is known after the fork only; this stands for it in the compiled filter.
_OWN_PID = 0x7FC0FFEE
_INSTRUCTION = struct.Struct("=HBBI")
_SECCOMP_MODE_FILTER = 2


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def supported() -> bool:
    """Return whether the kernel takes filters.

    It then misses the one that is not given (EFAULT).
    """
    try:
        syscalls.prctl(syscalls.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER)
    except OSError as error:
        return error.errno == errno.EFAULT
    return True


@cache
def compiled(read_only: bool = False) -> bytes:
    """Return the filter as instructions for the kernel, for `install` in a child.

    Args:
        read_only: whether files can only be read, where nothing else keeps a child from writing.

    Raises:
        ImportError: without pyseccomp.
        RuntimeError: without libseccomp.
    """
    import pyseccomp as lib

    rules = lib.SyscallFilter(lib.ERRNO(errno.ENOSYS))
    rules.set_attr(lib.Attr.ACT_BADARCH, lib.KILL_PROCESS)  # 32-bit calls have other numbers

    def add(action: int, name: str, *arguments: Any) -> None:
        number = lib.resolve_syscall(lib.Arch.NATIVE, name)
        if number >= 0:  # else this architecture, or this libseccomp, has no such call
            rules.add_rule(action, number, *arguments)

    kept = set(CHANGES.split()) | set(_OPENS) if read_only else set()
    for name in ALLOWED.split():
        if name not in kept:
            add(lib.ALLOW, name)
    for name in sorted(kept - set(_OPENS)):
        add(lib.ERRNO(errno.EACCES), name)
    for name, position in _OPENS.items() if read_only else ():
        add(lib.ALLOW, name, lib.Arg(position, lib.MASKED_EQ, _TO_WRITE, 0))
        for way in _WAYS_TO_WRITE:
            add(lib.ERRNO(errno.EACCES), name, lib.Arg(position, lib.MASKED_EQ, way, way))
    for name in FORBIDDEN.split():
        add(lib.ERRNO(errno.EPERM), name)

    mask = _CLONE_THREAD | _CLONE_NAMESPACES
    add(lib.ALLOW, "clone", lib.Arg(0, lib.MASKED_EQ, mask, _CLONE_THREAD))
    add(lib.ERRNO(errno.EPERM), "clone", lib.Arg(0, lib.MASKED_EQ, _CLONE_THREAD, 0))
    for name in ("kill", "tgkill"):
        add(lib.ALLOW, name, lib.Arg(0, lib.EQ, _OWN_PID))
        add(lib.ERRNO(errno.EPERM), name, lib.Arg(0, lib.NE, _OWN_PID))
    # Pid 0 is the caller. Any other could be the zygote, whose limits would then be lowered.
    add(lib.ALLOW, "prlimit64", lib.Arg(0, lib.EQ, 0))
    add(lib.ERRNO(errno.EPERM), "prlimit64", lib.Arg(0, lib.NE, 0))
    for name, position, values in (
        ("fcntl", 1, _FCNTL),
        ("ioctl", 1, _IOCTL),
        ("prctl", 0, _PRCTL),
    ):
        for value in values:
            add(lib.ALLOW, name, lib.Arg(position, lib.EQ, value))

    descriptor = os.memfd_create("filter")
    with os.fdopen(descriptor, "r+b") as file:
        rules.export_bpf(file)
        file.seek(0)
        return file.read()


def install(program: bytes) -> None:
    """Bind this process and its threads to a compiled filter, for good."""
    own = os.getpid()
    instructions = b"".join(
        _INSTRUCTION.pack(code, yes, no, own if constant == _OWN_PID else constant)
        for code, yes, no, constant in _INSTRUCTION.iter_unpack(program)
    )
    syscalls.prctl(syscalls.PR_SET_NO_NEW_PRIVS, 1)
    count = len(instructions) // _INSTRUCTION.size
    given = _Program(count, instructions)
    syscalls.prctl(syscalls.PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(given))
