"""The reference against NumPy, scikit-image, scikit-learn and the gradient's own support."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from skimage.transform import resize
from sklearn.metrics import jaccard_score
from torch import Tensor, nn

from solutions.l06_activations import (
    Patch,
    activation_mask,
    concept_iou,
    overlay_mask,
    receptive_field,
    stream_top_patches,
    top_patches,
    unit_box,
)

Layers = list[tuple[int, int, int, int]]
DRAWN = torch.Generator().manual_seed(6)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=DRAWN, dtype=torch.float64)


def test_overlay_agrees_with_numpy():
    image, mask = normal(3, 5, 8).sigmoid(), normal(5, 8) > 0
    expected = image.numpy() * np.where(mask.numpy(), 1, 0.3)
    assert np.abs(overlay_mask(image, mask, 0.3).numpy() - expected).max() < 1e-15


@pytest.mark.parametrize("shape", [(7, 7), (1, 9), (14, 6)])
def test_masks_agree_with_numpy_and_scikit_image(shape):
    for quantile in (0.31, 0.77, 0.953):
        activation, over = normal(*shape), normal(8, *shape)
        fine = resize(activation.numpy(), (64, 45), order=1, mode="edge", anti_aliasing=False)
        for values in (activation, over):
            expected = fine > np.quantile(values.numpy(), quantile)
            given = None if values is activation else over
            mask = activation_mask(activation, (64, 45), quantile, given)
            assert mask.dtype == torch.bool
            assert np.array_equal(mask.numpy(), expected)


def test_nothing_lies_above_a_flat_map():
    for value in (0.0, 0.1, 1 / 3, -7.7):
        assert not activation_mask(torch.full((5, 7), value), (61, 43), 0.9).any()
    silent = torch.zeros(4, 5)
    assert not activation_mask(silent, (40, 30), 0.9, over=torch.zeros(3, 4, 5)).any()


# Every kind of layer alone, then mixtures; the last one is the network of the scenes.
NETWORKS: dict[str, Layers] = {
    "kernels": [(3, 1, 0, 1), (5, 1, 0, 1)],
    "strides": [(3, 2, 0, 1), (3, 3, 0, 1), (2, 1, 0, 1)],
    "paddings": [(3, 1, 1, 1), (5, 2, 2, 1), (3, 1, 1, 1)],
    "dilations": [(3, 1, 2, 1), (3, 2, 2, 2), (3, 1, 3, 2)],
    "all of them": [(5, 2, 1, 1), (3, 1, 2, 2), (3, 2, 0, 1), (4, 1, 1, 1)],
    "scenes": [(6, 2, 2, 1), (4, 2, 1, 1), (3, 1, 1, 1), (2, 2, 0, 1), (3, 1, 1, 1)],
}


def chain(layers: Layers) -> nn.Sequential:
    """Positive weights, so that no two ways from a pixel to a unit can cancel."""
    network = nn.Sequential()
    for kernel, stride, padding, dilation in layers:
        inputs = 2 if len(network) else 3
        network.append(nn.Conv2d(inputs, 2, kernel, stride, padding, dilation, bias=False))
        nn.init.uniform_(network[-1].weight, 0.1, 1)
    return network.double()


def support(network: nn.Module, image: Tensor, row: int, column: int) -> Tensor:
    """Pixels from which a gradient of one unit comes, bool (H, W)."""
    image = image.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(network(image)[0, :, row, column].sum(), image)
    return gradient[0].abs().amax(0) > 0


@pytest.mark.parametrize("name", NETWORKS)
def test_boxes_are_the_support_of_the_gradient(name):
    layers = NETWORKS[name]
    network, image = chain(layers), normal(1, 3, 53, 67)
    field, height, width = receptive_field(layers), *image.shape[2:]
    _, rows, columns = network(image)[0].shape
    for row in {0, 1, rows // 2, rows - 1}:
        for column in {0, columns // 3, columns - 1}:
            seen = support(network, image, row, column)
            top, left, bottom, right = unit_box(row, column, field, (height, width))
            inside = seen[top:bottom, left:right]
            assert int(inside.sum()) == int(seen.sum())  # nothing outside
            # A dilated kernel has gaps; a row or column at the edge of the box has none.
            if all(layer[3] == 1 for layer in layers):
                assert inside.all()
            for edge, cut in (
                (inside[0], top == 0),
                (inside[-1], bottom == height),
                (inside[:, 0], left == 0),
                (inside[:, -1], right == width),
            ):
                assert edge.any() or cut


def test_boxes_are_the_support_of_the_gradient_with_pooling():
    network = nn.Sequential(
        nn.Conv2d(3, 4, 5, 1, 2, bias=False),
        nn.MaxPool2d(3, 2, 1),
        nn.Conv2d(4, 4, 3, 1, 1, bias=False),
        nn.AvgPool2d(2, 2),
        nn.Conv2d(4, 2, 3, 1, 1, bias=False),
    ).double()
    layers = [(5, 1, 2, 1), (3, 2, 1, 1), (3, 1, 1, 1), (2, 2, 0, 1), (3, 1, 1, 1)]
    field, seen = receptive_field(layers), torch.zeros(48, 40, dtype=torch.bool)
    for part in network:
        if isinstance(part, nn.Conv2d):
            nn.init.uniform_(part.weight, 0.1, 1)
    # The largest of a window is another pixel in each picture: together they show the window.
    for _ in range(20):
        seen |= support(network, normal(1, 3, 48, 40), 5, 4)
    top, left, bottom, right = unit_box(5, 4, field, (48, 40))
    expected = torch.zeros_like(seen)
    expected[top:bottom, left:right] = True
    assert torch.equal(seen, expected)


def test_known_receptive_fields():
    conv, pool = (3, 1, 1, 1), (2, 2, 0, 1)
    vgg16 = [conv] * 2 + [pool] + [conv] * 2 + [pool] + ([conv] * 3 + [pool]) * 3
    assert receptive_field(vgg16[:-1])[:2] == (196, 16)
    assert receptive_field(vgg16)[:2] == (212, 32)
    alexnet = [(11, 4, 2, 1), (3, 2, 0, 1), (5, 1, 2, 1), (3, 2, 0, 1), *[conv] * 3, (3, 2, 0, 1)]
    assert receptive_field(alexnet)[:2] == (195, 32)


def patches_by_loops(activations: Tensor, images: Tensor, field, k: int) -> list[tuple]:
    found = []
    for number, one in enumerate(activations.numpy()):
        row, column = np.unravel_index(one.argmax(), one.shape)
        found.append((-one.max(), number, int(row), int(column)))
    size, jump, start = field
    result = []
    for score, number, row, column in sorted(found)[:k]:
        rows = [y for y in range(images.shape[2]) if 0 <= y - start - row * jump < size]
        columns = [x for x in range(images.shape[3]) if 0 <= x - start - column * jump < size]
        result.append((number, row, column, -score, images[number][:, rows][:, :, columns]))
    return result


def as_tuple(patch: Patch) -> tuple:
    return patch.image, patch.row, patch.column, patch.score, patch.pixels


@pytest.mark.parametrize("k", [1, 4, 20])
def test_patches_agree_with_loops(k):
    activations, images, field = normal(9, 5, 7), normal(9, 3, 30, 40), (13, 6, -3)
    expected = patches_by_loops(activations, images, field, k)
    whole = [as_tuple(p) for p in top_patches(activations, images, field, k)]
    batches = zip(activations.split(4), images.split(4), strict=True)
    streamed = [as_tuple(p) for p in stream_top_patches(batches, field, k)]
    assert len(expected) == min(k, 9)
    for found in (whole, streamed):
        assert [one[:4] for one in found] == [one[:4] for one in expected]
        for one, other in zip(found, expected, strict=True):
            assert torch.equal(one[4], other[4])


def test_a_stream_is_what_one_batch_would_be_with_ties_too():
    activations = torch.randint(4, (40, 3, 3), generator=DRAWN).double()
    images = normal(40, 3, 9, 9)
    whole = top_patches(activations, images, (3, 3, 0), 15)
    for size in (1, 3, 7, 40):
        batches = zip(activations.split(size), images.split(size), strict=True)
        streamed = stream_top_patches(batches, (3, 3, 0), 15)
        for one, other in zip(whole, streamed, strict=True):
            assert as_tuple(one)[:4] == as_tuple(other)[:4]


def test_patches_keep_no_batch_in_memory():
    images = normal(4, 3, 30, 30)
    for patch in top_patches(normal(4, 5, 5), images, (30, 6, 0), 4):
        own = patch.pixels.untyped_storage().nbytes()
        assert own == patch.pixels.numel() * patch.pixels.element_size()


def stream_peak(count: int) -> int:
    """Bytes at the highest point of a stream of so many images, kept as numpy arrays."""

    def batches() -> Iterator[tuple[Tensor, Tensor]]:
        generator = np.random.default_rng(0)
        for _ in range(count // 20):  # numpy's memory is traced, torch's is not
            arrays = generator.random((20, 4, 4)), generator.random((20, 3, 32, 32))
            yield torch.from_numpy(arrays[0]), torch.from_numpy(arrays[1])

    tracemalloc.start()
    try:
        assert len(stream_top_patches(batches(), (32, 8, 0), 9)) == 9
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_stream():
    stream_peak(40)
    few, many = stream_peak(200), stream_peak(1000)
    assert many < 1.05 * few
    assert many < 4 * 20 * 3 * 32 * 32 * 8  # less than four batches, of fifty that passed


def test_iou_agrees_with_scikit_learn():
    activations, masks = normal(5, 4, 6, 7), normal(5, 24, 30) > 0.8
    masks[2] = False
    fine = np.stack(
        [
            [resize(one, (24, 30), order=1, mode="edge", anti_aliasing=False) for one in channels]
            for channels in activations.numpy()
        ]
    )
    for channel, iou in enumerate(concept_iou(activations, masks, 0.87).tolist()):
        threshold = np.quantile(activations[:, channel].numpy(), 0.87)
        mask = (fine[:, channel] > threshold).ravel()
        assert iou == pytest.approx(jaccard_score(masks.numpy().ravel(), mask), abs=1e-12)
    # The masks are those of `activation_mask` with one threshold for the channel.
    own = [
        activation_mask(one, (24, 30), 0.87, over=activations[:, 1]) for one in activations[:, 1]
    ]
    union = (torch.stack(own) | masks).sum()
    both = (torch.stack(own) & masks).sum()
    assert float(concept_iou(activations, masks, 0.87)[1]) == pytest.approx(float(both / union))


def test_everything_in_inference_mode_and_under_no_grad():
    with torch.inference_mode():
        activations, images = normal(3, 4, 4), normal(3, 3, 16, 16)
        masks = images[:, 0] > 0
    for mode in (torch.no_grad(), torch.inference_mode(), torch.enable_grad()):
        with mode:
            overlay_mask(images[0], masks[0], 0.3)
            activation_mask(activations[0], (16, 16), 0.8, activations)
            stream_top_patches([(activations, images)], (7, 4, -1), 2)
            concept_iou(activations[:, None], masks, 0.8)


def test_what_does_not_fit_is_refused():
    activations, images = normal(3, 4, 4), normal(2, 3, 16, 16)
    with pytest.raises(ValueError, match="3 maps do not fit 2 images"):
        top_patches(activations, images, (7, 4, -1), 2)
    with pytest.raises(ValueError, match="2 masks do not fit 3 images"):
        concept_iou(activations[:, None], images[:, 0] > 0, 0.8)
    with pytest.raises(ValueError, match="At least 1 patch"):
        top_patches(activations[:2], images, (7, 4, -1), 0)
    with pytest.raises(ValueError, match="does not fit an image"):
        overlay_mask(images[0], images[0, 0, :1] > 0, 0.5)
    assert top_patches(activations[:0], images[:0], (7, 4, -1), 2) == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_gives_the_masks_of_the_same_numbers(dtype: torch.dtype) -> None:
    activations = torch.randn(2, 3, 5, 6, generator=torch.Generator().manual_seed(7)).to(dtype)
    masks = torch.rand(2, 10, 12, generator=torch.Generator().manual_seed(8)) > 0.5
    mask = activation_mask(activations[0, 0], (10, 12), 0.8, over=activations[:, 0])
    exact = activations.float()
    assert torch.equal(mask, activation_mask(exact[0, 0], (10, 12), 0.8, over=exact[:, 0]))
    iou = concept_iou(activations, masks, 0.8)
    assert iou.dtype == dtype
    torch.testing.assert_close(iou, concept_iou(exact, masks, 0.8).to(dtype))
