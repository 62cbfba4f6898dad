"""Every reference, the training scripts and the tour, with tensors and networks on a GPU.

`pytest -m gpu` runs what is marked so, here and in the other files, where there is one. What these
tests are made of also runs on the CPU, so that a mistake in the tests is found on any machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from downloads import Downloads
from torch import Tensor, nn

import autograder.worker.observe as observing
from autograder.checks import lesson
from autograder.course.catalogue import landed_stems
from autograder.course.exercise import Exercise
from autograder.course.reference import read_lesson, solution_stems
from autograder.judge.expected import Expectation, run_trusted
from autograder.judge.verdict import judge
from autograder.protocol.answers import Answer
from autograder.tour import tour
from lessons.toolkit import train_scene_codes, train_scenes, train_styler

EXERCISES = [one for stem in landed_stems() for one in lesson(stem).exercises]
GPU = pytest.param("cuda", marks=pytest.mark.gpu)
REFERENCE = "reference"

# What may fetch a tensor from its device, and why.
FETCHED = {
    "l05_tsne.embedding_canvas": "pictures are pasted one by one, at places that Python counts",
    "l06_activations.top_patches": "a patch holds plain numbers",
    "l06_activations.stream_top_patches": "a patch holds plain numbers",
    "l11_saliency.saliency_box": "the toolkit joins regions on the CPU",
    "l13_cam.localise": "the toolkit joins regions on the CPU",
    "l13_cam.localisation_iou": "the toolkit joins regions on the CPU",
    # On a GPU these fetch nothing.
    "l07_gradient_ascent.class_image": "shifts are drawn on the CPU",
    "l07_gradient_ascent.class_portrait": "shifts are drawn on the CPU",
    "l08_fooling_and_dreams.dream_step": "shifts are drawn on the CPU",
    "l08_fooling_and_dreams.deep_dream": "shifts are drawn on the CPU",
}


@pytest.fixture
def exact() -> Iterator[None]:
    """Multiply with all digits, as the CPU does."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def _name(exercise: Exercise) -> str:
    return f"{exercise.stem}.{exercise.name}"


def test_every_lesson_with_a_reference_is_tried() -> None:
    """What has not landed has no cases: as long as a lesson is on its way it is not tried."""
    assert {one.stem for one in EXERCISES} <= set(solution_stems())


@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("device", ["cpu", GPU])
@pytest.mark.parametrize("exercise", EXERCISES, ids=_name)
def test_as_on_the_cpu_and_nothing_is_fetched(
    exercise: Exercise, device: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compare with what the judge expects, which was computed on the CPU.

    The tolerances are those of the exercise. The judge also says so when a result comes back on
    another device than what was given.
    """
    ours = Downloads(
        lambda file: file == REFERENCE or Path(file).parent.name == "toolkit", device != "cpu"
    )
    attempt = observing._attempt

    def watched_attempt(student: ModuleType, call: Any, ready: Any, filename: str) -> Any:
        with ours:
            return attempt(student, call, ready, filename)

    monkeypatch.setattr(observing, "_attempt", watched_attempt)
    expectation = Expectation(exercise.stem, exercise)
    job = expectation.job(read_lesson(exercise.stem).bare(), REFERENCE)
    records = run_trusted({**job, "device": device})
    verdict = judge(expectation, Answer("ok", tuple(records)))
    assert verdict.outcome == "passed", verdict.message
    drawn_here = FETCHED.get(_name(exercise)) == "shifts are drawn on the CPU"
    if _name(exercise) not in FETCHED or (drawn_here and device != "cpu"):
        assert not ours.found, sorted(set(ours.found))


def test_what_may_fetch_is_an_exercise() -> None:
    assert set(FETCHED) <= {_name(exercise) for exercise in EXERCISES}


def test_a_reference_that_fetches_is_found() -> None:
    """The watch is on while a case runs, and knows the reference's lines from others."""
    expectation = Expectation("l05_tsne", lesson("l05_tsne").exercise("embedding_canvas"))
    with Downloads(lambda file: file == REFERENCE) as seen:
        run_trusted(expectation.job(read_lesson("l05_tsne").bare(), REFERENCE))
    assert seen.found and all("in reference, line" in entry for entry in seen.found)


# -- the training scripts --------------------------------------------------------------------------


def _styler(steps: int, device: torch.device) -> nn.Module:
    import solutions.l09_inversion_and_style as functions

    return train_styler.train(functions, "glass", steps, 0, device)


TRAININGS: dict[str, Callable[[int, torch.device], nn.Module]] = {
    "scenes": lambda steps, device: train_scenes.train(steps, 0, False, device),
    "scenes, watermarked": lambda steps, device: train_scenes.train(steps, 0, True, device),
    "scene codes": lambda steps, device: train_scene_codes.train(steps, 0, device),
    "styler": _styler,
}


@pytest.mark.slow
@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize(
    ("name", "device"),
    [("scenes", "cpu"), *(pytest.param(n, "cuda", marks=pytest.mark.gpu) for n in TRAININGS)],
)
def test_a_few_steps_of_training_lead_to_the_same_weights(name: str, device: str) -> None:
    """The pictures, the first weights and the noise are drawn on the CPU, the same everywhere.

    A step of Adam has nearly the same length whatever the gradient's size. Where a gradient is all
    rounding its sign may differ, and so may the step. So all weights together are compared: they
    may be off by a fifth of the way that they have come.
    """
    cpu = torch.device("cpu")
    early, expected = (_weights(TRAININGS[name](steps, cpu)) for steps in (1, 3))
    found = _weights(TRAININGS[name](3, torch.device(device)))
    assert found.device.type == "cpu"
    way = (expected - early).abs().sum()
    assert float(way) > 0
    assert float((found - expected).abs().sum()) <= 0.2 * float(way)


def _weights(network: nn.Module) -> Tensor:
    return torch.cat([weight.detach().flatten() for weight in network.parameters()]).double()


# -- the tour --------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("device", "model"),
    [("cpu", "scenes"), pytest.param("cuda", "efficientnet_lite0", marks=pytest.mark.gpu)],
)
def test_a_tour_draws_every_technique(device: str, model: str, tmp_path: Path) -> None:
    made = tour("cat", tmp_path / "tour.html", device, model=model)
    assert not made.failures
    assert made.page.stat().st_size > 10_000


# -- what watches ----------------------------------------------------------------------------------


def test_a_tensor_that_is_fetched_is_seen() -> None:
    values = torch.arange(3.0)
    with Downloads() as seen:
        values.cpu()
        values.tolist()
        values.numpy()
        values.to("cpu")
        values.to(device="cpu", copy=True)
    names = [entry.split()[0] for entry in seen.found]
    assert names == ["cpu", "tolist", "numpy", "to", "to"]
    assert all("test_on_every_device.py, line" in entry for entry in seen.found)


def test_single_numbers_and_what_stays_are_none() -> None:
    values = torch.arange(3.0)
    with Downloads() as seen:
        float(values.sum())
        values.sum().cpu()
        values.to(torch.float64).clone()
        values.to(values.device)
        values.to("meta")
    with Downloads(lambda file: False) as nobody:
        values.tolist()
    assert not seen.found and not nobody.found
