"""The numbers of the story, measured again. What is expensive is measured once, by the figures."""

from __future__ import annotations

import math
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from autograder.course.figures import reference_course
from lessons.l01_autograd import figures
from lessons.toolkit.seeds import seeded
from solutions.l01_autograd import (
    Stack,
    grad_fn_chain,
    gradient_norm_by_layer,
    input_gradient,
    residual_block,
    vector_jacobian_product,
)

STORY = Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8")
TOLD = " ".join(STORY.split())


@pytest.fixture(scope="module")
def course() -> Any:
    return reference_course()


@pytest.fixture(scope="module")
def cat() -> figures._Cat:
    return figures._cat()


@pytest.fixture(scope="module")
def gradient(cat: figures._Cat) -> torch.Tensor:
    return input_gradient(cat.classifier.network, cat.images, cat.target)


def test_the_three_cats_of_the_first_picture(cat, gradient):
    assert cat.classifier.classes[int(cat.target)] == "tiger cat"
    assert gradient.numel() == 150_528 and "150,528 numbers" in TOLD
    shares = {}
    for levels in (-1, 0, 1, 2, 4):
        moved = figures._moved(cat, gradient[0], levels)
        assert float((moved - cat.rgb).abs().max()) <= abs(levels) / 255 + 1e-6
        shares[levels] = f"{100 * figures._answer(cat, moved)[1]:.0f}"
    assert shares == {-1: "4", 0: "39", 1: "81", 2: "77", 4: "74"}
    assert "tiger cat with 39 %, the second with 4 %, the third with 81 %" in TOLD
    assert "77 and 74 %" in TOLD


def test_how_far_the_promise_holds(cat, gradient):
    network, promised, really = cat.classifier.network, [], []
    with torch.no_grad():
        before = network(cat.images)[0, cat.target]
        for levels in (0.01, 0.1, 1):
            move = levels / 255 / 0.502 * gradient.sign()
            promised.append(round(float((gradient * move).sum()), 2))
            really.append(round(float(network(cat.images + move)[0, cat.target] - before), 2))
    assert promised == pytest.approx([0.14, 1.36, 13.56], abs=0.02)
    assert really == pytest.approx([0.13, 1.11, 3.98], abs=0.02)
    for number in ("0.14", "1.36", "13.56", "0.13", "1.11", "3.98"):
        assert number in STORY
    assert 3 <= promised[2] / really[2] < 3.5 and "three times too high" in TOLD


def test_the_courses_example_and_the_error_without_a_vector():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    with pytest.raises(RuntimeError, match="grad can be implicitly created only for scalar"):
        (3 * x).backward()
    v = torch.tensor([100.0, 0.1])
    for f, expected in (
        (lambda x: 3 * x, [300, 0.3]),
        (lambda x: x * x, [200, 0.4]),
        (lambda x: x.cumsum(0), [100.1, 0.1]),
    ):
        assert vector_jacobian_product(f, x, v).tolist() == pytest.approx(expected)
        assert str([float(number) for number in expected]) in STORY


def test_a_sum_is_a_vector_of_ones():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    assert torch.equal(x.grad, vector_jacobian_product(torch.square, x, torch.ones(2)))


def test_what_fails_the_second_time_and_what_does_not():
    for f, again in ((lambda x: x * x, False), (lambda x: 3 * x, False), (lambda x: x + 1, True)):
        x = torch.tensor(2.0, requires_grad=True)
        y = f(x)
        y.backward()
        if again:
            y.backward()
            assert x.grad == 2 and "`x.grad` is 2" in TOLD
        else:
            with pytest.raises(RuntimeError, match="through the graph a second time"):
                y.backward()


def test_what_single_operations_keep():
    sizes: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        sizes.append(tensor.untyped_storage().nbytes())
        return tensor

    kept = []
    for f in (torch.square, torch.exp, lambda x: x + 1):
        sizes.clear()
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            f(torch.ones(1000, requires_grad=True))
        kept.append(sum(sizes))
    assert kept == [4000, 4000, 0]


