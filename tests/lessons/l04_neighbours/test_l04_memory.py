"""A search never holds more than a part of its database."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SEARCH = """
import torch
from pathlib import Path
from solutions.l04_neighbours import nearest_in_parts

def resident(field):
    return int(Path("/proc/self/status").read_text().split(f"{field}:")[1].split()[0]) // 1024

def parts():
    for number in range(ROWS // 5000):
        yield some.roll(number, dims=1)

ROWS, METRIC = 100_000, "METRIC NAME"
generator = torch.Generator().manual_seed(0)
queries = torch.rand(64, 1280, generator=generator)
some = torch.rand(5000, 1280, generator=generator)
nearest_in_parts(queries, [some[:100]], 5, METRIC)
Path("/proc/self/clear_refs").write_text("5")
before = resident("VmRSS")
nearest_in_parts(queries, parts(), 5, METRIC)
print(before, resident("VmHWM"))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak")
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_a_hundred_thousand_rows_fit_where_they_do_not_fit(metric):
    """512 MB of rows pass through; the whole process, PyTorch included, stays below 1 GB."""
    code = SEARCH.replace("METRIC NAME", metric)
    run = [sys.executable, "-c", code]
    out = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    before, peak = map(int, out.split())
    assert peak - before < 200
    assert peak < 1000
