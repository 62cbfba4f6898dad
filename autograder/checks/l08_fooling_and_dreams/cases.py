"""Cases of l08_fooling_and_dreams."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Generator, Tensor, nn

from autograder.checks.inputs import between, fresh_seed, network, normal, refuse, vary, whole
from autograder.checks.l08_fooling_and_dreams.judges import GOALS
from autograder.course.exercise import Case
from autograder.worker.networks import build
from solutions.l08_fooling_and_dreams import fooling_image, is_fooled_after_saving

LEVEL = 1 / 255
DOUBLE = torch.float64


def picture(rng: Generator, height: int, width: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Draw a picture of whole levels, none of them near black or white."""
    levels = torch.randint(40, 216, (1, 3, height, width), generator=rng)
    return levels.to(dtype) / 255


def ranked(model: nn.Module, image: Tensor) -> Tensor:
    """Return the classes from the most to the least likely."""
    with torch.no_grad():
        return model(image.detach())[0].argsort(descending=True)


def saving_cases(rng: Generator) -> dict[str, Case]:
    def between_levels(
        before: bool, after: bool, height: int, width: int, dtype: torch.dtype = torch.float32
    ) -> Case:
        """Search for a picture that leaves one class for another between two levels.

        Args:
            before, after: whether it is taken for the target before it is saved, and after.
            height, width, dtype: of the picture.
        """
        while True:
            image = picture(rng, height, width, dtype)
            spec = network(rng, "linear", image)
            model = build(spec)
            answer, target = ranked(model, image)[:2]
            weight = model.get_parameter("mix.weight").detach()[:, :, 0, 0]
            way = weight[target] - weight[answer]
            with torch.no_grad():
                lead = model(image)[0, answer] - model(image)[0, target]
            levels = float(lead / (way.abs().sum() * height * width * LEVEL))
            # As far as between the class's border and the middle of two levels.
            levels = math.floor(levels) + (levels % 1 + 0.5) / 2
            image = image + levels * LEVEL * way.sign()[:, None, None]
            fooled = bool(ranked(model, image)[0] == target)
            saved = is_fooled_after_saving(model, image, target[None])
            clear = abs(levels % 1 - 0.5) > 0.1 and image.min() > 0 and image.max() < 1
            if (fooled, saved) == (before, after) and clear:
                return Case({"model": spec, "image": image, "target": target[None]})

    def anywhere(name: str, height: int, width: int, rank: int) -> Case:
        image = torch.rand(1, 3, height, width, generator=rng)
        spec = network(rng, name)
        target = ranked(build(spec), image)[rank : rank + 1]
        return Case({"model": spec, "image": image, "target": target})

    def too_bright(after: bool) -> Case:
        """Draw a picture with values outside of [0, 1] that lead to another answer."""
        while True:
            image = 0.5 + normal(rng, 1, 3, 8, 9)
            spec = network(rng, "linear")
            cut, uncut = (ranked(build(spec), x)[:1] for x in (image.clamp(0, 1), image))
            if cut != uncut:
                return Case({"model": spec, "image": image, "target": cut if after else uncut})

    wanting = anywhere("functional", 12, 14, 0)
    wanting.inputs["image"].requires_grad_()
    return refuse(
        {
            "a picture that stays fooled": anywhere("plain", 12, 16, 0),
            "a picture that saving puts right": between_levels(True, False, 8, 12),
            "a picture that only saving fools": between_levels(False, True, 9, 7),
            "a picture that never was fooled": anywhere("normalised", 12, 14, 1),
            "rounding that decides, in float64": between_levels(True, False, 10, 6, DOUBLE),
            "colours outside of [0, 1]": too_bright(True),
            "colours outside of [0, 1] that fool no file": too_bright(False),
            "image requiring grad": wanting,
        }
    )


def fools(model: nn.Module, image: Tensor, target: Tensor, rate: float, steps: int) -> bool:
    """Tell whether the reference leads to the target within so many steps."""
    fooling = fooling_image(model, image, target, rate, steps, 1.0)
    return bool(ranked(model, fooling)[0] == target)


def every_goal_fools(
    model: nn.Module, image: Tensor, target: Tensor, rate: float, steps: int
) -> bool:
    """Tell whether each goal that people climb leads to the target in so many steps."""
    for goal in GOALS:
        fooling = image.detach()
        for _ in range(steps):
            fooling.requires_grad_()
            climbed = goal(model(fooling)[0], int(target))
            (gradient,) = torch.autograd.grad(climbed, fooling)
            fooling = (fooling.detach() + rate * gradient.sign()).clamp(0, 1)
            if ranked(model, fooling)[0] == target:
                break
        else:
            return False
    return True


