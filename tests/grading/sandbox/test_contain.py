"""Attacks that want to stay, to exhaust, to end early; and honest trouble that looks like them."""

from __future__ import annotations

import ast
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from conftest import RUNGS, descendants, open_descriptors, open_sandbox, processes_called

from autograder.grading.sandbox.children import ChildResult, Sandbox
from autograder.grading.sandbox.limits import MIB, Limits
from lessons.toolkit.errors import UserError

pytestmark = pytest.mark.sandbox

Attack = Callable[..., ChildResult]

BUSY = {
    "loop": "while True: pass",
    "loop_in_c": "sum(range(10**15))",
    "catches_everything": (
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass"
    ),
    "threads": (
        "import threading\ndef loop():\n    while True: pass\n"
        "for _ in range(3): threading.Thread(target=loop).start()\nloop()"
    ),
}
WAITING = {
    "sleep": "import time; time.sleep(1000)",
    "ignores_signals": (
        "import signal, time\n"
        "for number in range(1, 64):\n"
        "    try: signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError): pass\n"
        "while True: time.sleep(1)"
    ),
    "closes_its_pipes": "import os, time; os.closerange(0, 64); time.sleep(1000)",
    "thread_that_is_no_daemon": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()\n"
        "time.sleep(1000)"
    ),
}


@pytest.mark.parametrize("name", BUSY)
def test_the_processor_time_ends_it_and_keeps_what_was_said(
    name: str, sandbox: Sandbox, attack: Attack
) -> None:
    result = attack(sandbox, f"say('before')\n{BUSY[name]}", seconds=1)
    assert result.status == "timeout" and "processor" in result.reason
    assert result.signal == signal.SIGKILL
    assert result.frames == b"before"
    assert 0.6 <= result.cpu_seconds < 3
    assert attack(sandbox, "say('next')").frames == b"next"


@pytest.mark.parametrize("name", WAITING)
def test_who_waits_is_overdue_and_not_too_slow(name: str, sandbox: Sandbox, attack: Attack) -> None:
    result = attack(sandbox, f"say('before')\n{WAITING[name]}", seconds=0.04)
    assert result.status == "overdue"
    assert result.signal == signal.SIGKILL
    assert result.frames == b"before"
    assert 0.4 <= result.seconds < 10
    assert attack(sandbox, "say('next')").frames == b"next"


def test_a_slower_machine_is_given_more(attack: Attack) -> None:
    busy = "import time\nwhile time.process_time() < 1.6: pass\nsay('done')"
    with open_sandbox("landlock", limits=Limits(cpu_factor=4)) as sandbox:
        assert attack(sandbox, busy, seconds=1).frames == b"done"
    with open_sandbox("landlock", limits=Limits(wall_factor=0.2)) as sandbox:
        assert attack(sandbox, busy, seconds=4).status == "overdue"


EARLY_ENDS = {
    "nothing": ("pass", "ok", 0),
    "exit_0": ("import os; os._exit(0)", "ok", 0),
    "exit_3": ("import os; os._exit(3)", "exited", 3),
    "system_exit": ("raise SystemExit(0)", "exited", 1),
    "interrupt": ("raise KeyboardInterrupt", "exited", 1),
    "recursion": ("def f(): f()\nf()", "exited", 1),
    "memory_error": ("raise MemoryError", "memory", 86),
    "thread_left": (
        "import threading, time\nthreading.Thread(target=time.sleep, args=(1000,)).start()",
        "ok",
        0,
    ),
}


@pytest.mark.parametrize("name", EARLY_ENDS)
def test_an_early_end_is_told_as_it_was(name: str, sandbox: Sandbox, attack: Attack) -> None:
    source, status, code = EARLY_ENDS[name]
    result = attack(sandbox, source)
    assert (result.status, result.exit_code, result.signal) == (status, code, None)


