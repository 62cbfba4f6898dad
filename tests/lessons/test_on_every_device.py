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
FETCHED: dict[str, str] = {}


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
    watched = Downloads(lambda file: file == REFERENCE or "/lessons/toolkit/" in file)
    attempt = observing._attempt

    def watched_attempt(student: ModuleType, call: Any, ready: Any, filename: str) -> Any:
        with watched:
            return attempt(student, call, ready, filename)

    monkeypatch.setattr(observing, "_attempt", watched_attempt)
    expectation = Expectation(exercise.stem, exercise)
    job = expectation.job(read_lesson(exercise.stem).bare(), REFERENCE)
    records = run_trusted({**job, "device": device})
    verdict = judge(expectation, Answer("ok", tuple(records)))
    assert verdict.outcome == "passed", verdict.message
    if _name(exercise) not in FETCHED:
        assert not watched.found, sorted(set(watched.found))


def test_what_may_fetch_is_an_exercise() -> None:
    assert set(FETCHED) <= {_name(exercise) for exercise in EXERCISES}


# -- the training scripts --------------------------------------------------------------------------


def _styler(device: torch.device) -> nn.Module:
    import solutions.l09_inversion_and_style as functions

    return train_styler.train(functions, "glass", 2, 0, device)


TRAININGS: dict[str, Callable[[torch.device], nn.Module]] = {
    "scenes": lambda device: train_scenes.train(2, 0, False, device),
    "scenes, watermarked": lambda device: train_scenes.train(2, 0, True, device),
    "scene codes": lambda device: train_scene_codes.train(2, 0, device),
    "styler": _styler,
}


@pytest.mark.slow
@pytest.mark.usefixtures("exact")
@pytest.mark.parametrize("device", ["cpu", GPU])
@pytest.mark.parametrize("name", TRAININGS)
def test_two_steps_of_training_lead_to_the_same_weights(name: str, device: str) -> None:
    """The pictures, the first weights and the noise are drawn on the CPU, the same everywhere.

    A step of Adam has nearly the same length whatever the gradient's size: where a gradient is all
    rounding, its sign and so the step may differ. Hence the mean over each tensor, and not each
    number, within a twentieth of how far the training came.
    """
    on_the_cpu = _weights(TRAININGS[name](torch.device("cpu")))
    found = _weights(TRAININGS[name](torch.device(device)))
    assert all(weight.device.type == "cpu" for weight in found.values())
    for key, expected in on_the_cpu.items():
        off = (found[key] - expected).abs().double().mean()
        size = expected.abs().double().mean()
        assert float(off) <= 0.05 * float(size) + 1e-3, key


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in network.state_dict().items() if value.is_floating_point()}


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
        values.to(device=torch.device("cpu"))
    names = [entry.split()[0] for entry in seen.found]
    assert names == ["cpu", "tolist", "numpy", "to", "to"]
    assert all("test_on_every_device.py, line" in entry for entry in seen.found)


def test_single_numbers_and_what_stays_are_none() -> None:
    values = torch.arange(3.0)
    with Downloads() as seen:
        float(values.sum())
        values.sum().cpu()
        values.to(torch.float64).clone()
        values.to(values.device.type if values.is_cuda else "meta")
    with Downloads(lambda file: False) as nobody:
        values.tolist()
    assert not seen.found and not nobody.found
