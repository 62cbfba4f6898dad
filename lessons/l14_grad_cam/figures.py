"""Figures of lesson 14, drawn with the course's functions or a student's own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from lessons.toolkit.classes import class_index
from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.photos import load_photo, photo_names
from lessons.toolkit.plots import (
    INK,
    ORANGE,
    Overlay,
    colour,
    image_grid,
    new_figure,
    overlay,
    signed_to_rgb,
    style_axes,
)
from lessons.toolkit.seeds import seeded

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.figure import Figure

ALPHA = 0.6
# From the first layer to the last before the pooling, with the side of its map.
DEPTHS = ("stem", "stages.1", "stages.2", "stages.4", "stages.6", "head")


class _Scene(NamedTuple):
    """A photo, or several side by side, as the network's input."""

    rgb: Tensor
    images: Tensor


@cache
def _classifier() -> Classifier:
    return load_model()


@cache
def _scene(*photos: str) -> _Scene:
    preprocess = _classifier().preprocess
    # The network ends in an average over all places, so it takes a picture of any width.
    rgb = torch.cat([preprocess.crop_rgb(load_photo(photo)) for photo in photos], dim=2)
    return _Scene(rgb, preprocess.normalise(rgb)[None])


def _target(name: str) -> Tensor:
    return torch.tensor([class_index(_classifier().classes, name)])


def _cam(course: Any, scene: _Scene, name: str, layer: str = "head") -> Tensor:
    return course.l14_grad_cam.grad_cam(_classifier().network, layer, scene.images, _target(name))[
        0
    ]


def two_questions(course: Any) -> Figure:
    """Draw one picture with the maps of two classes."""
    scene = _scene("cat", "coffee")
    names = ("tiger cat", "espresso")
    maps = [Overlay(scene.rgb, _cam(course, scene, name), ALPHA) for name in names]
    return image_grid(maps, [f"{name}?" for name in names], columns=2, inches=4.2)


def weighted_sum(course: Any) -> Figure:
    """Draw two channels that speak for espresso, one against it, and the sum of all."""
    scene, lesson = _scene("cat", "coffee"), course.l14_grad_cam
    activation, gradient = lesson.activation_and_gradient(
        _classifier().network, "head", scene.images, _target("espresso")
    )
    weights = lesson.channel_weights(gradient)[0]
    said = weights[:, None, None] * activation[0]
    chosen = [*said.amax((1, 2)).topk(2).indices.tolist(), int(said.amin((1, 2)).argmin())]
    pictures = [Overlay(scene.rgb, activation[0, channel], ALPHA) for channel in chosen]
    titles = [f"channel {channel}: {1000 * weights[channel]:+.1f}" for channel in chosen]
    pictures.append(Overlay(scene.rgb, _cam(course, scene, "espresso"), ALPHA))
    return image_grid(pictures, [*titles, "all 1,280"], columns=2, inches=3.2)


def layer_by_layer(course: Any) -> Figure:
    """Draw Grad-CAM of the cat at six depths, with one square for each place."""
    scene = _scene("cat")
    maps = [_cam(course, scene, "tiger cat", layer) for layer in DEPTHS]
    titles = [f"{layer}, {len(cam)}×{len(cam)}" for layer, cam in zip(DEPTHS, maps, strict=True)]
    return image_grid([colour(cam) for cam in maps], titles, columns=3, inches=2.3)


def three_ways_to_enlarge(course: Any) -> Figure:
    """Draw a small spot in a corner, enlarged in three ways.

    They are copying, bilinear, and bilinear with corners aligned.
    """
    scene = _scene("astronaut")
    cam = _cam(course, scene, "space shuttle")[None, None]
    size = (scene.rgb.shape[1], scene.rgb.shape[2])
    ways = {
        "nearest": nn.functional.interpolate(cam, size, mode="nearest"),
        "bilinear": nn.functional.interpolate(cam, size, mode="bilinear", align_corners=False),
        "corners aligned": nn.functional.interpolate(
            cam, size, mode="bilinear", align_corners=True
        ),
    }
    pictures = [scene.rgb, *[overlay(scene.rgb, way[0, 0], ALPHA) for way in ways.values()]]
    corner = [picture[:, :112, 112:] for picture in pictures]
    return image_grid(corner, ["top right corner", *ways], columns=4, inches=2.1)


def guided(course: Any) -> Figure:
    """Draw guided backpropagation, Grad-CAM and their product for two classes."""
    scene, network = _scene("cat", "coffee"), _classifier().network
    pictures: list[Tensor | Overlay] = []
    titles = []
    for name in ("tiger cat", "espresso"):
        target = _target(name)
        lines = course.l12_guided_backprop.guided_backprop(network, scene.images, target)
        product = course.l14_grad_cam.guided_grad_cam(
            network, "head", scene.images, target, guided=lines
        )
        cam = Overlay(scene.rgb, _cam(course, scene, name), ALPHA)
        pictures += [signed_to_rgb(lines[0], 0.98), cam, signed_to_rgb(product[0], 0.98)]
        titles += ["guided", f"{name}?", "product"]
    return image_grid(pictures, titles, columns=3, inches=2.3)


def against(course: Any) -> Figure:
    """Draw what speaks against each of two classes of one picture."""
    scene = _scene("cat", "coffee")
    pictures: list[Tensor | Overlay] = [scene.rgb]
    titles = ["picture"]
    for name in ("tiger cat", "espresso"):
        cam = course.l14_grad_cam.counterfactual(
            _classifier().network, "head", scene.images, _target(name)
        )[0]
        pictures.append(Overlay(scene.rgb, cam, ALPHA))
        titles.append(f"against {name}")
    return image_grid(pictures, titles, columns=3, inches=2.6)


