"""The references against captum, and against networks whose answer is known on paper."""

from __future__ import annotations

import pytest
import torch
from captum.attr import Occlusion
from torch import Tensor, nn
from torch.nn import functional as F

from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from solutions.l10_occlusion import (
    occlude,
    occlusion_drops,
    occlusion_map,
    stand_ins,
    strips,
    three_fills,
    window_positions,
)


class Loudest(nn.Module):
    """Its only logit is the largest value of the picture: one bright spot does as well as two."""

    def forward(self, images: Tensor) -> Tensor:
        """Return logits (N, 1)."""
        return images.amax((1, 2, 3))[:, None]


def photos(count: int, height: int, width: int, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(count * height + width)
    return torch.randn(count, 3, height, width, generator=generator, dtype=dtype)


def network(name: str, dtype: str = "float64") -> nn.Module:
    return build(ModelSpec(name, seed=5, dtype=dtype))


def captum_map(model: nn.Module, images: Tensor, target: Tensor, *args: int) -> Tensor:
    """Captum's occlusion with a window over all three channels, one of them for all are alike."""
    window, stride = args
    maps = Occlusion(model).attribute(
        images, (3, window, window), (3, stride, stride), baselines=0, target=target
    )
    return maps[:, 0].to(images.dtype)  # it adds up in float32, whatever it is given


@pytest.mark.parametrize("name", ["plain", "residual", "normalised", "inplace"])
@pytest.mark.parametrize(("window", "stride"), [(4, 4), (6, 2), (4, 1)])
def test_occlusion_map_is_captum_s_where_the_stride_divides(
    name: str, window: int, stride: int, unchanged
) -> None:
    model, images, target = network(name), photos(2, 16, 20), torch.tensor([3, 1])
    with unchanged(model, images):
        maps = occlusion_map(model, images, target, window, stride)
    expected = captum_map(model, images, target, window, stride)
    torch.testing.assert_close(maps, expected, rtol=0, atol=1e-6)


def test_a_window_at_the_end_is_whole_and_captum_s_is_not() -> None:
    model, images, target = network("linear"), photos(1, 10, 10), torch.tensor([2])
    ours = occlusion_map(model, images, target, 4, 4)
    theirs = captum_map(model, images, target, 4, 4)
    # Away from the last strip they agree.
    torch.testing.assert_close(ours[:, :6, :6], theirs[:, :6, :6], rtol=0, atol=1e-6)
    assert (ours[:, 6:] - theirs[:, 6:]).abs().max() > 0.1


def test_a_window_of_one_pixel_is_the_gradient_times_the_image_for_a_linear_network() -> None:
    model, images, target = network("linear"), photos(2, 6, 8), torch.tensor([4, 0])
    weight = model.get_parameter("mix.weight")[target, :, 0, 0].detach()
    expected = torch.einsum("nc,nchw->nhw", weight, images)
    torch.testing.assert_close(occlusion_map(model, images, target, 1, 1), expected)


def test_each_pixel_has_the_mean_over_its_windows() -> None:
    """Painted one window after the other, as the definition says."""
    model, images, target = network("plain"), photos(2, 13, 17), torch.tensor([0, 2])
    for window, stride in ((5, 3), (4, 4), (3, 5), (13, 2)):
        drops = occlusion_drops(model, images, target, window, stride)
        total, coverage = torch.zeros(2, 13, 17).double(), torch.zeros(13, 17).double()
        for row, top in enumerate(window_positions(13, window, stride)):
            for column, left in enumerate(window_positions(17, window, stride)):
                area = slice(top, top + window), slice(left, left + window)
                total[:, *area] += drops[:, row, column, None, None]
                coverage[area] += 1
                covered = torch.stack([occlude(one, top, left, window, 0.0) for one in images])
                with torch.no_grad():
                    fall = (model(images) - model(covered))[[0, 1], target]
                torch.testing.assert_close(drops[:, row, column], fall)
        expected = torch.where(coverage > 0, total / coverage, 0)
        torch.testing.assert_close(occlusion_map(model, images, target, window, stride), expected)


@pytest.mark.parametrize("size", range(1, 24))
def test_windows_lie_inside_reach_both_ends_and_leave_no_gap(size: int) -> None:
    for window in range(1, size + 1):
        for stride in range(1, size + 2):
            first = window_positions(size, window, stride)
            assert first[0] == 0 and first[-1] == size - window
            assert first == sorted(set(first))
            assert set(range(0, size - window + 1, stride)) | {size - window} == set(first)
            marked = strips(size, window, stride)
            assert marked.sum(1).unique().tolist() == [window]
            if stride <= window:
                assert marked.any(0).all()


@pytest.mark.parametrize(
    ("size", "window", "stride"), [(5, 6, 1), (5, 0, 1), (5, 2, 0), (5, 2, -1)]
)
def test_a_window_that_does_not_fit_is_refused(size: int, window: int, stride: int) -> None:
    with pytest.raises(ValueError):
        window_positions(size, window, stride)


def test_a_window_may_stick_out_on_any_side() -> None:
    image = photos(1, 6, 7)[0]
    rows, columns = torch.arange(6)[:, None], torch.arange(7)
    for top in range(-5, 8):
        for left in range(-5, 9):
            inside = (rows >= top) & (rows < top + 3) & (columns >= left) & (columns < left + 3)
            assert torch.equal(occlude(image, top, left, 3, 9.0), image.masked_fill(inside, 9.0))


def test_a_covered_image_is_a_tensor_of_its_own_and_of_the_image_s_dtype() -> None:
    image = photos(1, 6, 7, torch.float32)[0]
    for left in (2, 7, -3):
        covered = occlude(image, 1, left, 3, 9.0)
        assert covered.untyped_storage().data_ptr() != image.untyped_storage().data_ptr()
    fill = torch.ones(3, 1, 1, dtype=torch.float64, requires_grad=True)
    covered = occlude(image, 1, 2, 3, fill)
    assert covered.dtype == torch.float32 and not covered.requires_grad


def test_fills_are_colours_in_the_networks_units() -> None:
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    images = photos(2, 9, 7)
    fills = three_fills(images, mean, std, radius=2)
    as_colour = {
        name: fill * torch.tensor(std).double()[:, None, None]
        + torch.tensor(mean).double()[:, None, None]
        for name, fill in fills.items()
    }
    torch.testing.assert_close(as_colour["black"], torch.zeros_like(images))
    expected = torch.tensor(mean).double()[:, None, None].expand_as(images)
    torch.testing.assert_close(as_colour["mean colour"], expected)
    # The middle of the blur by scipy's rule, the corner by hand.
    kernel = torch.full((3, 1, 5, 5), 1 / 25).double()
    inner = F.conv2d(images, kernel, groups=3)
    torch.testing.assert_close(fills["blur"][..., 2:-2, 2:-2], inner)
    torch.testing.assert_close(fills["blur"][..., 0, 0], images[..., :3, :3].mean((2, 3)))


def test_what_can_stand_in_shows_once_the_strongest_window_is_hidden() -> None:
    images = torch.zeros(1, 3, 8, 8)
    images[0, :, 1, 1], images[0, :, 5, 6] = 3.0, 2.0
    target = torch.tensor([0])
    alone = occlusion_drops(Loudest(), images, target, 4, 4)
    assert alone.tolist() == [[[1.0, 0.0], [0.0, 0.0]]]  # from 3 to 2
    # Hidden: the loudest is 2, and covering the second spot takes it all.
    assert stand_ins(Loudest(), images, target, 4, 4).tolist() == [[[-1.0, 0.0], [0.0, 2.0]]]


def test_nothing_stands_in_where_the_windows_add_up() -> None:
    model, images, target = network("linear"), photos(3, 12, 8), torch.tensor([1, 4, 2])
    drops = occlusion_drops(model, images, target, 4, 4)
    change = stand_ins(model, images, target, 4, 4)
    strongest = drops.flatten(1).argmax(1)
    expected = torch.zeros(3, 6).double()
    expected[torch.arange(3), strongest] = -drops.flatten(1).amax(1)
    torch.testing.assert_close(change.flatten(1), expected)


def test_the_batch_size_changes_no_drop() -> None:
    model, images, target = network("normalised"), photos(3, 12, 15), torch.tensor([1, 0, 4])
    first = occlusion_drops(model, images, target, 5, 4, batch_size=1)
    for batch_size in (2, 7, 1000):
        drops = occlusion_drops(model, images, target, 5, 4, batch_size=batch_size)
        torch.testing.assert_close(drops, first)


def test_a_fill_may_be_a_number_a_colour_or_a_picture_of_each_image() -> None:
    model, images, target = network("plain"), photos(2, 12, 12), torch.tensor([1, 3])
    number = occlusion_map(model, images, target, 4, 4, fill=-1.5)
    for shape in ((3, 1, 1), (1, 3, 12, 12), (2, 3, 12, 12)):
        fill = torch.full(shape, -1.5, requires_grad=True)
        torch.testing.assert_close(occlusion_map(model, images, target, 4, 4, fill), number)
    # Covered with itself, an image loses nothing.
    assert occlusion_map(model, images, target, 4, 4, images).abs().max() < 1e-12
