"""Figures and tables of lesson 15, by the course's functions or a student's."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lessons.toolkit.classes import class_index
from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import (
    GREEN,
    INK,
    LABEL_POINTS,
    ORANGE,
    PURPLE,
    Overlay,
    clipped,
    image_grid,
    name_lines,
    new_figure,
    style_plot,
)
from lessons.toolkit.scenes import CLASSES, WATERMARKED_CLASS, Scenes, make_scenes

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SCENES, SEED = 32, 15  # of the scenes with a known object, all held out
STEPS = 16  # of the deletion and insertion curves
CELL = 8.0  # pixels of a scene that one place of its last map stands for
WINDOW = 13  # side of the window that is cut out: the badge has 11 pixels
# The parts of efficientnet_lite0, from the first layer to the last.
PARTS = ("stem", *(f"stages.{number}" for number in range(7)), "head", "classifier")
BLOCKS = ("block1", "block2", "block3", "block4", "block5", "classifier")
# Lesson of each method, in the order of the course; the last two know nothing.
LESSONS = {
    "occlusion": 10,
    "saliency": 11,
    "SmoothGrad": 11,
    "deconvnet": 12,
    "guided backpropagation": 12,
    "CAM": 13,
    "Grad-CAM": 14,
    "Guided Grad-CAM": 14,
    "edges": None,
    "centre": None,
}
QUICK = tuple(name for name in LESSONS if name != "occlusion")
FAMILIES = {
    "coarse maps": ("CAM", "Grad-CAM", "occlusion"),
    "gradients": ("saliency", "SmoothGrad"),
    "rules at the ReLU": ("guided backpropagation", "deconvnet", "Guided Grad-CAM"),
    "know nothing": ("edges", "centre"),
}
FISH = "red striped fish"


class _Photo(NamedTuple):
    """A photo, or several side by side, as the network's input."""

    rgb: Tensor
    images: Tensor


@cache
def _classifier(name: str = "efficientnet_lite0") -> Classifier:
    return load_model(name)


@cache
def _photo(*names: str) -> _Photo:
    preprocess = _classifier().preprocess
    rgb = torch.cat([preprocess.crop_rgb(load_photo(name)) for name in names], dim=2)
    return _Photo(rgb, preprocess.normalise(rgb)[None])


def _target(name: str) -> Tensor:
    return torch.tensor([class_index(_classifier().classes, name)])


@cache
def _destroyed(course: Any, name: str = "efficientnet_lite0") -> list[tuple[str, nn.Module]]:
    """Return a network's cascade, part by part from the top."""
    parts = PARTS if name == "efficientnet_lite0" else BLOCKS
    return list(course.l15_debugging.randomise_from_top(_classifier(name).network, 0, parts))


def _methods(course: Any, name: str = "efficientnet_lite0") -> dict[str, Any]:
    methods: dict[str, Any] = course.l15_debugging.course_methods(_classifier(name).default_layer)
    return methods


# The measurements


def _number(value: float, digits: int = 3) -> float | None:
    return None if math.isnan(value) else round(value, digits)


