import math

import pytest
import torch

from lessons.toolkit.crops import LARGEST_ANGLE, SIDES, photo_crops
from lessons.toolkit.errors import UserError
from lessons.toolkit.photos import load_photo, photo_names


@pytest.fixture(scope="module")
def crops():
    return photo_crops(130, size=48)


def test_photos_in_turn_and_half_of_each_turned(crops):
    assert len(crops) == len(crops.places) == len(crops.photo) == 130
    assert crops.names == tuple(photo_names())
    assert [place.photo for place in crops.places] == [crops.names[i] for i in crops.photo]
    for photo in range(len(crops.names)):
        angles = torch.tensor([crops.places[i].angle for i in (crops.photo == photo).nonzero()])
        assert (angles != 0).sum() == 5 and angles.abs().max() <= LARGEST_ANGLE


def test_every_square_lies_inside_its_photo_at_its_angle(crops):
    for place in photo_crops(1040).places:
        width, height = load_photo(place.photo).size
        assert SIDES[0] <= place.side / min(width, height) <= SIDES[1]
        for corner in (45, 135, 225, 315):
            radians = math.radians(corner + place.angle)
            x = place.x + place.side / math.sqrt(2) * math.cos(radians)
            y = place.y + place.side / math.sqrt(2) * math.sin(radians)
            assert -1e-6 <= x <= width + 1e-6 and -1e-6 <= y <= height + 1e-6


def test_pixels_of_an_upright_crop_are_those_of_the_photo(crops):
    place = crops.places[0]
    half = place.side / 2
    box = (place.x - half, place.y - half, place.x + half, place.y + half)
    mean = torch.tensor(list(load_photo(place.photo).crop(box).resize((1, 1)).getpixel((0, 0))))
    assert (crops.rgb([0])[0].mean((1, 2)) * 255 - mean).abs().max() < 2


def test_a_turned_crop_shows_what_lies_there_and_no_black_corner():
    """Turned back, a crop is the upright one of the same middle and side."""
    from dataclasses import replace

    crops = photo_crops(1040, size=65)
    index = next(
        i for i, place in enumerate(crops.places) if place.photo == "flower" and place.angle > 20
    )
    upright = replace(crops, places=(replace(crops.places[index], angle=0.0),))
    turned = crops.rgb([index])
    radians = torch.tensor(math.radians(crops.places[index].angle))
    cos, sin = radians.cos(), radians.sin()
    # Where a pixel of the upright crop lies in the turned one: y grows downwards.
    turn = torch.stack([torch.stack([cos, sin, cos * 0]), torch.stack([-sin, cos, cos * 0])])
    grid = torch.nn.functional.affine_grid(turn[None], (1, 3, 65, 65), align_corners=False)
    back = torch.nn.functional.grid_sample(turned, grid, align_corners=False)
    rows, columns = torch.meshgrid(torch.arange(65) - 32, torch.arange(65) - 32, indexing="ij")
    disc = torch.hypot(rows.float(), columns.float()) < 30
    difference = (back - upright.rgb())[:, :, disc].abs().mean()
    assert difference < 0.02
    assert (crops.rgb([index]) - upright.rgb())[:, :, disc].abs().mean() > 3 * difference
    bright = [i for i, place in enumerate(crops.places) if place.photo == "clock" and place.angle]
    assert crops.rgb(bright).amin() > 0.2


def test_same_seed_same_crops_and_fewer_are_the_first_of_more(crops):
    state = torch.get_rng_state()
    again = photo_crops(65, size=48)
    assert torch.equal(state, torch.get_rng_state())
    assert again.places == crops.places[:65]
    assert torch.equal(again.rgb(slice(60, 65)), crops.rgb([60, 61, 62, 63, 64]))
    assert photo_crops(65, size=48, seed=1).places != again.places


def test_batches_are_all_crops_in_order_and_cut_on_demand(crops):
    batches = list(crops.batches(50))
    assert [len(batch) for batch in batches] == [50, 50, 30]
    assert torch.equal(torch.cat(batches), crops.rgb())
    assert crops.rgb(torch.tensor([3])).shape == (1, 3, 48, 48)
    assert crops.rgb([]).shape == (0, 3, 48, 48)
    assert crops.rgb().min() >= 0 and crops.rgb().max() <= 1


def test_no_crops_is_a_users_error():
    with pytest.raises(UserError, match="Cannot cut 0"):
        photo_crops(0)
