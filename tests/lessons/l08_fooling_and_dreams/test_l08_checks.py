"""What lesson 8's judge says of fooling pictures that neither the reference nor a mutant made."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from autograder.checks import lesson
from autograder.worker.networks import build
from solutions.l08_fooling_and_dreams import fooling_image

EXERCISE = lesson("l08_fooling_and_dreams").exercise("fooling_image")
CASES = EXERCISE.inputs(torch.Generator().manual_seed(3))


def complaint(name: str, fool) -> str | None:
    inputs = CASES[name].inputs
    given = {**inputs, "model": build(inputs["model"])}
    found = EXERCISE.judge(fooling_image(**given), fool(**given), inputs)
    return found and found.message


def ascend(
    model, image, target, rate, max_steps, epsilon, project=True, optimiser=torch.optim.Adam
):
    """Another way: an optimiser on the change, whose length is cut to `rate` in each step."""
    image = image.detach()
    change = torch.zeros_like(image, requires_grad=True)
    descent = optimiser([change], lr=rate)
    for _ in range(max_steps):
        logits = model(image + change)
        if logits.argmax() == target:
            break
        descent.zero_grad()
        torch.nn.functional.cross_entropy(logits, target).backward(inputs=[change])
        before = change.detach().clone()
        descent.step()
        with torch.no_grad():
            step = change - before
            step = rate * step / step.abs().amax()
            change.copy_(before + step)
            if project:
                change.clamp_(-epsilon, epsilon)
            change.copy_((image + change).clamp(0, 1) - image)
    return (image + change).detach()


PLAIN = [name for name, case in CASES.items() if not case.call and "shorter" not in name]


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("optimiser", [torch.optim.Adam, torch.optim.SGD, torch.optim.RMSprop])
def test_other_optimisers_fool_as_well(name, optimiser) -> None:
    assert complaint(name, lambda **given: ascend(**given, optimiser=optimiser)) is None


def far(image: Tensor, epsilon: float, **given) -> Tensor:
    return (image + 1.5 * epsilon).clamp(0, 1)


@pytest.mark.parametrize(
    ("name", "fool", "said"),
    [
        ("an epsilon that leaves little room", far, "farther than `epsilon`"),
        ("the next best class", lambda image, **given: image, "does not take for the target"),
        ("three steps", lambda image, **given: image + 0.03, "farther than `max_steps` steps"),
        ("one step", lambda image, **given: image, "no value moves by `rate`"),
        (
            "a picture that is taken for the target already",
            lambda image, **given: image + 1e-3,
            "has the target's answer already",
        ),
    ],
)
def test_what_is_wrong_is_said(name, fool, said) -> None:
    assert said in (complaint(name, fool) or "")


def test_a_step_away_from_the_target_is_seen() -> None:
    def away(**given):
        return 2 * given["image"] - fooling_image(**given)

    assert "further from the target" in (complaint("three steps", away) or "")