@pytest.mark.parametrize(
    "source",
    [
        "import ctypes; ctypes.string_at(0)",
        "import os; os.abort()",
        "import ctypes; ctypes.CFUNCTYPE(None)(1)()",
    ],
    ids=["segfault", "abort", "jump"],
)
def test_a_crash_is_a_signal(source: str, sandbox: Sandbox, attack: Attack) -> None:
    result = attack(sandbox, f"say('before')\n{source}")
    assert result.status == "killed"
    # Process 1 of a namespace cannot abort; the C library then makes it fault.
    assert result.signal in (signal.SIGSEGV, signal.SIGABRT)
    assert result.frames == b"before"


HOGS = {
    "bytes": "data = bytearray(10 * 2**30)",
    "bit_by_bit": "data = []\nwhile True: data.append(bytearray(2**20))",
    "shared_mapping": "import mmap; data = mmap.mmap(-1, 10 * 2**30)",
}


@pytest.mark.parametrize("rung", RUNGS)
@pytest.mark.parametrize("name", HOGS)
def test_memory_ends(name: str, rung: str, attack: Attack) -> None:
    with open_sandbox(rung, limits=Limits(memory_bytes=256 * MIB)) as sandbox:
        result = attack(sandbox, HOGS[name])
    assert result.status in ("memory", "exited")
    assert result.frames == b""
    assert result.peak_rss < 400 * MIB
    assert b"MemoryError" in result.log or b"Cannot allocate" in result.log


def test_memory_within_the_limit_is_there(sandbox: Sandbox, attack: Attack) -> None:
    result = attack(sandbox, "data = bytearray(2**30); data[::4096] = data[::4096]; say(len(data))")
    assert result.frames == str(2**30).encode()
    assert result.peak_rss > 2**30


def test_many_threads_are_too_many(attack: Attack) -> None:
    source = (
        "import threading, time\nthreading.stack_size(65536)\n"
        "def start(): threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n"
        "for _ in range(given['threads']): start()\n"
        "time.sleep(0.5); say('done')"
    )
    with open_sandbox("landlock", limits=Limits(threads=20)) as sandbox:
        few = attack(sandbox, source, threads=15)
        many = attack(sandbox, source, threads=2000)
    assert (few.status, few.frames) == ("ok", b"done")
    assert (many.status, many.frames) == ("killed", b"")
    assert "threads" in many.reason


FILL = """
import os
written = 0
try:
    for number in range(64):
        with open(given["folder"] + f"/fill{number}", "wb", buffering=0) as file:
            for _ in range(8):
                written += file.write(bytes(2**20))
except OSError as error:
    say(error.errno)
say(f" {written >> 20}")
"""


def test_the_private_disk_is_small(attack: Attack) -> None:
    with open_sandbox("namespaces", limits=Limits(tmp_bytes=16 * MIB)) as sandbox:
        assert attack(sandbox, FILL, folder="/tmp").frames == b"28 16"  # ENOSPC
        assert attack(sandbox, FILL, folder="/tmp").frames == b"28 16"  # and gone with its child
        many = (
            "import os\ntry:\n    for i in range(10**5): os.mkdir(f'/tmp/{i}')\n"
            "except OSError as error: say(error.errno)"
        )
        assert attack(sandbox, many).frames == b"28"


@pytest.mark.parametrize("rung", [rung for rung in RUNGS if rung != "namespaces"])
def test_without_a_disk_of_its_own_none_can_be_filled(
    rung: str, attack: Attack, tmp_path: Path
) -> None:
    with open_sandbox(rung) as sandbox:
        for folder in ("/tmp", "/dev/shm", "/var/tmp", str(tmp_path)):
            assert attack(sandbox, FILL, folder=folder).frames == b"13 0"  # EACCES


def test_one_file_has_a_largest_size(attack: Attack) -> None:
    big = (
        "try:\n    with open('/tmp/x', 'wb') as file: file.truncate(3 * 2**20)\n"
        "except OSError as error: say(error.errno)"
    )
    with open_sandbox("namespaces", limits=Limits(file_bytes=2 * MIB)) as sandbox:
        assert attack(sandbox, big).frames == b"27"  # EFBIG


