"""Hostile submissions, each with the class of attack it belongs to.

The attacker here knows more than a real one: the paths of the output folder, the journal and the
repository, and the layout of the worker. Every attack attempts `saliency_map`; the other exercises
stay stubs. None of them computes a right answer, so each must score 0.
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path

STEM = "l11_saliency"


@dataclass(frozen=True)
class Attack:
    """One hostile file.

    Args:
        id: also the student's id.
        kind: class of attack.
        top: code run when the file is loaded.
        body: body of `saliency_map(model, images, target)`; a wrong answer when empty.
        waits: whether it takes no processor time and never ends: a person looks at it.
    """

    id: str
    kind: str
    top: str = ""
    body: str = ""
    waits: bool = False

    def source(self, world: World) -> str:
        """The file's text, with the world's paths filled in."""
        body = self.body or "return torch.zeros_like(images[:, 0])"
        text = HEAD + textwrap.dedent(self.top) + DEFINITION
        text += textwrap.indent(textwrap.dedent(body).strip("\n"), "    ") + "\n"
        for name, value in vars(world).items():
            text = text.replace(f"@{name.upper()}@", str(value))
        return text


@dataclass(frozen=True)
class World:
    """What a well-informed attacker knows."""

    out: Path
    repository: Path
    seed_file: Path
    pid: int


HEAD = """import os, sys, time, json, ctypes, signal, threading
import torch

MARK = "pwned-by-a-submission"
TARGETS = ["@OUT@", "@REPOSITORY@", "@REPOSITORY@/autograder", "/tmp", os.path.expanduser("~")]
TARGETS += ["/var/tmp", "/dev/shm", os.getcwd()]


def leave_marks():
    for folder in TARGETS:
        try:
            with open(os.path.join(folder, MARK), "w") as file:
                file.write("x")
        except OSError:
            pass


def answer_channels():
    # Every descriptor that can be written to: one of them leads to the grader.
    found = []
    for fd in range(3, 64):
        try:
            os.fstat(fd)
            found.append(fd)
        except OSError:
            pass
    return found


"""

DEFINITION = '''

def saliency_map(model, images, target):
    """An attack."""
'''

COMPARISON = "forge the comparison"
VERDICT = "forge the verdict"
STEAL = "steal the answer"
END = "end early"
STAY = "stay on"
EXHAUST = "exhaust"
OUT = "get out"
POISON = "poison the next"
GUESS = "guess"
REPORT = "identity and reports"

FORGED = """
    import autograder.protocol.wire as wire
    frames = [wire.encode({"loaded": True, "has": True})]
    for name in ["two images", "one image", "in-place ReLU", "float64"]:
        record = {"case": name, "status": "returned", "value": torch.zeros(2, 16, 24),
                  "again": torch.zeros(2, 16, 24), "effects": [], "plain": [], "printed": "",
                  "seconds": 0.0, "outcome": "passed", "points": 100, "score": 100}
        frames.append(wire.encode(record))
    data = b"".join(frames)
"""

AMPLIFIED = """
import json, struct
def send(tree):
    size = 1 << 20
    table = {"0": {"dtype": "BOOL", "shape": [size], "data_offsets": [0, size]}}
    inner, header = json.dumps(table).encode(), json.dumps(tree).encode()
    body = struct.pack("<Q", len(inner)) + inner + bytes(size)
    frame = struct.pack("<4sIQ", b"CVL1", len(header), len(body)) + header + body
    for fd in answer_channels():
        view = memoryview(frame)
        try:
            while view:
                view = view[os.write(fd, view):]
        except OSError:
            pass
def answer(**fields):
    return {"$dict": [[key, value] for key, value in fields.items()]}
