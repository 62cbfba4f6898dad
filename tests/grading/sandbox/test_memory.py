"""A zygote's memory is laid out anew, and nothing of it changes but where it lies."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.sandbox

ROOT = Path(__file__).resolve().parents[3]

CODE = """
import ctypes, hashlib, json, os
import torch
from autograder.grading.sandbox import memory

torch.set_num_threads(1)
maps = os.open("/proc/self/maps", os.O_RDONLY)


def work():
    return torch.conv2d(torch.ones(1, 3, 9, 9), torch.ones(2, 3, 3, 3)).sum().item()


def libraries():
    return [(r.begin, r.end) for r in memory.regions(maps) if r.of_file and r.rights == "r-xp"]


def digest(places):
    found = hashlib.sha256()
    for begin, end in places:
        found.update(ctypes.string_at(begin, end - begin))
    return found.hexdigest()


def own_code():
    return sum(r.end - r.begin for r in memory.regions(maps) if r.name == "" and r.rights == "r-xp")


places = libraries()
before, first = digest(places), work()
own = own_code()
memory.gather_code(work, maps)
moved = own_code() - own
print(json.dumps([before == digest(places), first, work(), moved]))
"""

HOLES = """
import json, os
from autograder.grading.sandbox import memory

SIZES = range(560, 960, 16)


def pages():
    made = [bytes(size) for size in SIZES for _ in range(8)]
    return len({id(thing) // memory.PAGE for thing in made})


# Every second of many is kept: each page then has holes, and nothing is empty.
kept = [bytes(size) for size in SIZES for _ in range(120)]
kept = kept[::2]
scattered = pages()
memory.fill_holes()
print(json.dumps([scattered, pages()]))
"""


def _said_by(program: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_code_moves_and_stays_the_same():
    same, first, second, moved = _said_by(CODE)
    assert same
    assert first == second == 27 * 49 * 2
    if not moved:
        pytest.skip("this kernel gives no huge pages on request")
    assert moved % (2 << 20) == 0


def test_new_objects_lie_together():
    scattered, together = _said_by(HOLES)
    assert together < scattered / 1.5
