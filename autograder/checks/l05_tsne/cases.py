"""Cases of l05_tsne."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.inputs import between, fresh_seed, normal, vary
from autograder.course.exercise import Case

DOUBLE = torch.float64


@cache
def _all_digits() -> Tensor:
    # Here and not at the top: whoever checks another lesson need not wait for scikit-learn.
    from sklearn.datasets import load_digits

    return torch.from_numpy(load_digits().data).float()


def _digits(rng: Generator, count: int) -> Tensor:
    """Draw some of scikit-learn's handwritten digits, (count, 64)."""
    digits = _all_digits()
    return digits[torch.randperm(len(digits), generator=rng)[:count]]


def pca_cases(rng: Generator) -> dict[str, Case]:
    def cloud(count: int, dimensions: int, k: int, dtype: torch.dtype = torch.float32) -> Case:
        """Draw points whose directions have clearly different spreads.

        They lie far from the origin.
        """
        rank = min(count, dimensions)
        left, _, right = torch.linalg.svd(normal(rng, count, dimensions, dtype=DOUBLE), False)
        spread = 10 * 0.7 ** torch.arange(rank, dtype=DOUBLE)
        centre = 3 * normal(rng, dimensions, dtype=DOUBLE) + 5
        return Case({"x": ((left * spread) @ right + centre).to(dtype), "k": k})

    flat = normal(rng, 12, 3)
    flat[:, 1] = 4.0
    cases = {
        "thirty points of five dimensions": cloud(30, 5, 2),
        "one direction": cloud(12, 4, 1),
        "all directions": cloud(9, 4, 4),
        "more dimensions than points": cloud(6, 20, 3),
        "two points": cloud(2, 7, 1),
        "float64": cloud(14, 6, 3, DOUBLE),
        "a coordinate that never changes": Case({"x": flat, "k": 2}),
        "no direction": Case({"x": normal(rng, 8, 3), "k": 0}),
        "more directions than there are": Case({"x": normal(rng, 8, 3), "k": 4}),
    }
    return vary(cases, k=4)


def conditional_cases(rng: Generator) -> dict[str, Case]:
    def case(x: Tensor, perplexity: float) -> Case:
        squared = (x[:, None].double() - x[None].double()).square().sum(2)
        return Case({"squared_distances": squared.to(x.dtype), "perplexity": perplexity})

    # Near each other, and one point so far off that all its Gaussians underflow.
    outlier = normal(rng, 14, 3)
    outlier[5] += 600
    pairs = normal(rng, 16, 3)
    pairs[8:] = pairs[:8]
    crowd = normal(rng, 15, 3)
    crowd[:8] = crowd[0]
    dense_and_sparse = torch.cat([normal(rng, 9, 4) * 0.2, normal(rng, 9, 4) * 3 + 4])
    cases = {
        "eighteen points": case(dense_and_sparse, between(rng, 4, 6)),
        "four points": case(normal(rng, 4, 2), between(rng, 1.6, 2.4)),
        "float64": case(normal(rng, 20, 5, dtype=DOUBLE), between(rng, 3, 9)),
        "few neighbours": case(normal(rng, 12, 3), between(rng, 1.2, 1.5)),
        "nearly all points as neighbours": case(normal(rng, 10, 3), between(rng, 8.5, 8.8)),
        "a far outlier": case(outlier, between(rng, 3, 5)),
        "points in pairs at one place": case(pairs, between(rng, 4, 6)),
        "more points at one place than neighbours asked for": case(crowd, between(rng, 3, 5)),
        "all points at one place": case(torch.zeros(7, 2), between(rng, 2, 4)),
        "a tiny unit": case(normal(rng, 11, 3) * 1e-4, between(rng, 3, 5)),
        "a large unit": case(normal(rng, 11, 3) * 1e3, between(rng, 3, 5)),
        "as many neighbours as other points": case(normal(rng, 9, 2), 8),
        "a perplexity of 1": case(normal(rng, 9, 2), 1),
    }
    return vary(cases, perplexity=9)


