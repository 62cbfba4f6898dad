"""The matrix: each technique on two questions, and on random weights.

A map that explains an answer changes with the question, and falls apart with the weights (Adebayo
et al. 2018, "Sanity checks for saliency maps").
"""

from __future__ import annotations

import textwrap
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from lessons.toolkit.models import with_random_weights
from lessons.toolkit.plots import figure_png, new_figure, overlay
from lessons.toolkit.technique import Subject, Technique, rank_agreement, signed

ALPHA = 0.8
FINE = 4  # a map of fewer rows than a fourth of the picture's needs the picture under it
# Above these a sentence says that a map does not follow the question, or the weights.
SAME_FOR_BOTH, SAME_WITHOUT_TRAINING = 0.9, 0.5
# The picture is passed on, and stands on pages of any colour: it brings its own.
PAPER, TEXT, PALE = "#ffffff", "#1c2430", "#57606a"
INCHES = 2.0  # height of a row of the picture
DOTS_PER_INCH = 100


@dataclass(frozen=True)
class Cell:
    """One map of the matrix.

    Args:
        image: float (3, H, W) in [0, 1].
        caption: whom it asks, or of what network.
        correlation: rank correlation with the first map of the row; None where it has none.
        empty: the map is zero everywhere.
    """

    image: Tensor
    caption: str
    correlation: float | None
    empty: bool

    @property
    def number(self) -> str:
        """Rank correlation as a reader meets it."""
        return signed(self.correlation)


@dataclass(frozen=True)
class Row:
    """One technique: the first class, the second, the first on random weights."""

    technique: Technique
    cells: list[Cell]

    @property
    def verdict(self) -> str:
        """Say in words what the numbers of the row show, or nothing."""
        _, second, *untrained = [cell.correlation for cell in self.cells]
        found = []
        if second is not None and second > SAME_FOR_BOTH:
            found.append("hardly asks which class")
        if untrained and untrained[0] is not None and untrained[0] > SAME_WITHOUT_TRAINING:
            found.append("is drawn much alike by a network that has learnt nothing")
        return f"{self.technique.title} {' and '.join(found)}." if found else ""


def with_random_network(subject: Subject) -> Subject | None:
    """Return the same questions to a copy of the network with random weights.

    None where the network cannot be copied.
    """
    try:
        network = with_random_weights(subject.classifier.network)
    except Exception:  # a network of anybody's making may refuse to be copied in any way
        return None
    return replace(subject, classifier=replace(subject.classifier, network=network))


def compare(course: Any, subject: Subject, untrained: Subject | None, technique: Technique) -> Row:
    """Draw the maps of one technique side by side, with how alike they are.

    Args:
        course: whose functions draw it.
        subject: the picture and the trained network.
        untrained: the same with random weights.
        technique: one that has a heatmap.

    Raises:
        Declined: the technique does not apply.
    """
    assert technique.heatmap is not None
    asked = [
        (f"“{subject.name()}”", subject, 0),
        (f"“{subject.name(subject.other_rank())}”", subject, subject.other_rank()),
    ]
    if untrained is not None:
        asked.append((f"“{subject.name()}”, random weights", untrained, 0))
    maps = [technique.heatmap(course, who, rank).cpu() for _, who, rank in asked]
    cells = []
    for (caption, _, _), values in zip(asked, maps, strict=True):
        coarse = values.shape[0] * FINE < subject.rgb.shape[1]
        image = overlay(subject.rgb, values, ALPHA) if coarse else subject.drawn(values)
        cells.append(Cell(image, caption, rank_agreement(maps[0], values), not values.any()))
    return Row(technique, cells)


def draw_matrix(subject: Subject, rows: list[Row], credits: list[str]) -> bytes:
    """Draw the matrix as one picture to pass on, a PNG file.

    Args:
        subject: the picture, and what the network sees in it.
        rows: techniques, in the order of the page.
        credits: who made the photos.
    """
    aspect = subject.rgb.shape[2] / subject.rgb.shape[1]
    columns = len(rows[0].cells)
    width, label = INCHES * aspect, 1.9
    figure = new_figure(label + columns * width, 0.9 + (len(rows) + 1) * (INCHES + 0.1))
    figure.patch.set(facecolor=PAPER, alpha=1)
    grid = figure.add_gridspec(len(rows) + 1, columns + 1, width_ratios=[label, *[width] * columns])
    side = figure.add_subplot(grid[0, 0])
    _words(side, f"What does\n{subject.classifier.name}\nsee?", weight="bold", size=13)
    _picture(figure.add_subplot(grid[0, 1]), subject.rgb)
    other = subject.other_rank()
    answer = figure.add_subplot(grid[0, 2:])
    _words(
        answer,
        f"It answers “{subject.name()}” ({100 * subject.probability():.1f} %).\n"
        f"The second question is “{subject.name(other)}” ({100 * subject.probability(other):.1f} %)"
        "\n\nUnder each map: its rank correlation with the\nfirst of its row. A map that explains "
        "the answer\nchanges with the question, and with the weights.",
        size=12,
    )
    for number, row in enumerate(rows, start=1):
        _words(figure.add_subplot(grid[number, 0]), _broken(row.technique.title), weight="bold")
        for place, cell in enumerate(row.cells, start=1):
            axes = figure.add_subplot(grid[number, place])
            _picture(axes, cell.image)
            if number == 1:
                axes.set_title(cell.caption, color=TEXT, fontsize=13, fontweight="bold")
            words = "nothing" if cell.empty else f"{cell.number}"
            if place > 1 or cell.empty:
                axes.set_xlabel(words, color=TEXT, fontsize=13)
    made_by = "ConvLens tour"
    figure.supxlabel("  ·  ".join([made_by, *credits]), color=PALE, fontsize=10, x=0.01, ha="left")
    figure.set_dpi(DOTS_PER_INCH)
    return figure_png(figure)


def _broken(title: str) -> str:
    return "\n".join(textwrap.wrap(title, 14, break_long_words=False))


def _picture(axes: Any, image: Tensor) -> None:
    axes.imshow(image.clamp(0, 1).permute(1, 2, 0).numpy())
    axes.set(xticks=[], yticks=[])
    axes.set_frame_on(False)


def _words(axes: Any, text: str, weight: str = "normal", size: int = 13) -> None:
    axes.set_axis_off()
    axes.patch.set_alpha(0)
    written = axes.text(0, 0.5, text, color=TEXT, fontsize=size, fontweight=weight)
    written.set(transform=axes.transAxes, va="center")
