"""Lesson 5, t-SNE: cases, judges, mutants and hints.

Most exercises have one right answer. `tsne` has not: whoever descends the KL divergence well draws
a good map, and no two good maps agree. So it is judged by what must hold of any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from typing import Any

import torch
from torch import Generator, Tensor

from autograder.checks.compare import close
from autograder.course.exercise import Accepted, Case, Complaint, Exercise, Lesson, Mutant
from solutions import l05_tsne as reference

DOUBLE = torch.float64

# Cases


def _normal(rng: Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=DOUBLE).to(dtype)


def _number(rng: Generator, low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand((), generator=rng))


def _seed(rng: Generator) -> int:
    return int(torch.randint(1 << 30, (), generator=rng))


@cache
def _all_digits() -> Tensor:
    # Here and not at the top: whoever checks another lesson need not wait for scikit-learn.
    from sklearn.datasets import load_digits

    return torch.from_numpy(load_digits().data).float()


def _digits(rng: Generator, count: int) -> Tensor:
    """Some of scikit-learn's handwritten digits, (count, 64)."""
    digits = _all_digits()
    return digits[torch.randperm(len(digits), generator=rng)[:count]]


def _pca_cases(rng: Generator) -> dict[str, Case]:
    def cloud(count: int, dimensions: int, k: int, dtype: torch.dtype = torch.float32) -> Case:
        """Points far from the origin whose directions have clearly different spreads."""
        rank = min(count, dimensions)
        left, _, right = torch.linalg.svd(_normal(rng, count, dimensions, dtype=DOUBLE), False)
        spread = 10 * 0.7 ** torch.arange(rank, dtype=DOUBLE)
        centre = 3 * _normal(rng, dimensions, dtype=DOUBLE) + 5
        return Case({"x": ((left * spread) @ right + centre).to(dtype), "k": k})

    flat = _normal(rng, 12, 3)
    flat[:, 1] = 4.0
    return {
        "thirty points of five dimensions": cloud(30, 5, 2),
        "one direction": cloud(12, 4, 1),
        "all directions": cloud(9, 4, 4),
        "more dimensions than points": cloud(6, 20, 3),
        "two points": cloud(2, 7, 1),
        "float64": cloud(14, 6, 3, DOUBLE),
        "a coordinate that never changes": Case({"x": flat, "k": 2}),
        "no direction": Case({"x": _normal(rng, 8, 3), "k": 0}),
        "more directions than there are": Case({"x": _normal(rng, 8, 3), "k": 4}),
    }


def _conditional_cases(rng: Generator) -> dict[str, Case]:
    def case(x: Tensor, perplexity: float) -> Case:
        squared = (x[:, None].double() - x[None].double()).square().sum(2)
        return Case({"squared_distances": squared.to(x.dtype), "perplexity": perplexity})

    # Near each other, and one point so far off that all its Gaussians underflow.
    outlier = _normal(rng, 14, 3)
    outlier[5] += 600
    pairs = _normal(rng, 16, 3)
    pairs[8:] = pairs[:8]
    crowd = _normal(rng, 15, 3)
    crowd[:8] = crowd[0]
    dense_and_sparse = torch.cat([_normal(rng, 9, 4) * 0.2, _normal(rng, 9, 4) * 3 + 4])
    return {
        "eighteen points": case(dense_and_sparse, _number(rng, 4, 6)),
        "four points": case(_normal(rng, 4, 2), _number(rng, 1.6, 2.4)),
        "float64": case(_normal(rng, 20, 5, dtype=DOUBLE), _number(rng, 3, 9)),
        "few neighbours": case(_normal(rng, 12, 3), _number(rng, 1.2, 1.5)),
        "nearly all points as neighbours": case(_normal(rng, 10, 3), _number(rng, 8.5, 8.8)),
        "a far outlier": case(outlier, _number(rng, 3, 5)),
        "points in pairs at one place": case(pairs, _number(rng, 4, 6)),
        "more points at one place than neighbours asked for": case(crowd, _number(rng, 3, 5)),
        "all points at one place": case(torch.zeros(7, 2), _number(rng, 2, 4)),
        "a tiny unit": case(_normal(rng, 11, 3) * 1e-4, _number(rng, 3, 5)),
        "a large unit": case(_normal(rng, 11, 3) * 1e3, _number(rng, 3, 5)),
        "as many neighbours as other points": case(_normal(rng, 9, 2), 8),
        "a perplexity of 1": case(_normal(rng, 9, 2), 1),
    }