def fooling_cases(rng: Generator) -> dict[str, Case]:
    def case(
        name: str,
        image: Tensor,
        rate: float,
        max_steps: int,
        epsilon: float,
        rank: int = 1,
        call: str = "",
    ) -> Case:
        spec = network(rng, name, image)
        target = ranked(build(spec), image)[rank : rank + 1]
        settings = {"rate": rate, "max_steps": max_steps, "epsilon": epsilon}
        return Case({"model": spec, "image": image, "target": target, **settings}, call)

    def reachable(name: str, image: Tensor, steps: int = 5, rank: int = 1, call: str = "") -> Case:
        """Choose a step of which about so many lead to the target."""
        spec = network(rng, name, image)
        model = build(spec)
        target = ranked(model, image)[rank : rank + 1]
        rate = 0.001
        while not fools(model, image, target, rate, steps):
            rate *= 1.6
            if rate > 0.2:  # these weights do not hear the image: draw others
                return reachable(name, image, steps, rank, call)
        if not every_goal_fools(model, image, target, rate, 2 * steps):
            return reachable(name, image, steps, rank, call)
        settings = {"rate": rate, "max_steps": 60, "epsilon": 2 * steps * rate}
        return Case({"model": spec, "image": image, "target": target, **settings}, call)

    dark = picture(rng, 12, 14) * torch.rand(1, 3, 12, 14, generator=rng).round()
    wanting = reachable("functional", picture(rng, 12, 16))
    wanting.inputs["image"].requires_grad_()
    one_step: dict[str, Any] = {"rate": 4 * LEVEL, "max_steps": 1, "epsilon": 9 * LEVEL}
    tight: dict[str, Any] = {
        "rate": 3 * LEVEL,
        "max_steps": 9,
        "epsilon": between(rng, 4, 5) * LEVEL,
    }
    cases = {
        "the next best class": reachable("plain", picture(rng, 14, 18)),
        "one step": case("inplace", picture(rng, 12, 16), **one_step, rank=4),
        "three steps": case("linear", picture(rng, 9, 13), LEVEL, 3, 9 * LEVEL, rank=4),
        "an epsilon that leaves little room": case("relu6", picture(rng, 12, 13), **tight, rank=4),
        "steps smaller than half a level": case(
            "plain", picture(rng, 12, 12), 0.2 * LEVEL, 4, 8 * LEVEL, rank=4
        ),
        "a picture with black in it": case("residual", dark, 6 * LEVEL, 4, 40 * LEVEL, rank=4),
        "a picture that is taken for the target already": case(
            "plain", picture(rng, 12, 15), 2 * LEVEL, 5, 9 * LEVEL, rank=0
        ),
        "who writes into the result": case(
            "linear", picture(rng, 8, 10), 2 * LEVEL, 5, 9 * LEVEL, rank=0, call="written_into"
        ),
        "BatchNorm and dropout": reachable("normalised", picture(rng, 14, 12)),
        "float64": reachable("linear", picture(rng, 10, 12, DOUBLE), rank=2),
        "frozen parameters": reachable("frozen", picture(rng, 12, 12)),
        "image requiring grad": wanting,
        "more steps than are needed": reachable(
            "linear", picture(rng, 8, 11), call="with_more_steps"
        ),
    }
    first = cases["the next best class"].inputs
    return refuse(
        vary(
            cases,
            rate=first["rate"] / 2,
            max_steps=2,
            epsilon=1.5 * first["rate"],
        )
    )


def dream_gradient_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layers: list[str], image: Tensor) -> Case:
        return Case({"model": network(rng, model, image), "layers": layers, "image": image})

    cases = {
        "one layer": case("plain", ["conv2"], normal(rng, 1, 3, 14, 18)),
        "two layers, one much louder": case("plain", ["conv1", "relu2"], normal(rng, 1, 3, 12, 16)),
        "three layers": case("normalised", ["norm", "relu1", "conv2"], normal(rng, 1, 3, 16, 13)),
        "names with dots": case("nested", ["blocks.0.conv", "stem"], picture(rng, 14, 12).double()),
        "before an in-place ReLU": case("inplace", ["conv1"], normal(rng, 1, 3, 12, 15)),
        "a ReLU that runs three times": case("residual", ["relu"], normal(rng, 1, 3, 16, 12)),
        "a layer without height and width": case("plain", ["classifier"], picture(rng, 12, 12)),
        "float64": case("functional", ["conv2"], normal(rng, 1, 3, 13, 16, dtype=DOUBLE)),
        "frozen parameters": case("frozen", ["relu2"], normal(rng, 1, 3, 12, 14)),
        "image requiring grad": case(
            "plain", ["relu1"], normal(rng, 1, 3, 12, 12).requires_grad_()
        ),
        "a black picture, to which the layer is silent": case(
            "patches", ["relu"], torch.zeros(1, 3, 12, 16)
        ),
        "an image the model cannot take": case("plain", ["conv1"], normal(rng, 1, 4, 9, 9)),
        "a layer the model does not have": case("plain", ["conv9"], normal(rng, 1, 3, 12, 12)),
    }
    return refuse(vary(cases, layers=["relu1", "conv2"]))


