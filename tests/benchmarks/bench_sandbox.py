"""What a sandboxed child costs on each rung, against a bare fork and a cold start of Python.

Run: python tests/benchmarks/bench_sandbox.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "grading" / "sandbox"))

from conftest import RUNGS, open_sandbox

from autograder.grading.sandbox.children import PRELOAD
from autograder.grading.sandbox.probe import probe

JOBS = 60
COLD = "import torch, numpy, safetensors.torch; print(torch.ones(1))"


def milliseconds(work: Callable[[], object], times: int) -> tuple[float, float]:
    """Median and best of some runs."""
    taken = []
    for _ in range(times):
        begin = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - begin))
    return statistics.median(taken), min(taken)


def main() -> None:
    """Print one line a way to run a job."""
    median, best = milliseconds(probe, 5)
    print(f"probe              {median:8.1f} ms median {best:8.1f} best")
    for rung in (*RUNGS, "none"):
        begin = time.perf_counter()
        with open_sandbox(rung, preload=PRELOAD) as sandbox:
            start = time.perf_counter() - begin
            sandbox.run(b"", 10)
            median, best = milliseconds(lambda s=sandbox: s.run(b"say('x')", 10), JOBS)
            usage = sandbox.run(b"say('x')", 10)
        print(
            f"child, {rung:11} {median:8.1f} ms median {best:8.1f} best;"
            f" processor {1000 * usage.cpu_seconds:.1f} ms;"
            f" zygote started in {start:.1f} s, {usage.peak_rss / 2**20:.0f} MiB"
        )
    median, best = milliseconds(lambda: subprocess.run([sys.executable, "-c", COLD]), 3)
    print(f"cold Python, torch {median:8.1f} ms median {best:8.1f} best")


if __name__ == "__main__":
    main()
