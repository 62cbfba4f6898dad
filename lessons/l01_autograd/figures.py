"""Figures of lesson 1, drawn with the course's functions or a student's own.

What they measure is measured here once, and the tests of the story's numbers read it here too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import (
    GREEN,
    INK,
    LABEL_POINTS,
    ORANGE,
    PURPLE,
    TITLE_POINTS,
    image_grid,
    name_lines,
    new_figure,
    signed_to_rgb,
    style_axes,
    style_plot,
)
from lessons.toolkit.seeds import seeded

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACTIVATIONS: dict[str, tuple[type[nn.Module], str]] = {
    "sigmoid": (nn.Sigmoid, PURPLE),
    "ReLU": (nn.ReLU, ORANGE),
    "LeakyReLU": (nn.LeakyReLU, GREEN),
}
PIXELS, CLASSES = 64, 10  # of the digits
DEPTHS = (2, 5, 10, 15, 20, 30, 40, 50)
DEEP = 30  # blocks of the networks that learn
TRAINED = 1400  # digits to learn from; the others are the test
SEEDS = 5
STEPS, BATCH, EVERY = 200, 64, 10
LEVEL = 1 / 255  # one step of a colour in a file


class _Cat(NamedTuple):
    """The course's photo, and what the network says it is."""

    classifier: Classifier
    rgb: Tensor
    images: Tensor
    target: Tensor


@cache
def _cat() -> _Cat:
    classifier = load_model()
    rgb = classifier.preprocess.crop_rgb(load_photo("cat"))
    images = classifier.preprocess.normalise(rgb)[None]
    with torch.no_grad():
        target = classifier.network(images).argmax(1)
    return _Cat(classifier, rgb, images, target)


def _moved(cat: _Cat, gradient: Tensor, levels: float) -> Tensor:
    """Return the cat with each colour moved by so many levels the way its slope says."""
    return (cat.rgb + levels * LEVEL * gradient.sign()).clamp(0, 1)


def _answer(cat: _Cat, rgb: Tensor) -> tuple[str, float, float]:
    """Return the first answer, and probability and logit of the cat's own class."""
    with torch.no_grad():
        logits = cat.classifier.network(cat.classifier.preprocess.normalise(rgb)[None])[0]
    name = cat.classifier.classes[int(logits.argmax())]
    return name, float(logits.softmax(0)[cat.target]), float(logits[cat.target])


def nudged(course: Any) -> Figure:
    """Draw the gradient at the cat, and the cat one level down and up its slopes."""
    cat = _cat()
    network = cat.classifier.network
    gradient = course.l01_autograd.input_gradient(network, cat.images, cat.target)[0]
    name = cat.classifier.classes[int(cat.target)]
    shares = {levels: _answer(cat, _moved(cat, gradient, levels))[1] for levels in (-1, 0, 1)}
    titles = {0: name, -1: "down the slopes", 1: "up the slopes"}
    as_it_was, down, up = (f"{titles[n]}: {100 * shares[n]:.0f} %" for n in (0, -1, 1))
    return image_grid(
        [cat.rgb, signed_to_rgb(gradient), _moved(cat, gradient, -1), _moved(cat, gradient, 1)],
        [as_it_was, "the slopes", down, up],
        columns=2,
        inches=3.1,
    )


def _walk(y: Tensor) -> tuple[dict[Any, int], list[tuple[Any, Any]]]:
    """Return every node behind a tensor with its row, and the edges between them.

    A node's row is the longest way to it from the tensor's own node.
    """
    inputs: dict[Any, list[Any]] = {}
    waiting: list[Any] = [y.grad_fn]
    while waiting:
        node = waiting.pop()
        if node not in inputs:
            inputs[node] = [before for before, _ in node.next_functions if before is not None]
            waiting += inputs[node]
    # A node is placed when all that it feeds are: each edge is walked once.
    still = Counter(below for some in inputs.values() for below in some)
    rows: dict[Any, int] = {y.grad_fn: 0}
    ready: list[Any] = [y.grad_fn]
    for node in ready:
        for below in inputs[node]:
            rows[below] = max(rows.get(below, 0), rows[node] + 1)
            still[below] -= 1
            if not still[below]:
                ready.append(below)
    return rows, [(node, below) for node in ready for below in inputs[node]]


