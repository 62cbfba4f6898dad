"""Figures of lesson 4, drawn with the course's functions or a student's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from lessons.toolkit.crops import Crops, Place, photo_crops
from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.plots import (
    GREEN,
    INK,
    ORANGE,
    PURPLE,
    TITLE_POINTS,
    name_lines,
    new_figure,
    style_axes,
)
from lessons.toolkit.scenes import make_scenes

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.figure import Figure

SIZE, BATCH = 80, 64  # a crop of 80 pixels costs half of one of 112, and is recognised as well
# Every fourth crop is made a negative: 20 of each photo.
EVERY = 4
LAYERS = ("stem", *(f"stages.{number}" for number in range(7)), "head")
SCENES, VOTES = 320, 5
SCENE_LAYERS = ("block1", "block2", "block3", "block4", "block5")


class _Database(NamedTuple):
    """The crops as pictures, with the network that embeds them."""

    crops: Crops
    rgb: Tensor
    classifier: Classifier


@cache
def _database() -> _Database:
    crops = photo_crops(size=SIZE)
    return _Database(crops, crops.rgb(), load_model())


@cache
def _features(course: Any) -> Tensor:
    """Embed all crops with the last layer that still has maps."""
    seen = _database()
    images = seen.classifier.preprocess.normalise(seen.rgb)
    found: Tensor = course.l04_neighbours.embed(seen.classifier.network, "head", images, BATCH)
    return found


@cache
def _by_layer(course: Any) -> dict[str, dict[str, Tensor]]:
    """Return what every layer makes of the crops, in one pass.

    Returns:
        "database" for all crops and "negatives" for every fourth as a photographic negative; in
        each the pixels, the mean colour, and the averages of each layer.
    """
    seen = _database()
    return {
        "database": _rows(course, seen.classifier, seen.rgb),
        "negatives": _rows(course, seen.classifier, 1 - seen.rgb[::EVERY]),
    }


def _rows(course: Any, classifier: Classifier, rgb: Tensor) -> dict[str, Tensor]:
    pooled: dict[str, list[Tensor]] = {layer: [] for layer in LAYERS}
    capture = course.l02_hooks.capture_activations
    for batch in classifier.preprocess.normalise(rgb).split(BATCH):
        for layer, maps in capture(classifier.network, LAYERS, batch).items():
            pooled[layer].append(maps.mean((2, 3)))
    rows = {layer: torch.cat(parts) for layer, parts in pooled.items()}
    return {"pixels": rgb.flatten(1), "mean colour": rgb.mean((2, 3)), **rows}


def _metric(space: str) -> str:
    return "euclidean" if space in ("pixels", "mean colour") else "cosine"


def neighbours(course: Any) -> Figure:
    """Draw four crops with their nearest by pixels and by features."""
    return _wall(course, (27, 55, 36, 168))


def negatives(course: Any) -> Figure:
    """Draw photographic negatives with the nearest of all crops."""
    return _wall(course, (52, 81, 89, 27), negative=True)


def _wall(course: Any, queries: Sequence[int], negative: bool = False) -> Figure:
    lesson, seen = course.l04_neighbours, _database()
    chosen = list(queries)
    rgb = 1 - seen.rgb[chosen] if negative else seen.rgb[chosen]
    pixels = lesson.pairwise_distances(rgb.flatten(1), seen.rgb.flatten(1), "euclidean")
    images = seen.classifier.preprocess.normalise(rgb)
    features = lesson.embed(seen.classifier.network, "head", images, BATCH)
    features = lesson.pairwise_distances(features, _features(course), "cosine")
    tiles = []
    for row, query in enumerate(chosen):
        tiles.append((0.0, row, rgb[row], False))
        for start, distances in ((1.3, pixels), (5.6, features)):
            if not negative:  # of a negative, to find the crop itself is the question
                distances[row, query] = torch.inf
            for place, index in enumerate(distances[row].topk(4, largest=False).indices.tolist()):
                wrong = bool(seen.crops.photo[index] != seen.crops.photo[query])
                tiles.append((start + place, row, seen.rgb[index], wrong))
    titles = {0.0: "negative" if negative else "crop", 1.3: "nearest by pixels", 5.6: "by features"}
    return _tiled(tiles, titles)


def _tiled(tiles: Sequence[tuple[float, int, Tensor, bool]], titles: dict[float, str]) -> Figure:
    """Draw pictures in columns and rows, those that are wrong in a frame.

    Args:
        tiles: column, row, picture, and whether it is wrong.
        titles: words above the top row, by the column at whose left they begin.
    """
    from matplotlib.patches import Rectangle

    columns = 1 + max(column for column, *_ in tiles)
    rows = 1 + max(row for _, row, *_ in tiles)
    figure = new_figure(8.4, 8.4 * (rows + 0.36) / columns)
    axes = figure.add_subplot()
    gap = 0.05
    for column, row, picture, wrong in tiles:
        left, right = column + gap, column + 1 - gap
        top, bottom = row + gap, row + 1 - gap
        axes.imshow(picture.permute(1, 2, 0).numpy(), extent=(left, right, bottom, top))
        if wrong:
            frame = Rectangle((left, top), right - left, bottom - top, fill=False)
            frame.set(edgecolor=PURPLE, linewidth=3)
            axes.add_patch(frame)
    for column, title in titles.items():
        axes.text(column + gap, -0.08, title, color=INK, fontsize=TITLE_POINTS, fontweight="bold")
    style_axes(axes)
    axes.set(xlim=(0, columns), ylim=(rows, -0.36))
    axes.set_axis_off()
    return figure


def what_moving_costs(course: Any) -> Figure:
    """Plot how far a crop gets from itself as it is moved or turned, in both spaces."""
    lesson, seen = course.l04_neighbours, _database()
    middle = Place("cat", x=170.0, y=112.0, side=96.0, angle=0.0)
    steps = torch.linspace(0, 1, 13).tolist()
    ways = {
        "moved, % of its side": (
            [100 * 0.5 * step for step in steps],
            [replace(middle, x=middle.x + 0.5 * step * middle.side) for step in steps],
        ),
        "turned, degrees": (
            [45 * step for step in steps],
            [replace(middle, angle=45 * step) for step in steps],
        ),
    }
    figure = new_figure(7.2, 3.2)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (label, (amounts, places)) in zip(panels, ways.items(), strict=True):
        rgb = replace(seen.crops, places=tuple(places)).rgb()
        images = seen.classifier.preprocess.normalise(rgb)
        features = lesson.embed(seen.classifier.network, "head", images, BATCH)
        spaces = {
            "pixels": (rgb.flatten(1), seen.rgb.flatten(1), PURPLE, "--"),
            "features": (features, _features(course), ORANGE, "-"),
        }
        others = seen.crops.photo != seen.crops.names.index("cat")
        for name, (moved, database, shade, line) in spaces.items():
            origin = moved[:1]
            usual = lesson.pairwise_distances(origin, database[others], "euclidean").median()
            distances = lesson.pairwise_distances(origin, moved, "euclidean")[0] / usual
            axes.plot(amounts, distances, color=shade, linestyle=line, linewidth=2.5, label=name)
        axes.axhline(1, color=INK, linewidth=1, linestyle=":")
        axes.set(xlabel=label, ylim=(0, 1.15), xlim=(0, amounts[-1]))
        style_axes(axes)
    panels[0].set_ylabel("distance")
    style_axes(panels[0])
    name_lines(panels[0], "upper left")
    return figure


def _precisions(course: Any) -> dict[str, dict[str, float]]:
    """Return the precision of five neighbours in each space.

    Every fourth crop is the query, as it is and as a negative. It is never its own neighbour.
    """
    lesson, rows = course.l04_neighbours, _by_layer(course)
    labels = _database().crops.photo
    itself = torch.arange(len(labels))[::EVERY]
    found: dict[str, dict[str, float]] = {"as they are": {}, "negatives": {}}
    for space, database in rows["database"].items():
        for name in found:
            queries = rows["negatives"][space] if name == "negatives" else database[::EVERY]
            # One more than needed, for the crop itself is dropped wherever it stands.
            indices, _ = lesson.nearest_neighbours(queries, database, 6, _metric(space))
            order = (indices == itself[:, None]).int().argsort(dim=1, stable=True)
            five = indices.gather(1, order)[:, :5]
            found[name][space] = lesson.retrieval_precision(five, labels[itself], labels)
    return found


def what_each_layer_recognises(course: Any) -> Figure:
    """Plot the precision of pixels, mean colour and each layer, also for negatives."""
    precisions = _precisions(course)
    figure = new_figure(7.2, 3.6)
    axes = figure.add_subplot()
    styles = zip(precisions.items(), (INK, ORANGE), ("--", "-"), strict=True)
    for (name, values), shade, line in styles:
        shares = [100 * value for value in values.values()]
        axes.plot(shares, color=shade, linestyle=line, linewidth=2.5, marker="o", label=name)
    names = [name.replace("stages.", "stage ") for name in precisions["negatives"]]
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right")
    axes.set(ylabel="% from the same photo", ylim=(0, 104))
    style_axes(axes)
    name_lines(axes, "lower right")
    return figure


def scenes_by_layer(course: Any) -> Figure:
    """Plot at which layer colour, texture, shape and class of a scene can be read."""
    shares = _scene_accuracies(course)
    figure = new_figure(7.2, 3.6)
    axes = figure.add_subplot()
    looks = {
        "colour": (ORANGE, "--"),
        "texture": (PURPLE, "-."),
        "shape": (GREEN, ":"),
        "class": (INK, "-"),
    }
    for name, values in shares.items():
        shade, line = looks[name]
        percent = [100 * value for value in values.values()]
        axes.plot(percent, color=shade, linestyle=line, linewidth=2.5, marker="o", label=name)
    axes.set_xticks(range(len(SCENE_LAYERS) + 1), ["pixels", *SCENE_LAYERS])
    axes.set(ylabel="% right", ylim=(0, 104))
    style_axes(axes)
    name_lines(axes, "lower right")
    return figure


@cache
def _scene_accuracies(course: Any) -> dict[str, dict[str, float]]:
    lesson, network = course.l04_neighbours, load_model("scenes").network
    scenes = make_scenes(SCENES, seed=0)
    labels = {
        "colour": scenes.labels % 2,
        "texture": scenes.labels // 2 % 2,
        "shape": scenes.labels // 4,
        "class": scenes.labels,
    }
    images, pixels = scenes.inputs(), torch.nn.Sequential(torch.nn.Flatten())
    found = {}
    for name, label in labels.items():
        # Pixels are a layer as well: that of a network that only writes them in a row.
        flat = lesson.accuracy_by_layer(pixels, ["0"], images, label, VOTES)
        deep = lesson.accuracy_by_layer(network, SCENE_LAYERS, images, label, VOTES)
        found[name] = {"pixels": flat["0"], **deep}
    return found
