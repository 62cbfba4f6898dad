"""Attacks that want out. Each is run without a sandbox first: there it must get in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from conftest import open_sandbox

from autograder.grading.sandbox.children import ChildResult, Sandbox
from autograder.grading.sandbox.probe import USER

pytestmark = pytest.mark.sandbox

Attack = Callable[..., ChildResult]
ROOT = Path(__file__).resolve().parents[3]

# Each says "in" when it got what it wanted; any error is a failure of the attack.
ATTACKS = {
    "read_a_host_file": "say('in' if open(given['secret']).read() == 'secret' else 'changed')",
    "read_through_proc": "say('in' if open('/proc/self/root' + given['secret']).read() else 'no')",
    "list_a_host_directory": "import os; os.listdir(given['folder']); say('in')",
    "read_the_password_file": "open('/etc/passwd').read(); say('in')",
    "read_a_solution": "open(given['root'] + '/solutions/__init__.py').read(); say('in')",
    "import_a_solution": "import solutions; say('in')",
    "import_the_checks": "import autograder.checks; say('in')",
    "import_the_grader": "import autograder.grading.sandbox.children; say('in')",
    "write_a_host_file": "open(given['secret'], 'a').close(); say('in')",
    "truncate_a_host_file": "import os; os.truncate(given['secret'], 6); say('in')",
    "change_a_mode": "import os; os.chmod(given['secret'], 0o644); say('in')",
    "change_a_time": "import os; os.utime(given['secret']); say('in')",
    "remove_a_host_file": "import os; os.rename(given['secret'], given['secret']); say('in')",
    "change_the_toolkit": (
        "import lessons.toolkit.errors as module; open(module.__file__, 'a').close(); say('in')"
    ),
    "open_an_internet_socket": "import socket; socket.socket().close(); say('in')",
    "open_a_unix_socket": "import socket; socket.socket(socket.AF_UNIX).close(); say('in')",
    "make_a_socket_pair": "import socket; socket.socketpair(); say('in')",
    "fork": ("import os\npid = os.fork()\nif pid == 0: os._exit(0)\nos.waitpid(pid, 0); say('in')"),
    "start_a_program": "import subprocess; subprocess.run(['/bin/true'], check=True); say('in')",
    "spawn": "import os; os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0); say('in')",
    "leave_the_session": (
        "import os\nfrom ctypes import CDLL\nassert CDLL(None).setpgid(0, 0) == 0 or"
        " os.getsid(0) == os.getpid() and os.getpid() != 1; say('in')"
    ),
    "signal_the_zygote": (
        "import os; parent = os.getppid(); assert parent > 0; os.kill(parent, 0); say('in')"
    ),
    "signal_everybody": "import os; os.kill(-1, 0); say('in')",
    "signal_the_zygote_by_pidfd": (
        "import os, signal; signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 0); say('in')"
    ),
    "limit_the_zygote": (
        "import os, resource as r; assert os.getppid() > 0\n"
        "r.prlimit(os.getppid(), r.RLIMIT_NOFILE); say('in')"
    ),
    "own_a_descriptor_for_signals": (
        "import fcntl, os\nr, w = os.pipe()\nfcntl.fcntl(r, fcntl.F_SETOWN, os.getppid())\n"
        "say('in')"
    ),
    "read_the_environment_of_the_zygote": (
        "import os; open(f'/proc/{os.getppid()}/environ').read(); say('in')"
    ),
    "read_own_memory_map": "open('/proc/self/maps').read(); say('in')",
    "see_other_processes": (
        "import os\nif [n for n in os.listdir('/proc') if n.isdigit()]: say('in')"
    ),
    "hold_memory_in_no_mapping": "import os; os.memfd_create('x'); say('in')",
}

# What another user may do where only the modes of files keep it out: neither is a grader's secret.
OPEN_TO_ANY_USER = ("read_the_password_file", "read_own_memory_map", "see_other_processes")


@pytest.fixture
def given(tmp_path: Path) -> dict[str, str]:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    return {"secret": str(secret), "folder": str(tmp_path), "root": str(ROOT)}


@pytest.fixture(scope="module", autouse=True)
def solutions_importable() -> Iterator[None]:
    assert (ROOT / "solutions" / "__init__.py").exists(), "else reading it is no attack"
    yield


@pytest.mark.parametrize("name", ATTACKS)
def test_works_without_a_sandbox(
    name: str, bare: Sandbox, attack: Attack, given: dict[str, str]
) -> None:
    result = attack(bare, ATTACKS[name], **given)
    assert result.frames == b"in", result.log.decode()


@pytest.mark.parametrize("name", ATTACKS)
def test_fails_in_a_sandbox(
    name: str, sandbox: Sandbox, attack: Attack, given: dict[str, str]
) -> None:
    result = attack(sandbox, ATTACKS[name], **given)
    if sandbox.isolation.level == USER and name in OPEN_TO_ANY_USER:
        assert result.frames == b"in", "then this isolation holds more than it promises"
        return
    assert b"in" not in result.frames
    assert result.status in ("exited", "ok")
    assert Path(given["secret"]).read_text() == "secret"


def _number(call: str) -> int:
    import pyseccomp

    return pyseccomp.resolve_syscall(pyseccomp.Arch.NATIVE, call)


FORBIDDEN_CALLS = (
    *("ptrace", "mount", "umount2", "pivot_root", "chroot", "unshare", "setns", "clone3"),
    *("io_uring_setup", "io_uring_enter", "bpf", "perf_event_open", "userfaultfd", "keyctl"),
    *("process_vm_readv", "pidfd_getfd", "execveat", "open_by_handle_at", "seccomp", "capset"),
    *("add_key", "shmget", "msgget", "semget", "memfd_create", "init_module", "personality"),
)
# Nonsense that no call takes: what comes back is the kernel's judgement (EINVAL, EFAULT, ...) if
# the call got to it, and EPERM or ENOSYS if it did not.
CALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
big = ctypes.c_ulong(2**63 + 1)
libc.syscall(ctypes.c_long(given["number"]), big, big, big, big, big, big)
say(ctypes.get_errno())
"""