def no_bee(course: Any) -> Figure:
    """Draw maps of a flower for a flower and for two insects that are not there."""
    scene = _scene("flower")
    names = ("daisy", "bee", "ant")
    maps = [Overlay(scene.rgb, _cam(course, scene, name), ALPHA) for name in names]
    titles = ["photo", *[f"{name}?" for name in names]]
    return image_grid([scene.rgb, *maps], titles, columns=4, inches=2.1)


def own_scale(course: Any) -> Figure:
    """Draw two maps of the cat, each over its own range, and both over one range."""
    scene = _scene("cat")
    maps = {name: _cam(course, scene, name) for name in ("tiger cat", "espresso")}
    # Side by side as one picture, they share one scale.
    together = colour(torch.cat(list(maps.values()), dim=1)).chunk(len(maps), dim=2)
    pictures = [*[colour(cam) for cam in maps.values()], *together]
    titles = [f"{name}, {way}" for way in ("own scale", "one scale") for name in maps]
    return image_grid(pictures, titles, columns=4, inches=2.3)


def where_units_look(course: Any) -> Figure:
    """Draw where the units of three networks look."""
    from matplotlib.patches import Rectangle
    from torchvision.models import resnet18

    scenes = load_model("scenes")
    with seeded(0):
        # Where a unit looks hangs on kernels, strides and paddings: no weights are downloaded.
        untrained = resnet18(weights=None).eval()
    networks = {
        "efficientnet_lite0": (_classifier().network, "head", 32),
        "ResNet-18, untrained": (untrained, "layer4", 32),
        "scenes": (scenes.network, scenes.default_layer, 8),
    }
    figure = new_figure(9.6, 3.6)
    for number, (name, (network, layer, stride)) in enumerate(networks.items()):
        seen, down, right = _look_of_units(network, layer, stride)
        axes = figure.add_subplot(1, 3, number + 1)
        half = len(seen) // 2
        extent = (-half, half, half, -half)
        axes.imshow(seen, cmap="gray_r", vmin=0, vmax=float(seen.quantile(0.99)), extent=extent)
        corner = (-stride / 2, -stride / 2)
        axes.add_patch(Rectangle(corner, stride, stride, fill=False, edgecolor=ORANGE, linewidth=2))
        axes.plot(right, down, "+", color=ORANGE, markersize=14, markeredgewidth=3)
        axes.set(xlim=(-half, half), ylim=(half, -half))
        style_axes(axes, name)
        axes.set_axis_off()
    return figure


def _look_of_units(network: nn.Module, layer: str, stride: int) -> tuple[Tensor, float, float]:
    """Average where units of a layer look, around the middle of their squares.

    Args:
        network: with that layer.
        layer: dotted name.
        stride: side of a unit's square, pixels.

    Returns:
        The mean magnitude of their gradients at noise, (12 * stride, 12 * stride), summing to 1;
        how far its centre of mass lies below the middle of the square, and to the right of it.
    """
    generator = torch.Generator().manual_seed(0)
    size, half, first = 18 * stride, 6 * stride, 7
    noise = torch.randn(1, 3, size, size, generator=generator).requires_grad_()
    kept: list[Tensor] = []
    module = network.get_submodule(layer)
    with module.register_forward_hook(lambda module, inputs, output: kept.append(output)):
        network(noise)
    seen = torch.zeros(2 * half, 2 * half)
    for place in range(16):
        row, column = first + place // 4, first + place % 4
        signs = torch.randn(kept[0].shape[1], generator=generator)
        unit = (kept[0][0, :, row, column] * signs).sum()
        (gradient,) = torch.autograd.grad(unit, noise, retain_graph=True)
        top, left = (int((index + 0.5) * stride) - half for index in (row, column))
        seen += gradient[0, :, top : top + 2 * half, left : left + 2 * half].abs().sum(0)
    seen /= seen.sum()
    places = torch.arange(2 * half) + 0.5 - half
    return seen, float((seen.sum(1) * places).sum()), float((seen.sum(0) * places).sum())


def covered_and_mirrored(course: Any) -> Figure:
    """Plot what covering a map does to a logit, against covering its mirror image."""
    changes = torch.tensor([_covering(course, *photos) for photos in _neighbours()])
    figure = new_figure(5.6, 5)
    axes = figure.add_subplot()
    ends = [float(changes.min()) - 0.3, float(changes.max()) + 0.3]
    axes.plot(ends, ends, color=INK, linewidth=1)
    axes.axhline(0, color=INK, linewidth=0.5)
    axes.axvline(0, color=INK, linewidth=0.5)
    axes.scatter(changes[:, 1], changes[:, 0], s=48, color=ORANGE, linewidths=0)
    axes.set(xlim=ends, ylim=ends, aspect="equal")
    axes.set(xlabel="mirror image covered", ylabel="map covered")
    style_axes(axes, "change of the logit")
    return figure


def _neighbours() -> list[tuple[str, str, str]]:
    """Return photos in pairs, each with the one that is asked about."""
    names = photo_names()
    pairs = zip(names, names[1:] + names[:1], strict=True)
    return [(left, right, asked) for left, right in pairs for asked in (left, right)]


def _covering(course: Any, left: str, right: str, asked: str) -> tuple[float, float]:
    """Return the covering test's two changes of the logit, for one photo of a pair."""
    network, lesson = _classifier().network, course.l14_grad_cam
    with torch.no_grad():
        target = network(_scene(asked).images).argmax(1)
    images = _scene(left, right).images
    maps = lesson.grad_cam(network, "head", images, target)
    covered, control = lesson.covering_test(network, images, target, maps, 0.2)
    return float(covered), float(control)
