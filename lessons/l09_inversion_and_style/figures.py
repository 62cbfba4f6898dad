"""Figures of lesson 9, drawn with the course's functions or a student's own."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lessons.toolkit.models import load_model
from lessons.toolkit.paintings import painting
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import (
    BRIGHTNESS,
    GREEN,
    ORANGE,
    PURPLE,
    TITLE_POINTS,
    colour,
    image_grid,
    new_figure,
    style_plot,
)
from lessons.toolkit.preprocess import Preprocess
from lessons.toolkit.scene_codes import load_scene_codes
from lessons.toolkit.scenes import CLASSES, make_scenes
from lessons.toolkit.scenes import PREPROCESS as SCENES
from lessons.toolkit.train_styler import (
    CONTENT_LAYER,
    STYLE_LAYERS,
    FirstStages,
    judge,
    shipped_styler,
)

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.figure import Figure

SIDE = 224
SMALL = 144  # side of pictures of which there are many
PIECE = 112
TEXTURE = 144


class _Depth(NamedTuple):
    """How a layer is inverted.

    The deeper it is, the smaller the steps, or colours run wild.
    """

    layer: str
    steps: int
    rate: float
    tv: float


DEPTHS = (
    _Depth("stem", 60, 0.05, 0.003),
    _Depth("stages.1", 80, 0.05, 0.1),
    _Depth("stages.2", 80, 0.03, 0.2),
    _Depth("stages.4", 100, 0.02, 0.5),
    _Depth("stages.6", 120, 0.015, 0.7),
)


@cache
def _judge() -> tuple[FirstStages, Preprocess]:
    """Return the first stages of the network and its preprocessing."""
    return judge()


@cache
def _network() -> nn.Module:
    return load_model().network.requires_grad_(False)


def _photo(name: str, size: int = SIDE) -> Tensor:
    """Return a photo, or a painting, as a normalised image (1, 3, size, size)."""
    preprocess = _judge()[1]
    if name in ("glass", "swirls"):
        rgb = painting(name, SIDE)
    else:
        rgb = preprocess.crop_rgb(load_photo(name))
    images = preprocess.normalise(rgb)[None]
    return functional.interpolate(images, (size, size), mode="bilinear", antialias=True)


def _rgb(images: Tensor, grain: int = 96) -> Tensor:
    """Return the first of some images as a picture.

    Made small, then smoothly large, it is a quarter of the bytes: a descent leaves a fine noise
    that nobody looks at.

    Args:
        images: normalised.
        grain: places of the picture that are kept, along a side.
    """
    rgb = _judge()[1].to_rgb(images[:1]).clamp(0, 1)
    small = functional.interpolate(rgb, (grain, grain), mode="bilinear", antialias=True)
    return functional.interpolate(small, (3 * grain, 3 * grain), mode="bicubic")[0].clamp(0, 1)


def opening(course: Any) -> Figure:
    """Draw the cat as a window of glass, and as a night of swirls."""
    cat, pictures = _photo("cat"), []
    for name, weight in (("glass", 20.0), ("swirls", 4.0)):
        styled = _styled(course, cat, _photo(name), style_weight=weight, steps=100)
        pictures.append(_rgb(styled, 168))
    return image_grid(pictures, columns=2, inches=2.5)


def _styled(course: Any, content: Tensor, style: Tensor, **given: Any) -> Tensor:
    usual = {"steps": 60, "rate": 0.04, "tv": 0.03, **given}
    picture: Tensor = course.l09_inversion_and_style.transfer_style(
        _judge()[0], content, style, CONTENT_LAYER, STYLE_LAYERS, **usual
    )
    return picture


def five_depths(course: Any) -> Figure:
    """Draw the cat, and what five layers take for the same cat."""
    found = _inversions(course, "cat")
    titles = ["the photo", *[depth.layer for depth in DEPTHS]]
    pictures = [_rgb(picture, 112) for picture in (_photo("cat"), *found)]
    return image_grid(pictures, titles, columns=3, inches=1.35)


@cache
def _inversions(course: Any, photo: str) -> list[Tensor]:
    network, images = _network(), _photo(photo)
    found = []
    for layer, steps, rate, tv in DEPTHS:
        features = course.l02_hooks.capture_activation(network, layer, images)
        found.append(
            course.l09_inversion_and_style.invert_features(
                network, layer, features, (SIDE, SIDE), steps, rate, tv, seed=0
            )
        )
    return found


def lost_in_order(course: Any) -> Figure:
    """Plot by depth what an inversion still shares with the photo, in three respects."""
    photo = _photo("cat")
    kept = torch.tensor([_shared(photo, found) for found in _inversions(course, "cat")])
    figure = new_figure(7.5, 4)
    axes = figure.add_subplot()
    places = torch.arange(len(DEPTHS))
    looks = {
        "fine lines": (GREEN, "^", (1.75, 0.27)),
        "light and dark": (ORANGE, "o", (3.1, 0.68)),
        "colour": (PURPLE, "s", (2.15, 0.93)),
    }
    for line, (name, (shade, mark, place)) in zip(kept.T, looks.items(), strict=True):
        axes.plot(places, line, color=shade, linewidth=2.5, marker=mark, markersize=7)
        axes.text(*place, name, color=shade, fontsize=TITLE_POINTS, fontweight="bold")
    axes.set_xticks(places, [depth.layer for depth in DEPTHS])
    axes.set(xlim=(-0.2, 4.3), ylim=(-0.05, 1.04), ylabel="correlation with the photo")
    style_plot(axes)
    return figure


def _shared(photo: Tensor, found: Tensor) -> list[float]:
    """Correlate an image with the photo: fine lines, coarse light, coarse colour."""
    fine, light, hue = zip(*[_respects(images) for images in (photo, found)], strict=True)
    pairs = (fine, light, hue)
    return [float(torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]) for a, b in pairs]


def _respects(images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    rgb = _judge()[1].to_rgb(images).clamp(0, 1)
    grey = torch.einsum("c,nchw->nhw", torch.tensor(BRIGHTNESS), rgb)[:, None]
    blurred = functional.avg_pool2d(grey, 9, 1, 4, count_include_pad=False)
    coarse = functional.avg_pool2d(rgb - grey, 16)
    return grey - blurred, functional.avg_pool2d(grey, 16), coarse


def what_fires_together(course: Any) -> Figure:
    """Draw two pieces of each of two textures above their Gram matrices."""
    lesson = course.l09_inversion_and_style
    pieces, grams = [], []
    for name in ("gravel", "glass"):
        whole = _photo(name)
        for piece in (whole[..., :PIECE, :PIECE], whole[..., -PIECE:, -PIECE:]):
            features = lesson.features_of(_judge()[0], ["stages.1"], piece)["stages.1"]
            gram = lesson.gram_matrix(features)[0]
            pieces.append(_rgb(piece))
            grams.append(colour(gram.sign() * gram.abs().sqrt(), signed=True))
    return image_grid([*pieces, *grams], columns=4, inches=1.2)


def deeper_statistics(course: Any) -> Figure:
    """Draw the glass made anew from statistics of one layer, three and five."""
    glass, pictures, titles = _photo("glass"), [], []
    for count in (1, 3, 5):
        layers = STYLE_LAYERS[:count]
        pictures.append(_rgb(_neural(course, glass, TEXTURE, layers), 112))
        titles.append(layers[0] if count == 1 else f"to {layers[-1]}")
    return image_grid(pictures, titles, columns=3, inches=1.5)


def _neural(
    course: Any,
    texture: Tensor,
    size: int,
    layers: tuple[str, ...] = STYLE_LAYERS,
    steps: int = 120,
) -> Tensor:
    made: Tensor = course.l09_inversion_and_style.synthesise_texture(
        _judge()[0], layers, texture, (size, size), steps, seed=0, rate=0.02, tv=0.1
    )
    return made


def two_ways(course: Any) -> Figure:
    """Draw two textures, each as it is, by statistics, and grown pixel by pixel."""
    pictures = []
    for name in ("brick", "glass"):
        sample = _photo(name)[..., :TEXTURE, :TEXTURE]
        small = functional.interpolate(sample, (64, 64), mode="bilinear", antialias=True)
        grown = course.l09_inversion_and_style.grow_texture(small[0], 64, window=11, seed=0)
        made = _neural(course, sample, TEXTURE)
        pictures += [_rgb(sample, 112), _rgb(made, 112), _rgb(grown[None])]
    titles = ["sample", "by statistics", "grown", "", "", ""]
    return image_grid(pictures, titles, columns=3, inches=1.5)


def weights_grid(course: Any) -> Figure:
    """Draw the cat in glass by three weights of the content and three of the style."""
    cat, glass = _photo("cat", SMALL), _photo("glass")
    pictures, titles = [], []
    for content in (4.0, 1.0, 0.25):
        for style in (1.0, 5.0, 25.0):
            pictures.append(
                _rgb(_styled(course, cat, glass, content_weight=content, style_weight=style))
            )
            titles.append(f"{content:g} : {style:g}")
    return image_grid(pictures, titles, columns=3, inches=1.15)


def slow_and_fast(course: Any) -> Figure:
    """Draw two photos, painted by descent and by a network in one pass."""
    styler = shipped_styler(course.l09_inversion_and_style, "glass")
    pictures = []
    for name in ("cat", "coffee"):
        photo = _photo(name)
        with torch.no_grad():
            fast = styler(photo)
        slow = _styled(course, photo, _photo("glass"), style_weight=10.0)
        pictures += [_rgb(photo, 112), _rgb(slow, 112), _rgb(fast, 112)]
    titles = ["photo", "by descent", "in one pass", "", "", ""]
    return image_grid(pictures, titles, columns=3, inches=1.5)


def pixels_and_codes(course: Any) -> Figure:
    """Draw scenes, and what climbs for another class make of pixels and codes."""
    lesson = course.l09_inversion_and_style
    network, codes = load_model("scenes").network.requires_grad_(False), load_scene_codes()
    scenes = make_scenes(16, seed=0)
    some = [0, 1, 2]
    target = len(CLASSES) - 1 - scenes.labels[some]
    code = codes.encoder(scenes.inputs()[some]).mean
    repainted = codes.generator(code)
    pictures = [repainted]
    for generator, start, l2 in ((nn.Identity(), repainted, 0.0), (codes.generator, code, 3.0)):
        loss = partial(lesson.code_loss, network, generator, target=target, l2=l2)
        pictures.append(generator(lesson.descend(loss, start, 60, 0.1, scales=(1,))))
    titles = [CLASSES[number].replace(" ", "\n") for number in target.tolist()]
    rgb = SCENES.to_rgb(torch.cat(pictures)).clamp(0, 1)
    large = functional.interpolate(rgb, scale_factor=2, mode="bicubic").clamp(0, 1)
    return image_grid(large, titles + [""] * 6, columns=3, inches=1.2)


def no_place(course: Any) -> Figure:
    """Draw a photo that is no texture, and what its statistics keep of it."""
    photo = _photo("astronaut")
    pictures = [_rgb(photo, 112), _rgb(_neural(course, photo, TEXTURE), 112)]
    return image_grid(pictures, columns=2, inches=1.7)