def _rows(rng: Generator, count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Make up rows that sum to 1, with zeros on the diagonal.

    They are far from symmetric.
    """
    rows = (2 * normal(rng, count, count, dtype=DOUBLE)).exp().fill_diagonal_(0)
    return (rows / rows.sum(1, keepdim=True)).to(dtype)


def joint_cases(rng: Generator) -> dict[str, Case]:
    lonely = _rows(rng, 9)
    lonely[:, 4] = 0  # nobody's neighbour
    lonely = lonely / lonely.sum(1, keepdim=True)
    return {
        "six points": Case({"conditional": _rows(rng, 6)}),
        "two points": Case({"conditional": _rows(rng, 2)}),
        "an outlier": Case({"conditional": lonely}),
        "float64": Case({"conditional": _rows(rng, 15, DOUBLE)}),
    }


def affinity_cases(rng: Generator) -> dict[str, Case]:
    together = normal(rng, 9, 2)
    together[3] = together[7]
    return {
        "twelve points": Case({"y": normal(rng, 12, 2)}),
        "two points": Case({"y": normal(rng, 2, 2)}),
        "a map far from the origin": Case({"y": normal(rng, 8, 2) * 3 + 50}),
        "a wide map": Case({"y": normal(rng, 10, 2) * 20}),
        "two points at one place": Case({"y": together}),
        "all points at one place": Case({"y": torch.ones(5, 2) * between(rng, 1, 2)}),
        "float64": Case({"y": normal(rng, 15, 2, dtype=DOUBLE) * 4}),
    }


def gradient_cases(rng: Generator) -> dict[str, Case]:
    def case(count: int, spread: float, total: float = 1, dtype: torch.dtype = DOUBLE) -> Case:
        rows = _rows(rng, count, DOUBLE)
        p = total * (rows + rows.T) / (2 * count)
        return Case({"p": p.to(dtype), "y": (spread * normal(rng, count, 2)).to(dtype)})

    together = case(9, 1.5)
    together.inputs["y"][2] = together.inputs["y"][6]
    return {
        "twelve points": case(12, 1, dtype=torch.float32),
        "three points": case(3, 1),
        "a small map": case(10, 1e-3),
        "a wide map": case(14, 12),
        "two points at one place": together,
        "an exaggerated P": case(11, 2, total=between(rng, 4, 12)),
        "many points": case(70, 3),
    }


def tsne_cases(rng: Generator) -> dict[str, Case]:
    def settings(**changed: Any) -> dict[str, Any]:
        usual = {"perplexity": 4, "steps": 12, "init": "random", "seed": fresh_seed(rng)}
        return usual | changed

    def differ(**changes: tuple[Any, Any]) -> Case:
        """Make a case of two settings that differ in one argument.

        Args:
            changes: the argument and its two values.
        """
        ((name, (one, other)),) = changes.items()
        usual = settings()
        maps = {"one": usual | {name: one}, "other": usual | {name: other}}
        return Case({"x": _digits(rng, 20), **maps}, call="two_maps")

    few = _digits(rng, 24)
    usual = settings()
    seed = fresh_seed(rng)
    # Exaggeration shrinks so few points to one place when it is strong: here 4, not 12.
    hundred = {"perplexity": 12, "steps": 150, "exaggeration": 4.0}
    first = {"x": _digits(rng, 100), **hundred, "learning_rate": None, "init": "pca", "seed": seed}
    return {
        "a hundred digits": Case(first),
        "a random start": Case(
            {"x": _digits(rng, 100), **hundred, "init": "random", "seed": fresh_seed(rng)}
        ),
        "another number of steps": differ(steps=(6, 18)),
        "another perplexity": differ(perplexity=(3, 8)),
        "another exaggeration": differ(exaggeration=(1.0, 6.0)),
        "another learning rate": differ(learning_rate=(0.05, 1.0)),
        "another start": differ(init=("pca", "random")),
        "another seed": differ(seed=(seed, seed + 1)),
        "the default learning rate": Case(
            {"x": few, "one": usual, "same": usual | {"learning_rate": len(few) / 12}},
            call="same_map_twice",
        ),
        "where PCA starts": Case(
            {"x": _digits(rng, 30), "perplexity": 5, "steps": 1, "learning_rate": 1e-9}
        ),
        "four points in float64": Case(
            {"x": normal(rng, 4, 3, dtype=DOUBLE), "perplexity": 2, "steps": 20}
        ),
        "all points at one place": Case({"x": torch.ones(8, 3), "perplexity": 3, "steps": 8}),
        "a start that does not exist": Case(
            {"x": _digits(rng, 8), "perplexity": 3, "steps": 4, "init": "spectral"}
        ),
        "a perplexity too large": Case({"x": _digits(rng, 8), "perplexity": 30, "steps": 4}),
    }


def canvas_cases(rng: Generator) -> dict[str, Case]:
    def pictures(count: int, channels: int, height: int, width: int) -> Tensor:
        return torch.rand(count, channels, height, width, generator=rng)

    def scattered(
        images: Tensor, canvas: tuple[int, int], thumbnail: tuple[int, int], unit: float = 1
    ) -> Case:
        """Draw points near the places where their thumbnails belong.

        None is farther off than a third of a pixel.
        """
        count = len(images)
        free = torch.tensor([canvas[1] - thumbnail[1], canvas[0] - thumbnail[0]])
        inner = (torch.rand(count, 2, generator=rng) * (free - 3)).floor() + 1
        inner += 0.6 * torch.rand(count, 2, generator=rng) - 0.3
        # Two points at the ends of each axis, not of both axes at once.
        inner[0, 0], inner[1, 0], inner[2, 1], inner[3, 1] = 0, free[0], 0, free[1]
        points = (inner * unit + normal(rng, 2)).to(images.dtype)
        inputs = {"images": images, "points": points, "canvas": canvas, "thumbnail": thumbnail}
        return Case(inputs, picture=True)

    def heap() -> Case:
        """Put two pictures in each of two places, to see which of them lies on top."""
        points = torch.tensor([[0.0, 0.0], [4.0, 2.0], [0.0, 0.0], [4.0, 2.0]])
        sizes: dict[str, Any] = {"canvas": (15, 20), "thumbnail": (6, 5)}
        return Case({"images": pictures(4, 3, 8, 8), "points": points, **sizes}, picture=True)

    line = torch.cat([normal(rng, 5, 1), torch.full((5, 1), between(rng, 1, 3))], 1)
    line[:, 0] = torch.tensor([3.0, 0.0, 8.0, 5.0, 12.0]) * between(rng, 1, 2)
    one = {"images": pictures(1, 3, 6, 6), "points": normal(rng, 1, 2)}
    cases = {
        "eight pictures": scattered(pictures(8, 3, 12, 12), (40, 40), (8, 8)),
        "a wide wall": scattered(pictures(9, 3, 10, 14), (26, 45), (5, 7), unit=0.02),
        "grey pictures": scattered(pictures(7, 1, 8, 8), (33, 28), (4, 4), unit=30),
        "pictures in heaps": heap(),
        "pictures made larger": scattered(pictures(6, 3, 4, 5), (35, 31), (8, 9)),
        "float64": scattered(pictures(6, 1, 8, 8).double(), (30, 24), (6, 5)),
        "one picture": Case({**one, "canvas": (14, 20), "thumbnail": (4, 6)}, picture=True),
        "points on a line": Case(
            {
                "images": pictures(5, 3, 9, 9),
                "points": line,
                "canvas": (10, 28),
                "thumbnail": (4, 4),
            },
            picture=True,
        ),
        "a thumbnail as large as the wall": Case(
            {**one, "canvas": (5, 7), "thumbnail": (5, 7)}, picture=True
        ),
        "a thumbnail larger than the wall": Case({**one, "canvas": (5, 7), "thumbnail": (4, 8)}),
    }
    return vary(cases, canvas=(33, 50), thumbnail=(6, 9))


def kept_cases(rng: Generator) -> dict[str, Case]:
    def case(x: Tensor, y: Tensor, k: int) -> Case:
        return Case({"x": x, "y": y, "k": k})

    def shadow(count: int, dimensions: int, k: int, dtype: torch.dtype = torch.float32) -> Case:
        """Draw points and a map of them that has lost all dimensions but two."""
        x = normal(rng, count, dimensions, dtype=dtype)
        return case(x, x[:, :2] * between(rng, 3, 9), k)

    # Grey levels are whole numbers, and so are squared distances: two neighbours may tie.
    digits = _digits(rng, 60) + 0.1 * normal(rng, 60, 64)
    flat = normal(rng, 12, 2)
    # Two bundles of points, far apart: their centres are all that the map keeps.
    bundles = torch.cat([normal(rng, 6, 5), normal(rng, 6, 5) + 90])
    centres = torch.arange(12.0).div(6, rounding_mode="floor")[:, None] * 50
    crossed = torch.cat([centres, centres], 1) + normal(rng, 12, 2)
    cases = {
        "thirty points": shadow(30, 6, 4),
        "the nearest neighbour alone": shadow(25, 4, 1),
        "sixty digits, put down anywhere": case(digits, normal(rng, 60, 2), 8),
        "a map that is the data": case(flat, flat, 3),
        "the data in another unit, turned and moved": case(flat, 7 - 4 * flat.flip(1), 5),
        "all others as neighbours": shadow(9, 5, 8),
        "two bundles": case(bundles, crossed, 5),
        "float64": shadow(20, 5, 6, DOUBLE),
        "no neighbour": case(flat, flat, 0),
        "more neighbours than others": case(flat, flat, 12),
    }
    return vary(cases, k=9)
