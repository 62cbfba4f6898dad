# Stubs of l15_debugging, version 00c905800456. Complete them here; `convlens check l15_debugging` says what is right.
"""Lesson 15, debugging: should you believe the picture?

A map is put to the test: against another question, a network that has learnt nothing, a mask that
is known, and what the network says when the marked pixels are gone.

`images` are float (N, 3, H, W), `image` is float (1, 3, H, W), normalised for the model, so that 0
is the mean colour; `target` is long (N,); `model(images)` gives logits (N, K).

Results are detached and keep the dtype and device of what they are made from; plain numbers are
Python floats. Leave the model, its parameters' `.grad`, the caller's tensors and torch's global
state as you found them.

Given: `check_target(target, count, classes)` raises ValueError if the target does not fit: one of
another length, or with a class that is not there, be it below 0 or above the last. `@with_autograd`
turns autograd on, even where the caller has turned it off, so that a copy made there can be
differentiated. `redraw_weights(layer, generator)` draws one layer's own weights anew, in place, as
if it had learnt nothing. `grid(maps)` is the row and the column of each place. `edge_map` and
`centre_map` make maps that know nothing of the network, and `course_methods` collects what the
course has taught: they stand at the end.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lessons.toolkit.models import redraw_weights
from lessons.toolkit.passes import check_target, with_autograd

# A method takes a model, images and their classes, and gives maps (N, H, W), at least 0.
Method = Callable[[nn.Module, Tensor, Tensor], Tensor]


# Exercise 1 of 8 · 15 minutes · difficulty 2 of 3 · 2 points
def rank_correlation(a: Tensor, b: Tensor) -> float:
    """Compare the order in which two maps put their places.

    Args:
        a: float, any shape.
        b: float, same shape.

    Returns:
        Spearman's rank correlation, -1 to 1: Pearson's correlation of the ranks, where equal values
        share the mean of their ranks. NaN where all values of a map are equal: it has no order.

    Raises:
        ValueError: the shapes differ.

    Paper: Spearman 1904; as a test of maps, Adebayo et al. 2018, section 3.

    >>> rank_correlation(torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[1.0, 10.0, 100.0]]))
    1.0
    """
    # YOUR CODE HERE
    raise NotImplementedError("l15_debugging.rank_correlation: not written yet")


# Exercise 2 of 8 · 25 minutes · difficulty 2 of 3 · 3 points
@with_autograd
def randomise_from_top(
    model: nn.Module, seed: int, parts: Sequence[str] | None = None
) -> Iterator[tuple[str, nn.Module]]:
    """Destroy a network layer by layer, from its end to its beginning.

    Args:
        model: any network; it is left as it is.
        seed: of one `torch.Generator` for the whole cascade.
        parts: dotted names of what is redrawn in one step, from the first to the last. A container
            is redrawn with all modules in it, in the order of `modules()`. By default each of
            `model.named_modules()` that has parameters of its own, whatever they are called: a
            container or the network itself (its name is "") may be among them.

    Returns:
        An iterator; a list will do as well. After the k-th step it gives the name of the part that
        was redrawn last, and a copy of the model whose last k parts have fresh weights, drawn by
        `redraw_weights`; all others are still trained. Each copy is its own: a later step does not
        change it. Mode and `requires_grad` are those of the model.

    Raises:
        AttributeError: the model has no layer of that name.

    Paper: Adebayo et al. 2018, "Sanity checks for saliency maps", section 3.1.

    >>> model = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
    >>> [name for name, _ in randomise_from_top(model, seed=0)]
    ['2', '0']
    """
    # YOUR CODE HERE
    raise NotImplementedError("l15_debugging.randomise_from_top: not written yet")


# Exercise 3 of 8 · 20 minutes · difficulty 2 of 3 · 2 points
def pointing_game(maps: Tensor, masks: Tensor, tolerance: float) -> float:
    """Count how many maps have their peak on the object.

    Args:
        maps: float (N, H, W), at least 0.
        masks: bool (N, H, W), True on each image's object.
        tolerance: pixels. A peak hits if an object's pixel lies no further from it, in a straight
            line from middle to middle.

    Returns:
        The share of hits, 0 to 1. The peak is the largest value, of equal ones the first in reading
        order. A map of zeros has no peak, and misses.

    Raises:
        ValueError: maps and masks have different shapes.

    Paper: Zhang et al. 2016, "Top-down neural attention by excitation backprop", section 4.1.

    >>> maps = torch.tensor([[[0.0, 9.0, 0.0]], [[0.0, 0.0, 9.0]]])
    >>> masks = torch.tensor([[[False, True, False]], [[True, False, False]]])
    >>> pointing_game(maps, masks, 0), pointing_game(maps, masks, 2)
    (0.5, 1.0)
    """
    # YOUR CODE HERE
    raise NotImplementedError("l15_debugging.pointing_game: not written yet")


# Exercise 4 of 8 · 25 minutes · difficulty 3 of 3 · 3 points
def deletion_curve(
    model: nn.Module,
    image: Tensor,
    saliency: Tensor,
    target: Tensor,
    steps: int,
    fill: float | Tensor = 0.0,
) -> Tensor:
    """Follow the target logit while the most salient pixels are taken away.

    Args:
        model: a classifier.
        image: float (1, 3, H, W), normalised for the model.
        saliency: float (H, W), of the image's size.
        target: long (1,).
        steps: in how many steps all pixels go. After step k the k*H*W // steps most salient ones
            are gone, in all three channels; of equal ones the first in reading order goes first.
        fill: what stands in their place, a number or a picture (1, 3, H, W).

    Returns:
        float (steps + 1,): the logit of the whole image, after step 1, ..., of the fill alone.

    Raises:
        ValueError: the target does not fit, as `check_target` asks, or the saliency is not of the
            image's size.

    Paper: Petsiuk, Das and Saenko 2018, "RISE", section 4.2, there with probabilities.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(6, 1, bias=False))
    >>> _ = nn.init.ones_(model[1].weight)
    >>> image, saliency = torch.ones(1, 3, 1, 2), torch.tensor([[0.1, 0.9]])
    >>> deletion_curve(model, image, saliency, torch.tensor([0]), steps=2)
    tensor([6., 3., 0.])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l15_debugging.deletion_curve: not written yet")


