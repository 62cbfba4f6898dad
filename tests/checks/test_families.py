"""Each mistake of a family does what its words say, on networks where that is known on paper."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autograder.checks.mistakes import FAMILIES, layers, mistakes_of, question, results, state
from autograder.checks.mistakes.arguments import mistakes as arguments
from autograder.checks.mistakes.layers import LAYERS
from autograder.checks.mistakes.question import QUESTIONS, asked
from autograder.course.exercise import Case, Exercise, Mistake
from autograder.protocol.wire import ModelSpec
from autograder.worker.networks import build
from autograder.worker.observe import observe


def test_every_family_is_tested_here() -> None:
    names = {family.__name__.rpartition(".")[2] for family in FAMILIES}
    assert names == {"question", "layers", "state", "arguments", "results"}


# Question


def gradient(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
    """The right function: the gradient of each image's own logit."""
    images = images.detach().requires_grad_()
    chosen = model(images).gather(1, target[:, None]).sum()
    return torch.autograd.grad(chosen, images)[0]


LINEAR = build(ModelSpec("linear", 3, "float64"))
# Quiet, so that no softmax saturates; the highest logit is not among the targets.
IMAGES = 0.2 * torch.randn(3, 3, 4, 5, generator=torch.Generator().manual_seed(1)).double()
W = LINEAR.mix.weight.detach()[:, :, 0, 0]
LOGITS = IMAGES.sum((2, 3)) @ W.T
TARGET = (LOGITS.argmax(1) + torch.tensor([1, 2, 3])) % 5
P = LOGITS.softmax(1)
OWN, BEST = W[TARGET], W[LOGITS.argmax(1)]
P_OWN = P.gather(1, TARGET[:, None])
ALONE = (LOGITS.amax(1) == LOGITS.max()).double()[:, None]

# The derivative by each colour, (N, 3), the same at every pixel.
ON_PAPER = {
    "softmax_target": P_OWN * (OWN - P @ W),
    "log_softmax_target": OWN - P @ W,
    "cross_entropy": P @ W - OWN,
    "mean_cross_entropy": (P @ W - OWN) / 3,
    "sum_of_all_logits": W.sum(0).expand(3, 3),
    "predicted_class": BEST,
    "max_over_batch": BEST * ALONE,
    "first_target_for_all": W[TARGET[:1]].expand(3, 3),
    "all_targets_for_all": OWN.sum(0).expand(3, 3),
    "mean_over_batch": OWN / 3,
}


def test_the_right_question_is_known_on_paper() -> None:
    found = gradient(LINEAR, IMAGES, TARGET)
    torch.testing.assert_close(found, OWN[:, :, None, None].expand_as(IMAGES))


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_wrong_question_has_the_answer_known_on_paper(name: str) -> None:
    found = asked(QUESTIONS[name])(gradient)(LINEAR, IMAGES, TARGET)
    expected = ON_PAPER[name][:, :, None, None].expand_as(IMAGES)
    torch.testing.assert_close(found, expected)
    assert not torch.isclose(expected[:, :, 0, 0], OWN).all()
    assert not LINEAR._forward_hooks


def test_n_counts_images_and_not_their_noisy_copies() -> None:
    def smoothed(model: nn.Module, images: Tensor, target: Tensor) -> Tensor:
        return gradient(model, images.repeat(4, 1, 1, 1), target.repeat(4))[: len(images)]

    found = asked(QUESTIONS["mean_over_batch"])(smoothed)(LINEAR, IMAGES, TARGET)
    torch.testing.assert_close(found[:, :, 0, 0], OWN / 3)


def of(family: Any, exercise: Exercise, value: Any, **inputs: Any) -> list[str]:
    """Ids of a family's mistakes in an exercise with one case and this result."""
    records = {"one": {"status": "returned", "value": value}}
    return [m.id for m in family.mistakes(exercise, {"one": Case(inputs)}, records)]


