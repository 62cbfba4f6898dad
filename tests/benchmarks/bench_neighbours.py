"""The nearest of 100,000 rows of 1,280 numbers beside scikit-learn: seconds and memory.

    python tests/benchmarks/bench_neighbours.py [--rounds 5] [--rows 100000] [--k 5]

64 queries, both metrics. Each round runs ours in parts of 1,024 rows and scikit-learn's brute
force, one after the other, at both libraries' default threads; the ratio is the median of the
rounds. The neighbours must be the same. The memory is measured in a process of its own: its peak
resident size while it searches, with the database of 488 MiB and PyTorch in it, and how much of
that the search has added.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from sklearn.neighbors import NearestNeighbors
from torch import Tensor

from solutions.l04_neighbours import nearest_in_parts

QUERIES, DIMENSIONS, PART = 64, 1280, 1024


def data(rows: int) -> tuple[Tensor, Tensor]:
    """Draw rows as embeddings have them: none below zero, and of length 1."""
    generator = torch.Generator().manual_seed(0)
    database = torch.rand(rows, DIMENSIONS, generator=generator)
    database.div_(torch.linalg.vector_norm(database, dim=1, keepdim=True))
    queries = torch.rand(QUERIES, DIMENSIONS, generator=generator)
    return queries / queries.norm(dim=1, keepdim=True), database


def resident(field: str) -> int:
    """Read a size of this process in MB: "VmRSS" now, "VmHWM" its peak."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(f"{field}:")[1].split()[0]) // 1024


def search_alone(metric: str, rows: int, k: int) -> None:
    """Search once, and print the resident size before and at the peak of the search, in MB."""
    queries, database = data(rows)
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # forget the peak so far
    before = resident("VmRSS")
    nearest_in_parts(queries, database.split(PART), k, metric)
    print(before, resident("VmHWM"))


def main() -> None:
    """Print one line a metric: median seconds of each, ratio, agreement and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="after one round to warm up")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--k", type=int, default=5)
    parser.add_argument("--alone", help="a metric: search once and print the memory")
    options = parser.parse_args()
    if options.alone:
        search_alone(options.alone, options.rows, options.k)
        return

    queries, database = data(options.rows)
    print(f"{options.rows:,} x {DIMENSIONS}, {QUERIES} queries, {torch.get_num_threads()} threads")
    print(
        f"{'':10}{'ours, s':>9}{'sklearn, s':>12}{'ratio':>7}{'same':>7}{'peak MB':>9}{'more':>6}"
    )
    for metric in ("euclidean", "cosine"):
        brute = NearestNeighbors(n_neighbors=options.k, algorithm="brute", metric=metric)
        brute.fit(database.numpy())

        def ours(metric: str = metric) -> Tensor:
            return nearest_in_parts(queries, database.split(PART), options.k, metric)[0]

        def theirs(brute: NearestNeighbors = brute) -> Tensor:
            return torch.from_numpy(brute.kneighbors(queries.numpy())[1])

        runs: dict[str, Callable[[], Tensor]] = {"ours": ours, "theirs": theirs}
        seconds: dict[str, list[float]] = {name: [] for name in runs}
        found: dict[str, Tensor] = {}
        for _ in range(options.rounds + 1):
            for name, run in runs.items():
                start = time.perf_counter()
                found[name] = run()
                seconds[name].append(time.perf_counter() - start)
        pairs = list(zip(seconds["ours"][1:], seconds["theirs"][1:], strict=True))
        ratio = statistics.median(own / other for own, other in pairs)
        same = float((found["ours"] == found["theirs"]).double().mean())
        medians = [statistics.median(column) for column in zip(*pairs, strict=True)]
        command = [sys.executable, __file__, "--alone", metric, "--rows", str(options.rows)]
        alone = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        before, peak = map(int, alone)
        print(
            f"{metric:10}{medians[0]:9.2f}{medians[1]:12.2f}{ratio:7.2f}{same:7.1%}"
            f"{peak:9}{peak - before:6}"
        )


if __name__ == "__main__":
    main()
