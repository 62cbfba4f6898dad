"""Figures of lesson 11, drawn with the course's functions or a student's own."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from lessons.toolkit.classes import class_index
from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import INK, image_grid, new_figure, overlay, style_axes
from lessons.toolkit.regions import graph_segment

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.figure import Figure

ORANGE, PURPLE = "#e66101", "#8073ac"  # read on light and dark pages


class _Question(NamedTuple):
    """A photo, and the class that the network sees in it."""

    classifier: Classifier
    rgb: Tensor
    images: Tensor
    target: Tensor


@cache
def _question(photo: str = "cat") -> _Question:
    classifier = load_model()
    rgb = classifier.preprocess.crop_rgb(load_photo(photo))
    images = classifier.preprocess.normalise(rgb)[None]
    with torch.inference_mode():
        target = classifier.network(images).argmax(1)
    return _Question(classifier, rgb, images, target.clone())


def _for_the_eye(saliency: Tensor) -> Tensor:
    """Return a map at half its resolution, its strongest pixels clipped.

    The strongest half percent is clipped, or single pixels would be all that one sees.
    """
    coarse = nn.functional.avg_pool2d(saliency[None], 2)[0]
    return coarse.clamp(max=coarse.quantile(0.995))


def cat_and_map(course: Any) -> Figure:
    """Draw the photo, its saliency map, and the one over the other."""
    asked = _question()
    saliency = course.l11_saliency.saliency_map(asked.classifier.network, *asked[2:])[0]
    every_pixel = saliency.clamp(max=saliency.quantile(0.995))
    pictures = [asked.rgb, every_pixel, overlay(asked.rgb, _for_the_eye(saliency), 0.65)]
    return image_grid(pictures, ["photo", "saliency", "both"], inches=2)


def flicker(course: Any) -> Figure:
    """Plot the derivative at three pixels while the photo drifts in one direction."""
    asked = _question()
    steps = torch.linspace(0, 0.02, 33)
    direction = torch.randn(asked.rgb.shape, generator=torch.Generator().manual_seed(1))
    spread = asked.images.max() - asked.images.min()
    path = asked.images + steps[:, None, None, None] * spread * direction
    maps = torch.cat(
        [
            course.l11_saliency.saliency_map(
                asked.classifier.network, images, asked.target.expand(len(images))
            )
            for images in path.split(8)
        ]
    )
    figure = new_figure(6.4, 3)
    axes = figure.add_subplot()
    for (row, column), shade, line in zip(
        [(80, 95), (110, 80), (150, 120)], [ORANGE, PURPLE, INK], ["-", "--", ":"], strict=True
    ):
        axes.plot(100 * steps, maps[:, row, column], color=shade, linestyle=line, linewidth=2)
    axes.set(xlabel="noise, % of the range", ylabel="saliency")
    axes.set_xlim(0, 2)
    axes.set_ylim(0)
    style_axes(axes, "three pixels")
    return figure


def smooth_wall(course: Any) -> Figure:
    """Draw SmoothGrad with three strengths of noise, of one copy and of sixteen."""
    asked = _question()
    pictures, titles = [], []
    for samples in (1, 16):
        for noise in (0.05, 0.15, 0.4):
            smooth = course.l11_saliency.smooth_grad(
                asked.classifier.network, *asked[2:], samples, noise
            )
            pictures.append(_for_the_eye(smooth[0]))
            titles.append(f"{100 * noise:.0f} %, {samples}×")
    return image_grid(pictures, titles, columns=3, inches=1.6)


def two_questions(course: Any) -> Figure:
    """Draw maps of one photo for a class it shows and for one it does not."""
    asked = _question()
    classes = asked.classifier.classes
    pictures, titles = [asked.rgb], ["photo"]
    for name in (classes[int(asked.target)], "espresso"):
        target = torch.tensor([class_index(classes, name)])
        smooth = course.l11_saliency.smooth_grad(
            asked.classifier.network, asked.images, target, 16, 0.15
        )
        pictures.append(_for_the_eye(smooth[0]))
        titles.append(f"{name}?")
    return image_grid(pictures, titles, inches=1.9)


def box_and_cut(course: Any) -> Figure:
    """Draw the way from the map to a box, to seeds and to a cut-out, for two photos."""
    from matplotlib.patches import Rectangle

    lesson = course.l11_saliency
    pictures, boxes = [], []
    for photo in ("coffee", "cat"):
        asked = _question(photo)
        smooth = lesson.smooth_grad(asked.classifier.network, *asked[2:], 16, 0.15)
        # Averaged over 17 pixels: single pixels make no regions.
        saliency = nn.functional.avg_pool2d(smooth, 17, 1, 8, count_include_pad=False)[0]
        boxes.append(lesson.saliency_box(saliency, 0.9))
        keeper = _MarkerKeeper()
        cut = lesson.saliency_segmentation(asked.rgb, saliency, segment=keeper)
        faded = 0.15 * asked.rgb + 0.6
        pictures += [asked.rgb, _painted(asked.rgb, keeper.markers), asked.rgb.where(cut, faded)]
    figure = image_grid(pictures, ["box", "seeds", "cut-out"] * 2, columns=3, inches=1.9)
    for axes, (top, left, bottom, right) in zip(figure.axes[::3], boxes, strict=True):
        size = (right - left, bottom - top)
        frame = Rectangle((left - 0.5, top - 0.5), *size, fill=False, edgecolor=ORANGE, linewidth=3)
        axes.add_patch(frame)
    return figure


class _MarkerKeeper:
    """The graph segmenter, keeping the markers that it was given."""

    markers: Tensor

    def __call__(self, image: Tensor, markers: Tensor) -> Tensor:
        self.markers = markers
        return graph_segment(image, markers)


def _painted(rgb: Tensor, markers: Tensor) -> Tensor:
    """Paint sure background purple, sure object orange, and the rest in grey."""
    from matplotlib.colors import to_rgb

    grey = rgb.mean(0, keepdim=True).expand(3, -1, -1)
    purple, orange = (torch.tensor(to_rgb(name))[:, None, None] for name in (PURPLE, ORANGE))
    painted = torch.where(markers == 1, 0.3 * grey + 0.7 * purple, grey)
    return torch.where(markers == 2, orange, painted)


def logit_or_probability(course: Any) -> Figure:
    """Draw the map of the logit beside the map of the softmax probability."""
    asked = _question("coffee")
    network = asked.classifier.network
    with_softmax = nn.Sequential(network, nn.Softmax(1))
    pictures, titles = [asked.rgb], ["photo"]
    for title, model in (("logit", network), ("softmax", with_softmax)):
        saliency = course.l11_saliency.saliency_map(model, *asked[2:])[0]
        pictures.append(_for_the_eye(saliency))
        titles.append(f"{title}: {float(saliency.max()):.2g}")
    return image_grid(pictures, titles, inches=1.9)