# Exercise 5 of 8 · 10 minutes · difficulty 1 of 3 · 2 points
def insertion_curve(
    model: nn.Module,
    image: Tensor,
    saliency: Tensor,
    target: Tensor,
    steps: int,
    fill: float | Tensor = 0.0,
) -> Tensor:
    """Follow the target logit while the most salient pixels are put in.

    Args:
        model: a classifier.
        image: float (1, 3, H, W), normalised for the model.
        saliency: float (H, W), of the image's size.
        target: long (1,).
        steps: in how many steps all pixels come, as many at a time as `deletion_curve` takes away,
            in the same order.
        fill: where it begins, a number or a picture (1, 3, H, W), such as a blurred copy.

    Returns:
        float (steps + 1,): the logit of the fill alone, after step 1, ..., of the whole image.

    Raises:
        ValueError: the target does not fit, as `check_target` asks, or the saliency is not of the
            image's size.

    Paper: Petsiuk, Das and Saenko 2018, "RISE", section 4.2, there with probabilities.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(6, 1, bias=False))
    >>> _ = nn.init.ones_(model[1].weight)
    >>> image, saliency = torch.ones(1, 3, 1, 2), torch.tensor([[0.1, 0.9]])
    >>> insertion_curve(model, image, saliency, torch.tensor([0]), steps=2, fill=2.0)
    tensor([12.,  9.,  6.])
    """
    # YOUR CODE HERE
    raise NotImplementedError("l15_debugging.insertion_curve: not written yet")


# Exercise 6 of 8 · 25 minutes · difficulty 2 of 3 · 3 points
def comparison(
    model: nn.Module,
    untrained: nn.Module,
    image: Tensor,
    target: Tensor,
    other: Tensor,
    mask: Tensor,
    methods: Mapping[str, Method],
) -> dict[str, dict[str, float]]:
    """Put several methods to the same four tests.

    Args:
        model: a classifier.
        untrained: a network of the same kind with random weights.
        image: float (1, 3, H, W), normalised for the model.
        target: long (1,), the class asked about.
        other: long (1,), another class.
        mask: bool (H, W), True on the object of `target`.
        methods: by name, `method(model, image, target)` gives a map (1, H, W), at least 0.

    Returns:
        For each method, in their order, a dict of four numbers:
        "two classes", the rank correlation of the maps for `target` and for `other`;
        "random weights", that of the maps for `target` by `model` and by `untrained`;
        "on the object", the share of the map's sum that lies on the mask, 0 for a map of zeros;
        "forwards", how many images went through `model` for one map. A pass of a batch of 5 is 5.
        An error of a method passes on. Then too nothing is left on the model, be it a hook or an
        attribute.

    >>> model = nn.Sequential(nn.Flatten(), nn.Linear(6, 2))
    >>> brightness = lambda model, image, target: image.abs().sum(1)
    >>> image, mask = torch.tensor([1.0, 3.0]).expand(1, 3, 1, 2), torch.tensor([[False, True]])
    >>> classes = torch.tensor([0]), torch.tensor([1])
    >>> table = comparison(model, model, image, *classes, mask, {"brightness": brightness})
    >>> table["brightness"]["on the object"], table["brightness"]["forwards"]
    (0.75, 0.0)
    """
    # YOUR CODE HERE
    raise NotImplementedError("l15_debugging.comparison: not written yet")


