"""A descent that is right in another way passes under any seed, and a wrong one under none."""

from __future__ import annotations

import pytest

from autograder.checks import lesson
from autograder.course.reference import read_lesson
from autograder.judge.expected import Expectation, run_trusted, wrong_source
from autograder.judge.seeds import PUBLIC_SEED
from autograder.judge.verdict import Verdict, judge
from autograder.protocol.answers import Answer

STEM = "l09_inversion_and_style"
# One is enough to see that a sentence is there; the others, that it does not hang on luck.
SEEDS = [PUBLIC_SEED, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (1, 2))]
DESCENTS = ("invert_features", "synthesise_texture", "transfer_style")


def verdict(expectation: Expectation, source: str) -> Verdict:
    return judge(expectation, Answer("ok", tuple(run_trusted(expectation.job(source, "mine.py")))))


@pytest.mark.slow
@pytest.mark.parametrize("seed", [11, 12, 13])
@pytest.mark.parametrize("name", DESCENTS)
def test_other_descents_pass_and_wrong_ones_do_not(name: str, seed: int):
    expectation = Expectation(STEM, lesson(STEM).exercise(name), seed)
    source, words = read_lesson(STEM), expectation.exercise.words
    for version in words.accepted:
        found = verdict(expectation, wrong_source(source, name, version))
        assert found.outcome == "passed", (version.id, found.message)
    for version in words.mistakes:
        found = verdict(expectation, wrong_source(source, name, version))
        assert found.outcome in ("failed", "error"), version.id


@pytest.mark.parametrize(
    ("name", "edit", "id"),
    [
        ("feature_loss", ("[layer], image)", "[layer], image.data)"), "graph_cut"),
        ("gram_matrix", (" / (channels * height * width)", " / (height * width)"), ""),
        ("style_loss", ("strict=True", "strict=False"), "lengths_unnoticed"),
        ("patch_distances", ("known.expand_as(patch)", "torch.ones_like(patch)"), ""),
    ],
)
def test_a_wrong_loss_fails_and_is_named(name: str, edit: tuple[str, str], id: str):
    expectation = Expectation(STEM, lesson(STEM).exercise(name))
    found = verdict(expectation, read_lesson(STEM).edited(name, (edit,)))
    assert found.outcome == "failed"
    assert found.diagnosis == id if id else found.diagnosis


def written(name: str, source: str, seed: int) -> Verdict:
    expectation = Expectation(STEM, lesson(STEM).exercise(name), seed)
    return verdict(expectation, read_lesson(STEM).replaced(name, source))


STYLE = """
def style_loss(grams, target_grams, weights):
    if len(grams) != len(target_grams) or len(grams) != len(weights):
        raise ValueError("lengths differ")
    total = 0
    for i, G in enumerate(grams):
        T = target_grams[i]
        rel = ((G - T) ** 2).sum(dim=(-2, -1)) / (T ** 2).sum(dim=(-2, -1))
        total = total + weights[i] * rel.mean()
    return total
"""


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("edit", "named"),
    [
        (("", ""), None),
        (("rel.mean()", "F.mse_loss(G, T.expand_as(G))"), "mean_squared_error"),
        (("return total", "return total / sum(weights)"), "divided_by_the_weights"),
    ],
)
def test_a_style_loss_in_another_style_is_named(edit, named, seed):
    found = written("style_loss", STYLE.replace(*edit), seed)
    assert found.diagnosis == named, found.message
    assert found.also == (), found.message


TRANSFER = """
def transfer_style(
    model, content, style, content_layer, style_layers,
    content_weight=1.0, style_weight=1.0, steps=150, rate=0.05, tv=0.02,
):
    c, s = content.detach(), style.detach()
    feats = features_of(model, [content_layer], c)[content_layer]
    sf = features_of(model, list(style_layers), s)
    targets = [gram_matrix(sf[l]) for l in style_layers]

    def objective(img):
        return fast_style_loss(
            model, img, feats, targets, content_layer, style_layers,
            content_weight, style_weight, tv,
        )

    return descend(objective, c, steps, rate)
"""
BY_HAND = """    img = c.clone().requires_grad_(True)
    opt = torch.optim.Adam([img], lr=rate)
    with torch.enable_grad():
        for _ in range(steps):
            opt.zero_grad()
            objective(img).backward(inputs=[img])
            opt.step()
    return img.detach()
"""
DESCENDED = "    return descend(objective, c, steps, rate)\n"
EXCHANGED = [
    ("[content_layer], c)", "[content_layer], s)"),
    ("list(style_layers), s)", "list(style_layers), c)"),
]


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("edits", "named"),
    [
        ([], None),
        ([(DESCENDED, BY_HAND)], None),
        (EXCHANGED, "pictures_exchanged"),
        ([*EXCHANGED, (DESCENDED, BY_HAND)], "pictures_exchanged"),
        (
            [("content_weight, style_weight, tv,", "style_weight, content_weight, tv,")],
            "weights_exchanged",
        ),
    ],
)
def test_a_transfer_in_another_style_is_named(edits, named, seed):
    source = TRANSFER
    for old, new in edits:
        at = source.rindex(old)
        source = source[:at] + new + source[at + len(old) :]
    found = written("transfer_style", source, seed)
    assert found.diagnosis == named, found.message
    assert (found.outcome == "passed") == (named is None), found.message
    assert "size 1" not in found.message