def test_what_is_said_has_a_cap(attack: Attack) -> None:
    with open_sandbox("namespaces", limits=Limits(output_bytes=MIB)) as sandbox:
        fits = attack(sandbox, "say(bytes(2**20))")
        over = attack(sandbox, "while True: say(bytes(2**16))")
        drops = attack(sandbox, "import os\nwhile True: os.write(4, b'x')", seconds=1)
    assert (fits.status, fits.frames) == ("ok", bytes(2**20))
    assert (over.status, len(over.frames)) == ("output", 2**20)
    assert drops.status in ("timeout", "output")
    assert len(drops.frames) <= 2**20


def test_much_printing_is_honest_and_endless_printing_is_not(attack: Attack) -> None:
    with open_sandbox("namespaces", limits=Limits(log_bytes=4 * MIB)) as sandbox:
        much = attack(sandbox, "print('word ' * 200_000); print('the end'); say('done')")
        endless = attack(sandbox, "while True: print('word ' * 1000)")
    assert (much.status, much.frames) == ("ok", b"done")
    assert much.log.endswith(b"the end\n")
    assert len(much.log) <= 2**14
    assert endless.status == "output"
    assert len(endless.log) <= 2**14


STAY = """
import ctypes, os, sys, time
def stay():
    ctypes.CDLL(None).prctl(15, b"cvl-stayed-on", 0, 0, 0)
    os.closerange(0, 64)
    time.sleep(60)
try:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            stay()
        os._exit(0)
    time.sleep(0.3)
    say("forked")
except OSError:
    stay()
"""


def test_a_daemon_outlives_its_job_without_a_sandbox(bare: Sandbox, attack: Attack) -> None:
    assert attack(bare, STAY, seconds=5).frames == b"forked"
    left = processes_called("cvl-stayed-on")
    for pid in left:
        os.kill(pid, signal.SIGKILL)
    assert len(left) == 1


def test_no_daemon_outlives_its_job(sandbox: Sandbox, attack: Attack) -> None:
    result = attack(sandbox, STAY, seconds=0.05)
    assert result.status == "overdue"
    assert result.frames == b""
    assert processes_called("cvl-stayed-on") == []


def test_a_fork_bomb_is_one_process(sandbox: Sandbox, attack: Attack) -> None:
    bomb = (
        "import os, time\nend = time.monotonic() + 0.5\nmade = refused = 0\n"
        "while time.monotonic() < end and refused < 1000:\n"
        "    try:\n        if os.fork() == 0: time.sleep(9)\n        made += 1\n"
        "    except OSError: refused += 1\n"
        "say((made, refused))"
    )
    assert attack(sandbox, bomb).frames == b"(0, 1000)"


@pytest.mark.slow
def test_two_hundred_children_leave_nothing(sandbox: Sandbox, attack: Attack) -> None:
    attack(sandbox, "pass")
    before = (descendants(os.getpid()).keys(), open_descriptors(), threading.active_count())
    zygote_pid = max(descendants(os.getpid()))
    inner = len(list(Path(f"/proc/{zygote_pid}/fd").iterdir()))
    for number in range(200):
        source = ("say('x')", "import os; os._exit(1)", "import ctypes; ctypes.string_at(0)")
        attack(sandbox, source[number % 3])
    after = (descendants(os.getpid()).keys(), open_descriptors(), threading.active_count())
    assert after == before
    assert "Z" not in descendants(os.getpid()).values()
    assert len(list(Path(f"/proc/{zygote_pid}/fd").iterdir())) == inner