def _draw_graph(
    axes: Axes, y: Tensor, chain: Sequence[str], leaves: dict[str, Tensor], lowest: int
) -> None:
    """Draw the graph behind a tensor from the top down, with a chain in orange."""
    rows, edges = _walk(y)
    names = {id(leaf): name for name, leaf in leaves.items()}
    on_chain, node = set(), y.grad_fn
    for name in chain:  # the student's own walk, as far as it agrees with the graph
        if node is None or type(node).__name__ != name:
            break
        on_chain.add(node)
        node = next((before for before, _ in node.next_functions if before is not None), None)
    # The inputs of a node hang below it, side by side; what feeds several hangs below the first.
    columns = {y.grad_fn: 0.0}
    for node in sorted(rows, key=lambda node: rows[node]):
        inputs = [below for above, below in edges if above is node]
        for place, below in enumerate(inputs):
            columns.setdefault(below, columns[node] + 1.5 * (place - (len(inputs) - 1) / 2))
    places = {node: (columns[node], -row) for node, row in rows.items()}
    for above, below in edges:
        shade = ORANGE if {above, below} <= on_chain else INK
        axes.annotate(
            "",
            xy=(places[below][0], places[below][1] + 0.27),
            xytext=(places[above][0], places[above][1] - 0.27),
            arrowprops={"arrowstyle": "-|>", "color": shade, "linewidth": 2.2},
        )
    for node, (column, row) in places.items():
        label = type(node).__name__.removesuffix("0").removesuffix("Backward")
        if label == "AccumulateGrad":
            label = f"{names.get(id(node.variable), '')}.grad"
        shade = ORANGE if node in on_chain else INK
        axes.text(
            column,
            row,
            label,
            color=shade,
            ha="center",
            va="center",
            fontsize=TITLE_POINTS,
            fontweight="bold",
            bbox={"boxstyle": "round,pad=0.35", "facecolor": "none", "edgecolor": shade, "lw": 2},
        )
    style_axes(axes)
    axes.set_axis_off()
    middle = (min(columns.values()) + max(columns.values())) / 2
    axes.set(xlim=(middle - 1.9, middle + 1.9), ylim=(-lowest - 0.45, 0.45))


def graph(course: Any) -> Figure:
    """Draw the graph of a small network, and in it the chain that was walked."""
    x, weight, bias = (torch.tensor([value], requires_grad=True) for value in (0.5, 2.0, -1.0))
    y = ((x * weight + bias).sigmoid() - 1).square().mean()
    figure = new_figure(6, 6)
    chain = course.l01_autograd.grad_fn_chain(y)
    _draw_graph(figure.add_subplot(), y, chain, {"x": x, "w": weight, "b": bias}, 6)
    return figure


class _Held:
    """A tensor that the graph keeps, and that tells the meter when it is let go of."""

    def __init__(self, meter: _Meter, tensor: Tensor) -> None:
        self.meter, self.tensor = meter, tensor.detach()
        storage = tensor.untyped_storage()
        self.place, self.size = storage.data_ptr(), storage.nbytes()
        meter.take(self)

    def __del__(self) -> None:
        self.meter.give(self)


class _Meter:
    """Bytes that autograd keeps for the way back, from event to event.

    Memory that two operations keep is counted once, and the network's own weights not at all: they
    are there with or without a graph.
    """

    def __init__(self, network: nn.Module) -> None:
        own = [*network.parameters(), *network.buffers()]
        self.ignored = {tensor.untyped_storage().data_ptr() for tensor in own}
        self.holders: Counter[int] = Counter()
        self.line = [0]
        self.used: list[int] = []  # when something was used on the way back

    def take(self, held: _Held) -> None:
        first = held.place not in self.ignored and self.holders[held.place] == 0
        self.holders[held.place] += 1
        self.line.append(self.line[-1] + held.size * first)

    def give(self, held: _Held) -> None:
        self.holders[held.place] -= 1
        last = held.place not in self.ignored and self.holders[held.place] == 0
        self.line.append(self.line[-1] - held.size * last)

    def use(self, held: _Held) -> Tensor:
        self.used.append(len(self.line))
        self.line.append(self.line[-1])
        return held.tensor


