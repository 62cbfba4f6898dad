"""Figures of lesson 11, drawn with the course's functions or a student's own."""

from __future__ import annotations

import math
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from lessons.toolkit.classes import class_index
from lessons.toolkit.models import Classifier, load_model
from lessons.toolkit.photos import load_photo
from lessons.toolkit.plots import INK, ORANGE, PURPLE, image_grid, new_figure, style_axes
from lessons.toolkit.regions import graph_segment
from lessons.toolkit.scenes import CLASSES as SCENE_CLASSES
from lessons.toolkit.scenes import make_scenes

if TYPE_CHECKING:  # matplotlib is absent where student code is run
    from matplotlib.figure import Figure


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


def _ink(saliency: Tensor, blur: float = 1.0) -> Tensor:
    """Draw a map in black on white.

    Its grain and its regions can both be read.

    Args:
        saliency: (H, W).
        blur: standard deviation of a Gaussian, pixels. The strongest percent is black: single
            pixels would otherwise be all that one sees.

    Returns:
        float (3, H, W) in [0, 1].
    """
    from torchvision.transforms.functional import gaussian_blur

    smooth = gaussian_blur(saliency[None], 2 * math.ceil(3 * blur) + 1, blur)[0]
    return 1 - (smooth / smooth.quantile(0.99)).clamp(0, 1).expand(3, -1, -1)


def cat_and_map(course: Any) -> Figure:
    """Draw the photo beside its saliency map."""
    asked = _question()
    saliency = course.l11_saliency.saliency_map(asked.classifier.network, *asked[2:])[0]
    return image_grid([asked.rgb, _ink(saliency)], ["photo", "saliency"], inches=3.7)


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
            pictures.append(_ink(smooth[0]))
            titles.append(f"{100 * noise:.0f} %, {samples}×")
    return image_grid(pictures, titles, columns=3, inches=2.4)


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
        pictures.append(_ink(smooth[0], blur=2))
        titles.append(f"{name}?")
    return image_grid(pictures, titles, inches=2.4)


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
    figure = image_grid(pictures, ["box", "seeds", "cut-out"] * 2, columns=3, inches=2.4)
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
        pictures.append(_ink(saliency))
        titles.append(f"{title}: {float(saliency.max()):.2g}")
    return image_grid(pictures, titles, inches=2.4)


def scenes_and_masks(course: Any) -> Figure:
    """Draw scenes above the saliency of their class, with the outline of the object."""
    lesson, network = course.l11_saliency, load_model("scenes").network
    scenes = make_scenes(16, seed=0)
    fish = scenes.labels < len(SCENE_CLASSES) // 2
    shown = torch.cat([fish.nonzero()[:2], (~fish).nonzero()[:2]]).flatten()
    masks, labels = scenes.masks[shown], scenes.labels[shown]
    saliency = lesson.saliency_map(network, scenes.inputs()[shown], labels)
    lift = lesson.saliency_lift(saliency, masks)
    titles = [SCENE_CLASSES[label].replace(" ", "\n", 1) for label in labels.tolist()]
    titles += [f"lift {float(one):.1f}" for one in lift]
    maps = [_ink(one, blur=0.7) for one in saliency]
    figure = image_grid([*scenes.images[shown], *maps], titles, columns=4, inches=2.2)
    for axes, mask in zip(figure.axes[4:], masks, strict=True):
        axes.contour(mask.float().numpy(), [0.5], colors=[ORANGE], linewidths=1.5)
    return figure