def test_closing_leaves_nothing(attack: Attack) -> None:
    # Compiling the filter and listing the whitelist happen once a process; have them behind us.
    open_sandbox("landlock").close()
    before = (descendants(os.getpid()), open_descriptors())
    for rung in ("namespaces", "landlock", "none"):
        with open_sandbox(rung) as sandbox:
            attack(sandbox, "pass")
            assert descendants(os.getpid()) != before[0]
        assert (descendants(os.getpid()), open_descriptors()) == before


def _kill_zygote_but(others: dict[int, str], times: int) -> threading.Thread:
    """Kill a zygote that is none of these soon after each of its next starts."""

    def kill() -> None:
        killed: set[int] = set()
        while len(killed) < times:
            # The zygote is the one that has a child: a job is running.
            for pid in descendants(os.getpid()):
                below = descendants(pid)
                if len(below) == 1 and pid not in (*others, *killed):
                    time.sleep(0.2)
                    os.kill(pid, signal.SIGKILL)
                    killed.add(pid)
                    break
            time.sleep(0.02)

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    return thread


def test_a_job_whose_zygote_dies_is_run_again(attack: Attack) -> None:
    others = descendants(os.getpid())
    with open_sandbox("landlock") as sandbox:
        killer = _kill_zygote_but(others, times=1)
        result = attack(sandbox, "import time; time.sleep(1.5); say('done')")
        killer.join(10)
        assert (result.status, result.frames, result.retries) == ("ok", b"done", 1)


def test_a_job_whose_zygotes_die_is_our_fault_and_the_next_one_runs(attack: Attack) -> None:
    others = descendants(os.getpid())
    with open_sandbox("landlock") as sandbox:
        killer = _kill_zygote_but(others, times=2)
        result = attack(sandbox, "import time; time.sleep(1.5); say('done')")
        killer.join(10)
        assert (result.status, result.frames) == ("grader_fault", b"")
        assert attack(sandbox, "say('next')").frames == b"next"


TIMES = "import time; begun = time.monotonic(); time.sleep(1); say((begun, time.monotonic()))"


@pytest.mark.parametrize("rung", RUNGS)
def test_two_work_side_by_side_and_leave_nothing(rung: str) -> None:
    open_sandbox(rung).close()
    before = (descendants(os.getpid()), open_descriptors())
    with open_sandbox(rung) as one, open_sandbox(rung) as two, ThreadPoolExecutor() as pool:
        jobs = [pool.submit(sandbox.run, TIMES.encode(), 30) for sandbox in (one, two)]
        (begun, ended), (other_begun, other_ended) = (
            ast.literal_eval(job.result().frames.decode()) for job in jobs
        )
    assert begun < other_ended
    assert other_begun < ended
    assert (descendants(os.getpid()), open_descriptors()) == before


@pytest.mark.parametrize("rung", RUNGS)
def test_one_whose_zygote_dies_is_replaced_and_others_work_on(rung: str) -> None:
    others = descendants(os.getpid())
    with open_sandbox(rung) as one:
        ours = descendants(os.getpid()).keys() - others.keys()
        (pid,) = (pid for pid in ours if not descendants(pid))
        with open_sandbox(rung) as two:
            os.kill(pid, signal.SIGKILL)
            # What each imports from must be there still, or there again.
            for sandbox in (two, one):
                result = sandbox.run(b"import colorsys; say('here')", 60)
                assert (result.status, result.frames) == ("ok", b"here")


@pytest.mark.parametrize("rung", [*RUNGS, "none"])
def test_a_stop_at_any_moment_leaves_no_child(rung: str) -> None:
    name = f"cvl-stop-{rung[:4]}"
    source = f"import ctypes, time; ctypes.CDLL(None).prctl(15, b'{name}', 0, 0, 0); time.sleep(60)"
    draw = random.Random(3)
    for _ in range(30):
        with open_sandbox(rung) as sandbox:
            job = threading.Thread(target=sandbox.run, args=(source.encode(), 60))
            job.start()
            time.sleep(draw.uniform(0, 0.012))
            sandbox.stop()
            job.join()
    assert _eventually(lambda: all(_is_over(pid) for pid in processes_called(name)))


