"""Lesson 11, saliency: cases, mutants and hints."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from autograder.record import Accepted, Case, Exercise, Lesson, Mutant
from autograder.wire import ModelSpec


def _images(rng: Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=dtype)


def _seed(rng: Generator) -> int:
    return int(torch.randint(1 << 30, (), generator=rng))


def _saliency_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, images: Tensor, target: list[int]) -> Case:
        dtype = "float64" if images.dtype == torch.float64 else "float32"
        spec = ModelSpec(model, _seed(rng), dtype)
        inputs = {"model": spec, "images": images, "target": torch.tensor(target)}
        return Case(inputs, picture=True)

    wide = _images(rng, 2, 3, 16, 24)
    return {
        "two images": case("plain", wide, [3, 1]),
        "one image": case("plain", _images(rng, 1, 3, 20, 14), [2]),
        "in-place ReLU": case("inplace", _images(rng, 3, 3, 12, 12), [0, 4, 4]),
        "BatchNorm and dropout": case("normalised", _images(rng, 2, 3, 14, 18), [1, 0]),
        "float64": case("residual", _images(rng, 2, 3, 16, 16, dtype=torch.float64), [4, 2]),
        "weights known on paper": case("linear", _images(rng, 2, 3, 12, 16), [1, 3]),
        "image already requiring grad": case(
            "functional", _images(rng, 2, 3, 12, 16).requires_grad_(), [0, 2]
        ),
    }


def _smooth_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, shape: tuple[int, ...], target: list[int], samples: int) -> Case:
        # Different contrasts, so that one spread for the whole batch shows.
        contrast = torch.linspace(0.5, 3.0, shape[0])[:, None, None, None]
        inputs = {
            "model": ModelSpec(model, _seed(rng)),
            "images": _images(rng, *shape) * contrast,
            "target": torch.tensor(target),
            "samples": samples,
            "noise": 0.15,
            "seed": _seed(rng),
        }
        return Case(inputs, picture=True)

    return {
        "two images, 12 copies": case("plain", (2, 3, 16, 24), [3, 1], 12),
        "one image, 5 copies": case("inplace", (1, 3, 16, 12), [2], 5),
        "three images, one copy": case("residual", (3, 3, 16, 16), [4, 0, 4], 1),
        "BatchNorm and dropout": case("normalised", (2, 3, 16, 16), [1, 0], 4),
        "weights known on paper": case("linear", (2, 3, 12, 16), [1, 3], 3),
    }


def _box_cases(rng: Generator) -> dict[str, Case]:
    def blobs(height: int, width: int, boxes: list[tuple[int, int, int, int, float]]) -> Tensor:
        saliency = 0.1 * torch.rand(height, width, generator=rng)
        for top, left, bottom, right, value in boxes:
            region = saliency[top:bottom, left:right]
            region.copy_(value + 0.1 * torch.rand(region.shape, generator=rng))
        return saliency

    def shift(most: int) -> int:
        return int(torch.randint(most, (), generator=rng))

    a, b = shift(3), shift(4)
    two = blobs(16, 24, [(2 + a, 3, 5 + a, 5, 2.0), (8, 9 + b, 13, 17 + b, 1.0)])
    corner = torch.zeros(12, 12)
    corner[0:4, 0 : 3 + shift(3)] = 1.0
    corner[4:10, 6:11] = 1.0  # touches nothing: a corner is no edge
    touching = torch.zeros(9, 11)
    touching[1:4, 1:5] = 1.0
    touching[4:8, 5 : 7 + shift(3)] = 1.0
    return {
        "a small bright blob and a large one": Case({"saliency": two, "quantile": 0.87}),
        "blobs that meet at a corner": Case({"saliency": touching, "quantile": 0.85}),
        "plateau at the quantile": Case({"saliency": corner, "quantile": 0.7}),
        "one pixel": Case({"saliency": _one_pixel(rng), "quantile": 1.0}),
        "float64": Case(
            {"saliency": blobs(10, 20, [(3, 4, 9, 12, 1.0)]).double(), "quantile": 0.8}
        ),
    }


def _one_pixel(rng: Generator) -> Tensor:
    saliency = torch.rand(7, 9, generator=rng)
    place = torch.randint(63, (), generator=rng)
    saliency.view(-1)[place] = 5.0
    return saliency


def _segmentation_cases(rng: Generator) -> dict[str, Case]:
    def scene(height: int, width: int) -> dict[str, Tensor]:
        inside = torch.zeros(height, width, dtype=torch.bool)
        inside[height // 4 : height * 3 // 4, width // 3 : width * 2 // 3] = True
        colours = torch.rand(3, 2, generator=rng)
        image = torch.where(inside, colours[:, :1, None], 1 - colours[:, :1, None])
        image = (image + 0.2 * torch.rand(3, height, width, generator=rng)).clamp(0, 1)
        saliency = torch.rand(height, width, generator=rng) + 0.8 * inside
        return {"image": image, "saliency": saliency}

    return {
        "default quantiles": Case(scene(20, 28)),
        "other quantiles": Case({**scene(24, 18), "foreground": 0.8, "background": 0.5}),
        "a square picture": Case({**scene(16, 16), "foreground": 0.9, "background": 0.2}),
    }


SALIENCY = Exercise(
    name="saliency_map",
    inputs=_saliency_cases,
    points=4,
    minutes=20,
    returns="one map per image, (N, H, W)",
    bounds=(0, float("inf")),
    without_common=("grads_left",),  # backward_on_model is that mistake here
    hints=(
        "The logit is a number that depends on every pixel. What does a derivative ask of a pixel?",
        "Make a detached copy of the images that requires grad, pick each image's own target logit, "
        "and ask `torch.autograd.grad` for the gradient at the images. Which sum over the batch is "
        "safe, and why?",
        "`logits.gather(1, target[:, None]).sum()` is one number whose gradient holds all images; "
        "then take the absolute value, and the maximum over dimension 1.",
    ),
    mutants=(
        Mutant(
            "softmax_target",
            "This is the gradient of the softmax probability, not of the logit.",
            "Probabilities of other classes leak in and saturate: differentiate the raw logit.",
            edits=(("logits = model(images)", "logits = model(images).softmax(1)"),),
        ),
        Mutant(
            "log_softmax_target",
            "This is the gradient of a log-probability or cross-entropy loss, not of the logit.",
            "A loss mixes in every class: take the target logit itself.",
            edits=(("logits = model(images)", "logits = model(images).log_softmax(1)"),),
        ),
        Mutant(
            "mean_loss",
            "Each map is divided by the batch size: the logits were averaged over the batch.",
            "Each image has its own question: sum the chosen logits.",
            edits=(("[:, None]).sum()", "[:, None]).mean()"),),
        ),
        Mutant(
            "cross_entropy_mean",
            "This is the gradient of the mean cross-entropy loss.",
            "A loss says how wrong the answer is; the question here is what drives one logit.",
            edits=(
                (
                    "logits.gather(1, target[:, None]).sum()",
                    "nn.functional.cross_entropy(logits, target)",
                ),
            ),
        ),
        Mutant(
            "sum_of_all_logits",
            "This is the gradient of the sum of all logits: the map would be the same for any class.",
            "Pick one logit an image, the one `target` names.",
            edits=(("logits.gather(1, target[:, None]).sum()", "logits.sum()"),),
        ),
        Mutant(
            "predicted_class",
            "This explains the class the model predicts, not the class asked about.",
            "`target` may name any class; the prediction plays no part.",
            edits=(("logits.gather(1, target[:, None]).sum()", "logits.amax(1).sum()"),),
        ),
        Mutant(
            "max_over_batch",
            "Only one image of the batch has a map: a single maximum was taken over the whole batch.",
            "Choose one logit for each image before you reduce.",
            edits=(("logits.gather(1, target[:, None]).sum()", "logits.max()"),),
        ),
        Mutant(
            "first_target_for_all",
            "Every image was asked about the first image's class.",
            "`target` has one entry an image: index rows and columns together.",
            edits=(("logits.gather(1, target[:, None])", "logits[:, target[0]]"),),
        ),
        Mutant(
            "all_targets_for_all",
            "Each image was asked about every class in `target`: `logits[:, target]` is (N, N).",
            "Take the diagonal: one logit from each row.",
            edits=(("logits.gather(1, target[:, None])", "logits[:, target]"),),
        ),
        Mutant(
            "train_mode",
            "The model was in train mode: BatchNorm used this batch's statistics, dropout dropped.",
            "Leave the model in the mode you were given.",
            edits=(
                (
                    "logits = model(images)",
                    "model.train(); logits = model(images); model.eval()",
                ),
            ),
        ),
        Mutant(
            "signed_channel_mean",
            "The channels were averaged with their signs, so that they cancel.",
            "Take the absolute value first; then ask which channel responds most.",
            edits=(("gradient.abs().amax(dim=1)", "gradient.mean(dim=1)"),),
        ),
        Mutant(
            "no_abs",
            "The maximum was taken without the absolute value: negative derivatives are lost.",
            "A pixel that pushes the logit down matters as much.",
            edits=(("gradient.abs().amax(dim=1)", "gradient.amax(dim=1)"),),
        ),
        Mutant(
            "abs_after_max",
            "The absolute value was taken after the maximum, too late for negative derivatives.",
            "The order matters: first the magnitude, then the largest channel.",
            edits=(("gradient.abs().amax(dim=1)", "gradient.amax(dim=1).abs()"),),
        ),
        Mutant(
            "relu_gradient",
            "Negative derivatives were clamped away.",
            "Sensitivity has no sign here: take magnitudes.",
            edits=(("gradient.abs().amax(dim=1)", "gradient.clamp(min=0).amax(dim=1)"),),
        ),
        Mutant(
            "sum_over_channels",
            "The channels were summed; a map asks for the largest one.",
            "Reduce the channel dimension by its maximum.",
            edits=(("gradient.abs().amax(dim=1)", "gradient.abs().sum(dim=1)"),),
        ),
        Mutant(
            "mean_over_channels",
            "The channels were averaged; a map asks for the largest one.",
            "Reduce the channel dimension by its maximum.",
            edits=(("gradient.abs().amax(dim=1)", "gradient.abs().mean(dim=1)"),),
        ),
        Mutant(
            "norm_over_channels",
            "This is the Euclidean norm over the channels; a map asks for the largest one.",
            "Reduce the channel dimension by its maximum.",
            edits=(("gradient.abs().amax(dim=1)", "gradient.norm(dim=1)"),),
        ),
        Mutant(
            "max_over_all",
            "The maximum ran over the batch as well.",
            "`max()` without a dimension, or over dimension 0, mixes the images: name dimension 1.",
            edits=(("gradient.abs().amax(dim=1)", "gradient.abs().amax(dim=0)"),),
        ),
        Mutant(
            "channels_kept",
            "The channels are still there.",
            "One number a pixel: reduce dimension 1.",
            edits=(("gradient.abs().amax(dim=1)", "gradient.abs()"),),
        ),
        Mutant(
            "scaled_to_one",
            "The map was scaled to [0, 1].",
            "Scaling is for the picture; the derivative itself was asked for.",
            edits=(
                (
                    "return gradient.abs().amax(dim=1)",
                    "saliency = gradient.abs().amax(dim=1)\n"
                    "    low, high = saliency.amin((1, 2), True), saliency.amax((1, 2), True)\n"
                    "    return (saliency - low) / (high - low + 1e-12)",
                ),
            ),
        ),
        Mutant(
            "gradient_times_input",
            "This is gradient times input.",
            "That is another method (Shrikumar et al. 2016); here the gradient stands alone.",
            edits=(("gradient.abs()", "(gradient * images).detach().abs()"),),
        ),
        Mutant(
            "backward_on_model",
            "`backward()` also filled the `.grad` of every parameter.",
            "`torch.autograd.grad(output, images)` asks for one gradient and leaves nothing behind.",
            edits=(
                (
                    "(gradient,) = torch.autograd.grad(chosen, images)",
                    "chosen.backward()\n    gradient = images.grad",
                ),
            ),
        ),
        Mutant(
            "grad_on_callers_image",
            "The gradient was gathered in the caller's own tensor: a second call adds to the first.",
            "Detach first; then the leaf that requires grad is yours.",
            edits=(
                ("images = images.detach().requires_grad_()", "images.requires_grad_()"),
                (
                    "(gradient,) = torch.autograd.grad(chosen, images)",
                    "chosen.backward(inputs=[images])\n    gradient = images.grad",
                ),
            ),
        ),
        Mutant(
            "no_grad_forward",
            "The forward pass ran under `torch.no_grad`, so there is nothing to differentiate.",
            "Let the forward pass record its graph.",
            edits=(("with torch.enable_grad():", "with torch.no_grad():"),),
        ),
        Mutant(
            "non_leaf_grad",
            "`.grad` was read from a tensor that is not a leaf, so it is None.",
            "Set `requires_grad_()` on the very tensor you pass to the model, after every operation.",
            edits=(
                (
                    "images = images.detach().requires_grad_()",
                    "images = images.detach().requires_grad_() * 1.0",
                ),
                (
                    "(gradient,) = torch.autograd.grad(chosen, images)",
                    "chosen.backward()\n    gradient = images.grad",
                ),
            ),
        ),
    ),
    accepted=(
        Accepted(
            "backward_to_own_copy",
            edits=(
                (
                    "(gradient,) = torch.autograd.grad(chosen, images)",
                    "chosen.backward(inputs=[images])\n    gradient = images.grad",
                ),
            ),
        ),
        Accepted(
            "indexed_logits",
            edits=(
                (
                    "logits.gather(1, target[:, None]).sum()",
                    "logits[torch.arange(len(images)), target].sum()",
                ),
            ),
        ),
        Accepted(
            "one_image_at_a_time",
            append="""
_batched = saliency_map


def saliency_map(model, images, target):
    return torch.cat([_batched(model, images[i : i + 1], target[i : i + 1])
                      for i in range(len(images))])
""",
        ),
    ),
)
LESSON = Lesson("l11_saliency", "Saliency", (SALIENCY,))
