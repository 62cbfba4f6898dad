"""What lesson 8's judge says of fooling pictures that neither the reference nor a mutant made."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from autograder.checks import lesson
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.seeds import PUBLIC_SEED
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import Answer
from autograder.worker.networks import build
from solutions.l08_fooling_and_dreams import fooling_image

STEM = "l08_fooling_and_dreams"
# One is enough to see that a sentence is there; the others, that it does not hang on luck.
SEEDS = [PUBLIC_SEED, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1,))]
EXERCISE = lesson(STEM).exercise("fooling_image")
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
        ("one step", lambda image, **given: image, "took no step"),
        (
            "one step",
            lambda image, rate, **given: image + rate / 3,
            "no value moves by `rate`",
        ),
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


def verdict(name: str, source: str, seed: int = PUBLIC_SEED) -> Verdict:
    expectation = Expectation(STEM, lesson(STEM).exercise(name), seed)
    text = read_lesson(STEM).replaced(name, source)
    return judge(expectation, Answer("ok", tuple(run_trusted(expectation.job(text, "mine.py")))))


DREAM = """
def dream_gradient(model, layers, image):
    acts = {{}}
    x = image.detach().clone().requires_grad_(True)
    handles = []
    for name in layers:
        {hook}
        handles.append(model.get_submodule(name).register_forward_hook(hook))
    try:
        model(x)
    finally:
        for h in handles:
            h.remove()
    check_ran(layers, acts)
    grads = []
    for name in layers:
        g, = torch.autograd.grad((acts[name] ** 2).mean(), x, retain_graph=True)
        {step}
        grads.append(g)
    {end}
"""
HOOK = """def hook(mod, inp, out, name=name):
            acts[name] = out.clone()"""
STEP = """m = g.abs().mean()
        g = g / m if m > 0 else g"""
END = "return sum(grads) / len(grads)"


def guarded(size: str) -> str:
    return f"m = {size}\n        g = g / m if m > 0 else g"


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("hook", "step", "end", "named"),
    [
        (HOOK, STEP, END, None),
        (HOOK, guarded("g.norm()"), END, "norm_as_size"),
        (HOOK, guarded("g.std()"), END, "deviation_as_size"),
        (HOOK, guarded("g.pow(2).mean().sqrt()"), END, "root_mean_square"),
        (HOOK, guarded("g.abs().max()"), END, "divided_by_maximum"),
        (HOOK, "g = g / g.abs().mean()", END, "silent_gradient_divided"),
        (HOOK.replace(", name=name", ""), STEP, END, "late_binding"),
        (HOOK.replace("clone()", "detach().clone()"), STEP, END, "loudness_cut"),
        (HOOK.replace("clone()", "detach()"), STEP, END, "loudness_cut"),
        (HOOK.replace("out.clone()", "out"), STEP, END, "overwritten_in_place"),
        (
            HOOK,
            "pass",
            "g = sum(grads)\n    m = g.abs().mean()\n    return g / m if m > 0 else g",
            "one_size_for_all",
        ),
        (HOOK, STEP, "return sum(grads)", "layers_summed"),
    ],
)
def test_a_dream_in_another_style_is_named(hook, step, end, named, seed) -> None:
    source = "@with_autograd" + DREAM.format(hook=hook, step=step, end=end)
    found = verdict("dream_gradient", source, seed)
    assert found.diagnosis == named, found.message
    assert found.also == (), found.message


FOOL = """
@with_autograd
def fooling_image(model, image, target, rate, max_steps, epsilon):
    orig = image.detach().clone()
    x = orig.clone()
    for i in range(max_steps):
        x.requires_grad_(True)
        logits = model(x)
        score = target_logits(logits, target).sum()
        if logits.argmax(dim=1).item() == target.item():
            break
        g = torch.autograd.grad(score, x)[0]
        with torch.no_grad():
            x = x + rate * g.sign()
            x = orig + torch.clamp(x - orig, -epsilon, epsilon)
            x = x.clamp(0, 1)
    return x.detach()
"""
LATE = """        g = torch.autograd.grad(score, x)[0]
        with torch.no_grad():
            x = x + rate * g.sign()
            x = orig + torch.clamp(x - orig, -epsilon, epsilon)
            x = x.clamp(0, 1)
"""
ASKED = """        if logits.argmax(dim=1).item() == target.item():
            break
"""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("edits", "named"),
    [
        ([], None),
        ([("rate * g.sign()", "rate * g")], "raw_gradient"),
        ([("rate * g.sign()", "rate * g / g.norm()")], "unit_length"),
        ([("x + rate", "x - rate")], "away_from_the_target"),
        ([("range(max_steps)", "range(1, max_steps)")], "one_step_too_few"),
        (
            [("image.detach().clone()", "image"), ("orig.clone()", "image.detach()")],
            "own_image_returned",
        ),
        (
            [("orig + torch.clamp(x - orig, -epsilon, epsilon)", "x.clamp(-epsilon, epsilon)")],
            "picture_cut_to_epsilon",
        ),
        ([("grad(score", "grad(-logits[0, logits.argmax()]")], "away_from_the_answer"),
        (
            [("grad(score", "grad(torch.nn.functional.cross_entropy(logits, logits.argmax(1))")],
            "away_from_the_answer",
        ),
        ([(ASKED + LATE, LATE + ASKED)], "step_before_the_answer"),
        (
            [
                (ASKED + LATE, LATE + ASKED),
                ("if logits.argmax", "if model(x).argmax"),
            ],
            "step_before_the_answer",
        ),
    ],
)
def test_a_fooling_in_another_style_is_named(edits, named, seed) -> None:
    source = FOOL
    for old, new in edits:
        assert source.count(old) == 1
        source = source.replace(old, new)
    found = verdict("fooling_image", source, seed)
    assert found.diagnosis == named, found.message
    assert found.also == (), found.message
    assert (found.outcome == "passed") == (named is None)


def test_a_missing_step_is_said() -> None:
    found = verdict("fooling_image", FOOL.replace("range(max_steps)", "range(1, max_steps)"))
    assert "took no step" in found.message


CHAINED = """
def deep_dream(
    model, layer, image, octaves, octave_scale, steps, rate, seed=0, jitter=16, watch=None
):
    img = image.detach()
    h, w = img.shape[-2:]
    sizes = [(h, w)]
    while len(sizes) < octaves:
        h, w = round(h / octave_scale), round(w / octave_scale)
        sizes.append((h, w))
    detail = torch.zeros_like(img)
    i = seed
    for size in sizes[::-1]:
        base = resized(img, size)
        out = base + resized(detail, size)
        for _ in range(steps):
            out = dream_step(model, layer, out, rate, jitter, i)
            i = i + 1
            if watch:
                watch(out)
        detail = out - base
    return out
"""


@pytest.mark.parametrize("seed", SEEDS)
def test_sizes_rounded_one_from_the_other_are_named(seed) -> None:
    assert verdict("deep_dream", CHAINED, seed).diagnosis == "sizes_chained"