def _is_over(pid: int) -> bool:
    """Whether nothing of a process runs any more: it may still wait to be reaped."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


@pytest.mark.parametrize("rung", ["namespaces", "landlock", "none"])
def test_killing_the_grader_ends_its_children(rung: str) -> None:
    name = f"cvl-orphan-{rung[:4]}"
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from conftest import open_sandbox\n"
        f"sandbox = open_sandbox({rung!r})\n"
        "source = 'import ctypes, time\\n"
        f"ctypes.CDLL(None).prctl(15, b{name!r}, 0, 0, 0); time.sleep(60)'\n"
        "sandbox.run(source.encode(), 60)"
    ).replace(f"b'{name}'", f'b"{name}"')
    grader = subprocess.Popen([sys.executable, "-c", code], cwd=Path(__file__).parents[3])
    try:
        assert _eventually(lambda: processes_called(name) != [])
    finally:
        grader.kill()
        grader.wait()
    assert _eventually(lambda: processes_called(name) == [])


def _eventually(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_large_jobs_and_answers_pass_whole(attack: Attack) -> None:
    payload = os.urandom(20 * MIB)
    with open_sandbox("namespaces", target="targets:echo") as sandbox:
        assert sandbox.run(payload, 30).frames == payload
        assert sandbox.run(b"", 30).frames == b""


def test_a_target_that_cannot_be_imported_is_one_clear_line() -> None:
    from lessons.toolkit.errors import UserError

    with pytest.raises(UserError, match=r"does not start: ModuleNotFoundError.*nowhere"):
        open_sandbox("landlock", target="nowhere:run")


@pytest.mark.parametrize("rung", RUNGS)
def test_a_zygote_that_an_import_leaves_with_a_thread_is_refused(rung: str) -> None:
    with pytest.raises(UserError, match="2 threads"):
        open_sandbox(rung, preload=["starts_a_thread"])


@pytest.mark.parametrize("rung", RUNGS)
def test_a_job_is_stopped_from_another_thread(rung: str) -> None:
    before = descendants(os.getpid()).keys()
    with open_sandbox(rung) as sandbox:
        began = time.monotonic()
        timer = threading.Timer(0.5, sandbox.stop)
        timer.start()
        result = sandbox.run(b"while True: pass", 60)
        assert (result.status, result.reason) == ("grader_fault", "The run was stopped.")
        assert sandbox.run(b"say(1)", 60).status == "grader_fault"
        assert time.monotonic() - began < 10
    assert descendants(os.getpid()).keys() == before


HOARD = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p] + [ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
libc.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
ANONYMOUS, SHARED, PRIVATE = 0x20, 0x01, 0x02


def room(size):
    return libc.mmap(None, size, 3, ANONYMOUS | given["kind"], -1, 0)


# Address space that is given back makes room under the limit of address space, here at once.
step, total = 16 << 20, 0
while total < given["size"]:
    place = room(step)
    assert place not in (None, 2**64 - 1), total
    ctypes.memset(place, 1, step)
    total += step
say("held")
import time; time.sleep(5)
"""


@pytest.mark.parametrize("kind", [1, 2])
@pytest.mark.parametrize("rung", RUNGS)
def test_memory_that_is_held_counts_however_it_came(rung: str, kind: int, attack: Attack) -> None:
    bounds = Limits(memory_bytes=128 * MIB)
    with open_sandbox(rung, limits=bounds) as sandbox:
        assert attack(sandbox, HOARD, kind=kind, size=64 * MIB).frames == b"held"
    # As if the child had given back a gigabyte of libraries: the limit of address space is far.
    with open_sandbox(rung, limits=Limits(memory_bytes=1024 * MIB)) as sandbox:
        sandbox.limits = bounds  # for the watch outside; the kernel was told the other
        result = attack(sandbox, HOARD, kind=kind, size=768 * MIB)
    assert result.status == "memory" and "held more than" in result.reason, result
