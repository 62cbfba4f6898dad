from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from captum.attr import Deconvolution, GuidedBackprop
from pytorch_grad_cam import GuidedBackpropReLUModel
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from solutions.l02_hooks import capture_activations
from solutions.l12_guided_backprop import (
    GuidedReLU,
    deconvnet,
    guided_backprop,
    likeness,
    likeness_after_shuffling,
    neuron_pattern,
    redirect_relus,
    relu_backward,
)

TARGET = torch.tensor([0, 4, 2])
RULES = ["backprop", "deconvnet", "guided"]
METHODS = {"guided": guided_backprop, "deconvnet": deconvnet}
NETWORKS = ["plain", "inplace", "functional", "relu6", "residual", "normalised"]


def network(name: str) -> nn.Module:
    return build(ModelSpec(name, seed=1, dtype="float64"))


def photos(count: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, 3, 14, 18, generator=generator, dtype=torch.float64)


def plain_gradient(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    images = images.detach().requires_grad_()
    score = model(images).gather(1, target[:, None]).sum()
    return torch.autograd.grad(score, images)[0]


def captum(method: type, model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it announces its hooks
        return method(model).attribute(images.detach().clone(), target).detach()


def grad_cam_package(model: nn.Module, image: Tensor, target: int) -> Tensor:
    picture = GuidedBackpropReLUModel(model)(image.detach().clone(), target)
    return torch.from_numpy(picture).permute(2, 0, 1)[None]


class OnPixels(nn.Module):
    """A network of the three numbers of a 1 x 1 image: small enough to go back through on paper."""

    def __init__(self, logit, **modules: nn.Module) -> None:
        super().__init__()
        self.logit = logit
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, images: Tensor) -> Tensor:
        return self.logit(self, images.flatten(1)).sum(1, keepdim=True)


def on_paper(network: nn.Module, pixel: list[float], method=guided_backprop) -> list[float]:
    image = torch.tensor(pixel, dtype=torch.float64).view(1, 3, 1, 1)
    return method(network, image, torch.tensor([0])).flatten().tolist()


# The three rules


def test_the_rules_differ_where_the_table_says():
    x = torch.tensor([1.0, 1.0, -1.0, -1.0, 0.0, 0.0])
    gradient = torch.tensor([2.0, -2.0, 2.0, -2.0, 2.0, -2.0])
    assert relu_backward("backprop", x, gradient).tolist() == [2, -2, 0, 0, 0, 0]
    assert relu_backward("deconvnet", x, gradient).tolist() == [2, 0, 2, 0, 2, 0]
    assert relu_backward("guided", x, gradient).tolist() == [2, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("rule", RULES)
def test_a_rule_keeps_type_and_shape(rule):
    x, gradient = photos(), photos().flip(0)
    result = relu_backward(rule, x, gradient)
    assert result.shape == x.shape
    assert result.dtype == torch.float64


def test_an_unknown_rule_is_named():
    one = torch.ones(1)
    with pytest.raises(ValueError, match="gided"):
        relu_backward("gided", one, one)
    with pytest.raises(ValueError, match="gided"):
        neuron_pattern(network("plain"), "conv2", 0, photos(1), "gided")


def test_guided_relu_by_hand():
    x = torch.tensor([3.0, 3.0, -3.0, -3.0], requires_grad=True)
    y = GuidedReLU.apply(x)
    assert y.tolist() == [3, 3, 0, 0]
    assert torch.autograd.grad(y, x, torch.tensor([2.0, -2.0, 2.0, -2.0]))[0].tolist() == [
        2,
        0,
        0,
        0,
    ]


def test_two_guided_relus_in_a_chain_by_hand():
    x = torch.tensor([1.0, -1.0, 1.0], requires_grad=True)
    y = GuidedReLU.apply(GuidedReLU.apply(x) + torch.tensor([0.0, 1.0, 0.0]))
    assert torch.autograd.grad(y.sum(), x)[0].tolist() == [1, 0, 1]


def test_guided_relu_in_a_network_is_guided_backprop():
    model, images = network("functional"), photos()

    def forward(x: Tensor) -> Tensor:
        features = model.pool(GuidedReLU.apply(model.conv1(x)))
        return model.classifier(GuidedReLU.apply(model.conv2(features)).mean((2, 3)))

    torch.testing.assert_close(
        guided_backprop(model, images, TARGET), plain_gradient(forward, images, TARGET)
    )


# Every spelling of a ReLU


@pytest.mark.parametrize(
    "relu",
    [
        nn.ReLU(),
        nn.ReLU(inplace=True),
        F.relu,
        lambda x: F.relu(x, inplace=True),
        torch.relu,
        torch.relu_,
        Tensor.relu,
        nn.ReLU6(),
        nn.ReLU6(inplace=True),
        F.relu6,
        lambda x: x.clamp(min=0),
        lambda x: x.clamp(0, 6),
        lambda x: x.clamp_(min=0),
        lambda x: F.threshold(x, 0, 0),
    ],
)
def test_every_spelling_is_found(relu):
    # Signs of the unit: (x, weight) is (+, +), (+, -), (-, +).
    weights = torch.tensor([5.0, -5.0, 5.0], dtype=torch.float64)
    model = OnPixels(lambda _, x: relu(x * 1) * weights)
    assert on_paper(model, [1, 2, -1]) == [5, 0, 0]
    assert on_paper(model, [1, 2, -1], deconvnet) == [5, 0, 5]


def test_relu6_has_a_mask_on_both_sides():
    model = OnPixels(lambda _, x: F.relu6(x) * 5)
    assert on_paper(model, [1, -1, 7]) == [5, 0, 0]
    assert on_paper(model, [1, -1, 7], deconvnet) == [5, 5, 5]


@pytest.mark.filterwarnings("ignore:only ReLUs")
@pytest.mark.parametrize(
    "other",
    [nn.LeakyReLU(0.5), nn.SiLU(), nn.Hardtanh(-1, 1), nn.ELU(), lambda x: x.clamp(min=-0.1)],
)
def test_other_activations_keep_their_true_gradient(other):
    def logit(_: nn.Module, x: Tensor) -> Tensor:
        return torch.stack([F.relu(x[:, 0]), -other(x[:, 1]), -other(x[:, 2])], 1)

    x = torch.tensor([0.5, -0.25], dtype=torch.float64, requires_grad=True)
    slopes = torch.autograd.grad(other(x).sum(), x)[0]
    assert on_paper(OnPixels(logit), [1, 0.5, -0.25]) == [1, -slopes[0].item(), -slopes[1].item()]


@pytest.mark.parametrize("method", METHODS.values())
def test_a_network_without_relu_is_refused(method):
    with pytest.raises(ValueError, match="no ReLU"):
        method(network("linear"), photos(), TARGET)


@pytest.mark.parametrize(
    ("other", "name"), [(F.hardswish, "Hardswish"), (F.silu, "Silu"), (F.gelu, "Gelu")]
)
def test_a_network_of_relus_and_others_is_told_so(other, name):
    model = OnPixels(lambda _, x: F.relu(x) + other(x))
    for method in METHODS.values():
        with pytest.warns(UserWarning, match=f"only ReLUs follow the rule, not {name}"):
            method(model, photos(), torch.zeros(3, dtype=torch.long))


def test_a_checkpoint_that_keeps_its_graph_is_none_the_worse():
    class Checkpointed(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return checkpoint(model, images, use_reentrant=False)

    model, images = network("plain"), photos()
    expected = guided_backprop(model, images, TARGET)
    torch.testing.assert_close(guided_backprop(Checkpointed(), images, TARGET), expected)


# Against captum and pytorch-grad-cam where they are right


@pytest.mark.parametrize("name", ["plain", "inplace", "normalised"])
def test_agrees_with_captum_on_relu_modules(name):
    model, images = network(name), photos()
    guided = guided_backprop(model, images, TARGET)
    assert not torch.allclose(guided, plain_gradient(model, images, TARGET))
    close = {"rtol": 0, "atol": 1e-10}
    torch.testing.assert_close(guided, captum(GuidedBackprop, model, images, TARGET), **close)
    torch.testing.assert_close(
        deconvnet(model, images, TARGET), captum(Deconvolution, model, images, TARGET), **close
    )


@pytest.mark.parametrize("name", ["plain", "inplace", "residual"])
def test_agrees_with_the_grad_cam_package_on_relu_modules(name):
    image = photos(1)
    ours = guided_backprop(network(name), image, torch.tensor([4]))
    torch.testing.assert_close(ours, grad_cam_package(network(name), image, 4), rtol=0, atol=1e-10)


@pytest.mark.slow
def test_agrees_with_captum_on_resnet18():
    from torchvision.models import resnet18

    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = resnet18(weights=None).double().eval()
    image, target = torch.randn(1, 3, 48, 64, dtype=torch.float64), torch.tensor([7])
    ours, theirs = (
        guided_backprop(model, image, target),
        captum(GuidedBackprop, model, image, target),
    )
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=1e-12)


# Where they are wrong: the true answer from the same network with modules, or on paper


@pytest.mark.parametrize("rule", METHODS)
def test_functional_relu_which_captum_and_the_grad_cam_package_miss(rule):
    images = photos(1)
    target = TARGET[:1]
    truth = METHODS[rule](network("plain"), images, target)  # same weights, ReLU as modules
    functional = network("functional")
    torch.testing.assert_close(METHODS[rule](functional, images, target), truth)

    untouched = plain_gradient(functional, images, target)
    peer = {"guided": GuidedBackprop, "deconvnet": Deconvolution}[rule]
    torch.testing.assert_close(captum(peer, functional, images, target), untouched)
    torch.testing.assert_close(grad_cam_package(functional, images, 0), untouched)
    assert not torch.allclose(truth, untouched)


def test_relu6_which_captum_and_the_grad_cam_package_miss():
    # Logit: 5 relu6(a) - 5 relu6(b) + 5 relu6(c). Guided: a passes, b arrives negative, c is at 6.
    weights = torch.tensor([5.0, -5.0, 5.0], dtype=torch.float64)
    model = OnPixels(lambda self, x: self.relu(x) * weights, relu=nn.ReLU6())
    model.scale = nn.Parameter(torch.ones(()))  # the package asks for a parameter's device
    assert on_paper(model, [1, 1, 7]) == [5, 0, 0]
    assert on_paper(model, [1, 1, 7], lambda *a: captum(GuidedBackprop, *a)) == [5, -5, 0]
    assert on_paper(model, [1, 1, 7], lambda m, x, t: grad_cam_package(m, x, 0)) == [5, -5, 0]


def test_a_shortcut_at_the_relus_input_which_captum_clamps_too():
    # Logit: sum of branch * relu(x) + shortcut * x. Only the branch goes through the ReLU, so on
    # paper the guided answer is max(branch, 0) + shortcut.
    branch = torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)
    shortcut = torch.tensor([3.0, -3.0, 3.0], dtype=torch.float64)
    model = OnPixels(lambda self, x: branch * self.relu(x) + shortcut * x, relu=nn.ReLU())
    model.scale = nn.Parameter(torch.ones(()))
    assert on_paper(model, [1, 1, 1]) == [3, -2, 4]
    assert on_paper(model, [1, 1, 1], lambda m, x, t: grad_cam_package(m, x, 0)) == [3, -2, 4]
    # captum clamps what comes back over the shortcut as well: max(branch + shortcut, 0).
    assert on_paper(model, [1, 1, 1], lambda *a: captum(GuidedBackprop, *a)) == [2, 0, 4]


# One unit


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("rule", METHODS)
def test_the_pattern_of_a_logit_is_the_method_itself(name, rule):
    model, image = network(name), photos(1)
    pattern = neuron_pattern(model, "classifier", 3, image, rule)
    torch.testing.assert_close(pattern, METHODS[rule](model, image, torch.tensor([3])))


@pytest.mark.parametrize(
    ("name", "layer"), [("inplace", "conv2"), ("functional", "conv2"), ("residual", "conv1")]
)
def test_backprop_pattern_is_the_slope_of_the_strongest_unit(name, layer):
    model, image, step = network(name), photos(1), 1e-6

    def strongest(image: Tensor) -> Tensor:
        return capture_activations(model, [layer], image)[layer][0, 2].max()

    pattern = neuron_pattern(model, layer, 2, image, "backprop")
    for direction in photos(4)[1:].split(1):
        slope = (strongest(image + step * direction) - strongest(image - step * direction)) / (
            2 * step
        )
        torch.testing.assert_close(slope, (pattern * direction).sum(), rtol=1e-4, atol=1e-7)


@pytest.mark.parametrize("rule", RULES)
def test_the_unit_is_taken_before_an_inplace_relu(rule):
    image, patterns = photos(1), []
    for name in ["plain", "inplace"]:
        model = network(name)
        with torch.no_grad():
            model.conv2.bias[1] = -100  # so low that the ReLU would silence every unit
        patterns.append(neuron_pattern(model, "conv2", 1, image, rule))
    assert patterns[0].abs().max() > 0
    torch.testing.assert_close(patterns[0], patterns[1])


def test_the_rules_agree_where_no_relu_comes_before_the_layer():
    model, image = network("plain"), photos(1)
    patterns = [neuron_pattern(model, "conv1", 0, image, rule) for rule in RULES]
    assert patterns[0].count_nonzero() == 3 * 9  # one unit looks at 3 x 3 pixels
    assert torch.equal(patterns[0], patterns[1])
    assert torch.equal(patterns[0], patterns[2])


def test_a_pattern_has_its_layer_and_its_channel():
    model, image = network("plain"), photos(1)
    with pytest.raises(AttributeError, match="conv9"):
        neuron_pattern(model, "conv9", 0, image, "guided")
    with pytest.raises(IndexError):
        neuron_pattern(model, "conv1", 6, image, "guided")


# The caller's world


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("method", METHODS.values())
def test_image_by_image_and_no_trace(name, method, unchanged):
    model, images = network(name).requires_grad_(False), photos().requires_grad_()
    before = plain_gradient(model, images, TARGET)
    with unchanged(model, images), torch.no_grad():
        together = method(model, images, TARGET)
    alone = [method(model, images[i : i + 1], TARGET[i : i + 1]) for i in range(3)]
    torch.testing.assert_close(together, torch.cat(alone))
    torch.testing.assert_close(plain_gradient(model, images, TARGET), before)
    assert not together.requires_grad
    assert together.shape == images.shape


def test_a_pattern_leaves_no_trace(unchanged):
    model, image = network("inplace"), photos(1).requires_grad_()
    with unchanged(model, image), torch.no_grad():
        assert not neuron_pattern(model, "relu2", 0, image, "guided").requires_grad
        with pytest.raises(RuntimeError):
            neuron_pattern(model, "relu2", 0, torch.zeros(1, 4, 9, 9), "guided")


def test_the_callers_own_graph_keeps_its_gradient():
    z = photos().requires_grad_()
    images = torch.relu(z)
    guided_backprop(network("plain"), images, TARGET)
    expected = -(z > 0).double()
    assert torch.equal(torch.autograd.grad(-images.sum(), z)[0], expected)


@pytest.mark.parametrize(
    ("rule", "found"), [("backprop", [-2, 2, 4]), ("deconvnet", [-1, 2, 4]), ("guided", [-1, 2, 4])]
)
def test_a_shortcut_to_the_relus_output_by_hand(rule, found):
    x = torch.ones(3, requires_grad=True)
    entered = x * 1
    output = ((torch.relu(entered) + entered) * torch.tensor([-1.0, 1.0, 2.0])).sum()
    redirect_relus(output, rule)
    assert torch.autograd.grad(output, x)[0].tolist() == found


@pytest.mark.parametrize("rule", RULES)
def test_no_relu_is_refused_by_the_call_itself(rule):
    x = torch.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match="no ReLU"):
        redirect_relus((2 * x).sum(), rule)
    with pytest.raises(ValueError, match="no ReLU"):
        neuron_pattern(network("linear"), "mix", 0, photos(1), rule)