FUNCTION = Exercise("l00", "f", lambda rng: {})
CLASS = Exercise("l00", "F", lambda rng: {}, is_function=False)
MODEL = {"model": ModelSpec("linear", 1)}


def test_questions_are_asked_of_networks_with_a_target_or_logits() -> None:
    maps, logits = torch.zeros(2, 4, 4), torch.zeros(2, 5)
    assert set(of(question, FUNCTION, maps, **MODEL, target=torch.zeros(2))) == set(QUESTIONS)
    assert of(question, FUNCTION, maps, **MODEL) == []
    assert of(question, FUNCTION, logits, **MODEL) == ["softmax_target", "log_softmax_target"]
    assert of(question, FUNCTION, logits, target=torch.zeros(2)) == []
    assert of(question, CLASS, logits, **MODEL) == []


# Layers


class Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * x


class Path(nn.Module):
    """`entry` times 2, `relu` in place, `block` with `inner` times 3 and minus 1, `again` twice."""

    def __init__(self, inplace: bool = True) -> None:
        super().__init__()
        self.entry = Times(2)
        self.relu = nn.ReLU(inplace)
        self.block = nn.Sequential()
        self.block.add_module("inner", Times(3))
        self.block.add_module("minus", Times(-1))
        self.again = Times(10)

    def forward(self, x: Tensor) -> Tensor:
        return self.again(self.again(self.block(self.relu(self.entry(x)))))


def caught(model: nn.Module, layer: str, images: Tensor) -> tuple[list[float], list[float]]:
    """The right function: a copy of the layer's output at its last run, and the network's own."""
    kept: list[Tensor] = []
    with model.get_submodule(layer).register_forward_hook(lambda m, i, out: kept.append(out + 0)):
        logits = model(images)
    return kept[-1].tolist(), logits.tolist()


X = torch.tensor([-1.0, 4.0])
LOGITS_OF_X = [0.0, -2400.0]  # 4 * 2 * 3 * -1 * 10 * 10


@pytest.mark.parametrize(
    ("layer", "output", "wrong"),
    [
        ("entry", [-2.0, 8.0], {"layer_input": [-1.0, 4.0], "overwritten_in_place": [0.0, 8.0]}),
        ("relu", [0.0, 8.0], {}),  # in place: what came in is what goes out
        ("block", [0.0, -24.0], {"layer_input": [0.0, 8.0]}),
        ("block.inner", [0.0, 24.0], {"layer_input": [0.0, 8.0], "outermost_part": [0.0, -24.0]}),
        ("again", [0.0, -2400.0], {"layer_input": [0.0, -240.0], "first_run": [0.0, -240.0]}),
    ],
)
def test_a_mistake_at_a_layer_catches_what_is_known_on_paper(
    layer: str, output: list[float], wrong: dict[str, list[float]]
) -> None:
    assert caught(Path(), layer, X) == (output, LOGITS_OF_X)
    for name in ("layer_input", "overwritten_in_place", "first_run", "outermost_part"):
        model = Path()
        found = LAYERS[name](caught)(model, layer, X)
        # Whatever is caught, the network itself goes on as it should.
        assert found == (wrong.get(name, output), LOGITS_OF_X), name
        for module in model.modules():
            assert not module._forward_hooks and not module._forward_pre_hooks


def test_nothing_is_overwritten_where_no_operation_is_in_place() -> None:
    wrong = LAYERS["overwritten_in_place"](caught)
    assert wrong(Path(inplace=False), "entry", X) == ([-2.0, 8.0], LOGITS_OF_X)


def test_several_layers_keep_the_names_they_were_asked_by() -> None:
    def all_caught(model: nn.Module, layers: list[str], images: Tensor) -> dict[str, list[float]]:
        return {name: caught(model, name, images)[0] for name in layers}

    found = LAYERS["outermost_part"](all_caught)(Path(), ["block.inner", "entry"], X)
    assert found == {"block.inner": [0.0, -24.0], "entry": [-2.0, 8.0]}
    found = LAYERS["layer_input"](all_caught)(Path(), ["block.inner", "entry"], X)
    assert found == {"block.inner": [0.0, 8.0], "entry": [-1.0, 4.0]}