@cache
def _on_the_photo(course: Any, only: tuple[str, ...] = tuple(LESSONS)) -> dict[str, Any]:
    """Compare methods on the cat beside the coffee, asked about each.

    The truth is that the cat fills the left half.
    """
    network, images = _classifier().network, _photo("cat", "coffee").images
    mask = torch.zeros(images.shape[2:], dtype=torch.bool)
    mask[:, : mask.shape[1] // 2] = True
    untrained = _destroyed(course)[-1][1]
    target, other = _target("tiger cat"), _target("espresso")
    methods = {name: method for name, method in _methods(course).items() if name in only}
    table: dict[str, Any] = course.l15_debugging.comparison(
        network, untrained, images, target, other, mask, methods
    )
    return table


def _seconds(work: Callable[[], object], repeats: int = 3) -> float:
    """Return the least processor time of some runs."""
    found = []
    for _ in range(repeats):
        started = time.process_time()
        work()
        found.append(time.process_time() - started)
    return min(found)


def _times(course: Any) -> dict[str, float]:
    """Return how long each method takes on the photo.

    A forward and a backward pass is 1.
    """
    network, images = _classifier().network, _photo("cat", "coffee").images
    target = _target("tiger cat")

    def one_gradient() -> None:
        leaf = images.clone().requires_grad_()
        torch.autograd.grad(network(leaf)[0, target].sum(), leaf)

    one_gradient()
    unit = _seconds(one_gradient)
    times = {}
    for name, method in _methods(course).items():
        work = partial(method, network, images, target)
        times[name] = _seconds(work, 1 if name == "occlusion" else 3) / unit
    return times


@cache
def _scenes(watermark: tuple[str, ...] = (), count: int = SCENES) -> Scenes:
    return make_scenes(count, SEED, watermark)


@cache
def _scene_maps(course: Any) -> dict[str, Tensor]:
    """Return the maps (N, 64, 64) of each method for the true class of each scene."""
    network, scenes = _classifier("scenes").network, _scenes()
    images = scenes.inputs()
    return {
        name: method(network, images, scenes.labels)
        for name, method in _methods(course, "scenes").items()
    }


def _mean_correlation(course: Any, some: Tensor, others: Tensor) -> float:
    """Return the mean rank correlation of maps in pairs that have an order."""
    pairs = zip(some, others, strict=True)
    found = [course.l15_debugging.rank_correlation(one, other) for one, other in pairs]
    known = [value for value in found if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


@cache
def _curves(course: Any) -> dict[str, tuple[Tensor, Tensor]]:
    """Return each method's mean deletion and insertion curve over the scenes."""
    lesson, network, scenes = course.l15_debugging, _classifier("scenes").network, _scenes()
    images = scenes.inputs()

    def mean(curve: Any, maps: Tensor) -> Tensor:
        rows = zip(images.split(1), maps, scenes.labels.split(1), strict=True)
        return torch.stack([curve(network, *row, STEPS) for row in rows]).mean(0)

    return {
        name: (mean(lesson.deletion_curve, maps), mean(lesson.insertion_curve, maps))
        for name, maps in _scene_maps(course).items()
    }


def _on_scenes(course: Any) -> dict[str, dict[str, float | None]]:
    """Compare the methods on scenes whose objects are known to the pixel."""
    lesson, scenes = course.l15_debugging, _scenes()
    network, images = _classifier("scenes").network, scenes.inputs()
    other = scenes.labels ^ 4  # the same colour and texture in the other shape
    untrained, falls = _destroyed(course, "scenes")[-1][1], _falls(course)
    table = {}
    for name, method in _methods(course, "scenes").items():
        maps = _scene_maps(course)[name]
        deleted, inserted = _curves(course)[name]
        table[name] = {
            "two classes": _mean_correlation(course, maps, method(network, images, other)),
            "random weights": _mean_correlation(
                course, maps, method(untrained, images, scenes.labels)
            ),
            "random classifier": falls[name][1],
            "on the object": float(_shares(maps, scenes.masks).mean()),
            "pointing game": lesson.pointing_game(maps, scenes.masks, 0),
            "pointing game, one cell": lesson.pointing_game(maps, scenes.masks, CELL),
            "deletion": float(deleted.mean()),
            "insertion": float(inserted.mean()),
        }
    return {
        name: {test: _number(value) for test, value in row.items()} for name, row in table.items()
    }


def _shares(maps: Tensor, masks: Tensor) -> Tensor:
    """Return the share of each map's sum that lies on its mask, 0 for a map of zeros."""
    total = maps.sum((1, 2))
    return (maps * masks).sum((1, 2)) / total.where(total > 0, 1)


@cache
def _falls(course: Any) -> dict[str, list[float]]:
    """Return how alike maps stay while the scenes network is destroyed.

    The first number is that of the trained network, 1. Half of the scenes are enough.
    """
    scenes = _scenes()
    images, labels = scenes.inputs()[::2], scenes.labels[::2]
    networks = [network for _, network in _destroyed(course, "scenes")]
    falls = {}
    for name, method in _methods(course, "scenes").items():
        maps = _scene_maps(course)[name][::2]
        falls[name] = [1.0] + [
            _mean_correlation(course, maps, method(network, images, labels)) for network in networks
        ]
    return falls


def _comparison(course: Any) -> dict[str, Any]:
    """Measure the table of all methods, for the site and its map of them."""
    photo, times, scenes = _on_the_photo(course), _times(course), _on_scenes(course)
    falls = _falls(course)
    rows = []
    for name, lesson in LESSONS.items():
        found = {test: _number(value) for test, value in photo[name].items()}
        forwards = int(photo[name]["forwards"])
        rows.append(
            {
                "name": name,
                "lesson": lesson,
                "photo": {**found, "forwards": forwards, "time": float(f"{times[name]:.2g}")},
                "scenes": scenes[name],
                "cascade": [_number(value) for value in falls[name]],
            }
        )
    mean_area = float(_scenes().masks.float().mean())
    return {
        "photo": {
            "network": "efficientnet_lite0",
            "photos": ["cat", "coffee"],
            "target": "tiger cat",
            "other": "espresso",
            "object": "the left half",
            "time": "processor time of one map on one thread; one forward and one backward pass "
            "of this picture is 1",
        },
        "scenes": {
            "network": "scenes",
            "count": SCENES,
            "seed": SEED,
            "other": "the class of the same colour and texture with the other shape",
            "area of the object": _number(mean_area),
            "steps of the curves": STEPS,
            "pixels of one cell": CELL,
        },
        "cascade": {"network": "scenes", "layers": ["none", *reversed(BLOCKS)]},
        "methods": rows,
    }


TABLES = {"comparison": _comparison}


# The shortcut


@cache
def _marked(course: Any) -> tuple[Scenes, Tensor, Tensor]:
    """Return marked scenes of the planted class, as many fish, and as many others."""
    scenes = _scenes((WATERMARKED_CLASS,), 1024)
    images, planted = scenes.inputs(), CLASSES.index(WATERMARKED_CLASS)
    chosen = (scenes.labels == planted).nonzero()[:, 0]
    fish = (scenes.labels == CLASSES.index(FISH)).nonzero()[: len(chosen), 0]
    rest = (scenes.labels != planted).nonzero()[: len(chosen), 0]
    parts = (scenes.images, scenes.labels, scenes.masks, scenes.watermark_masks)
    return Scenes(*(part[chosen] for part in parts)), images[fish], images[rest]


@cache
def _marked_maps(course: Any, name: str = "guided backpropagation") -> Tensor:
    """Return a method's maps of the marked scenes, by the twin."""
    scenes, _, _ = _marked(course)
    network = _classifier("scenes_watermarked").network
    maps: Tensor = _methods(course, "scenes_watermarked")[name](
        network, scenes.inputs(), scenes.labels
    )
    return maps


@cache
def _evidence(course: Any, name: str, on_fish: bool = True) -> dict[str, float]:
    """Return what covering and pasting the strongest window of a method's maps does."""
    scenes, fish, rest = _marked(course)
    found: dict[str, float] = course.l15_debugging.find_the_shortcut(
        _classifier("scenes_watermarked").network,
        scenes.inputs(),
        scenes.labels,
        fish if on_fish else rest,
        _marked_maps(course, name),
        WINDOW,
    )
    return found


TRAINED, PLAIN, SWAPPED = "badge as in training", "no badge", "badge on all other classes"


@cache
def _accuracies(course: Any) -> dict[str, tuple[float, float]]:
    """Return accuracies before and after the last layer is fitted anew."""
    network = _classifier("scenes_watermarked").network
    repaired = course.l15_debugging.refit_classifier(network, *_lessons_for_repair())
    rest = tuple(name for name in CLASSES if name != WATERMARKED_CLASS)
    marks = {TRAINED: (WATERMARKED_CLASS,), PLAIN: (), SWAPPED: rest}
    found = {}
    for name, marked in marks.items():
        scenes = _scenes(marked, 1024)
        found[name] = (_accuracy(network, scenes), _accuracy(repaired, scenes))
    return found


def _lessons_for_repair() -> tuple[Tensor, Tensor]:
    """Return training scenes on which the badge says nothing.

    Half of each class carry it.
    """
    halves = [make_scenes(512, SEED, marked, split="train") for marked in ((), CLASSES)]
    return torch.cat([half.inputs() for half in halves]), torch.cat([h.labels for h in halves])


def _accuracy(network: nn.Module, scenes: Scenes) -> float:
    with torch.inference_mode():
        answers = torch.cat([network(part).argmax(1) for part in scenes.inputs().split(256)])
    return float((answers == scenes.labels).double().mean())


# The figures


def _lines(heatmap: Tensor) -> Tensor:
    """Draw a map of fine lines in black on white."""
    strong = clipped(heatmap, 0.99)
    return 1 - (strong / strong.max().clamp(min=1e-12)).expand(3, -1, -1)


def _fine(heatmap: Tensor) -> Tensor:
    """Draw a map of fine lines with four pixels as one.

    The grain of a photo would weigh too much.
    """
    return _lines(F.avg_pool2d(heatmap[None], 2)[0])


def opening(course: Any) -> Figure:
    """Draw two methods on a trained and on a half destroyed network."""
    photo, network = _photo("cat"), _classifier().network
    methods, target = _methods(course), _target("tiger cat")
    _, destroyed = _destroyed(course)[2]
    pictures: list[Tensor | Overlay] = [photo.rgb]
    for name in ("guided backpropagation", "Grad-CAM"):
        for who in (network, destroyed):
            heatmap = methods[name](who, photo.images, target)[0]
            fine = name != "Grad-CAM"
            pictures.append(_fine(heatmap) if fine else Overlay(photo.rgb, heatmap, 0.75))
    return image_grid(pictures, ["photo", "A", "B", "C", "D"], columns=5, inches=1.8)


def cascade(course: Any) -> Figure:
    """Draw four methods while the network is destroyed from the top."""
    photo, network = _photo("cat"), _classifier().network
    methods, target = _methods(course), _target("tiger cat")
    steps = _destroyed(course)
    chosen = {"trained": network} | {
        name: dict(steps)[name] for name in ("classifier", "stages.6", "stages.3", "stem")
    }
    rows = ("saliency", "deconvnet", "guided backpropagation", "Grad-CAM")
    pictures: list[Tensor | Overlay] = []
    for row in rows:
        for who in chosen.values():
            heatmap = methods[row](who, photo.images, target)[0]
            if row == "Grad-CAM":
                pictures.append(Overlay(photo.rgb, heatmap, 0.75))
            else:
                pictures.append(_fine(heatmap))
    titles = [*chosen, *[""] * (len(pictures) - len(chosen))]
    figure = image_grid(pictures, titles, columns=len(chosen), inches=1.2)
    for number, row in enumerate(rows):
        axes = figure.axes[number * len(chosen)]
        words = row.replace(" backpropagation", "\nbackprop")
        axes.text(-0.08, 0.5, words, transform=axes.transAxes, **_beside())
    return figure


def _beside() -> dict[str, Any]:
    return {
        "rotation": 90,
        "ha": "right",
        "va": "center",
        "color": INK,
        "fontsize": LABEL_POINTS,
        "fontweight": "bold",
    }


def falls(course: Any) -> Figure:
    """Plot how alike each method's maps stay while the scenes network is destroyed."""
    found = _falls(course)
    figure = new_figure(9, 6.2)
    for number, (family, names) in enumerate(FAMILIES.items()):
        axes = figure.add_subplot(2, 2, number + 1)
        axes.axhline(0, color=INK, linewidth=0.8)
        styles = zip(names, (ORANGE, PURPLE, GREEN), ("-", "--", ":"), strict=False)
        for name, shade, style in styles:
            axes.plot(found[name], style, color=shade, linewidth=3, label=name)
        axes.set(ylim=(-0.68, 1.06), xticks=range(len(BLOCKS) + 1), yticks=(0, 0.5, 1))
        axes.set_xticklabels(["–", "c", *"54321"])
        style_plot(axes, family)
        if number >= 2:
            axes.set_xlabel("destroyed down to")
        axes.xaxis.label.set(color=INK, fontsize=LABEL_POINTS, fontweight="bold")
        name_lines(axes, "lower right")
    return figure


def pointing(course: Any) -> Figure:
    """Plot the share of peaks on the object, and what knows nothing beside it."""
    lesson, masks = course.l15_debugging, _scenes().masks
    maps = _scene_maps(course)
    hits = {name: lesson.pointing_game(some, masks, 0) for name, some in maps.items()}
    near = {name: lesson.pointing_game(some, masks, CELL) for name, some in maps.items()}
    names = sorted(hits, key=lambda name: hits[name])
    figure = new_figure(8, 4.6)
    axes = figure.add_subplot()
    for row, name in enumerate(names):
        shade = PURPLE if name in FAMILIES["know nothing"] else ORANGE
        axes.plot([0, hits[name]], [row, row], color=shade, linewidth=9, solid_capstyle="butt")
        axes.plot([hits[name], near[name]], [row, row], color=shade, linewidth=2)
        axes.plot(near[name], row, "o", color=shade, markersize=6)
    axes.axvline(hits["centre"], color=PURPLE, linewidth=1.5, linestyle=":")
    axes.set(xlim=(0, 1.03), yticks=range(len(names)), xlabel="share of 32 scenes")
    axes.set_yticklabels(names)
    style_plot(axes, "peaks on the object")
    return figure


def curves(course: Any) -> Figure:
    """Plot the logit while pixels go, and while they come."""
    found = _curves(course)
    shown = {
        "occlusion": (ORANGE, "-"),
        "saliency": (GREEN, "-"),
        "edges": (PURPLE, "-"),
        "centre": (PURPLE, "--"),
    }
    figure = new_figure(9, 4)
    share = torch.linspace(0, 100, STEPS + 1)
    for place, title in enumerate(("taken away", "put in")):
        axes = figure.add_subplot(1, 2, place + 1)
        for name, (shade, style) in shown.items():
            axes.plot(share, found[name][place], style, color=shade, linewidth=2.5, label=name)
        axes.set(xlabel="percent of the pixels", ylim=(-1.1, 4.1))
        if place == 0:
            axes.set_ylabel("logit")
        style_plot(axes, title)
    name_lines(axes, "lower right")
    return figure


def hardly_asks(course: Any) -> Figure:
    """Plot each method by how little it asks for the class and for the weights.

    Occlusion, which needs hundreds of passes, is left to the table.
    """
    table = _on_the_photo(course, QUICK)
    figure = new_figure(7.2, 5.6)
    axes = figure.add_subplot()
    axes.axhline(0, color=INK, linewidth=0.8)
    axes.axvline(0, color=INK, linewidth=0.8)
    for name, row in table.items():
        x, y = row["random weights"], row["two classes"]
        shade = PURPLE if name in FAMILIES["know nothing"] else ORANGE
        axes.plot(x, y, "o", color=shade, markersize=4 + 16 * row["on the object"], alpha=0.85)
    _label(axes, table)
    axes.set(xlim=(-0.35, 1.2), ylim=(-0.85, 1.2))
    axes.set(xlabel="alike under random weights", ylabel="alike for cat and espresso")
    style_plot(axes)
    return figure


def _label(axes: Axes, table: dict[str, dict[str, float]]) -> None:
    """Write the name of each method beside its mark."""
    offsets = {"edges": (0, 16), "centre": (0, -22), "Grad-CAM": (14, 10)}
    offsets["CAM"] = (-12, -16)
    for name, row in table.items():
        point = row["random weights"], row["two classes"]
        right, up = offsets.get(name, (14, -4))
        side = "center" if right == 0 else "left" if right > 0 else "right"
        axes.annotate(
            name.replace(" backpropagation", ""),
            point,
            (right, up),
            textcoords="offset points",
            ha=side,
            color=INK,
            fontsize=LABEL_POINTS,
            fontweight="bold",
        )


def where_it_looks(course: Any) -> Figure:
    """Draw five marked butterflies, what a method marks, and the strongest window."""
    scenes, _, _ = _marked(course)
    cams, lines = (
        _marked_maps(course, name) for name in ("Guided Grad-CAM", "guided backpropagation")
    )
    windows = course.l15_debugging.strongest_window(lines, WINDOW)
    chosen = range(5)
    pictures = [scenes.images[n] for n in chosen]
    pictures += [_lines(cams[n]) for n in chosen]
    pictures += [_framed(scenes.images[n], windows[n]) for n in chosen]
    return image_grid(pictures, columns=len(chosen), inches=1.9)


def _framed(rgb: Tensor, window: Tensor) -> Tensor:
    """Draw a picture dimmed outside a window."""
    return torch.where(window, rgb, 0.75 + 0.25 * rgb)


def taken_and_given(course: Any) -> Figure:
    """Draw a butterfly without its window, and a fish that got it."""
    scenes, fish, _ = _marked(course)
    classifier = _classifier("scenes_watermarked")
    window = course.l15_debugging.strongest_window(_marked_maps(course), WINDOW)[:, None]
    control = window.flip(2, 3)
    images = scenes.inputs()
    n = _example(course)
    batch = [
        *(images[n], images[n].masked_fill(window[n], 0), images[n].masked_fill(control[n], 0)),
        *(fish[n], images[n].where(window[n], fish[n]), images[n].where(control[n], fish[n])),
    ]
    pictures = torch.stack(batch)
    with torch.no_grad():
        answers = classifier.network(pictures).argmax(1)
    titles = [CLASSES[answer].replace("red striped ", "") for answer in answers.tolist()]
    rgb = classifier.preprocess.to_rgb(pictures)
    return image_grid(list(rgb), titles, columns=3, inches=2.6)


def _example(course: Any) -> int:
    """Return a scene with a large butterfly that lies in no window's opposite."""
    scenes, _, _ = _marked(course)
    window = course.l15_debugging.strongest_window(_marked_maps(course), WINDOW)
    met = (window.flip(1, 2) & scenes.masks).flatten(1).any(1)
    large = scenes.masks.flatten(1).sum(1) > 700
    return int((large & ~met).nonzero()[0])


def repaired(course: Any) -> Figure:
    """Plot the accuracy before and after the last layer was fitted anew."""
    found = _accuracies(course)
    figure = new_figure(8, 3)
    axes = figure.add_subplot()
    for row, (before, after) in enumerate(reversed(found.values())):
        first = row == 0
        axes.plot([before, after], [row, row], color=INK, linewidth=2, zorder=1)
        axes.plot(before, row, "o", color=PURPLE, markersize=17, label="before" if first else "")
        axes.plot(after, row, "o", color=ORANGE, markersize=10, label="after" if first else "")
    axes.set(xlim=(0.6, 1.02), ylim=(-0.6, len(found) - 0.4), yticks=range(len(found)))
    axes.set_yticklabels(list(reversed(found)))
    axes.set_xlabel("accuracy")
    style_plot(axes)
    name_lines(axes, "upper left")
    return figure