# Exercise 7 of 8 · 15 minutes · difficulty 2 of 3 · 2 points
def strongest_window(maps: Tensor, window: int) -> Tensor:
    """Find the square of each map in which most of it lies.

    Args:
        maps: float (N, H, W), at least 0.
        window: side of the square, pixels, at most H and W.

    Returns:
        bool (N, H, W), True on the square with the largest sum; it lies inside the map as a whole.
        Of equal ones the first in reading order of their corners.

    >>> strongest_window(torch.tensor([[[0.0, 1.0, 5.0, 1.0], [0.0, 0.0, 0.0, 3.0]]]), 2)[0].int()
    tensor([[0, 0, 1, 1],
            [0, 0, 1, 1]], dtype=torch.int32)
    """
    # YOUR CODE HERE
    raise NotImplementedError("l15_debugging.strongest_window: not written yet")


# Exercise 8 of 8 · 35 minutes · difficulty 3 of 3 · 4 points
def find_the_shortcut(
    model: nn.Module, images: Tensor, target: Tensor, others: Tensor, maps: Tensor, window: int
) -> dict[str, float]:
    """Take what the maps mark away from its images, and give it to others.

    What is marked is the `strongest_window` of each map. The control is a window of the same size
    at the opposite place: turned by half a turn about the middle of the picture.

    Args:
        model: a classifier.
        images: float (N, 3, H, W), normalised for the model.
        target: long (N,), the class of each image.
        others: float (N, 3, H, W), one image of another class for each of `images`.
        maps: float (N, H, W), at least 0, of `images`.
        window: side of the window, pixels.

    Returns:
        Six floats from 0 to 1, each the share of images for which `target` is the model's answer:
        "images", as they are; "window covered", with 0; "control covered";
        "others", as they are; "window pasted", from each image into its other at the same place;
        "control pasted".

    Raises:
        ValueError: there is not one target, one other and one map for each image, or no image, or
            the target has a class that is not there.

    Paper: Lapuschkin et al. 2019, "Unmasking Clever Hans predictors", for the idea.

    >>> model = nn.Sequential(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(3, 2, bias=False))
    >>> _ = nn.init.eye_(model[2].weight)
    >>> red, green = torch.eye(3)[:2, :, None, None].expand(2, 3, 2, 2)
    >>> found = find_the_shortcut(
    ...     model, red[None], torch.tensor([0]), green[None] / 4, torch.eye(2)[None], 1
    ... )
    >>> found["images"], found["others"], found["window pasted"]
    (1.0, 0.0, 1.0)
    """
    # YOUR CODE HERE
    raise NotImplementedError("l15_debugging.find_the_shortcut: not written yet")


# Given from here on.