@pytest.mark.parametrize(
    ("name", "layer", "error"),
    [
        ("getattr_without_dots", "block.inner", AttributeError),
        ("layer_from_dict", "nowhere", KeyError),
    ],
)
def test_a_layer_looked_up_in_another_way_is_not_found(
    name: str, layer: str, error: type[Exception]
) -> None:
    wrong = LAYERS[name](caught)
    with pytest.raises(error):
        wrong(Path(), layer, X)
    assert wrong(Path(), "entry", X) == ([-2.0, 8.0], LOGITS_OF_X)


def test_layers_are_found_where_one_is_named() -> None:
    assert of(layers, FUNCTION, None, **MODEL, layer="mix") == list(LAYERS)
    assert of(layers, FUNCTION, None, **MODEL, layers=["mix"]) == list(LAYERS)
    assert of(layers, CLASS, None, layers=["mix"]) == ["getattr_without_dots", "layer_from_dict"]
    assert of(layers, FUNCTION, None, **MODEL) == []


# State


def logits(model: nn.Module, images: Tensor) -> Tensor:
    with torch.no_grad():
        return model(images)


def refused(model: nn.Module, images: Tensor) -> Tensor:
    raise ValueError("no")


INPUTS = {"model": ModelSpec("normalised", 1), "images": torch.randn(2, 3, 12, 12)}


def made(family: Any, id: str, value: Any = None, **inputs: Any) -> Mistake:
    records = {"one": {"status": "returned", "value": value}}
    found = family.mistakes(FUNCTION, {"one": Case(inputs or INPUTS)}, records)
    return next(mistake for mistake in found if mistake.id == id)


def seen(right: Callable[..., Any], wrap: Callable[..., Any] | None) -> dict[str, Any]:
    student: Any = SimpleNamespace(f=wrap(right) if wrap else right)
    return observe(student, lambda student, **inputs: student.f(**inputs), INPUTS, "mine.py")


EFFECTS = {
    **{name: [name] for name in ("hooks_left", "mode_flipped", "grads_left", "grads_wiped")},
    **{name: [name] for name in ("weights_changed", "input_changed")},
    **{name: [name] for name in ("input_requires_grad_changed", "global_rng")},
    # Dropout draws, and BatchNorm moves its statistics.
    "train_mode": ["weights_changed", "global_rng"],
    "hooks_left_on_error": [],
}


def test_all_that_can_be_left_behind_is_tested() -> None:
    assert of(state, FUNCTION, torch.zeros(2), **INPUTS) == [
        *state.OF_A_MODEL, *state.OF_AN_INPUT, "keeps_graph", "global_rng",
    ]  # fmt: skip
    assert {*state.OF_A_MODEL, *state.OF_AN_INPUT, "global_rng"} == set(EFFECTS)
    assert of(state, FUNCTION, 3, n=3) == ["global_rng"]
    assert of(state, CLASS, torch.zeros(2), **INPUTS) == []


@pytest.mark.parametrize("name", EFFECTS)
def test_a_state_mistake_leaves_exactly_what_it_is_named_for(name: str) -> None:
    clean, record = seen(logits, None), seen(logits, made(state, name).wrap)
    assert clean["effects"] == []
    assert record["effects"] == EFFECTS[name]
    assert torch.equal(record["value"], clean["value"]) == (name != "train_mode")


def test_a_hook_is_left_when_an_error_passes() -> None:
    wrap = made(state, "hooks_left_on_error").wrap
    assert (seen(refused, None)["effects"], seen(refused, wrap)["effects"]) == ([], ["hooks_left"])


def test_a_graph_is_kept_with_the_values() -> None:
    change = made(state, "keeps_graph", value=torch.zeros(1)).change
    assert change is not None
    kept = change({"a": [torch.arange(3), torch.ones(2)], "b": "text"})
    assert kept["a"][1].grad_fn is not None and torch.equal(kept["a"][1], torch.ones(2))
    assert not kept["a"][0].requires_grad and kept["b"] == "text"