@contextmanager
def _metered(network: nn.Module) -> Iterator[_Meter]:
    """Watch for a block what autograd keeps."""
    meter = _Meter(network)
    hooks = torch.autograd.graph.saved_tensors_hooks(lambda t: _Held(meter, t), meter.use)
    with hooks:
        yield meter


def _memory(course: Any) -> tuple[_Meter, _Meter]:
    """Watch one backward pass that lets go, and two that retain the graph."""
    cat, lesson = _cat(), course.l01_autograd
    network = cat.classifier.network
    with _metered(network) as once:
        lesson.input_gradient(network, cat.images, cat.target)
    with _metered(network) as twice:
        lesson.accumulated_gradient(lambda x: network(x)[0, cat.target].sum(), cat.images, 2)
    return once, twice


def memory(course: Any) -> Figure:
    """Plot how much memory the graph holds on the way forward and back."""
    figure = new_figure(9, 4)
    titles = ("one pass back", "two, with retain_graph")
    for number, (meter, title) in enumerate(zip(_memory(course), titles, strict=True)):
        axes = figure.add_subplot(1, 2, number + 1)
        line = torch.tensor(meter.line) / 1e6
        every = range(0, len(line), 4)
        shade = (ORANGE, PURPLE)[number]
        axes.fill_between(every, line[::4], color=shade, alpha=0.25, linewidth=0)
        axes.plot(every, line[::4], color=shade, linewidth=2.5)
        # A second pass begins where the top of the network is used again.
        uses = meter.used
        starts = [0, uses[0], *([uses[len(uses) // 2], uses[-1] + 1] if number else []), len(line)]
        words = ("forward", "back", "back", "let go") if number else ("forward", "back")
        for start, end, text in zip(starts[:-1], starts[1:], words, strict=True):
            middle = (start + end) / 2
            axes.text(middle, 93, text, color=INK, ha="center", va="center", fontsize=LABEL_POINTS)
            if start:
                axes.axvline(start, color=INK, linewidth=1, linestyle="--")
        axes.set(ylim=(0, 100), xlim=(0, len(line) - 1), xticks=[])
        axes.set_ylabel("" if number else "kept, MB")
        style_plot(axes, title)
    return figure


def slopes(course: Any) -> Figure:
    """Plot three activations, and the slope of each."""
    x = torch.linspace(-5, 5, 401)
    figure = new_figure(9, 3.7)
    height, slope = figure.subplots(1, 2)
    for name, (make, shade) in ACTIVATIONS.items():
        style = "--" if name == "LeakyReLU" else "-"
        line: Any = {"color": shade, "linewidth": 2.5, "linestyle": style, "label": name}
        height.plot(x, make()(x), **line)
        steep = course.l01_autograd.vector_jacobian_product(make(), x, torch.ones_like(x))
        slope.plot(x, steep, **line)
    height.set(ylim=(-0.6, 3))
    slope.set(ylim=(-0.05, 1.1))
    slope.set_yticks((0, 0.25, 0.5, 0.75, 1))
    for axes, title in ((height, "what goes on"), (slope, "the slope")):
        axes.set_xticks((-4, -2, 0, 2, 4))
        axes.axhline(0, color=INK, linewidth=0.8)
        style_plot(axes, title)
    name_lines(height, "upper left")
    return figure


def two_ways(course: Any) -> Figure:
    """Draw the graphs of a plain layer and of a residual block."""
    figure = new_figure(9, 4.8)
    for number, title in enumerate(("plain", "residual")):
        x, weight = (torch.ones(1, requires_grad=True) for _ in range(2))

        def branch(x: Tensor, weight: Tensor = weight) -> Tensor:
            return torch.sigmoid(x * weight)

        y = course.l01_autograd.residual_block(x, branch) if number else branch(x)
        axes = figure.add_subplot(1, 2, number + 1)
        _draw_graph(axes, y, course.l01_autograd.grad_fn_chain(y), {"x": x, "w": weight}, 4)
        axes.set_title(title, color=INK, fontsize=TITLE_POINTS, fontweight="bold")
    return figure


@cache
def _digits() -> tuple[Tensor, Tensor]:
    """Return digits (1797, 1, 8, 8), of mean 0 and spread 1, and their labels."""
    from sklearn.datasets import load_digits

    data, labels = (torch.from_numpy(part) for part in load_digits(return_X_y=True))
    images = data.float().view(-1, 1, 8, 8)
    return (images - images.mean()) / images.std(), labels.long()


def _stack(course: Any, name: str, depth: int, residual: bool, seed: int) -> nn.Module:
    with seeded(seed):
        made: nn.Module = course.l01_autograd.Stack(
            PIXELS, CLASSES, depth, ACTIVATIONS[name][0], residual
        )
    return made


def _block_norms(course: Any, name: str, depth: int, residual: bool, seed: int) -> Tensor:
    """Return the gradient's norm in each block before any training, (depth,)."""
    images, labels = _digits()
    model = _stack(course, name, depth, residual, seed)
    norms = course.l01_autograd.gradient_norm_by_layer(model, images[:BATCH], labels[:BATCH])
    return torch.tensor([norm for layer, norm in norms.items() if layer.startswith("blocks")])


def _reach(course: Any, name: str, depth: int, residual: bool) -> Tensor:
    """Return the geometric mean of the blocks' norms over the seeds, (depth,)."""
    runs = [_block_norms(course, name, depth, residual, seed) for seed in range(SEEDS)]
    return torch.stack(runs).double().log().mean(0).exp()


def reach(course: Any) -> Figure:
    """Plot the gradient of each block of fifty, and of the first block of 2 to 50."""
    figure = new_figure(9, 5)
    by_block, by_depth = figure.subplots(1, 2, sharey=True)
    for name, (_, shade) in ACTIVATIONS.items():
        leaky = name == "LeakyReLU"  # on the line of ReLU, so it is drawn thin on a thick one
        line = {"color": shade, "linewidth": 1.5 if leaky else 4, "linestyle": "-"}
        for residual in (False, True):
            norms = _reach(course, name, DEPTHS[-1], residual)
            by_block.plot(range(1, len(norms) + 1), norms, **line)
            first = [float(_reach(course, name, depth, residual)[0]) for depth in DEPTHS]
            by_depth.plot(DEPTHS, first, marker="o", markersize=4 if leaky else 8, **line)
    by_block.set(yscale="log", ylim=(1e-45, 1e7), xlim=(1, 50), xlabel="block")
    by_depth.set(xlim=(0, 50), xlabel="blocks in all")
    by_block.set_ylabel("norm of the gradient")
    by_block.set_yticks([10.0**power for power in (-40, -30, -20, -10, 0)])
    by_block.minorticks_off()
    by_depth.minorticks_off()
    for axes, title in ((by_block, "fifty blocks"), (by_depth, "the first block")):
        axes.set_xticks((1, 10, 20, 30, 40, 50))
        style_plot(axes, title)
    for x, y, text, shade in (
        (2, 1e-2, "with shortcuts", INK),
        (2, 3e-6, "plain ReLU", ORANGE),
        (2, 1e-9, "plain LeakyReLU", GREEN),
        (24, 1e-26, "plain sigmoid", PURPLE),
    ):
        by_block.text(x, y, text, color=shade, fontsize=LABEL_POINTS, fontweight="bold")
    return figure


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let a block calculate on one thread.

    On small layers a second one only gets in the way.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


class _Run(NamedTuple):
    """Test accuracy in percent each ten steps, and the mean of the last losses."""

    accuracy: list[float]
    loss: float


@_one_thread()
def _learn(model: nn.Module, seed: int, steps: int = STEPS, eps: float = 1e-8) -> _Run:
    """Train a classifier of digits as the story's cell does."""
    images, labels = _digits()
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3, eps=eps, fused=True)
    accuracy, losses = [], []
    for step in range(steps + 1):
        if step % EVERY == 0:
            with torch.no_grad():
                right = model(images[TRAINED:]).argmax(1) == labels[TRAINED:]
            accuracy.append(100 * float(right.float().mean()))
        batch = torch.randint(TRAINED, (BATCH,), generator=generator)
        loss = F.cross_entropy(model(images[batch]), labels[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    return _Run(accuracy, sum(losses[-EVERY:]) / EVERY)


@cache
def _trained(course: Any) -> dict[tuple[str, bool], list[_Run]]:
    """Return the trainings by activation, plain and residual, from each seed."""
    return {
        (name, residual): [
            _learn(_stack(course, name, DEEP, residual, seed), seed) for seed in range(SEEDS)
        ]
        for name in ("sigmoid", "ReLU")
        for residual in (False, True)
    }


def training(course: Any) -> Figure:
    """Plot how deep networks learn the digits, plain and residual, from five seeds."""
    figure = new_figure(9, 3.9)
    runs = _trained(course)
    for number, name in enumerate(("sigmoid", "ReLU")):
        axes = figure.add_subplot(1, 2, number + 1)
        own = ACTIVATIONS[name][1]
        for residual, shade in ((False, INK), (True, own)):
            for run in runs[name, residual]:
                steps = range(0, STEPS + 1, EVERY)
                axes.plot(steps, run.accuracy, color=shade, linewidth=1.6, alpha=0.8)
        axes.set(ylim=(0, 100), xlim=(0, STEPS), xlabel="step")
        axes.set_ylabel("" if number else "right, %")
        style_plot(axes, f"{DEEP} blocks, {name}")
        for height, text, shade in ((50, "with shortcuts", own), (18, "plain", INK)):
            axes.text(
                STEPS - 8,
                height,
                text,
                color=shade,
                ha="right",
                fontsize=LABEL_POINTS,
                fontweight="bold",
            )
    return figure


def _as_it_is(layer: nn.Linear) -> None:
    """Leave the weights as PyTorch starts them."""


def _he(layer: nn.Linear) -> None:
    """Start the weights so that a ReLU layer keeps the size of what passes (He et al. 2015)."""
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")


@torch.no_grad()
def _tenth(layer: nn.Linear) -> None:
    """Start with a branch that adds little."""
    layer.weight.mul_(0.1)


STARTS: dict[str, tuple[bool, Callable[[nn.Linear], None], str]] = {
    "plain, PyTorch's start": (False, _as_it_is, INK),
    "plain, He's start": (False, _he, GREEN),
    "shortcuts": (True, _as_it_is, ORANGE),
    "shortcuts, weights a tenth": (True, _tenth, PURPLE),
}


def _levels(course: Any, start: str, seed: int = 0, depth: int = 50) -> Tensor:
    """Return the gradient at each level of fifty ReLU blocks, (51,)."""
    residual, begin, _ = STARTS[start]
    model = _stack(course, "ReLU", depth, residual, seed)
    for block in model.get_submodule("blocks").children():
        layer = block.get_submodule("0")
        assert isinstance(layer, nn.Linear)
        begin(layer)
        nn.init.zeros_(layer.bias)
    generator = torch.Generator().manual_seed(seed)
    x, v = torch.randn(2, BATCH, 32, generator=generator)
    blocks = list(model.get_submodule("blocks").children())
    return course.l01_autograd.gradient_by_depth(blocks, x, v / v.norm(), residual).double()


def starts(course: Any) -> Figure:
    """Plot the gradient by level for four ways to start fifty ReLU blocks."""
    figure = new_figure(8, 4.4)
    axes = figure.add_subplot()
    for name, (_, _, shade) in STARTS.items():
        with seeded(0):
            norms = _levels(course, name)
        axes.plot(norms, color=shade, linewidth=2.5, label=name)
    axes.set(yscale="log", xlim=(0, 50), ylim=(1e-21, 1e6), xlabel="level")
    axes.set_yticks([10.0**power for power in (-20, -15, -10, -5, 0, 5)])
    axes.set_ylabel("gradient, 1 at the top")
    axes.minorticks_off()
    style_plot(axes)
    name_lines(axes, "lower right")
    return figure
