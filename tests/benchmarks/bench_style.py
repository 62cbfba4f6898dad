"""The fast styler against the descent, in one run: how many times faster is one pass?

    python tests/benchmarks/bench_style.py [--rounds 3] [--steps 60] [--side 224]

Each round paints the cat both ways, one after the other, and the ratio of processor times is taken
within the round. Both use the same threads.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from lessons.toolkit.photos import load_photo
from lessons.toolkit.train_styler import (
    CONTENT_LAYER,
    STYLE_LAYERS,
    judge,
    shipped_styler,
    style_images,
)
from solutions import l09_inversion_and_style as lesson


def main() -> None:
    """Print the median seconds of both ways, and the median of the rounds' ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="after one pass to warm up")
    parser.add_argument("--steps", type=int, default=60, help="of the descent")
    parser.add_argument("--side", type=int, default=224, help="of the picture")
    options = parser.parse_args()

    network, preprocess = judge()
    cat = preprocess.normalise(preprocess.crop_rgb(load_photo("cat")))[None]
    cat = torch.nn.functional.interpolate(cat, (options.side, options.side), mode="bilinear")
    glass, styler = style_images("glass", preprocess), shipped_styler(lesson, "glass")

    def fast() -> Tensor:
        with torch.inference_mode():
            painted: Tensor = styler(cat)
        return painted

    def slow() -> Tensor:
        return lesson.transfer_style(
            network, cat, glass, CONTENT_LAYER, STYLE_LAYERS, style_weight=10.0, steps=options.steps
        )

    def seconds(run: Callable[[], Tensor]) -> float:
        start = time.process_time()
        run()
        return time.process_time() - start

    fast()
    rounds = [(seconds(slow), min(seconds(fast) for _ in range(3))) for _ in range(options.rounds)]
    descent, one_pass = (statistics.median(times) for times in zip(*rounds, strict=True))
    ratio = statistics.median(a / b for a, b in rounds)
    print(f"{options.side} pixels, {options.steps} steps, {torch.get_num_threads()} threads")
    print(f"descent {descent:.2f} s, one pass {one_pass:.3f} s: {ratio:.0f} times faster")


if __name__ == "__main__":
    main()