def dream_step_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str | list[str], image: Tensor, **changed: Any) -> Case:
        settings = {"rate": 0.02, "jitter": 5, "seed": fresh_seed(rng)} | changed
        spec = network(rng, model, image)
        return Case({"model": spec, "layer": layer, "image": image, **settings}, picture=True)

    # Half of it at the ends, where a step leads out.
    glaring = (2 * torch.rand(1, 3, 14, 17, generator=rng) - 0.5).clamp(0, 1)
    cases = {
        "a small jitter": case("plain", "conv2", picture(rng, 14, 18)),
        "no jitter": case("plain", "relu1", picture(rng, 12, 16), jitter=0),
        "a jitter as wide as the picture": case("plain", "conv1", picture(rng, 13, 12), jitter=30),
        "black and white in it": case("inplace", "conv2", glaring, rate=0.1),
        "several layers": case("plain", ["conv1", "relu2"], picture(rng, 15, 12)),
        "a name with dots": case("nested", "blocks.1", picture(rng, 14, 12)),
        "float64": case("residual", "conv2", picture(rng, 12, 20, DOUBLE)),
        "frozen parameters": case("frozen", "relu2", picture(rng, 16, 14)),
        "image requiring grad": case("functional", "conv1", picture(rng, 12, 13).requires_grad_()),
        "a layer the model does not have": case("plain", "conv9", picture(rng, 12, 12)),
    }
    return refuse(vary(cases, layer="conv1", rate=0.05, jitter=9, seed=fresh_seed(rng)))


def deep_dream_cases(rng: Generator) -> dict[str, Case]:
    def case(model: str, layer: str | list[str], image: Tensor, **changed: Any) -> Case:
        usual = {"octaves": 2, "octave_scale": 1.4, "steps": 2, "rate": 0.02}
        settings = {**usual, "seed": fresh_seed(rng), "jitter": 4, **changed}
        spec = network(rng, model, image)
        call = "watched" if changed.pop("watch", False) else ""
        settings.pop("watch", None)
        return Case({"model": spec, "layer": layer, "image": image, **settings}, call, not call)

    cases = {
        "two octaves": case("plain", "conv2", picture(rng, 20, 24, DOUBLE)),
        "one octave": case("plain", "relu1", picture(rng, 14, 12), octaves=1, steps=3),
        "four octaves of a wide picture": case(
            "residual", "conv2", picture(rng, 23, 41, DOUBLE), octaves=4, octave_scale=1.2, steps=1
        ),
        "no steps": case(
            "plain", "conv1", picture(rng, 25, 20), octaves=3, octave_scale=1.2, steps=0
        ),
        "a step of no length": case("plain", "conv1", picture(rng, 21, 26), rate=0.0),
        "octaves of one size": case("nested", "blocks.0", picture(rng, 15, 18), octave_scale=1.0),
        "several layers": case("plain", ["conv1", "relu2"], picture(rng, 24, 18, DOUBLE)),
        "the default jitter": case("plain", "conv2", picture(rng, 22, 21, DOUBLE), jitter=16),
        "frozen parameters": case("frozen", "relu2", picture(rng, 20, 20)),
        "image requiring grad": case("plain", "relu1", picture(rng, 18, 22).requires_grad_()),
        "someone who watches": case(
            "plain", "conv1", picture(rng, 19, 25), octaves=3, octave_scale=1.3, watch=True
        ),
        "a layer the model does not have": case("plain", "conv9", picture(rng, 20, 20)),
    }
    varied = {"octaves": 1, "octave_scale": 1.2, "steps": 3, "rate": 0.04, "jitter": 7}
    return refuse(vary(cases, layer="conv1", seed=fresh_seed(rng), **varied))


def pattern_cases(rng: Generator) -> dict[str, Case]:
    def wave(height: int, width: int, down: int, across: int) -> Tensor:
        """Make a wave of so many cycles in the whole picture, in any colour and phase."""
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        turn = 2 * math.pi * (down * y / height + across * x / width + between(rng, 0, 1))
        return turn.cos() * torch.rand(3, 1, 1, generator=rng).add(0.2)

    def case(*changes: Tensor) -> Case:
        return Case({"change": torch.stack(changes)})

    coarse = wave(24, 36, 2, 1 + whole(rng, 3))
    # Red rises where green falls: added up before they are measured, they would vanish.
    opposite = wave(18, 15, 3, 2) * torch.tensor([1.0, -1.0, 0.0]).view(3, 1, 1)
    return {
        "three changes": case(
            normal(rng, 3, 20, 28), coarse[:, :20, :28], wave(20, 28, 5, 4 + whole(rng, 3))
        ),
        "one wave": case(wave(24, 32, 3, 0)),
        "a slanting wave": case(wave(20, 30, 4, 3 + whole(rng, 4))),
        "a strong coarse wave and a weak fine one": case(coarse + 0.3 * wave(24, 36, 9, 7)),
        "beside a brighter picture": case(wave(16, 16, 4, 2) + between(rng, 2, 3)),
        "colours that cancel": case(opposite),
        "three times noise": case(*normal(rng, 3, 3, 15, 21).mul(0.01)),
        "an even and an odd side": case(normal(rng, 3, 17, 10)),
        "float64": case(*normal(rng, 2, 3, 12, 19, dtype=DOUBLE)),
        "nothing changes": case(torch.zeros(3, 12, 14), normal(rng, 3, 12, 14)),
        "a change with a graph": Case({"change": normal(rng, 1, 3, 12, 16).requires_grad_()}),
    }
