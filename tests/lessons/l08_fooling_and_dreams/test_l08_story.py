"""The numbers of lesson 8 are those that the reference gives."""

from __future__ import annotations

import io
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image
from torch import Tensor

from autograder.course.figures import reference_course
from lessons.l08_fooling_and_dreams import figures
from lessons.toolkit.models import load_model
from lessons.toolkit.photos import photo_names
from solutions.l08_fooling_and_dreams import (
    deep_dream,
    dream_gradient,
    fooling_image,
    is_fooled_after_saving,
    pattern_size,
)

STORY = " ".join(Path(figures.__file__).with_name("lesson.md").read_text(encoding="utf-8").split())
LEVEL = 1 / 255
COURSE = reference_course()

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def ostriches() -> dict[str, tuple[Tensor, Tensor]]:
    """Each photo of the course, and the picture of it that fools."""
    model, _, target = figures._network(COURSE)
    photos = {name: figures._photo(name) for name in photo_names()}
    return {
        name: (photo, fooling_image(model, photo, target, LEVEL, 20, 2 * LEVEL))
        for name, photo in photos.items()
    }


def answers(images: Tensor) -> Tensor:
    with torch.no_grad():
        return figures._network(COURSE).model(images).argmax(1)


def test_every_photo_is_an_ostrich_also_as_a_file(ostriches, tmp_path) -> None:
    model, _, target = figures._network(COURSE)
    assert len(ostriches) == 13 and "works on all thirteen photos" in STORY
    for name, (photo, fooling) in ostriches.items():
        assert answers(photo) != target, name
        assert 0 < (255 * (fooling - photo)).abs().max() <= 2.001, name
        assert is_fooled_after_saving(model, fooling, target), name
        # A real file: written, read, and asked about as any photo is.
        path = tmp_path / f"{name}.png"
        pixels = (255 * fooling[0]).round().byte().permute(1, 2, 0).numpy()
        Image.fromarray(pixels).save(path)
        with Image.open(path) as file:
            read = torch.from_numpy(numpy.array(file)).permute(2, 0, 1)[None] / 255
        assert answers(read) == target, name
        original = (255 * photo).round()
        assert (255 * read - original).abs().max() <= 2.001, name


def test_quarters_of_a_level_may_be_lost_in_a_file() -> None:
    model, _, target = figures._network(COURSE)
    fooled, kept = 0, 0
    for name in photo_names():
        fooling = fooling_image(model, figures._photo(name), target, 0.25 * LEVEL, 40, 2 * LEVEL)
        fooled += int(answers(fooling) == target)
        kept += is_fooled_after_saving(model, fooling, target)
    assert fooled == 13 and kept == pytest.approx(11, abs=1)
    assert "All thirteen before saving, and eleven after it." in STORY


def test_noise_of_the_same_size_makes_no_ostrich() -> None:
    target, steady, tries = figures._network(COURSE).target, [], 0
    for number, name in enumerate(photo_names()):
        photo = figures._photo(name)
        generator = torch.Generator().manual_seed(number)
        signs = torch.randint(0, 2, (10, *photo.shape[1:]), generator=generator) * 2 - 1
        found = answers((photo + 2 * LEVEL * signs).clamp(0, 1))
        tries += len(found)
        assert not (found == target).any()
        if (found == answers(photo)).all():
            steady.append(name)
    assert set(photo_names()) - set(steady) == {"cat", "grass", "gravel", "hubble"}
    assert tries == 130 and "Not once in 130 tries" in STORY and "nine of the thirteen" in STORY


def test_promises_of_the_slopes() -> None:
    model, _, target = figures._network(COURSE)
    cat = figures._photo("cat")
    assert cat.numel() == 150_528 and "150,528 values" in STORY
    promised = figures.promise(COURSE, cat)
    signs = figures._first_signs(COURSE, cat)

    def rise(way: Tensor) -> float:
        with torch.no_grad():
            before, after = model(torch.cat([cat, (cat + LEVEL * way).clamp(0, 1)])).log_softmax(1)
        return float((after - before)[target])

    generator = torch.Generator().manual_seed(0)
    random = [torch.randint(0, 2, cat.shape, generator=generator) * 2 - 1 for _ in range(5)]
    assert promised == pytest.approx(14.4, abs=0.06) and "would rise by 14.4" in STORY
    assert rise(signs) == pytest.approx(3.6, abs=0.06) and "reaches 3.6 of the 14.4" in STORY
    assert max(abs(rise(way)) for way in random) < 0.1 and "less than 0.1" in STORY


