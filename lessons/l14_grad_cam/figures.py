"""Figures of lesson 14, drawn with the course's functions or a student's own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from lessons.toolkit.classes import class_index
from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import colour, image_grid, overlay, signed_to_rgb

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
    maps = [overlay(scene.rgb, _cam(course, scene, name), ALPHA) for name in names]
    titles = ["picture", *[f"{name}?" for name in names]]
    return image_grid([scene.rgb, *maps], titles, columns=3, inches=2.6)


def weighted_sum(course: Any) -> Figure:
    """Draw two channels that speak for espresso, one against it, and the sum of all."""
    scene, lesson = _scene("cat", "coffee"), course.l14_grad_cam
    activation, gradient = lesson.activation_and_gradient(
        _classifier().network, "head", scene.images, _target("espresso")
    )
    weights = lesson.channel_weights(gradient)[0]
    said = weights[:, None, None] * activation[0]
    chosen = [*said.amax((1, 2)).topk(2).indices.tolist(), int(said.amin((1, 2)).argmin())]
    pictures = [overlay(scene.rgb, activation[0, channel], ALPHA) for channel in chosen]
    titles = [f"channel {channel}: {1000 * weights[channel]:+.1f}" for channel in chosen]
    pictures.append(overlay(scene.rgb, _cam(course, scene, "espresso"), ALPHA))
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
    pictures, titles = [], []
    for name in ("tiger cat", "espresso"):
        target = _target(name)
        lines = course.l12_guided_backprop.guided_backprop(network, scene.images, target)
        product = course.l14_grad_cam.guided_grad_cam(
            network, "head", scene.images, target, guided=lines
        )
        cam = overlay(scene.rgb, _cam(course, scene, name), ALPHA)
        pictures += [signed_to_rgb(lines[0], 0.98), cam, signed_to_rgb(product[0], 0.98)]
        titles += ["guided", f"{name}?", "product"]
    return image_grid(pictures, titles, columns=3, inches=2.6)


def against(course: Any) -> Figure:
    """Draw what speaks against each of two classes of one picture."""
    scene = _scene("cat", "coffee")
    pictures, titles = [scene.rgb], ["picture"]
    for name in ("tiger cat", "espresso"):
        cam = course.l14_grad_cam.counterfactual(
            _classifier().network, "head", scene.images, _target(name)
        )[0]
        pictures.append(overlay(scene.rgb, cam, ALPHA))
        titles.append(f"against {name}")
    return image_grid(pictures, titles, columns=3, inches=2.6)


def no_bee(course: Any) -> Figure:
    """Draw maps of a flower for a flower and for two insects that are not there."""
    scene = _scene("flower")
    names = ("daisy", "bee", "ant")
    maps = [overlay(scene.rgb, _cam(course, scene, name), ALPHA) for name in names]
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
