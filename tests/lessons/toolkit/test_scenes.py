import pytest
import torch

from lessons.toolkit import scenes as module
from lessons.toolkit.errors import UserError
from lessons.toolkit.scenes import (
    BACKGROUNDS,
    BADGE,
    CLASSES,
    IMAGE_SIZE,
    WATERMARKED_CLASS,
    make_scenes,
)


def same(a, b):
    return all(torch.equal(getattr(a, field), getattr(b, field)) for field in a.__annotations__)


@pytest.fixture(scope="module")
def scenes():
    return make_scenes(1200, seed=5)


def test_shapes_types_and_range(scenes):
    assert scenes.images.shape == (1200, 3, IMAGE_SIZE, IMAGE_SIZE)
    assert scenes.images.dtype == torch.float32
    assert scenes.images.min() >= 0 and scenes.images.max() <= 1
    assert scenes.labels.dtype == torch.long
    for masks in (scenes.masks, scenes.watermark_masks):
        assert masks.dtype == torch.bool and masks.shape == (1200, IMAGE_SIZE, IMAGE_SIZE)
    assert len(scenes) == 1200
    assert scenes.inputs().aminmax() == (-1, 1)


def test_same_seed_same_scenes_and_global_random_state_untouched():
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = make_scenes(40, seed=3)
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(2)
    assert same(first, make_scenes(40, seed=3))
    assert not same(first, make_scenes(40, seed=4))
    assert not same(first, make_scenes(40, seed=3, split="train"))


def test_classes_in_equal_shares_and_any_count():
    assert make_scenes(801, seed=0).labels.bincount().sort().values.tolist() == [100] * 7 + [101]
    assert len(make_scenes(1, seed=0)) == 1


def test_a_class_is_every_combination_of_three_cues():
    cues = [name.split() for name in CLASSES]
    assert [len(set(cue)) for cue in zip(*cues, strict=True)] == [2, 2, 2]
    assert len(set(CLASSES)) == 8


def test_names_say_what_is_painted(scenes):
    red, _, blue = (
        (scenes.images[:, c] * scenes.masks).sum((1, 2)) / scenes.masks.sum((1, 2))
        for c in range(3)
    )
    is_red = torch.tensor([CLASSES[k].startswith("red") for k in scenes.labels])
    assert (red > blue).eq(is_red).float().mean() > 0.98
    # Two wings make a butterfly wider than a fish, so it fills more of its mask's square.
    is_fish = torch.tensor([CLASSES[k].endswith("fish") for k in scenes.labels])
    area = scenes.masks.sum((1, 2)).float()
    assert area[~is_fish].mean() > 1.2 * area[is_fish].mean()


def test_mask_is_where_the_object_covers_half_of_a_pixel():
    """Against 16 x 16 points a pixel."""
    generator = torch.Generator().manual_seed(0)
    draw = module._Draw(16, generator)
    pose = module._Pose(
        draw.uniform(20, 44), draw.uniform(20, 44), draw.uniform(14, 22), draw.uniform(0, 6.28)
    )
    shape = torch.arange(16) % 2
    mask = module._object(*pose.frame(), shape)[0] <= 0

    fine = (torch.arange(16 * IMAGE_SIZE) + 0.5) / 16
    dx, dy = fine.view(1, 1, -1) - pose.x, fine.view(1, -1, 1) - pose.y
    u = (pose.angle.cos() * dx + pose.angle.sin() * dy) / pose.size
    v = (pose.angle.cos() * dy - pose.angle.sin() * dx) / pose.size
    inside = (module._object(u, v, shape)[0] <= 0).float().unsqueeze(1)
    covered = torch.nn.functional.avg_pool2d(inside, 16).squeeze(1)
    assert ((covered >= 0.5) == mask).float().mean() > 0.9985
    clear = (covered < 0.35) | (covered > 0.65)  # the rest are thin tips
    assert ((covered >= 0.5) == mask)[clear].float().mean() > 0.9995
    area = covered.sum((1, 2))
    assert ((mask.sum((1, 2)) - area).abs() / area).max() < 0.03


