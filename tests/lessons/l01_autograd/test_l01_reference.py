"""The reference against captum, torch.func, finite differences, and networks solved on paper."""

from __future__ import annotations

import pytest
import torch
from captum.attr import Saliency
from torch import Tensor, nn

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import NETWORKS, build
from solutions.l01_autograd import (
    Stack,
    accumulated_gradient,
    grad_fn_chain,
    gradient_by_depth,
    gradient_norm_by_layer,
    input_gradient,
    residual_block,
    vector_jacobian_product,
)

TARGET = torch.tensor([0, 4, 2])

CLASSIFIERS = [name for name in NETWORKS if name != "painter"]


def network(name: str) -> nn.Module:
    return build(ModelSpec(name, seed=1, dtype="float64"))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def photos(count: int = 3) -> Tensor:
    return normal(count, 3, 14, 18)


FUNCTIONS = {
    "elementwise": lambda x: x.sin() * x,
    "fewer outputs": lambda x: x.pow(3).sum(1),
    "more outputs": lambda x: torch.cat([x, x.exp(), x[:, :1] * x[:, 1:]], 1),
    "one number": lambda x: x.square().sum(),
    "softmax": lambda x: x.softmax(1),
    "one after the other": lambda x: x.cumsum(1).tanh(),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_vector_jacobian_product_agrees_with_the_whole_jacobian(name):
    f, x = FUNCTIONS[name], normal(2, 4)
    v = normal(*f(x).shape, seed=1)
    jacobian = torch.func.jacrev(f)(x)
    expected = (v.flatten() @ jacobian.reshape(v.numel(), x.numel())).view_as(x)
    ours = vector_jacobian_product(f, x, v)
    torch.testing.assert_close(ours, expected)
    # And with slopes measured by steps, which no autograd has touched.
    step = 1e-6 * torch.eye(8, dtype=torch.float64).view(8, 2, 4)
    slopes = [((f(x + s) - f(x - s)) * v).sum() / 2e-6 for s in step]
    torch.testing.assert_close(ours, torch.stack(slopes).view(2, 4), rtol=1e-6, atol=1e-8)


def test_the_courses_example():
    x, v = torch.tensor([1.0, 2.0]), torch.tensor([100.0, 0.1])
    torch.testing.assert_close(
        vector_jacobian_product(lambda x: 3 * x, x, v), torch.tensor([300.0, 0.3])
    )


def test_no_weight_behind_a_function_collects_a_gradient():
    layer, x = nn.Linear(4, 3).double(), normal(2, 4).requires_grad_()
    x.grad = torch.ones_like(x)
    first = vector_jacobian_product(layer, x, normal(2, 3))
    more = accumulated_gradient(lambda x: layer(x).sum(), x, 2)
    assert layer.weight.grad is None and layer.bias.grad is None
    assert torch.equal(x.grad, torch.ones_like(x))
    assert not first.requires_grad and not more.requires_grad


@pytest.mark.parametrize("function", ["exp", "relu", "sigmoid"])
def test_k_passes_give_k_times_the_gradient(function):
    def f(x: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return getattr(torch, function)(x).sum()

    x, calls = normal(3, 5), 0
    once = torch.func.grad(f)(x)
    for times in (1, 2, 7):
        calls = 0
        torch.testing.assert_close(accumulated_gradient(f, x, times), times * once)
        assert calls == 1


def test_it_works_where_the_caller_has_turned_autograd_off():
    def f(x: Tensor) -> Tensor:
        return x.square().sum()

    with torch.inference_mode():
        x = torch.ones(3)
        one = torch.ones(())
        inside = vector_jacobian_product(f, x, one), accumulated_gradient(f, x, 3)
        levels = gradient_by_depth([torch.sigmoid] * 3, x, x)
    outside = vector_jacobian_product(f, x, one), accumulated_gradient(f, x, 3)
    for result in (inside, outside):
        assert [r.tolist() for r in result] == [[2.0] * 3, [6.0] * 3]
    torch.testing.assert_close(levels, gradient_by_depth([torch.sigmoid] * 3, x, x))


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_input_gradients_agree_with_captum(name, unchanged):
    model, images = network(name), photos().requires_grad_()
    with unchanged(model, images):
        ours = input_gradient(model, images, TARGET)
    theirs = Saliency(model).attribute(images, TARGET, abs=False)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)
    assert not ours.requires_grad


def test_input_gradients_come_image_by_image():
    model, images = network("normalised"), photos()
    alone = [input_gradient(model, images[i : i + 1], TARGET[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(input_gradient(model, images, TARGET), torch.cat(alone))


def test_the_linear_network_has_its_weights_everywhere():
    model, images = network("linear"), photos()
    rows = model.mix.weight.detach()[TARGET]
    torch.testing.assert_close(
        input_gradient(model, images, TARGET), rows.expand(-1, -1, 14, 18), rtol=0, atol=0
    )


def test_chains_of_graphs_that_are_known():
    x = normal(2, 3).requires_grad_()
    mean = ["MeanBackward0", "ReluBackward0", "AccumulateGrad"]
    assert grad_fn_chain(x.relu().mean()) == mean
    assert grad_fn_chain(x) == grad_fn_chain(x.detach()) == grad_fn_chain((3 * x).detach()) == []
    # The first input that has a node: the constant before it has none.
    assert grad_fn_chain(torch.ones(2, 3) * x) == ["MulBackward0", "AccumulateGrad"]
    layer = nn.Linear(3, 2).double()
    assert grad_fn_chain(layer(x.exp())) == ["AddmmBackward0", "AccumulateGrad"]  # the bias


def test_a_chain_may_be_longer_than_python_can_recurse():
    y = torch.ones(1, requires_grad=True)
    for _ in range(20_000):
        y = y + 1
    assert grad_fn_chain(y) == ["AddBackward0"] * 20_000 + ["AccumulateGrad"]


def test_a_function_of_ones_own_has_a_node_of_its_own_name():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return 2 * x

        @staticmethod
        def backward(ctx, gradient):
            return 2 * gradient

    x = torch.ones(1, requires_grad=True)
    assert grad_fn_chain(Double.apply(x)) == ["DoubleBackward", "AccumulateGrad"]


@pytest.mark.parametrize("name", [name for name in CLASSIFIERS if name != "frozen"])
def test_norms_agree_with_backward(name, unchanged):
    model, images = network(name), photos()
    with unchanged(model, images):
        norms = gradient_norm_by_layer(model, images, TARGET)
    model(images)[torch.arange(3), TARGET].sum().backward()
    expected = {}
    for layer, module in model.named_modules():
        own = list(module.parameters(recurse=False))
        if own:
            flat = [torch.zeros(p.numel()) if p.grad is None else p.grad.flatten() for p in own]
            expected[layer] = float(torch.linalg.vector_norm(torch.cat(flat)))
    assert norms == pytest.approx(expected, rel=1e-12)
    assert list(norms) == list(expected) and all(type(norm) is float for norm in norms.values())


def test_norms_agree_with_finite_differences():
    model, images, step = network("inplace"), photos(), 1e-6
    squares = 0.0
    weight = model.classifier.weight
    with torch.no_grad():
        for row, column in [(r, c) for r in range(5) for c in range(8)]:
            sums = []
            for sign in (1, -1):
                weight[row, column] += sign * step
                sums.append(float(model(images)[torch.arange(3), TARGET].sum()))
                weight[row, column] -= sign * step
            squares += ((sums[0] - sums[1]) / (2 * step)) ** 2
    squares += 3.0  # the bias: each image's own class, with slope 1
    norms = gradient_norm_by_layer(model, images, TARGET)
    assert norms["classifier"] == pytest.approx(squares**0.5, rel=1e-6)


def test_norms_of_frozen_layers_are_left_out(unchanged):
    assert gradient_norm_by_layer(network("frozen"), photos(), TARGET) == {}
    model = network("plain")
    model.conv1.requires_grad_(False)
    model.conv2.bias.requires_grad_(False)
    with unchanged(model):
        assert list(gradient_norm_by_layer(model, photos(), TARGET)) == ["conv2", "classifier"]
    nested = gradient_norm_by_layer(network("nested"), photos(), TARGET)
    assert nested["auxiliary"] == 0 and min(v for k, v in nested.items() if k != "auxiliary") > 0


def test_slopes_too_small_for_float32_squares():
    torch.manual_seed(0)
    model = Stack(64, 10, depth=40, activation=nn.Sigmoid)
    images, target = torch.randn(2, 1, 8, 8), torch.tensor([3, 7])
    norms = gradient_norm_by_layer(model, images, target)
    exact = gradient_norm_by_layer(model.double(), images.double(), target)
    assert 0 < norms["stem"] < 1e-25 and norms == pytest.approx(exact, rel=1e-3)


def test_a_residual_block_adds(unchanged):
    x = normal(2, 4, 3, 3)
    branch, shortcut = nn.Conv2d(4, 6, 3, padding=1).double(), nn.Conv2d(4, 6, 1).double()
    with unchanged(branch, x):
        torch.testing.assert_close(
            residual_block(x, branch, shortcut), branch(x) + shortcut(x), rtol=0, atol=0
        )
    assert torch.equal(residual_block(x, torch.zeros_like), x)
    with pytest.raises(ValueError, match=r"shapes \(2, 6, 3, 3\) and \(2, 4, 3, 3\), which differ"):
        residual_block(x, branch)
    with pytest.raises(ValueError, match="which differ"):
        residual_block(normal(2, 5), lambda x: x.sum(1, keepdim=True))


def test_a_branch_that_works_in_place_leaves_the_shortcut_alone():
    x = normal(2, 5)
    for given in (x.clone(), x.clone().requires_grad_()):
        result = residual_block(given, nn.ReLU(inplace=True))
        torch.testing.assert_close(result, x + x.relu())
        assert torch.equal(given, x) and result.requires_grad == given.requires_grad


def test_the_slope_of_a_residual_block_is_one_more():
    x = normal(4).requires_grad_()
    (gradient,) = torch.autograd.grad(residual_block(x, torch.sigmoid).sum(), x)
    slope = x.sigmoid() * (1 - x.sigmoid())
    torch.testing.assert_close(gradient, (1 + slope).detach())


@pytest.mark.parametrize("residual", [False, True])
def test_gradients_by_depth_agree_with_jacobians(residual, unchanged):
    branches = nn.Sequential(*(nn.Sequential(nn.Linear(3, 3), nn.Tanh()) for _ in range(4)))
    branches, x, v = branches.double(), normal(2, 3), normal(2, 3, seed=1)
    with unchanged(branches, x, v):
        norms = gradient_by_depth(branches, x, v, residual)
    level, expected = x, []
    for depth in range(5):

        def rest(x: Tensor, depth: int = depth) -> Tensor:
            for branch in list(branches)[depth:]:
                x = x + branch(x) if residual else branch(x)
            return x

        jacobian = torch.autograd.functional.jacobian(rest, level).reshape(6, 6)
        expected.append((v.flatten() @ jacobian).norm())
        if depth < 4:
            with torch.no_grad():
                step = branches[depth](level)
                level = level + step if residual else step
    torch.testing.assert_close(norms, torch.stack(expected))
    assert not norms.requires_grad
    assert all(parameter.grad is None for parameter in branches.parameters())


def test_no_branches_leave_the_vector_as_it_is():
    v = torch.tensor([3.0, 4.0])
    assert gradient_by_depth([], torch.zeros(2), v).tolist() == [5.0]


@pytest.mark.gpu
def test_results_stay_on_the_gpu():
    model, images = network("plain").cuda(), photos().cuda()
    target = TARGET.cuda()
    assert input_gradient(model, images, target).device == images.device
    on_cpu = gradient_norm_by_layer(network("plain"), photos(), TARGET)
    assert gradient_norm_by_layer(model, images, target) == pytest.approx(on_cpu, rel=1e-6)
    x = images.flatten()
    for result in (
        vector_jacobian_product(torch.exp, x, x),
        accumulated_gradient(lambda x: x.exp().sum(), x, 2),
        residual_block(x, torch.exp),
        gradient_by_depth([torch.sigmoid] * 5, x, x),
    ):
        assert result.device == images.device and result.dtype == images.dtype