@pytest.mark.parametrize("call", FORBIDDEN_CALLS)
def test_the_kernel_never_sees(call: str, sandbox: Sandbox, attack: Attack) -> None:
    result = attack(sandbox, CALL, number=_number(call))
    assert int(result.frames) in (1, 38)  # EPERM, ENOSYS


@pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user hears EPERM from the kernel itself")
@pytest.mark.parametrize("call", ["ptrace", "unshare", "setns", "bpf", "keyctl", "shmget"])
def test_without_a_filter_the_kernel_does(call: str, bare: Sandbox, attack: Attack) -> None:
    result = attack(bare, CALL, number=_number(call))
    assert int(result.frames) not in (1, 38)


@pytest.mark.skipif(sys.maxsize < 2**32 or os.uname().machine != "x86_64", reason="x86-64 only")
def test_a_call_by_its_32_bit_number_kills(sandbox: Sandbox, attack: Attack) -> None:
    # int 0x80 with getpid's number, 20: 64-bit filters know other numbers.
    code = (
        "import ctypes, mmap\n"
        "page = mmap.mmap(-1, 4096, prot=7)\n"
        "page.write(bytes.fromhex('b814000000cd80c3'))\n"
        "address = ctypes.addressof(ctypes.c_char.from_buffer(page))\n"
        "ctypes.CFUNCTYPE(ctypes.c_int)(address)(); say('in')"
    )
    result = attack(sandbox, code)
    assert result.frames == b""
    assert result.status == "killed"


def test_a_namespace_thread_cannot_be_cloned(sandbox: Sandbox, attack: Attack) -> None:
    code = (
        "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        f"number = {_number('clone')}\n"
        "thread = 0x10900\n"
        "for flags in (17, 0x10000000 | 17, 0x40000000 | thread, 0x80 | thread):\n"
        "    if libc.syscall(number, ctypes.c_long(flags), 0, 0, 0, 0) >= 0: say('in')\n"
        "say(ctypes.get_errno())"
    )
    assert attack(sandbox, code).frames in (b"1", b"38")


def test_the_environment_is_ours(
    sandbox: Sandbox, attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autograder.grading.sandbox.children import ENVIRONMENT

    monkeypatch.setenv("SECRET_SEED", "42")
    seen = attack(sandbox, "import os; say('\\n'.join(os.environ))").frames.decode().split()
    assert set(seen) - {"PWD"} == set(ENVIRONMENT)


def test_only_its_own_descriptors_are_open(sandbox: Sandbox, attack: Attack) -> None:
    code = (
        "import os\n"
        "def is_open(fd):\n"
        "    try: os.fstat(fd)\n"
        "    except OSError: return False\n"
        "    return True\n"
        "say([fd for fd in range(4096) if is_open(fd)])"
    )
    assert attack(sandbox, code).frames == b"[0, 1, 2, 4]"  # 3, the job, has been read and closed


def test_it_is_nobody_special(sandbox: Sandbox, attack: Attack) -> None:
    code = (
        "import ctypes\n"
        "header = (ctypes.c_uint32 * 2)(0x20080522, 0)\n"
        "data = (ctypes.c_uint32 * 6)()\n"
        "assert ctypes.CDLL(None).capget(header, data) == 0\n"
        "say(list(data))"
    )
    assert attack(sandbox, code).frames == b"[0, 0, 0, 0, 0, 0]"


def test_the_next_child_finds_nothing_of_the_last(sandbox: Sandbox, attack: Attack) -> None:
    leave = (
        "import os, sys, builtins\nbuiltins.mark = 1\nsys.modules['json'] = None\n"
        "for place in ('/tmp', '/', '/dev', '/dev/shm', '/proc', '/var/tmp', os.getcwd()):\n"
        "    try: open(place + '/convlens-left-behind', 'w').write('x'); say('w')\n"
        "    except OSError: pass"
    )
    find = (
        "import os, builtins, json\nsay(hasattr(builtins, 'mark'))\n"
        "for place in ('/tmp', '/', '/dev', '/dev/shm', '/proc', '/var/tmp', os.getcwd()):\n"
        "    say(os.path.exists(place + '/convlens-left-behind'))"
    )
    written = attack(sandbox, leave).frames
    namespaced = sandbox.isolation.level.startswith("namespaces")
    assert written == (b"ww" if namespaced else b"")  # /tmp, and /tmp again as where it stands
    assert attack(sandbox, find).frames == b"False" * 8


def test_two_at_once_do_not_meet(attack: Attack) -> None:
    from concurrent.futures import ThreadPoolExecutor

    meet = (
        "import os, time\nopen('/tmp/' + given['me'], 'w').write('x')\ntime.sleep(0.5)\n"
        "say((os.getpid(), os.listdir('/tmp')))"
    )
    with open_sandbox("namespaces") as one, open_sandbox("namespaces") as two:
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(attack, one, meet, me="a")
            second = pool.submit(attack, two, meet, me="b")
        assert first.result().frames == b"(1, ['a'])"
        assert second.result().frames == b"(1, ['b'])"