def edge_map(images: Tensor) -> Tensor:
    """Draw where an image is not flat: a map that knows neither network nor class.

    Args:
        images: float (N, 3, H, W).

    Returns:
        float (N, H, W), at least 0: the length of the slope of the brightness, by Sobel's kernels.

    >>> edge_map(torch.zeros(2, 3, 5, 6)).any()
    tensor(False)
    """
    grey = F.pad(images.detach().mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    sobel = torch.tensor([[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]])
    kernels = torch.stack([sobel, sobel.T])[:, None].to(images)
    return F.conv2d(grey, kernels).square().sum(1).sqrt()


def centre_map(images: Tensor) -> Tensor:
    """Draw a hill in the middle of the picture: a map that has not even looked at it.

    Args:
        images: float (N, 3, H, W).

    Returns:
        float (N, H, W), 1 in the middle and 0 in the corners.

    >>> centre_map(torch.zeros(1, 3, 3, 3))[0, 1]
    tensor([0.2929, 1.0000, 0.2929])
    """
    rows, columns = (places.to(images.dtype) for places in grid(images[:, 0]))
    down, right = rows - rows.mean(), columns - columns.mean()
    distance = (down.square() + right.square()).sqrt()
    return (1 - distance / distance.max()).expand(len(images), -1, -1)


def grid(maps: Tensor) -> tuple[Tensor, Tensor]:
    """Return the row and the column of each place of maps (N, H, W), long (H, W) each.

    >>> grid(torch.zeros(1, 2, 2))[1]
    tensor([[0, 1],
            [0, 1]])
    """
    sides = [torch.arange(side, device=maps.device) for side in maps.shape[1:]]
    rows, columns = torch.meshgrid(sides, indexing="ij")
    return rows, columns


@with_autograd
def refit_classifier(
    model: nn.Module, images: Tensor, labels: Tensor, ridge: float = 1.0
) -> nn.Module:
    """Fit the last layer of a network anew, and leave all before it as it is.

    Args:
        model: ends in a linear layer named `classifier`; left as it is.
        images: float (N, 3, H, W), normalised for the model.
        labels: long (N,).
        ridge: holds the weights small, at least 0.

    Returns:
        A copy whose classifier is the ridge regression from its inputs to one-hot labels. No step
        is taken: one system of equations gives the weights.

    Raises:
        ValueError: there is no image.

    Paper: Kirichenko, Izmailov and Wilson 2023, "Last layer re-training is sufficient for
    robustness to spurious correlations", there with a logistic regression.

    >>> model = nn.Sequential()
    >>> model.add_module("classifier", nn.Linear(2, 2))
    >>> refit_classifier(model, torch.eye(2), torch.tensor([1, 0]))(torch.eye(2)).argmax(1)
    tensor([1, 0])
    """
    if len(images) == 0:
        raise ValueError("at least one image")
    fresh = copy.deepcopy(model)
    classifier = fresh.get_submodule("classifier")
    assert isinstance(classifier, nn.Linear)
    kept: list[Tensor] = []
    hook = classifier.register_forward_pre_hook(lambda module, inputs: kept.append(inputs[0]))
    with torch.no_grad(), hook:
        for part in images.split(256):
            fresh(part)
        features = torch.cat(kept).double()
        wanted = F.one_hot(labels, len(classifier.weight)).double()
        # Of centred features the regression needs no bias; the means give it afterwards.
        centred = features - features.mean(0)
        penalty = ridge * torch.eye(features.shape[1]).to(features)
        weight = torch.linalg.solve(centred.mT @ centred + penalty, centred.mT @ wanted)
        classifier.weight.copy_(weight.mT)
        classifier.bias.copy_(wanted.mean(0) - features.mean(0) @ weight)
    return fresh


def course_methods(layer: str) -> dict[str, Method]:
    """Collect the methods of lessons 10 to 14, and two that know nothing, by name.

    Args:
        layer: dotted name of the last layer with one map for each channel; the network ends in a
            mean over its places and a linear layer named `classifier`.

    Returns:
        For each name a function `method(model, images, target)` whose maps (N, H, W) are at least
        0 and of the images' size. Coarse maps are enlarged bilinearly.
    """
    # Here and not at the top: whoever brings methods of their own needs none of these lessons.
    from lessons.l02_hooks.exercises import capture_activation
    from lessons.l10_occlusion.exercises import occlusion_map
    from lessons.l11_saliency.exercises import saliency_map, smooth_grad
    from lessons.l12_guided_backprop.exercises import deconvnet, guided_backprop
    from lessons.l13_cam.exercises import class_activation_map
    from lessons.l14_grad_cam.exercises import grad_cam, guided_grad_cam

    def enlarged(maps: Tensor, images: Tensor) -> Tensor:
        size = images.shape[-2:]
        larger = F.interpolate(maps[:, None], size, mode="bilinear", align_corners=False)
        return larger[:, 0].clamp(min=0)

    def occlusion(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        window = min(images.shape[-2:]) // 4
        return occlusion_map(model, images, target, window, window // 2).clamp(min=0)

    def smooth(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        return smooth_grad(model, images, target, samples=20, noise=0.15)

    def cam(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        features = capture_activation(model, layer, images)
        weight = model.get_parameter("classifier.weight").detach()
        return enlarged(class_activation_map(features, weight, target), images)

    return {
        "occlusion": occlusion,
        "saliency": saliency_map,
        "SmoothGrad": smooth,
        "deconvnet": lambda *asked: deconvnet(*asked).abs().amax(1),
        "guided backpropagation": lambda *asked: guided_backprop(*asked).abs().amax(1),
        "CAM": cam,
        "Grad-CAM": lambda *asked: enlarged(grad_cam(asked[0], layer, *asked[1:]), asked[1]),
        "Guided Grad-CAM": lambda *asked: (
            guided_grad_cam(asked[0], layer, *asked[1:]).abs().amax(1)
        ),
        "edges": lambda model, images, target: edge_map(images),
        "centre": lambda model, images, target: centre_map(images),
    }