def test_what_the_graph_of_a_network_keeps(course, cat, gradient):
    network = cat.classifier.network
    once, twice = figures._memory(course)
    top = max(once.line)
    assert f"{top / 1e6:.0f}" == f"{max(twice.line) / 1e6:.0f}" == "82"
    assert once.line[-1] == twice.line[-1] == 0
    # One pass lets go on its way: half of the memory is gone before the way is over.
    halves = [max(line for line in m.line[m.used[len(m.used) // 2] :]) for m in (once, twice)]
    assert halves[0] < 0.9 * top and halves[1] == max(twice.line)
    last_use = twice.used[-1]
    assert min(twice.line[twice.used[0] : last_use]) == max(twice.line)
    # The weights want their gradient as well; the meter changes nothing.
    with figures._metered(network):
        measured = input_gradient(network, cat.images, cat.target)
    torch.testing.assert_close(measured, gradient)
    with figures._metered(network) as meter, torch.no_grad():
        network(cat.images)
    assert meter.line == [0]
    count = sum(p.numel() for p in network.parameters())
    assert all(p.requires_grad for p in network.parameters())
    assert f"{count / 1e6:.1f} million" in TOLD and f"{4 * count / 1e6:.1f} MB" in TOLD
    assert f"{4 * cat.images.numel() / 1e6:.1f} MB" in TOLD


def test_ten_photos_keep_ten_graphs(cat):
    network = cat.classifier.network
    with figures._metered(network) as meter:
        kept = [network(cat.images)[0, cat.target] for _ in range(2)]
    assert f"{10 * meter.line[-1] / len(kept) / 1e9:.1f} GB" == "0.8 GB" and "0.8 GB" in TOLD


def test_leaves_and_others():
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    middle = x * x
    (3 * middle).sum().backward()
    with warnings.catch_warnings(action="ignore"):  # PyTorch warns whoever looks
        assert middle.grad is None and not middle.is_leaf
    assert x.grad.tolist() == [6, 12]
    copy = (x / 255).requires_grad_()
    assert not copy.is_leaf


def test_the_chain_of_the_whole_network(cat):
    logits = cat.classifier.network(cat.images)
    assert grad_fn_chain(logits) == ["AddmmBackward0", "AccumulateGrad"]
    rows, _ = figures._walk(logits)
    assert 200 < len(rows) < 1000 and "hundreds of operations" in TOLD


def test_the_drawn_graph_is_the_real_one(course):
    labels = [text.get_text() for text in figures.graph(course).axes[0].texts if text.get_text()]
    assert sorted(labels) == sorted(
        ["Mean", "Pow", "Sub", "Sigmoid", "Add", "Mul", "b.grad", "x.grad", "w.grad"]
    )
    x = torch.ones(1, requires_grad=True)
    block = residual_block(x, torch.sigmoid)
    assert grad_fn_chain(block) == ["AddBackward0", "AccumulateGrad"]


def test_slopes_of_activations():
    x = torch.linspace(-8, 8, 1601, dtype=torch.float64)
    steep = vector_jacobian_product(torch.sigmoid, x, torch.ones_like(x))
    assert float(steep.max()) == 0.25 and 0.25**10 < 1e-6
    leaky = vector_jacobian_product(nn.LeakyReLU(), x, torch.ones_like(x))
    assert {round(slope, 9) for slope in leaky.tolist()} == {0.01, 1.0}
    # PyTorch's start: variance 1 / (3 n) a weight, and a ReLU shuts half of the ways.
    weight = nn.Linear(2000, 2000).weight.detach()
    assert float((weight.var() * 2000 / 2) ** 0.5) == pytest.approx(0.41, abs=0.005)
    assert "41 % of a gradient" in TOLD
    he = nn.init.kaiming_normal_(torch.empty(2000, 2000), nonlinearity="relu")
    assert float(he.std() / weight.std()) == pytest.approx(math.sqrt(6), rel=0.01)
    assert f"{math.sqrt(6):.1f} times as large" in TOLD


def test_how_deep_the_gradient_reaches(course):
    first = {
        (name, residual): figures._reach(course, name, 50, residual)
        for name in figures.ACTIVATIONS
        for residual in (False, True)
    }
    assert f"{first['sigmoid', False][0]:.0e}" == "1e-41"
    assert f"{first['ReLU', False][0]:.0e}" in ("5e-19", "6e-19")
    same = first["LeakyReLU", False] / first["ReLU", False]
    assert float(same.min()) > 0.8 and float(same.max()) < 1.25
    assert "fall" in TOLD and all(float(first[n, True].min()) > 1 for n in figures.ACTIVATIONS)
    by_depth = [float(figures._reach(course, "ReLU", depth, True)[0]) for depth in (10, 30, 50)]
    assert by_depth[0] < by_depth[1] / 10 < by_depth[2] / 100
    # A straight line on the logarithmic scale: the same factor at each block.
    steps = first["sigmoid", False][5:45].log().diff()
    assert float(steps.std()) < 0.15 * float(steps.mean())
    assert torch.finfo(torch.float32).smallest_normal * 2**-23 == pytest.approx(1.4e-45, rel=0.01)


def test_tanh_is_not_enough():
    images, labels = figures._digits()
    logs = []
    for seed in range(figures.SEEDS):
        with seeded(seed):
            deep = Stack(64, 10, depth=50, activation=nn.Tanh)
        logs.append(math.log(gradient_norm_by_layer(deep, images[:64], labels[:64])["blocks.0.0"]))
    assert f"{math.exp(sum(logs) / len(logs)):.0e}" == "2e-11" and r"2 \cdot 10^{-11}" in STORY


def test_four_ways_to_start(course):
    left = {}
    for name in figures.STARTS:
        with seeded(0):
            norms = figures._levels(course, name)
        assert float(norms[-1]) == pytest.approx(1, abs=1e-5)
        left[name] = float(norms[0])
    plain, he, _, _ = left.values()
    assert f"{plain:.0e}" == "7e-20"
    assert f"{100 * he:.0f} %" == "45 %" and "45 % of the gradient is left" in TOLD
    assert left["shortcuts"] > 1e4 and 0.5 < left["shortcuts, weights a tenth"] < 2


def right(runs: list[figures._Run]) -> tuple[int, int]:
    """The least and the most digits that were right at the end, in percent."""
    ends = [run.accuracy[-1] for run in runs]
    return round(min(ends)), round(max(ends))


@pytest.mark.slow
def test_deep_plain_networks_do_not_learn_and_residual_ones_do(course):
    runs = figures._trained(course)
    assert all(len(of) == 5 for of in runs.values())
    for name in ("sigmoid", "ReLU"):
        assert right(runs[name, False])[0] >= 9 and right(runs[name, False])[1] <= 11
        assert all(run.loss == pytest.approx(math.log(10), abs=0.01) for run in runs[name, False])
    low, high = right(runs["sigmoid", True])
    least, most = right(runs["ReLU", True])
    assert f"sigmoids get {low} to {high} % right, the ReLUs {least} to {most} %" in TOLD


@pytest.mark.slow
def test_the_plain_ones_are_stuck_and_not_slow(course):
    def stack(name: str, seed: int) -> nn.Module:
        return figures._stack(course, name, figures.DEEP, False, seed)

    for name in ("sigmoid", "ReLU"):
        assert f"{figures._learn(stack(name, 0), 0, steps=1000).loss:.2f}" == "2.30"
    low, high = right([figures._learn(stack("ReLU", s), s, eps=1e-20) for s in range(3)])
    assert f"{low} to {high} % right after 200 steps, from three starts" in TOLD
    assert right([figures._learn(stack("sigmoid", s), s, eps=1e-20) for s in range(3)])[1] <= 11


@pytest.mark.slow
def test_the_shortcut_is_neither_the_only_cure_nor_a_sure_one(course):
    started = []
    for seed in range(figures.SEEDS):
        model = figures._stack(course, "ReLU", figures.DEEP, False, seed)
        with seeded(seed + 100):
            for block in model.get_submodule("blocks").children():
                figures._he(block.get_submodule("0"))
                nn.init.zeros_(block.get_submodule("0").bias)
        started.append(figures._learn(model, seed))
    low, high = right(started)
    assert f"thirty plain blocks do learn: {low} to {high} % of the digits" in TOLD
    fifty = [figures._stack(course, "ReLU", 50, True, seed) for seed in range(figures.SEEDS)]
    low, high = right([figures._learn(model, seed) for seed, model in enumerate(fifty)])
    assert f"got {low} to {high} % right after 200 steps, from five starts" in TOLD