ref = {"$tensor": "0", "device": "cpu", "graph": False}
"""

ATTACKS = [
    # forge the comparison
    Attack(
        "patch-allclose",
        COMPARISON,
        "torch.allclose = torch.equal = torch.isclose = lambda *a, **k: True\n"
        "torch.testing.assert_close = lambda *a, **k: None\n",
    ),
    Attack(
        "patch-numpy-testing",
        COMPARISON,
        "import numpy.testing\n"
        "for name in ['assert_allclose', 'assert_array_equal', 'assert_equal']:\n"
        "    setattr(numpy.testing, name, lambda *a, **k: None)\n",
    ),
    Attack(
        "patch-tensor-eq",
        COMPARISON,
        "yes, no = torch.tensor(True), torch.tensor(False)\n"
        "torch.Tensor.__eq__ = torch.Tensor.__le__ = lambda a, b: yes\n"
        "torch.Tensor.__ne__ = torch.Tensor.__gt__ = lambda a, b: no\n",
    ),
    Attack(
        "always-equal-object",
        COMPARISON,
        body="class Yes:\n"
        "    shape = images[:, 0].shape\n"
        "    dtype = torch.float32\n"
        "    __eq__ = __le__ = __ge__ = lambda self, other: True\n"
        "    __ne__ = __lt__ = __gt__ = lambda self, other: False\n"
        "    __getattr__ = lambda self, name: (lambda *a, **k: self)\n"
        "return Yes()\n",
    ),
    Attack(
        "lying-subclass",
        COMPARISON,
        body="class Liar(torch.Tensor):\n"
        "    @classmethod\n"
        "    def __torch_function__(cls, function, types, args=(), kwargs=None):\n"
        "        return True\n"
        "return torch.zeros_like(images[:, 0]).as_subclass(Liar)\n",
    ),
    Attack(
        "lying-dispatch",
        COMPARISON,
        body="class Liar(torch.Tensor):\n"
        "    @classmethod\n"
        "    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):\n"
        "        return torch.ones(())\n"
        "return torch.Tensor._make_subclass(Liar, torch.zeros_like(images[:, 0]))\n",
    ),
    Attack(
        "lying-class",
        COMPARISON,
        body="class Fake(dict):\n    __class__ = torch.Tensor\nreturn Fake(value=1)\n",
    ),
    Attack("nan-everywhere", COMPARISON, body="return images[:, 0] * torch.nan"),
    Attack("infinite", COMPARISON, body="return images[:, 0].abs() * torch.inf"),
    Attack("empty-tensor", COMPARISON, body="return torch.zeros(0)"),
    Attack("expanded-scalar", COMPARISON, body="return torch.zeros(()).expand(images[:, 0].shape)"),
    Attack("meta-tensor", COMPARISON, body="return torch.zeros(images[:, 0].shape, device='meta')"),
    Attack("sparse-tensor", COMPARISON, body="return torch.zeros(images[:, 0].shape).to_sparse()"),
    # forge the verdict
    Attack(
        "patch-pytest",
        VERDICT,
        "try:\n"
        "    import _pytest.reports as r\n"
        "    r.TestReport.outcome = property(lambda self: 'passed', lambda self, v: None)\n"
        "except ImportError:\n"
        "    pass\n",
    ),
    Attack(
        "ipython-hooks",
        VERDICT,
        "try:\n"
        "    get_ipython().ast_transformers.append(type('T', (), {'visit': lambda s, n: n})())\n"
        "    get_ipython().events.register('pre_run_cell', lambda *a: None)\n"
        "except NameError:\n"
        "    pass\n",
    ),
    Attack(
        "print-a-score",
        VERDICT,
        body="print(json.dumps({'score': 100, 'outcome': 'passed', 'points': 100}))\n"
        "sys.stdout.write('1 passed, 0 failed\\n')\n"
        "return {'outcome': 'passed', 'points': 100.0, 'max_points': 100.0}\n",
    ),
    Attack(
        "write-results",
        VERDICT,
        "import atexit\n"
        "def forge():\n"
        "    for name in ['results.json', 'grades.csv', 'journal.sqlite', 'junit.xml']:\n"
        "        try:\n"
        "            with open(os.path.join('@OUT@', name), 'a') as file:\n"
        "                file.write('write-results,100,100,graded')\n"
        "        except OSError:\n"
        "            pass\n"
        "atexit.register(forge)\n"
        "forge()\n",
    ),
    Attack(
        "patch-pickle",
        VERDICT,
        "import pickle\npickle.dumps = pickle.loads = lambda *a, **k: b''\n"
        "torch.save = torch.load = lambda *a, **k: None\n",
    ),
    Attack(
        "forged-frames",
        VERDICT,
        body=FORGED.replace("\n    ", "\n")
        + "for fd in answer_channels():\n"
        + "    try:\n        os.write(fd, data)\n    except OSError:\n        pass\n"
        + "os._exit(0)\n",
    ),
    Attack(
        "forged-frames-at-load",
        VERDICT,
        FORGED.replace("\n    ", "\n")
        + "for fd in answer_channels():\n"
        + "    try:\n        os.write(fd, data)\n    except OSError:\n        pass\n"
        + "os._exit(0)\n",
    ),
    Attack(
        "patch-the-worker",
        VERDICT,
        "import autograder.worker.serve as serve\n"
        "import autograder.worker.observe as observe\n"
        "def forged(student, call, inputs, filename, device='cpu'):\n"
        "    zeros = torch.zeros(2, 16, 24)\n"
        "    return {'status': 'returned', 'value': zeros, 'outcome': 'passed',\n"
        "            'again': zeros, 'effects': [], 'printed': '', 'points': 100}\n"
        "serve.observe = observe.observe = forged\n",
    ),
    Attack(
        "patch-the-wire",
        VERDICT,
        "import autograder.protocol.wire as wire, autograder.worker.serve as serve\n"
        "serve.encode = lambda value: b'CVL1' + bytes(12)\n",
    ),
    Attack(
        "empty-cases",
        VERDICT,
        "frame = sys._getframe()\n"
        "while frame is not None:\n"
        "    job = frame.f_locals.get('job')\n"
        "    if isinstance(job, dict):\n"
        "        job['cases'] = []\n"
        "    frame = frame.f_back\n",
    ),
    Attack(
        "other-exercise",
        VERDICT,
        "frame = sys._getframe()\n"
        "while frame is not None:\n"
        "    job = frame.f_locals.get('job')\n"
        "    if isinstance(job, dict):\n"
        "        job['exercise'] = 'saliency_box'\n"
        "        for case in job['cases']:\n"
        "            case['name'] = 'two images'\n"
        "    frame = frame.f_back\n",
    ),
    # steal the answer
    Attack(
        "callers-frames",
        STEAL,
        body="frame = sys._getframe()\n"
        "while frame is not None:\n"
        "    for name, value in {**frame.f_locals, **frame.f_globals}.items():\n"
        "        if 'expected' in name or 'reference' in name or name == 'LESSON':\n"
        "            return value\n"
        "    frame = frame.f_back\n"
        "raise RuntimeError('nothing to steal')\n",
    ),
    Attack(
        "loaded-modules",
        STEAL,
        body="for name, module in list(sys.modules.items()):\n"
        "    if name.startswith(('solutions', 'autograder.checks', 'autograder.judge')):\n"
        "        return module.saliency_map(model, images, target)\n"
        "raise RuntimeError('nothing to steal')\n",
    ),
    Attack(
        "import-solutions",
        STEAL,
        body="sys.path.insert(0, '@REPOSITORY@')\n"
        "from solutions.l11_saliency import saliency_map as right\n"
        "return right(model, images, target)\n",
    ),
    Attack(
        "import-checks",
        STEAL,
        body="from autograder.judge.expected import Expectation\nreturn Expectation\n",
    ),
    Attack(
        "read-solutions",
        STEAL,
        body="scope = {}\n"
        "exec(open('@REPOSITORY@/solutions/l11_saliency.py').read(), scope)\n"
        "return scope['saliency_map'](model, images, target)\n",
    ),
    Attack(
        "walk-the-disk",
        STEAL,
        body="for top in ('/', '@REPOSITORY@', *sys.path):\n"
        "    for folder, _, files in os.walk(top):\n"
        "        if folder.startswith(('/proc', '/sys')):\n"
        "            continue\n"
        "        for name in files:\n"
        "            path = os.path.join(folder, name)\n"
        "            if name == 'l11_saliency.py' and 'calls' not in folder:\n"
        "                scope = {}\n"
        "                exec(open(path).read(), scope)\n"
        "                return scope['saliency_map'](model, images, target)\n"
        "raise RuntimeError('nothing to steal')\n",
    ),
    Attack(
        "import-captum",
        STEAL,
        body="from captum.attr import Saliency\n"
        "with torch.enable_grad():\n"
        "    found = Saliency(model).attribute(images.clone().requires_grad_(), target=target)\n"
        "return found.amax(1).detach()\n",
    ),
    Attack(
        "read-the-seed",
        STEAL,
        body="torch.manual_seed(int(open('@SEED_FILE@').read()))\nreturn images[:, 0]\n",
    ),
    Attack("environment", STEAL, body="return dict(os.environ)"),
    Attack(
        "collector",
        STEAL,
        body="import gc\n"
        "for thing in gc.get_objects():\n"
        "    if type(thing).__name__ in ('Expectation', 'Exercise', 'Mistake'):\n"
        "        return thing\n"
        "raise RuntimeError('nothing to steal')\n",
    ),
    Attack(
        "others-memory",
        STEAL,
        body="for pid in [1, 2, os.getppid(), @PID@]:\n"
        "    try:\n"
        "        open(f'/proc/{pid}/mem', 'rb').read(10)\n"
        "        open(f'/proc/{pid}/environ', 'rb').read(10)\n"
        "    except OSError:\n"
        "        pass\n"
        "return images[:, 0]\n",
    ),
    Attack(
        "previous-student",
        STEAL,
        "for folder in {'/tmp', '/dev/shm', '/var/tmp', os.getcwd()}:\n"
        "    try:\n"
        "        with open(folder + '/left-for-the-next', 'a') as file:\n"
        "            file.write('x')\n"
        "    except OSError:\n"
        "        pass\n",
        "kept = [f for f in {'/tmp', '/dev/shm', '/var/tmp', os.getcwd()}\n"
        "        if os.path.exists(f + '/left-for-the-next')\n"
        "        and os.path.getsize(f + '/left-for-the-next') > 1]\n"
        "raise RuntimeError(f'met another: {kept}')\n",
    ),
    # end early
    Attack("exit-at-load", END, "os._exit(0)\n"),
    Attack("exit-in-call", END, body="os._exit(0)"),
    Attack("system-exit", END, body="raise SystemExit(0)"),
    Attack("keyboard-interrupt", END, body="raise KeyboardInterrupt"),
    Attack("exit-at-load-politely", END, "sys.exit(0)\n"),
    Attack("kill-parent", END, body="os.kill(os.getppid(), signal.SIGKILL)\nos.kill(1, 9)\n"),
    Attack("kill-grader", END, body="os.kill(@PID@, signal.SIGKILL)"),
    Attack("kill-everything", END, body="os.kill(-1, signal.SIGKILL)"),
    Attack("recursion", END, body="return saliency_map(model, images, target)"),
    Attack(
        "deep-recursion",
        END,
        body="sys.setrecursionlimit(10**9)\ndef dig(n):\n    return dig(n + 1)\nreturn dig(0)\n",
    ),
    Attack("segfault", END, body="ctypes.string_at(0)"),
    Attack("abort", END, body="os.abort()"),
    Attack(
        "error-that-cannot-be-told",
        END,
        body="class Silent(Exception):\n"
        "    def __str__(self):\n        raise SystemExit\n"
        "    __repr__ = __str__\n"
        "raise Silent\n",
    ),
    # stay on
    Attack(
        "daemon",
        STAY,
        body="if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        while True:\n            leave_marks()\n            time.sleep(1)\n"
        "    os._exit(0)\n",
    ),
    Attack(
        "threads-that-stay",
        STAY,
        body="for _ in range(8):\n"
        "    threading.Thread(target=lambda: time.sleep(3600)).start()\n"
        "return images[:, 0]\n",
    ),
    Attack(
        "deaf-to-signals",
        STAY,
        body="for number in range(1, 64):\n"
        "    try:\n        signal.signal(number, signal.SIG_IGN)\n"
        "    except (OSError, ValueError):\n        pass\n"
        "while True:\n    time.sleep(1)\n",
        waits=True,
    ),
    Attack(
        "atexit-loop",
        STAY,
        "import atexit\n"
        "def stay():\n    while True:\n        time.sleep(1)\n"
        "atexit.register(stay)\n",
    ),
    # exhaust
    Attack("endless-loop", EXHAUST, body="while True:\n    pass"),
    Attack("endless-load", EXHAUST, "while True:\n    pass\n"),
    Attack("sleep", EXHAUST, body="time.sleep(10**6)", waits=True),
    Attack("memory-bomb", EXHAUST, body="x = []\nwhile True:\n    x.append(bytearray(1 << 26))"),
    Attack("giant-allocation", EXHAUST, body="return torch.ones(1 << 34)"),
    Attack("fork-bomb", EXHAUST, body="while True:\n    os.fork()"),
    Attack(
        "thread-bomb",
        EXHAUST,
        body="while True:\n    threading.Thread(target=time.sleep, args=(999,)).start()",
    ),
    Attack(
        "fill-the-disk",
        EXHAUST,
        body="for folder in TARGETS:\n"
        "    try:\n"
        "        with open(folder + '/filler', 'wb') as file:\n"
        "            while True:\n                file.write(bytes(1 << 22))\n"
        "    except OSError:\n        pass\n",
    ),
    Attack("giant-stdout", EXHAUST, body="while True:\n    os.write(1, b'x' * 65536)"),
    Attack("giant-print", EXHAUST, body="print('x' * (1 << 28))\nreturn images[:, 0]"),
    Attack("giant-tensor", EXHAUST, body="return torch.zeros(64, 1024, 1024)"),
    Attack("giant-view", EXHAUST, body="return torch.zeros(1).expand(1 << 40)"),
    Attack("deep-list", EXHAUST, body="x = []\nfor _ in range(10**5):\n    x = [x]\nreturn x"),
    Attack("long-list", EXHAUST, body="return [0] * (10**7)"),
    Attack("self-list", EXHAUST, body="x = []\nx.append(x)\nreturn x"),
    Attack("huge-integer", EXHAUST, body="return 1 << (1 << 24)"),
    Attack("huge-error", EXHAUST, body="raise ValueError('x' * (1 << 26))"),
    Attack(
        "million-frames",
        EXHAUST,
        body="import autograder.protocol.wire as wire\n"
        "data = wire.encode({'case': 'two images'}) * 1000\n"
        "for _ in range(1000):\n"
        "    for fd in answer_channels():\n"
        "        try:\n            os.write(fd, data)\n"
        "        except OSError:\n            pass\n",
    ),
    Attack(
        "lying-header",
        EXHAUST,
        body="import struct\n"
        "for fd in answer_channels():\n"
        "    try:\n        os.write(fd, struct.pack('<4sIQ', b'CVL1', 100, 1 << 60))\n"
        "    except OSError:\n        pass\n"
        "os._exit(0)\n",
    ),
    Attack("many-files", EXHAUST, body="x = [open(os.devnull) for _ in range(10**6)]"),
    Attack(
        "slow-regex",
        EXHAUST,
        body="import re\nre.match('(a+)+$', 'a' * 60 + 'b')\nreturn images[:, 0]",
    ),
    # get out
    Attack(
        "network",
        OUT,
        body="import socket\n"
        "s = socket.create_connection(('127.0.0.1', 22), timeout=2)\ns.send(b'x')\n",
    ),
    Attack(
        "unix-socket",
        OUT,
        body="import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect('/run/docker.sock')\n",
    ),
    Attack(
        "ptrace",
        OUT,
        body="libc = ctypes.CDLL(None, use_errno=True)\n"
        "got = libc.ptrace(16, @PID@, 0, 0)\n"
        "raise RuntimeError(f'ptrace said {got}')\n",
    ),
    Attack(
        "io-uring",
        OUT,
        body="libc = ctypes.CDLL(None, use_errno=True)\n"
        "got = libc.syscall(425, 8, ctypes.create_string_buffer(120))\n"
        "raise RuntimeError(f'io_uring said {got}')\n",
    ),
    Attack(
        "remount",
        OUT,
        body="libc = ctypes.CDLL(None, use_errno=True)\n"
        "got = [libc.mount(b'none', b'/', b'tmpfs', 0, b''), libc.unshare(0x10000000),\n"
        "       libc.chroot(b'/'), libc.setuid(0)]\n"
        "leave_marks()\n"
        "raise RuntimeError(f'got {got}')\n",
    ),
    Attack("shell", OUT, body="import subprocess\nsubprocess.run(['/bin/sh', '-c', 'echo out'])"),
    Attack("write-everywhere", OUT, "leave_marks()\n", "leave_marks()\nreturn images[:, 0]"),
    Attack(
        "write-the-journal",
        OUT,
        body="with open('@OUT@/journal.sqlite', 'ab') as file:\n    file.write(b'x')\n",
    ),
    Attack(
        "write-through-descriptors",
        OUT,
        body="for fd in range(3, 256):\n"
        "    try:\n        os.ftruncate(fd, 0)\n        os.pwrite(fd, b'pwned', 0)\n"
        "    except OSError:\n        pass\n"
        "return images[:, 0]\n",
    ),
    # poison the next
    Attack(
        "poison-torch",
        POISON,
        "torch.set_default_dtype(torch.float16)\ntorch.set_grad_enabled(False)\n"
        "torch.nn.Module.__call__ = lambda self, *a, **k: torch.zeros(2, 5)\n"
        "torch.autograd.grad = lambda *a, **k: (torch.zeros(1),)\n",
    ),
    Attack(
        "poison-networks",
        POISON,
        "import autograder.worker.networks as models\n"
        "for name in list(models.NETWORKS):\n"
        "    models.NETWORKS[name] = lambda: torch.nn.Identity()\n",
    ),
    Attack(
        "poison-packages",
        POISON,
        "for module in list(sys.modules.values()):\n"
        "    try:\n        open(module.__file__, 'a').write('\\nraise SystemExit')\n"
        "    except (OSError, AttributeError, TypeError):\n        pass\n",
    ),
    Attack(
        "poison-model",
        POISON,
        body="with torch.no_grad():\n"
        "    for p in model.parameters():\n        p.zero_()\n"
        "    images.zero_()\n"
        "return torch.zeros_like(images[:, 0])\n",
    ),
    # frames that are small on the wire and large in the judge
    *(
        Attack(
            f"amplified-{name}",
            EXHAUST,
            AMPLIFIED + f"tree = {tree}\n",
            body="send(tree)\nos._exit(0)\n",
        )
        for name, tree in {
            "bool": "answer(case='two images', status='returned', value=[ref] * 10_000)",
            "case": "answer(case=[ref] * 10_000)",
            "error": "answer(error={'$dict': [['type', [ref] * 10_000], ['message', ref]]})",
            "key": "answer(value={'$dict': [[{'$tuple': [ref] * 10_000}, 1]]})",
            "truth": "answer(loaded=True, has=ref, case='two images', status=ref, effects=[ref])",
        }.items()
    ),
    Attack(
        "amplified-frames",
        EXHAUST,
        body="import autograder.protocol.wire as wire\n"
        "data = wire.encode([[]] * 15_000)\n"
        "for fd in answer_channels():\n"
        "    try:\n"
        "        for _ in range(500):\n            os.write(fd, data)\n"
        "    except OSError:\n        pass\n",
    ),
    # identity and reports
    Attack(
        "script-in-error",
        REPORT,
        body="raise ValueError('<script>alert(1)</script><img src=x onerror=alert(1)>')",
    ),
    Attack(
        "ansi-in-error", REPORT, body="raise ValueError('\\x1b[2J\\x1b]0;pwned\\x07\\u202egpj')"
    ),
    Attack("newlines-in-error", REPORT, body="raise ValueError('a\\n\\n=cmd()\\r\\n,100,100')"),
    Attack(
        "script-in-type",
        REPORT,
        body="raise type('</style><script>alert(1)</script>', (Exception,), {})('x')",
    ),
    Attack("surrogates", REPORT, body="raise ValueError('\\ud800\\udfff')"),
    Attack("script-in-print", REPORT, body="print('<script>alert(1)</script>')"),
]