def _rows(rng: Generator, count: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Rows that sum to 1, with zeros on the diagonal: made up, far from symmetric."""
    rows = (2 * _normal(rng, count, count, dtype=DOUBLE)).exp().fill_diagonal_(0)
    return (rows / rows.sum(1, keepdim=True)).to(dtype)


def _joint_cases(rng: Generator) -> dict[str, Case]:
    lonely = _rows(rng, 9)
    lonely[:, 4] = 0  # nobody's neighbour
    lonely = lonely / lonely.sum(1, keepdim=True)
    return {
        "six points": Case({"conditional": _rows(rng, 6)}),
        "two points": Case({"conditional": _rows(rng, 2)}),
        "an outlier": Case({"conditional": lonely}),
        "float64": Case({"conditional": _rows(rng, 15, DOUBLE)}),
    }


def _affinity_cases(rng: Generator) -> dict[str, Case]:
    together = _normal(rng, 9, 2)
    together[3] = together[7]
    return {
        "twelve points": Case({"y": _normal(rng, 12, 2)}),
        "two points": Case({"y": _normal(rng, 2, 2)}),
        "a map far from the origin": Case({"y": _normal(rng, 8, 2) * 3 + 50}),
        "a wide map": Case({"y": _normal(rng, 10, 2) * 20}),
        "two points at one place": Case({"y": together}),
        "all points at one place": Case({"y": torch.ones(5, 2) * _number(rng, 1, 2)}),
        "float64": Case({"y": _normal(rng, 15, 2, dtype=DOUBLE) * 4}),
    }


def _gradient_cases(rng: Generator) -> dict[str, Case]:
    def case(count: int, spread: float, total: float = 1, dtype: torch.dtype = DOUBLE) -> Case:
        rows = _rows(rng, count, DOUBLE)
        p = total * (rows + rows.T) / (2 * count)
        return Case({"p": p.to(dtype), "y": (spread * _normal(rng, count, 2)).to(dtype)})

    together = case(9, 1.5)
    together.inputs["y"][2] = together.inputs["y"][6]
    return {
        "twelve points": case(12, 1, dtype=torch.float32),
        "three points": case(3, 1),
        "a small map": case(10, 1e-3),
        "a wide map": case(14, 12),
        "two points at one place": together,
        "an exaggerated P": case(11, 2, total=_number(rng, 4, 12)),
        "many points": case(70, 3),
    }


def _tsne_cases(rng: Generator) -> dict[str, Case]:
    def settings(**changed: Any) -> dict[str, Any]:
        usual = {"perplexity": 4, "steps": 12, "init": "random", "seed": _seed(rng)}
        return usual | changed

    def differ(**changes: tuple[Any, Any]) -> Case:
        """Two settings that differ in one argument."""
        ((name, (one, other)),) = changes.items()
        usual = settings()
        maps = {"one": usual | {name: one}, "other": usual | {name: other}}
        return Case({"x": _digits(rng, 20), **maps}, call="two_maps")

    few = _digits(rng, 24)
    usual = settings()
    # Exaggeration shrinks so few points to one place when it is strong: here 4, not 12.
    hundred = {"perplexity": 12, "steps": 150, "exaggeration": 4.0}
    seed = _seed(rng)
    return {
        "a hundred digits": Case({"x": _digits(rng, 100), **hundred, "seed": seed}),
        "a random start": Case(
            {"x": _digits(rng, 100), **hundred, "init": "random", "seed": _seed(rng)}
        ),
        "another number of steps": differ(steps=(6, 18)),
        "another perplexity": differ(perplexity=(3, 8)),
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
            {"x": _normal(rng, 4, 3, dtype=DOUBLE), "perplexity": 2, "steps": 20}
        ),
        "all points at one place": Case({"x": torch.ones(8, 3), "perplexity": 3, "steps": 8}),
        "a start that does not exist": Case(
            {"x": _digits(rng, 8), "perplexity": 3, "steps": 4, "init": "spectral"}
        ),
        "a perplexity too large": Case({"x": _digits(rng, 8), "perplexity": 30, "steps": 4}),
    }


def _canvas_cases(rng: Generator) -> dict[str, Case]:
    def pictures(count: int, channels: int, height: int, width: int) -> Tensor:
        return torch.rand(count, channels, height, width, generator=rng)

    def scattered(
        images: Tensor, canvas: tuple[int, int], thumbnail: tuple[int, int], unit: float = 1
    ) -> Case:
        """Points that fall a third of a pixel beside where their thumbnail belongs, at most."""
        count = len(images)
        free = torch.tensor([canvas[1] - thumbnail[1], canvas[0] - thumbnail[0]])
        inner = (torch.rand(count, 2, generator=rng) * (free - 3)).floor() + 1
        inner += 0.6 * torch.rand(count, 2, generator=rng) - 0.3
        # Two points at the ends of each axis, not of both axes at once.
        inner[0, 0], inner[1, 0], inner[2, 1], inner[3, 1] = 0, free[0], 0, free[1]
        points = (inner * unit + _normal(rng, 2)).to(images.dtype)
        inputs = {"images": images, "points": points, "canvas": canvas, "thumbnail": thumbnail}
        return Case(inputs, picture=True)

    def heap() -> Case:
        """Two pictures in each of two places: which lies on top?"""
        points = torch.tensor([[0.0, 0.0], [4.0, 2.0], [0.0, 0.0], [4.0, 2.0]])
        sizes: dict[str, Any] = {"canvas": (15, 20), "thumbnail": (6, 5)}
        return Case({"images": pictures(4, 3, 8, 8), "points": points, **sizes}, picture=True)

    line = torch.cat([_normal(rng, 5, 1), torch.full((5, 1), _number(rng, 1, 3))], 1)
    line[:, 0] = torch.tensor([3.0, 0.0, 8.0, 5.0, 12.0]) * _number(rng, 1, 2)
    one = {"images": pictures(1, 3, 6, 6), "points": _normal(rng, 1, 2)}
    return {
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


# Judges


def _judge_pca(expected: Any, actual: Any, _inputs: Mapping[str, Any]) -> Complaint | None:
    if close(expected, actual, 1e-3, 1e-4):
        return None
    flipped = (expected * actual).sum(0).sign()
    if close(expected, actual * flipped, 1e-3, 1e-4):
        message = "returned the right coordinates, but with some axes pointing the other way."
        return Complaint(message, f"Axes turned: {flipped.tolist()}.", "sign_left_open")
    return Complaint("returned coordinates that are not along the directions of most spread.")


def _entropy(p: Tensor) -> Tensor:
    """Entropy of each row in nats."""
    p = p.double()
    return -torch.xlogy(p, p).sum(1)


def _judge_conditional(expected: Any, actual: Any, inputs: Mapping[str, Any]) -> Complaint | None:
    wanted, got = _entropy(expected), _entropy(actual)
    perplexity = inputs["perplexity"]
    if actual.diagonal().abs().max() > 1e-6:
        return Complaint("counted each point among its own neighbours.", mutant="diagonal_kept")
    sums = actual.double().sum(1)
    if (sums - 1).abs().max() > 1e-3:
        detail = f"Your rows sum to {sums.min():.4g} to {sums.max():.4g}."
        return Complaint("returned rows that do not sum to 1.", detail)
    if (got - wanted).abs().max() > 1e-3:
        message = "returned rows whose entropy is not that of the perplexity asked for."
        detail = (
            f"The perplexity asked for is {perplexity:.4g}; that of your rows is "
            f"{got.exp().min():.4g} to {got.exp().max():.4g}."
        )
        units = {
            "target_in_bits": math.log2(perplexity),
            "entropy_in_bits": math.log(perplexity) * math.log(2),
        }
        named = [name for name, nats in units.items() if (got - nats).abs().max() < 1e-3]
        return Complaint(message, detail, named[0] if named else None)
    if not close(expected, actual, 1e-2, 1e-3):
        return Complaint(
            "returned rows with the right entropy, which are not Gaussian in the distance."
        )
    return None


def _judge_tsne(expected: Any, actual: Any, inputs: Mapping[str, Any]) -> Complaint | None:
    if "other" in inputs:
        return _must_differ(actual, inputs["one"], inputs["other"])
    if "same" in inputs:
        if _alike(*actual):
            return None
        return Complaint("gave one map for `learning_rate=None` and another for N / 12.")
    if inputs["steps"] == 1:
        return _starts_at_pca(actual, inputs["x"])
    # Of a handful of points any arrangement may be a good map: finite is all one can ask.
    return _good_map(expected, actual, inputs) if len(actual) >= 50 else None


def _alike(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() <= 1e-3 * one.abs().max())


def _must_differ(
    maps: Tensor, one: Mapping[str, Any], other: Mapping[str, Any]
) -> Complaint | None:
    if not _alike(*maps):
        return None
    (name,) = (key for key in one if one[key] != other[key])
    return Complaint(f"gave the same map whatever `{name}` was.", mutant=f"{name}_ignored")


def _starts_at_pca(y: Tensor, x: Tensor) -> Complaint | None:
    """After one step of no length the map is its start: PCA in any unit and either direction."""
    wanted = reference.pca(x.double(), 2)
    unit = [points / points.norm(dim=0).clamp(min=1e-12) for points in (wanted, y.double())]
    if (unit[0] * unit[1]).sum(0).abs().min() > 0.95:
        return None
    return Complaint('does not start at the first two principal components with `init="pca"`.')


def _good_map(expected: Tensor, y: Tensor, inputs: Mapping[str, Any]) -> Complaint | None:
    """Judge a map by its divergence, and by what holds it in place.

    At the end of a descent the forces on each point cancel. So a map betrays the loss that it was
    made for: where the forces of a wrong P cancel and those of the right one do not, that was it.
    """
    y = y.double()
    distances = reference.squared_distances(inputs["x"].double())

    def joint(squared: Tensor) -> Tensor:
        conditional = reference.conditional_probabilities(squared, inputs["perplexity"])
        return reference.joint_probabilities(conditional)

    def force(p: Tensor) -> float:
        return float(reference.tsne_gradient(p, y).norm())

    p = joint(distances)
    if force(inputs["exaggeration"] * p) < 0.1 * force(p):
        message = "returned a map on which the exaggerated P still pulls."
        return Complaint(message, mutant="exaggeration_stays")
    if force(joint(distances.sqrt())) < 0.4 * force(p):
        message = "returned a map of other neighbours than the P of this perplexity."
        return Complaint(message, mutant="distances_not_squared")

    # Good descents of other people end between 0.9 and 1.5 times the reference's divergence; one
    # without momentum and gains, at twice.
    divergence, known = (reference.kl_divergence(p, points) for points in (y, expected.double()))
    if divergence > 1.6 * known:
        size = float(y.std() / expected.double().std())
        how = "has not settled" if size < 2 else "has flown apart"
        detail = f"Your KL divergence is {divergence:.3f}, the reference's {known:.3f}."
        return Complaint(f"returned a map that {how}: its KL divergence is too high.", detail)
    if y.mean(0).abs().max() > 1e-3 * y.std():
        return Complaint("returned a map whose mean is not 0.", mutant="not_centred")
    return None


# Exercises

_SVD_AXES = "_, _, axes = torch.linalg.svd(centred, full_matrices=False)"
_CENTRED = "centred = x - x.mean(0)"
_COORDINATES = "return centred @ axes.T"
_SMALLEST = """
def pca(x, k):
    if not 1 <= k <= min(x.shape):
        raise ValueError("k")
    centred = x - x.mean(0)
    _, axes = torch.linalg.eigh(centred.T @ centred)
    axes = axes[:, :k].T
    axes = axes * axes.gather(1, axes.abs().argmax(1, keepdim=True)).sign()
    return centred @ axes.T
"""

PCA = Exercise(
    name="pca",
    inputs=_pca_cases,
    points=2,
    minutes=15,
    returns="the coordinates, (N, k)",
    judge=_judge_pca,
    without_common=("last_axes_swapped",),
    hints=(
        "A shadow of a cloud of points shows most where the cloud is widest. Widest around which "
        "point? And which decomposition of a matrix lists directions by how far they stretch?",
        "Subtract the mean of each column. The rows of V^T in the singular value decomposition of "
        "the centred data are the directions, the most spread out first. Turn each one so that its "
        "largest entry by magnitude is positive, then measure every point along it.",
        "`_, _, axes = torch.linalg.svd(centred, full_matrices=False)`; keep `axes[:k]`; "
        "`axes.gather(1, axes.abs().argmax(1, keepdim=True))` is each axis's largest entry, and "
        "its `.sign()` says whether to turn it. The coordinates are `centred @ axes.T`.",
    ),
    mutants=(
        Mutant(
            "not_centred",
            "The data was not centred: the first direction points from the origin to the cloud.",
            "Subtract the mean point before you look for directions.",
            edits=((_CENTRED, "centred = x"),),
        ),
        Mutant(
            "coordinates_not_centred",
            "The directions are right, but the points were measured from the origin.",
            "Project the centred points.",
            edits=((_COORDINATES, "return x @ axes.T"),),
        ),
        Mutant(
            "rows_centred",
            "The mean of each point was subtracted, not the mean of all points.",
            "Points are rows: average over dimension 0.",
            edits=((_CENTRED, "centred = x - x.mean(1, keepdim=True)"),),
        ),
        Mutant(
            "one_mean_for_all",
            "One number was subtracted from all coordinates.",
            "Each column has its own mean: average over dimension 0.",
            edits=((_CENTRED, "centred = x - x.mean()"),),
        ),
        Mutant(
            "standardised",
            "Each column was divided by its standard deviation.",
            "How far a coordinate spreads is what PCA looks at: centre, do not scale.",
            edits=((_CENTRED, "centred = (x - x.mean(0)) / x.std(0).clamp(min=1e-12)"),),
        ),
        Mutant(
            "least_spread_first",
            "These are the directions of least spread.",
            "`torch.linalg.eigh` sorts eigenvalues upwards: where do the largest ones stand?",
            body=_SMALLEST,
        ),
        Mutant(
            "order_reversed",
            "The directions are right, their order is reversed.",
            "The most spread out comes first.",
            edits=(("axes = axes[:k]", "axes = axes[:k].flip(0)"),),
        ),
        Mutant(
            "columns_for_rows",
            "Columns of V^T were taken for directions.",
            "`torch.linalg.svd` returns V already transposed: its rows are the directions.",
            edits=((_SVD_AXES, f"{_SVD_AXES}\n    axes = axes[:, : len(axes)].T"),),
        ),
        Mutant(
            "whitened",
            "The coordinates have the same spread in every direction: singular values are missing.",
            "Project the centred points; U alone has forgotten how far they spread.",
            edits=((_COORDINATES, "return centred @ axes.T / (centred @ axes.T).norm(dim=0)"),),
        ),
        Mutant(
            "directions_returned",
            "The directions themselves came back, not the points along them.",
            "Measure every centred point along each direction: the result is (N, k).",
            edits=((_COORDINATES, "return axes"),),
        ),
        Mutant(
            "sign_left_open",
            "An axis can point either way, and the docstring fixes which.",
            "Turn each axis so that its entry of largest magnitude is positive.",
            edits=(("axes = axes * largest.sign()", "axes = axes * -largest.sign()"),),
        ),
        Mutant(
            "k_not_checked",
            "A `k` that the data does not have was accepted.",
            "Outside 1 to min(N, D), raise ValueError.",
            edits=(("if not 1 <= k <= min(x.shape):", "if False:"),),
        ),
        Mutant(
            "k_zero_allowed",
            "A `k` of 0 was accepted.",
            "At least one direction is asked for: raise ValueError.",
            edits=(("if not 1 <= k <=", "if not k <="),),
        ),
    ),
    accepted=(
        Accepted(
            "eigenvectors_of_the_covariance",
            body=_SMALLEST.replace("axes[:, :k].T", "axes.flip(1)[:, :k].T"),
        ),
        Accepted(
            "left_singular_vectors",
            body="""
def pca(x, k):
    if k < 1 or k > min(x.shape):
        raise ValueError("k")
    u, s, v = torch.svd(x - x.mean(dim=0, keepdim=True))
    signs = [v[v[:, j].abs().argmax(), j].sign() for j in range(k)]
    return u[:, :k] * s[:k] * torch.stack(signs)
""",
        ),
    ),
)

_RAISE_PERPLEXITY = "if not 1 < perplexity < n - 1:"
_ENTROPY = "entropy = total.log() + precision * mean_distance"
_NEAREST = "nearest = squared_distances.clone()"
_BISECTION = """
def conditional_probabilities(squared_distances, perplexity):
    n = len(squared_distances)
    if perplexity <= 1 or perplexity >= n - 1:
        raise ValueError("perplexity")
    p = torch.zeros_like(squared_distances)
    others = ~torch.eye(n, dtype=torch.bool)
    for i in range(n):
        d = squared_distances[i, others[i]].double()
        low, high = 0.0, None
        beta = 1.0
        for _ in range(200):
            row = torch.softmax(-beta * d, 0)
            bits = -(row * (row + 1e-300).log2()).sum()
            if (bits - math.log2(perplexity)).abs() < 1e-6:
                break
            if bits > math.log2(perplexity):
                low = beta
                beta = beta * 2 if high is None else (low + high) / 2
            else:
                high = beta
                beta = (low + high) / 2
        p[i, others[i]] = row.to(p)
    return p
"""

CONDITIONAL = Exercise(
    name="conditional_probabilities",
    inputs=_conditional_cases,
    points=4,
    minutes=35,
    returns="one row for each point, (N, N)",
    bounds=(0, 1),
    judge=_judge_conditional,
    without_common=("last_axes_swapped",),  # transposed says it for this exercise
    hints=(
        "Let a Gaussian around a point shrink: what happens to the entropy of its row? What does "
        "that say about how to find the precision that hits a given entropy?",
        "Keep a lower and an upper bound of each precision, as (N, 1) tensors. Make the rows, "
        "their sums and their entropies for all points at once; where the entropy is too high the "
        "precision is a lower bound, elsewhere an upper one. Double while there is no upper bound, "
        "halve the interval after that. Which unit does `log` have? And what would an outlier's "
        "row be if all its exponentials underflow?",
        "Subtract each row's smallest distance first: p does not change, and its largest "
        "exponential is 1. With `p = exp(-precision * d)`, zeros on the diagonal, and "
        "`total = p.sum(1, keepdim=True)`, the entropy in nats is `total.log() + precision * (p * "
        "d).sum(1, keepdim=True) / total`: compare it with `math.log(perplexity)`. "
        "`torch.where(too_wide, ...)` moves all bounds at once; 64 rounds are plenty.",
    ),
    mutants=(
        Mutant(
            "target_in_bits",
            "The entropy is in nats and was compared with log2(perplexity), in bits: the effective "
            "number of neighbours is far too large.",
            "Use one logarithm for both.",
            edits=(("math.log(perplexity)", "math.log2(perplexity)"),),
        ),
        Mutant(
            "entropy_in_bits",
            "The entropy is in bits and was compared with the natural logarithm of the perplexity: "
            "the effective number of neighbours is far too small.",
            "Use one logarithm for both.",
            edits=((_ENTROPY, f"{_ENTROPY.replace('= ', '= (')}) / math.log(2)"),),
        ),
        Mutant(
            "zero_log_zero",
            "Every row is uniform: the search only ever widened the Gaussians. An entropy of NaN "
            "does that, since 0 * log 0 is NaN and no comparison with NaN holds; a target that no "
            "entropy reaches does it too.",
            "Print one row's entropy and its target. `torch.xlogy(p, p)` knows that 0 log 0 is 0.",
            edits=((_ENTROPY, "entropy = -(p * p.log()).sum(1, keepdim=True)"),),
        ),
        Mutant(
            "diagonal_kept",
            "Each point is its own nearest neighbour.",
            "p(i | i) is 0, and plays no part in the sum or the entropy.",
            edits=(("p.exp_().fill_diagonal_(0)", "p.exp_()"),),
        ),
        Mutant(
            "diagonal_removed_too_late",
            "The diagonal was set to 0 after the rows had been normalised.",
            "Set it to 0 before you sum.",
            edits=(
                ("p.exp_().fill_diagonal_(0)", "p.exp_()"),
                ("return p", "return p.fill_diagonal_(0)"),
            ),
        ),
        Mutant(
            "one_precision_for_all",
            "All points share one precision, so that only their mean entropy is right.",
            "Points in a crowd need a narrow Gaussian, lonely ones a wide one: a precision a row.",
            edits=(
                ("1 / distances.mean(1, keepdim=True)", "1 / distances.mean().expand(n, 1)"),
                (
                    _ENTROPY,
                    "entropy = (total.log() + precision * mean_distance).mean().expand(n, 1)",
                ),
            ),
        ),
        Mutant(
            "first_precision_kept",
            "The precision was never adjusted.",
            "Compare each row's entropy with the target, and move its precision.",
            edits=(("range(64)", "range(1)"),),
        ),
        Mutant(
            "search_too_short",
            "The search stopped too early: entropies are near the target, not at it.",
            "Each round halves the interval: how many does an error of 1e-5 take?",
            edits=(("range(64)", "range(9)"),),
        ),
        Mutant(
            "search_reversed",
            "The search goes the wrong way.",
            "A higher precision makes a narrower Gaussian and a lower entropy.",
            edits=(("too_wide = entropy > target", "too_wide = entropy < target"),),
        ),
        Mutant(
            "precision_capped",
            "The precision cannot grow beyond the upper bound it started with.",
            "Distances may be of any size. Start without an upper bound, and double until there is "
            "one.",
            edits=(
                (
                    "torch.full_like(precision, torch.inf)",
                    "torch.full_like(precision, 2.0).maximum(precision)",
                ),
            ),
        ),
        Mutant(
            "distances_not_squared",
            "The exponential falls with the distance, not with its square.",
            "The distances you are given are squared already: use them as they are.",
            edits=((_NEAREST, f"squared_distances = squared_distances.sqrt()\n    {_NEAREST}"),),
        ),
        Mutant(
            "distances_squared_twice",
            "The distances were squared once more.",
            "The distances you are given are squared already: use them as they are.",
            edits=((_NEAREST, f"squared_distances = squared_distances.square()\n    {_NEAREST}"),),
        ),
        Mutant(
            "underflow",
            "The row of a far point came out as NaN: all its exponentials underflow to 0.",
            "Subtract the row's smallest distance before the exponential; p stays the same.",
            edits=(
                (
                    "(squared_distances - nearest).fill_diagonal_(0)",
                    "squared_distances.clone().fill_diagonal_(0)",
                ),
            ),
        ),
        Mutant(
            "nearest_shared_evenly",
            "The row is shared evenly among the nearest points.",
            "Perplexity is an effective number: the Gaussian falls smoothly, and only its entropy "
            "counts.",
            body="""
def conditional_probabilities(squared_distances, perplexity):
    n = len(squared_distances)
    if not 1 < perplexity < n - 1:
        raise ValueError("perplexity")
    distances = squared_distances.clone().fill_diagonal_(torch.inf)
    k = round(perplexity)
    nearest = distances.topk(k, largest=False).indices
    return torch.zeros_like(squared_distances).scatter_(1, nearest, 1 / k)
""",
        ),
        Mutant(
            "transposed",
            "Columns sum to 1 where rows should.",
            "p(j | i) stands in row i.",
            edits=(("return p", "return p.T"),),
        ),
        Mutant(
            "sums_to_one_in_all",
            "All entries together sum to 1, not each row.",
            "Each row is a distribution of its own here; the joint one comes next.",
            edits=(("return p", "return p / n"),),
        ),
        Mutant(
            "not_normalised",
            "The rows are not normalised.",
            "Divide each row by its sum.",
            edits=(("return p", "return p * total"),),
        ),
        Mutant(
            "perplexity_ignored",
            "The perplexity is always the same: the argument plays no part.",
            "Use the argument.",
            edits=(("math.log(perplexity)", "math.log(3)"),),
        ),
        Mutant(
            "perplexity_not_checked",
            "A perplexity that these points cannot have was accepted.",
            "Unless it is above 1 and below N - 1, raise ValueError.",
            edits=((_RAISE_PERPLEXITY, "if False:"),),
        ),
        Mutant(
            "large_perplexity_allowed",
            "A perplexity as large as the number of other points was accepted.",
            "It must be below N - 1: raise ValueError.",
            edits=((_RAISE_PERPLEXITY, "if not 1 < perplexity:"),),
        ),
    ),
    accepted=(
        Accepted("row_by_row", body=_BISECTION),
        Accepted(
            "entropy_in_bits_throughout",
            edits=(
                ("math.log(perplexity)", "math.log2(perplexity)"),
                (_ENTROPY, "entropy = -torch.xlogy(p, p).sum(1, keepdim=True) / math.log(2)"),
                (" < 5e-6", " < 1e-5"),
            ),
        ),
    ),
    deadline=20.0,
)

_SYMMETRIC = "symmetric = conditional + conditional.T"
_HALVED = "return symmetric / (2 * len(conditional))"

JOINT = Exercise(
    name="joint_probabilities",
    inputs=_joint_cases,
    points=1,
    minutes=5,
    returns="one symmetric matrix, (N, N)",
    bounds=(0, 1),
    without_common=("last_axes_swapped",),  # a symmetric matrix does not change
    hints=(
        "An outlier picks neighbours, but no one picks it. Which symmetric number for a pair "
        "gives it a say all the same?",
        "Average p(j | i) and p(i | j). What do all entries sum to then, and what should they?",
        "`(conditional + conditional.T) / (2 * N)`.",
    ),
    mutants=(
        Mutant(
            "not_symmetrised",
            "The result is not symmetric: p(j | i) was only divided by N.",
            "Average each entry with its mirror image.",
            edits=((_SYMMETRIC, "symmetric = 2 * conditional"),),
        ),
        Mutant(
            "mirrored",
            "The result is the mirror image of the input, not symmetric.",
            "Add the transposed matrix; do not replace the matrix by it.",
            edits=((_SYMMETRIC, "symmetric = 2 * conditional.T"),),
        ),
        Mutant(
            "sums_to_n",
            "The entries sum to N, not to 1.",
            "N rows sum to 1 each: divide by N as well.",
            edits=((_HALVED, "return symmetric / 2"),),
        ),
        Mutant(
            "sums_to_two",
            "The entries sum to 2, not to 1.",
            "Two matrices were added, and each sums to N.",
            edits=((_HALVED, "return symmetric / len(conditional)"),),
        ),
        Mutant(
            "not_normalised",
            "The matrix and its mirror image were added and not divided.",
            "What does the sum of both sum to? It should be 1.",
            edits=((_HALVED, "return symmetric"),),
        ),
        Mutant(
            "divided_by_all_pairs",
            "The sum was divided by the number of pairs.",
            "What does the sum of both matrices sum to? It should be 1.",
            edits=((_HALVED, "return symmetric / conditional.numel()"),),
        ),
        Mutant(
            "geometric_mean",
            "This is the geometric mean: a pair is lost when one of the two never picks the other.",
            "Take the arithmetic mean, so that an outlier keeps its neighbours.",
            edits=(
                (_SYMMETRIC, "symmetric = (conditional * conditional.T).sqrt()"),
                (_HALVED, "return symmetric / symmetric.sum()"),
            ),
        ),
        Mutant(
            "larger_of_the_two",
            "This takes the larger of p(j | i) and p(i | j).",
            "Take their mean.",
            edits=(
                (_SYMMETRIC, "symmetric = conditional.maximum(conditional.T)"),
                (_HALVED, "return symmetric / symmetric.sum()"),
            ),
        ),
    ),
    accepted=(
        Accepted("divided_by_its_sum", edits=((_HALVED, "return symmetric / symmetric.sum()"),)),
    ),
)

_T = "distances.add_(1).reciprocal_()"
_Q = "q = unnormalised / unnormalised.sum()"
_DIAGONAL = "unnormalised.fill_diagonal_(0)"

AFFINITIES = Exercise(
    name="student_t_affinities",
    inputs=_affinity_cases,
    points=2,
    minutes=10,
    returns="a pair (Q, unnormalised), both (N, N)",
    hints=(
        "How fast does the Gaussian fall at distances 1, 3, 10, and how fast 1 / (1 + d^2)? Which "
        "of them lets points that are not neighbours lie far apart at little cost?",
        "`squared_distances` is given. Make 1 / (1 + d^2), and mind the diagonal before you sum: "
        "no point is its own neighbour.",
        "`unnormalised = 1 / (1 + squared_distances(y))`, then `unnormalised.fill_diagonal_(0)`; "
        "Q is it divided by the sum of all its entries. Return both, Q first.",
    ),
    mutants=(
        Mutant(
            "gaussian",
            "These are Gaussian affinities: SNE without the t, which crowds the map.",
            "Student's t with one degree of freedom is 1 / (1 + d^2).",
            edits=((_T, "distances.neg_().exp_()"),),
        ),
        Mutant(
            "diagonal_kept",
            "The diagonal was kept: each point is its own nearest neighbour.",
            "Set it to 0 before you sum.",
            edits=((f"    {_DIAGONAL}\n", ""),),
        ),
        Mutant(
            "diagonal_counted_in_sum",
            "The diagonal is 0, but it was counted in the sum: Q sums to less than 1.",
            "Set it to 0 before you sum.",
            edits=(
                (f"    {_DIAGONAL}\n", ""),
                (_Q, f"{_Q}\n    {_DIAGONAL}\n    q.fill_diagonal_(0)"),
            ),
        ),
        Mutant(
            "diagonal_of_one",
            "The diagonal of the unnormalised affinities is still 1.",
            "Both matrices have zeros there.",
            edits=((_Q, f"{_Q}\n    unnormalised.fill_diagonal_(1)"),),
        ),
        Mutant(
            "distance_not_squared",
            "This is 1 / (1 + d), not 1 / (1 + d^2).",
            "Leave the distances squared.",
            edits=((_T, "distances.sqrt_().add_(1).reciprocal_()"),),
        ),
        Mutant(
            "distance_squared_twice",
            "This is 1 / (1 + d^4): the distances were squared already.",
            "Use what `squared_distances` gives.",
            edits=((_T, "distances.square_().add_(1).reciprocal_()"),),
        ),
        Mutant(
            "affinity_squared",
            "This is 1 / (1 + d^2)^2.",
            "The exponent is -1 for a t with one degree of freedom.",
            edits=((_T, "distances.add_(1).reciprocal_().square_()"),),
        ),
        Mutant(
            "rows_normalised",
            "Each row of Q sums to 1.",
            "Q is one distribution over all pairs: divide by the sum of all entries.",
            edits=((_Q, "q = unnormalised / unnormalised.sum(1, keepdim=True)"),),
        ),
        Mutant(
            "q_not_normalised",
            "Q was not normalised.",
            "Divide by the sum of all entries.",
            edits=((_Q, "q = unnormalised.clone()"),),
        ),
        Mutant(
            "half_the_pairs",
            "Each pair was counted once, so that Q sums to 2.",
            "Both (i, j) and (j, i) are entries: all of them sum to 1.",
            edits=((_Q, "q = unnormalised / unnormalised.triu().sum()"),),
        ),
        Mutant(
            "order_swapped",
            "The two results came back in the other order.",
            "Q first, then the unnormalised affinities.",
            edits=(("return q, unnormalised", "return unnormalised, q"),),
        ),
        Mutant(
            "q_alone",
            "Only Q came back.",
            "Return both: the gradient needs the unnormalised affinities too.",
            edits=(("return q, unnormalised", "return q"),),
        ),
    ),
    accepted=(
        Accepted(
            "written_as_the_formula",
            body="""
def student_t_affinities(y):
    affinity = 1 / (1 + torch.cdist(y, y, compute_mode="donot_use_mm_for_euclid_dist") ** 2)
    affinity = affinity * (1 - torch.eye(len(y), dtype=y.dtype))
    return affinity / affinity.sum(), affinity
""",
        ),
    ),
)

_PULL = "(p[rows] * affinity)"
_PUSH = "affinity.square_()"
_AFFINITY = "add_(1).reciprocal_()"
_FORCE = "force = pull - push / total"
_SUM = "return 4 * (y * force[2, :, None] - force[:2].T)"
_SPRINGS = """
def tsne_gradient(p, y):
    difference = y[:, None] - y[None]
    affinity = 1 / (1 + difference.square().sum(2))
    affinity.fill_diagonal_(0)
    q = affinity / affinity.sum()
    return 4 * (((p - q) * affinity)[:, :, None] * difference).sum(1)
"""

GRADIENT = Exercise(
    name="tsne_gradient",
    inputs=_gradient_cases,
    points=3,
    minutes=20,
    returns="one row for each point, (N, 2)",
    rtol=1e-3,
    atol=1e-4,
    without_common=("last_axes_swapped",),
    hints=(
        "Think of a spring between each pair of points. Which factor of the formula says whether "
        "it pulls or pushes, which one how strongly, and which one in what direction?",
        "The factor of a pair, (p - q) / (1 + d^2), is an (N, N) matrix F. Point i needs the sum "
        "over j of F_ij (y_i - y_j). Multiply out: one part needs the row sums of F, the other a "
        "matrix product.",
        "`q, affinity = student_t_affinities(y)`; `force = (p - q) * affinity`; the gradient is "
        "`4 * (force.sum(1, keepdim=True) * y - force @ y)`. Nothing of shape (N, N, 2) is needed.",
    ),
    mutants=(
        Mutant(
            "no_student_t_factor",
            "The factor 1 / (1 + d^2) is missing: far pairs are pulled with full force.",
            "It comes from the derivative of Student's t; the Gaussian has none.",
            edits=((_PULL, "p[rows]"), (_PUSH, "affinity")),
        ),
        Mutant(
            "gaussian_q",
            "Q is Gaussian: this is the gradient of SNE, whose map is crowded.",
            "Q comes from Student's t, 1 / (1 + d^2).",
            edits=((_AFFINITY, "neg_().exp_()"), (_PULL, "p[rows]"), (_PUSH, "affinity")),
        ),
        Mutant(
            "gaussian_for_t",
            "The Gaussian stands everywhere in place of Student's t.",
            "Both Q and the factor of each spring are made of 1 / (1 + d^2).",
            edits=((_AFFINITY, "neg_().exp_()"),),
        ),
        Mutant(
            "diagonal_kept",
            "Q keeps its diagonal, so that all other entries are too small.",
            "No point is its own neighbour: the diagonal is 0 before the sum is taken.",
            edits=(("y.new_tensor(-len(y))", "y.new_tensor(0)"),),
        ),
        Mutant(
            "q_not_normalised",
            "Q was not normalised: all pairs push with full force.",
            "q is the affinity divided by the sum of all affinities.",
            edits=((_FORCE, "force = pull - push"),),
        ),
        Mutant(
            "sign_flipped",
            "The sign is flipped: a step against this gradient tears neighbours apart.",
            "p - q, and y_i - y_j: for p > q the gradient points away from the neighbour.",
            edits=((_SUM, _SUM.replace("4", "-4")),),
        ),
        Mutant(
            "factor_missing",
            "The factor 4 is missing.",
            "Compare with the formula in the docstring.",
            edits=((_SUM, _SUM.replace("4 * ", "")),),
        ),
        Mutant(
            "factor_of_two",
            "The factor is 2, as in SNE.",
            "The symmetric loss has each pair twice: the factor is 4.",
            edits=((_SUM, _SUM.replace("4", "2")),),
        ),
        Mutant(
            "mean_for_sum",
            "The forces on a point were averaged, not added.",
            "Sum over j.",
            edits=((_SUM, _SUM.replace("return 4", "return 4 / len(y)")),),
        ),
        Mutant(
            "pull_only",
            "Nothing pushes: Q is missing.",
            "Each spring has p - q, not p.",
            edits=((_FORCE, "force = pull"),),
        ),
        Mutant(
            "push_only",
            "Nothing pulls: P is missing.",
            "Each spring has p - q, not q.",
            edits=((_FORCE, "force = -push / total"),),
        ),
        Mutant(
            "sum_and_not_difference",
            "Forces were taken along y_i + y_j.",
            "A spring acts along the line between its ends: y_i - y_j.",
            edits=((_SUM, _SUM.replace(" - force", " + force")),),
        ),
        Mutant(
            "own_place_left_out",
            "Forces were taken along y_j: where point i lies plays no part.",
            "A spring acts along the line between its ends: y_i - y_j.",
            edits=((_SUM, "return -4 * force[:2].T"),),
        ),
        Mutant(
            "factor_squared",
            "The factor 1 / (1 + d^2) was multiplied in twice.",
            "(p - q) takes it once.",
            edits=(
                (_PULL, "(p[rows] * affinity.square())"),
                (_PUSH, "affinity.pow(3)"),
            ),
        ),
        Mutant(
            "distance_not_squared",
            "Affinities are 1 / (1 + d), not 1 / (1 + d^2).",
            "Leave the distances squared.",
            edits=((_AFFINITY, "clamp_(min=0).sqrt_().add_(1).reciprocal_()"),),
        ),
        Mutant(
            "p_renormalised",
            "P was divided by its sum first: exaggeration would have no effect.",
            "Use P as it comes.",
            edits=((_PULL, "(p[rows] / p.sum() * affinity)"),),
        ),
        Mutant(
            "push_grows_with_p",
            "The push grows with the sum of P, so that exaggeration only makes larger steps. "
            "Automatic differentiation of sum p log(p / q) does that when P does not sum to 1.",
            "The formula of the docstring has p - q for any P.",
            edits=((_FORCE, "force = pull - p.sum() * push / total"),),
        ),
    ),
    accepted=(
        Accepted("springs_one_by_one", body=_SPRINGS),
        Accepted(
            "matrix_product",
            body="""
def tsne_gradient(p, y):
    q, affinity = student_t_affinities(y)
    force = (p - q) * affinity
    return 4 * (force.sum(1, keepdim=True) * y - force @ y)
""",
        ),
    ),
)

_P = "joint_probabilities(conditional_probabilities(squared_distances(x), perplexity))"
_DEFAULT_RATE = "if learning_rate is None:\n        learning_rate = len(x) / 12"
_STEP = "learning_rate * gains * gradient"
_MOMENTUM = "momentum = 0.5 if early else 0.8"
_ADAM = """
def tsne(x, perplexity, steps, learning_rate=None, exaggeration=12.0, init="pca", seed=0):
    if init not in ("pca", "random"):
        raise ValueError("init")
    rate = 1.0 if learning_rate is None else learning_rate * 12 / len(x)
    p = joint_probabilities(conditional_probabilities(squared_distances(x), perplexity))
    if init == "pca":
        y = pca(x, 2)
        y = 0.01 * y / (y.std() + 1e-9)
    else:
        draw = torch.Generator().manual_seed(seed)
        y = 0.01 * torch.randn(len(x), 2, generator=draw).to(x)
    first, second = torch.zeros_like(y), torch.zeros_like(y)
    for step in range(1, steps + 1):
        gradient = tsne_gradient(p, y)
        first = 0.8 * first + 0.2 * gradient
        second = 0.95 * second + 0.05 * gradient**2
        scale = (second / (1 - 0.95**step)).sqrt() + 1e-8
        y = y - rate * (1 - step / (steps + 1)) * first / (1 - 0.8**step) / scale
    return y - y.mean(dim=0)
"""

TSNE = Exercise(
    name="tsne",
    inputs=_tsne_cases,
    points=5,
    minutes=40,
    returns="the map, (N, 2)",
    judge=_judge_tsne,
    needs=("pca", "conditional_probabilities", "joint_probabilities", "tsne_gradient"),
    without_common=("last_axes_swapped",),
    deadline=40.0,
    hints=(
        "You have a loss and its gradient. What would plain gradient descent need hundreds of "
        "steps for, and what do momentum and a step length for each coordinate change? Where would "
        "you start, so that groups do not have to pass through each other?",
        "P once, before the loop. Start at PCA scaled to a tiny spread, or at seeded noise of that "
        "size. In each step: the gradient, with P times `exaggeration` in the first quarter; a "
        "velocity that keeps part of itself; gains that grow where the step still leads downhill "
        "and shrink where it does not. Subtract the mean at the end.",
        "Start at `1e-4 * start / start.std()`. In step t, with `early = t < steps // 4`: "
        "`gradient = tsne_gradient(exaggeration * p if early else p, y)`; gains grow by 0.2 where "
        "`gradient * velocity < 0`, else shrink by a factor of 0.8, and stay above 0.01; "
        "`velocity = momentum * velocity - learning_rate * gains * gradient` with momentum 0.5 "
        "early and 0.8 later; `y = y + velocity`. Noise comes from "
        "`torch.Generator().manual_seed(seed)`.",
    ),
    mutants=(
        # The loss
        Mutant(
            "exaggeration_stays",
            "Exaggeration was never removed: clusters stay shrunk to clumps.",
            "It is for the first quarter of the steps; after that the true P decides.",
            edits=(("exaggerated if early else p", "exaggerated"),),
        ),
        Mutant(
            "distances_not_squared",
            "P was made from distances that are not squared.",
            "`conditional_probabilities` takes squared distances.",
            edits=(
                ("squared_distances(x), perplexity", "squared_distances(x).sqrt(), perplexity"),
            ),
        ),
        Mutant(
            "p_not_symmetrised",
            "P is not symmetric: forces do not cancel in pairs, and the map drifts apart.",
            "Pass the conditional probabilities through `joint_probabilities`.",
            edits=((_P, "conditional_probabilities(squared_distances(x), perplexity) / len(x)"),),
        ),
        Mutant(
            "p_sums_to_n",
            "P sums to N, not to 1: all pairs are pulled together N times too strongly.",
            "Pass the conditional probabilities through `joint_probabilities`.",
            edits=((_P, "conditional_probabilities(squared_distances(x), perplexity)"),),
        ),
        Mutant(
            "perplexity_ignored",
            "The perplexity is always the same.",
            "Pass the argument on.",
            edits=(("squared_distances(x), perplexity", "squared_distances(x), 3"),),
        ),
        # The descent
        Mutant(
            "plain_descent",
            "Neither momentum nor gains: plain gradient descent is still on its way when the steps "
            "are over.",
            "Let each step keep part of the last one, and give each coordinate a gain.",
            edits=((_STEP, "learning_rate * gradient"), (_MOMENTUM, "momentum = 0.0")),
        ),
        Mutant(
            "ascent",
            "The steps go up the gradient: neighbours are driven apart.",
            "A loss falls against its gradient.",
            edits=((f"velocity - {_STEP}", f"velocity + {_STEP}"),),
        ),
        Mutant(
            "steps_ignored",
            "The number of steps is always the same.",
            "Use the argument.",
            edits=(
                ("range(steps)", "range(100)"),
                ("early = step < steps // 4", "early = step < 25"),
            ),
        ),
        Mutant(
            "learning_rate_10",
            "The learning rate is 10 unless another is given: far too small for many points, too "
            "large for few.",
            "The gradient shrinks as 1 / N: `None` means N / 12.",
            edits=(("learning_rate = len(x) / 12", "learning_rate = 10"),),
        ),
        Mutant(
            "learning_rate_5000",
            "The learning rate is so large that the points fly apart.",
            "`None` means N / 12.",
            edits=(("learning_rate = len(x) / 12", "learning_rate = 5000"),),
        ),
        Mutant(
            "learning_rate_ignored",
            "The learning rate is always the same.",
            "N / 12 is for `None` only: otherwise use the argument.",
            edits=((_DEFAULT_RATE, "learning_rate = len(x) / 12"),),
        ),
        # The start
        Mutant(
            "init_ignored",
            "The map starts at the same place whatever `init` says.",
            '"pca" starts at the first two principal components, "random" at noise alone.',
            edits=(('if init == "pca":', "if True:"),),
        ),
        Mutant(
            "columns_as_start",
            "The map starts at two columns of the data.",
            "Start at `pca(x, 2)`.",
            edits=(("start = pca(x, 2)", "start = x[:, 30:32] - x[:, 30:32].mean(0)"),),
        ),
        Mutant(
            "start_at_one_point",
            "All points start at one place, where every force cancels: they can never part.",
            "A start needs a little spread.",
            edits=(("y = 1e-4 * y", "y = 0 * y"),),
        ),
        Mutant(
            "start_divided_by_zero",
            "The start was divided by a spread of 0.",
            "All points may be at one place: keep the divisor above 0.",
            edits=((".clamp(min=1e-12)", ""),),
        ),
        Mutant(
            "unknown_init_accepted",
            "An `init` that does not exist was taken for one that does.",
            'Unless it is "pca" or "random", raise ValueError.',
            edits=(('if init not in ("pca", "random"):', "if False:"),),
        ),
        Mutant(
            "seed_ignored",
            "The generator was seeded with 0, whatever `seed` says.",
            "Pass the argument on.",
            edits=(("manual_seed(seed)", "manual_seed(0)"),),
        ),
        Mutant(
            "unseeded",
            "The start comes from the global generator: no map can be drawn again.",
            "Make a `torch.Generator`, seed it, and pass it to `torch.randn`.",
            edits=(("generator=generator, ", ""),),
        ),
        # The result
        Mutant(
            "not_centred",
            "The map has drifted away from the origin.",
            "Subtract the mean at the end.",
            edits=(("return y - y.mean(0)", "return y - y[0]"),),
        ),
    ),
    accepted=(
        Accepted("no_exaggeration", edits=(("exaggerated if early else p", "p"),)),
        Accepted("constant_momentum", edits=((_MOMENTUM, "momentum = 0.8"),)),
        Accepted("momentum_without_gains", edits=((_STEP, "learning_rate * gradient"),)),
        Accepted("exaggerated_for_fifty_steps", edits=(("step < steps // 4", "step < 50"),)),
        Accepted("adam", body=_ADAM),
    ),
)

_LEFT = "(unit[:, 0] * free_width).round()"
_TOP = "((1 - unit[:, 1]) * free_height).round()"
_PASTE = "wall[:, row : row + height, column : column + width]"
_RESIZED = 'F.interpolate(images, size=thumbnail, mode="bilinear", antialias=True)'
_UNIT = "unit = 0.5 + (points - (low + high) / 2) / (high - low).clamp(min=1e-12)"
_CLIPPED = """
def embedding_canvas(images, points, canvas, thumbnail):
    if thumbnail[0] > canvas[0] or thumbnail[1] > canvas[1]:
        raise ValueError("thumbnail")
    pictures = F.interpolate(images, size=thumbnail, mode="bilinear", antialias=True)
    wall = images.new_ones(3, *canvas)
    low, high = points.amin(0), points.amax(0)
    unit = 0.5 + (points - (low + high) / 2) / (high - low).clamp(min=1e-12)
    for picture, (right, up) in zip(pictures, unit.tolist()):
        top = round((1 - up) * canvas[0]) - thumbnail[0] // 2
        left = round(right * canvas[1]) - thumbnail[1] // 2
        rows = slice(max(top, 0), min(top + thumbnail[0], canvas[0]))
        columns = slice(max(left, 0), min(left + thumbnail[1], canvas[1]))
        wall[:, rows, columns] = picture[
            :, rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
    return wall
"""

CANVAS = Exercise(
    name="embedding_canvas",
    inputs=_canvas_cases,
    points=3,
    minutes=20,
    returns="one picture, (3, H, W)",
    bounds=(0, 1),
    rtol=1e-3,
    atol=1e-4,
    without_common=("first_of_batch", "squeezed"),  # there is one wall, whatever N
    hints=(
        "If the leftmost picture touches the left edge and the rightmost one the right edge, over "
        "how many pixels can a picture's left side move? And where is the top of a map, where the "
        "top of a tensor?",
        "Scale each coordinate to [0, 1] over all points, then to the free width, canvas minus "
        "thumbnail. Height is the same, counted from the other end. What becomes of the scale when "
        "all points share a coordinate? Then paste in order.",
        "`unit = 0.5 + (points - (low + high) / 2) / (high - low).clamp(min=1e-12)`; "
        "`left = (unit[:, 0] * (W - width)).round()`; `top = ((1 - unit[:, 1]) * (H - "
        'height)).round()`. Resize with `F.interpolate(..., mode="bilinear", antialias=True)`, '
        "and write each picture into a canvas of ones.",
    ),
    mutants=(
        Mutant(
            "upside_down",
            "The wall is upside down.",
            "Row 0 of a picture is its top; the second coordinate grows upwards.",
            edits=((_TOP, "(unit[:, 1] * free_height).round()"),),
        ),
        Mutant(
            "mirrored",
            "Left and right are swapped.",
            "The first coordinate grows to the right, as columns do.",
            edits=((_LEFT, "((1 - unit[:, 0]) * free_width).round()"),),
        ),
        Mutant(
            "axes_swapped",
            "The first coordinate was used for rows.",
            "The first coordinate runs to the right and chooses the column.",
            edits=(
                (_LEFT, "(unit[:, 1] * free_width).round()"),
                (_TOP, "((1 - unit[:, 0]) * free_height).round()"),
            ),
        ),
        Mutant(
            "earlier_on_top",
            "Earlier pictures cover later ones.",
            "Paste in the order given.",
            edits=(
                (
                    "zip(pictures, top, left, strict=True)",
                    "zip(pictures.flip(0), top[::-1], left[::-1], strict=True)",
                ),
            ),
        ),
        Mutant(
            "blended",
            "Where pictures overlap, the darker pixel was taken.",
            "A later picture covers an earlier one.",
            edits=((f"{_PASTE} = picture", f"{_PASTE} = {_PASTE}.minimum(picture)"),),
        ),
        Mutant(
            "black_background",
            "The background is black.",
            "White is 1.",
            edits=(("images.new_ones(3", "images.new_zeros(3"),),
        ),
        Mutant(
            "cut_at_the_edge",
            "Thumbnails are centred on their points, so that those at the edge are cut.",
            "Let the points range over the canvas minus one thumbnail.",
            body=_CLIPPED,
        ),
        Mutant(
            "over_the_edge",
            "Thumbnails at the right and the bottom do not fit on the canvas.",
            "Let the points range over the canvas minus one thumbnail.",
            edits=(
                (_LEFT, "(unit[:, 0] * canvas[1]).round()"),
                (_TOP, "((1 - unit[:, 1]) * canvas[0]).round()"),
            ),
        ),
        Mutant(
            "proportions_kept",
            "Both axes share one scale, so that the map does not fill the canvas.",
            "Stretch each axis by itself.",
            edits=(("(high - low).clamp", "(high - low).max().clamp"),),
        ),
        Mutant(
            "truncated",
            "Positions were cut off, not rounded.",
            "Round to the nearest pixel before you make an int of it.",
            edits=(
                (_LEFT, "(unit[:, 0] * free_width)"),
                (_TOP, "((1 - unit[:, 1]) * free_height)"),
            ),
        ),
        Mutant(
            "division_by_zero",
            "Points that share a coordinate were divided by a spread of 0.",
            "Without any spread a picture belongs in the middle.",
            edits=((_UNIT, "unit = (points - low) / (high - low)"),),
        ),
        Mutant(
            "single_point_in_the_corner",
            "Points without any spread were put at the edge.",
            "They belong in the middle.",
            edits=((_UNIT, "unit = (points - low) / (high - low).clamp(min=1e-12)"),),
        ),
        Mutant(
            "nearest_pixel",
            "Images were resized by picking pixels.",
            "Resize bilinearly, with antialiasing.",
            edits=((_RESIZED, "F.interpolate(images, size=thumbnail)"),),
        ),
        Mutant(
            "no_antialias",
            "Images were resized without antialiasing.",
            "`F.interpolate` has an argument for it.",
            edits=((_RESIZED, _RESIZED.replace(", antialias=True", "")),),
        ),
        Mutant(
            "cropped",
            "Images were cropped, not resized.",
            "Each thumbnail shows its whole image.",
            edits=((_RESIZED, "images[:, :, :height, :width]"),),
        ),
        Mutant(
            "canvas_sides_swapped",
            "Height and width of the canvas are swapped.",
            "`canvas` is (H, W).",
            edits=(("new_ones(3, *canvas)", "new_ones(3, *canvas[::-1])"),),
        ),
        Mutant(
            "thumbnail_sides_swapped",
            "Height and width of the thumbnail are swapped.",
            "`thumbnail` is (height, width).",
            edits=(("height, width = thumbnail", "thumbnail = width, height = thumbnail[::-1]"),),
        ),
        Mutant(
            "large_thumbnail_allowed",
            "A thumbnail that does not fit was not refused.",
            "Raise ValueError when a side is longer than the canvas's.",
            edits=(("if min(free_height, free_width) < 0:", "if False:"),),
        ),
    ),
    accepted=(
        Accepted(
            "one_by_one",
            body="""
def embedding_canvas(images, points, canvas, thumbnail):
    free = [canvas[0] - thumbnail[0], canvas[1] - thumbnail[1]]
    if free[0] < 0 or free[1] < 0:
        raise ValueError("thumbnail")
    wall = torch.ones(3, *canvas, dtype=images.dtype)
    low, high = points.min(dim=0).values.tolist(), points.max(dim=0).values.tolist()
    for image, (x, y) in zip(images, points.tolist()):
        x = (x - low[0]) / (high[0] - low[0]) if high[0] > low[0] else 0.5
        y = (high[1] - y) / (high[1] - low[1]) if high[1] > low[1] else 0.5
        row, column = int(y * free[0] + 0.5), int(x * free[1] + 0.5)
        small = F.interpolate(
            image[None], size=thumbnail, mode="bilinear", align_corners=False, antialias=True
        )
        wall[:, row : row + thumbnail[0], column : column + thumbnail[1]] = small[0]
    return wall
""",
        ),
    ),
)

LESSON = Lesson(
    "l05_tsne",
    "t-SNE",
    (PCA, CONDITIONAL, JOINT, AFFINITIES, GRADIENT, TSNE, CANVAS),
)
