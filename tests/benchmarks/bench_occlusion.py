"""How long an occlusion map takes, in units of the plain passes of its covered copies.

    python tests/benchmarks/bench_occlusion.py [--model resnet18] [--window 32] [--stride 16]
        [--batch-sizes 4 8 32] [--rounds 3] [--threads 1] [--device cpu]

The unit is what cannot be avoided: the network run on as many copies as there are windows, made
beforehand, `batch_size` at a time, in the layout that torch gives a tensor by default. Captum's
Occlusion is given the same number of windows at a time; its best setting is the fastest of the
rows. All methods take turns inside each round. Printed is the median over the rounds of each time
divided by the unit's in the same round and at the same batch size. On the CPU it is processor time:
what else the machine does plays no part. Nothing is asserted: the course's target stands beside
the number, and the largest difference between the two maps below it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from captum.attr import Occlusion
from torch import nn
from torchvision.models import get_model

from lessons.toolkit.models import load_model
from solutions.l10_occlusion import occlusion_map, window_positions

MODELS = ["efficientnet_lite0", "resnet18", "vgg16"]
SIZE, CLASS = 224, 7

Work = Callable[[], object]


def network(name: str) -> nn.Module:
    """A network in eval mode, with weights where none are to be fetched."""
    if name == "efficientnet_lite0":
        return load_model(name).network
    return get_model(name, weights=None).eval()


def works(model: nn.Module, window: int, stride: int, batch_size: int) -> dict[str, Work]:
    """Return by name what to run."""
    device = next(model.parameters()).device
    images = torch.randn(1, 3, SIZE, SIZE).to(device)
    target = torch.tensor([CLASS], device=device)
    count = len(window_positions(SIZE, window, stride)) ** 2

    def plain(layout: torch.memory_format) -> object:
        # A view of one image has the layout of nothing: each batch is real memory.
        batches = [images.repeat(len(part), 1, 1, 1) for part in range_of(count, batch_size)]
        batches = [batch.contiguous(memory_format=layout) for batch in batches]
        start = seconds_now(device)
        with torch.no_grad():
            for batch in batches:
                model(batch)
        return seconds_now(device) - start

    def ours() -> torch.Tensor:
        return occlusion_map(model, images, target, window, stride, 0.0, batch_size)

    def captum() -> torch.Tensor:
        maps: torch.Tensor = Occlusion(model).attribute(
            images,
            (3, window, window),
            (3, stride, stride),
            baselines=0,
            target=target,
            perturbations_per_eval=batch_size,
        )
        return maps[:, 0]

    return {
        "plain passes": lambda: plain(torch.contiguous_format),
        "plain passes, channels last": lambda: plain(torch.channels_last),
        "occlusion_map": ours,
        "captum": captum,
    }


def range_of(count: int, batch_size: int) -> list[range]:
    """Cut the numbers from 0 to `count` - 1 into batches."""
    return [range(i, min(i + batch_size, count)) for i in range(0, count, batch_size)]


def seconds_now(device: torch.device) -> float:
    """Processor time on the CPU; on a GPU the clock, once its work is done."""
    if device.type == "cpu":
        return time.process_time()
    torch.cuda.synchronize(device)
    return time.perf_counter()


def seconds(work: Work, device: torch.device) -> float:
    """Return how long one run takes; plain passes say it themselves, without their copies."""
    start = seconds_now(device)
    result = work()
    return result if isinstance(result, float) else seconds_now(device) - start


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=MODELS, default="efficientnet_lite0")
    parser.add_argument("--window", type=int, default=32)
    parser.add_argument("--stride", type=int, default=16)
    parser.add_argument("--batch-sizes", type=int, nargs="+", default=[4, 8, 32])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch.manual_seed(0)

    device = torch.device(given.device)
    model = network(given.model).to(device)
    tables = {size: works(model, given.window, given.stride, size) for size in given.batch_sizes}
    spent: dict[tuple[int, str], list[float]] = {}
    for _ in range(given.rounds):
        for size, table in tables.items():
            for name, work in table.items():
                spent.setdefault((size, name), []).append(seconds(work, device))

    count = len(window_positions(SIZE, given.window, given.stride)) ** 2
    print(f"{given.model}, {SIZE} x {SIZE}, {count} windows, {given.threads} thread(s), ", end="")
    print(f"{given.rounds} rounds on {device}")
    print(f"{'batch':>5}  {'':28} {'seconds':>8} {'ratio':>6}")
    for (size, name), times in spent.items():
        units = spent[size, "plain passes"]
        ratio = statistics.median(a / b for a, b in zip(times, units, strict=True))
        wanted = "at most 1.00" if name == "occlusion_map" else ""
        took = statistics.median(times)
        print(f"{size:5}  {name:28} {took:8.2f} {ratio:6.2f}   {wanted}".rstrip())

    def best(name: str) -> float:
        return min(statistics.median(spent[size, name]) for size in given.batch_sizes)

    print(
        f"each at its best: {best('occlusion_map') / best('captum'):.2f} of captum's time, ", end=""
    )
    print(f"{best('occlusion_map') / best('plain passes'):.2f} of the plain passes'")
    table = tables[given.batch_sizes[0]]
    apart = float((table["occlusion_map"]() - table["captum"]()).abs().max())  # type: ignore[operator]
    print(f"largest difference between the two maps: {apart:.1e}")


if __name__ == "__main__":
    main()
