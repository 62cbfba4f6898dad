"""Lesson 11, saliency: cases, mutants and hints."""

from __future__ import annotations

from typing import Any

import torch
from torch import Generator, Tensor

from autograder.course.exercise import Accepted, Case, Complaint, Exercise, Lesson, Mutant
from autograder.protocol.wire import ModelSpec

Box = tuple[int, int, int, int]

# Cases


def _images(rng: Generator, *shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=dtype)


def _constant(rng: Generator, *shape: int) -> Tensor:
    return torch.rand(1, generator=rng).expand(shape).clone()


def _seed(rng: Generator) -> int:
    return int(torch.randint(1 << 30, (), generator=rng))


def _shift(rng: Generator, most: int) -> int:
    return int(torch.randint(most, (), generator=rng))


def _model(rng: Generator, name: str, images: Tensor) -> ModelSpec:
    dtype = "float64" if images.dtype == torch.float64 else "float32"
    return ModelSpec(name, _seed(rng), dtype)


def _saliency_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, images: Tensor, target: list[int]) -> Case:
        spec = _model(rng, model, images)
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
        "a constant image": case("plain", _constant(rng, 1, 3, 12, 14), [4]),
        "image already requiring grad": case(
            "functional", _images(rng, 2, 3, 12, 16).requires_grad_(), [0, 2]
        ),
    }


def _smooth_cases(rng: Generator) -> dict[str, Case]:
    # Each image has a multiple of 16 values: only then does torch draw the same numbers for all
    # copies at once as for one copy after the other, and both ways are right.
    def case(model: str, images: Tensor, target: list[int], samples: int, noise: float) -> Case:
        inputs = {
            "model": _model(rng, model, images),
            "images": images,
            "target": torch.tensor(target),
            "samples": samples,
            "noise": noise,
            "seed": _seed(rng),
        }
        return Case(inputs, picture=True)

    def contrasts(count: int, height: int, width: int) -> Tensor:
        """Images of different ranges, so that one range for the whole batch shows."""
        contrast = torch.linspace(0.5, 3.0, count)[:, None, None, None]
        return _images(rng, count, 3, height, width) * contrast

    flat = torch.cat([contrasts(1, 16, 16), _constant(rng, 1, 3, 16, 16)])
    return {
        "two images, 12 copies": case("plain", contrasts(2, 16, 24), [3, 1], 12, 0.15),
        "one image, 5 copies": case("inplace", contrasts(1, 16, 12), [2], 5, 0.3),
        "three images, one copy": case("residual", contrasts(3, 16, 16), [4, 0, 4], 1, 0.1),
        "BatchNorm and dropout": case("normalised", contrasts(2, 16, 16), [1, 0], 4, 0.2),
        "float64": case("functional", contrasts(2, 16, 20).double(), [0, 3], 3, 0.15),
        # Loud enough that the class a copy is taken for changes from copy to copy.
        "weights known on paper": case("linear", contrasts(2, 12, 16), [1, 3], 8, 0.6),
        "a constant image beside another": case("plain", flat, [2, 4], 6, 0.25),
        "image already requiring grad": case(
            "functional", contrasts(1, 16, 16).requires_grad_(), [1], 2, 0.2
        ),
    }