def loudness(layer: str, image: Tensor) -> Tensor:
    kept: list[Tensor] = []

    def listen(module, inputs, output):
        kept.append(output.square().mean())

    model = figures._network(COURSE).model
    with model.get_submodule(layer).register_forward_hook(listen):
        model(image)
    return kept[0]


def test_how_steep_layers_are() -> None:
    steep = {}
    for layer in ("stem", "stages.2", "stages.5"):
        cat = figures._photo("cat").clone().requires_grad_()
        (gradient,) = torch.autograd.grad(loudness(f"network.{layer}", cat), cat)
        steep[layer] = float(gradient.abs().mean())
    assert steep["stages.5"] / steep["stages.2"] == pytest.approx(7, abs=0.3)
    assert steep["stages.2"] / steep["stem"] == pytest.approx(60, abs=5)
    assert "seven times those of `stages.2`" in STORY and "sixty times smaller" in STORY


def test_what_fits_the_grid_alone() -> None:
    model, cat, layer = figures._network(COURSE).model, figures._photo("cat"), "network.stages.4"
    found = []
    for jitter in (0, 16):
        dream = deep_dream(model, layer, cat, 4, 1.4, 10, 0.01, 0, jitter)
        with torch.no_grad():
            ways = ((8, 8), (-8, 8), (8, -8), (5, 3))
            moved = [float(loudness(layer, torch.roll(dream, way, (2, 3)))) for way in ways]
            found += [float(loudness(layer, dream)), sum(moved) / 4]
    with torch.no_grad():
        assert float(loudness(layer, cat)) == pytest.approx(47, abs=0.5)
    assert found == pytest.approx([177, 117, 102, 104], rel=0.02)
    assert "from 47 to 177 without rolling, and to 102 with it" in STORY
    assert "The first falls to 117, the second stays at 104" in STORY
    strides = [m for m in model.modules() if getattr(m, "stride", 1) == (2, 2)]
    assert len(strides) == 5 and "five times in all" in STORY


def test_strokes_do_not_grow_with_depth(ostriches) -> None:
    model, cat = figures._network(COURSE).model, figures._photo("cat")
    sizes = [
        float(pattern_size(dream_gradient(model, [f"network.stages.{stage}"], cat)))
        for stage in (2, 3, 4, 5, 6)
    ]
    photo, fooling = ostriches["cat"]
    sizes.append(float(pattern_size(fooling - photo)))
    assert sizes == pytest.approx([3.3] * 6, abs=0.12)
    assert "waves of 3.3 pixels" in STORY
    dreams = [
        deep_dream(model, f"network.stages.{stage}", cat, 4, 1.4, 10, 0.01) for stage in (2, 4)
    ]
    shallow, deep = (float(pattern_size(dream - cat)) for dream in dreams)
    assert shallow > deep > 4


def test_dogs_among_the_classes() -> None:
    classes = load_model().classes
    assert classes[151] == "Chihuahua" and classes[268] == "Mexican hairless"
    assert 268 - 151 + 1 == 118 and "118 of the 1,000 classes" in STORY


def test_a_fooled_picture_survives_the_course_s_own_preprocessing(ostriches) -> None:
    """Saved with a margin, loaded and cropped as `convlens tour` does, it is what it was."""
    preprocess = load_model().preprocess
    _, fooling = ostriches["camera"]
    pixels = (255 * fooling[0]).round().byte().permute(1, 2, 0).numpy()
    file = io.BytesIO()
    framed = numpy.pad(pixels, ((16, 16), (16, 16), (0, 0)), "edge")
    Image.fromarray(framed).save(file, "PNG")
    again = preprocess.crop_rgb(Image.open(file))[None]
    assert torch.equal((255 * again).round(), (255 * fooling).round())
    assert answers(again) == figures._network(COURSE).target
