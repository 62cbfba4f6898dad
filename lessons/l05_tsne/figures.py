"""The pictures of lesson 5, of handwritten digits and of misleading maps.

Each function takes the course's exercises and returns a figure, so that the site shows the
reference's pictures and a notebook shows the student's.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from lessons.toolkit.plots import (
    INK,
    LABEL_POINTS,
    TITLE_POINTS,
    new_figure,
    style_axes,
    style_plot,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Ten middle tones for white and dark pages. No colour has to be told from another: every point is
# drawn as its own digit. Orange, blue and magenta go to 3, 5 and 8, which touch.
COLOURS = (
    "#2fa08f", "#999933", "#b07a3c", "#e08a00", "#58b0d8",
    "#3a78d0", "#9570c8", "#3f9a50", "#cc3377", "#8a8a8a",
)  # fmt: skip
FEW = 600  # digits where a figure needs many maps
ONE_DIGIT = 3  # a three


@lru_cache
def _digits() -> tuple[Tensor, Tensor]:
    """Load scikit-learn's 1,797 handwritten digits.

    Returns:
        (N, 64) in [0, 16] and labels (N,).
    """
    from sklearn.datasets import load_digits

    data, labels = load_digits(return_X_y=True)
    return torch.from_numpy(data).float(), torch.from_numpy(labels)


# A notebook that runs two figures computes their common map once; an edited tsne is a new key.
@lru_cache
def _digit_map(
    tsne: Callable[..., Tensor],
    count: int | None = None,
    perplexity: float = 30,
    steps: int = 500,
    init: str = "pca",
    seed: int = 0,
) -> Tensor:
    return tsne(_digits()[0][:count], perplexity, steps, init=init, seed=seed)


def digits_map(course: Any) -> Figure:
    """Draw all digits by t-SNE, each point drawn as its digit."""
    figure = new_figure(8, 8)
    axes = figure.add_subplot()
    _draw(axes, _digit_map(course.l05_tsne.tsne), size=38)
    return figure


def pca_and_tsne(course: Any) -> Figure:
    """Draw the same digits by PCA and by t-SNE."""
    x, _ = _digits()
    figure = new_figure(10, 5.2)
    maps = {"PCA": course.l05_tsne.pca(x, 2), "t-SNE": _digit_map(course.l05_tsne.tsne)}
    for number, (title, points) in enumerate(maps.items()):
        _draw(figure.add_subplot(1, 2, number + 1), points, title, size=16)
    return figure


def neighbours(course: Any) -> Figure:
    """Draw one digit with some neighbours, and plot the probability of each."""
    x, _ = _digits()
    squared = course.l05_tsne.squared_distances(x)
    order = squared[ONE_DIGIT].argsort()
    order = torch.cat([order[order == ONE_DIGIT], order[order != ONE_DIGIT]])
    figure = new_figure(9, 5.6)
    grid = figure.add_gridspec(2, 9, height_ratios=(1, 3))
    for column, rank in enumerate((0, 1, 2, 5, 10, 20, 50, 100, 200)):
        axes = figure.add_subplot(grid[0, column])
        axes.imshow(16 - x[order[rank]].view(8, 8), cmap="gray", vmin=0, vmax=16)
        style_axes(axes, f"{rank}" if rank else "i")
        axes.set(xticks=[], yticks=[])
    axes = figure.add_subplot(grid[1, :])
    ranks = torch.arange(1, 301)
    for perplexity, colour in ((5, COLOURS[3]), (30, COLOURS[5]), (100, COLOURS[8])):
        p = course.l05_tsne.conditional_probabilities(squared, perplexity)[ONE_DIGIT, order[1:301]]
        axes.plot(ranks, p, color=colour, linewidth=2.5)
        end = int((p > 2e-4).nonzero().max())
        axes.annotate(
            str(perplexity),
            (int(ranks[end]), float(p[end])),
            (-6, 0),
            textcoords="offset points",
            color=colour,
            fontsize=TITLE_POINTS,
            fontweight="bold",
            ha="right",
            va="top",
        )
    axes.set(xscale="log", xlabel="neighbour j, the nearest first")
    axes.set(yscale="log", ylabel="p(j | i)", ylim=(1e-4, 1))
    ticks = (1, 2, 5, 10, 20, 50, 100, 200)
    axes.set_xticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    style_axes(axes, "perplexity 5, 30 and 100")
    return figure


def crowding_and_tail(course: Any) -> Figure:
    """Plot distances in 64 dimensions and on paper, and the tails of two densities.

    The distances are on the left, the tails on the right.
    """
    x, _ = _digits()
    generator = torch.Generator().manual_seed(0)
    paper = torch.rand(4 * len(x), 2, generator=generator) * 2 - 1
    paper = paper[paper.norm(dim=1) < 1][: len(x)]
    figure = new_figure(10, 4.2)
    left = figure.add_subplot(1, 2, 1)
    bins = torch.logspace(0, 2.2, 45)
    places = (("64 pixels", x, COLOURS[3], 5.0, 22.0), ("on paper", paper, COLOURS[5], 22.0, 11.0))
    for name, points, colour, across, up in places:
        distances = course.l05_tsne.squared_distances(points).sqrt().fill_diagonal_(torch.inf)
        nearest = distances.amin(1, keepdim=True).median()
        ratios = (distances / nearest).flatten()
        counts = torch.histogram(ratios[ratios.isfinite()], bins).hist
        left.stairs(100 * counts / counts.sum(), bins, color=colour, fill=True, alpha=0.7)
        left.text(across, up, name, color=colour, fontsize=LABEL_POINTS, fontweight="bold")
    left.set(
        xscale="log", ylim=(0, 30), xlabel="distance / distance of the nearest", ylabel="% of pairs"
    )
    left.set_xticks((1, 3, 10, 30, 100), ("1", "3", "10", "30", "100"))
    left.minorticks_off()
    style_axes(left, "room")

    right = figure.add_subplot(1, 2, 2)
    line = torch.stack([torch.linspace(0, 5, 201), torch.zeros(201)], 1)
    # The affinities of the point at 0 to all others on a line.
    heavy = course.l05_tsne.student_t_affinities(line)[1][0]
    distance = line[1:, 0]
    right.plot(distance, (-distance.square()).exp(), color=COLOURS[3], linewidth=2.5)
    right.plot(distance, heavy[1:], color=COLOURS[5], linewidth=2.5)
    for text, across, up, digit in (("Gaussian", 0.15, 0.12, 3), ("Student's t", 1.55, 0.36, 5)):
        right.text(across, up, text, color=COLOURS[digit], fontsize=LABEL_POINTS, fontweight="bold")
    right.set(xlabel="distance on the map", ylabel="affinity", ylim=(0, 1.02), xlim=(0, 5))
    style_axes(right, "tails")
    return figure


def what_the_tricks_do(course: Any) -> Figure:
    """Draw one set of digits by four ways of descent.

    Under each stands the divergence it reached.
    """
    lesson = course.l05_tsne
    x, _ = _digits()
    p = lesson.conditional_probabilities(lesson.squared_distances(x), 30)
    p = lesson.joint_probabilities(p)
    maps = {
        "all the tricks": _digit_map(lesson.tsne),
        "no exaggeration": lesson.tsne(x, 30, 500, exaggeration=1.0, init="random"),
        "learning rate 1": lesson.tsne(x, 30, 500, learning_rate=1.0),
        "60 steps": _digit_map(lesson.tsne, steps=60),
    }
    figure = new_figure(10, 3.2)
    for number, (title, points) in enumerate(maps.items()):
        axes = figure.add_subplot(1, 4, number + 1)
        _draw(axes, points, title, size=7)
        axes.set_xlabel(f"KL {lesson.kl_divergence(p, points):.2f}")
    return figure


def perplexities_and_seeds(course: Any) -> Figure:
    """Draw maps of four perplexities above four random starts."""
    settings: dict[str, dict[str, Any]] = {
        f"perplexity {perplexity}": {"perplexity": perplexity} for perplexity in (2, 10, 30, 150)
    }
    settings |= {f"seed {seed}": {"init": "random", "seed": seed} for seed in range(4)}
    figure = new_figure(10, 5.5)
    for number, (title, setting) in enumerate(settings.items()):
        points = _digit_map(course.l05_tsne.tsne, FEW, **setting)
        _draw(figure.add_subplot(2, 4, number + 1), points, title, size=9)
    return figure


def three_five_eight(course: Any) -> Figure:
    """Draw where 3, 5 and 8 lie, beside the nearest pairs among the originals.

    Near is the distance between their 64 pixels.
    """
    x, labels = _digits()
    figure = new_figure(11, 7)
    grid = figure.add_gridspec(5, 4, width_ratios=(6.5, 1, 1, 1.3))
    _draw(figure.add_subplot(grid[:, 0]), _digit_map(course.l05_tsne.tsne), bold=(3, 5, 8), size=26)

    distances = course.l05_tsne.squared_distances(x).sqrt().fill_diagonal_(torch.inf)
    for row, (a, b) in enumerate(((3, 3), (3, 8), (3, 5), (5, 8), (0, 1))):
        of_a, of_b = (labels == a).nonzero().flatten(), (labels == b).nonzero().flatten()
        between = distances[of_a][:, of_b]
        i, j = divmod(int(between.argmin()), len(of_b))
        for column, index in ((1, of_a[i]), (2, of_b[j])):
            axes = figure.add_subplot(grid[row, column])
            axes.imshow(16 - x[index].view(8, 8), cmap="gray", vmin=0, vmax=16)
            style_axes(axes)
            axes.set(xticks=[], yticks=[])
        axes = figure.add_subplot(grid[row, 3])
        axes.set_axis_off()
        axes.text(
            0,
            0.5,
            f"{a} to {b}: {between[i, j]:.0f}",
            color=INK,
            fontsize=TITLE_POINTS,
            va="center",
        )
    return figure


def picture_wall(course: Any) -> Figure:
    """Draw the map made of the digits themselves, each in the colour of its class."""
    from matplotlib.colors import to_rgb

    x, labels = _digits()
    ink = torch.tensor([to_rgb(colour) for colour in COLOURS])[labels, :, None, None]
    images = 1 - x.view(-1, 1, 8, 8) / 16 * (1 - ink)
    points = _digit_map(course.l05_tsne.tsne)
    wall = course.l05_tsne.embedding_canvas(images, points, canvas=(2000, 2000), thumbnail=(24, 24))
    figure = new_figure(10, 10)
    axes = figure.add_subplot()
    axes.imshow(wall.permute(1, 2, 0))
    axes.set_axis_off()
    return figure


def kept(course: Any) -> Figure:
    """Plot which share of how many neighbours t-SNE and PCA keep."""
    x, _ = _digits()
    lesson = course.l05_tsne
    maps = {"t-SNE": _digit_map(lesson.tsne), "PCA": lesson.pca(x, 2)}
    counts = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 1700)
    figure = new_figure(8, 4)
    axes = figure.add_subplot()
    for (name, points), colour, place in zip(
        maps.items(), (COLOURS[3], COLOURS[5]), ((1.1, 63), (1.1, 9)), strict=True
    ):
        shares = [100 * lesson.neighbours_kept(x, points, count) for count in counts]
        axes.plot(counts, shares, color=colour, linewidth=2.5, marker="o", markersize=5)
        axes.text(*place, name, color=colour, fontsize=TITLE_POINTS, fontweight="bold")
    chance = [100 * count / (len(x) - 1) for count in counts]
    axes.plot(counts, chance, color=INK, linewidth=1.5, linestyle="--")
    axes.set(xscale="log", xlim=(1, 1797), ylim=(0, 100))
    axes.set(xlabel="neighbours asked for", ylabel="kept on the map, %")
    ticks = (1, 10, 100, 1000)
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.minorticks_off()
    style_plot(axes)
    return figure


def what_a_map_hides(course: Any) -> Figure:
    """Draw points of a plane beside their maps.

    Sizes, gaps and clumps are not what they were.
    """
    figure = new_figure(7, 11)
    rows = {"sizes": (_two_sizes(), 30), "gaps": (_two_gaps(), 30), "noise": (_noise(), 5)}
    for number, (name, ((x, groups), perplexity)) in enumerate(rows.items()):
        mapped = course.l05_tsne.tsne(x, perplexity, 500)
        for side, points, title in ((1, x, name), (2, mapped, f"{name}: t-SNE")):
            axes = figure.add_subplot(3, 2, 2 * number + side)
            colours = [COLOURS[(3, 5, 8)[group]] for group in groups.tolist()]
            axes.scatter(points[:, 0], points[:, 1], s=9, c=colours, linewidths=0)
            _frame(axes, points, title)
    return figure


def _draw(
    axes: Axes, points: Tensor, title: str = "", size: float = 24, bold: tuple[int, ...] = ()
) -> None:
    """Draw each point as its digit.

    With `bold`, the other digits are faint.
    """
    labels = _digits()[1][: len(points)]
    for digit, colour in enumerate(COLOURS):
        chosen = not bold or digit in bold
        x, y = points[labels == digit].T
        axes.scatter(
            x,
            y,
            marker=f"${digit}$",
            s=size,
            color=colour if chosen else INK,
            alpha=1 if chosen else 0.3,
            linewidths=0,
        )
    _frame(axes, points, title)


def _frame(axes: Axes, points: Tensor, title: str) -> None:
    """Draw a square around the points, without ticks.

    The axes of a map have no unit.
    """
    style_axes(axes, title)
    low, high = points.amin(0), points.amax(0)
    (x, y), half = ((low + high) / 2).tolist(), 0.53 * float((high - low).max())
    axes.set(xlim=(x - half, x + half), ylim=(y - half, y + half))
    axes.set(xticks=[], yticks=[], aspect="equal")


def _normal(count: int, centre: float, spread: float, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, 2, generator=generator)
    return noise * spread + torch.tensor([centre, 0.0])


def _two_sizes() -> tuple[Tensor, Tensor]:
    x = torch.cat([_normal(150, 0, 1, seed=0), _normal(150, 35, 8, seed=1)])
    return x, torch.arange(300) // 150


def _two_gaps() -> tuple[Tensor, Tensor]:
    x = torch.cat([_normal(100, centre, 1, seed) for seed, centre in enumerate((0, 8, 60))])
    return x, torch.arange(300) // 100


def _noise() -> tuple[Tensor, Tensor]:
    return _normal(300, 0, 1, seed=0), torch.ones(300, dtype=torch.long)