def _box_cases(rng: Generator) -> dict[str, Case]:
    def blobs(height: int, width: int, *boxes: tuple[int, int, int, int, float]) -> Case:
        """Noise below 0.1 with blobs above it; the quantile parts exactly the two."""
        saliency = 0.1 * torch.rand(height, width, generator=rng)
        inside = torch.zeros(height, width, dtype=torch.bool)
        for top, left, bottom, right, value in boxes:
            region = saliency[top:bottom, left:right]
            region.copy_(value + 0.1 * torch.rand(region.shape, generator=rng))
            inside[top:bottom, left:right] = value > 0
        quantile = (saliency.numel() - int(inside.sum()) - 0.5) / (saliency.numel() - 1)
        return Case({"saliency": saliency, "quantile": round(quantile, 6)})

    a, b, c = _shift(rng, 3), _shift(rng, 4), _shift(rng, 3)
    steps = torch.zeros(14, 18)
    steps[2 + a : 10 + a, 4 : 13 + b] = 1.0
    steps[4 + a : 6 + a, 6 : 9 + c] = 2.0
    mostly_zero = torch.zeros(10, 13)
    mostly_zero[3 : 6 + a, 2:9] = torch.rand(3 + a, 7, generator=rng)
    high = blobs(10, 20, (3, 4 + b, 9, 12 + c, 1.0), (1, 1, 3, 2, 1.0))
    return {
        # A speck with the highest peak, a blob with the highest sum, and the one with most pixels.
        "three blobs": blobs(
            18,
            26,
            (1, 2 + b, 2, 3 + b, 30.0),
            (5 + a, 17, 7 + a, 20, 9.0),
            (11, 9 + b, 16, 17 + b, 1.0),
        ),
        "blobs that meet at a corner": blobs(9, 11, (1, 1, 4, 5, 1.0), (4, 5, 8, 7 + c, 1.0)),
        "a thin frame and a full blob": blobs(
            20, 24, (1, 2 + c, 11, 12 + c, 1.0), (2, 3 + c, 10, 11 + c, 0.0), (12, 8, 19, 14, 1.0)
        ),
        "the largest blob first": blobs(12, 15, (1, 1, 6, 7 + b, 1.0), (8, 9 + c, 11, 13, 1.0)),
        "two steps": Case({"saliency": steps, "quantile": 0.8}),
        "mostly zero": Case({"saliency": mostly_zero, "quantile": 0.4}),
        "more than half the map": blobs(12, 12, (1, a // 2, 12, 10 + a // 2, 1.0)),
        "one pixel": blobs(7, 9, (2 + a, 3 + b, 3 + a, 4 + b, 5.0)),
        "float64, never near zero": Case(
            {
                "saliency": high.inputs["saliency"].double() + 50.0,
                "quantile": high.inputs["quantile"],
            }
        ),
    }


def _segmentation_cases(rng: Generator) -> dict[str, Case]:
    def scene(height: int, width: int) -> dict[str, Tensor]:
        inside = torch.zeros(height, width, dtype=torch.bool)
        inside[height // 4 : height * 3 // 4, width // 3 : width * 2 // 3] = True
        colours = torch.rand(3, 2, generator=rng)
        image = torch.where(inside, colours[:, :1, None], 1 - colours[:, :1, None])
        image = (image + 0.2 * torch.rand(3, height, width, generator=rng)).clamp(0, 1)
        saliency = torch.rand(height, width, generator=rng) + 0.8 * inside
        return {"image": image, "saliency": saliency}

    stepped = scene(18, 22)
    stepped["saliency"] = (stepped["saliency"] * 5).round() / 5
    double = {name: tensor.double() for name, tensor in scene(14, 20).items()}
    return {
        "default quantiles": Case(scene(20, 28)),
        "other quantiles": Case({**scene(24, 18), "foreground": 0.8, "background": 0.5}),
        "a square picture": Case({**scene(16, 16), "foreground": 0.9, "background": 0.2}),
        "a map in steps": Case({**stepped, "foreground": 0.85, "background": 0.25}),
        "float64": Case(double),
    }


# Mistakes that saliency_map and smooth_grad share: what is asked of the network, and what is made
# of the three channels.


def _wrong_questions(forward: str, chosen: str) -> tuple[Mutant, ...]:
    """Mutants of `logits = <forward>` and of the chosen logits' sum."""
    inputs = forward.removeprefix("model(").removesuffix(")")
    return (
        Mutant(
            "softmax_target",
            "This is the gradient of the softmax probability, not of the logit.",
            "Probabilities of other classes leak in and saturate: differentiate the raw logit.",
            edits=((forward, f"{forward}.softmax(1)"),),
        ),
        Mutant(
            "log_softmax_target",
            "This is the gradient of a log-probability or cross-entropy loss, not of the logit.",
            "A loss mixes in every class: differentiate the target logit itself.",
            edits=((forward, f"{forward}.log_softmax(1)"),),
        ),
        Mutant(
            "sum_of_all_logits",
            "This is the gradient of the sum of all logits: the map would be the same for any "
            "class.",
            "Pick one logit per image: the one that `target` names.",
            edits=((chosen, "logits.sum()"),),
        ),
        Mutant(
            "train_mode",
            "The model was in train mode: BatchNorm used this batch's statistics, dropout dropped.",
            "Leave the model in the mode you were given.",
            edits=((f"logits = {forward}", f"model.train(); logits = {forward}; model.eval()"),),
        ),
        Mutant(
            "no_grad_forward",
            "The forward pass ran under `torch.no_grad`, so there is nothing to differentiate.",
            "Let the forward pass record its graph.",
            edits=(("with torch.enable_grad():", "with torch.no_grad():"),),
        ),
        Mutant(
            "detached_forward",
            "The network was given a detached copy, so its logits do not depend on your tensor.",
            "Pass the very tensor that requires grad to the model; no `.detach()` or `.data` "
            "between.",
            edits=((forward, f"model({inputs}.detach())"),),
        ),
        Mutant(
            "backward_on_vector",
            "One logit per image makes a vector, and a gradient is asked of one number.",
            "Which number has a gradient that holds every image's own? No logit reaches another "
            "image.",
            edits=((chosen, chosen.removesuffix(".sum()")),),
        ),
    )


def _wrong_channels(gradient: str) -> tuple[Mutant, ...]:
    """Mutants of `<gradient>.abs().amax(dim=1)`."""
    right = f"{gradient}.abs().amax(dim=1)"
    return (
        Mutant(
            "signed_channel_mean",
            "The channels were averaged with their signs, so that they cancel.",
            "Take the absolute value first; then ask which channel responds most.",
            edits=((right, f"{gradient}.mean(dim=1)"),),
        ),
        Mutant(
            "no_abs",
            "The maximum was taken without the absolute value: negative derivatives are lost.",
            "A pixel that pushes the logit down matters as much: magnitude first, then maximum.",
            edits=((right, f"{gradient}.amax(dim=1)"),),
        ),
        Mutant(
            "abs_after_max",
            "The absolute value was taken after the maximum, too late for negative derivatives.",
            "The order matters: first the magnitude, then the largest channel.",
            edits=((right, f"{gradient}.amax(dim=1).abs()"),),
        ),
        Mutant(
            "relu_gradient",
            "Negative derivatives were clamped away.",
            "A pixel that pushes the logit down matters as much: take magnitudes.",
            edits=((right, f"{gradient}.clamp(min=0).amax(dim=1)"),),
        ),
        Mutant(
            "sum_over_channels",
            "The magnitudes of the channels were summed; the map asks for the largest one.",
            "Reduce the channel dimension by its maximum.",
            edits=((right, f"{gradient}.abs().sum(dim=1)"),),
        ),
        Mutant(
            "mean_over_channels",
            "The magnitudes of the channels were averaged; the map asks for the largest one.",
            "Reduce the channel dimension by its maximum.",
            edits=((right, f"{gradient}.abs().mean(dim=1)"),),
        ),
        Mutant(
            "norm_over_channels",
            "This is the Euclidean norm over the channels; the map asks for the largest one.",
            "Reduce the channel dimension by its maximum.",
            edits=((right, f"{gradient}.norm(dim=1)"),),
        ),
        Mutant(
            "max_over_images",
            "The maximum ran over the images instead of the channels.",
            "Dimension 0 counts the images, dimension 1 the channels.",
            edits=((right, f"{gradient}.abs().amax(dim=0)"),),
        ),
        Mutant(
            "channels_kept",
            "The result still has its three channels.",
            "A map has one number per pixel: reduce dimension 1.",
            edits=((right, f"{gradient}.abs()"),),
        ),
        Mutant(
            "scaled_to_one",
            "The map was scaled to [0, 1].",
            "Scaling is for the picture; here the derivative itself is asked for.",
            edits=(
                (
                    f"return {right}",
                    f"saliency = {right}\n"
                    "    low, high = saliency.amin((1, 2), True), saliency.amax((1, 2), True)\n"
                    "    return (saliency - low) / (high - low + 1e-12)",
                ),
            ),
        ),
    )


# Exercises

_FORWARD = "model(images)"
_CHOSEN = "logits.gather(1, target[:, None]).sum()"
_GRADIENT = "(gradient,) = torch.autograd.grad(chosen, images)"

SALIENCY = Exercise(
    name="saliency_map",
    inputs=_saliency_cases,
    points=4,
    minutes=20,
    returns="one map per image, (N, H, W)",
    bounds=(0, float("inf")),
    without_common=("grads_left",),  # backward_on_model is that mistake here
    hints=(
        "The logit is a number that depends on every pixel. What does its derivative say about one "
        "pixel? And what would a large negative derivative say?",
        "Make a detached copy of the images that requires grad, run the model, pick each image's "
        "own target logit, and ask `torch.autograd.grad` for the gradient at the images. It wants "
        "one number: which sum over the batch mixes nothing up, and why?",
        "`logits.gather(1, target[:, None]).sum()` is one number, and its gradient holds each "
        "image's own. Then take the absolute value, and the maximum over dimension 1.",
    ),
    mutants=(
        *_wrong_questions(_FORWARD, _CHOSEN),
        *_wrong_channels("gradient"),
        Mutant(
            "mean_loss",
            "Each map is divided by the batch size: the logits were averaged over the batch.",
            "The batch size must not matter: sum the chosen logits, do not average them.",
            edits=((_CHOSEN, _CHOSEN.replace("sum()", "mean()")),),
        ),
        Mutant(
            "cross_entropy_mean",
            "This is the gradient of the mean cross-entropy loss.",
            "A loss asks how wrong the answer is; the question here is what moves one logit.",
            edits=((_CHOSEN, "nn.functional.cross_entropy(logits, target)"),),
        ),
        Mutant(
            "predicted_class",
            "This explains the class the model predicts, not the class asked about.",
            "`target` may name any class; the prediction plays no part.",
            edits=((_CHOSEN, "logits.amax(1).sum()"),),
        ),
        Mutant(
            "max_over_batch",
            "Only one image of the batch has a map: a single maximum was taken over the whole "
            "batch.",
            "Choose one logit for each image before you reduce.",
            edits=((_CHOSEN, "logits.max()"),),
        ),
        Mutant(
            "first_target_for_all",
            "Every image was asked about the first image's class.",
            "`target` has one entry per image: index rows and columns together.",
            edits=((_CHOSEN, "logits[:, target[0]].sum()"),),
        ),
        Mutant(
            "all_targets_for_all",
            "Each image was asked about every class in `target`: `logits[:, target]` is (N, N).",
            "Take the diagonal: one logit from each row.",
            edits=((_CHOSEN, "logits[:, target].sum()"),),
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
            "`torch.autograd.grad(output, images)` asks for one gradient and leaves nothing "
            "behind.",
            edits=((_GRADIENT, "chosen.backward()\n    gradient = images.grad"),),
        ),
        Mutant(
            "grad_on_callers_image",
            "The gradient was gathered in the caller's own tensor: a second call adds to the "
            "first.",
            "Detach first; then the leaf that requires grad is yours.",
            edits=(
                ("images = images.detach().requires_grad_()", "images.requires_grad_()"),
                (_GRADIENT, "chosen.backward(inputs=[images])\n    gradient = images.grad"),
            ),
        ),
        Mutant(
            "non_leaf_grad",
            "`.grad` was read from a tensor that is not a leaf, so it is None.",
            "Set `requires_grad_()` on the very tensor you pass to the model, after every "
            "operation.",
            edits=(
                (
                    "images = images.detach().requires_grad_()",
                    "images = images.detach().requires_grad_() * 1.0",
                ),
                (_GRADIENT, "chosen.backward()\n    gradient = images.grad"),
            ),
        ),
    ),
    accepted=(
        Accepted(
            "backward_to_own_copy",
            edits=((_GRADIENT, "chosen.backward(inputs=[images])\n    gradient = images.grad"),),
        ),
        Accepted(
            "indexed_logits",
            edits=((_CHOSEN, "logits[torch.arange(len(images)), target].sum()"),),
        ),
        Accepted(
            "vector_of_ones",
            edits=(
                (_CHOSEN, "logits.gather(1, target[:, None])"),
                (
                    _GRADIENT,
                    "(gradient,) = torch.autograd.grad(chosen, images, torch.ones_like(chosen))",
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

_SMOOTH_ALL_AT_ONCE = """
def smooth_grad(model, images, target, samples, noise, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = images.detach()
    spread = (images.amax((1, 2, 3)) - images.amin((1, 2, 3))).view(-1, 1, 1, 1)
    draws = torch.randn(samples, *images.shape, generator=generator, dtype=images.dtype)
    noisy = (images + noise * spread * draws).flatten(0, 1).requires_grad_()
    chosen = model(noisy).gather(1, target.repeat(samples)[:, None]).sum()
    gradient = torch.autograd.grad(chosen, noisy)[0].view(draws.shape)
    return gradient.mean(0).abs().amax(1)
"""
_SMOOTH_ONE_BY_ONE = """
def smooth_grad(model, images, target, samples, noise, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = images.detach()
    spread = torch.stack([image.max() - image.min() for image in images]).view(-1, 1, 1, 1)
    total = torch.zeros_like(images)
    for _ in range(samples):
        draw = torch.randn(images.shape, generator=generator, dtype=images.dtype)
        noisy = (images + draw * noise * spread).requires_grad_()
        chosen = model(noisy)[torch.arange(len(images)), target].sum()
        chosen.backward(inputs=[noisy])
        total += noisy.grad
    return (total / samples).abs().max(dim=1).values
"""
_SMOOTH_AT_THE_CLEAN_IMAGE = """
def smooth_grad(model, images, target, samples, noise, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = images.detach().requires_grad_()
    fixed = images.detach()
    spread = fixed.amax((1, 2, 3), keepdim=True) - fixed.amin((1, 2, 3), keepdim=True)
    draws = torch.randn(samples, *images.shape, generator=generator, dtype=images.dtype)
    logits = model((images + noise * spread * draws).flatten(0, 1))
    chosen = logits.gather(1, target.repeat(samples)[:, None]).sum() / samples
    return torch.autograd.grad(chosen, images)[0].abs().amax(1)
"""
_SMOOTH_CHOSEN = "logits.gather(1, target.repeat(count)[:, None]).sum()"
_SPREAD = "images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True)"
_NOISY = "images + noise * spread * draw"
_ADDED = "gradient.unflatten(0, (count, len(images))).sum(0)"

SMOOTH = Exercise(
    name="smooth_grad",
    inputs=_smooth_cases,
    points=4,
    minutes=25,
    returns="one map per image, (N, H, W)",
    bounds=(0, float("inf")),
    without_common=("grads_left", "global_rng"),  # these mistakes have their own sentences here
    hints=(
        "The gradient of one photo flickers from pixel to pixel. What stays when it is averaged "
        "over many slightly different photos? And what could never cancel if you took magnitudes "
        "first?",
        "Each image has its own noise level: `noise` times its own max - min, kept in the shape "
        "(N, 1, 1, 1). Seed one generator before the loop. In the loop, find the gradient at a "
        "noisy copy as in `saliency_map`, and add it up with its sign. Divide once, at the end.",
        "`generator = torch.Generator(images.device).manual_seed(seed)`, then for each copy "
        "`noisy = images + noise * spread * torch.randn(images.shape, generator=generator, ...)`, "
        "detached and requiring grad; `total += gradient`. After the loop "
        "`(total / samples).abs().amax(dim=1)`.",
    ),
    mutants=(
        *_wrong_questions("model(noisy)", _SMOOTH_CHOSEN),
        *_wrong_channels("(total / samples)"),
        # The noise
        Mutant(
            "unsmoothed",
            "The noise never reached the network: this is the plain saliency map.",
            "The network must see the noisy copies, and the gradient must be taken there.",
            edits=((_NOISY, "images.clone()"),),
        ),
        Mutant(
            "absolute_noise",
            "The noise has standard deviation `noise` itself: the range of the image is left out.",
            "`noise` is a fraction: what is it a fraction of?",
            edits=((_NOISY, "images + noise * draw"),),
        ),
        Mutant(
            "noise_over_range",
            "The noise was divided by the image's range: strong images are hardly disturbed.",
            "A fraction of the range grows with the range.",
            edits=((_NOISY, "images + noise / spread * draw"),),
        ),
        Mutant(
            "noise_squared",
            "The draws were multiplied by the variance, not by the standard deviation.",
            "A standard normal draw is scaled by its standard deviation, once.",
            edits=((_NOISY, "images + (noise * spread) ** 2 * draw"),),
        ),
        Mutant(
            "noise_square_root",
            "The draws were multiplied by the square root of the standard deviation.",
            "`noise` times the range already is a standard deviation.",
            edits=((_NOISY, "images + (noise * spread).sqrt() * draw"),),
        ),
        Mutant(
            "noise_hard_coded",
            "The noise level is always 0.15: the argument `noise` plays no part.",
            "Use the argument.",
            edits=((_NOISY, "images + 0.15 * spread * draw"),),
        ),
        Mutant(
            "range_of_the_batch",
            "All images share the range of the whole batch.",
            "Each image has its own max - min: reduce every dimension but the first.",
            edits=((_SPREAD, "images.max() - images.min()"),),
        ),
        Mutant(
            "range_per_channel",
            "Each channel has its own range; one range per image is asked for.",
            "Reduce the channels together with height and width.",
            edits=(
                (
                    _SPREAD,
                    "images.amax((2, 3), keepdim=True) - images.amin((2, 3), keepdim=True)",
                ),
            ),
        ),
        Mutant(
            "maximum_only",
            "The noise was scaled by the maximum of the image; its minimum is left out.",
            "Normalised images go below zero: the range is max - min.",
            edits=((_SPREAD, "images.amax((1, 2, 3), keepdim=True)"),),
        ),
        Mutant(
            "deviation_for_range",
            "The noise was scaled by the image's standard deviation, not by its range.",
            "The range is max - min.",
            edits=((_SPREAD, "images.std((1, 2, 3), keepdim=True)"),),
        ),
        Mutant(
            "clamped_copies",
            "The noisy copies were clamped to [0, 1], but these images are normalised for the "
            "model.",
            "Normalised pixels lie on both sides of 0: leave the copies as they are.",
            edits=((_NOISY, f"({_NOISY}).clamp(0, 1)"),),
        ),
        Mutant(
            "uniform_noise",
            "The noise is uniform on [0, 1]: it brightens the image and has another spread.",
            "`torch.randn` draws from the normal distribution, `torch.rand` does not.",
            edits=(("torch.randn(", "torch.rand("),),
        ),
        Mutant(
            "one_noise_draw",
            "All copies carry the same noise, so that nothing averages out; or there is one copy "
            "only.",
            "Seed the generator once, before the loop, and draw anew for each of the `samples` "
            "copies.",
            edits=(
                (
                    "generator=generator",
                    "generator=torch.Generator(images.device).manual_seed(seed)",
                ),
            ),
        ),
        Mutant(
            "noise_shared_by_batch",
            "The images of the batch share one noise pattern.",
            "Draw in the shape of the whole batch.",
            edits=(("images.shape, generator", "images.shape[1:], generator"),),
        ),
        Mutant(
            "noise_accumulates",
            "Each copy is made from the copy before it, so that the noise grows with every step.",
            "Every copy starts from the clean images.",
            body=_SMOOTH_ONE_BY_ONE.replace(
                "noisy = (images +", "noisy = images = (images.detach() +"
            ),
        ),
        Mutant(
            "copies_averaged_first",
            "The noisy copies were averaged before the network saw them, and their noise with "
            "them.",
            "Average the gradients, not the images.",
            body="""
def smooth_grad(model, images, target, samples, noise, seed=0):
    generator = torch.Generator().manual_seed(seed)
    images = images.detach()
    spread = images.amax((1, 2, 3), keepdim=True) - images.amin((1, 2, 3), keepdim=True)
    draws = torch.randn(samples, *images.shape, generator=generator, dtype=images.dtype)
    noisy = (images + noise * spread * draws).mean(0).requires_grad_()
    chosen = model(noisy).gather(1, target[:, None]).sum()
    return torch.autograd.grad(chosen, noisy)[0].abs().amax(1)
""",
        ),
        # The generator
        Mutant(
            "draws_image_by_image",
            "The noise was drawn image by image: all copies of the first image came before the "
            "second.",
            "The order asked for is copy by copy: each draw has the shape of `images`.",
            body=_SMOOTH_ALL_AT_ONCE.replace(
                "torch.randn(samples, *images.shape, generator=generator, dtype=images.dtype)",
                "torch.stack([torch.randn(samples, *images.shape[1:], generator=generator,"
                " dtype=images.dtype) for _ in images], 1)",
            ),
        ),
        Mutant(
            "noise_in_float32",
            "The noise was drawn in float32 for images in float64.",
            "`torch.randn` takes a `dtype`.",
            edits=(("dtype=images.dtype, ", ""),),
        ),
        Mutant(
            "seed_ignored",
            "The generator was seeded with 0, whatever `seed` says.",
            "Pass the argument on.",
            edits=(("manual_seed(seed)", "manual_seed(0)"),),
        ),
        Mutant(
            "unseeded",
            "The noise comes from the global generator: `seed` plays no part, and no run can be "
            "repeated.",
            "Make a `torch.Generator`, seed it, and pass it to `torch.randn`.",
            edits=(("images.shape, generator=generator,", "images.shape,"),),
        ),
        Mutant(
            "global_rng",
            "The seed went into torch's global generator, and changed the caller's random numbers.",
            "`torch.Generator` has a `manual_seed` of its own.",
            edits=(
                (
                    "generator = torch.Generator(images.device).manual_seed(seed)",
                    "torch.manual_seed(seed)",
                ),
                ("images.shape, generator=generator,", "images.shape,"),
            ),
        ),
        # The mean
        Mutant(
            "abs_before_mean",
            "Absolute values were averaged: noise that differs between copies can no longer "
            "cancel.",
            "Average the gradient with its sign; take the absolute value of the mean.",
            edits=((_ADDED, _ADDED.replace("gradient", "gradient.abs()")),),
        ),
        Mutant(
            "mean_of_maps",
            "This is the mean of the copies' saliency maps, not the saliency of their mean "
            "gradient.",
            "Average the gradient with its sign and channels first; reduce once, at the end.",
            edits=(
                ("torch.zeros_like(images)", "torch.zeros_like(images[:, 0])"),
                (_ADDED, _ADDED.replace("gradient", "gradient.abs().amax(1)")),
                ("(total / samples).abs().amax(dim=1)", "total / samples"),
            ),
        ),
        Mutant(
            "squared_gradients",
            "The gradients were squared before the mean: that is SmoothGrad-Squared (Hooker et "
            "al. 2019).",
            "Average the gradient itself, with its sign.",
            edits=((_ADDED, _ADDED.replace("gradient", "gradient.square()")),),
        ),
        Mutant(
            "not_divided",
            "This is the sum over the copies: the map grows with `samples`.",
            "Divide by the number of copies.",
            edits=(("(total / samples)", "total"),),
        ),
        Mutant(
            "mean_loss",
            "Each map is divided by the batch size: the logits were averaged over the batch.",
            "The batch size must not matter: sum the chosen logits, do not average them.",
            edits=((_SMOOTH_CHOSEN, f"{_SMOOTH_CHOSEN} / len(images)"),),
        ),
        # The class
        Mutant(
            "argmax_per_copy",
            "Each noisy copy was asked about the class it is taken for, so the question changes.",
            "Every copy is asked about `target`.",
            edits=((_SMOOTH_CHOSEN, "logits.amax(1).sum()"),),
        ),
        Mutant(
            "predicted_class",
            "This explains the class the model predicts, not the class asked about.",
            "`target` may name any class; the prediction plays no part.",
            edits=(
                (
                    "images = images.detach()\n",
                    "images = images.detach()\n    target = model(images).argmax(1)\n",
                ),
            ),
        ),
        Mutant(
            "targets_out_of_step",
            "Copies of one image were asked about another image's class.",
            "In a flattened batch of copies, which index runs faster? Compare `repeat` and "
            "`repeat_interleave`.",
            body=_SMOOTH_ALL_AT_ONCE.replace("target.repeat(", "target.repeat_interleave("),
        ),
        # The gradient
        Mutant(
            "spread_in_graph",
            "The gradient also ran through max - min: the brightest and the darkest pixel stand "
            "out.",
            "The noise level is a given number, not something to differentiate: detach it.",
            body=_SMOOTH_AT_THE_CLEAN_IMAGE.replace("fixed = images.detach()", "fixed = images"),
        ),
        Mutant(
            "backward_on_model",
            "`backward()` also filled the `.grad` of every parameter.",
            "`torch.autograd.grad(output, noisy)` asks for one gradient and leaves nothing behind.",
            edits=(
                (
                    "(gradient,) = torch.autograd.grad(chosen, noisy)",
                    "chosen.backward()\n        gradient = noisy.grad",
                ),
            ),
        ),
    ),
    accepted=(
        Accepted("all_copies_at_once", body=_SMOOTH_ALL_AT_ONCE),
        Accepted("one_copy_at_a_time", body=_SMOOTH_ONE_BY_ONE),
        Accepted("gradient_at_the_clean_image", body=_SMOOTH_AT_THE_CLEAN_IMAGE),
    ),
)

_SALIENT = "saliency >= torch.quantile(saliency, quantile)"
_LARGEST = "torch.bincount(regions[salient]).argmax()"
_CORNERS = "return top, left, int(rows.max()) + 1, int(columns.max()) + 1"


def _same_box(expected: Box, actual: Box, _inputs: Any) -> Complaint | None:
    sides = zip(("top", "left", "bottom", "right"), expected, actual, strict=True)
    wrong = [side for side, wanted, got in sides if wanted != got]
    if not wrong:
        return None
    message = f"returned another box: {', '.join(wrong)} {'is' if len(wrong) == 1 else 'are'} off."
    return Complaint(message, f"Yours {actual}, expected {expected}.")


BOX = Exercise(
    name="saliency_box",
    inputs=_box_cases,
    judge=_same_box,
    points=3,
    minutes=15,
    returns="four ints, (top, left, bottom, right)",
    hints=(
        "A box around every salient pixel grows with each stray speck. Which pixels would you "
        "keep if you drew the box by hand?",
        "Compare the map with its own quantile, number the connected regions with "
        "`connected_components`, and count the pixels of each region. Region 0 is everything that "
        "is not salient: keep it out of the count.",
        "`torch.bincount(regions[salient]).argmax()` is the largest region. "
        "`torch.nonzero(regions == largest, as_tuple=True)` gives its rows and columns: the box "
        "runs from their minimum to their maximum plus one, as ints.",
    ),
    mutants=(
        Mutant(
            "box_of_all",
            "The box holds every salient pixel, not the largest connected region.",
            "Number the regions with `connected_components` and keep the one with the most pixels.",
            edits=(("regions == largest", "salient"),),
        ),
        Mutant(
            "fraction_of_maximum",
            "Pixels were compared with a fraction of the maximum, not with a quantile.",
            "A quantile counts pixels: at 0.9, a tenth of the map is salient, however bright it "
            "is.",
            edits=((_SALIENT, "saliency >= quantile * saliency.max()"),),
        ),
        Mutant(
            "fraction_of_range",
            "The map was scaled to [0, 1] and compared with `quantile` itself.",
            "A quantile counts pixels: at 0.9, a tenth of the map is salient, however bright it "
            "is.",
            edits=(
                (
                    _SALIENT,
                    "(saliency - saliency.min()) >= quantile * (saliency.max() - saliency.min())",
                ),
            ),
        ),
        Mutant(
            "raw_threshold",
            "Pixels were compared with the number `quantile` itself.",
            "Ask `torch.quantile` for the value that this share of the pixels lies below.",
            edits=((_SALIENT, "saliency >= quantile"),),
        ),
        Mutant(
            "quantile_from_the_top",
            "The quantile was counted from the wrong end.",
            "At quantile 0.9 the most salient tenth counts, not the most salient nine tenths.",
            edits=((_SALIENT, _SALIENT.replace("quantile)", "1 - quantile)")),),
        ),
        Mutant(
            "strictly_above",
            "Pixels exactly at the quantile were left out.",
            "Where many pixels share one value the quantile is that value: at or above it counts.",
            edits=((_SALIENT, _SALIENT.replace(">=", ">")),),
        ),
        Mutant(
            "least_salient",
            "The box is around pixels below the quantile.",
            "Salient is what lies at or above it.",
            edits=((_SALIENT, _SALIENT.replace(">=", "<=")),),
        ),
        Mutant(
            "most_salient_region",
            "This is the region with the single most salient pixel, not the one with the most "
            "pixels.",
            "Count the pixels of each region; how bright they are plays no part any more.",
            edits=((_LARGEST, "regions.flatten()[saliency.argmax()]"),),
        ),
        Mutant(
            "heaviest_region",
            "This is the region with the largest sum of saliency, not the one with the most "
            "pixels.",
            "Count the pixels of each region; how bright they are plays no part any more.",
            edits=((_LARGEST, "torch.bincount(regions[salient], saliency[salient]).argmax()"),),
        ),
        Mutant(
            "first_region",
            "This is the first region in reading order, not the largest one.",
            "Count the pixels of each region.",
            edits=((_LARGEST, "1"),),
        ),
        Mutant(
            "last_region",
            "This is the last region in reading order: the highest number, not the highest count.",
            "Count the pixels of each region.",
            edits=((_LARGEST, "regions.max()"),),
        ),
        Mutant(
            "background_counted",
            "Everything that is not salient was counted as a region, and it is the largest one.",
            "`connected_components` gives it the number 0: leave that out of the count.",
            edits=((_LARGEST, "torch.bincount(regions.flatten()).argmax()"),),
        ),
        Mutant(
            "number_off_by_one",
            "The region is the one before the largest: its number is off by one.",
            "When the count of region 0 is cut off, position 0 holds the count of region 1.",
            edits=((_LARGEST, "torch.bincount(regions.flatten())[1:].argmax()"),),
        ),
        Mutant(
            "largest_box",
            "This is the region with the largest box, not the one with the most pixels.",
            "A thin frame has a large box and few pixels: count pixels.",
            body="""
def saliency_box(saliency, quantile):
    salient = saliency >= torch.quantile(saliency, quantile)
    regions = connected_components(salient)
    boxes = []
    for number in range(1, int(regions.max()) + 1):
        rows, columns = torch.nonzero(regions == number, as_tuple=True)
        top, left = int(rows.min()), int(columns.min())
        boxes.append((top, left, int(rows.max()) + 1, int(columns.max()) + 1))
    return max(boxes, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]))
""",
        ),
        Mutant(
            "corners_connect",
            "Regions that only meet at a corner were joined.",
            "Here pixels connect where they share an edge, as in `connected_components`.",
            body="""
def saliency_box(saliency, quantile):
    salient = saliency >= torch.quantile(saliency, quantile)
    regions = torch.arange(1.0, salient.numel() + 1).view(salient.shape) * salient
    for _ in range(2 * sum(salient.shape)):
        regions = nn.functional.max_pool2d(regions[None], 3, 1, 1)[0] * salient
    largest = torch.bincount(regions[salient].long()).argmax()
    rows, columns = torch.nonzero(regions == largest, as_tuple=True)
    top, left = int(rows.min()), int(columns.min())
    return top, left, int(rows.max()) + 1, int(columns.max()) + 1
""",
        ),
        Mutant(
            "inclusive_end",
            "Bottom and right are the last row and column themselves.",
            "They are one past the last, so that `saliency[top:bottom, left:right]` is the box.",
            edits=((_CORNERS, "return top, left, int(rows.max()), int(columns.max())"),),
        ),
        Mutant(
            "columns_first",
            "The order is (left, top, right, bottom).",
            "Rows come first: (top, left, bottom, right).",
            edits=((_CORNERS, "return left, top, int(columns.max()) + 1, int(rows.max()) + 1"),),
        ),
        Mutant(
            "pairs_of_ends",
            "The order is (top, bottom, left, right).",
            "First the upper left corner, then the lower right one: (top, left, bottom, right).",
            edits=((_CORNERS, "return top, int(rows.max()) + 1, left, int(columns.max()) + 1"),),
        ),
        Mutant(
            "size_for_end",
            "The last two numbers are the box's height and width.",
            "Bottom and right are positions in the map.",
            edits=(
                (
                    _CORNERS,
                    "return top, left, int(rows.max()) + 1 - top, int(columns.max()) + 1 - left",
                ),
            ),
        ),
        Mutant(
            "tensor_not_number",
            "The four numbers are tensors.",
            "`int(...)` or `.item()` makes a plain number of each.",
            edits=(
                (_CORNERS, "return rows.min(), columns.min(), rows.max() + 1, columns.max() + 1"),
            ),
        ),
    ),
    accepted=(
        Accepted(
            "count_without_background",
            edits=((_LARGEST, "torch.bincount(regions.flatten())[1:].argmax() + 1"),),
        ),
        Accepted(
            "masks_of_rows_and_columns",
            body="""
def saliency_box(saliency, quantile):
    threshold = saliency.flatten().quantile(quantile)
    regions = connected_components(saliency >= threshold)
    masks = [regions == number for number in range(1, int(regions.max()) + 1)]
    region = max(masks, key=lambda mask: int(mask.sum()))
    rows = [row for row in range(len(region)) if region[row].any()]
    columns = [column for column in range(region.shape[1]) if region[:, column].any()]
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1
""",
        ),
    ),
)

_OBJECT = "saliency >= torch.quantile(saliency, foreground)"
_BACKGROUND = "saliency <= torch.quantile(saliency, background)"
_MASK = "return segment(image, markers) == 2"

SEGMENTATION = Exercise(
    name="saliency_segmentation",
    inputs=_segmentation_cases,
    points=3,
    minutes=15,
    returns="a bool mask (H, W), made from the long markers (H, W) that `segment` is given",
    hints=(
        "A saliency map has holes, an object does not. Of which few pixels could you swear that "
        "they are object, or that they are not? The colours of the photo can decide the rest.",
        "Start from markers that are all 0, undecided. Write 1 where the map is at or below its "
        "background quantile, 2 where it is at or above its foreground quantile. Let `segment` "
        "fill the rest: which of its labels is the object?",
        "`markers = torch.zeros(saliency.shape, dtype=torch.long, device=saliency.device)`, then "
        "`markers[saliency <= torch.quantile(saliency, background)] = 1`, the same with 2 for the "
        "object, and `segment(image, markers) == 2`.",
    ),
    mutants=(
        Mutant(
            "seeds_swapped",
            "The seeds are swapped: object is marked 1 and background 2.",
            "Read the docstring of `segment`: 1 is background, 2 is object.",
            edits=(
                ("markers[sure_background] = 1", "markers[sure_background] = 2"),
                ("markers[sure_object] = 2", "markers[sure_object] = 1"),
            ),
        ),
        Mutant(
            "seeds_and_labels_swapped",
            "Object is marked 1 and background 2: the mask is right, the markers are not.",
            "Read the docstring of `segment`: 1 is background, 2 is object.",
            edits=(
                ("markers[sure_background] = 1", "markers[sure_background] = 2"),
                ("markers[sure_object] = 2", "markers[sure_object] = 1"),
                (_MASK, "return segment(image, markers) == 1"),
            ),
        ),
        Mutant(
            "background_returned",
            "The mask is True on the background.",
            "Which label did you give the object?",
            edits=((_MASK, "return segment(image, markers) == 1"),),
        ),
        Mutant(
            "overlapping_seeds",
            "The quantiles are swapped: the seeds overlap and leave hardly a pixel undecided.",
            "`foreground` is for the object, `background` for the background.",
            edits=(
                (_OBJECT, _OBJECT.replace("foreground", "background")),
                (_BACKGROUND, _BACKGROUND.replace("background", "foreground")),
            ),
        ),
        Mutant(
            "fraction_of_maximum",
            "The map was compared with fractions of its maximum, not with quantiles.",
            "A quantile counts pixels: at 0.95, a twentieth of the map lies above it.",
            edits=(
                (_OBJECT, "saliency >= foreground * saliency.max()"),
                (_BACKGROUND, "saliency <= background * saliency.max()"),
            ),
        ),
        Mutant(
            "raw_thresholds",
            "The map was compared with the numbers `foreground` and `background` themselves.",
            "Ask `torch.quantile` for the values that these shares of the pixels lie below.",
            edits=(
                (_OBJECT, "saliency >= foreground"),
                (_BACKGROUND, "saliency <= background"),
            ),
        ),
        Mutant(
            "undecided_as_background",
            "Every pixel that is not surely object was marked as background: nothing is left to "
            "decide.",
            "The pixels between the two quantiles stay 0, so that the colours can decide.",
            edits=((_BACKGROUND, "~sure_object"),),
        ),
        Mutant(
            "undecided_as_object",
            "Every pixel that is not surely background was marked as object: nothing is left to "
            "decide.",
            "The pixels between the two quantiles stay 0, so that the colours can decide.",
            edits=((_OBJECT, f"~({_BACKGROUND})"),),
        ),
        Mutant(
            "no_background_seeds",
            "Only the object has seeds.",
            "A segmenter needs both: mark the surest background with 1.",
            edits=(("markers[sure_background] = 1", "markers[sure_background] = 0"),),
        ),
        Mutant(
            "strict_thresholds",
            "Pixels exactly at a quantile were left out.",
            "Where many pixels share one value the quantile is that value: at or above, at or "
            "below.",
            edits=(
                (_OBJECT, _OBJECT.replace(">=", ">")),
                (_BACKGROUND, _BACKGROUND.replace("<=", "<")),
            ),
        ),
        Mutant(
            "markers_from_zero",
            "Background was marked 0 and object 1, but 0 means undecided.",
            "Background is 1 and object 2.",
            edits=(
                ("markers[sure_background] = 1", "markers[sure_background] = 0"),
                ("markers[sure_object] = 2", "markers[sure_object] = 1"),
                (_MASK, "return segment(image, markers) == 1"),
            ),
        ),
        Mutant(
            "seeds_for_mask",
            "`segment` was never called: the seeds themselves came back.",
            "The seeds are where the work of `segment` starts.",
            edits=((_MASK, "return sure_object"),),
        ),
        Mutant(
            "segmenter_ignored",
            "The segmenter that was passed in was not used.",
            "Call `segment`, which is `graph_segment` only by default.",
            edits=((_MASK, "return graph_segment(image, markers) == 2"),),
        ),
        Mutant(
            "labels_returned",
            "The labels came back, not a mask.",
            "Compare them with the label of the object.",
            edits=((_MASK, "return segment(image, markers)"),),
        ),
        Mutant(
            "labels_as_bool",
            "The labels 1 and 2 were turned into a bool, and both are True.",
            "Compare them with the label of the object.",
            edits=((_MASK, "return segment(image, markers).bool()"),),
        ),
        Mutant(
            "image_channels_last",
            "`segment` was given the image as (H, W, 3).",
            "It takes the image as you get it: (3, H, W).",
            edits=((_MASK, "return segment(image.permute(1, 2, 0), markers) == 2"),),
        ),
    ),
    accepted=(
        Accepted(
            "one_expression",
            body="""
def saliency_segmentation(image, saliency, foreground=0.95, background=0.30, segment=graph_segment):
    low, high = saliency.flatten().quantile(
        torch.tensor([background, foreground], dtype=saliency.dtype)
    )
    markers = (saliency <= low).long() + 2 * (saliency >= high).long()
    return segment(image, markers).eq(2)
""",
        ),
    ),
)

LESSON = Lesson("l11_saliency", "Saliency", (SALIENCY, SMOOTH, BOX, SEGMENTATION))
