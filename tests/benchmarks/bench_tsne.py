"""Exact t-SNE of 1,797 digits against scikit-learn, in one run: seconds, KL, trustworthiness.

    python tests/benchmarks/bench_tsne.py [--rounds 5] [--exact]

Each round runs both, one after the other, at both libraries' default threads. The KL is that of
every map against the same exact P: what scikit-learn reports itself leaves out the far pairs. The
claim (design, section 7): a time ratio of at most 1 and a lower KL.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE, trustworthiness
from torch import Tensor

from solutions.l05_tsne import (
    conditional_probabilities,
    joint_probabilities,
    kl_divergence,
    squared_distances,
    tsne,
)

PERPLEXITY, STEPS = 30, 500


def scikit_learn(x: Tensor, method: str) -> Tensor:
    """Scikit-learn's map with its own defaults."""
    model = TSNE(perplexity=PERPLEXITY, max_iter=STEPS, method=method, random_state=0)
    return torch.from_numpy(model.fit_transform(x.numpy()))


def main() -> None:
    """Print one line a method: median seconds, median ratio to ours, KL, trustworthiness."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="after one round to warm up")
    parser.add_argument("--exact", action="store_true", help="also scikit-learn's exact method")
    options = parser.parse_args()

    x = torch.from_numpy(load_digits().data).float()
    runs: dict[str, Callable[[], Tensor]] = {
        "ours, exact": lambda: tsne(x, PERPLEXITY, STEPS),
        "scikit-learn, barnes_hut": lambda: scikit_learn(x, "barnes_hut"),
    }
    if options.exact:
        runs["scikit-learn, exact"] = lambda: scikit_learn(x, "exact")

    seconds: dict[str, list[float]] = {name: [] for name in runs}
    maps: dict[str, Tensor] = {}
    for _ in range(options.rounds + 1):
        for name, run in runs.items():
            start = time.perf_counter()
            maps[name] = run()
            seconds[name].append(time.perf_counter() - start)

    distances = squared_distances(x.double())
    p = joint_probabilities(conditional_probabilities(distances, PERPLEXITY))
    ours = seconds["ours, exact"][1:]
    print(f"{len(x)} digits, {STEPS} steps, {torch.get_num_threads()} threads")
    print(f"{'':26}{'seconds':>9}{'ours/it':>9}{'KL':>8}{'trustworthiness':>17}")
    for name, y in maps.items():
        own = seconds[name][1:]
        ratio = statistics.median(a / b for a, b in zip(ours, own, strict=True))
        trust = trustworthiness(x.numpy(), y.numpy(), n_neighbors=5)
        kl = kl_divergence(p, y.double())
        print(f"{name:26}{statistics.median(own):9.2f}{ratio:9.2f}{kl:8.3f}{trust:17.4f}")


if __name__ == "__main__":
    main()
