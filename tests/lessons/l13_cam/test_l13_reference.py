"""The references against libraries and against mathematics that is known on paper."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from scipy import ndimage
from skimage.transform import resize
from sklearn.metrics import recall_score
from torch import Tensor, nn
from torch.nn import functional as F
from torchcam.methods import CAM as TorchCam
from torchvision.ops import box_iou

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from lessons.toolkit.models import load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.scenes import make_scenes
from lessons.toolkit.vgg_gap import shipped_vgg
from solutions import l13_cam as lesson
from solutions.l02_hooks import capture_activation
from solutions.l13_cam import (
    GapHead,
    accuracy_by_class,
    class_activation_map,
    global_average_pool,
    heatmap_overlay,
    localisation_iou,
    localise,
    pointwise_convolution,
    train_step,
    upsample_map,
)
from solutions.l14_grad_cam import activation_and_gradient, channel_weights, grad_cam

RNG = torch.Generator().manual_seed(0)
TARGET = torch.tensor([3, 0, 1])


def normal(*shape: int) -> Tensor:
    return torch.randn(shape, generator=RNG, dtype=torch.float64)


FEATURES, WEIGHT = normal(3, 6, 5, 7), normal(4, 6)


def test_layers_agree_with_those_of_torch() -> None:
    pooled = F.adaptive_avg_pool2d(FEATURES, 1).flatten(1)
    torch.testing.assert_close(global_average_pool(FEATURES), pooled, rtol=0, atol=1e-14)
    convolved = F.conv2d(FEATURES, WEIGHT[:, :, None, None])
    torch.testing.assert_close(
        pointwise_convolution(FEATURES, WEIGHT), convolved, rtol=0, atol=1e-13
    )


def test_the_head_is_an_average_and_a_linear_layer_in_one_graph() -> None:
    with torch.random.fork_rng(devices=[]):
        head = GapHead(6, 4).double()
    assert [*head.state_dict()] == ["classifier.weight", "classifier.bias"]
    leaf = FEATURES.clone().requires_grad_()
    logits = head(leaf)
    torch.testing.assert_close(logits, head.classifier(FEATURES.mean((2, 3))))
    assert torch.autograd.gradcheck(head, (leaf,))
    with torch.no_grad():  # no place has a weight of its own: any size fits, and places may move
        torch.testing.assert_close(head(FEATURES.roll((2, 3), (2, 3))), logits)
        torch.testing.assert_close(head(FEATURES.repeat(1, 1, 2, 3)), logits)


def test_average_and_linear_layer_change_places() -> None:
    first = global_average_pool(FEATURES) @ WEIGHT.T
    then = global_average_pool(pointwise_convolution(FEATURES, WEIGHT))
    torch.testing.assert_close(first, then, rtol=0, atol=1e-14)


def test_each_map_is_one_of_all_and_its_mean_the_logit() -> None:
    maps = class_activation_map(FEATURES, WEIGHT, TARGET)
    every = pointwise_convolution(FEATURES, WEIGHT)
    torch.testing.assert_close(maps, every[torch.arange(3), TARGET], rtol=0, atol=1e-13)
    logits = FEATURES.mean((2, 3)) @ WEIGHT.T
    torch.testing.assert_close(maps.mean((1, 2)), logits.gather(1, TARGET[:, None])[:, 0])


@pytest.mark.parametrize("bad", [[3, 0], [3, 0, 4], [3, 0, -1], [3, 0, 1, 1]])
def test_a_target_that_does_not_fit_is_refused(bad: list[int]) -> None:
    target = torch.tensor(bad)
    with pytest.raises(ValueError, match="`target`"):
        class_activation_map(FEATURES, WEIGHT, target)
    with pytest.raises(ValueError, match="`target`"):
        accuracy_by_class(normal(3, 4), target)
    model = build(ModelSpec("plain", seed=1, dtype="float64"))
    optimiser = torch.optim.SGD(model.parameters(), lr=0.1)
    weights = copy.deepcopy(model.state_dict())
    if max(bad) < 4 or len(bad) != 3:  # this one has five classes
        with pytest.raises(ValueError, match="`target`"):
            train_step(model, normal(3, 3, 12, 12), target, optimiser)
    assert all(torch.equal(weights[name], now) for name, now in model.state_dict().items())


def networks() -> dict[str, tuple[nn.Module, str, nn.Linear, Tensor]]:
    """Networks that end in an average: with their last layer, linear layer and images."""
    lite: Any = load_model().network
    scenes: Any = load_model("scenes").network
    vgg: Any = shipped_vgg(lesson)
    photos = [load_photo(name) for name in ("cat", "coffee")]
    images = load_model().preprocess.batch(photos)
    small = make_scenes(2, seed=5).inputs()
    return {
        "efficientnet_lite0": (lite, "head", lite.classifier, images),
        "scenes": (scenes, "block5", scenes.classifier, small),
        "vgg with LeakyReLU": (vgg, "features", vgg.head.classifier, small),
    }


@pytest.mark.parametrize("name", ["efficientnet_lite0", "scenes", "vgg with LeakyReLU"])
def test_it_is_grad_cam_before_its_relu_times_the_number_of_places(name: str, unchanged) -> None:
    network, layer, linear, images = networks()[name]
    network, images = copy.deepcopy(network).double(), images.double()
    linear = copy.deepcopy(linear).double()
    target = torch.tensor([3, 1])
    with unchanged(network, images):
        features = capture_activation(network, layer, images)
        maps = class_activation_map(features, linear.weight, target)
        activation, gradient = activation_and_gradient(network, layer, images, target)
        signed = torch.einsum("nc,nchw->nhw", channel_weights(gradient), activation)
    places = features[0, 0].numel()
    torch.testing.assert_close(maps, places * signed, rtol=0, atol=1e-10)
    theirs = places * grad_cam(network, layer, images, target)
    torch.testing.assert_close(maps.relu(), theirs, rtol=0, atol=1e-10)
    with torch.no_grad():
        logits = network(images).gather(1, target[:, None])[:, 0]
    mean = maps.mean((1, 2)) + linear.bias.detach()[target]
    torch.testing.assert_close(mean, logits, rtol=0, atol=1e-10)
    assert not maps.requires_grad and maps.dtype == torch.float64


def test_it_agrees_with_torchcam() -> None:
    network, layer, linear, images = networks()["efficientnet_lite0"]
    with TorchCam(network, layer, fc_layer="classifier", input_shape=(3, 224, 224)) as method:
        network(images[:1])
        (theirs,) = method(3, normalized=False)
    ours = class_activation_map(
        capture_activation(network, layer, images[:1]), linear.weight, torch.tensor([3])
    )
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-5, atol=1e-4)


def test_upsample_map_agrees_with_scikit_image() -> None:
    maps, size = normal(4, 4, 6), (13, 21)
    maps[3] = -maps[3].abs()
    for ours, one in zip(upsample_map(maps, size), maps.numpy(), strict=True):
        large = np.clip(
            resize(one, size, order=1, mode="edge", anti_aliasing=False, preserve_range=True),
            0,
            None,
        )
        theirs = torch.from_numpy(large / max(large.max(), 1e-300))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-9)
    assert upsample_map(maps, size).amax((1, 2)).tolist() == [1, 1, 1, 0]


def test_an_impulse_stays_in_the_middle_of_its_square() -> None:
    maps = torch.zeros(1, 4, 5, dtype=torch.float64)
    maps[0, 1, 3] = 2.0
    heatmap = upsample_map(maps, (32, 40))[0]
    rows, columns = torch.arange(32) + 0.5, torch.arange(40) + 0.5
    down = float((heatmap.sum(1) * rows).sum() / heatmap.sum())
    right = float((heatmap.sum(0) * columns).sum() / heatmap.sum())
    assert (down, right) == pytest.approx((12, 28))


def test_the_colours_are_those_of_matplotlibs_autumn() -> None:
    image, heatmap = (torch.rand(shape, generator=RNG) for shape in ((3, 6, 8), (6, 8)))
    heatmap = (heatmap * 255).round() / 255  # that table has 256 colours
    colours = torch.from_numpy(colormaps["autumn"](heatmap.numpy())[..., :3]).permute(2, 0, 1)
    expected = torch.lerp(image.double(), colours, (0.6 * heatmap).double().expand(3, -1, -1))
    ours = heatmap_overlay(image, heatmap, 0.6)
    torch.testing.assert_close(ours.double(), expected, rtol=0, atol=1e-6)


def test_localise_agrees_with_scipy() -> None:
    for seed in range(20):
        draw = np.random.default_rng(seed)
        heatmap = ndimage.gaussian_filter(draw.normal(size=(24, 31)), 2)
        labels, count = ndimage.label(heatmap > 0.2 * heatmap.max())
        sizes = ndimage.sum_labels(np.ones_like(labels), labels, range(1, count + 1))
        rows, columns = ndimage.find_objects(labels)[int(np.argmax(sizes))]
        expected = rows.start, columns.start, rows.stop, columns.stop
        assert localise(torch.from_numpy(heatmap), 0.2) == expected


def test_a_map_of_nothing_has_an_empty_box() -> None:
    assert localise(torch.zeros(4, 5), 0.2) == localise(-torch.rand(4, 5), 0.2) == (0, 0, 0, 0)


def test_iou_agrees_with_torchvision() -> None:
    heatmaps = torch.zeros(30, 20, 24, dtype=torch.float64)
    masks, boxes = torch.zeros(30, 20, 24, dtype=torch.bool), []
    for heatmap, mask in zip(heatmaps, masks, strict=True):
        pair = []
        for picture in (heatmap, mask):
            top, left, high, wide = torch.randint(1, 10, (4,), generator=RNG).tolist()
            picture[top : top + high, left : left + wide] = 1
            pair.append([left, top, left + wide, top + high])
        boxes.append(pair)
    found, objects = torch.tensor(boxes).double().unbind(1)
    expected = box_iou(found, objects).diagonal()
    assert (expected == 0).any() and (expected > 0.2).any()
    torch.testing.assert_close(localisation_iou(heatmaps, masks, 0.2), expected)
    heatmaps[4] = 0
    assert localisation_iou(heatmaps, masks, 0.2)[4] == 0


def test_masks_that_cannot_be_compared_are_refused() -> None:
    heatmaps, masks = torch.rand(2, 5, 6), torch.ones(2, 5, 6, dtype=torch.bool)
    with pytest.raises(ValueError, match="each map needs its own"):
        localisation_iou(heatmaps, masks[:1], 0.2)
    with pytest.raises(ValueError, match="at least one pixel"):
        localisation_iou(heatmaps, masks & torch.tensor([True, False])[:, None, None], 0.2)


def test_a_step_follows_the_gradient_of_the_mean_cross_entropy() -> None:
    model = build(ModelSpec("normalised", seed=2, dtype="float64"))
    images, target = normal(4, 3, 12, 14), torch.tensor([4, 0, 2, 2])
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    logits = model(images)
    loss = -logits.log_softmax(1).gather(1, target[:, None]).mean()
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    expected = [p - 0.3 * g for p, g in zip(model.parameters(), gradients, strict=True)]
    returned = train_step(model, images, target, torch.optim.SGD(model.parameters(), lr=0.3))
    torch.testing.assert_close(returned, loss.detach())
    assert not returned.requires_grad and not model.training
    for now, wanted in zip(model.parameters(), expected, strict=True):
        torch.testing.assert_close(now.detach(), wanted.detach())


def test_accuracy_by_class_agrees_with_scikit_learn() -> None:
    logits, target = normal(200, 6), torch.randint(5, (200,), generator=RNG)
    logits[torch.arange(200), target] += 1
    theirs = recall_score(
        target, logits.argmax(1), labels=range(6), average=None, zero_division=np.nan
    )
    ours = accuracy_by_class(logits, target)
    torch.testing.assert_close(ours, torch.from_numpy(theirs), equal_nan=True)
    assert ours[5].isnan() and ours.dtype == torch.float64


def test_results_are_detached_and_keep_dtype_and_the_callers_tensors() -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        features, weight = (x.clone().to(dtype).requires_grad_() for x in (FEATURES, WEIGHT))
        before = features.detach().clone()
        maps = class_activation_map(features, weight, TARGET)
        heatmaps = upsample_map(maps.clone().requires_grad_(), (10, 14))
        overlaid = heatmap_overlay(torch.rand(3, 10, 14).to(dtype), heatmaps[0], 0.5)
        masks = torch.ones(3, 10, 14, dtype=torch.bool)
        found = localisation_iou(heatmaps, masks, 0.2)
        for result in (maps, heatmaps, overlaid, found):
            assert result.dtype == dtype and not result.requires_grad and result.isfinite().all()
        assert torch.equal(features, before)


def test_all_of_it_runs_in_inference_mode() -> None:
    weight = WEIGHT.clone().requires_grad_()
    with torch.inference_mode():
        features, target = FEATURES.clone(), TARGET.clone()
        maps = class_activation_map(features, weight, target)
    outside = class_activation_map(features, weight, target)
    assert torch.equal(maps, outside)
    assert localise(upsample_map(maps, (10, 14))[0], 0.2) == localise(
        upsample_map(outside.clone(), (10, 14))[0], 0.2
    )