def test_redirecting_by_backprop_changes_nothing():
    model, images = network("residual"), photos().requires_grad_()
    score = model(images).gather(1, TARGET[:, None]).sum()
    redirect_relus(score, "backprop")
    gradient = torch.autograd.grad(score, images)[0]
    torch.testing.assert_close(gradient, plain_gradient(model, images, TARGET), rtol=0, atol=0)


class PreActivation(nn.Module):
    """A residual network whose blocks begin with a ReLU, so that a shortcut starts at its input."""

    def __init__(self, relu=F.relu) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.stem = nn.Conv2d(3, 6, 3, padding=1)
            self.convs = nn.ModuleList(nn.Conv2d(6, 6, 3, padding=1) for _ in range(4))
            self.classifier = nn.Linear(6, 5)
        self.double()
        self.relus = nn.ModuleList(nn.ReLU() for _ in range(5)) if relu is None else [relu] * 5

    def forward(self, images: Tensor) -> Tensor:
        x = self.stem(images)
        for block in (0, 2):
            inner = self.convs[block](self.relus[block](x))
            x = x + self.convs[block + 1](self.relus[block + 1](inner))
        return self.classifier(self.relus[4](x).mean((2, 3)))


def test_a_pre_activation_network_as_one_written_with_guided_relus():
    images = photos()
    truth = plain_gradient(PreActivation(GuidedReLU.apply), images, TARGET)
    modules = PreActivation(None)
    for model in (PreActivation(), modules):
        torch.testing.assert_close(guided_backprop(model, images, TARGET), truth)
    theirs = captum(GuidedBackprop, modules, images, TARGET)
    assert float((theirs - truth).norm() / truth.norm()) > 0.05  # captum is 7 % off here