# Arguments


def test_an_ignored_argument_has_the_value_of_the_first_case() -> None:
    def right(x: Tensor, scale: float, word: str = "a") -> str:
        return f"{scale} {word} {x.tolist()}"

    inputs = {"x": torch.ones(1), "scale": 2.0, "word": "b"}
    first, second = Case(inputs), Case({**inputs, "scale": 3.0})
    found = {m.id: m for m in arguments(FUNCTION, {"first": first, "second": second}, {})}
    assert list(found) == ["scale_ignored", "word_ignored"]
    wrap = found["scale_ignored"].wrap
    assert wrap is not None and "`scale`" in found["scale_ignored"].says
    assert wrap(right)(**second.inputs) == right(**inputs) == wrap(right)(torch.ones(1), 9.0, "b")
    assert list(arguments(CLASS, {"first": first}, {})) == []


# Results

BATCHED = Exercise("l00", "f", lambda rng: {}, batch=("images",))
V = torch.tensor([[[-1.0, 2.0, 0.5], [4.0, 0.0, -3.0]], [[0.5, -2.0, 1.0], [1.5, 3.0, -0.5]]])
TOP, LOW = torch.tensor([4.0, 3.0])[:, None, None], torch.tensor([-3.0, -2.0])[:, None, None]


@functools.cache
def relations() -> dict[str, Mistake]:
    records = {"one": {"status": "returned", "value": V}}
    found = results.mistakes(BATCHED, {"one": Case({"images": V})}, records)
    return {mistake.id: mistake for mistake in found}


CHANGED: dict[str, Any] = {
    "returned_none": None,
    "negated": -V,
    "magnitude": torch.where(V < 0, -V, V),
    "positive_part": torch.where(V > 0, V, 0.0),
    "negative_part": torch.where(V < 0, -V, 0.0),
    "squared": V * V,
    "square_root": V.abs().pow(0.5),
    "scaled_to_maximum": V / TOP,
    "maximum_zero": V / TOP,
    "scaled_over_batch": V / 4,
    "stretched": (V - LOW) / (TOP - LOW),
    "stretched_over_batch": (V + 3) / 7,
    "unit_norm": V / V.flatten(1).norm(dim=1)[:, None, None],
    "complement": 1 - V,
    "softmax_of_result": V.exp() / V.exp().sum(-1, keepdim=True),
    "sigmoid_of_result": 1 / (1 + (-V).exp()),
    "last_axes_swapped": V.permute(0, 2, 1),
    "upside_down": V[:, [1, 0]],
    "mirrored": V[:, :, [2, 1, 0]],
    "first_of_batch": torch.stack([V[0], torch.zeros(2, 3)]),
    "first_for_all": torch.stack([V[0], V[0]]),
    "averaged_over_batch": torch.stack([(V[0] + V[1]) / 2] * 2),
    "summed_over_batch": torch.stack([V[0] + V[1]] * 2),
    "batch_dimension_lost": (V[0] + V[1]) / 2,
    "first_image_only": V[0],
    "squeezed": V,
    "off_by_a_factor": V / 3,
    "off_by_a_factor_an_image": torch.stack([V[0], 2 * V[1]]),
    "shifted": V + 0.1,
}


@pytest.mark.parametrize("name", CHANGED)
def test_a_change_is_what_its_name_says(name: str) -> None:
    change = relations()[name].change
    assert change is not None
    torch.testing.assert_close(change(V), CHANGED[name])


def test_all_changes_are_tested() -> None:
    assert set(relations()) == set(CHANGED)


def test_a_change_reaches_every_float_and_nothing_else() -> None:
    change = relations()["negated"].change
    assert change is not None
    found = change({"a": (V, 2.0), "b": [torch.arange(3), 3, "text", True]})
    assert torch.equal(found["a"][0], -V) and found["a"][1] == -2.0 and type(found["a"]) is tuple
    assert torch.equal(found["b"][0], torch.arange(3)) and found["b"][1:] == [3, "text", True]