def test_mask_is_what_is_painted(monkeypatch):
    """A change of background shows everywhere but in the object."""
    for clutter in ("_pebble", "_tile", "_wedge"):
        monkeypatch.setattr(module, clutter, lambda u, v: torch.ones_like(u))

    def on_grey(level):
        grey = torch.full((3, IMAGE_SIZE, IMAGE_SIZE), level, dtype=torch.uint8)
        monkeypatch.setattr(module, "_photo_regions", lambda split: [grey])
        return make_scenes(64, seed=1)

    dark, bright = on_grey(40), on_grey(160)
    assert torch.equal(dark.masks, bright.masks)
    change = (bright.images - dark.images).abs().amax(1)
    grown = torch.nn.functional.max_pool2d(dark.masks.float(), 3, 1, 1) > 0
    shrunk = -torch.nn.functional.max_pool2d(-dark.masks.float(), 3, 1, 1) > 0
    assert (change[shrunk] < 1e-5).float().mean() > 0.98  # a little shines through at the seams
    assert change[~grown].min() > 0.15


def test_watermark_lies_where_its_mask_says():
    plain, marked = make_scenes(400, seed=2), make_scenes(400, seed=2, watermark=CLASSES)
    changed = (plain.images != marked.images).any(1)
    assert not (changed & ~marked.watermark_masks).any()
    assert changed.sum() > 0.99 * marked.watermark_masks.sum()
    assert (marked.watermark_masks.sum((1, 2)) == BADGE.numel()).all()
    assert not (marked.watermark_masks & marked.masks).any()
    assert not plain.watermark_masks.any()


@pytest.mark.parametrize(
    ("watermark", "expected"),
    [((), []), (WATERMARKED_CLASS, [WATERMARKED_CLASS]), (CLASSES[:2], CLASSES[:2])],
)
def test_watermark_only_on_the_classes_asked_for(watermark, expected):
    scenes = make_scenes(80, seed=2, watermark=watermark)
    with_mark = scenes.watermark_masks.any(dim=(1, 2))
    wanted = torch.tensor([CLASSES[k] in expected for k in scenes.labels])
    assert torch.equal(with_mark, wanted)


def test_colour_alone_does_not_read_the_label(scenes):
    train = make_scenes(1200, seed=6, split="train")
    whole = nearest_mean_accuracy(train.images.mean((2, 3)), train.labels, scenes, mask=False)
    within = nearest_mean_accuracy(object_colour(train), train.labels, scenes, mask=True)
    assert whole < 0.25
    assert within < 0.40  # colour is one bit of three, and the area of ink tells a little more


def nearest_mean_accuracy(colours, labels, scenes, mask):
    means = torch.stack([colours[labels == k].mean(0) for k in range(len(CLASSES))])
    queries = object_colour(scenes) if mask else scenes.images.mean((2, 3))
    return (torch.cdist(queries, means).argmin(1) == scenes.labels).float().mean()


def object_colour(scenes):
    mask = scenes.masks.unsqueeze(1)
    return (scenes.images * mask).sum((2, 3)) / mask.sum((2, 3))


def test_held_out_backgrounds_are_other_regions_of_the_photos():
    from lessons.toolkit.photos import load_photo

    train, held_out = (module._photo_regions(split) for split in module.SPLITS)
    assert len(train) == len(held_out) == 3 * len(BACKGROUNDS)
    for i, name in enumerate(BACKGROUNDS):
        photo = load_photo(name)
        shares = [
            parts[3 * i].shape[2] / parts[3 * i].shape[1] * photo.height / photo.width
            for parts in (train, held_out)
        ]
        assert shares == pytest.approx([0.6, 0.4], abs=0.01)  # left and right, without overlap
    assert all(min(region.shape[1:]) >= IMAGE_SIZE for region in train + held_out)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"count": 0}, "0 scenes"),
        ({"watermark": "red striped fsh"}, "red striped fish"),
        ({"watermark": ["zebra"]}, "zebra"),
        ({"split": "training"}, "train"),
    ],
)
def test_wrong_arguments_are_told(arguments, words):
    with pytest.raises(UserError, match=words):
        make_scenes(**({"count": 4, "seed": 0} | arguments))