# What is left when a part has forgotten


def test_likeness_is_numpys_correlation_of_the_largest_magnitudes():
    one, other = photos(), photos().flip(2) + 0.5 * photos()
    strengths = [picture.abs().amax(1).flatten(1).numpy() for picture in (one, other)]
    expected = [np.corrcoef(a, b)[0, 1] for a, b in zip(*strengths, strict=True)]
    np.testing.assert_allclose(likeness(one, other), expected, rtol=1e-10)
    flat = torch.ones_like(one)
    assert likeness(one, flat).tolist() == [0, 0, 0]
    torch.testing.assert_close(likeness(one, -3 * one), torch.ones(3, dtype=torch.float64))


def test_a_shuffled_weight_on_paper():
    # The true gradient of a linear network is its row of weights.
    model = nn.Sequential(nn.Flatten(), nn.Linear(3 * 4, 2)).double()
    with torch.no_grad():
        model[1].weight.copy_(torch.arange(1.0, 25.0).view(2, 12))
    order = torch.randperm(24, generator=torch.Generator().manual_seed(7))
    rows = [torch.arange(1.0, 25.0), torch.arange(1.0, 25.0)[order]]
    pictures = [row.view(2, 3, 2, 2)[1:].double() for row in rows]
    found = likeness_after_shuffling(
        plain_gradient, model, "1", photos(1)[..., :2, :2], torch.tensor([1]), seed=7
    )
    torch.testing.assert_close(found, likeness(*pictures))


@pytest.mark.parametrize("name", NETWORKS)
def test_shuffling_leaves_the_network_alone(name, unchanged):
    model, images = network(name), photos().requires_grad_()
    with unchanged(model, images):
        found = likeness_after_shuffling(guided_backprop, model, "classifier", images, TARGET)
    assert found.shape == (3,) and not found.requires_grad
    calls = []

    def failing_later(model, images, target):
        calls.append(model)
        if len(calls) == 2:
            raise ValueError("the second time")
        return images

    with unchanged(model, images), pytest.raises(ValueError, match="the second time"):
        likeness_after_shuffling(failing_later, model, "classifier", images, TARGET)
    with pytest.raises(AttributeError):
        likeness_after_shuffling(guided_backprop, model, "head", images, TARGET)