def test_a_dark_map_is_not_divided_by_nothing_but_by_zero_on_purpose() -> None:
    dark = torch.zeros(2, 2, 2)
    for name, finite in (("scaled_to_maximum", True), ("unit_norm", True), ("maximum_zero", False)):
        change = relations()[name].change
        assert change is not None and bool(change(dark).isfinite().all()) == finite


NAN = V.clone()
NAN[0, 0, 0] = torch.nan


@pytest.mark.parametrize(
    ("name", "wrong", "fits"),
    [
        ("off_by_a_factor", 7 * V, True),
        ("off_by_a_factor", -0.001 * V, True),
        ("off_by_a_factor", 7 * V + 0.01, False),
        ("off_by_a_factor", torch.stack([7 * V[0], 8 * V[1]]), False),
        ("off_by_a_factor", 0 * V, False),
        ("off_by_a_factor", 1e-10 * V, False),
        ("off_by_a_factor", 7 * NAN, False),
        ("off_by_a_factor", 7 * V[0], False),
        ("off_by_a_factor_an_image", torch.stack([7 * V[0], 8 * V[1]]), True),
        ("off_by_a_factor_an_image", torch.stack([7 * V[0], V[1] + 1]), False),
        ("off_by_a_factor_an_image", torch.stack([7 * V[0], 0 * V[1]]), False),
        ("off_by_a_factor_an_image", 7 * V[:1], False),
        ("shifted", V + 5, True),
        ("shifted", V - 0.01, True),
        ("shifted", torch.stack([V[0] + 5, V[1] + 6]), False),
        ("shifted", V, False),
        ("shifted", 2 * V, False),
        ("shifted", NAN + 5, False),
    ],
)
def test_a_relation_is_seen_only_where_it_holds(name: str, wrong: Tensor, fits: bool) -> None:
    holds = relations()[name].fits
    assert holds is not None and holds(V, wrong) is fits


@pytest.mark.parametrize("name", ["off_by_a_factor", "shifted"])
def test_one_or_two_numbers_stand_in_no_relation(name: str) -> None:
    holds = relations()[name].fits
    assert holds is not None
    assert not holds(2.0, 6.0) and not holds(torch.ones(2), 1.5 * torch.ones(2))
    assert holds(torch.ones(3), 1.5 * torch.ones(3))


def test_relations_hold_over_all_parts_of_a_result() -> None:
    holds = relations()["off_by_a_factor"].fits
    assert holds is not None
    right = {"a": V, "b": (2.0, "text")}
    assert holds(right, {"a": 3 * V, "b": (6.0, "text")})
    assert not holds(right, {"a": 3 * V, "b": (5.0, "text")})


def test_results_that_hold_no_floats_have_no_relation() -> None:
    assert of(results, BATCHED, (1, 2, 3)) == ["returned_none"]
    assert of(results, CLASS, V) == []
    assert not {"upside_down", "first_of_batch"} & set(of(results, BATCHED, torch.ones(4)))
    assert "first_of_batch" not in of(results, FUNCTION, V)
    assert "off_by_a_factor" not in of(results, FUNCTION, 1.0)


# All families together


def test_a_mistake_stands_once_and_can_be_left_out() -> None:
    records = {"one": {"status": "returned", "value": V}}
    anchored = (Mistake("negated", "Own.", "Own."),)

    class Wordless(Exercise):
        words = type("Words", (), {"mistakes": ()})  # type: ignore[assignment]

    exercise = Wordless("l00", "f", lambda rng: {}, anchored=anchored, without=("squared",))
    found = mistakes_of(exercise, {"one": Case({"x": V})}, records)
    ids = [mistake.id for mistake in found]
    assert len(ids) == len(set(ids)) and "squared" not in ids and "magnitude" in ids
    assert [m.says for m in found if m.id == "negated"] == ["Own."]
